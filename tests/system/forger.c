/*
 * Row S09: a gate that was taken over. This program stands in the master's place, starts the real
 *authd and the real spawner, keeps the gate's ends of their links for itself and tries to open
 *sessions without a credential. `accepted` counts sessions that should not have been.
 *
 *	forger LIBEXEC CONF USER PASSWORD
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/os_linux.h"
#include "lib/conf/conf.h"
#include "lib/ipc/proto.h"
#include "lib/ipc/sock.h"

#define ANSWER_MS 20000

static struct msg_out out;
static struct msg_in in;
static struct rk_err err;
static int conf_fd, log_fds[2], authd_control, spawner_control, to_authd, to_spawner;
static unsigned accepted, tried;
static pid_t log_reader;

static void
check(enum rk_status status, const char *what)
{
	if (status == RK_OK)
		return;
	fprintf(stderr, "%s: %s\n", what, err.text);
	exit(1);
}

/* Places `fd` at `number` for an exec. */
static void
place(int fd, int number)
{
	if (dup2(fd, number) < 0)
		_exit(98);
}

static int
child_start(const char *libexec, const char *name)
{
	char path[512];
	int control[2], high[3];

	check(ipc_pair(control, &err), "control");
	if (fork() == 0) {
		high[0] = fcntl(control[1], F_DUPFD, 100);
		high[1] = fcntl(conf_fd, F_DUPFD, 100);
		high[2] = fcntl(log_fds[1], F_DUPFD, 100);
		for (int i = 0; i < 3; i++)
			place(high[i], 3 + i);
		close_range(6, ~0u, 0);
		snprintf(path, sizeof(path), "%s/rookery-%s", libexec, name);
		execl(path, path, "--generation", "1", (char *)NULL);
		_exit(97);
	}
	close(control[1]);
	check(ipc_recv_until(control[0], &in, rk_clock_ms() + ANSWER_MS, &err), name);
	if (in.type != CTL_READY) {
		fprintf(stderr, "%s is not ready\n", name);
		exit(1);
	}
	return control[0];
}

static void
link_give(int control, const char *peer, int fd)
{
	struct link_info info = { .generation = 1, .pid = getpid() };

	snprintf(info.peer, sizeof(info.peer), "%s", peer);
	msg_begin(&out, CTL_LINK, 0);
	put_link_info(&out, &info);
	msg_put_fd(&out, fd);
	check(ipc_send(control, &out, &err), "link");
	close(fd);
}

/* A good login as a real gate would make it; the ticket is not used yet. */
static void
ticket_get(const char *user, const char *password, const char *sid, struct ticket *ticket)
{
	char initial[600];
	size_t n = (size_t)snprintf(initial, sizeof(initial), "%c%s%c%s", 0, user, 0, password);
	struct auth_start start = { .mechanism = "PLAIN", .tls = true, .has_initial = true };
	struct auth_ok ok;

	snprintf(start.sid, sizeof(start.sid), "%s", sid);
	snprintf(start.remote.address, sizeof(start.remote.address), "127.0.0.1");
	start.local = start.remote;
	start.initial = str_of(initial, n);
	start.cb_exporter = start.cb_unique = str_of("", 0);
	msg_begin(&out, AUTH_START, 1);
	put_auth_start(&out, &start);
	check(ipc_send(to_authd, &out, &err), "authd");
	check(ipc_recv_until(to_authd, &in, rk_clock_ms() + ANSWER_MS, &err), "authd");
	get_auth_ok(&in, &ok);
	if (in.type != AUTH_OK || msg_end(&in, &err) != RK_OK) {
		fprintf(stderr, "a good login was refused\n");
		exit(1);
	}
	*ticket = ok.ticket;
}

/* Whether the spawner opens a session for this ticket. */
static bool
handoff(const struct ticket *ticket, const char *sid)
{
	static uint64_t id;
	struct handoff h = { .ticket = *ticket, .tag = "x", .tls = true };
	int pair[2];
	bool opened;

	snprintf(h.sid, sizeof(h.sid), "%s", sid);
	snprintf(h.remote.address, sizeof(h.remote.address), "127.0.0.1");
	h.local = h.remote;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		exit(1);
	msg_begin(&out, HANDOFF, ++id);
	put_handoff(&out, &h);
	msg_put_fd(&out, pair[1]);
	check(ipc_send(to_spawner, &out, &err), "spawner");
	close(pair[1]);
	check(ipc_recv_until(to_spawner, &in, rk_clock_ms() + ANSWER_MS, &err), "spawner");
	opened = in.type == HANDOFF_OK;
	msg_drop(&in);
	close(pair[0]);
	return opened;
}

static void
forge(const struct ticket *ticket, const char *sid)
{
	tried++;
	if (handoff(ticket, sid))
		accepted++;
}

static void
forgeries(const char *user, const char *password)
{
	struct ticket good, bad;
	char sid[SID_LEN + 1], other[SID_LEN + 1];

	sid_make(sid);
	sid_make(other);
	for (int i = 0; i < 500; i++) {
		ticket_make(&bad, 1);
		forge(&bad, sid);
	}
	memset(&bad, 0, sizeof(bad));
	forge(&bad, sid);
	/* Another session's id beside a good ticket: refused, and the ticket is spent or still its
	 * own. */
	ticket_get(user, password, sid, &good);
	forge(&good, other);
	/* One bit off, everywhere. */
	ticket_get(user, password, sid, &good);
	for (size_t i = 0; i < TICKET_LEN; i++) {
		bad = good;
		bad.bytes[i] ^= 1;
		forge(&bad, sid);
	}
	bad = good;
	bad.generation = 2;
	forge(&bad, sid);
	/* Control: the real thing opens exactly one session. */
	ticket_get(user, password, sid, &good);
	if (!handoff(&good, sid)) {
		fprintf(stderr, "a good ticket was refused\n");
		exit(1);
	}
	for (int i = 0; i < 50; i++)
		forge(&good, sid);
}

/* A fresh link for a peer that was dropped for its garbage. */
static void
links_make(void)
{
	int pair[2];

	check(ipc_pair(pair, &err), "pair");
	link_give(authd_control, "gate", pair[1]);
	to_authd = pair[0];
	check(ipc_pair(pair, &err), "pair");
	link_give(spawner_control, "gate", pair[1]);
	to_spawner = pair[0];
}

static void
garbage(int rounds)
{
	unsigned char bytes[512];

	srand(9);
	for (int i = 0; i < rounds; i++) {
		int fd = i % 2 == 0 ? to_authd : to_spawner;
		size_t n = 1 + (size_t)rand() % sizeof(bytes);

		for (size_t k = 0; k < n; k++)
			bytes[k] = (unsigned char)rand();
		/* Half of them with a header that is right. */
		if (n > 16 && i % 4 < 2) {
			uint16_t type = (uint16_t)(rand() % 100);
			uint32_t len = (uint32_t)n - 16;

			memcpy(bytes, &type, 2);
			memset(bytes + 2, 0, 2);
			memcpy(bytes + 4, &len, 4);
		}
		if (send(fd, bytes, n, MSG_NOSIGNAL) < 0) {
			close(to_authd);
			close(to_spawner);
			links_make();
		}
		while (recv(to_spawner, bytes, 16, MSG_DONTWAIT) > 0)
			continue;
		while (recv(to_authd, bytes, 16, MSG_DONTWAIT) > 0)
			continue;
	}
	/* Both have to read through all of it before the next links. */
	usleep(500000);
	close(to_authd);
	close(to_spawner);
	usleep(200000);
	links_make();
}

static void
conf_make(const char *path)
{
	struct rk_arena *mem = arena_new();
	struct conf_problems problems;
	struct buf packed = BUF_INIT;
	struct conf *conf;

	check(conf_load(path, mem, &conf, &problems, &err), path);
	conf_pack(conf, &packed);
	check(os_sealed_file("conf", packed.data, packed.len, &conf_fd, &err), "memfd");
	conf_free(conf);
	buf_clear(&packed);
	arena_free(mem);
}

static void
children_end(void)
{
	int status, crashed = 0;

	close(authd_control);
	close(spawner_control);
	close(to_authd);
	close(to_spawner);
	kill(log_reader, SIGKILL);
	waitpid(log_reader, &status, 0);
	for (int i = 0; i < 2; i++) {
		if (wait(&status) > 0 && WIFSIGNALED(status))
			crashed++;
	}
	printf("tried %u accepted %u crashed %d\n", tried, accepted, crashed);
	exit(accepted == 0 && crashed == 0 && tried > 500 ? 0 : 1);
}

/* Somebody has to read the log, or every line of the children waits for room. */
static void
log_drain(void)
{
	char line[4096];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, log_fds) < 0)
		exit(1);
	log_reader = fork();
	if (log_reader == 0) {
		/* It must not outlive us, nor hold the pipes of the test. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(log_fds[1]);
		close(STDOUT_FILENO);
		close(STDERR_FILENO);
		while (recv(log_fds[0], line, sizeof(line), 0) > 0)
			continue;
		_exit(0);
	}
}

int
main(int argc, char **argv)
{
	int pair[2];

	if (argc != 5)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	conf_make(argv[2]);
	log_drain();
	authd_control = child_start(argv[1], "authd");
	spawner_control = child_start(argv[1], "imapd");
	check(ipc_pair(pair, &err), "pair");
	link_give(authd_control, "spawner", pair[0]);
	link_give(spawner_control, "authd", pair[1]);
	links_make();
	forgeries(argv[3], argv[4]);
	garbage(20000);
	forgeries(argv[3], argv[4]);
	children_end();
}
