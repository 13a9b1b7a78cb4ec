/*
 * How the index is stored, for this folder only. The files are a node's own and rebuilt when they
 * do not fit, so numbers stand in the machine's byte order.
 *
 *	F                       version of the format
 *	H                       highest MODSEQ of forgotten mailboxes
 *	n NAME                  GUID and full name of the mailbox that had the name last
 *	m GUID                  meta: counts, keywords, state; names the generation of d and x
 *	d GUID                  directory: one entry for each block, with the block's generation
 *	b GUID ID               block: columns of at most BLOCK_MAX messages
 *	l GUID ID               locators of the same messages, at most LOCATORS_MAX bytes
 *	x GUID                  log of expunged UIDs
 *	c GUID SLOT             response bytes of the messages of 64 UIDs
 *
 * Each value carries the generation (a counter in meta) of the transaction that wrote it, and the
 * record above it names the generation it expects: a value that is missing, stale or another's is
 * found out even when it is whole in itself.
 */
#ifndef INDEX_INDEX_IMPL_H
#define INDEX_INDEX_IMPL_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "storage/index/index.h"
#include "storage/kv/kv.h"

/* Also counted up when lib/mime makes other response bytes of the same message. */
#define INDEX_FORMAT 3u
#define BLOCK_MAX 512u
#define BLOCK_SMALL 128u /* a rewritten block below this takes its neighbour in */
#define LOCATORS_MAX ((size_t)60 * 1024)
#define LOG_MAX 4096u /* entries */
#define INDEX_KEY_MAX 255

struct index {
	struct kv *kv;
	char *dir;
	uint32_t lock_timeout_ms;
	uint64_t modseq_floor;
};

/* The fixed part of a meta record, as stored. Keywords, state and name follow it. */
struct meta {
	uint64_t gen;
	uint64_t dir_gen;
	uint64_t log_gen;
	uint64_t highest;
	uint64_t log_floor; /* the log is exact for what came after this MODSEQ */
	uint64_t size;
	uint64_t next_block;
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint32_t messages;
	uint32_t unseen;
	uint32_t deleted;
	uint32_t unknown;
	uint32_t first_unseen;
	uint32_t nkeywords;
	uint32_t state_len;
	uint32_t name_len;
	uint32_t recent; /* first UID that is \Recent to the next who selects */
	uint32_t reserved;
};

/* A meta record in memory; the pointers live in the arena. */
struct box_meta {
	struct meta m;
	const char *const *keywords;
	struct rk_blob state;
	struct rk_blob name;
};

/* One block in the directory, as stored. */
struct dir_entry {
	uint64_t id;
	uint64_t gen;
	uint64_t locators_gen;
	uint64_t size;
	uint64_t max_modseq;
	uint32_t first;
	uint32_t last;
	uint32_t n;
	uint32_t unseen;
	uint32_t deleted;
	uint32_t unknown;
	uint32_t first_unseen;
	uint32_t reserved;
};

struct dir {
	struct dir_entry *entries;
	size_t n;
	size_t cap;
};

struct log_entry {
	uint32_t first;
	uint32_t last;
	uint64_t modseq;
};

struct log_runs {
	struct log_entry *entries; /* ascending by modseq */
	size_t n;
};

/* --- index.c: transactions of an index, with the busy flag --- */

struct index_txn {
	struct index *index;
	struct kv_txn *kv;
};

RK_MUST_CHECK enum rk_status index_read_begin(
    struct index *index, struct index_txn *out, struct rk_err *err);
RK_MUST_CHECK enum rk_status index_write_begin(
    struct index *index, struct index_txn *out, struct rk_err *err);
RK_MUST_CHECK enum rk_status index_txn_commit(
    struct index_txn *txn, bool durable, struct rk_err *err);
void index_txn_end(struct index_txn *txn); /* aborts; fine after commit */

/* --- record.c: records to bytes and back --- */

struct index_key {
	unsigned char bytes[INDEX_KEY_MAX];
	size_t len;
};

/* Key of one kind ('m', 'd', 'x') for a mailbox, and of a block ('b', 'l'). */
struct rk_blob index_key_box(struct index_key *key, char kind, const unsigned char *guid);
struct rk_blob index_key_block(
    struct index_key *key, char kind, const unsigned char *guid, uint64_t id);
struct rk_blob index_key_name(struct index_key *key, const char *name, size_t len);

/* RK_NOTFOUND: no such mailbox. Everything else that is missing is RK_CORRUPT. */
RK_MUST_CHECK enum rk_status meta_get(struct kv_txn *txn, const unsigned char *guid,
    struct rk_arena *mem, struct box_meta *out, struct rk_err *err);
RK_MUST_CHECK enum rk_status meta_put(
    struct kv_txn *txn, const unsigned char *guid, const struct box_meta *meta, struct rk_err *err);

RK_MUST_CHECK enum rk_status dir_get(struct kv_txn *txn, const unsigned char *guid,
    const struct meta *meta, struct rk_arena *mem, struct dir *out, struct rk_err *err);
RK_MUST_CHECK enum rk_status dir_put(struct kv_txn *txn, const unsigned char *guid, uint64_t gen,
    const struct dir *dir, struct rk_err *err);
/* Sums of the directory into the counts of meta. */
void dir_total(const struct dir *dir, struct meta *meta);

/* The messages of a block in `mem`; locators are empty without `locators`. */
RK_MUST_CHECK enum rk_status block_get(struct kv_txn *txn, const unsigned char *guid,
    const struct dir_entry *entry, struct rk_arena *mem, struct index_record **out,
    struct rk_err *err);
RK_MUST_CHECK enum rk_status locators_get(struct kv_txn *txn, const unsigned char *guid,
    const struct dir_entry *entry, struct rk_arena *mem, struct index_record *records,
    struct rk_err *err);
/* Adds the UIDs of a block to the set. */
RK_MUST_CHECK enum rk_status block_uids(struct kv_txn *txn, const unsigned char *guid,
    const struct dir_entry *entry, struct uidset *out, struct rk_err *err);
/* Writes columns (and locators) of entry->n records and fills the entry's counts. */
RK_MUST_CHECK enum rk_status block_put(struct kv_txn *txn, const unsigned char *guid,
    struct dir_entry *entry, const struct index_record *records, struct rk_err *err);
RK_MUST_CHECK enum rk_status locators_put(struct kv_txn *txn, const unsigned char *guid,
    const struct dir_entry *entry, const struct index_record *records, struct rk_err *err);

/* RK_CORRUPT where RK_NOTFOUND cannot be. */
RK_MUST_CHECK enum rk_status must_be_there(
    enum rk_status status, const char *what, struct rk_err *err);

/* --- change.c: MODSEQ and the log of expunged UIDs --- */

/* Where a mailbox that is new to the index starts. */
RK_MUST_CHECK enum rk_status modseq_start(
    struct index *index, struct kv_txn *txn, uint64_t *out, struct rk_err *err);
RK_MUST_CHECK enum rk_status log_get(struct kv_txn *txn, const unsigned char *guid,
    const struct meta *meta, struct rk_arena *mem, struct log_runs *out, struct rk_err *err);
/* Adds `gone` at meta->highest, keeps the log within its bound and writes it. */
RK_MUST_CHECK enum rk_status log_add(struct kv_txn *txn, const unsigned char *guid,
    struct meta *meta, const struct uidset *gone, struct rk_err *err);

/* --- cache.c --- */

/* Forgets the response bytes of messages that are gone. */
RK_MUST_CHECK enum rk_status cache_drop(struct kv_txn *txn, const unsigned char *guid,
    uint32_t uidvalidity, const struct uidset *gone, struct rk_err *err);

#endif
