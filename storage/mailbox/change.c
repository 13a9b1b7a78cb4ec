/*
 * Changes of a mailbox: the driver makes them, durably, and a sync brings the index up to them. A
 * change that was made stays made: when the sync behind it fails, the next one shows it, so the
 * caller is told of the change's own outcome only.
 */
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "storage/mailbox/mailbox_impl.h"

/* Messages that the driver is asked to change in one call. */
#define STORE_BATCH 4096

static void
show(struct mailbox *mb)
{
	struct rk_err err = { 0 };
	bool changed;

	if (mailbox_sync(mb, &changed, &err) != RK_OK)
		log_ev(RK_LOG_WARN, "mailbox.sync", LOG_S("box", mb->name), LOG_ERR(&err));
}

static enum rk_status
wrong(const struct mailbox *mb, const char *operation, const char *reason, struct rk_err *err)
{
	log_ev(RK_LOG_ERROR, "driver.contract", LOG_S("driver", mb->box.driver->name),
	    LOG_S("operation", operation), LOG_S("reason", reason));
	return rk_fail_plain(err, RK_CORRUPT, "driver %s: %s", mb->box.driver->name, reason);
}

/* UIDs that a driver gave: as many as messages, ascending; 0 only where one may be gone. */
static const char *
uids_wrong(const struct rk_uids *uids, size_t n, bool gaps)
{
	uint32_t last = 0;

	if (uids->n != n || (n > 0 && uids->uids == NULL))
		return "another number of UIDs than of messages";
	if (uids->uidvalidity == 0)
		return "UIDVALIDITY of 0";
	for (size_t i = 0; i < n; i++) {
		if (uids->uids[i] == 0 && gaps)
			continue;
		if (uids->uids[i] <= last)
			return "UIDs out of order";
		last = uids->uids[i];
	}
	return NULL;
}

enum rk_status
mailbox_append(struct mailbox *mb, const struct rk_new_msg *msgs, size_t n, struct rk_arena *mem,
    struct rk_uids *out, struct rk_err *err)
{
	const char *reason;
	enum rk_status status;

	*out = (struct rk_uids){ 0 };
	status = mb->box.driver->append(mb->box.handle, msgs, n, mem, out, err);
	if (status != RK_OK)
		return status;
	reason = uids_wrong(out, n, false);
	if (reason != NULL)
		return wrong(mb, "append", reason, err);
	show(mb);
	return RK_OK;
}

struct refs {
	struct rk_ref *list;
	size_t n;
};

/* Messages of `uids` from *from on, at most `max`; *from moves behind them. */
static enum rk_status
refs_read(struct mailbox *mb, struct index_query *query, struct rk_arena *mem, struct refs *out,
    struct rk_err *err)
{
	struct index_records got;
	enum rk_status status = mailbox_records(mb, query, mem, &got, err);

	out->n = 0;
	if (status != RK_OK || got.n == 0)
		return status;
	out->list = rk_arena_array(mem, got.n, sizeof(*out->list));
	for (size_t i = 0; i < got.n; i++)
		out->list[out->n++] = (struct rk_ref){ got.list[i].uid, got.list[i].locator };
	query->from = got.list[got.n - 1].uid + 1;
	return RK_OK;
}

enum rk_status
mailbox_store(struct mailbox *mb, const struct uidset *uids, const struct rk_store_change *change,
    uint32_t *missing_out, struct rk_err *err)
{
	struct index_query query = { .uids = uids, .from = 1, .max = STORE_BATCH };
	struct rk_arena *mem = arena_new();
	uint32_t found = 0;
	enum rk_status status;

	for (;;) {
		struct refs refs;

		arena_reset(mem);
		status = refs_read(mb, &query, mem, &refs, err);
		if (status != RK_OK || refs.n == 0)
			break;
		status = mb->box.driver->store(mb->box.handle, refs.list, refs.n, change, err);
		if (status != RK_OK)
			break;
		found += (uint32_t)refs.n;
	}
	arena_free(mem);
	show(mb);
	*missing_out = (uint32_t)uidset_count(uids) - found;
	return status;
}

/* All messages of `uids`: a copy takes all or none. */
static enum rk_status
refs_all(struct mailbox *mb, const struct uidset *uids, struct rk_arena *mem, struct refs *out,
    struct rk_err *err)
{
	struct index_query query = { .uids = uids, .from = 1, .max = UINT32_MAX };

	return refs_read(mb, &query, mem, out, err);
}

/* Leaves out what was gone. */
static void
copied_fill(const struct refs *refs, const struct rk_uids *given, struct rk_arena *mem,
    struct mailbox_copied *out)
{
	uint32_t *from = rk_arena_array(mem, refs->n + 1, sizeof(*from));
	uint32_t *to = rk_arena_array(mem, refs->n + 1, sizeof(*to));

	*out = (struct mailbox_copied){ .uidvalidity = given->uidvalidity, .from = from, .to = to };
	for (size_t i = 0; i < refs->n; i++) {
		if (given->uids[i] == 0)
			continue;
		from[out->n] = refs->list[i].uid;
		to[out->n++] = given->uids[i];
	}
}

enum rk_status
mailbox_copy(struct mailbox *mb, const struct mailbox_copy *what, struct rk_arena *mem,
    struct mailbox_copied *out, struct rk_err *err)
{
	struct rk_copy copy = { .to = what->to->box.handle, .move = what->move };
	struct rk_uids given = { 0 };
	struct refs refs = { 0 };
	const char *reason;
	enum rk_status status;

	*out = (struct mailbox_copied){ 0 };
	status = refs_all(mb, what->uids, mem, &refs, err);
	if (status != RK_OK || refs.n == 0)
		return status;
	copy.refs = refs.list;
	copy.n = refs.n;
	status = mb->box.driver->copy(mb->box.handle, &copy, mem, &given, err);
	if (status == RK_OK) {
		reason = uids_wrong(&given, refs.n, true);
		if (reason != NULL)
			return wrong(mb, "copy", reason, err);
		copied_fill(&refs, &given, mem, out);
	}
	/* Also after a failure: a move may have come half of its way. */
	show(what->to);
	if (what->move)
		show(mb);
	return status;
}

/* Removes those of a batch that have \Deleted. */
static enum rk_status
deleted_remove(struct mailbox *mb, const struct index_records *batch, struct rk_arena *mem,
    size_t *removed, struct rk_err *err)
{
	struct rk_ref *refs = rk_arena_array(mem, batch->n, sizeof(*refs));
	size_t n = 0;

	for (size_t i = 0; i < batch->n; i++) {
		if ((batch->list[i].flags & RK_FLAG_DELETED) != 0)
			refs[n++] = (struct rk_ref){ batch->list[i].uid, batch->list[i].locator };
	}
	*removed += n;
	return n == 0 ? RK_OK : mb->box.driver->expunge(mb->box.handle, refs, n, err);
}

enum rk_status
mailbox_expunge(struct mailbox *mb, const struct uidset *uids, struct rk_err *err)
{
	struct index_query query = { .from = 1, .max = STORE_BATCH };
	struct uidset all = UIDSET_INIT;
	struct rk_arena *mem = arena_new();
	size_t removed = 0;
	enum rk_status status;

	uidset_add(&all, 1, UINT32_MAX - 1);
	query.uids = uids != NULL ? uids : &all;
	for (;;) {
		struct index_records batch;

		arena_reset(mem);
		status = mailbox_records(mb, &query, mem, &batch, err);
		if (status != RK_OK || batch.n == 0)
			break;
		status = deleted_remove(mb, &batch, mem, &removed, err);
		if (status != RK_OK)
			break;
		query.from = batch.list[batch.n - 1].uid + 1;
	}
	arena_free(mem);
	uidset_clear(&all);
	if (removed > 0)
		show(mb);
	return status;
}

enum rk_status
mailbox_recent(struct mailbox *mb, bool take, uint32_t *first_out, struct rk_err *err)
{
	return index_recent(mb->index, mb->guid, take, first_out, err);
}
