#include "lib/ipc/proto.h"

#include <string.h>

#include "lib/base/os_linux.h"

/* Largest channel binding (RFC 9266: 32 bytes; tls-unique: one Finished message). */
#define BINDING_MAX 64

void
ticket_make(struct ticket *t, uint32_t generation)
{
	t->generation = generation;
	os_random(t->bytes, sizeof(t->bytes));
}

bool
ticket_equal(const struct ticket *a, const struct ticket *b)
{
	return a->generation == b->generation &&
	       str_eq_secret(str_of(a->bytes, TICKET_LEN), str_of(b->bytes, TICKET_LEN));
}

void
sid_make(char sid[SID_LEN + 1])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	unsigned char random[SID_LEN];

	os_random(random, sizeof(random));
	for (size_t i = 0; i < SID_LEN; i++)
		sid[i] = letters[random[i] % 32];
	sid[SID_LEN] = '\0';
}

static bool
get_bool(struct msg_in *m)
{
	uint8_t v = msg_get_u8(m);

	if (v > 1)
		m->bad = true;
	return v == 1;
}

/* An enum value; anything beyond `max` is no message of ours. */
static uint32_t
get_choice(struct msg_in *m, uint32_t max)
{
	uint32_t v = msg_get_u32(m);

	if (v > max) {
		m->bad = true;
		return 0;
	}
	return v;
}

static void
get_fixed(struct msg_in *m, void *out, size_t n)
{
	struct str s = msg_get_str(m, n);

	memset(out, 0, n);
	if (s.n != n)
		m->bad = true;
	else
		memcpy(out, s.p, n);
}

static void
put_endpoint(struct msg_out *m, const struct endpoint *e)
{
	msg_put_text(m, e->address);
	msg_put_u32(m, e->port);
}

static void
get_endpoint(struct msg_in *m, struct endpoint *e)
{
	msg_get_text(m, e->address, sizeof(e->address));
	e->port = (uint16_t)get_choice(m, UINT16_MAX);
}

void
put_ticket(struct msg_out *m, const struct ticket *t)
{
	msg_put_u32(m, t->generation);
	msg_put_bytes(m, t->bytes, sizeof(t->bytes));
}

void
get_ticket(struct msg_in *m, struct ticket *t)
{
	t->generation = msg_get_u32(m);
	get_fixed(m, t->bytes, sizeof(t->bytes));
}

void
put_link_info(struct msg_out *m, const struct link_info *l)
{
	msg_put_text(m, l->peer);
	msg_put_u32(m, l->generation);
	msg_put_u32(m, (uint32_t)l->pid);
}

void
get_link_info(struct msg_in *m, struct link_info *l)
{
	msg_get_text(m, l->peer, sizeof(l->peer));
	l->generation = msg_get_u32(m);
	l->pid = (pid_t)get_choice(m, INT32_MAX);
}

void
put_auth_start(struct msg_out *m, const struct auth_start *a)
{
	msg_put_text(m, a->sid);
	msg_put_text(m, a->mechanism);
	msg_put_u8(m, a->tls);
	msg_put_u8(m, a->has_initial);
	msg_put_str(m, a->initial);
	put_endpoint(m, &a->remote);
	put_endpoint(m, &a->local);
	msg_put_text(m, a->cert_user);
	msg_put_str(m, a->cb_exporter);
	msg_put_str(m, a->cb_unique);
}

void
get_auth_start(struct msg_in *m, struct auth_start *a)
{
	msg_get_text(m, a->sid, sizeof(a->sid));
	msg_get_text(m, a->mechanism, sizeof(a->mechanism));
	a->tls = get_bool(m);
	a->has_initial = get_bool(m);
	a->initial = msg_get_str(m, AUTH_DATA_MAX);
	get_endpoint(m, &a->remote);
	get_endpoint(m, &a->local);
	msg_get_text(m, a->cert_user, sizeof(a->cert_user));
	a->cb_exporter = msg_get_str(m, BINDING_MAX);
	a->cb_unique = msg_get_str(m, BINDING_MAX);
}

void
put_auth_ok(struct msg_out *m, const struct auth_ok *a)
{
	put_ticket(m, &a->ticket);
	msg_put_text(m, a->user);
	msg_put_u8(m, a->has_final);
	msg_put_str(m, a->final);
}

void
get_auth_ok(struct msg_in *m, struct auth_ok *a)
{
	get_ticket(m, &a->ticket);
	msg_get_text(m, a->user, sizeof(a->user));
	a->has_final = get_bool(m);
	a->final = msg_get_str(m, AUTH_DATA_MAX);
}

void
put_auth_fail(struct msg_out *m, const struct auth_fail *a)
{
	msg_put_u32(m, a->reason);
}

void
get_auth_fail(struct msg_in *m, struct auth_fail *a)
{
	a->reason = (enum auth_failure)get_choice(m, AUTH_NEEDS_TLS);
}

void
put_grant(struct msg_out *m, const struct grant *g)
{
	msg_put_text(m, g->user);
	msg_put_u32(m, g->uid);
	msg_put_u32(m, g->gid);
	msg_put_u32(m, g->ngroups);
	for (uint32_t i = 0; i < g->ngroups; i++)
		msg_put_u32(m, g->groups[i]);
	msg_put_text(m, g->home);
	msg_put_text(m, g->storage);
	msg_put_u32(m, g->max_sessions);
	msg_put_u32(m, g->max_sessions_per_ip);
	msg_put_u32(m, g->nparams);
	for (uint32_t i = 0; i < g->nparams; i++) {
		msg_put_text(m, g->params[i].key);
		msg_put_text(m, g->params[i].value);
	}
}

void
get_grant(struct msg_in *m, struct grant *g)
{
	*g = (struct grant){ .uid = (uid_t)-1 };
	msg_get_text(m, g->user, sizeof(g->user));
	g->uid = msg_get_u32(m);
	g->gid = msg_get_u32(m);
	g->ngroups = get_choice(m, GRANT_GROUPS_MAX);
	for (uint32_t i = 0; i < g->ngroups; i++)
		g->groups[i] = msg_get_u32(m);
	msg_get_text(m, g->home, sizeof(g->home));
	msg_get_text(m, g->storage, sizeof(g->storage));
	g->max_sessions = msg_get_u32(m);
	g->max_sessions_per_ip = msg_get_u32(m);
	g->nparams = get_choice(m, GRANT_PARAMS_MAX);
	for (uint32_t i = 0; i < g->nparams; i++) {
		msg_get_text(m, g->params[i].key, sizeof(g->params[i].key));
		msg_get_text(m, g->params[i].value, sizeof(g->params[i].value));
	}
}

void
put_handoff(struct msg_out *m, const struct handoff *h)
{
	msg_put_text(m, h->sid);
	put_ticket(m, &h->ticket);
	msg_put_text(m, h->tag);
	msg_put_u32(m, h->reply);
	put_endpoint(m, &h->remote);
	put_endpoint(m, &h->local);
	msg_put_u8(m, h->tls);
	msg_put_u32(m, h->bad_commands);
}

void
get_handoff(struct msg_in *m, struct handoff *h)
{
	msg_get_text(m, h->sid, sizeof(h->sid));
	get_ticket(m, &h->ticket);
	msg_get_text(m, h->tag, sizeof(h->tag));
	h->reply = (enum handoff_reply)get_choice(m, HANDOFF_AUTHENTICATE);
	get_endpoint(m, &h->remote);
	get_endpoint(m, &h->local);
	h->tls = get_bool(m);
	h->bad_commands = msg_get_u32(m);
}

void
put_who_row(struct msg_out *m, const struct who_row *w)
{
	msg_put_text(m, w->sid);
	msg_put_text(m, w->user);
	msg_put_text(m, w->remote);
	msg_put_text(m, w->command);
	msg_put_u32(m, (uint32_t)w->pid);
	msg_put_u64(m, w->since);
	msg_put_u8(m, w->tls);
}

void
get_who_row(struct msg_in *m, struct who_row *w)
{
	msg_get_text(m, w->sid, sizeof(w->sid));
	msg_get_text(m, w->user, sizeof(w->user));
	msg_get_text(m, w->remote, sizeof(w->remote));
	msg_get_text(m, w->command, sizeof(w->command));
	w->pid = (pid_t)get_choice(m, INT32_MAX);
	w->since = msg_get_u64(m);
	w->tls = get_bool(m);
}

void
put_hub_topic(struct msg_out *m, const struct hub_topic *t)
{
	msg_put_text(m, t->account);
}

void
get_hub_topic(struct msg_in *m, struct hub_topic *t)
{
	msg_get_text(m, t->account, sizeof(t->account));
}

void
put_hub_notice(struct msg_out *m, const struct hub_notice *n)
{
	msg_put_text(m, n->account);
	msg_put_bytes(m, n->box, sizeof(n->box));
	msg_put_u64(m, n->modseq);
}

void
get_hub_notice(struct msg_in *m, struct hub_notice *n)
{
	msg_get_text(m, n->account, sizeof(n->account));
	get_fixed(m, n->box, sizeof(n->box));
	n->modseq = msg_get_u64(m);
}

void
put_admin_request(struct msg_out *m, const struct admin_request *a)
{
	msg_put_text(m, a->verb);
	msg_put_u32(m, a->nargs);
	for (uint32_t i = 0; i < a->nargs; i++)
		msg_put_text(m, a->args[i]);
}

void
get_admin_request(struct msg_in *m, struct admin_request *a)
{
	msg_get_text(m, a->verb, sizeof(a->verb));
	a->nargs = get_choice(m, ADMIN_ARGS_MAX);
	for (uint32_t i = 0; i < a->nargs; i++)
		msg_get_text(m, a->args[i], sizeof(a->args[i]));
}
