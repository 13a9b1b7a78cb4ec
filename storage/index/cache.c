/*
 * Response bytes that were computed from messages once: ENVELOPE, BODY and BODYSTRUCTURE, kept for
 * all messages whose UIDs share a slot in one value. A message never changes, so the bytes of a UID
 * are right as long as the UIDVALIDITY is the one they were made under; nothing else can make them
 * stale, and a slot that is lost costs a parse. What is larger than a share is not kept at all: a
 * mailbox of hostile messages must not fill the index.
 */
#include "storage/index/index_impl.h"

#include <string.h>

#define SLOT_UIDS 64u
#define SLOT_MAX ((size_t)256 * 1024)
#define MESSAGE_MAX ((size_t)16 * 1024)
#define UNKNOWN UINT32_MAX

struct slot_head {
	uint32_t uidvalidity;
	uint32_t n;
};

/* The bytes of all entries follow the entries, in their order. */
struct slot_entry {
	uint32_t uid;
	uint32_t len[INDEX_CACHED_N]; /* UNKNOWN: not known */
};

/* A slot in memory, borrowing the stored bytes: room for all UIDs that can be in it. */
struct slot {
	struct index_cached_msg msgs[SLOT_UIDS];
	uint32_t n;
};

static struct rk_blob
slot_key(struct index_key *key, const unsigned char *guid, uint32_t uid)
{
	return index_key_block(key, 'c', guid, uid / SLOT_UIDS);
}

static size_t
msg_bytes(const struct index_cached_msg *m)
{
	size_t sum = 0;

	for (size_t i = 0; i < INDEX_CACHED_N; i++)
		sum += m->bytes[i].data != NULL ? m->bytes[i].len : 0;
	return sum;
}

/* One entry with its bytes at `at` of the value; false: it makes no sense. */
static bool
entry_read(struct rk_blob value, const struct slot_entry *e, size_t *at, struct slot *out)
{
	struct index_cached_msg *m = &out->msgs[out->n++];

	if (out->n > 1 && e->uid <= m[-1].uid)
		return false;
	*m = (struct index_cached_msg){ .uid = e->uid };
	for (size_t i = 0; i < INDEX_CACHED_N; i++) {
		if (e->len[i] == UNKNOWN)
			continue;
		if (e->len[i] > value.len - *at)
			return false;
		m->bytes[i] = (struct rk_blob){ (const char *)value.data + *at, e->len[i] };
		*at += e->len[i];
	}
	return true;
}

static enum rk_status
slot_read(struct rk_blob value, uint32_t uidvalidity, struct slot *out, struct rk_err *err)
{
	struct slot_head head = { 0, 0 };
	struct slot_entry e;
	bool good = value.len >= sizeof(head);
	size_t at = sizeof(head);

	out->n = 0;
	if (good)
		memcpy(&head, value.data, sizeof(head));
	good = good && head.n <= SLOT_UIDS && value.len - at >= head.n * sizeof(e);
	/* Of an earlier life of the mailbox: as good as none. */
	if (good && head.uidvalidity != uidvalidity)
		return RK_OK;
	at += head.n * sizeof(e);
	for (uint32_t i = 0; good && i < head.n; i++) {
		memcpy(&e, (const char *)value.data + sizeof(head) + i * sizeof(e), sizeof(e));
		good = entry_read(value, &e, &at, out);
	}
	if (!good || at != value.len)
		return rk_fail_plain(err, RK_CORRUPT, "index: cached bytes make no sense");
	return RK_OK;
}

static enum rk_status
slot_get(struct kv_txn *txn, const unsigned char *guid, uint32_t uid, uint32_t uidvalidity,
    struct slot *out, struct rk_err *err)
{
	struct index_key key;
	struct rk_blob value;
	enum rk_status status = kv_get(txn, slot_key(&key, guid, uid), &value, err);

	out->n = 0;
	if (status == RK_NOTFOUND)
		return RK_OK;
	return status == RK_OK ? slot_read(value, uidvalidity, out, err) : status;
}

static const struct index_cached_msg *
slot_find(const struct slot *slot, uint32_t uid)
{
	for (uint32_t i = 0; i < slot->n; i++) {
		if (slot->msgs[i].uid == uid)
			return &slot->msgs[i];
	}
	return NULL;
}

static enum rk_status
cached_read(struct kv_txn *txn, const struct index_cached_query *q, struct rk_arena *mem,
    struct index_cached_msg *out, struct rk_err *err)
{
	struct slot slot = { .n = 0 };
	enum rk_status status = RK_OK;

	for (size_t k = 0; status == RK_OK && k < q->n; k++) {
		const struct index_cached_msg *found;

		if (k == 0 || q->uids[k] / SLOT_UIDS != q->uids[k - 1] / SLOT_UIDS)
			status = slot_get(txn, q->guid, q->uids[k], q->uidvalidity, &slot, err);
		out[k] = (struct index_cached_msg){ .uid = q->uids[k] };
		found = status == RK_OK ? slot_find(&slot, q->uids[k]) : NULL;
		for (size_t i = 0; found != NULL && i < INDEX_CACHED_N; i++) {
			const struct rk_blob *b = &found->bytes[i];

			if (b->data != NULL)
				out[k].bytes[i] =
				    (struct rk_blob){ rk_arena_dup(mem, b->data, b->len), b->len };
		}
	}
	return status;
}

enum rk_status
index_cached(struct index *index, const struct index_cached_query *query, struct rk_arena *mem,
    struct index_cached_msg *out, struct rk_err *err)
{
	struct index_txn txn;
	enum rk_status status = index_read_begin(index, &txn, err);

	if (status != RK_OK)
		return status;
	status = cached_read(txn.kv, query, mem, out, err);
	index_txn_end(&txn);
	return status;
}

/* --- keeping --- */

/* What is known of the message that `b` does not tell is taken from `a`. */
static struct index_cached_msg
msg_join(const struct index_cached_msg *a, const struct index_cached_msg *b)
{
	struct index_cached_msg joined = *b;

	for (size_t i = 0; i < INDEX_CACHED_N; i++) {
		if (joined.bytes[i].data == NULL)
			joined.bytes[i] = a->bytes[i];
	}
	return joined;
}

/* `old` and the n new ones of the same slot, both ascending, into `out`. */
static void
slot_merge(const struct slot *old, const struct index_cached_msg *msgs, size_t n, struct slot *out)
{
	size_t i = 0, k = 0;

	out->n = 0;
	while ((i < old->n || k < n) && out->n < SLOT_UIDS) {
		struct index_cached_msg *m = &out->msgs[out->n];

		if (k == n || (i < old->n && old->msgs[i].uid < msgs[k].uid))
			*m = old->msgs[i++];
		else if (i < old->n && old->msgs[i].uid == msgs[k].uid)
			*m = msg_join(&old->msgs[i++], &msgs[k++]);
		else
			*m = msgs[k++];
		out->n += msg_bytes(m) > 0 && msg_bytes(m) <= MESSAGE_MAX;
	}
}

static void
slot_write(const struct slot *slot, uint32_t uidvalidity, struct buf *out)
{
	struct slot_head head = { uidvalidity, 0 };
	size_t bytes = sizeof(head);

	while (head.n < slot->n) {
		bytes += sizeof(struct slot_entry) + msg_bytes(&slot->msgs[head.n]);
		if (bytes > SLOT_MAX)
			break;
		head.n++;
	}
	buf_add(out, &head, sizeof(head));
	for (uint32_t i = 0; i < head.n; i++) {
		struct slot_entry e = { .uid = slot->msgs[i].uid };

		for (size_t k = 0; k < INDEX_CACHED_N; k++) {
			const struct rk_blob *b = &slot->msgs[i].bytes[k];

			e.len[k] = b->data == NULL ? UNKNOWN : (uint32_t)b->len;
		}
		buf_add(out, &e, sizeof(e));
	}
	for (uint32_t i = 0; i < head.n; i++) {
		for (size_t k = 0; k < INDEX_CACHED_N; k++) {
			const struct rk_blob *b = &slot->msgs[i].bytes[k];

			if (b->data != NULL && b->len > 0)
				buf_add(out, b->data, b->len);
		}
	}
}

static enum rk_status
slot_put(struct kv_txn *txn, const struct index_cached_query *q,
    const struct index_cached_msg *msgs, size_t n, struct rk_err *err)
{
	struct slot old, merged;
	struct index_key key;
	struct buf b = BUF_INIT;
	enum rk_status status = slot_get(txn, q->guid, msgs[0].uid, q->uidvalidity, &old, err);

	if (status != RK_OK)
		return status;
	slot_merge(&old, msgs, n, &merged);
	if (merged.n == 0)
		return kv_del(txn, slot_key(&key, q->guid, msgs[0].uid), err);
	slot_write(&merged, q->uidvalidity, &b);
	status = kv_put(
	    txn, slot_key(&key, q->guid, msgs[0].uid), (struct rk_blob){ b.data, b.len }, err);
	buf_clear(&b);
	return status;
}

/* The mailbox must still be the one that the bytes were made from. */
static enum rk_status
same_check(struct kv_txn *txn, const struct index_cached_query *q, struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	struct box_meta meta;
	enum rk_status status = meta_get(txn, q->guid, mem, &meta, err);

	if (status == RK_OK && meta.m.uidvalidity != q->uidvalidity)
		status = rk_fail_plain(err, RK_NOTFOUND, "the mailbox has another UIDVALIDITY");
	arena_free(mem);
	return status;
}

static enum rk_status
cache_write(struct kv_txn *txn, const struct index_cached_query *q,
    const struct index_cached_msg *msgs, struct rk_err *err)
{
	enum rk_status status = same_check(txn, q, err);

	for (size_t i = 0, k; status == RK_OK && i < q->n; i = k) {
		for (k = i + 1; k < q->n && msgs[k].uid / SLOT_UIDS == msgs[i].uid / SLOT_UIDS; k++)
			continue;
		status = slot_put(txn, q, msgs + i, k - i, err);
	}
	return status;
}

enum rk_status
index_cache_keep(struct index *index, const struct index_cached_query *query,
    const struct index_cached_msg *msgs, struct rk_err *err)
{
	enum rk_status status;

	if (query->n == 0)
		return RK_OK;
	do {
		struct index_txn txn;

		status = index_write_begin(index, &txn, err);
		if (status != RK_OK)
			break;
		status = cache_write(txn.kv, query, msgs, err);
		if (status == RK_OK)
			status = index_txn_commit(&txn, false, err);
		index_txn_end(&txn);
	} while (status == RK_AGAIN);
	return status;
}

/* --- forgetting --- */

static enum rk_status
slot_drop(struct kv_txn *txn, const struct index_cached_query *q, const struct uidset *gone,
    uint32_t uid, struct rk_err *err)
{
	struct slot old, left = { .n = 0 };
	struct index_key key;
	struct buf b = BUF_INIT;
	enum rk_status status = slot_get(txn, q->guid, uid, q->uidvalidity, &old, err);

	for (uint32_t i = 0; status == RK_OK && i < old.n; i++) {
		if (!uidset_has(gone, old.msgs[i].uid))
			left.msgs[left.n++] = old.msgs[i];
	}
	if (status != RK_OK || left.n == old.n)
		return status;
	if (left.n == 0)
		return kv_del(txn, slot_key(&key, q->guid, uid), err);
	slot_write(&left, q->uidvalidity, &b);
	status = kv_put(txn, slot_key(&key, q->guid, uid), (struct rk_blob){ b.data, b.len }, err);
	buf_clear(&b);
	return status;
}

enum rk_status
cache_drop(struct kv_txn *txn, const unsigned char *guid, uint32_t uidvalidity,
    const struct uidset *gone, struct rk_err *err)
{
	struct index_cached_query q = { .guid = guid, .uidvalidity = uidvalidity };
	uint32_t uid = uidset_next(gone, 1);
	enum rk_status status = RK_OK;

	while (status == RK_OK && uid != 0) {
		uint32_t last = uid / SLOT_UIDS * SLOT_UIDS + (SLOT_UIDS - 1);

		status = slot_drop(txn, &q, gone, uid, err);
		uid = last == UINT32_MAX ? 0 : uidset_next(gone, last + 1);
	}
	return status;
}
