/*
 * A sync asks the driver for what changed since the state that the index has, and hands the answer
 * to the index, which refuses it if another process was faster: then it is asked again. A damaged
 * index is dropped once and built from an empty state; when that doesn't help either, the mailbox
 * answers RK_CORRUPT.
 */
#include "storage/mailbox/mailbox_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/bug.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/base/stream.h"

#define SYNC_TRIES 16
#define SIZES_BATCH 512
#define RESERVE_ATTR "modseq-reserve"
#define RESERVE_STEP 1000000u

enum rk_status
mailbox_open(const struct rk_driver *driver, struct rk_account *account, struct index *index,
    const char *name, struct mailbox **out, struct rk_err *err)
{
	struct mailbox *mb = calloc(1, sizeof(*mb));
	enum rk_status status;

	if (mb == NULL || (mb->name = strdup(name)) == NULL)
		rk_out_of_memory(sizeof(*mb));
	mb->box.driver = driver;
	mb->account = account;
	mb->index = index;
	status = driver->box_open(account, name, &mb->box.handle, err);
	if (status != RK_OK) {
		mb->box.handle = NULL;
		mailbox_close(mb);
		return status;
	}
	*out = mb;
	return RK_OK;
}

void
mailbox_close(struct mailbox *mb)
{
	if (mb == NULL)
		return;
	if (mb->box.handle != NULL)
		mb->box.driver->box_close(mb->box.handle);
	free(mb->name);
	free(mb);
}

const char *
mailbox_name(const struct mailbox *mb)
{
	return mb->name;
}

const unsigned char *
mailbox_guid(const struct mailbox *mb)
{
	return mb->guid;
}

bool
mailbox_writable(const struct mailbox *mb)
{
	return box_can_change(mb->box.driver);
}

/* --- the high-water mark of MODSEQ (decisions.md 2) --- */

static enum rk_status
reserve_read(struct mailbox *mb, struct rk_arena *mem, struct rk_err *err)
{
	struct rk_attr_at at = { .scope = RK_ATTR_MAILBOX, .box = mb->name };
	struct rk_blob value;
	enum rk_status status;

	if (mb->reserve_read || mb->reserve_none || mb->box.driver->attr_get == NULL)
		return RK_OK;
	status = mb->box.driver->attr_get(mb->account, &at, RESERVE_ATTR, mem, &value, err);
	if (status == RK_UNSUPPORTED)
		mb->reserve_none = true;
	if (status == RK_UNSUPPORTED || status == RK_NOTFOUND)
		return RK_OK;
	if (status != RK_OK)
		return status;
	if (!str_u64(str_of(value.data, value.len), INT64_MAX, &mb->reserve))
		return rk_fail_plain(err, RK_CORRUPT, "attribute " RESERVE_ATTR);
	mb->reserve_read = true;
	index_raise_modseq(mb->index, mb->reserve);
	return RK_OK;
}

/* Before a new MODSEQ is told, the mark stands above it. */
static enum rk_status
reserve_keep(struct mailbox *mb, struct rk_arena *mem, struct rk_err *err)
{
	struct rk_attr_at at = { .scope = RK_ATTR_MAILBOX, .box = mb->name };
	struct index_info info;
	struct rk_blob value;
	char text[24];
	struct rk_err why = { 0 };
	enum rk_status status;

	if (mb->reserve_none || mb->box.driver->attr_set == NULL)
		return RK_OK;
	status = index_info(mb->index, mb->guid, mem, &info, err);
	if (status != RK_OK || info.highest_modseq <= mb->reserve)
		return status;
	value.data = text;
	value.len =
	    (size_t)snprintf(text, sizeof(text), "%" PRIu64, info.highest_modseq + RESERVE_STEP);
	status = mb->box.driver->attr_set(mb->account, &at, RESERVE_ATTR, &value, &why);
	if (status == RK_OK) {
		mb->reserve = info.highest_modseq + RESERVE_STEP;
		mb->reserve_read = true;
		return RK_OK;
	}
	/* The clock in modseq_start still guards it. */
	if (status != RK_UNSUPPORTED)
		log_ev(RK_LOG_WARN, "mailbox.reserve", LOG_S("box", mb->name), LOG_ERR(&why));
	mb->reserve_none = true;
	return RK_OK;
}

/* --- sync --- */

/* What the index has of the mailbox: its state, and what a delta is checked against. */
static enum rk_status
before_read(struct mailbox *mb, struct rk_arena *mem, struct box_before *before, struct rk_err *err)
{
	struct index_info info;
	enum rk_status status = RK_OK;

	memset(before, 0, sizeof(*before));
	if (!mb->known)
		status = index_guid_of(mb->index, mb->name, mb->guid, err);
	if (status == RK_OK)
		status = index_info(mb->index, mb->guid, mem, &info, err);
	if (status == RK_NOTFOUND)
		return RK_OK;
	if (status != RK_OK)
		return status;
	mb->known = true;
	memcpy(before->guid, mb->guid, RK_GUID_LEN);
	before->uidvalidity = info.uidvalidity;
	before->uidnext = info.uidnext;
	before->state = info.state;
	return RK_OK;
}

/* One round. RK_AGAIN: another process was faster, or it is another mailbox than we thought.
 * *index_failed tells whose failure it is. */
static enum rk_status
sync_once(struct mailbox *mb, bool *changed_out, bool *index_failed, struct rk_arena *mem,
    struct rk_err *err)
{
	struct box_before before;
	struct rk_blob base;
	struct rk_delta delta;
	enum rk_status status = before_read(mb, mem, &before, err);

	base = before.state;
	*index_failed = status != RK_OK;
	if (status == RK_OK && before.uidvalidity == 0)
		status = reserve_read(mb, mem, err);
	if (status == RK_OK)
		status = box_sync(&mb->box, &before, mem, &delta, err);
	if (status != RK_OK)
		return status;
	if (mb->known && memcmp(mb->guid, delta.guid, RK_GUID_LEN) != 0) {
		memcpy(mb->guid, delta.guid, RK_GUID_LEN);
		return rk_fail_plain(err, RK_AGAIN, "the name has another mailbox now");
	}
	memcpy(mb->guid, delta.guid, RK_GUID_LEN);
	mb->known = true;
	/* Everything is to be forgotten, so everything must be listed. */
	if (before.uidvalidity != 0 && before.uidvalidity != delta.uidvalidity &&
	    delta.kind != RK_DELTA_FULL) {
		before.state = (struct rk_blob){ NULL, 0 };
		status = box_sync(&mb->box, &before, mem, &delta, err);
		if (status != RK_OK)
			return status;
	}
	status = index_apply(mb->index, mb->name, base, &delta, changed_out, err);
	if (status == RK_OK && *changed_out)
		status = reserve_keep(mb, mem, err);
	*index_failed = status != RK_OK;
	return status;
}

enum rk_status
mailbox_sync(struct mailbox *mb, bool *changed_out, struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	bool reset = false;
	enum rk_status status = RK_AGAIN;

	*changed_out = false;
	for (int i = 0; i < SYNC_TRIES && status == RK_AGAIN; i++) {
		bool index_failed = false;

		arena_reset(mem);
		status = sync_once(mb, changed_out, &index_failed, mem, err);
		/* An index that is full is as good as a damaged one. */
		if (index_failed && !reset && (status == RK_CORRUPT || status == RK_LIMIT)) {
			reset = true;
			status = index_reset(mb->index, err, err);
			if (status == RK_OK)
				status = RK_AGAIN;
		}
	}
	arena_free(mem);
	if (status == RK_AGAIN)
		return rk_fail_plain(
		    err, RK_INUSE, "%s changes faster than it can be read", mb->name);
	if (reset)
		*changed_out = true;
	return status;
}

/* After a failed read: true when the mailbox was built anew and the read is worth another try. */
static bool
recover(struct mailbox *mb, enum rk_status *status, struct rk_err *err)
{
	bool changed;

	if (*status == RK_CORRUPT)
		*status = index_reset(mb->index, err, err);
	else if (*status == RK_NOTFOUND)
		*status = RK_OK; /* another process dropped the index */
	else
		return false;
	if (*status == RK_OK)
		*status = mailbox_sync(mb, &changed, err);
	return *status == RK_OK;
}

enum rk_status
mailbox_info(struct mailbox *mb, struct rk_arena *mem, struct index_info *out, struct rk_err *err)
{
	enum rk_status status = index_info(mb->index, mb->guid, mem, out, err);

	if (status != RK_OK && recover(mb, &status, err))
		status = index_info(mb->index, mb->guid, mem, out, err);
	return status;
}

enum rk_status
mailbox_uids(struct mailbox *mb, struct uidset *out, struct rk_err *err)
{
	enum rk_status status = index_uids(mb->index, mb->guid, out, err);

	if (status != RK_OK && recover(mb, &status, err))
		status = index_uids(mb->index, mb->guid, out, err);
	return status;
}

enum rk_status
mailbox_changed(struct mailbox *mb, uint64_t modseq, struct uidset *out, struct rk_err *err)
{
	enum rk_status status = index_changed(mb->index, mb->guid, modseq, out, err);

	if (status != RK_OK && recover(mb, &status, err))
		status = index_changed(mb->index, mb->guid, modseq, out, err);
	return status;
}

enum rk_status
mailbox_records(struct mailbox *mb, const struct index_query *query, struct rk_arena *mem,
    struct index_records *out, struct rk_err *err)
{
	struct index_query mine = *query;
	enum rk_status status;

	mine.guid = mb->guid;
	status = index_records(mb->index, &mine, mem, out, err);
	if (status != RK_OK && recover(mb, &status, err))
		status = index_records(mb->index, &mine, mem, out, err);
	return status;
}

enum rk_status
mailbox_body(
    struct mailbox *mb, const struct index_record *record, struct rk_body *out, struct rk_err *err)
{
	struct rk_ref ref = { .uid = record->uid, .locator = record->locator };

	return box_body(&mb->box, &ref, out, err);
}

static enum rk_status
size_count(const struct rk_body *body, uint64_t *out, struct rk_err *err)
{
	struct stream *s;
	enum rk_status status;

	if (body->eol == RK_EOL_CRLF) {
		*out = body->size;
		return RK_OK;
	}
	s = stream_crlf(stream_from_fd(body->fd, body->offset, body->size));
	status = stream_skip(s, UINT64_MAX, out, err);
	stream_free(s);
	return status;
}

static enum rk_status
size_read(struct mailbox *mb, struct index_record *record, struct rk_err *err)
{
	struct rk_body body;
	enum rk_status status = mailbox_body(mb, record, &body, err);

	if (status != RK_OK)
		return status;
	status = size_count(&body, &record->size, err);
	close(body.fd);
	if (status != RK_OK)
		record->size = RK_SIZE_UNKNOWN;
	return status;
}

/* Keeping sizes is a favour to the next one; a read of the index will find any damage. */
static void
sizes_keep(struct mailbox *mb, const struct index_size *sizes, size_t n)
{
	struct rk_err err = { 0 };

	if (index_set_sizes(mb->index, mb->guid, sizes, n, &err) != RK_OK)
		log_ev(RK_LOG_DEBUG, "mailbox.size", LOG_S("box", mb->name), LOG_ERR(&err));
}

enum rk_status
mailbox_size(struct mailbox *mb, struct index_record *record, struct rk_err *err)
{
	struct index_size size = { .uid = record->uid };
	enum rk_status status;

	if (record->size != RK_SIZE_UNKNOWN)
		return RK_OK;
	status = size_read(mb, record, err);
	if (status != RK_OK)
		return status;
	size.size = record->size;
	sizes_keep(mb, &size, 1);
	return RK_OK;
}

/* Sizes of a batch that nobody knows; messages that are gone meanwhile are left out. */
static enum rk_status
sizes_batch(struct mailbox *mb, const struct index_records *batch, struct rk_err *err)
{
	struct index_size sizes[SIZES_BATCH];
	enum rk_status status = RK_OK;
	size_t n = 0;

	for (size_t i = 0; status == RK_OK && i < batch->n; i++) {
		struct index_record *r = &batch->list[i];

		if (r->size != RK_SIZE_UNKNOWN)
			continue;
		status = size_read(mb, r, err);
		if (status == RK_OK)
			sizes[n++] = (struct index_size){ r->uid, r->size };
		else if (status == RK_EXPIRED)
			status = RK_OK;
	}
	if (n > 0)
		sizes_keep(mb, sizes, n);
	return status;
}

enum rk_status
mailbox_sizes(struct mailbox *mb, struct rk_err *err)
{
	struct uidset all = UIDSET_INIT;
	struct index_query query = { .uids = &all, .from = 1, .max = SIZES_BATCH };
	struct rk_arena *mem = arena_new();
	enum rk_status status = RK_OK;

	uidset_add(&all, 1, UINT32_MAX - 1);
	while (status == RK_OK) {
		struct index_records batch;

		arena_reset(mem);
		status = mailbox_records(mb, &query, mem, &batch, err);
		if (status != RK_OK || batch.n == 0)
			break;
		status = sizes_batch(mb, &batch, err);
		query.from = batch.list[batch.n - 1].uid + 1;
	}
	uidset_clear(&all);
	arena_free(mem);
	return status;
}

enum rk_status
mailbox_watch(struct mailbox *mb, struct rk_watch *out, struct rk_err *err)
{
	out->fd = -1;
	out->poll_ms = 0;
	return mb->box.driver->watch(mb->box.handle, out, err);
}

enum rk_status
mailbox_cached(struct mailbox *mb, const struct index_cached_query *query, struct rk_arena *mem,
    struct index_cached_msg *out, struct rk_err *err)
{
	struct index_cached_query mine = *query;
	enum rk_status status;

	mine.guid = mb->guid;
	status = index_cached(mb->index, &mine, mem, out, err);
	if (status != RK_OK && recover(mb, &status, err))
		status = index_cached(mb->index, &mine, mem, out, err);
	return status;
}

void
mailbox_cache_keep(
    struct mailbox *mb, const struct index_cached_query *query, const struct index_cached_msg *msgs)
{
	struct index_cached_query mine = *query;
	struct rk_err err = { 0 };

	mine.guid = mb->guid;
	if (index_cache_keep(mb->index, &mine, msgs, &err) != RK_OK)
		log_ev(RK_LOG_DEBUG, "mailbox.cache", LOG_S("box", mb->name), LOG_ERR(&err));
}
