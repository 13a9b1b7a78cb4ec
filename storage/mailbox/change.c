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

enum rk_status
mailbox_append(struct mailbox *mb, const struct rk_new_msg *msgs, size_t n, struct rk_arena *mem,
    struct rk_uids *out, struct rk_err *err)
{
	enum rk_status status = box_append(&mb->box, msgs, n, mem, out, err);

	if (status == RK_OK)
		show(mb);
	return status;
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
	enum rk_status status;

	*out = (struct mailbox_copied){ 0 };
	status = refs_all(mb, what->uids, mem, &refs, err);
	if (status != RK_OK || refs.n == 0)
		return status;
	copy.refs = refs.list;
	copy.n = refs.n;
	status = box_copy(&mb->box, &copy, mem, &given, err);
	if (status == RK_OK)
		copied_fill(&refs, &given, mem, out);
	/* Also after a failure: a move may have come half of its way. */
	show(what->to);
	if (what->move)
		show(mb);
	return status;
}

/* Removes those of a batch that have \Deleted. */
static enum rk_status
deleted_remove(struct mailbox *mb, const struct index_records *batch, struct rk_arena *mem,
    uint32_t *removed, struct rk_err *err)
{
	struct rk_ref *refs = rk_arena_array(mem, batch->n, sizeof(*refs));
	size_t n = 0;

	for (size_t i = 0; i < batch->n; i++) {
		if ((batch->list[i].flags & RK_FLAG_DELETED) != 0)
			refs[n++] = (struct rk_ref){ batch->list[i].uid, batch->list[i].locator };
	}
	*removed += (uint32_t)n;
	return n == 0 ? RK_OK : mb->box.driver->expunge(mb->box.handle, refs, n, err);
}

static enum rk_status
batches_remove(struct mailbox *mb, const struct uidset *uids, uint32_t *removed, struct rk_err *err)
{
	struct index_query query = { .uids = uids, .from = 1, .max = STORE_BATCH };
	struct rk_arena *mem = arena_new();
	enum rk_status status;

	for (;;) {
		struct index_records batch;

		arena_reset(mem);
		status = mailbox_records(mb, &query, mem, &batch, err);
		if (status != RK_OK || batch.n == 0)
			break;
		status = deleted_remove(mb, &batch, mem, removed, err);
		if (status != RK_OK)
			break;
		query.from = batch.list[batch.n - 1].uid + 1;
	}
	arena_free(mem);
	return status;
}

enum rk_status
mailbox_expunge(
    struct mailbox *mb, const struct uidset *uids, uint32_t *removed_out, struct rk_err *err)
{
	struct uidset all = UIDSET_INIT;
	struct rk_arena *mem = arena_new();
	struct index_info info;
	enum rk_status status = mailbox_info(mb, mem, &info, err);

	arena_free(mem);
	*removed_out = 0;
	/* The usual CLOSE: the counts say that no message need be looked at. */
	if (status != RK_OK || info.deleted == 0)
		return status;
	uidset_add(&all, 1, UINT32_MAX - 1);
	status = batches_remove(mb, uids != NULL ? uids : &all, removed_out, err);
	uidset_clear(&all);
	if (*removed_out > 0)
		show(mb);
	return status;
}

enum rk_status
mailbox_recent(struct mailbox *mb, bool take, uint32_t *first_out, struct rk_err *err)
{
	return index_recent(mb->index, mb->guid, take, first_out, err);
}
