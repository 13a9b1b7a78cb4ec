/*
 * A session under TLS: the worker writes and reads clear text on one end of a socket pair, the gate
 * has the other end and the client's TLS.
 *
 * Each direction holds at most one record that its taker could not take; while it does, the giver
 * is not read, so a client that doesn't read stops its worker and the other way round. In between
 * bytes go through a block that all relays of the process share, so that a quiet session costs no
 * buffers.
 */
#include "imapd/gate/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/bug.h"
#include "lib/base/log.h"

#define RELAY_BLOCK 16384 /* one TLS record */
#define TURNS 8           /* blocks per direction before others get theirs */
#define LAST_MS 60000     /* for a client to take the worker's last bytes */

struct relay {
	struct conn *c;
	int fd;
	struct event io;
	short wanted;
	short client_wants; /* what TLS asked for in this run */
	struct buf up;      /* to the worker */
	struct buf down;    /* to the client */
	bool client_eof;
	bool worker_eof;
	bool up_shut;
	bool counted;
	bool lost;
};

static char block[RELAY_BLOCK];

static void
on_worker(evutil_socket_t fd, short what, void *arg)
{
	struct relay *r = arg;

	(void)fd, (void)what;
	conn_context(r->c);
	relay_run(r->c);
	conn_context(NULL);
}

struct relay *
relay_new(struct conn *c, int fd)
{
	struct relay *r = calloc(1, sizeof(*r));

	if (r == NULL)
		rk_out_of_memory(sizeof(*r));
	r->c = c;
	r->fd = fd;
	event_assign(&r->io, c->gate->base, fd, 0, on_worker, r);
	return r;
}

void
relay_free(struct relay *r)
{
	if (r == NULL)
		return;
	if (r->counted)
		r->c->gate->stats.relays--;
	event_del(&r->io);
	close(r->fd);
	buf_wipe(&r->up);
	buf_wipe(&r->down);
	free(r);
}

static void
worker_want(struct relay *r, short events)
{
	if (r->wanted == events)
		return;
	event_del(&r->io);
	r->wanted = events;
	if (events == 0)
		return;
	event_assign(&r->io, r->c->gate->base, r->fd, (short)(events | EV_PERSIST), on_worker, r);
	event_add(&r->io, NULL);
}

/* Bytes taken; fewer than n: the worker is full or gone. */
static size_t
worker_write(struct relay *r, const char *bytes, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t sent = send(r->fd, bytes + done, n - done, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent > 0)
			done += (size_t)sent;
		else if (sent < 0 && errno == EAGAIN)
			break;
		else if (sent < 0 && errno == EINTR)
			continue;
		else
			return n; /* it reads no more; its last words are still to come */
	}
	return done;
}

static size_t
client_write(struct relay *r, const char *bytes, size_t n)
{
	size_t done = 0;

	while (done < n && !r->lost) {
		struct rk_err err;
		size_t put;

		switch (tls_write(r->c->tls, bytes + done, n - done, &put, &err)) {
		case TLS_DONE:
			done += put;
			break;
		case TLS_WANT_READ:
			r->client_wants |= EV_READ;
			return done;
		case TLS_WANT_WRITE:
			r->client_wants |= EV_WRITE;
			return done;
		default:
			r->lost = true;
			break;
		}
	}
	return done;
}

/* Sends what is left over; true when there is room for more. */
static bool
left_over(struct relay *r, struct buf *b, size_t (*put)(struct relay *, const char *, size_t))
{
	if (b->len > 0)
		buf_drop(b, put(r, b->data, b->len));
	if (b->len > 0)
		return false;
	buf_wipe(b);
	return true;
}

/* One block from the client to the worker; false: nothing moved. */
static bool
up_once(struct relay *r)
{
	struct rk_err err;
	size_t got, put;

	if (!left_over(r, &r->up, worker_write) || r->client_eof)
		return false;
	switch (tls_read(r->c->tls, block, sizeof(block), &got, &err)) {
	case TLS_DONE:
		put = worker_write(r, block, got);
		buf_add(&r->up, block + put, got - put);
		return true;
	case TLS_WANT_READ:
		r->client_wants |= EV_READ;
		return false;
	case TLS_WANT_WRITE:
		r->client_wants |= EV_WRITE;
		return false;
	case TLS_EOF:
		r->client_eof = true;
		return false;
	default:
		log_ev(RK_LOG_DEBUG, "gate.relay", LOG_ERR(&err));
		r->lost = true;
		return false;
	}
}

static bool
down_once(struct relay *r)
{
	ssize_t got;
	size_t put;

	if (!left_over(r, &r->down, client_write) || r->worker_eof)
		return false;
	got = recv(r->fd, block, sizeof(block), MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got <= 0) {
		r->worker_eof = true;
		conn_deadline(r->c, rk_clock_ms() + LAST_MS);
		return false;
	}
	put = client_write(r, block, (size_t)got);
	buf_add(&r->down, block + put, (size_t)got - put);
	return true;
}

static void
relay_arm(struct relay *r)
{
	short client = r->client_wants;
	short worker = 0;

	if (!r->client_eof && r->up.len == 0)
		client |= EV_READ;
	if (r->down.len > 0 && (client & EV_WRITE) == 0 && (r->client_wants & EV_READ) == 0)
		client |= EV_WRITE;
	if (!r->worker_eof && r->down.len == 0)
		worker |= EV_READ;
	if (r->up.len > 0)
		worker |= EV_WRITE;
	conn_want(r->c, client);
	worker_want(r, worker);
	/* Decrypted bytes that wait inside OpenSSL wake nobody. */
	if (r->up.len == 0 && !r->client_eof && tls_pending(r->c->tls) > 0)
		event_active(&r->c->io, EV_READ, 0);
}

void
relay_run(struct conn *c)
{
	struct relay *r = c->relay;
	bool up = true, down = true;

	r->client_wants = 0;
	for (int i = 0; i < TURNS && (up || down) && !r->lost; i++) {
		up = up_once(r);
		down = down_once(r);
	}
	if (r->lost) {
		conn_end(c, "lost");
		return;
	}
	if (r->client_eof && r->up.len == 0 && !r->up_shut) {
		r->up_shut = true;
		shutdown(r->fd, SHUT_WR);
	}
	if (r->worker_eof && r->down.len == 0) {
		worker_want(r, 0);
		relay_free(r);
		c->relay = NULL;
		conn_linger(c);
		return;
	}
	relay_arm(r);
}

/* What the client sent behind its login and was decrypted already goes first. */
void
relay_start(struct conn *c)
{
	struct relay *r = c->relay;

	conn_enter(c, CONN_RELAY);
	event_del(&c->timer);
	r->up = c->in;
	c->in = (struct buf)BUF_INIT;
	preauth_free(c->pre);
	c->pre = NULL;
	r->counted = true;
	c->gate->stats.relays++;
	conn_run(c);
}
