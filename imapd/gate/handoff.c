#include "imapd/gate/conn.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/log.h"

static void
handoff_fill(struct conn *c, struct handoff *h)
{
	*h = (struct handoff){
		.ticket = c->ticket,
		.reply = c->pre->reply,
		.tls = c->tls != NULL,
		.bad_commands = c->pre->bad_commands,
	};
	memcpy(h->sid, c->sid, sizeof(h->sid));
	memcpy(h->tag, c->pre->tag, sizeof(h->tag));
	addr_endpoint(&c->remote, &h->remote);
	addr_endpoint(&c->local, &h->local);
}

static bool
handoff_send(struct conn *c, struct link *link, int fd)
{
	struct handoff h;
	struct msg_out m;
	bool sent;

	handoff_fill(c, &h);
	msg_begin(&m, HANDOFF, conn_request(c));
	put_handoff(&m, &h);
	msg_put_fd(&m, fd);
	sent = link_send(link, &m);
	explicit_bzero(m.bytes, m.len);
	explicit_bzero(&h.ticket, sizeof(h.ticket));
	explicit_bzero(&c->ticket, sizeof(c->ticket));
	return sent;
}

/* The worker's end of a relay; the gate's stays in c->relay. */
static int
relay_pair(struct conn *c)
{
	struct rk_err err;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		rk_fail(&err, RK_TEMP, "socketpair");
		log_ev(RK_LOG_ERROR, "gate.relay", LOG_ERR(&err));
		return -1;
	}
	c->relay = relay_new(c, pair[0]);
	return pair[1];
}

static void
handoff_refused(struct conn *c, enum rk_status why)
{
	enum preauth_action action = preauth_handoff_failed(c->pre, why);

	relay_free(c->relay);
	c->relay = NULL;
	c->link = NULL;
	c->request = 0;
	c->user[0] = '\0';
	if (c->state == CONN_TALK)
		conn_action(c, action);
	else
		conn_resume(c, action);
}

void
handoff_start(struct conn *c)
{
	struct link *link = links_newest(c->gate, "spawner");
	int fd = c->tls != NULL ? relay_pair(c) : c->fd;
	bool sent = link != NULL && fd >= 0 && handoff_send(c, link, fd);

	if (c->tls != NULL && fd >= 0)
		close(fd);
	if (!sent) {
		log_ev(RK_LOG_WARN, "gate.no_spawner", LOG_S("user", c->user));
		handoff_refused(c, RK_TEMP);
		return;
	}
	c->link = link;
	conn_enter(c, CONN_HANDOFF);
	conn_want(c, 0);
}

static void
handoff_done(struct conn *c)
{
	c->link = NULL;
	c->gate->stats.logins_ok++;
	log_ev(RK_LOG_INFO, "gate.login", LOG_S("user", c->user),
	    LOG_S("mechanism", c->pre->mechanism),
	    LOG_S("protocol", c->tls != NULL ? tls_protocol(c->tls) : ""));
	limits_release(c->gate->limits, &c->hold);
	if (c->tls != NULL) {
		relay_start(c);
		return;
	}
	close(c->fd);
	c->fd = -1;
	conn_end(c, "login");
}

void
handoff_message(struct conn *c, struct msg_in *m)
{
	struct rk_err err = { .status = RK_OK };
	uint32_t why = RK_TEMP;

	if (m->type == HANDOFF_OK && msg_end(m, &err) == RK_OK) {
		handoff_done(c);
		return;
	}
	if (m->type == HANDOFF_FAIL) {
		why = msg_get_u32(m);
		if (msg_end(m, &err) != RK_OK)
			why = RK_TEMP;
	} else {
		log_ev(RK_LOG_ERROR, "gate.bad_message", LOG_U("type", m->type), LOG_ERR(&err));
	}
	log_ev(RK_LOG_INFO, "gate.handoff_refused", LOG_S("user", c->user),
	    LOG_S("reason", rk_status_name((enum rk_status)why)));
	handoff_refused(c, (enum rk_status)why);
}

/* Nobody knows whether a worker has the client's socket already: the answer is the last one, so
 * that two never write to it. */
void
handoff_unavailable(struct conn *c)
{
	(void)preauth_handoff_failed(c->pre, RK_TEMP);
	conn_bye(c, "[UNAVAILABLE] Please try again");
}
