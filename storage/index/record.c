#include "storage/index/index_impl.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/bug.h"

#define NAME_KEY_MAX 200
#define KEYWORD_UNUSED 0xffu

struct block_head {
	uint64_t gen;
	uint32_t n;
	uint32_t kw_words; /* words of keyword bits for each message */
};

struct locators_head {
	uint64_t gen;
	uint32_t n;
	uint32_t bytes;
};

static struct rk_blob
blob_of(const void *data, size_t len)
{
	return (struct rk_blob){ data, len };
}

struct rk_blob
index_key_box(struct index_key *key, char kind, const unsigned char *guid)
{
	key->bytes[0] = (unsigned char)kind;
	memcpy(key->bytes + 1, guid, RK_GUID_LEN);
	key->len = 1 + RK_GUID_LEN;
	return blob_of(key->bytes, key->len);
}

struct rk_blob
index_key_block(struct index_key *key, char kind, const unsigned char *guid, uint64_t id)
{
	index_key_box(key, kind, guid);
	for (int i = 7; i >= 0; i--)
		key->bytes[key->len++] = (unsigned char)(id >> (8 * i));
	return blob_of(key->bytes, key->len);
}

/* A long name shares its key with others of the same beginning and hash: the value tells. */
struct rk_blob
index_key_name(struct index_key *key, const char *name, size_t len)
{
	uint64_t hash = 1469598103934665603u;
	size_t head = len > NAME_KEY_MAX ? NAME_KEY_MAX : len;

	key->bytes[0] = 'n';
	memcpy(key->bytes + 1, name, head);
	key->len = 1 + head;
	if (len > NAME_KEY_MAX) {
		for (size_t i = 0; i < len; i++)
			hash = (hash ^ (unsigned char)name[i]) * 1099511628211u;
		memcpy(key->bytes + key->len, &hash, sizeof(hash));
		key->len += sizeof(hash);
	}
	return blob_of(key->bytes, key->len);
}

enum rk_status
must_be_there(enum rk_status status, const char *what, struct rk_err *err)
{
	if (status == RK_NOTFOUND)
		return rk_fail_plain(err, RK_CORRUPT, "index: %s is missing", what);
	return status;
}

/* A reader over stored bytes that can't run past their end. */
struct cut {
	const unsigned char *p;
	size_t left;
	bool bad;
};

static const unsigned char *
cut_take(struct cut *c, size_t n)
{
	const unsigned char *p = c->p;

	if (c->bad || n > c->left) {
		c->bad = true;
		return NULL;
	}
	c->p += n;
	c->left -= n;
	return p;
}

static void
cut_copy(struct cut *c, void *to, size_t n)
{
	const unsigned char *p = cut_take(c, n);

	if (p != NULL && n > 0)
		memcpy(to, p, n);
}

static const char *const *
keywords_read(struct cut *c, uint32_t n, struct rk_arena *mem)
{
	const char **out = rk_arena_array(mem, n, sizeof(*out));

	for (uint32_t i = 0; i < n; i++) {
		unsigned char len = KEYWORD_UNUSED;
		const unsigned char *p;

		cut_copy(c, &len, 1);
		if (len == KEYWORD_UNUSED)
			continue;
		p = cut_take(c, len);
		if (p != NULL)
			out[i] = rk_arena_dup(mem, p, len);
	}
	return out;
}

enum rk_status
meta_get(struct kv_txn *txn, const unsigned char *guid, struct rk_arena *mem, struct box_meta *out,
    struct rk_err *err)
{
	struct index_key key;
	struct rk_blob value;
	struct cut c = { .bad = false };
	const unsigned char *p;
	enum rk_status status = kv_get(txn, index_key_box(&key, 'm', guid), &value, err);

	if (status != RK_OK)
		return status;
	c.p = value.data;
	c.left = value.len;
	memset(out, 0, sizeof(*out));
	cut_copy(&c, &out->m, sizeof(out->m));
	if (c.bad || out->m.nkeywords > RK_KEYWORDS_MAX || out->m.state_len > RK_STATE_MAX ||
	    out->m.name_len > RK_NAME_MAX)
		return rk_fail_plain(
		    err, RK_CORRUPT, "index: mailbox record of %zu bytes", value.len);
	out->keywords = keywords_read(&c, out->m.nkeywords, mem);
	p = cut_take(&c, out->m.state_len);
	if (p != NULL)
		out->state = blob_of(rk_arena_dup(mem, p, out->m.state_len), out->m.state_len);
	p = cut_take(&c, out->m.name_len);
	if (p != NULL)
		out->name = blob_of(rk_arena_dup(mem, p, out->m.name_len), out->m.name_len);
	if (c.bad || c.left > 0)
		return rk_fail_plain(
		    err, RK_CORRUPT, "index: mailbox record of %zu bytes", value.len);
	return RK_OK;
}

enum rk_status
meta_put(
    struct kv_txn *txn, const unsigned char *guid, const struct box_meta *meta, struct rk_err *err)
{
	struct index_key key;
	struct buf b = BUF_INIT;
	enum rk_status status;

	buf_add(&b, &meta->m, sizeof(meta->m));
	for (uint32_t i = 0; i < meta->m.nkeywords; i++) {
		if (meta->keywords[i] == NULL) {
			buf_addc(&b, (char)KEYWORD_UNUSED);
			continue;
		}
		buf_addc(&b, (char)strlen(meta->keywords[i]));
		buf_adds(&b, meta->keywords[i]);
	}
	buf_add(&b, meta->state.data, meta->m.state_len);
	buf_add(&b, meta->name.data, meta->m.name_len);
	status = kv_put(txn, index_key_box(&key, 'm', guid), blob_of(b.data, b.len), err);
	buf_clear(&b);
	return status;
}

static enum rk_status
dir_check(const struct dir *dir, const struct meta *meta, struct rk_err *err)
{
	uint64_t messages = 0;
	uint32_t before = 0;

	for (size_t i = 0; i < dir->n; i++) {
		const struct dir_entry *e = &dir->entries[i];

		if (e->n == 0 || e->n > BLOCK_MAX || e->first <= before || e->last < e->first ||
		    e->last - e->first + 1 < e->n)
			return rk_fail_plain(err, RK_CORRUPT, "index: block %zu makes no sense", i);
		before = e->last;
		messages += e->n;
	}
	if (messages != meta->messages || before >= meta->uidnext)
		return rk_fail_plain(err, RK_CORRUPT, "index: blocks do not add up");
	return RK_OK;
}

enum rk_status
dir_get(struct kv_txn *txn, const unsigned char *guid, const struct meta *meta,
    struct rk_arena *mem, struct dir *out, struct rk_err *err)
{
	struct index_key key;
	struct rk_blob value;
	uint64_t gen;
	enum rk_status status = must_be_there(
	    kv_get(txn, index_key_box(&key, 'd', guid), &value, err), "directory", err);

	if (status != RK_OK)
		return status;
	if (value.len < sizeof(gen) || (value.len - sizeof(gen)) % sizeof(*out->entries) != 0)
		return rk_fail_plain(err, RK_CORRUPT, "index: directory of %zu bytes", value.len);
	memcpy(&gen, value.data, sizeof(gen));
	if (gen != meta->dir_gen)
		return rk_fail_plain(err, RK_CORRUPT, "index: stale directory");
	out->n = (value.len - sizeof(gen)) / sizeof(*out->entries);
	out->cap = out->n;
	out->entries = rk_arena_array(mem, out->n, sizeof(*out->entries));
	memcpy(out->entries, (const char *)value.data + sizeof(gen), value.len - sizeof(gen));
	return dir_check(out, meta, err);
}

enum rk_status
dir_put(struct kv_txn *txn, const unsigned char *guid, uint64_t gen, const struct dir *dir,
    struct rk_err *err)
{
	struct index_key key;
	struct buf b = BUF_INIT;
	enum rk_status status;

	buf_reserve(&b, sizeof(gen) + dir->n * sizeof(*dir->entries));
	buf_add(&b, &gen, sizeof(gen));
	if (dir->n > 0)
		buf_add(&b, dir->entries, dir->n * sizeof(*dir->entries));
	status = kv_put(txn, index_key_box(&key, 'd', guid), blob_of(b.data, b.len), err);
	buf_clear(&b);
	return status;
}

void
dir_total(const struct dir *dir, struct meta *meta)
{
	meta->messages = meta->unseen = meta->deleted = meta->unknown = meta->first_unseen = 0;
	meta->size = 0;
	for (size_t i = 0; i < dir->n; i++) {
		const struct dir_entry *e = &dir->entries[i];

		meta->messages += e->n;
		meta->unseen += e->unseen;
		meta->deleted += e->deleted;
		meta->unknown += e->unknown;
		meta->size += e->size;
		if (meta->first_unseen == 0)
			meta->first_unseen = e->first_unseen;
	}
}

/* A block's value with its head checked; `c` stands behind the head. */
static enum rk_status
block_open(struct kv_txn *txn, const unsigned char *guid, const struct dir_entry *entry,
    struct block_head *head, struct cut *c, struct rk_err *err)
{
	struct index_key key;
	struct rk_blob value;
	enum rk_status status = must_be_there(
	    kv_get(txn, index_key_block(&key, 'b', guid, entry->id), &value, err), "block", err);

	if (status != RK_OK)
		return status;
	*c = (struct cut){ value.data, value.len, false };
	memset(head, 0, sizeof(*head));
	cut_copy(c, head, sizeof(*head));
	if (c->bad || head->gen != entry->gen || head->n != entry->n ||
	    head->kw_words > RK_KEYWORDS_MAX / 64 ||
	    c->left != (size_t)head->n * (24 + 8 * (size_t)head->kw_words + 5))
		return rk_fail_plain(err, RK_CORRUPT, "index: block of %zu bytes", value.len);
	return RK_OK;
}

static enum rk_status
block_check(const struct dir_entry *entry, const struct index_record *r, struct rk_err *err)
{
	uint32_t before = 0;

	for (uint32_t i = 0; i < entry->n; i++) {
		if (r[i].uid <= before)
			return rk_fail_plain(err, RK_CORRUPT, "index: UIDs out of order");
		before = r[i].uid;
	}
	if (r[0].uid != entry->first || before != entry->last)
		return rk_fail_plain(err, RK_CORRUPT, "index: a block of other UIDs");
	return RK_OK;
}

enum rk_status
block_get(struct kv_txn *txn, const unsigned char *guid, const struct dir_entry *entry,
    struct rk_arena *mem, struct index_record **out, struct rk_err *err)
{
	struct block_head head;
	struct cut c;
	struct index_record *r;
	enum rk_status status = block_open(txn, guid, entry, &head, &c, err);

	if (status != RK_OK)
		return status;
	r = rk_arena_array(mem, head.n, sizeof(*r));
	for (uint32_t i = 0; i < head.n; i++)
		cut_copy(&c, &r[i].modseq, 8);
	for (uint32_t i = 0; i < head.n; i++)
		cut_copy(&c, &r[i].internal_date, 8);
	for (uint32_t i = 0; i < head.n; i++)
		cut_copy(&c, &r[i].size, 8);
	for (uint32_t i = 0; i < head.n; i++)
		cut_copy(&c, r[i].keywords.bits, 8 * (size_t)head.kw_words);
	for (uint32_t i = 0; i < head.n; i++)
		cut_copy(&c, &r[i].uid, 4);
	for (uint32_t i = 0; i < head.n; i++) {
		unsigned char flags = 0;

		cut_copy(&c, &flags, 1);
		r[i].flags = flags;
	}
	*out = r;
	return block_check(entry, r, err);
}

enum rk_status
block_uids(struct kv_txn *txn, const unsigned char *guid, const struct dir_entry *entry,
    struct uidset *out, struct rk_err *err)
{
	struct block_head head;
	struct cut c;
	enum rk_status status;

	/* Without holes the directory says it all. */
	if (entry->last - entry->first + 1 == entry->n) {
		uidset_add(out, entry->first, entry->last);
		return RK_OK;
	}
	status = block_open(txn, guid, entry, &head, &c, err);
	if (status != RK_OK)
		return status;
	(void)cut_take(&c, (size_t)head.n * (24 + 8 * (size_t)head.kw_words));
	for (uint32_t i = 0; i < head.n; i++) {
		uint32_t uid = 0;

		cut_copy(&c, &uid, 4);
		if (uid < entry->first || uid > entry->last)
			return rk_fail_plain(err, RK_CORRUPT, "index: a block of other UIDs");
		uidset_add(out, uid, uid);
	}
	return RK_OK;
}

static uint32_t
keyword_words(const struct index_record *records, uint32_t n)
{
	uint32_t words = 0;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t w = words; w < RK_KEYWORDS_MAX / 64; w++)
			if (records[i].keywords.bits[w] != 0)
				words = w + 1;
	return words;
}

static void
entry_count(struct dir_entry *entry, const struct index_record *r)
{
	entry->first = r[0].uid;
	entry->last = r[entry->n - 1].uid;
	entry->size = entry->max_modseq = 0;
	entry->unseen = entry->deleted = entry->unknown = entry->first_unseen = 0;
	for (uint32_t i = 0; i < entry->n; i++) {
		if ((r[i].flags & RK_FLAG_SEEN) == 0) {
			entry->unseen++;
			if (entry->first_unseen == 0)
				entry->first_unseen = r[i].uid;
		}
		if ((r[i].flags & RK_FLAG_DELETED) != 0)
			entry->deleted++;
		if (r[i].size == RK_SIZE_UNKNOWN)
			entry->unknown++;
		else
			entry->size += r[i].size;
		if (r[i].modseq > entry->max_modseq)
			entry->max_modseq = r[i].modseq;
	}
}

enum rk_status
block_put(struct kv_txn *txn, const unsigned char *guid, struct dir_entry *entry,
    const struct index_record *r, struct rk_err *err)
{
	struct block_head head = { .gen = entry->gen, .n = entry->n };
	struct index_key key;
	struct buf b = BUF_INIT;
	enum rk_status status;

	entry_count(entry, r);
	head.kw_words = keyword_words(r, entry->n);
	buf_reserve(&b, sizeof(head) + entry->n * (29 + 8 * (size_t)head.kw_words));
	buf_add(&b, &head, sizeof(head));
	for (uint32_t i = 0; i < entry->n; i++)
		buf_add(&b, &r[i].modseq, 8);
	for (uint32_t i = 0; i < entry->n; i++)
		buf_add(&b, &r[i].internal_date, 8);
	for (uint32_t i = 0; i < entry->n; i++)
		buf_add(&b, &r[i].size, 8);
	for (uint32_t i = 0; i < entry->n && head.kw_words > 0; i++)
		buf_add(&b, r[i].keywords.bits, 8 * (size_t)head.kw_words);
	for (uint32_t i = 0; i < entry->n; i++)
		buf_add(&b, &r[i].uid, 4);
	for (uint32_t i = 0; i < entry->n; i++)
		buf_addc(&b, (char)r[i].flags);
	status =
	    kv_put(txn, index_key_block(&key, 'b', guid, entry->id), blob_of(b.data, b.len), err);
	buf_clear(&b);
	return status;
}

enum rk_status
locators_put(struct kv_txn *txn, const unsigned char *guid, const struct dir_entry *entry,
    const struct index_record *r, struct rk_err *err)
{
	struct locators_head head = { .gen = entry->locators_gen, .n = entry->n };
	struct index_key key;
	struct buf b = BUF_INIT;
	enum rk_status status;

	for (uint32_t i = 0; i < entry->n; i++)
		head.bytes += (uint32_t)r[i].locator.len;
	buf_reserve(&b, sizeof(head) + 2 * (size_t)entry->n + head.bytes);
	buf_add(&b, &head, sizeof(head));
	for (uint32_t i = 0; i < entry->n; i++) {
		uint16_t len = (uint16_t)r[i].locator.len;

		buf_add(&b, &len, 2);
	}
	for (uint32_t i = 0; i < entry->n; i++)
		if (r[i].locator.len > 0)
			buf_add(&b, r[i].locator.data, r[i].locator.len);
	status =
	    kv_put(txn, index_key_block(&key, 'l', guid, entry->id), blob_of(b.data, b.len), err);
	buf_clear(&b);
	return status;
}

enum rk_status
locators_get(struct kv_txn *txn, const unsigned char *guid, const struct dir_entry *entry,
    struct rk_arena *mem, struct index_record *records, struct rk_err *err)
{
	struct locators_head head;
	struct index_key key;
	struct rk_blob value;
	struct cut lens, bytes;
	const char *copy;
	size_t at = 0;
	enum rk_status status = must_be_there(
	    kv_get(txn, index_key_block(&key, 'l', guid, entry->id), &value, err), "locators", err);

	if (status != RK_OK)
		return status;
	memset(&head, 0, sizeof(head));
	lens = (struct cut){ value.data, value.len, false };
	cut_copy(&lens, &head, sizeof(head));
	if (lens.bad || head.gen != entry->locators_gen || head.n != entry->n ||
	    lens.left != 2 * (size_t)head.n + head.bytes)
		return rk_fail_plain(err, RK_CORRUPT, "index: locators of %zu bytes", value.len);
	bytes = lens;
	(void)cut_take(&bytes, 2 * (size_t)head.n);
	copy = rk_arena_dup(mem, bytes.p, head.bytes);
	for (uint32_t i = 0; i < head.n; i++) {
		uint16_t len = 0;

		cut_copy(&lens, &len, 2);
		if (len > head.bytes - at)
			return rk_fail_plain(err, RK_CORRUPT, "index: locators do not add up");
		records[i].locator = blob_of(copy + at, len);
		at += len;
	}
	return RK_OK;
}
