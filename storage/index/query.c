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

/* Transaction, meta and directory of a mailbox; ends the transaction when it fails. */
static enum rk_status
box_begin(struct index *index, const unsigned char *guid, struct rk_arena *mem,
    struct index_txn *txn, struct box_meta *meta, struct dir *dir, struct rk_err *err)
{
	enum rk_status status = index_read_begin(index, txn, err);

	if (status != RK_OK)
		return status;
	status = meta_get(txn->kv, guid, mem, meta, err);
	if (status == RK_OK)
		status = dir_get(txn->kv, guid, &meta->m, mem, dir, err);
	if (status != RK_OK)
		index_txn_end(txn);
	return status;
}

enum rk_status
index_uids(struct index *index, const unsigned char guid[RK_GUID_LEN], struct uidset *out,
    struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	struct index_txn txn;
	struct box_meta meta;
	struct dir dir;
	enum rk_status status = box_begin(index, guid, mem, &txn, &meta, &dir, err);

	uidset_clear(out);
	for (size_t i = 0; status == RK_OK && i < dir.n; i++)
		status = block_uids(txn.kv, guid, &dir.entries[i], out, err);
	index_txn_end(&txn);
	arena_free(mem);
	if (status == RK_OK && uidset_count(out) != meta.m.messages)
		status = rk_fail_plain(err, RK_CORRUPT, "index: UIDs do not add up");
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

/* Appends the block's records that are wanted, from UID `from` on. */
static enum rk_status
block_pick(struct index_txn *txn, const unsigned char *guid, const struct dir_entry *entry,
    const struct uidset *uids, uint32_t from, struct rk_arena *mem, struct index_record *out,
    size_t max, size_t *n, struct rk_err *err)
{
	struct index_record *r;
	uint32_t wanted = uidset_next(uids, from);
	enum rk_status status = block_get(txn->kv, guid, entry, mem, &r, err);

	if (status == RK_OK)
		status = locators_get(txn->kv, guid, entry, mem, r, err);
	for (uint32_t i = 0; status == RK_OK && i < entry->n && *n < max && wanted != 0; i++) {
		if (r[i].uid < wanted)
			continue;
		if (r[i].uid > wanted)
			wanted = uidset_next(uids, r[i].uid);
		if (r[i].uid == wanted) {
			out[(*n)++] = r[i];
			wanted = wanted == UINT32_MAX ? 0 : uidset_next(uids, wanted + 1);
		}
	}
	return status;
}

enum rk_status
index_records(struct index *index, const unsigned char guid[RK_GUID_LEN], const struct uidset *uids,
    uint32_t from, size_t max, struct rk_arena *mem, struct index_record **out, size_t *n_out,
    struct rk_err *err)
{
	struct rk_arena *tmp = arena_new();
	struct index_txn txn;
	struct box_meta meta;
	struct dir dir;
	size_t room;
	enum rk_status status = box_begin(index, guid, tmp, &txn, &meta, &dir, err);

	*n_out = 0;
	if (from == 0)
		from = 1;
	if (status == RK_OK) {
		room = max < meta.m.messages ? max : meta.m.messages;
		*out = rk_arena_array(mem, room, sizeof(**out));
		for (size_t i = dir_find(&dir, from); status == RK_OK && i < dir.n && *n_out < room;
		     i++) {
			const struct dir_entry *e = &dir.entries[i];
			uint32_t next = uidset_next(uids, from > e->first ? from : e->first);

			if (next == 0)
				break;
			if (next <= e->last)
				status = block_pick(
				    &txn, guid, e, uids, next, mem, *out, room, n_out, err);
		}
	}
	index_txn_end(&txn);
	arena_free(tmp);
	return status;
}

enum rk_status
index_changed(struct index *index, const unsigned char guid[RK_GUID_LEN], uint64_t modseq,
    struct uidset *out, struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	struct rk_arena *block = arena_new();
	struct index_txn txn;
	struct box_meta meta;
	struct dir dir;
	enum rk_status status = box_begin(index, guid, mem, &txn, &meta, &dir, err);

	uidset_clear(out);
	for (size_t i = 0; status == RK_OK && i < dir.n; i++) {
		struct index_record *r;

		if (dir.entries[i].max_modseq <= modseq)
			continue;
		arena_reset(block);
		status = block_get(txn.kv, guid, &dir.entries[i], block, &r, err);
		for (uint32_t k = 0; status == RK_OK && k < dir.entries[i].n; k++)
			if (r[k].modseq > modseq)
				uidset_add(out, r[k].uid, r[k].uid);
	}
	index_txn_end(&txn);
	arena_free(block);
	arena_free(mem);
	if (status != RK_OK)
		uidset_clear(out);
	return status;
}

enum rk_status
index_vanished(struct index *index, const unsigned char guid[RK_GUID_LEN], uint64_t modseq,
    struct uidset *out, struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	struct uidset present = UIDSET_INIT;
	struct index_txn txn;
	struct box_meta meta;
	struct log_runs log;
	struct dir dir;
	enum rk_status status = box_begin(index, guid, mem, &txn, &meta, &dir, err);

	uidset_clear(out);
	if (status == RK_OK)
		status = log_get(txn.kv, guid, &meta.m, mem, &log, err);
	for (size_t i = 0; status == RK_OK && i < dir.n; i++)
		status = block_uids(txn.kv, guid, &dir.entries[i], &present, err);
	index_txn_end(&txn);
	if (status == RK_OK && modseq < meta.m.log_floor && meta.m.uidnext > 1)
		uidset_add(out, 1, meta.m.uidnext - 1);
	for (size_t i = 0; status == RK_OK && modseq >= meta.m.log_floor && i < log.n; i++)
		if (log.entries[i].modseq > modseq)
			uidset_add(out, log.entries[i].first, log.entries[i].last);
	/* A message may have come back under its UID. */
	if (status == RK_OK)
		uidset_subtract(out, &present);
	uidset_clear(&present);
	arena_free(mem);
	return status;
}
