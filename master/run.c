#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "master/daemon.h"

#define LOG_BUFFER (1 << 20)

int
reserve_open(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
signal_arrives(evutil_socket_t sig, short what, void *arg)
{
	struct master *m = arg;

	(void)what;
	switch ((int)sig) {
	case SIGCHLD:
		supervise_reap(m);
		break;
	case SIGHUP:
		reload_begin(m);
		break;
	default:
		stop_begin(m);
		break;
	}
}

static void
tick_arrives(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	supervise_tick(arg, rk_clock_ms());
}

/* The master keeps both ends for its whole life, so no line is lost while the log is restarted. */
static enum rk_status
log_socket(struct master *m, struct rk_err *err)
{
	int pair[2], size = LOG_BUFFER;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		return rk_fail(err, RK_TEMP, "socketpair for the log");
	/* As much as the system allows; the rest is lib/base/log.h's business. */
	if (setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
		log_ev(RK_LOG_DEBUG, "master.log-buffer");
	m->log_read = pair[0];
	m->log_write = pair[1];
	return RK_OK;
}

static enum rk_status
events_open(struct master *m, struct rk_err *err)
{
	static const int signals[] = { SIGCHLD, SIGHUP, SIGTERM, SIGINT };
	const struct timeval second = { 1, 0 };

	m->base = event_base_new();
	if (m->base == NULL)
		return rk_fail_plain(err, RK_TEMP, "libevent has no event loop");
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		evsignal_assign(&m->signals[i], m->base, signals[i], signal_arrives, m);
		if (event_add(&m->signals[i], NULL) < 0)
			return rk_fail_plain(err, RK_TEMP, "watching signal %d", signals[i]);
	}
	event_assign(&m->tick, m->base, -1, EV_PERSIST, tick_arrives, m);
	if (event_add(&m->tick, &second) < 0)
		return rk_fail_plain(err, RK_TEMP, "starting the clock");
	m->tick_ms = rk_clock_ms();
	return RK_OK;
}

static void
event_said(int severity, const char *text)
{
	if (severity >= EVENT_LOG_WARN)
		log_ev(RK_LOG_WARN, "master.event", LOG_S("reason", text));
}

enum rk_status
master_open(struct master *m, struct rk_err *err)
{
	static const struct listeners none;
	enum rk_status status;

	event_set_log_callback(event_said);
	m->reserve_fd = reserve_open();
	status = listeners_open(&m->listeners, &none, &m->settings, err);
	if (status == RK_OK)
		status = log_socket(m, err);
	if (status == RK_OK)
		status = events_open(m, err);
	if (status == RK_OK)
		status = admin_open(&m->admin, m, err);
	return status;
}

int
master_run(struct master *m)
{
	slots_plan(m, &m->settings);
	supervise(m);
	/* A failure in the first step may have ended it already, with nobody to wait for. */
	while (m->phase != PHASE_STOPPING || m->stop_step < STOP_STEPS || children_running(m) > 0) {
		if (event_base_loop(m->base, EVLOOP_ONCE) < 0)
			break;
	}
	log_init(m->error_fd == STDERR_FILENO ? -1 : m->error_fd, "rookery", m->settings.level);
	admin_close(&m->admin);
	return m->exit_code;
}
