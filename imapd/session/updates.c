/*
 * What happened to the selected mailbox becomes untagged responses here and nowhere else, so that
 * sequence numbers change only where RFC 9051 section 7.5.1 lets them: EXPUNGE is told at the end
 * of a command that the verb table marks so, or during IDLE; EXISTS and flags at the end of every
 * command. A view is compared as a whole first, and the view moves in one step; what is told can be
 * larger than the output queue takes, so the telling can stop and go on.
 */
#include "imapd/session/session_impl.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "imapd/proto/resp_fetch.h"

/* Commands in quick succession ask the store once. */
#define SYNC_EVERY_MS 250
/* After a sync that failed while nobody asks (IDLE). */
#define RETRY_MS 2000
/* Records read at once: together far below the size of an output run. */
#define BATCH 256

static void
gone(struct session *s, const char *text, const char *reason)
{
	session_bye(s, NULL, text, reason);
}

static void
failed(const char *what, const struct rk_err *err)
{
	log_ev(RK_LOG_WARN, "session.update", LOG_S("step", what), LOG_ERR(err));
}

bool
updates_same_mailbox(const struct session *s, const struct index_info *info)
{
	return info->uidvalidity == s->sel.uidvalidity &&
	       memcmp(info->guid, s->sel.guid, sizeof(s->sel.guid)) == 0;
}

void
updates_sync(struct session *s, bool force)
{
	struct rk_arena *mem;
	struct index_info info;
	struct rk_err err;
	enum rk_status status;
	bool changed;

	if (s->sel.box == NULL)
		return;
	if (!force && s->sync_at_ms == 0 && rk_clock_ms() - s->sel.synced_ms < SYNC_EVERY_MS)
		return;
	s->sync_at_ms = 0;
	s->sel.synced_ms = rk_clock_ms();
	status = mailbox_sync(s->sel.box, &changed, &err);
	if (status == RK_NOTFOUND) {
		gone(s, "The selected mailbox was deleted or renamed", "mailbox-gone");
		return;
	}
	if (status != RK_OK) {
		failed("sync", &err);
		/* Nobody else would remind us of what was not seen now. */
		if (s->state == ST_IDLE)
			s->sync_at_ms = rk_clock_ms() + RETRY_MS;
		return;
	}
	if (!changed)
		return;
	mem = arena_new();
	if (mailbox_info(s->sel.box, mem, &info, &err) == RK_OK)
		links_changed(s, info.guid, info.highest_modseq);
	arena_free(mem);
}

/* FNV-1a over the names with their positions: told again only when the table changed. */
static uint64_t
keywords_hash(const struct index_info *info)
{
	uint64_t h = 14695981039346656037u;

	for (uint32_t i = 0; i < info->nkeywords; i++) {
		const char *name = info->keywords[i] != NULL ? info->keywords[i] : "";

		for (; *name != '\0'; name++)
			h = (h ^ (unsigned char)*name) * 1099511628211u;
		h = (h ^ 0x100) * 1099511628211u;
	}
	return h;
}

struct resp_flags
updates_flags(const struct session *s, const struct index_record *r, const struct index_info *info)
{
	return (struct resp_flags){
		.recent = !s->rev2 && uidset_has(&s->sel.recent, r->uid),
		.flags = r->flags,
		.keywords = r->keywords,
		.names = info->keywords,
		.nnames = info->nkeywords,
	};
}

enum rk_status
updates_info(struct session *s, struct rk_arena *mem, struct index_info *out, struct rk_err *err)
{
	enum rk_status status = mailbox_info(s->sel.box, mem, out, err);
	uint64_t hash;

	if (status != RK_OK)
		return status;
	hash = keywords_hash(out);
	if (hash != s->sel.keywords) {
		struct resp_flags flags = {
			.flags = RK_FLAGS_ALL,
			.names = out->keywords,
			.nnames = out->nkeywords,
		};

		memset(&flags.keywords, 0xff, sizeof(flags.keywords));
		s->sel.keywords = hash;
		resp_flags(out_buf(s->out), &flags);
	}
	return RK_OK;
}

void
updates_clear(struct session *s)
{
	if (s->updates.phase != UPDATES_NONE)
		view_diff_clear(&s->updates.diff);
	uidset_clear(&s->updates.loud);
	uidset_clear(&s->updates.silent);
	s->updates = (struct updates){ .phase = UPDATES_NONE };
}

/* UIDs among `arrived` that no session took before. A store that can't be changed has none: nobody
 * could take them. An index that was just dropped has forgotten it, and nobody is harmed. */
static void
recent_take(struct session *s, const struct uidset *arrived)
{
	uint32_t last = uidset_max(arrived), first;
	struct uidset fresh = UIDSET_INIT;
	struct rk_err err;

	if (last == 0 || !mailbox_writable(s->sel.box) ||
	    mailbox_recent(s->sel.box, !s->sel.readonly, &first, &err) != RK_OK || first > last)
		return;
	uidset_add(&fresh, first > 0 ? first : 1, last);
	uidset_intersect(&fresh, arrived);
	for (size_t i = 0; i < fresh.n; i++)
		uidset_add(&s->sel.recent, fresh.runs[i].first, fresh.runs[i].last);
	uidset_clear(&fresh);
}

void
updates_recent(struct session *s, const struct uidset *arrived, bool always)
{
	struct uidset there = UIDSET_INIT;
	uint32_t n;

	if (s->rev2)
		return;
	recent_take(s, arrived);
	uidset_copy(&there, &s->sel.recent);
	uidset_intersect(&there, &s->sel.view.uids);
	n = uidset_count(&there);
	uidset_clear(&there);
	if (always || n != s->sel.recent_told)
		resp_recent(out_buf(s->out), n);
	s->sel.recent_told = n;
}

enum rk_status
updates_others(struct session *s, struct uidset *out, struct rk_err *err)
{
	struct view_diff diff = { 0 };
	enum rk_status status = view_compare(&s->sel.view, s->sel.box, &diff, err);

	if (status != RK_OK)
		return status;
	uidset_copy(out, &diff.flags);
	view_diff_clear(&diff);
	return RK_OK;
}

/* The view moves; from here on sequence numbers are the new ones. */
static void
view_move(struct session *s, bool expunges_told)
{
	struct updates *u = &s->updates;
	bool arrived = u->diff.arrived.n > 0;

	view_advance(&s->sel.view, &u->diff, expunges_told);
	if (arrived) {
		resp_exists(out_buf(s->out), view_exists(&s->sel.view));
		updates_recent(s, &u->diff.arrived, false);
	}
	u->phase = UPDATES_FLAGS;
	u->next = 1;
}

static void
compare(struct session *s, struct rk_arena *mem, bool expunge)
{
	struct updates *u = &s->updates;
	struct index_info info;
	struct rk_err err;

	if (updates_info(s, mem, &info, &err) != RK_OK) {
		failed("info", &err);
		return;
	}
	if (!updates_same_mailbox(s, &info)) {
		gone(s, "The selected mailbox was replaced by another", "mailbox-replaced");
		return;
	}
	if (info.highest_modseq == s->sel.view.modseq && s->sel.view.expunged.n == 0 &&
	    u->loud.n == 0)
		return;
	if (view_compare(&s->sel.view, s->sel.box, &u->diff, &err) != RK_OK) {
		failed("compare", &err);
		return;
	}
	uidset_subtract(&u->diff.flags, &u->silent);
	for (size_t i = 0; i < u->loud.n; i++)
		uidset_add(&u->diff.flags, u->loud.runs[i].first, u->loud.runs[i].last);
	u->phase = UPDATES_EXPUNGE;
	u->next = uidset_max(&u->diff.expunged);
	if (!expunge || u->next == 0)
		view_move(s, false);
}

void
updates_begin(struct session *s, bool expunge)
{
	struct rk_arena *mem;

	if (s->sel.box == NULL || s->state == ST_LOGOUT)
		return;
	/* Not the command's memory: IDLE is one command of half an hour. */
	mem = arena_new();
	compare(s, mem, expunge);
	arena_free(mem);
}

/* The greatest UID of `set` below `uid`, 0 if there is none. */
static uint32_t
uid_before(const struct uidset *set, uint32_t uid)
{
	for (size_t i = set->n; i > 0; i--) {
		const struct uidrun *r = &set->runs[i - 1];

		if (r->first < uid)
			return r->last < uid ? r->last : uid - 1;
	}
	return 0;
}

/* From the highest down, so that no EXPUNGE changes the number of one still to be told. */
static enum cmd_step
expunges_tell(struct session *s)
{
	struct updates *u = &s->updates;

	while (u->next != 0) {
		uint32_t seq = view_seq(&s->sel.view, u->next);

		if (out_full(s->out))
			return CMD_WAIT;
		if (seq != 0)
			resp_expunge(out_buf(s->out), seq);
		u->next = uid_before(&u->diff.expunged, u->next);
	}
	view_move(s, true);
	return CMD_DONE;
}

static enum rk_status
flags_batch(struct session *s, struct rk_arena *mem, size_t *told_out, struct rk_err *err)
{
	struct updates *u = &s->updates;
	struct index_query query = { .uids = &u->diff.flags, .from = u->next, .max = BATCH };
	struct index_records got = { 0 };
	struct index_info info;
	enum rk_status status = updates_info(s, mem, &info, err);

	*told_out = 0;
	if (status == RK_OK)
		status = mailbox_records(s->sel.box, &query, mem, &got, err);
	if (status != RK_OK)
		return status;
	*told_out = got.n;
	for (size_t i = 0; i < got.n; i++) {
		const struct index_record *r = &got.list[i];
		struct resp_flags flags = updates_flags(s, r, &info);
		uint32_t seq = view_seq(&s->sel.view, r->uid);
		struct resp_fetch f;

		u->next = r->uid == UINT32_MAX ? 0 : r->uid + 1;
		if (seq == 0)
			continue;
		resp_fetch_begin(&f, out_buf(s->out), seq);
		resp_fetch_uid(&f, r->uid);
		resp_fetch_flags(&f, &flags);
		resp_fetch_end(&f);
	}
	return RK_OK;
}

static enum cmd_step
flags_tell(struct session *s)
{
	struct rk_arena *mem = arena_new();
	enum cmd_step step = CMD_DONE;
	struct rk_err err;
	size_t told = 1;

	while (s->updates.diff.flags.n > 0 && s->updates.next != 0 && told > 0) {
		if (out_full(s->out)) {
			step = CMD_WAIT;
			break;
		}
		if (flags_batch(s, mem, &told, &err) != RK_OK) {
			failed("flags", &err);
			break;
		}
		arena_reset(mem);
	}
	arena_free(mem);
	return step;
}

enum cmd_step
updates_step(struct session *s)
{
	if (s->updates.phase == UPDATES_EXPUNGE && expunges_tell(s) == CMD_WAIT)
		return CMD_WAIT;
	if (s->updates.phase == UPDATES_FLAGS && flags_tell(s) == CMD_WAIT)
		return CMD_WAIT;
	updates_clear(s);
	return CMD_DONE;
}
