#include "auth/control.h"

#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/request.h"
#include "lib/base/log.h"

#define TICK_MS 250
#define DRAIN_MS 90000 /* longest life of a request, and of a ticket after it */

struct control {
	struct authd *authd;
	const struct service *service;
	struct event *readable, *tick;
	bool draining, failed;
	int64_t drain_end;
};

static struct msg_in in;
static struct msg_out out;

static void
drain_begin(struct control *c, const char *reason)
{
	if (c->draining)
		return;
	c->draining = true;
	c->drain_end = rk_clock_ms() + DRAIN_MS;
	log_ev(RK_LOG_INFO, "auth.drain", LOG_S("reason", reason),
	    LOG_U("requests", requests_count(c->authd->requests)));
}

static void
answer(struct control *c)
{
	struct rk_err err;

	if (ipc_send(c->service->control, &out, &err) != RK_OK)
		log_ev(RK_LOG_WARN, "auth.control", LOG_ERR(&err));
}

static void
link_new(struct control *c, struct msg_in *m)
{
	struct link_info info;
	struct rk_err err;
	int fd;

	get_link_info(m, &info);
	fd = msg_get_fd(m);
	if (msg_end(m, &err) != RK_OK) {
		if (fd >= 0)
			close(fd);
		log_ev(RK_LOG_WARN, "auth.control", LOG_ERR(&err));
	} else if (link_add(c->authd, &info, fd, &err) != RK_OK) {
		log_ev(RK_LOG_WARN, "auth.link", LOG_ERR(&err));
	} else {
		log_ev(RK_LOG_DEBUG, "auth.link", LOG_S("peer", info.peer),
		    LOG_U("generation", info.generation));
	}
}

static void
stats_send(struct control *c, uint64_t id)
{
	struct authd *a = c->authd;
	struct hash_stats hash;

	hash_pool_stats(a->pool, &hash);
	struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "accepted", a->stats.accepted },
		{ "rejected", a->stats.rejected },
		{ "malformed", a->stats.malformed },
		{ "unavailable", a->stats.unavailable },
		{ "tickets_redeemed", a->stats.redeemed },
		{ "tickets_refused", a->stats.refused },
		{ "tickets_waiting", mint_waiting(a->mint, rk_clock_ms()) },
		{ "requests", requests_count(a->requests) },
		{ "penalties", penalty_count(a->penalty) },
		{ "hash_processes", hash.children },
		{ "hash_queued", hash.queued },
		{ "hash_jobs", hash.jobs },
		{ "hash_lost", hash.lost },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		msg_begin(&out, CTL_STATS_ROW, id);
		msg_put_text(&out, rows[i].name);
		msg_put_u64(&out, rows[i].value);
		answer(c);
	}
	msg_begin(&out, CTL_DONE, id);
	msg_put_u32(&out, sizeof(rows) / sizeof(rows[0]));
	answer(c);
}

static void
message_handle(struct control *c, struct msg_in *m)
{
	if (service_pong(c->service, m))
		return;
	switch (m->type) {
	case CTL_LINK:
		link_new(c, m);
		break;
	case CTL_DRAIN:
		drain_begin(c, "drain");
		break;
	case CTL_STATS:
		stats_send(c, m->id);
		break;
	default:
		log_ev(RK_LOG_WARN, "auth.control", LOG_U("type", m->type));
		break;
	}
}

static void
control_readable(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	struct rk_err err;

	(void)what;
	for (;;) {
		switch (ipc_recv((int)fd, &in, &err)) {
		case RK_OK:
			message_handle(c, &in);
			msg_drop(&in);
			break;
		case RK_AGAIN:
			return;
		default:
			/* The master is gone: finish and follow. */
			event_del(c->readable);
			drain_begin(c, "master");
			return;
		}
	}
}

static void
tick_due(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	struct authd *a = c->authd;
	int64_t now = rk_clock_ms();

	(void)fd;
	(void)what;
	if (hash_pool_broken(a->pool)) {
		c->failed = true;
		event_base_loopbreak(a->base);
		return;
	}
	if (!c->draining)
		return;
	if ((requests_count(a->requests) == 0 && mint_waiting(a->mint, now) == 0) ||
	    now >= c->drain_end)
		event_base_loopbreak(a->base);
}

enum rk_status
control_new(struct authd *a, const struct service *service, struct control **out_control,
    struct rk_err *err)
{
	struct timeval every = { .tv_usec = TICK_MS * 1000 };
	struct control *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return rk_fail(err, RK_TEMP, "control");
	c->authd = a;
	c->service = service;
	c->readable =
	    event_new(a->base, service->control, EV_READ | EV_PERSIST, control_readable, c);
	c->tick = event_new(a->base, -1, EV_PERSIST, tick_due, c);
	if (c->readable == NULL || c->tick == NULL || event_add(c->readable, NULL) < 0 ||
	    event_add(c->tick, &every) < 0) {
		control_free(c);
		return rk_fail_plain(err, RK_TEMP, "the events of control");
	}
	*out_control = c;
	return RK_OK;
}

void
control_free(struct control *c)
{
	if (c == NULL)
		return;
	if (c->readable != NULL)
		event_free(c->readable);
	if (c->tick != NULL)
		event_free(c->tick);
	free(c);
}

bool
control_failed(const struct control *c)
{
	return c->failed;
}
