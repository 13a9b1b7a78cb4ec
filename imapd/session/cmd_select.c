/* SELECT, EXAMINE, CLOSE, UNSELECT: which mailbox the session is about. */
#include "imapd/session/session_impl.h"

#include <string.h>

#include "imapd/proto/resp_list.h"

void
session_unselect(struct session *s)
{
	struct selected *sel = &s->sel;

	if (sel->box == NULL)
		return;
	updates_clear(s);
	idle_watch_close(s);
	body_clear(&sel->body);
	view_clear(&sel->view);
	uidset_clear(&sel->recent);
	uidset_clear(&sel->saved);
	mailbox_close(sel->box);
	*sel = (struct selected){ .watch = { .fd = -1 } };
	s->sync_at_ms = 0;
	s->noticed = false;
	score_mailbox(s->at.score, "");
	if (s->state == ST_SELECTED)
		session_enter(s, ST_NOT_SELECTED);
}

/* Opens the mailbox and loads what is in it: first the counts, then the view, so that no message
 * can be in the view that UIDNEXT would place in the future. */
static enum rk_status
open_mailbox(struct session *s, const char *name, struct index_info *info, struct rk_err *err)
{
	struct selected *sel = &s->sel;
	enum rk_status status;
	bool changed = false;

	status = account_mailbox(s->at.account, name, &sel->box, err);
	if (status != RK_OK) {
		sel->box = NULL;
		return status;
	}
	status = mailbox_sync(sel->box, &changed, err);
	if (status == RK_OK)
		status = mailbox_info(sel->box, s->run.mem, info, err);
	if (status == RK_OK)
		status = view_load(&sel->view, sel->box, err);
	if (status != RK_OK)
		return status;
	memcpy(sel->guid, info->guid, sizeof(sel->guid));
	sel->uidvalidity = info->uidvalidity;
	sel->synced_ms = rk_clock_ms();
	if (changed)
		links_changed(s, info->guid, info->highest_modseq);
	return RK_OK;
}

/* The untagged responses of RFC 9051 section 6.3.2; RECENT and UNSEEN are rev1's, LIST is rev2's.
 */
static enum rk_status
tell(struct session *s, struct rk_err *err)
{
	struct resp_flags permanent = { .star = true, .flags = RK_FLAGS_ALL };
	uint32_t last = uidset_max(&s->sel.view.uids), unseen;
	struct index_info info;
	enum rk_status status;

	s->sel.keywords = 0; /* no table hashes to that: FLAGS is told */
	status = updates_info(s, s->run.mem, &info, err);
	if (status != RK_OK)
		return status;
	resp_exists(out_buf(s->out), view_exists(&s->sel.view));
	if (!s->rev2) {
		updates_recent(s, &s->sel.view.uids, true);
		unseen = view_seq(&s->sel.view, info.first_unseen_uid);
		if (info.first_unseen_uid != 0 && unseen != 0)
			resp_unseen(out_buf(s->out), unseen);
	}
	resp_uidvalidity(out_buf(s->out), s->sel.uidvalidity);
	resp_uidnext(
	    out_buf(s->out), last >= info.uidnext && last < UINT32_MAX ? last + 1 : info.uidnext);
	if (s->sel.readonly) {
		permanent = (struct resp_flags){ .flags = 0 };
	} else {
		permanent.names = info.keywords;
		permanent.nnames = info.nkeywords;
		memset(&permanent.keywords, 0xff, sizeof(permanent.keywords));
	}
	resp_permanentflags(out_buf(s->out), &permanent);
	return RK_OK;
}

/* rev2's LIST: with the attributes that LIST itself tells. */
static enum rk_status
tell_list(struct session *s, const char *name, struct str given, struct rk_err *err)
{
	struct resp_list row = { .name = str_from(name), .separator = '/', .utf8 = true };
	struct list_query query = {
		.reference = STR_LIT(""), .patterns = &row.name, .npatterns = 1
	};
	struct list_result rows;
	enum rk_status status = account_list(s->at.account, &query, s->run.mem, &rows, err);

	if (status != RK_OK)
		return status;
	/* A name with wildcards in it matches others too. */
	for (size_t i = 0; i < rows.n; i++) {
		if (strcmp(rows.rows[i].name, name) == 0)
			row.attrs = list_resp_attrs(rows.rows[i].attrs);
	}
	if (!str_is(given, name))
		row.old_name = given;
	resp_list(out_buf(s->out), &row);
	return RK_OK;
}

static enum cmd_step
select_run(struct session *s, struct command *c, bool examine, const char *text)
{
	struct str given = c->u.mailbox.name;
	struct index_info info;
	struct rk_err err;
	enum rk_status status;
	const char *name;

	/* A SELECT that fails leaves nothing selected, so the old mailbox goes first. */
	if (s->sel.box != NULL) {
		session_unselect(s);
		resp_closed(out_buf(s->out));
	}
	status = command_name(s, given, &name, &err);
	if (status == RK_OK)
		status = open_mailbox(s, name, &info, &err);
	if (status == RK_OK) {
		session_enter(s, ST_SELECTED);
		s->sel.readonly = examine || !mailbox_writable(s->sel.box);
		score_mailbox(s->at.score, name);
		status = tell(s, &err);
	}
	if (status == RK_OK && s->rev2)
		status = tell_list(s, name, given, &err);
	if (status != RK_OK) {
		session_unselect(s);
		return reply_fail(s, status, &err);
	}
	return reply_ok(s, s->sel.readonly ? "READ-ONLY" : "READ-WRITE", text);
}

enum cmd_step
cmd_select(struct session *s, struct command *c)
{
	return select_run(s, c, false, "SELECT completed");
}

enum cmd_step
cmd_examine(struct session *s, struct command *c)
{
	return select_run(s, c, true, "EXAMINE completed");
}

/* Messages with \Deleted go, untold (RFC 9051 section 6.4.1). If they can't, nothing is closed, so
 * that the client learns of it. */
enum cmd_step
cmd_close(struct session *s, struct command *c)
{
	struct rk_err err;
	enum rk_status status;
	uint32_t removed;

	(void)c;
	if (!s->sel.readonly) {
		updates_sync(s, true);
		if (s->run.verb == NULL)
			return CMD_DONE; /* the mailbox is gone, and BYE was said */
		status = mailbox_expunge(s->sel.box, NULL, &removed, &err);
		if (removed > 0)
			links_mailbox_changed(s, s->sel.box);
		if (status != RK_OK)
			return reply_fail(s, status, &err);
	}
	session_unselect(s);
	return reply_ok(s, NULL, "CLOSE completed");
}

enum cmd_step
cmd_unselect(struct session *s, struct command *c)
{
	(void)c;
	session_unselect(s);
	return reply_ok(s, NULL, "UNSELECT completed");
}
