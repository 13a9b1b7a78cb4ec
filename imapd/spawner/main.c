#include "imapd/spawner/spawner_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/base/bug.h"
#include "imapd/session/worker.h"
#include "lib/base/log.h"
#include "storage/account/account.h"

#define EVENTS 64
#define TICK_MS 1000
#define TURN_MS 20 /* while a fork waits for its turn */

static void
kick_requested(struct spawner *s, struct msg_in *m)
{
	char user[USER_MAX + 1], sid[SID_LEN + 1];
	struct msg_out answer;
	struct rk_err err;
	uint64_t id = m->id;

	msg_get_text(m, user, sizeof(user));
	msg_get_text(m, sid, sizeof(sid));
	if (msg_end(m, &err) != RK_OK) {
		log_ev(RK_LOG_WARN, "spawner.control", LOG_ERR(&err));
		return;
	}
	msg_begin(&answer, CTL_DONE, id);
	msg_put_u32(&answer, workers_kick(s, user, sid));
	if (ipc_send(s->service.control, &answer, &err) != RK_OK)
		log_ev(RK_LOG_WARN, "spawner.control", LOG_ERR(&err));
}

static void
drain_begin(struct spawner *s)
{
	if (s->draining)
		return;
	s->draining = true;
	log_ev(RK_LOG_INFO, "spawner.drain", LOG_U("workers", s->nworkers));
	handoff_drain(s);
	workers_kick(s, "", "");
}

static void
control_message(struct spawner *s, struct msg_in *m)
{
	if (service_pong(&s->service, m)) {
		msg_drop(m);
		return;
	}
	switch (m->type) {
	case CTL_LINK:
		peer_join(s, m);
		break;
	case CTL_DRAIN:
		drain_begin(s);
		break;
	case CTL_WHO:
		workers_who(s, m->id);
		break;
	case CTL_KICK:
		kick_requested(s, m);
		break;
	case CTL_STATS:
		workers_stats(s, m->id);
		break;
	default:
		log_ev(RK_LOG_WARN, "spawner.control", LOG_U("type", m->type));
		break;
	}
	msg_drop(m);
}

static void
control_readable(struct spawner *s)
{
	static struct msg_in m;
	struct rk_err err;

	for (;;) {
		switch (ipc_recv(s->service.control, &m, &err)) {
		case RK_OK:
			control_message(s, &m);
			break;
		case RK_AGAIN:
			return;
		default:
			/* The master is gone: end the workers, then ourselves. */
			epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->service.control, NULL);
			drain_begin(s);
			return;
		}
	}
}

static void
signals_readable(struct spawner *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			drain_begin(s);
	}
	workers_reap(s);
}

static void
event_handle(struct spawner *s, const struct epoll_event *ev)
{
	uint32_t index = (uint32_t)ev->data.u64;

	switch ((enum source)(ev->data.u64 >> 32)) {
	case SOURCE_CONTROL:
		control_readable(s);
		break;
	case SOURCE_SIGNALS:
		signals_readable(s);
		break;
	case SOURCE_PEER:
		peer_readable(s, index);
		break;
	case SOURCE_WORKER:
		worker_control_readable(s, index);
		break;
	}
}

static bool
pending_any(const struct spawner *s)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		if (s->pending[i].client_fd >= 0)
			return true;
	}
	return false;
}

static void
loop(struct spawner *s)
{
	struct epoll_event events[EVENTS];

	while (!s->draining || s->nworkers > 0) {
		int n = epoll_wait(s->epoll, events, EVENTS, s->nwaiting > 0 ? TURN_MS : TICK_MS);

		if (n < 0 && errno != EINTR)
			rk_bug("epoll_wait: %s", strerror(errno));
		for (int i = 0; i < n; i++)
			event_handle(s, &events[i]);
		handoff_tick(s, rk_clock_ms());
		if (s->renew && !s->draining && !pending_any(s))
			spawner_renew(s);
	}
}

static enum rk_status
signals_open(struct spawner *s, struct rk_err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return rk_fail(err, RK_TEMP, "sigprocmask");
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0)
		return rk_fail(err, RK_TEMP, "signalfd");
	return source_add(s, s->signals, SOURCE_SIGNALS, 0, err);
}

static enum rk_status
tables_make(struct spawner *s, struct rk_err *err)
{
	s->nworkers_max = (uint32_t)conf_int(s->conf, NULL, "imapd.max_workers");
	s->workers = calloc(s->nworkers_max, sizeof(*s->workers));
	s->user_hashes = calloc(s->nworkers_max, sizeof(*s->user_hashes));
	s->pending = calloc(PENDING_MAX, sizeof(*s->pending));
	s->crashed = calloc(CRASHED_MAX, sizeof(*s->crashed));
	if (s->workers == NULL || s->user_hashes == NULL || s->pending == NULL ||
	    s->crashed == NULL)
		return rk_fail(err, RK_TEMP, "tables of %u workers", s->nworkers_max);
	for (uint32_t i = 0; i < s->nworkers_max; i++)
		s->workers[i].control = -1;
	for (size_t i = 0; i < PENDING_MAX; i++)
		s->pending[i].client_fd = -1;
	peers_init(s);
	return RK_OK;
}

static enum rk_status
spawner_open(struct spawner *s, struct rk_err *err)
{
	int saved = service_fd(&s->service, "state");
	enum rk_status status;

	s->unprivileged = geteuid() != 0;
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0)
		return rk_fail(err, RK_TEMP, "epoll");
	status = conf_from_fd(s->service.conf_fd, &s->conf, err);
	if (status == RK_OK)
		status = registry_load(s->conf, err);
	worker_preload();
	if (status == RK_OK)
		status = tables_make(s, err);
	if (status == RK_OK)
		status = signals_open(s, err);
	if (status == RK_OK)
		status = source_add(s, s->service.control, SOURCE_CONTROL, 0, err);
	if (status == RK_OK && saved >= 0)
		return spawner_restore(s, saved, err);
	if (status == RK_OK)
		status = scoreboard_new(s->nworkers_max, &s->board, err);
	return status;
}

static enum rk_status
spawner_lock_down(const struct spawner *s, struct rk_err *err)
{
	bool required = strcmp(conf_str(s->conf, NULL, "sandbox"), "required") == 0;
	struct lockdown how = {
		.mode = required ? SANDBOX_REQUIRED : SANDBOX_BEST_EFFORT,
		.uid = geteuid(),
		.gid = getegid(),
	};

	return service_lock_down(&spawner_profile, &how, err);
}

int
main(int argc, char **argv)
{
	static struct spawner s;
	enum rk_log_level level;
	struct rk_err err;

	if (service_init(&s.service, "imapd", argc, argv, &err) != RK_OK)
		return EXIT_FAILURE;
	if (spawner_open(&s, &err) != RK_OK)
		goto failed;
	if (log_level_parse(conf_str(s.conf, NULL, "log.level"), &level))
		log_init(SERVICE_FD_LOG, "imapd", level);
	if (spawner_lock_down(&s, &err) != RK_OK || service_ready(&s.service, &err) != RK_OK)
		goto failed;
	loop(&s);
	return EXIT_SUCCESS;
failed:
	log_ev(RK_LOG_ERROR, "service.start", LOG_ERR(&err));
	return EXIT_FAILURE;
}
