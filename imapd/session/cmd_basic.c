/* CAPABILITY, NOOP, CHECK, LOGOUT, ENABLE, ID, NAMESPACE: the verbs that only say something. */
#include "imapd/proto/resp_list.h"
#include "imapd/session/session_impl.h"

enum cmd_step
cmd_capability(struct session *s, struct command *c)
{
	(void)c;
	resp_capability(out_buf(s->out), SESSION_CAPABILITIES);
	return reply_ok(s, NULL, "CAPABILITY completed");
}

enum cmd_step
cmd_noop(struct session *s, struct command *c)
{
	(void)c;
	updates_sync(s, true);
	return reply_ok(s, NULL, "NOOP completed");
}

/* Nothing waits to be written for the client, so this is NOOP under its older name. */
enum cmd_step
cmd_check(struct session *s, struct command *c)
{
	(void)c;
	updates_sync(s, true);
	return reply_ok(s, NULL, "CHECK completed");
}

enum cmd_step
cmd_logout(struct session *s, struct command *c)
{
	(void)c;
	resp_untagged(out_buf(s->out), RESP_BYE, NULL, "Logging out");
	session_unselect(s);
	session_enter(s, ST_LOGOUT);
	s->reason = "logout";
	s->end_at_ms = rk_clock_ms() + s->at.limits->output_ms;
	return reply_ok(s, NULL, "LOGOUT completed");
}

enum cmd_step
cmd_enable(struct session *s, struct command *c)
{
	const struct cmd_words *e = &c->u.enable;
	bool asked = false;

	for (size_t i = 0; i < e->n; i++)
		asked = asked || str_iis(e->words[i], "IMAP4rev2");
	s->rev2 = s->rev2 || asked;
	resp_enabled(out_buf(s->out), asked ? "IMAP4rev2" : "");
	return reply_ok(s, NULL, "ENABLE completed");
}

enum cmd_step
cmd_id(struct session *s, struct command *c)
{
	static const struct resp_id_pair ours[] = {
		{ "name", "Rookery" },
		{ "version", PACKAGE_VERSION },
	};

	(void)c;
	resp_id(out_buf(s->out), ours, sizeof(ours) / sizeof(ours[0]));
	return reply_ok(s, NULL, "ID completed");
}

enum cmd_step
cmd_namespace(struct session *s, struct command *c)
{
	(void)c;
	resp_namespace(out_buf(s->out), '/');
	return reply_ok(s, NULL, "NAMESPACE completed");
}
