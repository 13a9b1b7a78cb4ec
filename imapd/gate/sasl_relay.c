#include "imapd/gate/conn.h"

#include <string.h>

#include "lib/base/log.h"

/* Channel bindings are bytes of the TLS session that the client sees too; authd compares. */
struct bindings {
	unsigned char exporter[32];
	unsigned char unique[64];
	size_t nexporter;
	size_t nunique;
};

static void
bindings_read(struct conn *c, struct bindings *b)
{
	struct rk_err err;

	b->nexporter = 0;
	b->nunique = 0;
	if (c->tls == NULL)
		return;
	if (tls_exporter(c->tls, b->exporter, &err) == RK_OK)
		b->nexporter = sizeof(b->exporter);
	tls_unique(c->tls, b->unique, &b->nunique);
}

static bool
start_send(struct conn *c, struct link *link)
{
	struct auth_start start = { .tls = c->tls != NULL };
	struct bindings bindings;
	struct msg_out m;
	bool sent;

	bindings_read(c, &bindings);
	memcpy(start.sid, c->sid, sizeof(start.sid));
	memcpy(start.mechanism, c->pre->mechanism, sizeof(start.mechanism));
	start.has_initial = c->pre->has_data;
	start.initial = str_of(c->pre->data.data, c->pre->data.len);
	addr_endpoint(&c->remote, &start.remote);
	addr_endpoint(&c->local, &start.local);
	if (c->tls != NULL)
		tls_client_name(c->tls, start.cert_user, sizeof(start.cert_user));
	start.cb_exporter = str_of(bindings.exporter, bindings.nexporter);
	start.cb_unique = str_of(bindings.unique, bindings.nunique);
	msg_begin(&m, AUTH_START, conn_request(c));
	put_auth_start(&m, &start);
	sent = link_send(link, &m);
	explicit_bzero(m.bytes, m.len);
	return sent;
}

/* The request did not leave; the client still has the word. */
static void
not_sent(struct conn *c)
{
	c->link = NULL;
	conn_action(c, preauth_rejected(c->pre, AUTH_UNAVAILABLE));
}

void
sasl_start(struct conn *c)
{
	struct link *link = links_newest(c->gate, "authd");

	if (link == NULL || !start_send(c, link)) {
		log_ev(RK_LOG_WARN, "gate.no_authd", LOG_S("mechanism", c->pre->mechanism));
		not_sent(c);
		return;
	}
	c->link = link;
	buf_wipe(&c->pre->data);
	conn_enter(c, CONN_AUTH);
	conn_want(c, 0);
}

void
sasl_response(struct conn *c)
{
	struct msg_out m;
	bool sent;

	if (c->link == NULL) { /* authd ended in the middle of the exchange */
		not_sent(c);
		return;
	}
	msg_begin(&m, AUTH_CONTINUE, c->request);
	msg_put_bytes(&m, c->pre->data.data, c->pre->data.len);
	sent = link_send(c->link, &m);
	explicit_bzero(m.bytes, m.len);
	buf_wipe(&c->pre->data);
	if (!sent) {
		sasl_cancel(c);
		not_sent(c);
		return;
	}
	conn_enter(c, CONN_AUTH);
	conn_want(c, 0);
}

void
sasl_cancel(struct conn *c)
{
	if (c->link != NULL)
		link_cancel(c->link, c->request);
	c->link = NULL;
}

static void
challenge_take(struct conn *c, struct msg_in *m)
{
	struct str data = msg_get_str(m, AUTH_DATA_MAX);
	struct rk_err err;

	if (msg_end(m, &err) != RK_OK) {
		log_ev(RK_LOG_ERROR, "gate.bad_message", LOG_ERR(&err));
		sasl_unavailable(c);
		return;
	}
	preauth_challenge(c->pre, data);
	conn_resume(c, PREAUTH_MORE);
}

static void
ok_take(struct conn *c, struct msg_in *m)
{
	struct auth_ok ok;
	struct rk_err err;

	get_auth_ok(m, &ok);
	c->link = NULL;
	if (msg_end(m, &err) != RK_OK) {
		log_ev(RK_LOG_ERROR, "gate.bad_message", LOG_ERR(&err));
		sasl_unavailable(c);
		return;
	}
	c->ticket = ok.ticket;
	memcpy(c->user, ok.user, sizeof(c->user));
	if (ok.has_final) {
		preauth_final(c->pre, ok.final);
		conn_resume(c, PREAUTH_MORE);
	} else {
		handoff_start(c);
	}
	explicit_bzero(&ok.ticket, sizeof(ok.ticket));
}

static void
fail_take(struct conn *c, struct msg_in *m)
{
	static const char *const reasons[] = { "rejected", "unavailable", "malformed",
		"no mechanism", "needs tls" };
	struct auth_fail fail;
	struct rk_err err;

	get_auth_fail(m, &fail);
	c->link = NULL;
	if (msg_end(m, &err) != RK_OK) {
		log_ev(RK_LOG_ERROR, "gate.bad_message", LOG_ERR(&err));
		sasl_unavailable(c);
		return;
	}
	c->gate->stats.logins_failed++;
	log_ev(RK_LOG_INFO, "gate.login_failed", LOG_S("mechanism", c->pre->mechanism),
	    LOG_S("reason", reasons[fail.reason]));
	conn_resume(c, preauth_rejected(c->pre, fail.reason));
}

void
sasl_message(struct conn *c, struct msg_in *m)
{
	switch (m->type) {
	case AUTH_CHALLENGE:
		challenge_take(c, m);
		break;
	case AUTH_OK:
		ok_take(c, m);
		break;
	case AUTH_FAIL:
		fail_take(c, m);
		break;
	default:
		log_ev(RK_LOG_ERROR, "gate.bad_message", LOG_U("type", m->type));
		break;
	}
}

/* authd was lost, or talks nonsense, while the client waits. In the middle of the client's own turn
 * nothing is said: its next line finds no link. */
void
sasl_unavailable(struct conn *c)
{
	c->link = NULL;
	c->request = 0;
	conn_resume(c, preauth_rejected(c->pre, AUTH_UNAVAILABLE));
}
