/* What the index learns without a change of the mailbox: RFC822.SIZEs that were computed later
 * (columns rewritten in their place, no MODSEQ), and how far \Recent was given away. */
#include "storage/index/index_impl.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/bug.h"

struct sizes {
	struct kv_txn *txn;
	struct rk_arena *mem;
	struct rk_arena *block;
	struct box_meta meta;
	struct dir dir;
	bool written;
};

static int
size_order(const void *a, const void *b)
{
	const struct index_size *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static enum rk_status
block_sizes(struct sizes *sz, const unsigned char *guid, struct dir_entry *entry,
    const struct index_size *sizes, size_t n, struct rk_err *err)
{
	struct index_record *r;
	bool any = false;
	size_t k = 0;
	enum rk_status status;

	arena_reset(sz->block);
	status = block_get(sz->txn, guid, entry, sz->block, &r, err);
	for (uint32_t i = 0; status == RK_OK && i < entry->n; i++) {
		while (k < n && sizes[k].uid < r[i].uid)
			k++;
		if (k < n && sizes[k].uid == r[i].uid && r[i].size == RK_SIZE_UNKNOWN) {
			r[i].size = sizes[k].size;
			any = true;
		}
	}
	if (status != RK_OK || !any)
		return status;
	entry->gen = sz->meta.m.gen;
	sz->written = true;
	return block_put(sz->txn, guid, entry, r, err);
}

static enum rk_status
sizes_run(struct sizes *sz, const unsigned char *guid, const struct index_size *sizes, size_t n,
    struct rk_err *err)
{
	size_t k = 0;
	enum rk_status status = meta_get(sz->txn, guid, sz->mem, &sz->meta, err);

	if (status == RK_OK)
		status = dir_get(sz->txn, guid, &sz->meta.m, sz->mem, &sz->dir, err);
	sz->meta.m.gen++;
	for (size_t i = 0; status == RK_OK && i < sz->dir.n; i++) {
		struct dir_entry *e = &sz->dir.entries[i];
		size_t first;

		while (k < n && sizes[k].uid < e->first)
			k++;
		for (first = k; k < n && sizes[k].uid <= e->last; k++)
			continue;
		if (k > first && e->unknown > 0)
			status = block_sizes(sz, guid, e, sizes + first, k - first, err);
	}
	if (status != RK_OK || !sz->written)
		return status;
	sz->meta.m.dir_gen = sz->meta.m.gen;
	dir_total(&sz->dir, &sz->meta.m);
	status = dir_put(sz->txn, guid, sz->meta.m.gen, &sz->dir, err);
	return status == RK_OK ? meta_put(sz->txn, guid, &sz->meta, err) : status;
}

enum rk_status
index_set_sizes(struct index *index, const unsigned char guid[RK_GUID_LEN],
    const struct index_size *sizes, size_t n, struct rk_err *err)
{
	struct index_size *sorted = calloc(n > 0 ? n : 1, sizeof(*sorted));
	enum rk_status status;

	if (sorted == NULL)
		rk_out_of_memory(n * sizeof(*sorted));
	if (n > 0)
		memcpy(sorted, sizes, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), size_order);
	do {
		struct index_txn txn;
		struct sizes sz = { 0 };

		status = index_write_begin(index, &txn, err);
		if (status != RK_OK)
			break;
		sz.txn = txn.kv;
		sz.mem = arena_new();
		sz.block = arena_new();
		status = sizes_run(&sz, guid, sorted, n, err);
		if (status == RK_OK && sz.written)
			status = index_txn_commit(&txn, false, err);
		index_txn_end(&txn);
		arena_free(sz.mem);
		arena_free(sz.block);
	} while (status == RK_AGAIN);
	free(sorted);
	return status;
}

/* `write`: what was not taken yet is taken. *due_out: there was some. */
static enum rk_status
recent_run(struct kv_txn *txn, const unsigned char *guid, bool write, uint32_t *first_out,
    bool *due_out, struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	struct box_meta meta;
	enum rk_status status = meta_get(txn, guid, mem, &meta, err);

	if (status == RK_OK) {
		*first_out = meta.m.recent;
		*due_out = meta.m.recent < meta.m.uidnext;
		meta.m.recent = meta.m.uidnext;
	}
	if (status == RK_OK && write && *due_out)
		status = meta_put(txn, guid, &meta, err);
	arena_free(mem);
	return status;
}

static enum rk_status
recent_once(struct index *index, const unsigned char *guid, bool write, uint32_t *first_out,
    bool *due_out, struct rk_err *err)
{
	struct index_txn txn;
	enum rk_status status =
	    write ? index_write_begin(index, &txn, err) : index_read_begin(index, &txn, err);

	if (status != RK_OK)
		return status;
	status = recent_run(txn.kv, guid, write, first_out, due_out, err);
	if (status == RK_OK && write)
		status = index_txn_commit(&txn, false, err);
	index_txn_end(&txn);
	return status;
}

enum rk_status
index_recent(struct index *index, const unsigned char guid[RK_GUID_LEN], bool take,
    uint32_t *first_out, struct rk_err *err)
{
	bool due = false;
	/* The usual SELECT finds nothing to take, and needs no lock for that. */
	enum rk_status status = recent_once(index, guid, false, first_out, &due, err);

	if (status != RK_OK || !take || !due)
		return status;
	do
		status = recent_once(index, guid, true, first_out, &due, err);
	while (status == RK_AGAIN);
	return status;
}
