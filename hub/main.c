/* rookery-hub: relays change notices between the workers of this node. It never sees mail. */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hub/profile.h"
#include "hub/relay.h"
#include "lib/base/bug.h"
#include "lib/base/log.h"
#include "lib/conf/conf.h"
#include "lib/ipc/service.h"

#define SPAWNERS_MAX 8 /* one, and those that were replaced and are not closed yet */
#define BURST 32       /* messages of one peer before the others have their turn */

/* Descriptors beside one per worker. */
#define DESCRIPTORS_OWN 64

struct hub;

struct spawner {
	struct hub *hub;
	int fd; /* -1: free */
	struct event readable;
};

/* The event loop's side of a worker. */
struct member {
	struct hub *hub;
	struct relay_worker *worker;
	struct event readable;
	struct event writable;
};

struct hub {
	struct service service;
	struct event_base *base;
	struct event control;
	struct spawner spawners[SPAWNERS_MAX];
	struct relay *relay;
	bool orphan; /* the master is gone */
};

static void
member_leave(struct member *member, enum rk_status status, const struct rk_err *err)
{
	struct hub *hub = member->hub;
	struct relay_figures figures;

	if (status != RK_CLOSED)
		log_ev(RK_LOG_WARN, "hub.worker", LOG_ERR(err));
	event_del(&member->readable);
	event_del(&member->writable);
	relay_leave(member->worker);
	free(member);
	relay_figures(hub->relay, &figures);
	if (hub->orphan && figures.workers == 0)
		event_base_loopbreak(hub->base);
}

static void
member_readable(evutil_socket_t fd, short what, void *arg)
{
	static struct msg_in m;
	struct member *member = arg;
	struct rk_err err;

	(void)what;
	for (int i = 0; i < BURST; i++) {
		enum rk_status status = ipc_recv((int)fd, &m, &err);

		if (status == RK_AGAIN)
			return;
		if (status == RK_OK)
			status = relay_message(member->worker, &m, &err);
		if (status != RK_OK) {
			member_leave(member, status, &err);
			return;
		}
	}
}

static void
member_writable(evutil_socket_t fd, short what, void *arg)
{
	struct member *member = arg;
	struct rk_err err;
	enum rk_status status = relay_flush(member->worker, &err);

	(void)fd;
	(void)what;
	if (status != RK_OK)
		member_leave(member, status, &err);
}

static void
writable_watch(struct relay_worker *w, bool on, void *arg)
{
	struct member *member = relay_data(w);

	(void)arg;
	if (!on)
		event_del(&member->writable);
	else if (event_add(&member->writable, NULL) < 0)
		rk_bug("hub: watching a worker's socket");
}

static enum rk_status
worker_join(struct hub *hub, struct msg_in *m, struct rk_err *err)
{
	struct member *member;
	struct relay_worker *worker;
	char account[USER_MAX + 1];
	uint32_t uid = msg_get_u32(m);
	enum rk_status status;
	int fd;

	msg_get_text(m, account, sizeof(account));
	fd = msg_get_fd(m);
	status = msg_end(m, err);
	if (status != RK_OK) {
		if (fd >= 0)
			close(fd);
		return status;
	}
	if (relay_join(hub->relay, uid, account, fd, &worker, err) != RK_OK) {
		/* The worker sees its socket end, and looks for changes itself. */
		log_ev(RK_LOG_WARN, "hub.join", LOG_ERR(err));
		return RK_OK;
	}
	member = calloc(1, sizeof(*member));
	if (member == NULL)
		rk_out_of_memory(sizeof(*member));
	member->hub = hub;
	member->worker = worker;
	relay_data_set(worker, member);
	event_assign(
	    &member->readable, hub->base, fd, EV_READ | EV_PERSIST, member_readable, member);
	event_assign(
	    &member->writable, hub->base, fd, EV_WRITE | EV_PERSIST, member_writable, member);
	if (event_add(&member->readable, NULL) < 0)
		rk_bug("hub: watching a worker");
	return RK_OK;
}

static void
spawner_close(struct spawner *s)
{
	event_del(&s->readable);
	close(s->fd);
	s->fd = -1;
}

static void
spawner_readable(evutil_socket_t fd, short what, void *arg)
{
	static struct msg_in m;
	struct spawner *s = arg;
	struct rk_err err;

	(void)what;
	for (int i = 0; i < BURST; i++) {
		enum rk_status status = ipc_recv((int)fd, &m, &err);

		if (status == RK_AGAIN)
			return;
		if (status == RK_OK && m.type != HUB_JOIN) {
			msg_drop(&m);
			status = rk_fail_plain(&err, RK_CORRUPT, "message %u", (unsigned)m.type);
		}
		if (status == RK_OK)
			status = worker_join(s->hub, &m, &err);
		if (status != RK_OK) {
			if (status != RK_CLOSED)
				log_ev(RK_LOG_ERROR, "hub.spawner", LOG_ERR(&err));
			spawner_close(s);
			return;
		}
	}
}

static enum rk_status
link_take(struct hub *hub, struct msg_in *m, struct rk_err *err)
{
	struct link_info info;
	struct spawner *s = NULL;
	enum rk_status status;
	int fd;

	get_link_info(m, &info);
	fd = msg_get_fd(m);
	status = msg_end(m, err);
	for (size_t i = 0; i < SPAWNERS_MAX && s == NULL; i++) {
		if (hub->spawners[i].fd < 0)
			s = &hub->spawners[i];
	}
	if (status == RK_OK && (strcmp(info.peer, "spawner") != 0 || s == NULL))
		status = rk_fail_plain(err, RK_INVALID, "a link to %s", info.peer);
	if (status == RK_OK)
		status = ipc_nonblock(fd, true, err);
	if (status != RK_OK) {
		if (fd >= 0)
			close(fd);
		return status;
	}
	s->hub = hub;
	s->fd = fd;
	event_assign(&s->readable, hub->base, fd, EV_READ | EV_PERSIST, spawner_readable, s);
	if (event_add(&s->readable, NULL) < 0)
		rk_bug("hub: watching the spawner");
	return RK_OK;
}

static void
stats_answer(const struct hub *hub, uint64_t id)
{
	struct relay_figures f;
	struct msg_out m;
	struct rk_err err;

	relay_figures(hub->relay, &f);
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "workers", f.workers },
		{ "watching", f.watching },
		{ "notices", f.notices },
		{ "relayed", f.relayed },
		{ "dropped", f.dropped },
	};
	const size_t n = sizeof(rows) / sizeof(rows[0]);

	for (size_t i = 0; i <= n; i++) {
		msg_begin(&m, i < n ? CTL_STATS_ROW : CTL_DONE, id);
		if (i < n) {
			msg_put_text(&m, rows[i].name);
			msg_put_u64(&m, rows[i].value);
		} else {
			msg_put_u32(&m, (uint32_t)n);
		}
		if (ipc_send(hub->service.control, &m, &err) != RK_OK)
			log_ev(RK_LOG_WARN, "hub.stats", LOG_ERR(&err));
	}
}

static void
master_gone(struct hub *hub)
{
	struct relay_figures figures;

	hub->orphan = true;
	event_del(&hub->control);
	relay_figures(hub->relay, &figures);
	if (figures.workers == 0)
		event_base_loopbreak(hub->base);
}

static void
control_message(struct hub *hub, struct msg_in *m)
{
	struct rk_err err;

	if (service_pong(&hub->service, m)) {
		msg_drop(m);
		return;
	}
	switch (m->type) {
	case CTL_LINK:
		if (link_take(hub, m, &err) != RK_OK)
			log_ev(RK_LOG_ERROR, "hub.link", LOG_ERR(&err));
		return;
	case CTL_DRAIN:
		/* Drained when nobody is left to talk to: nothing here is worth waiting for. */
		event_base_loopbreak(hub->base);
		break;
	case CTL_STATS:
		stats_answer(hub, m->id);
		break;
	default:
		break;
	}
	msg_drop(m);
}

static void
control_readable(evutil_socket_t fd, short what, void *arg)
{
	static struct msg_in m;
	struct hub *hub = arg;
	struct rk_err err;

	(void)what;
	switch (ipc_recv((int)fd, &m, &err)) {
	case RK_OK:
		control_message(hub, &m);
		break;
	case RK_AGAIN:
		break;
	default:
		master_gone(hub);
		break;
	}
}

static enum rk_status
lock_down(const struct conf *conf, uint32_t max_workers, struct rk_err *err)
{
	struct profile profile = hub_profile;
	struct buf path = BUF_INIT;
	struct lockdown how = {
		.mode = strcmp(conf_str(conf, NULL, "sandbox"), "required") == 0
		            ? SANDBOX_REQUIRED
		            : SANDBOX_BEST_EFFORT,
	};
	enum rk_status status;

	profile.limit_nofile = max_workers + DESCRIPTORS_OWN;
	buf_addf(&path, "%s/empty", conf_str(conf, NULL, "run_dir"));
	how.empty_dir = path.data;
	status = service_account(conf_str(conf, NULL, "hub.user"), &how.uid, &how.gid, err);
	if (status == RK_OK)
		status = service_lock_down(&profile, &how, err);
	buf_clear(&path);
	return status;
}

static enum rk_status
start(struct hub *hub, const struct conf *conf, struct rk_err *err)
{
	uint32_t max_workers = (uint32_t)conf_int(conf, NULL, "imapd.max_workers");
	enum rk_log_level level;
	enum rk_status status;

	if (log_level_parse(conf_str(conf, NULL, "log.level"), &level))
		log_init(SERVICE_FD_LOG, "hub", level);
	for (size_t i = 0; i < SPAWNERS_MAX; i++)
		hub->spawners[i].fd = -1;
	hub->relay = relay_new(max_workers, writable_watch, hub);
	hub->base = event_base_new();
	if (hub->base == NULL)
		return rk_fail_plain(err, RK_TEMP, "libevent has no event loop");
	event_assign(&hub->control, hub->base, hub->service.control, EV_READ | EV_PERSIST,
	    control_readable, hub);
	if (event_add(&hub->control, NULL) < 0)
		return rk_fail_plain(err, RK_TEMP, "watching the control socket");
	status = lock_down(conf, max_workers, err);
	if (status == RK_OK)
		status = service_ready(&hub->service, err);
	return status;
}

int
main(int argc, char *argv[])
{
	static struct hub hub;
	struct conf *conf = NULL;
	struct rk_err err;
	enum rk_status status;

	if (service_init(&hub.service, "hub", argc, argv, &err) != RK_OK)
		return 1;
	status = conf_from_fd(hub.service.conf_fd, &conf, &err);
	if (status == RK_OK)
		status = start(&hub, conf, &err);
	conf_free(conf);
	if (status != RK_OK) {
		log_ev(RK_LOG_ERROR, "hub.start", LOG_ERR(&err));
		return 1;
	}
	event_base_dispatch(hub.base);
	/* The members go with the process. */
	return 0;
}
