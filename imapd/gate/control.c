#include "imapd/gate/gate.h"

#include <unistd.h>

#include "lib/base/log.h"

static void
control_send(struct gate *g, const struct msg_out *m)
{
	struct rk_err err;

	if (ipc_send(g->service->control, m, &err) != RK_OK)
		log_ev(RK_LOG_WARN, "gate.control", LOG_ERR(&err));
}

static void
link_take(struct gate *g, struct msg_in *m)
{
	struct link_info info;
	struct rk_err err;
	int fd;

	get_link_info(m, &info);
	fd = msg_get_fd(m);
	if (msg_end(m, &err) == RK_OK) {
		links_add(g, &info, fd);
		return;
	}
	log_ev(RK_LOG_ERROR, "gate.bad_message", LOG_ERR(&err));
	if (fd >= 0)
		close(fd);
}

static void
stats_answer(struct gate *g, uint64_t id)
{
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "connections", g->live },
		{ "relays", g->stats.relays },
		{ "logins_ok", g->stats.logins_ok },
		{ "logins_failed", g->stats.logins_failed },
		{ "refused", g->stats.refused },
	};
	struct msg_out m;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		msg_begin(&m, CTL_STATS_ROW, id);
		msg_put_text(&m, rows[i].name);
		msg_put_u64(&m, rows[i].value);
		control_send(g, &m);
	}
	msg_begin(&m, CTL_DONE, id);
	msg_put_u32(&m, sizeof(rows) / sizeof(rows[0]));
	control_send(g, &m);
}

static void
control_message(struct gate *g, struct msg_in *m)
{
	if (service_pong(g->service, m))
		return;
	switch (m->type) {
	case CTL_LINK:
		link_take(g, m);
		break;
	case CTL_DRAIN:
		gate_drain(g);
		break;
	case CTL_STATS:
		stats_answer(g, m->id);
		break;
	default:
		log_ev(RK_LOG_ERROR, "gate.bad_message", LOG_U("type", m->type));
		break;
	}
}

static void
on_control(evutil_socket_t fd, short what, void *arg)
{
	struct gate *g = arg;

	(void)what;
	for (;;) {
		struct rk_err err;
		struct msg_in m;
		enum rk_status status = ipc_recv(fd, &m, &err);

		if (status == RK_AGAIN)
			return;
		if (status != RK_OK) {
			log_ev(RK_LOG_WARN, "gate.master_lost", LOG_ERR(&err));
			event_del(&g->control);
			gate_drain(g);
			return;
		}
		control_message(g, &m);
		msg_drop(&m);
	}
}

void
control_watch(struct gate *g)
{
	event_assign(
	    &g->control, g->base, g->service->control, EV_READ | EV_PERSIST, on_control, g);
	event_add(&g->control, NULL);
}
