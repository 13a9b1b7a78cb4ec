/*
 * rookery-log: the one process that writes the log. Everybody else sends datagrams and goes on.
 *
 * It ends last. Told to drain (or to terminate) it writes what is queued and exits. When the master
 * is gone without a word it stays for as long as anybody holds the other end of the socket: workers
 * live on for a while, and their last lines are worth having.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/conf/conf.h"
#include "lib/ipc/service.h"
#include "log/profile.h"
#include "log/sink.h"

#define BURST 256

struct logger {
	struct service service;
	struct sink sink;
	int read_fd;
	bool orphan; /* the master is gone */
	bool ending;
};

static volatile sig_atomic_t got_hup, got_term;

static void
signal_note(int sig)
{
	if (sig == SIGHUP)
		got_hup = 1;
	else
		got_term = 1;
}

/* True if the queue is empty. */
static bool
lines_take(struct logger *l)
{
	char line[LOG_LINE_MAX + 1];

	for (int i = 0; i < BURST; i++) {
		ssize_t n = recv(l->read_fd, line, LOG_LINE_MAX, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return true;
		sink_line(&l->sink, line, (size_t)n, rk_clock_ms());
	}
	return false;
}

static void
stats_row(const struct logger *l, uint64_t id, const char *name, uint64_t value)
{
	struct msg_out m;
	struct rk_err err;

	msg_begin(&m, CTL_STATS_ROW, id);
	msg_put_text(&m, name);
	msg_put_u64(&m, value);
	if (ipc_send(l->service.control, &m, &err) != RK_OK)
		log_ev(RK_LOG_DEBUG, "log.stats", LOG_ERR(&err));
}

static void
stats_answer(const struct logger *l, uint64_t id)
{
	struct msg_out m;
	struct rk_err err;

	stats_row(l, id, "lines", l->sink.written);
	stats_row(l, id, "lost", l->sink.lost);
	msg_begin(&m, CTL_DONE, id);
	msg_put_u32(&m, 2);
	if (ipc_send(l->service.control, &m, &err) != RK_OK)
		log_ev(RK_LOG_DEBUG, "log.stats", LOG_ERR(&err));
}

static void
control_take(struct logger *l)
{
	static struct msg_in m;
	struct rk_err err;

	switch (ipc_recv(l->service.control, &m, &err)) {
	case RK_OK:
		break;
	case RK_AGAIN:
		return;
	default:
		/* Our own end of the log socket would keep us waiting for ourselves. */
		log_init(-1, "log", RK_LOG_INFO);
		close(SERVICE_FD_LOG);
		l->orphan = true;
		return;
	}
	msg_drop(&m);
	if (service_pong(&l->service, &m))
		return;
	if (m.type == CTL_DRAIN)
		l->ending = true;
	else if (m.type == CTL_STATS)
		stats_answer(l, m.id);
}

/* Whether anybody can still send: the socket pair is bidirectional, and a datagram to a closed end
 * is refused. What it leaves in their queue is read by nobody and does no harm. */
static bool
senders_left(const struct logger *l)
{
	return send(l->read_fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 || errno == EAGAIN ||
	       errno == ENOBUFS;
}

static void
loop(struct logger *l)
{
	struct pollfd pfds[2] = {
		{ .fd = l->read_fd, .events = POLLIN },
		{ .fd = l->service.control, .events = POLLIN },
	};

	for (;;) {
		bool empty;

		if (poll(pfds, l->orphan ? 1 : 2, 1000) < 0 && errno != EINTR)
			return;
		if (got_hup) {
			got_hup = 0;
			sink_check(&l->sink, rk_clock_ms(), true);
		}
		empty = lines_take(l);
		if (!l->orphan && pfds[1].revents != 0)
			control_take(l);
		if (empty && (l->ending || got_term))
			return;
		if (empty && l->orphan && !senders_left(l))
			return;
	}
}

static enum rk_status
signals_set(struct rk_err *err)
{
	struct sigaction action = { .sa_handler = signal_note };

	if (sigaction(SIGHUP, &action, NULL) < 0 || sigaction(SIGTERM, &action, NULL) < 0 ||
	    sigaction(SIGINT, &action, NULL) < 0)
		return rk_fail(err, RK_TEMP, "sigaction");
	return RK_OK;
}

/* The directory of the file, for the file that takes its place after a rotation. */
static enum rk_status
dir_open(const char *target, int *fd_out, struct rk_err *err)
{
	char dir[4096];
	const char *slash = strrchr(target, '/');
	size_t n = slash == NULL ? 0 : (size_t)(slash - target);

	*fd_out = -1;
	if (target[0] != '/')
		return RK_OK;
	if (n >= sizeof(dir))
		return rk_fail_plain(err, RK_INVALID, "log.target is too long");
	memcpy(dir, target, n);
	dir[n] = '\0';
	*fd_out = open(n == 0 ? "/" : dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*fd_out < 0)
		return rk_fail(err, RK_TEMP, "open %s", dir);
	return RK_OK;
}

static enum rk_status
lock_down(const struct conf *conf, uid_t uid, gid_t gid, int dir, struct rk_err *err)
{
	const struct os_path_rule rule = { .fd = dir, .access = OS_WRITE };
	const struct lockdown how = {
		.mode = strcmp(conf_str(conf, NULL, "sandbox"), "required") == 0
		            ? SANDBOX_REQUIRED
		            : SANDBOX_BEST_EFFORT,
		.uid = uid,
		.gid = gid,
		.rules = &rule,
		.nrules = dir < 0 ? 0 : 1,
	};
	enum rk_status status = service_lock_down(&log_profile, &how, err);

	if (dir >= 0)
		close(dir);
	return status;
}

static enum rk_status
start(struct logger *l, const struct conf *conf, struct rk_err *err)
{
	const char *target = conf_str(conf, NULL, "log.target");
	enum rk_status status;
	int dir = -1;
	uid_t uid;
	gid_t gid;

	l->read_fd = service_fd(&l->service, "read");
	if (l->read_fd < 0)
		return rk_fail_plain(err, RK_INVALID, "no descriptor to read from");
	status = service_account(conf_str(conf, NULL, "log.user"), &uid, &gid, err);
	if (status == RK_OK)
		status = sink_open(&l->sink, target, uid, gid, err);
	if (status == RK_OK)
		status = dir_open(target, &dir, err);
	if (status == RK_OK)
		status = signals_set(err);
	if (status == RK_OK)
		status = lock_down(conf, uid, gid, dir, err);
	if (status == RK_OK)
		status = service_ready(&l->service, err);
	return status;
}

int
main(int argc, char *argv[])
{
	static struct logger l;
	enum rk_log_level level;
	struct conf *conf = NULL;
	struct rk_err err;

	if (service_init(&l.service, "log", argc, argv, &err) != RK_OK)
		return 1;
	/* Our own lines go the way of all others, unless nobody will read them. */
	if (conf_from_fd(l.service.conf_fd, &conf, &err) != RK_OK ||
	    start(&l, conf, &err) != RK_OK) {
		log_init(-1, "log", RK_LOG_INFO);
		log_ev(RK_LOG_ERROR, "log.start", LOG_ERR(&err));
		conf_free(conf);
		return 1;
	}
	if (log_level_parse(conf_str(conf, NULL, "log.level"), &level))
		log_init(SERVICE_FD_LOG, "log", level);
	loop(&l);
	sink_close(&l.sink);
	conf_free(conf);
	return 0;
}
