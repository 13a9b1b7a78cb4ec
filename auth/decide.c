#include "auth/request_impl.h"

#include <event2/event.h>
#include <string.h>

#include "lib/base/log.h"

/*
 * When an answer goes out. A refusal waits for the next multiple of the grid on a clock that never
 * jumps, so that what happened inside shows in no difference of time; an address with failures
 * behind it waits its penalty first, and so does its success: a guesser learns nothing by hanging
 * up early. What is no verdict on a credential (unavailable) goes out at once.
 */

static struct msg_out out;

static void
context_set(const struct request *r)
{
	log_set_session(r->sid);
	log_set_remote(r->remote);
}

static void
context_clear(void)
{
	log_set_session(NULL);
	log_set_remote(NULL);
}

static void
failure_send(struct request *r)
{
	struct auth_fail fail = { .reason = r->failure };

	msg_begin(&out, AUTH_FAIL, r->id);
	put_auth_fail(&out, &fail);
	link_send(r->link, &out);
}

/* The ticket is made now, not when the decision fell: its life begins with the answer. */
static void
success_send(struct request *r)
{
	struct auth_ok ok = {
		.final = str_of(r->final.data, r->final.len),
		.has_final = r->final.len > 0,
	};
	struct rk_err err;

	if (mint_issue(r->authd->mint, r->sid, &r->grant, rk_clock_ms(), &ok.ticket, &err) !=
	    RK_OK) {
		log_ev(RK_LOG_ERROR, "auth.ticket", LOG_ERR(&err));
		r->failure = AUTH_UNAVAILABLE;
		failure_send(r);
		return;
	}
	memcpy(ok.user, r->name.text, r->name.len + 1);
	msg_begin(&out, AUTH_OK, r->id);
	put_auth_ok(&out, &ok);
	link_send(r->link, &out);
	explicit_bzero(&ok.ticket, sizeof(ok.ticket));
	explicit_bzero(out.bytes, out.len);
}

static void answer_due(evutil_socket_t fd, short what, void *arg);

/* Waits for the rest of the time. Always through the loop: whoever decided is still using the
 * request. */
static void
wait_more(struct request *r)
{
	int64_t wait = r->due - rk_clock_ms();
	struct timeval tv = { .tv_sec = 0 };

	if (wait > 0) {
		tv.tv_sec = wait / 1000;
		tv.tv_usec = wait % 1000 * 1000;
	}
	event_add(r->timer, &tv);
}

static void
answer_due(evutil_socket_t fd, short what, void *arg)
{
	struct request *r = arg;

	(void)fd;
	(void)what;
	/* The loop counts from the time at which it woke up: with much to do before us it is early,
	 * and how early would show what there was to do. */
	if (rk_clock_ms() < r->due) {
		wait_more(r);
		return;
	}
	context_set(r);
	if (r->accepted)
		success_send(r);
	else
		failure_send(r);
	context_clear();
	request_end(r);
}

/* Sends the answer at `due` on rk_clock_ms(). */
static void
hold(struct request *r, int64_t due)
{
	r->state = REQUEST_HELD;
	r->due = due;
	event_del(r->timer);
	event_assign(r->timer, r->authd->base, -1, 0, answer_due, r);
	wait_more(r);
}

/* A fingerprint of user and password, to know the same wrong one again; 0 if there is none. */
static uint64_t
attempt_of(const struct request *r)
{
	struct str password = mech_password(r->mech);
	struct buf both = BUF_INIT;
	uint64_t hash;

	if (password.n == 0)
		return 0;
	buf_reserve(&both, sizeof(r->said) + password.n);
	buf_add(&both, r->said, strlen(r->said) + 1);
	buf_add(&both, password.p, password.n);
	hash = siphash(r->authd->attempt_key, both.data, both.len);
	buf_wipe(&both);
	return hash == 0 ? 1 : hash;
}

void
request_accept(struct request *r)
{
	struct authd *a = r->authd;
	int64_t now = rk_clock_ms();
	int64_t wait = penalty_wait(a->penalty, r->remote, now);

	r->accepted = true;
	a->stats.accepted++;
	penalty_success(a->penalty, r->remote);
	context_set(r);
	log_ev(RK_LOG_INFO, "auth.ok", LOG_S("user", r->name.text),
	    LOG_S("mechanism", r->mechanism), LOG_U("tls", r->tls));
	context_clear();
	hold(r, now + wait);
}

static int64_t
grid_after(int64_t time, int64_t grid)
{
	return grid <= 0 ? time : (time / grid + 1) * grid;
}

void
request_reject(struct request *r, enum auth_failure failure, const char *reason)
{
	struct authd *a = r->authd;
	int64_t now = rk_clock_ms();
	int64_t due = now;

	r->accepted = false;
	r->failure = failure;
	r->reason = reason;
	if (failure == AUTH_REJECTED || failure == AUTH_BAD) {
		due = grid_after(now + penalty_wait(a->penalty, r->remote, now), a->set.grid_ms);
		penalty_fail(a->penalty, r->remote, attempt_of(r), now);
	}
	if (failure == AUTH_REJECTED)
		a->stats.rejected++;
	else if (failure == AUTH_BAD)
		a->stats.malformed++;
	else
		a->stats.unavailable++;
	context_set(r);
	log_ev(failure == AUTH_UNAVAILABLE ? RK_LOG_WARN : RK_LOG_INFO, "auth.reject",
	    LOG_S("user", r->said), LOG_S("mechanism", r->mechanism), LOG_U("tls", r->tls),
	    LOG_S("reason", reason));
	context_clear();
	hold(r, due);
}
