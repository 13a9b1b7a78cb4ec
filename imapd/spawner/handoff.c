#include "imapd/spawner/spawner_impl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"

/* authd answers from memory; what takes longer than this will not come. */
#define REDEEM_MS 10000

static void
answer(struct spawner *s, const struct pending *p, enum rk_status status)
{
	struct msg_out m;

	if (s->peers[p->gate].fd < 0 || s->peers[p->gate].generation != p->gate_generation)
		return;
	msg_begin(&m, status == RK_OK ? HANDOFF_OK : HANDOFF_FAIL, p->gate_id);
	if (status != RK_OK)
		msg_put_u32(&m, (uint32_t)status);
	peer_send(s, p->gate, &m);
}

static void
pending_end(struct spawner *s, struct pending *p, enum rk_status status)
{
	answer(s, p, status);
	close(p->client_fd);
	explicit_bzero(&p->handoff, sizeof(p->handoff));
	p->client_fd = -1;
	if (p->granted != NULL)
		s->nwaiting--;
	free(p->granted);
	p->granted = NULL;
}

static void
pending_fail(struct spawner *s, struct pending *p, const struct rk_err *err)
{
	log_ev(RK_LOG_WARN, "spawner.handoff", LOG_S("session", p->handoff.sid),
	    LOG_S("status", rk_status_name(err->status)), LOG_ERR(err));
	pending_end(s, p, err->status);
}

static struct pending *
pending_slot(struct spawner *s)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		if (s->pending[i].client_fd < 0)
			return &s->pending[i];
	}
	return NULL;
}

static void
redeem(struct spawner *s, struct pending *p)
{
	int authd = peer_find(s, "authd", p->handoff.ticket.generation);
	struct msg_out m;
	struct rk_err err;

	if (authd < 0) {
		rk_fail_plain(&err, RK_TEMP, "the authd that made the ticket is gone");
		pending_fail(s, p, &err);
		return;
	}
	p->authd = (uint32_t)authd;
	p->deadline_ms = rk_clock_ms() + REDEEM_MS;
	p->redeem_id = ++s->redeems;
	msg_begin(&m, REDEEM, p->redeem_id);
	put_ticket(&m, &p->handoff.ticket);
	msg_put_text(&m, p->handoff.sid);
	peer_send(s, p->authd, &m);
}

void
handoff_begin(struct spawner *s, uint32_t gate, struct msg_in *m)
{
	struct pending request = {
		.gate = gate,
		.gate_generation = s->peers[gate].generation,
		.gate_id = m->id,
	};
	struct pending *p = pending_slot(s);
	struct rk_err err;

	get_handoff(m, &request.handoff);
	request.client_fd = msg_get_fd(m);
	if (msg_end(m, &err) != RK_OK) {
		if (request.client_fd >= 0)
			close(request.client_fd);
		log_ev(RK_LOG_WARN, "spawner.handoff", LOG_ERR(&err));
		return;
	}
	if (p == NULL || s->draining) {
		rk_fail_plain(
		    &err, RK_TEMP, "%s", s->draining ? "draining" : "too many logins wait");
		pending_fail(s, &request, &err);
		return;
	}
	*p = request;
	redeem(s, p);
}

/* The hand-off that an answer of `authd` belongs to; NULL if it waits for no such answer. */
static struct pending *
pending_of(struct spawner *s, uint32_t authd, uint64_t id)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &s->pending[i];

		if (p->client_fd >= 0 && p->redeem_id == id && p->authd == authd &&
		    p->granted == NULL)
			return p;
	}
	return NULL;
}

static enum rk_status
grant_check(const struct spawner *s, const struct grant *g, struct rk_err *err)
{
	int64_t min_uid = conf_int(s->conf, NULL, "imapd.min_uid");

	if (g->user[0] == '\0')
		return rk_fail_plain(err, RK_DENIED, "a grant without a user");
	if (s->unprivileged) {
		if (g->uid != geteuid())
			return rk_fail_plain(
			    err, RK_DENIED, "uid %u is not ours", (unsigned)g->uid);
		return RK_OK;
	}
	for (uint32_t i = 0; i < g->ngroups; i++) {
		if ((int64_t)g->groups[i] < min_uid)
			return rk_fail_plain(err, RK_DENIED, "%s may not be in group %u", g->user,
			    (unsigned)g->groups[i]);
	}
	if (g->uid == 0 || g->gid == 0 || (int64_t)g->uid < min_uid)
		return rk_fail_plain(err, RK_DENIED,
		    "uid %u gid %u of %s may not hold mail "
		    "(imapd.min_uid = %lld)",
		    (unsigned)g->uid, (unsigned)g->gid, g->user, (long long)min_uid);
	return RK_OK;
}

static enum rk_status
limits_check(struct spawner *s, const struct grant *g, const struct handoff *h, struct rk_err *err)
{
	uint32_t per_user = g->max_sessions, per_address = g->max_sessions_per_ip;
	int64_t now = rk_clock_ms();

	if (per_user == 0)
		per_user = (uint32_t)conf_int(s->conf, NULL, "imapd.sessions_per_user");
	if (per_address == 0)
		per_address = (uint32_t)conf_int(s->conf, NULL, "imapd.sessions_per_user_address");
	if (workers_of_user(s, g->user, NULL) >= per_user)
		return rk_fail_plain(err, RK_LIMIT, "%s has %u sessions", g->user, per_user);
	if (workers_of_user(s, g->user, h->remote.address) >= per_address)
		return rk_fail_plain(err, RK_LIMIT, "%s has %u sessions from %s", g->user,
		    per_address, h->remote.address);
	if (crashed_wait(s, g->user, now) > 0)
		return rk_fail_plain(err, RK_TEMP, "workers of %s crashed lately", g->user);
	return RK_OK;
}

/* Whether a fork may be made now: so many in a second, the others wait for the next one. */
static bool
fork_turn(struct spawner *s)
{
	int64_t now = rk_clock_ms();

	if (now - s->fork_window_ms >= 1000) {
		s->fork_window_ms = now;
		s->forks = 0;
	}
	return s->forks < (uint32_t)conf_int(s->conf, NULL, "imapd.forks_per_second");
}

static void
spawn(struct spawner *s, struct pending *p, const struct grant *grant)
{
	struct rk_err err;
	enum rk_status status = limits_check(s, grant, &p->handoff, &err);

	if (status == RK_OK && s->draining)
		status = rk_fail_plain(&err, RK_TEMP, "draining");
	if (status == RK_OK)
		status = worker_spawn(s, &p->handoff, grant, p->client_fd, &err);
	if (status == RK_OK)
		pending_end(s, p, RK_OK);
	else
		pending_fail(s, p, &err);
}

static void
wait_for_turn(struct spawner *s, struct pending *p, const struct grant *grant)
{
	struct rk_err err;

	p->granted = malloc(sizeof(*grant));
	if (p->granted == NULL) {
		rk_fail_plain(&err, RK_TEMP, "no memory for a login that has to wait");
		pending_fail(s, p, &err);
		return;
	}
	*p->granted = *grant;
	s->nwaiting++;
}

void
handoff_granted(struct spawner *s, uint32_t authd, struct msg_in *m)
{
	static struct grant grant;
	struct pending *p = pending_of(s, authd, m->id);
	struct rk_err err;
	enum rk_status status;

	get_grant(m, &grant);
	status = msg_end(m, &err);
	if (p == NULL)
		return;
	if (status == RK_OK)
		status = grant_check(s, &grant, &err);
	if (status != RK_OK)
		pending_fail(s, p, &err);
	else if (s->nwaiting == 0 && fork_turn(s))
		spawn(s, p, &grant);
	else
		wait_for_turn(s, p, &grant);
}

void
handoff_refused(struct spawner *s, uint32_t authd, struct msg_in *m)
{
	struct pending *p = pending_of(s, authd, m->id);
	uint32_t reason = msg_get_u32(m);
	struct rk_err err;

	if (msg_end(m, &err) != RK_OK)
		reason = RK_TEMP;
	if (p == NULL)
		return;
	rk_fail_plain(&err, reason == RK_DENIED ? RK_DENIED : RK_TEMP, "the ticket was refused");
	pending_fail(s, p, &err);
}

void
handoff_drain(struct spawner *s)
{
	struct rk_err err;

	rk_fail_plain(&err, RK_TEMP, "draining");
	for (size_t i = 0; i < PENDING_MAX; i++) {
		if (s->pending[i].client_fd >= 0)
			pending_fail(s, &s->pending[i], &err);
	}
}

void
handoff_authd_gone(struct spawner *s, uint32_t authd)
{
	struct rk_err err;

	rk_fail_plain(&err, RK_TEMP, "authd went away");
	for (size_t i = 0; i < PENDING_MAX; i++) {
		if (s->pending[i].client_fd >= 0 && s->pending[i].authd == authd &&
		    s->pending[i].granted == NULL)
			pending_fail(s, &s->pending[i], &err);
	}
}

void
handoff_tick(struct spawner *s, int64_t now_ms)
{
	struct rk_err err;

	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &s->pending[i];

		if (p->client_fd < 0)
			continue;
		if (p->deadline_ms < now_ms) {
			rk_fail_plain(&err, RK_TEMP, "%s",
			    p->granted != NULL ? "too many logins at once"
					       : "authd did not answer");
			pending_fail(s, p, &err);
		} else if (p->granted != NULL && fork_turn(s)) {
			spawn(s, p, p->granted);
		}
	}
}
