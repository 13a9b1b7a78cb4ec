/*
 * From delta to index, in time linear in the messages of both. The blocks are walked in order
 * beside the delta; each block owns the UIDs from behind its predecessor up to before its successor
 * (its span), the last one all above.
 *
 * Outcome for one block: nothing differs, it stays as it is; only columns differ (flags mostly), it
 * is written in its place and its locators stay; or messages come, go or move, then its messages
 * go through `pending`, from which new blocks are cut. A delta of changes loads only the blocks
 * that it touches.
 *
 * One apply gives one new MODSEQ to all that it changes. Commits that told a new one are durable:
 * what a client saw must not come back to mean something else.
 */
#include "storage/index/index_impl.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/bug.h"

#define DIFF_TOLD 1u    /* clients see it: new MODSEQ */
#define DIFF_QUIET 2u   /* they don't: date, size */
#define DIFF_LOCATOR 4u /* the locators are to be written */
#define DIFF_SHAPE 8u   /* messages come or go */

struct apply {
	struct kv_txn *txn;
	const struct rk_delta *delta;
	struct rk_arena *mem;   /* until the end */
	struct rk_arena *block; /* until the next block */
	struct box_meta meta;
	struct dir old;
	struct dir fresh;
	struct uidset gone;
	struct rk_keywords renamed; /* positions that mean another word than before */
	bool any_renamed;
	bool told;       /* the new MODSEQ was given to something */
	bool columns;    /* some block was written */
	uint64_t modseq; /* the new one */
	size_t next_msg; /* of the delta */
	size_t next_gone;
	struct index_record *pending;
	uint32_t npending;
	char *pending_locators;
	size_t pending_bytes;
};

static struct dir_entry *
fresh_add(struct apply *ap, const struct dir_entry *entry)
{
	struct dir *dir = &ap->fresh;

	if (dir->n == dir->cap) {
		dir->cap = dir->cap == 0 ? 64 : dir->cap * 2;
		dir->entries = realloc(dir->entries, dir->cap * sizeof(*dir->entries));
		if (dir->entries == NULL)
			rk_out_of_memory(dir->cap * sizeof(*dir->entries));
	}
	dir->entries[dir->n] = *entry;
	return &dir->entries[dir->n++];
}

static enum rk_status
pending_flush(struct apply *ap, struct rk_err *err)
{
	struct dir_entry entry = { .n = ap->npending };
	struct dir_entry *e;
	enum rk_status status;

	if (ap->npending == 0)
		return RK_OK;
	entry.id = ap->meta.m.next_block++;
	entry.gen = entry.locators_gen = ap->meta.m.gen;
	e = fresh_add(ap, &entry);
	status = block_put(ap->txn, ap->delta->guid, e, ap->pending, err);
	if (status == RK_OK)
		status = locators_put(ap->txn, ap->delta->guid, e, ap->pending, err);
	ap->npending = 0;
	ap->pending_bytes = 0;
	ap->columns = true;
	return status;
}

static enum rk_status
pending_add(struct apply *ap, const struct index_record *record, struct rk_err *err)
{
	struct index_record *r;

	if (ap->npending == BLOCK_MAX || ap->pending_bytes + record->locator.len > LOCATORS_MAX) {
		enum rk_status status = pending_flush(ap, err);

		if (status != RK_OK)
			return status;
	}
	r = &ap->pending[ap->npending++];
	*r = *record;
	if (r->locator.len > 0)
		memcpy(ap->pending_locators + ap->pending_bytes, r->locator.data, r->locator.len);
	r->locator.data = ap->pending_locators + ap->pending_bytes;
	ap->pending_bytes += r->locator.len;
	return RK_OK;
}

static bool
keywords_meet(const struct rk_keywords *a, const struct rk_keywords *b)
{
	for (size_t i = 0; i < RK_KEYWORDS_MAX / 64; i++)
		if ((a->bits[i] & b->bits[i]) != 0)
			return true;
	return false;
}

static bool
blob_equal(struct rk_blob a, struct rk_blob b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Makes `r` what the driver says of it; DIFF_ bits of what was different. */
static unsigned
record_update(struct apply *ap, struct index_record *r, const struct rk_msg *msg)
{
	unsigned diff = 0;

	if (ap->any_renamed && keywords_meet(&r->keywords, &ap->renamed))
		diff |= DIFF_TOLD;
	if (msg == NULL)
		goto out;
	if (r->flags != msg->flags ||
	    memcmp(&r->keywords, &msg->keywords, sizeof(r->keywords)) != 0)
		diff |= DIFF_TOLD;
	if (r->internal_date != msg->internal_date)
		diff |= DIFF_QUIET;
	if (msg->size != RK_SIZE_UNKNOWN && r->size != msg->size) {
		diff |= DIFF_QUIET;
		r->size = msg->size;
	}
	if (!blob_equal(r->locator, msg->locator))
		diff |= DIFF_LOCATOR;
	r->flags = msg->flags;
	r->keywords = msg->keywords;
	r->internal_date = msg->internal_date;
	r->locator = msg->locator;
out:
	if ((diff & DIFF_TOLD) != 0) {
		r->modseq = ap->modseq;
		ap->told = true;
	}
	return diff;
}

static struct index_record
record_new(struct apply *ap, const struct rk_msg *msg)
{
	struct index_record r = { .uid = msg->uid,
		.flags = msg->flags,
		.keywords = msg->keywords,
		.modseq = ap->modseq,
		.internal_date = msg->internal_date,
		.size = msg->size,
		.locator = msg->locator };

	ap->told = true;
	return r;
}

/* The delta's part for UIDs up to `last`. */
struct span {
	const struct rk_msg *msgs;
	size_t nmsgs;
	const uint32_t *gone;
	size_t ngone;
};

static struct span
span_cut(struct apply *ap, uint32_t last)
{
	const struct rk_delta *d = ap->delta;
	struct span s = { .msgs = d->nmsgs > 0 ? d->msgs + ap->next_msg : NULL,
		.gone = d->nexpunged > 0 ? d->expunged + ap->next_gone : NULL };

	while (ap->next_msg < d->nmsgs && d->msgs[ap->next_msg].uid <= last) {
		ap->next_msg++;
		s.nmsgs++;
	}
	while (ap->next_gone < d->nexpunged && d->expunged[ap->next_gone] <= last) {
		ap->next_gone++;
		s.ngone++;
	}
	return s;
}

/*
 * Merges a block's records with its span into `out` (room for both); returns DIFF_ bits. Expunged
 * records are left out and noted in ap->gone.
 */
static unsigned
span_merge(struct apply *ap, const struct span *s, struct index_record *old, uint32_t n,
    struct index_record *out, size_t *n_out)
{
	bool full = ap->delta->kind == RK_DELTA_FULL;
	unsigned diff = 0;
	size_t m = 0, g = 0, k = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct rk_msg *msg = NULL;

		for (; m < s->nmsgs && s->msgs[m].uid < old[i].uid; m++) {
			out[k++] = record_new(ap, &s->msgs[m]);
			diff |= DIFF_SHAPE;
		}
		while (g < s->ngone && s->gone[g] < old[i].uid)
			g++;
		if (m < s->nmsgs && s->msgs[m].uid == old[i].uid)
			msg = &s->msgs[m++];
		if ((g < s->ngone && s->gone[g] == old[i].uid) || (full && msg == NULL)) {
			uidset_add(&ap->gone, old[i].uid, old[i].uid);
			ap->told = true;
			diff |= DIFF_SHAPE;
			continue;
		}
		diff |= record_update(ap, &old[i], msg);
		out[k++] = old[i];
	}
	for (; m < s->nmsgs; m++) {
		out[k++] = record_new(ap, &s->msgs[m]);
		diff |= DIFF_SHAPE;
	}
	*n_out = k;
	return diff;
}

static enum rk_status
block_drop(struct apply *ap, uint64_t id, struct rk_err *err)
{
	struct index_key key;
	enum rk_status status =
	    kv_del(ap->txn, index_key_block(&key, 'b', ap->delta->guid, id), err);

	if (status == RK_OK)
		status = kv_del(ap->txn, index_key_block(&key, 'l', ap->delta->guid, id), err);
	return status;
}

/* Puts records through pending; the old block goes. */
static enum rk_status
block_recut(struct apply *ap, const struct dir_entry *entry, const struct index_record *records,
    size_t n, struct rk_err *err)
{
	enum rk_status status = block_drop(ap, entry->id, err);

	for (size_t i = 0; status == RK_OK && i < n; i++)
		status = pending_add(ap, &records[i], err);
	ap->columns = true;
	return status;
}

static enum rk_status
block_rewrite(struct apply *ap, const struct dir_entry *entry, const struct index_record *records,
    bool locators, struct rk_err *err)
{
	struct dir_entry *e = fresh_add(ap, entry);
	enum rk_status status;

	e->gen = ap->meta.m.gen;
	status = block_put(ap->txn, ap->delta->guid, e, records, err);
	if (status == RK_OK && locators) {
		e->locators_gen = ap->meta.m.gen;
		status = locators_put(ap->txn, ap->delta->guid, e, records, err);
	}
	ap->columns = true;
	return status;
}

static size_t
locator_bytes(const struct index_record *records, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += records[i].locator.len;
	return sum;
}

static enum rk_status
block_merge(
    struct apply *ap, const struct dir_entry *entry, const struct span *s, struct rk_err *err)
{
	struct index_record *old, *merged;
	size_t n;
	unsigned diff;
	enum rk_status status;

	arena_reset(ap->block);
	status = block_get(ap->txn, ap->delta->guid, entry, ap->block, &old, err);
	if (status == RK_OK)
		status = locators_get(ap->txn, ap->delta->guid, entry, ap->block, old, err);
	if (status != RK_OK)
		return status;
	merged = rk_arena_array(ap->block, entry->n + s->nmsgs, sizeof(*merged));
	diff = span_merge(ap, s, old, entry->n, merged, &n);
	if ((diff & DIFF_LOCATOR) != 0 && locator_bytes(merged, n) > LOCATORS_MAX)
		diff |= DIFF_SHAPE;
	if ((diff & DIFF_SHAPE) != 0 || (ap->npending > 0 && ap->npending < BLOCK_SMALL))
		return block_recut(ap, entry, merged, n, err);
	status = pending_flush(ap, err);
	if (status != RK_OK)
		return status;
	if (diff == 0) {
		fresh_add(ap, entry);
		return RK_OK;
	}
	return block_rewrite(ap, entry, merged, (diff & DIFF_LOCATOR) != 0, err);
}

/* New messages behind all that is there. */
static enum rk_status
msgs_append(struct apply *ap, const struct span *s, struct rk_err *err)
{
	enum rk_status status = RK_OK;

	for (size_t i = 0; status == RK_OK && i < s->nmsgs; i++) {
		struct index_record r = record_new(ap, &s->msgs[i]);

		status = pending_add(ap, &r, err);
	}
	return status;
}

static enum rk_status
block_walk(struct apply *ap, size_t i, struct rk_err *err)
{
	const struct dir_entry *entry = &ap->old.entries[i];
	bool last = i + 1 == ap->old.n;
	bool full_block = entry->n >= BLOCK_MAX;
	uint32_t end = UINT32_MAX;
	struct span s;
	enum rk_status status;

	if (!last)
		end = ap->old.entries[i + 1].first - 1;
	else if (full_block)
		end = entry->last; /* what comes behind it gets a block of its own */
	s = span_cut(ap, end);
	if (ap->delta->kind == RK_DELTA_FULL || s.nmsgs > 0 || s.ngone > 0 || ap->any_renamed ||
	    (ap->npending > 0 && ap->npending < BLOCK_SMALL))
		return block_merge(ap, entry, &s, err);
	status = pending_flush(ap, err);
	if (status == RK_OK)
		fresh_add(ap, entry);
	return status;
}

static enum rk_status
blocks_apply(struct apply *ap, struct rk_err *err)
{
	enum rk_status status = RK_OK;
	struct span rest;

	if (ap->delta->kind == RK_DELTA_NONE)
		return RK_OK;
	for (size_t i = 0; status == RK_OK && i < ap->old.n; i++)
		status = block_walk(ap, i, err);
	if (status != RK_OK)
		return status;
	rest = span_cut(ap, UINT32_MAX);
	status = msgs_append(ap, &rest, err);
	if (status == RK_OK)
		status = pending_flush(ap, err);
	return status;
}

/* Compares the keyword tables: true if anything differs; notes positions with a new meaning. */
static bool
keywords_compare(struct apply *ap)
{
	const struct rk_delta *d = ap->delta;
	bool differs = d->nkeywords != ap->meta.m.nkeywords;

	for (uint32_t i = 0; i < ap->meta.m.nkeywords; i++) {
		const char *before = ap->meta.keywords[i];
		const char *now = i < d->nkeywords ? d->keywords[i] : NULL;

		if (before == NULL && now == NULL)
			continue;
		if (before != NULL && now != NULL && strcmp(before, now) == 0)
			continue;
		differs = true;
		if (before != NULL) {
			ap->renamed.bits[i / 64] |= (uint64_t)1 << (i % 64);
			ap->any_renamed = true;
		}
	}
	return differs;
}

static enum rk_status
hint_write(struct apply *ap, const char *name, struct rk_err *err)
{
	struct index_key key;
	struct rk_blob value;
	struct buf b = BUF_INIT;
	enum rk_status status = RK_OK;

	if (ap->meta.name.len > 0) {
		struct rk_blob at = index_key_name(&key, ap->meta.name.data, ap->meta.name.len);

		status = kv_get(ap->txn, at, &value, err);
		/* Another mailbox may have taken the name. */
		if (status == RK_OK && value.len >= RK_GUID_LEN &&
		    memcmp(value.data, ap->delta->guid, RK_GUID_LEN) == 0)
			status = kv_del(ap->txn, at, err);
		if (status != RK_OK && status != RK_NOTFOUND)
			return status;
	}
	buf_add(&b, ap->delta->guid, RK_GUID_LEN);
	buf_adds(&b, name);
	status = kv_put(ap->txn, index_key_name(&key, name, strlen(name)),
	    (struct rk_blob){ b.data, b.len }, err);
	buf_clear(&b);
	return status;
}

/* An empty mailbox record above every MODSEQ ever told. */
static enum rk_status
meta_start(struct apply *ap, struct index *index, uint64_t above, struct rk_err *err)
{
	enum rk_status status = modseq_start(index, ap->txn, &ap->modseq, err);

	if (status != RK_OK)
		return status;
	if (ap->modseq <= above)
		ap->modseq = above + 1;
	memset(&ap->meta.m, 0, sizeof(ap->meta.m));
	memset(&ap->old, 0, sizeof(ap->old));
	ap->meta.keywords = NULL;
	ap->meta.m.log_floor = ap->modseq;
	ap->told = true;
	return RK_OK;
}

static enum rk_status
meta_restart(struct apply *ap, struct index *index, struct rk_err *err)
{
	static const char kinds[] = { 'b', 'l', 'd', 'x', 'c' };
	uint64_t gen = ap->meta.m.gen, next_block = ap->meta.m.next_block;
	struct index_key key;
	enum rk_status status = RK_OK;

	for (size_t i = 0; status == RK_OK && i < sizeof(kinds); i++)
		status =
		    kv_del_prefix(ap->txn, index_key_box(&key, kinds[i], ap->delta->guid), err);
	if (status == RK_OK)
		status = meta_start(ap, index, ap->meta.m.highest, err);
	ap->meta.m.gen = gen;
	ap->meta.m.next_block = next_block;
	return status;
}

/* Reads what is there and decides where to start. */
static enum rk_status
apply_load(struct apply *ap, struct index *index, struct rk_blob base, struct rk_err *err)
{
	enum rk_status status = meta_get(ap->txn, ap->delta->guid, ap->mem, &ap->meta, err);

	if (status != RK_OK && status != RK_NOTFOUND)
		return status;
	if (status == RK_NOTFOUND) {
		memset(&ap->meta, 0, sizeof(ap->meta));
		if (base.len > 0)
			return rk_fail_plain(err, RK_EXPIRED, "the index was made anew");
		return meta_start(ap, index, 0, err);
	}
	if (!blob_equal(base, ap->meta.state))
		return rk_fail_plain(err, RK_EXPIRED, "another process was faster");
	status = dir_get(ap->txn, ap->delta->guid, &ap->meta.m, ap->mem, &ap->old, err);
	if (status != RK_OK)
		return status;
	if (ap->meta.m.uidvalidity != ap->delta->uidvalidity)
		return meta_restart(ap, index, err);
	ap->modseq = ap->meta.m.highest + 1;
	return RK_OK;
}

/* What else of the delta differs from the record; sets the new values. */
static bool
meta_update(struct apply *ap, const char *name)
{
	const struct rk_delta *d = ap->delta;
	struct rk_blob new_name = { name, strlen(name) };
	bool differs = keywords_compare(ap) || ap->meta.m.uidvalidity != d->uidvalidity ||
	               ap->meta.m.uidnext != d->uidnext || !blob_equal(ap->meta.state, d->state) ||
	               !blob_equal(ap->meta.name, new_name);

	ap->meta.keywords = d->keywords;
	ap->meta.m.nkeywords = (uint32_t)d->nkeywords;
	ap->meta.m.uidvalidity = d->uidvalidity;
	ap->meta.m.uidnext = d->uidnext;
	ap->meta.state = d->state;
	ap->meta.m.state_len = (uint32_t)d->state.len;
	return differs;
}

static enum rk_status
apply_write(struct apply *ap, const char *name, struct rk_err *err)
{
	enum rk_status status = RK_OK;

	if (ap->told)
		ap->meta.m.highest = ap->modseq;
	if (ap->columns || ap->meta.m.dir_gen == 0) {
		ap->meta.m.dir_gen = ap->meta.m.gen;
		dir_total(&ap->fresh, &ap->meta.m);
		status = dir_put(ap->txn, ap->delta->guid, ap->meta.m.gen, &ap->fresh, err);
	}
	if (status == RK_OK)
		status = log_add(ap->txn, ap->delta->guid, &ap->meta.m, &ap->gone, err);
	if (status == RK_OK)
		status =
		    cache_drop(ap->txn, ap->delta->guid, ap->meta.m.uidvalidity, &ap->gone, err);
	if (status == RK_OK && !blob_equal(ap->meta.name, (struct rk_blob){ name, strlen(name) }))
		status = hint_write(ap, name, err);
	ap->meta.name = (struct rk_blob){ name, strlen(name) };
	ap->meta.m.name_len = (uint32_t)strlen(name);
	if (status == RK_OK)
		status = meta_put(ap->txn, ap->delta->guid, &ap->meta, err);
	return status;
}

static enum rk_status
apply_run(struct apply *ap, struct index *index, const char *name, struct rk_blob base,
    bool *write_out, struct rk_err *err)
{
	enum rk_status status = apply_load(ap, index, base, err);
	bool differs;

	if (status != RK_OK)
		return status;
	ap->meta.m.gen++;
	differs = meta_update(ap, name);
	status = blocks_apply(ap, err);
	if (status != RK_OK)
		return status;
	*write_out = differs || ap->columns || ap->told;
	return *write_out ? apply_write(ap, name, err) : RK_OK;
}

static void
apply_start(struct apply *ap, const struct rk_delta *delta)
{
	memset(ap, 0, sizeof(*ap));
	ap->delta = delta;
	ap->mem = arena_new();
	ap->block = arena_new();
	ap->pending = calloc(BLOCK_MAX, sizeof(*ap->pending));
	ap->pending_locators = malloc(LOCATORS_MAX + RK_LOCATOR_MAX);
	if (ap->pending == NULL || ap->pending_locators == NULL)
		rk_out_of_memory(LOCATORS_MAX);
}

static void
apply_end(struct apply *ap)
{
	arena_free(ap->mem);
	arena_free(ap->block);
	free(ap->fresh.entries);
	free(ap->pending);
	free(ap->pending_locators);
	uidset_clear(&ap->gone);
}

/* One try. RK_AGAIN: the map was too small; RK_EXPIRED: the base is not the index's state. */
static enum rk_status
apply_once(struct index *index, const char *name, struct rk_blob base, const struct rk_delta *delta,
    bool *changed_out, struct rk_err *err)
{
	struct index_txn txn;
	struct apply ap;
	bool write = false;
	enum rk_status status = index_write_begin(index, &txn, err);

	if (status != RK_OK)
		return status;
	apply_start(&ap, delta);
	ap.txn = txn.kv;
	status = apply_run(&ap, index, name, base, &write, err);
	if (status == RK_OK && write)
		status = index_txn_commit(&txn, ap.told, err);
	index_txn_end(&txn);
	*changed_out = ap.told || ap.columns || ap.any_renamed;
	apply_end(&ap);
	return status;
}

/* Whether the index has all of the delta already, without the lock: the common case of a NOOP. */
static enum rk_status
nothing_new(struct index *index, const char *name, struct rk_blob base,
    const struct rk_delta *delta, bool *yes_out, struct rk_err *err)
{
	struct rk_arena *mem;
	struct index_txn txn;
	struct apply ap;
	enum rk_status status;

	*yes_out = false;
	if (delta->kind != RK_DELTA_NONE || !blob_equal(base, delta->state))
		return RK_OK;
	status = index_read_begin(index, &txn, err);
	if (status != RK_OK)
		return status;
	mem = arena_new();
	memset(&ap, 0, sizeof(ap));
	ap.delta = delta;
	status = meta_get(txn.kv, delta->guid, mem, &ap.meta, err);
	index_txn_end(&txn);
	if (status == RK_OK)
		*yes_out = !meta_update(&ap, name);
	arena_free(mem);
	return status == RK_NOTFOUND ? RK_OK : status;
}

enum rk_status
index_apply(struct index *index, const char *name, struct rk_blob base,
    const struct rk_delta *delta, bool *changed_out, struct rk_err *err)
{
	bool done;
	enum rk_status status = nothing_new(index, name, base, delta, &done, err);

	*changed_out = false;
	if (status != RK_OK || done)
		return status;
	do
		status = apply_once(index, name, base, delta, changed_out, err);
	while (status == RK_AGAIN);
	return status == RK_EXPIRED ? RK_AGAIN : status;
}
