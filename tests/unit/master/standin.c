/*
 * Stands in for any service when the master is tested: serves, links, drains; or misbehaves as the
 * file behave.NAME beside the program says: "exit" (before it is ready), "garbage" (after), "mute"
 * (reads nothing), "stay" (does not drain), "fork" (leaves a child behind that outlives it).
 * It notes what it saw in saw.NAME.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/ipc/service.h"

static char dir[512], name[64];

static void
saw(const char *what, const char *text, unsigned number)
{
	char path[600], line[256];
	int fd, n;

	snprintf(path, sizeof(path), "%s/saw.%s", dir, name);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	n = snprintf(line, sizeof(line), "%s %s %u\n", what, text, number);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		_exit(3);
	close(fd);
}

static void
behaviour(char out[16])
{
	char path[600];
	ssize_t n;
	int fd;

	out[0] = '\0';
	snprintf(path, sizeof(path), "%s/behave.%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, out, 15);
	close(fd);
	out[n < 0 ? 0 : n] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

static void
reply(const struct service *s, const struct msg_in *m)
{
	struct msg_out out;
	struct rk_err err;

	if (m->type == CTL_STATS) {
		msg_begin(&out, CTL_STATS_ROW, m->id);
		msg_put_text(&out, "figure");
		msg_put_u64(&out, 7);
		if (ipc_send(s->control, &out, &err) != RK_OK)
			_exit(4);
	}
	if (m->type == CTL_WHO) {
		struct who_row row = { .sid = "ABCDEFGHIJKLMNOP", .user = "u\"1", .pid = 9 };

		for (int i = 0; i < 100; i++) {
			msg_begin(&out, CTL_WHO_ROW, m->id);
			put_who_row(&out, &row);
			if (ipc_send(s->control, &out, &err) != RK_OK)
				_exit(4);
		}
	}
	msg_begin(&out, CTL_DONE, m->id);
	msg_put_u32(&out, m->type == CTL_KICK ? 2 : 1);
	if (ipc_send(s->control, &out, &err) != RK_OK)
		_exit(4);
}

static void
serve(const struct service *s, const char *how)
{
	static struct msg_in m;
	struct link_info info;
	struct rk_err err;

	for (;;) {
		struct pollfd pfd = { .fd = s->control, .events = POLLIN };

		if (poll(&pfd, 1, -1) < 0 || ipc_recv(s->control, &m, &err) != RK_OK)
			_exit(5);
		if (service_pong(s, &m))
			continue;
		switch (m.type) {
		case CTL_LINK:
			get_link_info(&m, &info);
			saw("link", info.peer, info.generation);
			if (msg_get_fd(&m) < 0) /* kept open: a closed link is another test */
				_exit(6);
			break;
		case CTL_DRAIN:
			saw("drain", "-", s->generation);
			if (strcmp(how, "stay") != 0)
				_exit(0);
			break;
		default:
			reply(s, &m);
			break;
		}
		msg_drop(&m);
	}
}

int
main(int argc, char *argv[])
{
	const char *slash = strrchr(argv[0], '/'), *dash = strrchr(argv[0], '-');
	struct service s;
	struct rk_err err;
	char how[16];

	if (slash == NULL || dash == NULL)
		return 2;
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - argv[0]), argv[0]);
	snprintf(name, sizeof(name), "%s", dash + 1);
	if (service_init(&s, "standin", argc, argv, &err) != RK_OK)
		return 1;
	behaviour(how);
	for (size_t i = 0; i < s.nfds; i++)
		saw("fd", s.fds[i].name, (unsigned)s.fds[i].fd);
	if (strcmp(how, "exit") == 0)
		return 1;
	if (strcmp(how, "fork") == 0 && fork() == 0) {
		close(s.control);
		sleep(600);
		return 0;
	}
	saw("start", "-", s.generation);
	if (service_ready(&s, &err) != RK_OK)
		return 1;
	if (strcmp(how, "garbage") == 0 && write(s.control, "garbage", 7) != 7)
		return 1;
	if (strcmp(how, "mute") == 0)
		sleep(600);
	serve(&s, how);
}
