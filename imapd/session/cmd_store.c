/* STORE, EXPUNGE, COPY, MOVE and their UID forms (RFC 9051 sections 6.4.3 and 6.4.6 to 6.4.9). */
#include "imapd/session/session_impl.h"

#include "imapd/proto/resp_search.h"
#include "lib/base/arena.h"

struct rk_words
command_words(struct session *s, const struct flag_words *flags)
{
	const char **names = rk_arena_array(s->run.mem, flags->nwords + 1, sizeof(*names));

	for (size_t i = 0; i < flags->nwords; i++)
		names[i] = str_dup(s->run.mem, flags->words[i]);
	return (struct rk_words){ names, flags->nwords };
}

bool
command_may_change(struct session *s, enum cmd_step *step_out)
{
	if (!s->sel.readonly)
		return true;
	*step_out = reply_no(s, "READ-ONLY", "The mailbox is selected read-only");
	return false;
}

bool
command_target(struct session *s, struct str given, struct mailbox **out, enum cmd_step *step_out)
{
	struct rk_err err;
	const char *name;
	enum rk_status status = command_name(s, given, &name, &err);

	if (status == RK_OK) {
		status = account_mailbox(s->at.account, name, out, &err);
		if (status == RK_NOTFOUND) {
			*step_out = reply_no(s, "TRYCREATE", "There is no such mailbox yet");
			return false;
		}
	}
	if (status == RK_OK)
		return true;
	*step_out = reply_fail(s, status, &err);
	return false;
}

static void
uids_free(void *ptr)
{
	uidset_clear(ptr);
}

/* UIDs of the command's messages; false: *step_out is the reply. `out` is freed with the command.
 */
static bool
uids_take(struct session *s, const struct message_set *set, bool uid, struct uidset **out,
    enum cmd_step *step_out)
{
	struct uidset *uids = rk_arena_alloc(s->run.mem, sizeof(*uids));

	arena_cleanup(s->run.mem, uids_free, uids);
	*out = uids;
	if (message_set_uids(s, set, uid, uids))
		return true;
	*step_out = reply_bad(s, "There is no message with one of these numbers");
	return false;
}

/* Messages whose numbers are still good for this client, but which are gone: nothing is done to
 * the others (RFC 2180 section 4). */
static bool
all_there(struct session *s, const struct uidset *uids, enum cmd_step *step_out)
{
	struct rk_err err;
	bool changed, missing = false;
	enum rk_status status = mailbox_sync(s->sel.box, &changed, &err);

	if (status == RK_OK)
		status = message_set_missing(s, uids, &missing, &err);
	if (status != RK_OK)
		*step_out = reply_fail(s, status, &err);
	else if (missing)
		*step_out = reply_no(s, "EXPUNGEISSUED", "Some of the messages were expunged");
	return status == RK_OK && !missing;
}

/* What the client is told at the end: the new flags, or with .SILENT only what others changed. */
static enum rk_status
store_tell(
    struct session *s, const struct cmd_store *store, const struct uidset *uids, struct rk_err *err)
{
	struct uidset others = UIDSET_INIT;
	enum rk_status status;

	if (!store->silent) {
		uidset_copy(&s->updates.loud, uids);
		return RK_OK;
	}
	status = updates_others(s, &others, err);
	if (status == RK_OK) {
		uidset_copy(&s->updates.silent, uids);
		uidset_subtract(&s->updates.silent, &others);
	}
	uidset_clear(&others);
	return status;
}

enum cmd_step
cmd_store(struct session *s, struct command *c)
{
	static const enum rk_store_mode modes[] = { [STORE_REPLACE] = RK_STORE_REPLACE,
		[STORE_ADD] = RK_STORE_ADD,
		[STORE_REMOVE] = RK_STORE_REMOVE };
	const struct cmd_store *store = &c->u.store;
	struct rk_store_change change = { .mode = modes[store->mode],
		.flags = store->flags.flags,
		.keywords = command_words(s, &store->flags) };
	struct uidset *uids;
	uint32_t missing = 0;
	enum cmd_step step;
	struct rk_err err;
	enum rk_status status;

	if (!uids_take(s, &store->set, c->uid, &uids, &step) || !command_may_change(s, &step))
		return step;
	updates_sync(s, true);
	if (s->run.verb == NULL)
		return CMD_DONE; /* the mailbox is gone, and BYE was said */
	status = store_tell(s, store, uids, &err);
	if (status == RK_OK)
		status = mailbox_store(s->sel.box, uids, &change, &missing, &err);
	/* Also when it failed half way. */
	links_mailbox_changed(s, s->sel.box);
	if (status != RK_OK)
		return reply_fail(s, status, &err);
	if (missing > 0 && !c->uid)
		return reply_no(s, "EXPUNGEISSUED", "Some of the messages were expunged");
	return reply_ok(s, NULL, "STORE completed");
}

enum cmd_step
cmd_expunge(struct session *s, struct command *c)
{
	struct uidset *uids = NULL;
	uint32_t removed;
	enum cmd_step step;
	struct rk_err err;
	enum rk_status status;

	if (!command_may_change(s, &step))
		return step;
	if (c->uid && !uids_take(s, &c->u.expunge.set, true, &uids, &step))
		return step;
	/* Flags that others set are theirs to be obeyed. */
	updates_sync(s, true);
	if (s->run.verb == NULL)
		return CMD_DONE;
	status = mailbox_expunge(s->sel.box, uids, &removed, &err);
	if (removed > 0)
		links_mailbox_changed(s, s->sel.box);
	return status == RK_OK ? reply_ok(s, NULL, "EXPUNGE completed")
	                       : reply_fail(s, status, &err);
}

static char *
copyuid(struct session *s, const struct mailbox_copied *copied)
{
	struct buf code = BUF_INIT;
	char *text;

	resp_copyuid(&code, copied->uidvalidity, copied->from, copied->to, copied->n);
	text = rk_arena_dup(s->run.mem, code.data, code.len);
	buf_clear(&code);
	return text;
}

static enum cmd_step
copy_run(struct session *s, struct command *c, bool move)
{
	const char *done = move ? "MOVE completed" : "COPY completed";
	struct mailbox_copied copied;
	struct mailbox_copy what;
	struct mailbox *to;
	struct uidset *uids;
	enum cmd_step step;
	struct rk_err err;
	enum rk_status status;

	if (!uids_take(s, &c->u.copy.set, c->uid, &uids, &step) ||
	    (move && !command_may_change(s, &step)) || !command_target(s, c->u.copy.to, &to, &step))
		return step;
	if (!c->uid && !all_there(s, uids, &step)) {
		mailbox_close(to);
		return step;
	}
	what = (struct mailbox_copy){ .uids = uids, .to = to, .move = move };
	status = mailbox_copy(s->sel.box, &what, s->run.mem, &copied, &err);
	/* Also when a move failed half way. */
	if (copied.n > 0 || (move && status != RK_OK)) {
		links_mailbox_changed(s, to);
		if (move)
			links_mailbox_changed(s, s->sel.box);
	}
	mailbox_close(to);
	if (status != RK_OK)
		return reply_fail(s, status, &err);
	if (copied.n == 0)
		return reply_ok(s, NULL, done);
	if (!move)
		return reply_ok(s, copyuid(s, &copied), done);
	/* Before the EXPUNGEs, so that the client can tell where the messages went. */
	resp_untagged(out_buf(s->out), RESP_OK, copyuid(s, &copied), "Moved");
	return reply_ok(s, NULL, done);
}

enum cmd_step
cmd_copy(struct session *s, struct command *c)
{
	return copy_run(s, c, false);
}

enum cmd_step
cmd_move(struct session *s, struct command *c)
{
	return copy_run(s, c, true);
}
