#include "imapd/gate/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "imapd/gate/proxy_protocol.h"
#include "lib/base/bug.h"
#include "lib/base/log.h"

#define CHUNK 4096
#define PROXY_MS 5000
#define FLUSH_MS 5000
#define LINGER_MS 2000
#define LINGER_BYTES 65536
#define DRAIN_BYTES 65536 /* thrown away before a handshake; more is an attack */

static const char *const state_names[CONN_STATES] = { "new", "proxy", "handshake", "talk",
	"starttls", "auth", "handoff", "relay", "flush", "linger", "dead" };

#define TO(state) (1u << (state))
#define TO_END (TO(CONN_FLUSH) | TO(CONN_DEAD))

/* clang-format off */
static const unsigned edges[CONN_STATES] = {
	[CONN_NEW]       = TO(CONN_PROXY) | TO(CONN_HANDSHAKE) | TO(CONN_TALK) | TO_END,
	[CONN_PROXY]     = TO(CONN_HANDSHAKE) | TO(CONN_TALK) | TO_END,
	[CONN_HANDSHAKE] = TO(CONN_TALK) | TO_END,
	[CONN_TALK]      = TO(CONN_STARTTLS) | TO(CONN_AUTH) | TO(CONN_HANDOFF) | TO_END,
	[CONN_STARTTLS]  = TO(CONN_HANDSHAKE) | TO_END,
	[CONN_AUTH]      = TO(CONN_TALK) | TO(CONN_HANDOFF) | TO_END,
	[CONN_HANDOFF]   = TO(CONN_TALK) | TO(CONN_RELAY) | TO_END,
	[CONN_RELAY]     = TO(CONN_LINGER) | TO(CONN_DEAD),
	[CONN_FLUSH]     = TO(CONN_LINGER) | TO(CONN_DEAD),
	[CONN_LINGER]    = TO(CONN_DEAD),
};
/* clang-format on */

void
conn_enter(struct conn *c, enum conn_state state)
{
	if ((edges[c->state] & TO(state)) == 0)
		rk_bug("connection: %s to %s", state_names[c->state], state_names[state]);
	log_ev(RK_LOG_DEBUG, "gate.state", LOG_S("from", state_names[c->state]),
	    LOG_S("to", state_names[state]));
	c->state = state;
}

void
conn_context(const struct conn *c)
{
	struct endpoint remote;

	if (c == NULL) {
		log_set_session(NULL);
		log_set_remote(NULL);
		return;
	}
	addr_endpoint(&c->remote, &remote);
	log_set_session(c->sid);
	log_set_remote(remote.address);
}

static void
on_io(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd, (void)what;
	conn_context(c);
	conn_run(c);
	conn_context(NULL);
}

void
conn_want(struct conn *c, short events)
{
	if (c->wanted == events)
		return;
	event_del(&c->io);
	c->wanted = events;
	if (events == 0)
		return;
	event_assign(&c->io, c->gate->base, c->fd, (short)(events | EV_PERSIST), on_io, c);
	event_add(&c->io, NULL);
}

void
conn_deadline(struct conn *c, int64_t deadline_ms)
{
	int64_t left = deadline_ms - rk_clock_ms();
	struct timeval tv;

	if (left < 0)
		left = 0;
	tv.tv_sec = left / 1000;
	tv.tv_usec = left % 1000 * 1000;
	event_add(&c->timer, &tv);
}

uint64_t
conn_request(struct conn *c)
{
	c->request = (uint64_t)++c->gate->serial << 32 | c->slot;
	return c->request;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd, (void)what;
	conn_context(c);
	switch (c->state) {
	case CONN_TALK:
	case CONN_AUTH:
	case CONN_HANDOFF:
		conn_bye(c, "No login in time");
		break;
	default:
		conn_end(c, "timeout");
		break;
	}
	conn_context(NULL);
}

/* --- the end --- */

static void
wait_forget(struct conn *c)
{
	if (c->link != NULL && c->state != CONN_HANDOFF)
		link_cancel(c->link, c->request);
	c->link = NULL;
	c->request = 0;
}

void
conn_end(struct conn *c, const char *reason)
{
	struct gate *g = c->gate;

	if (c->state == CONN_DEAD)
		return;
	wait_forget(c);
	/* Refusals are counted and said elsewhere, logins too: a flood must not fill the log. */
	log_ev(c->state == CONN_NEW || c->fd < 0 ? RK_LOG_DEBUG : RK_LOG_INFO, "gate.closed",
	    LOG_S("reason", reason), LOG_S("state", state_names[c->state]), LOG_S("user", c->user));
	conn_enter(c, CONN_DEAD);
	g->live--;
	event_del(&c->timer);
	event_del(&c->io);
	limits_release(g->limits, &c->hold);
	relay_free(c->relay);
	c->relay = NULL;
	tls_conn_free(c->tls);
	c->tls = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	/* Somebody further up the stack may still look at it. */
	c->next_dead = g->dead;
	g->dead = c;
	event_active(&g->reaper, EV_TIMEOUT, 0);
}

void
conn_linger(struct conn *c)
{
	if (c->tls != NULL)
		tls_shutdown(c->tls);
	shutdown(c->fd, SHUT_WR);
	conn_enter(c, CONN_LINGER);
	conn_deadline(c, rk_clock_ms() + LINGER_MS);
	conn_want(c, EV_READ);
}

static void
linger_run(struct conn *c)
{
	char bytes[CHUNK];
	ssize_t got;

	for (size_t total = 0; total < LINGER_BYTES; total += (size_t)got) {
		got = recv(c->fd, bytes, sizeof(bytes), 0);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0)
			break;
	}
	conn_end(c, "closed");
}

void
conn_bye(struct conn *c, const char *text)
{
	if (c->state >= CONN_FLUSH)
		return;
	if (c->pre == NULL || c->state == CONN_HANDSHAKE || c->state == CONN_STARTTLS) {
		conn_end(c, text);
		return;
	}
	if (!c->pre->closing)
		preauth_bye(c->pre, text);
	wait_forget(c);
	/* The hold stays until the end: one who lingers still counts for its address. */
	conn_enter(c, CONN_FLUSH);
	conn_deadline(c, rk_clock_ms() + FLUSH_MS);
	conn_run(c);
}

/* --- bytes out --- */

enum flushed { FLUSH_DONE, FLUSH_WAIT, FLUSH_LOST };

static enum flushed
flush_tls(struct conn *c, struct buf *out)
{
	while (out->len > 0) {
		struct rk_err err;
		size_t put;

		switch (tls_write(c->tls, out->data, out->len, &put, &err)) {
		case TLS_DONE:
			buf_drop(out, put);
			break;
		case TLS_WANT_READ:
			conn_want(c, EV_READ);
			return FLUSH_WAIT;
		case TLS_WANT_WRITE:
			conn_want(c, EV_WRITE);
			return FLUSH_WAIT;
		default:
			return FLUSH_LOST;
		}
	}
	return FLUSH_DONE;
}

static enum flushed
flush_clear(struct conn *c, struct buf *out)
{
	while (out->len > 0) {
		ssize_t sent = send(c->fd, out->data, out->len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent > 0) {
			buf_drop(out, (size_t)sent);
		} else if (sent < 0 && errno == EAGAIN) {
			conn_want(c, EV_WRITE);
			return FLUSH_WAIT;
		} else if (sent < 0 && errno != EINTR) {
			return FLUSH_LOST;
		}
	}
	return FLUSH_DONE;
}

/* False: it waits, or the connection has ended. */
static bool
conn_flush(struct conn *c)
{
	struct buf *out = &c->pre->out;
	enum flushed done = c->tls != NULL ? flush_tls(c, out) : flush_clear(c, out);

	if (done == FLUSH_LOST)
		conn_end(c, "lost");
	return done == FLUSH_DONE;
}

/* --- the conversation --- */

static struct offer
offer_make(struct conn *c)
{
	enum plaintext_login rule = c->gate->settings.plaintext;
	bool loopback = !c->proxied && addr_is_loopback(&c->remote) && addr_is_loopback(&c->local);
	struct offer offer = {
		.tls = c->tls != NULL,
		.starttls = c->starttls,
		.plaintext = c->tls != NULL || rule == PLAINTEXT_ALWAYS ||
		             (rule == PLAINTEXT_LOOPBACK && loopback),
	};
	unsigned char binding[32];
	char name[USER_MAX + 1];
	struct rk_err err;

	if (c->tls != NULL) {
		offer.binding = tls_exporter(c->tls, binding, &err) == RK_OK;
		tls_client_name(c->tls, name, sizeof(name));
		offer.cert = name[0] != '\0';
	}
	return offer;
}

static void
talk_start(struct conn *c)
{
	struct offer offer = offer_make(c);

	if (c->pre != NULL) {
		preauth_secured(c->pre, &offer);
	} else {
		c->pre = preauth_new(&c->gate->settings, &offer);
		preauth_greet(c->pre);
	}
	conn_enter(c, CONN_TALK);
	conn_deadline(c, c->login_deadline);
	conn_run(c);
}

static void
handshake_start(struct conn *c)
{
	int64_t deadline = rk_clock_ms() + c->gate->settings.limit.handshake_ms;
	struct rk_err err;

	conn_enter(c, CONN_HANDSHAKE);
	conn_deadline(c, deadline < c->login_deadline ? deadline : c->login_deadline);
	if (tls_accept(c->gate->tls, c->fd, &c->tls, &err) != RK_OK) {
		log_ev(RK_LOG_ERROR, "gate.tls", LOG_ERR(&err));
		conn_end(c, "tls");
		return;
	}
	conn_want(c, EV_READ);
}

static void
handshake_run(struct conn *c)
{
	struct rk_err err;

	switch (tls_handshake(c->tls, &err)) {
	case TLS_DONE:
		log_ev(RK_LOG_DEBUG, "gate.tls", LOG_S("protocol", tls_protocol(c->tls)),
		    LOG_S("cipher", tls_cipher(c->tls)), LOG_S("host", tls_server_name(c->tls)));
		talk_start(c);
		break;
	case TLS_WANT_READ:
		conn_want(c, EV_READ);
		break;
	case TLS_WANT_WRITE:
		conn_want(c, EV_WRITE);
		break;
	case TLS_EOF:
		conn_end(c, "closed");
		break;
	default:
		log_ev(RK_LOG_INFO, "gate.tls", LOG_ERR(&err));
		conn_end(c, "tls");
		break;
	}
}

/* What the client pipelined behind STARTTLS came in clear and may be anybody's: thrown away, so
 * that it is read neither as commands nor as a handshake. */
static bool
pipelined_discard(struct conn *c)
{
	char bytes[CHUNK];
	size_t total = 0;

	for (;;) {
		ssize_t got = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			break;
		if (got <= 0)
			return false;
		total += (size_t)got;
		if (total > DRAIN_BYTES)
			return false;
	}
	if (total > 0)
		log_ev(RK_LOG_WARN, "gate.starttls_discarded", LOG_U("bytes", total));
	return true;
}

/* Discarded before the OK goes out: an honest client sends its ClientHello only after it. */
static void
starttls_begin(struct conn *c)
{
	conn_enter(c, CONN_STARTTLS);
	if (!pipelined_discard(c)) {
		conn_end(c, "closed");
		return;
	}
	conn_run(c);
}

void
conn_action(struct conn *c, enum preauth_action action)
{
	switch (action) {
	case PREAUTH_MORE:
		break;
	case PREAUTH_STARTTLS:
		starttls_begin(c);
		break;
	case PREAUTH_AUTH:
		sasl_start(c);
		break;
	case PREAUTH_RESPONSE:
		sasl_response(c);
		break;
	case PREAUTH_CANCEL:
		sasl_cancel(c);
		if (c->pre->closing)
			conn_bye(c, "");
		break;
	case PREAUTH_HANDOFF:
		handoff_start(c);
		break;
	case PREAUTH_CLOSE:
		conn_bye(c, "");
		break;
	case PREAUTH_DROP:
		conn_end(c, "http");
		break;
	}
}

void
conn_resume(struct conn *c, enum preauth_action action)
{
	conn_enter(c, CONN_TALK);
	conn_action(c, action);
	if (c->state != CONN_TALK)
		return;
	if (c->gate->drain_over)
		conn_bye(c, "Server is restarting");
	else
		conn_run(c);
}

/* Peeks, and takes exactly what was used. */
static bool
clear_read(struct conn *c)
{
	char bytes[CHUNK];
	enum preauth_action action;
	ssize_t got;
	size_t used;

	got = recv(c->fd, bytes, sizeof(bytes), MSG_PEEK);
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		conn_want(c, EV_READ);
		return false;
	}
	if (got <= 0) {
		conn_end(c, got == 0 ? "closed" : "lost");
		return false;
	}
	action = preauth_feed(c->pre, bytes, (size_t)got, &used);
	got = recv(c->fd, bytes, used, 0);
	explicit_bzero(bytes, sizeof(bytes));
	if (got < 0 || (size_t)got != used) {
		conn_end(c, "lost");
		return false;
	}
	conn_action(c, action);
	return true;
}

/* Decrypts a piece if none is left over. */
static bool
tls_fill(struct conn *c)
{
	char bytes[CHUNK];
	struct rk_err err;
	size_t got;

	if (c->in.len > 0)
		return true;
	switch (tls_read(c->tls, bytes, sizeof(bytes), &got, &err)) {
	case TLS_DONE:
		buf_wipe(&c->in);
		buf_add(&c->in, bytes, got);
		explicit_bzero(bytes, got);
		return true;
	case TLS_WANT_READ:
		conn_want(c, EV_READ);
		return false;
	case TLS_WANT_WRITE:
		conn_want(c, EV_WRITE);
		return false;
	case TLS_EOF:
		conn_end(c, "closed");
		return false;
	default:
		conn_end(c, "lost");
		return false;
	}
}

static bool
secure_read(struct conn *c)
{
	enum preauth_action action;
	size_t used;

	if (!tls_fill(c))
		return false;
	action = preauth_feed(c->pre, c->in.data, c->in.len, &used);
	buf_drop(&c->in, used);
	conn_action(c, action);
	return true;
}

static void
talk_run(struct conn *c)
{
	/* Each turn takes input, which limit.bytes bounds. */
	while (c->state == CONN_TALK && conn_flush(c)) {
		if (!(c->tls != NULL ? secure_read(c) : clear_read(c)))
			return;
	}
}

/* --- the beginning --- */

static void
first_state(struct conn *c)
{
	if (c->implicit_tls)
		handshake_start(c);
	else
		talk_start(c);
}

static void
share_refused(struct conn *c, enum limits_answer why)
{
	static const char line[] = "* BYE [LIMIT] Too many connections from your address\r\n";

	gate_refused(c->gate, &c->remote, why == LIMITS_NETWORK ? "network" : "address");
	if (!c->implicit_tls)
		(void)send(c->fd, line, sizeof(line) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	conn_end(c, "limit");
}

static bool
share_take(struct conn *c)
{
	enum limits_answer got = limits_take(c->gate->limits, &c->remote, &c->hold);

	if (got == LIMITS_OK)
		return true;
	share_refused(c, got);
	return false;
}

static void
proxy_done(struct conn *c, const struct proxy_header *header)
{
	buf_clear(&c->in);
	c->proxied = true;
	if (!header->local) {
		c->remote = header->remote;
		c->local = header->dest;
	}
	conn_context(c);
	if (share_take(c))
		first_state(c);
}

/* The header is taken to the byte: what follows is the client's, perhaps a ClientHello. */
static void
proxy_run(struct conn *c)
{
	struct proxy_header header;
	char bytes[PROXY_MAX];
	size_t before = c->in.len, take;
	enum proxy_step step;
	ssize_t got;

	if (before >= sizeof(bytes)) {
		conn_end(c, "proxy");
		return;
	}
	got = recv(c->fd, bytes, sizeof(bytes) - before, MSG_PEEK);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		conn_end(c, "closed");
		return;
	}
	buf_add(&c->in, bytes, (size_t)got);
	step = proxy_parse(c->in.data, c->in.len, &header);
	take = step == PROXY_DONE ? header.len - before : (size_t)got;
	if (step == PROXY_BAD || recv(c->fd, bytes, take, 0) != (ssize_t)take) {
		log_ev(RK_LOG_WARN, "gate.proxy", LOG_S("reason", "malformed header"));
		conn_end(c, "proxy");
		return;
	}
	if (step == PROXY_DONE)
		proxy_done(c, &header);
}

void
conn_run(struct conn *c)
{
	switch (c->state) {
	case CONN_PROXY:
		proxy_run(c);
		break;
	case CONN_HANDSHAKE:
		handshake_run(c);
		break;
	case CONN_TALK:
		talk_run(c);
		break;
	case CONN_STARTTLS:
		if (conn_flush(c))
			handshake_start(c);
		break;
	case CONN_AUTH:
	case CONN_HANDOFF:
		if (conn_flush(c))
			conn_want(c, 0);
		break;
	case CONN_RELAY:
		relay_run(c);
		break;
	case CONN_FLUSH:
		if (conn_flush(c))
			conn_linger(c);
		break;
	case CONN_LINGER:
		linger_run(c);
		break;
	default:
		break;
	}
}

static struct conn *
conn_new(struct listener *listener, int fd, const struct addr *remote)
{
	struct gate *g = listener->gate;
	struct conn *c = calloc(1, sizeof(*c));
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (c == NULL)
		rk_out_of_memory(sizeof(*c));
	c->gate = g;
	c->fd = fd;
	c->remote = *remote;
	c->implicit_tls = listener->tls == LISTENER_IMPLICIT;
	c->starttls = listener->tls == LISTENER_STARTTLS && g->tls != NULL;
	c->login_deadline = rk_clock_ms() + g->settings.limit.login_ms;
	c->slot = g->free_slots[--g->nfree];
	g->slots[c->slot] = c;
	g->nconns++;
	g->live++;
	sid_make(c->sid);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		(void)addr_from_sockaddr(&c->local, (struct sockaddr *)&ss);
	event_assign(&c->io, g->base, fd, 0, on_io, c);
	evtimer_assign(&c->timer, g->base, on_timer, c);
	return c;
}

static void
socket_options(int fd)
{
	int one = 1;

	/* Answers are written whole, nothing is gained by waiting for more; a client that went
	 * away without a word is noticed in the end. Neither is worth a refusal. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
}

void
conn_accept(struct listener *listener, int fd, const struct addr *remote)
{
	struct conn *c = conn_new(listener, fd, remote);

	socket_options(fd);
	conn_context(c);
	if (!listener->proxy_protocol) {
		if (share_take(c))
			first_state(c);
	} else if (!settings_trust_proxy(&c->gate->settings, remote)) {
		gate_refused(c->gate, remote, "proxy");
		conn_end(c, "proxy");
	} else {
		conn_enter(c, CONN_PROXY);
		conn_deadline(c, rk_clock_ms() + PROXY_MS);
		conn_want(c, EV_READ);
	}
	conn_context(NULL);
}

/* --- all of them --- */

void
conn_drain_all(struct gate *g)
{
	for (size_t i = 0; i < g->nslots; i++) {
		struct conn *c = g->slots[i];

		if (c == NULL || c->state == CONN_RELAY || c->state == CONN_AUTH ||
		    c->state == CONN_HANDOFF)
			continue;
		conn_context(c);
		conn_bye(c, "Server is restarting");
	}
	conn_context(NULL);
}

void
conn_end_all(struct gate *g)
{
	for (size_t i = 0; i < g->nslots; i++) {
		if (g->slots[i] == NULL)
			continue;
		conn_context(g->slots[i]);
		conn_end(g->slots[i], "shutdown");
	}
	conn_context(NULL);
}

/* Answers carry the number of the request; one that nobody waits for any more is dropped. */
void
conn_message(struct gate *g, struct link *link, struct msg_in *m)
{
	uint32_t slot = (uint32_t)(m->id & UINT32_MAX);
	struct conn *c = slot < g->nslots ? g->slots[slot] : NULL;

	if (c != NULL && c->link == link && c->request == m->id) {
		conn_context(c);
		if (c->state == CONN_AUTH)
			sasl_message(c, m);
		else if (c->state == CONN_HANDOFF)
			handoff_message(c, m);
		conn_context(NULL);
	}
	msg_drop(m);
}

void
conn_link_lost(struct gate *g, const struct link *link)
{
	for (size_t i = 0; i < g->nslots; i++) {
		struct conn *c = g->slots[i];

		if (c == NULL || c->link != link)
			continue;
		conn_context(c);
		c->link = NULL;
		if (c->state == CONN_HANDOFF)
			handoff_unavailable(c);
		else if (c->state == CONN_AUTH)
			sasl_unavailable(c);
	}
	conn_context(NULL);
}
