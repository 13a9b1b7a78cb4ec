/* CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 sections 6.3.4 to 6.3.8, RFC 6154). */
#include "imapd/session/session_impl.h"

#include "imapd/proto/resp_list.h"

/* Words of the bits, parted by spaces, in run.mem. */
static const char *
uses_text(struct session *s, uint32_t uses)
{
	static const struct {
		uint32_t bit;
		const char *word;
	} words[] = {
		{ USE_ALL, "\\All" },
		{ USE_ARCHIVE, "\\Archive" },
		{ USE_DRAFTS, "\\Drafts" },
		{ USE_FLAGGED, "\\Flagged" },
		{ USE_JUNK, "\\Junk" },
		{ USE_SENT, "\\Sent" },
		{ USE_TRASH, "\\Trash" },
		{ USE_IMPORTANT, "\\Important" },
	};
	const char *text = "";

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if ((uses & words[i].bit) != 0)
			text = rk_arena_printf(
			    s->run.mem, "%s%s%s", text, text[0] != '\0' ? " " : "", words[i].word);
	}
	return text;
}

/* rev2: a name that became another one is told (RFC 9051 sections 6.3.4 and 6.3.6). */
static void
tell_name(struct session *s, const char *name, struct str given)
{
	struct resp_list row = {
		.name = str_from(name), .separator = '/', .utf8 = true, .old_name = given
	};

	if (s->rev2 && !str_is(given, name))
		resp_list(out_buf(s->out), &row);
}

enum cmd_step
cmd_create(struct session *s, struct command *c)
{
	const struct cmd_create *create = &c->u.create;
	struct rk_err err;
	enum rk_status status;
	const char *name;

	if (create->unknown_use)
		return reply_no(s, "USEATTR", "There is no such special use");
	status = command_name(s, create->name, &name, &err);
	if (status == RK_OK)
		status =
		    account_create(s->at.account, name, uses_text(s, create->special_use), &err);
	if (status != RK_OK)
		return reply_fail(s, status, &err);
	tell_name(s, name, create->name);
	return reply_ok(s, NULL, "CREATE completed");
}

enum cmd_step
cmd_delete(struct session *s, struct command *c)
{
	struct rk_err err;
	const char *name;
	enum rk_status status = command_name(s, c->u.mailbox.name, &name, &err);

	if (status == RK_OK)
		status = account_delete(s->at.account, name, &err);
	if (status == RK_DENIED)
		return reply_no(s, "CANNOT", "This mailbox can't be deleted");
	return status == RK_OK ? reply_ok(s, NULL, "DELETE completed")
	                       : reply_fail(s, status, &err);
}

enum cmd_step
cmd_rename(struct session *s, struct command *c)
{
	struct rk_err err;
	const char *from, *to;
	enum rk_status status = command_name(s, c->u.rename.from, &from, &err);

	if (status == RK_OK)
		status = command_name(s, c->u.rename.to, &to, &err);
	if (status == RK_OK)
		status = account_rename(s->at.account, from, to, &err);
	if (status != RK_OK)
		return reply_fail(s, status, &err);
	if (!str_is(c->u.rename.from, from) || !str_is(c->u.rename.to, to))
		tell_name(s, to, c->u.rename.from);
	return reply_ok(s, NULL, "RENAME completed");
}

static enum cmd_step
subscribe(struct session *s, struct command *c, bool subscribed, const char *text)
{
	struct rk_err err;
	const char *name;
	enum rk_status status = command_name(s, c->u.mailbox.name, &name, &err);

	if (status == RK_OK)
		status = account_subscribe(s->at.account, name, subscribed, &err);
	return status == RK_OK ? reply_ok(s, NULL, text) : reply_fail(s, status, &err);
}

enum cmd_step
cmd_subscribe(struct session *s, struct command *c)
{
	return subscribe(s, c, true, "SUBSCRIBE completed");
}

enum cmd_step
cmd_unsubscribe(struct session *s, struct command *c)
{
	return subscribe(s, c, false, "UNSUBSCRIBE completed");
}
