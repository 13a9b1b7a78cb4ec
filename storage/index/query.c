/* Reading the index: one short read transaction per call, results in memory of the caller's. */
#include "storage/index/index_impl.h"

#include <stdlib.h>
#include <string.h>

static void
info_fill(struct index_info *out, const unsigned char *guid, const struct box_meta *meta)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->guid, guid, RK_GUID_LEN);
	out->uidvalidity = meta->m.uidvalidity;
	out->uidnext = meta->m.uidnext;
	out->highest_modseq = meta->m.highest;
	out->messages = meta->m.messages;
	out->unseen = meta->m.unseen;
	out->deleted = meta->m.deleted;
	out->first_unseen_uid = meta->m.first_unseen;
	out->size = meta->m.size;
	out->unknown_sizes = meta->m.unknown;
	out->nkeywords = meta->m.nkeywords;
	out->keywords = meta->keywords;
	out->state = meta->state;
}

enum rk_status
index_info(struct index *index, const unsigned char guid[RK_GUID_LEN], struct rk_arena *mem,
    struct index_info *out, struct rk_err *err)
{
	struct index_txn txn;
	struct box_meta meta;
	enum rk_status status = index_read_begin(index, &txn, err);

	if (status != RK_OK)
		return status;
	status = meta_get(txn.kv, guid, mem, &meta, err);
	index_txn_end(&txn);
	if (status == RK_OK)
		info_fill(out, guid, &meta);
	return status;
}

enum rk_status
index_guid_of(
    struct index *index, const char *name, unsigned char guid_out[RK_GUID_LEN], struct rk_err *err)
{
	size_t len = strlen(name);
	struct index_key key;
	struct index_txn txn;
	struct rk_blob value;
	enum rk_status status = index_read_begin(index, &txn, err);

	if (status != RK_OK)
		return status;
	status = kv_get(txn.kv, index_key_name(&key, name, len), &value, err);
	if (status == RK_OK && (value.len != RK_GUID_LEN + len ||
				   memcmp((const char *)value.data + RK_GUID_LEN, name, len) != 0))
		status = rk_fail_plain(err, RK_NOTFOUND, "another name of this hash");
	if (status == RK_OK)
		memcpy(guid_out, value.data, RK_GUID_LEN);
	index_txn_end(&txn);
	return status;
}

/* A mailbox under a read transaction. */
struct reading {
	struct index_txn txn;
	const unsigned char *guid;
	struct rk_arena *mem;   /* until the end */
	struct rk_arena *block; /* until the next block */
	struct box_meta meta;
	struct dir dir;
};

/* reading_end it in every case. */
static enum rk_status
reading_begin(
    struct reading *rd, struct index *index, const unsigned char *guid, struct rk_err *err)
{
	enum rk_status status;

	memset(rd, 0, sizeof(*rd));
	rd->guid = guid;
	rd->mem = arena_new();
	rd->block = arena_new();
	status = index_read_begin(index, &rd->txn, err);
	if (status == RK_OK)
		status = meta_get(rd->txn.kv, guid, rd->mem, &rd->meta, err);
	if (status == RK_OK)
		status = dir_get(rd->txn.kv, guid, &rd->meta.m, rd->mem, &rd->dir, err);
	return status;
}

static void
reading_end(struct reading *rd)
{
	index_txn_end(&rd->txn);
	arena_free(rd->block);
	arena_free(rd->mem);
}

/* All UIDs that are there. */
static enum rk_status
uids_read(struct reading *rd, struct uidset *out, struct rk_err *err)
{
	enum rk_status status = RK_OK;

	for (size_t i = 0; status == RK_OK && i < rd->dir.n; i++)
		status = block_uids(rd->txn.kv, rd->guid, &rd->dir.entries[i], out, err);
	if (status == RK_OK && uidset_count(out) != rd->meta.m.messages)
		status = rk_fail_plain(err, RK_CORRUPT, "index: UIDs do not add up");
	return status;
}

enum rk_status
index_uids(struct index *index, const unsigned char guid[RK_GUID_LEN], struct uidset *out,
    struct rk_err *err)
{
	struct reading rd;
	enum rk_status status = reading_begin(&rd, index, guid, err);

	uidset_clear(out);
	if (status == RK_OK)
		status = uids_read(&rd, out, err);
	reading_end(&rd);
	if (status != RK_OK)
		uidset_clear(out);
	return status;
}

/* First block whose last UID is >= uid. */
static size_t
dir_find(const struct dir *dir, uint32_t uid)
{
	size_t low = 0, high = dir->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (dir->entries[mid].last < uid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Appends the block's records that are wanted; `room` is the length of out->list. */
static enum rk_status
block_pick(struct reading *rd, const struct dir_entry *entry, const struct index_query *query,
    size_t room, struct index_records *out, struct rk_err *err)
{
	struct index_record *r;
	uint32_t wanted = uidset_next(query->uids, query->from);
	enum rk_status status;

	arena_reset(rd->block);
	status = block_get(rd->txn.kv, rd->guid, entry, rd->block, &r, err);
	if (status == RK_OK)
		status = locators_get(rd->txn.kv, rd->guid, entry, rd->block, r, err);
	for (uint32_t i = 0; status == RK_OK && i < entry->n && out->n < room && wanted != 0; i++) {
		if (r[i].uid > wanted)
			wanted = uidset_next(query->uids, r[i].uid);
		if (r[i].uid == wanted) {
			out->list[out->n++] = r[i];
			wanted = wanted == UINT32_MAX ? 0 : uidset_next(query->uids, wanted + 1);
		}
	}
	return status;
}

/* Copies the locators that were picked from a block out of its memory. */
static void
locators_keep(struct index_records *out, size_t from, struct rk_arena *mem)
{
	size_t bytes = 0;
	char *p;

	for (size_t i = from; i < out->n; i++)
		bytes += out->list[i].locator.len;
	p = rk_arena_alloc(mem, bytes);
	for (size_t i = from; i < out->n; i++) {
		struct rk_blob *l = &out->list[i].locator;

		if (l->len > 0)
			memcpy(p, l->data, l->len);
		l->data = p;
		p += l->len;
	}
}

static enum rk_status
records_read(struct reading *rd, const struct index_query *query, struct rk_arena *mem,
    struct index_records *out, struct rk_err *err)
{
	size_t room = query->max < rd->meta.m.messages ? query->max : rd->meta.m.messages;
	struct index_query q = *query;
	enum rk_status status = RK_OK;

	q.from = query->from == 0 ? 1 : query->from;
	out->list = rk_arena_array(mem, room, sizeof(*out->list));
	for (size_t i = dir_find(&rd->dir, q.from);
	     status == RK_OK && i < rd->dir.n && out->n < room; i++) {
		const struct dir_entry *e = &rd->dir.entries[i];
		size_t before = out->n;

		if (q.from < e->first)
			q.from = e->first;
		q.from = uidset_next(q.uids, q.from);
		if (q.from == 0)
			break;
		if (q.from > e->last)
			continue;
		status = block_pick(rd, e, &q, room, out, err);
		locators_keep(out, before, mem);
	}
	return status;
}

enum rk_status
index_records(struct index *index, const struct index_query *query, struct rk_arena *mem,
    struct index_records *out, struct rk_err *err)
{
	struct reading rd;
	enum rk_status status = reading_begin(&rd, index, query->guid, err);

	memset(out, 0, sizeof(*out));
	if (status == RK_OK)
		status = records_read(&rd, query, mem, out, err);
	reading_end(&rd);
	return status;
}

enum rk_status
index_changed(struct index *index, const unsigned char guid[RK_GUID_LEN], uint64_t modseq,
    struct uidset *out, struct rk_err *err)
{
	struct reading rd;
	enum rk_status status = reading_begin(&rd, index, guid, err);

	uidset_clear(out);
	for (size_t i = 0; status == RK_OK && i < rd.dir.n; i++) {
		const struct dir_entry *e = &rd.dir.entries[i];
		struct index_record *r;

		if (e->max_modseq <= modseq)
			continue;
		arena_reset(rd.block);
		status = block_get(rd.txn.kv, guid, e, rd.block, &r, err);
		for (uint32_t k = 0; status == RK_OK && k < e->n; k++)
			if (r[k].modseq > modseq)
				uidset_add(out, r[k].uid, r[k].uid);
	}
	reading_end(&rd);
	if (status != RK_OK)
		uidset_clear(out);
	return status;
}

enum rk_status
index_vanished(struct index *index, const unsigned char guid[RK_GUID_LEN], uint64_t modseq,
    struct uidset *out, struct rk_err *err)
{
	struct uidset present = UIDSET_INIT;
	struct reading rd;
	struct log_runs log = { 0 };
	enum rk_status status = reading_begin(&rd, index, guid, err);

	uidset_clear(out);
	if (status == RK_OK)
		status = log_get(rd.txn.kv, guid, &rd.meta.m, rd.mem, &log, err);
	if (status == RK_OK)
		status = uids_read(&rd, &present, err);
	if (status == RK_OK && modseq < rd.meta.m.log_floor && rd.meta.m.uidnext > 1)
		uidset_add(out, 1, rd.meta.m.uidnext - 1);
	for (size_t i = 0; status == RK_OK && modseq >= rd.meta.m.log_floor && i < log.n; i++)
		if (log.entries[i].modseq > modseq)
			uidset_add(out, log.entries[i].first, log.entries[i].last);
	/* A message may have come back under its UID. */
	if (status == RK_OK)
		uidset_subtract(out, &present);
	reading_end(&rd);
	uidset_clear(&present);
	return status;
}
