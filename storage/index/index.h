/*
 * The read model of one user: what every mailbox holds, computed from the driver's deltas. One
 * environment per user behind storage/kv. It may be deleted at any moment; then it is rebuilt from
 * a full sync, with every MODSEQ above any that was ever told (decisions.md 2).
 *
 * Mailboxes are known by GUID. Messages are kept in column blocks of about 512 (UID, flags,
 * keywords, MODSEQ, date, size) and their locators in runs beside them: never one key per message.
 * SELECT reads counts, not messages.
 *
 * RK_CORRUPT from any function: index_reset, then sync with an empty state. Out of memory is never
 * taken for an empty index.
 */
#ifndef INDEX_INDEX_H
#define INDEX_INDEX_H

#include <rookery/storage.h>

#include "lib/base/uidset.h"

struct index;

struct index_options {
	const char *dir; /* the user's index directory, made by the spawner */
	uint32_t lock_timeout_ms;
};

/* Opens or makes the index; one that is damaged or marked suspect is dropped and made anew
 * (logged). */
RK_MUST_CHECK enum rk_status index_open(
    const struct index_options *options, struct index **out, struct rk_err *err);
void index_close(struct index *index);

/* Drops everything (after RK_CORRUPT from any function here); logged with `why`. */
RK_MUST_CHECK enum rk_status index_reset(
    struct index *index, const struct rk_err *why, struct rk_err *err);

/*
 * A mailbox that the index meets for the first time starts above `floor` (the high-water mark that
 * stands with the truth) and above a value of the clock: microseconds since 2020, the seconds
 * shifted left by 20 bits.
 */
void index_raise_modseq(struct index *index, uint64_t floor);

/* Counts of a mailbox, read in one small record. */
struct index_info {
	unsigned char guid[RK_GUID_LEN];
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t highest_modseq; /* at least 1 */
	uint32_t messages;
	uint32_t unseen;
	uint32_t deleted;
	uint32_t first_unseen_uid; /* 0: none */
	uint64_t size;             /* sum of the known RFC822.SIZEs */
	uint32_t unknown_sizes;    /* messages whose size nobody computed yet */
	uint32_t recent;           /* \Recent messages, where they were counted (account_status) */
	uint32_t nkeywords;
	const char *const *keywords; /* in the arena; NULL: unused position */
	struct rk_blob state;        /* for the driver's next sync; in the arena */
};

/* RK_NOTFOUND: the index does not know the mailbox: sync it with an empty state. */
RK_MUST_CHECK enum rk_status index_info(struct index *index, const unsigned char guid[RK_GUID_LEN],
    struct rk_arena *mem, struct index_info *out, struct rk_err *err);

/* GUID and name: which mailbox the name had last (a hint that spares opening it). */
RK_MUST_CHECK enum rk_status index_guid_of(
    struct index *index, const char *name, unsigned char guid_out[RK_GUID_LEN], struct rk_err *err);

/*
 * Brings the mailbox to what the delta says, in one transaction: new messages, changed flags,
 * expunges (kept in the log of expunged UIDs with their MODSEQ), keywords, state. `base` is the
 * state that the driver was given: when the index has another one by now, another process was
 * faster and the delta is worth nothing: RK_AGAIN, sync again from index_info's state. `name` is
 * kept as the hint above. *changed_out false: nothing was different. The delta must be checked
 * already (storage/mailbox/box.c). RK_LIMIT: the index is full.
 */
RK_MUST_CHECK enum rk_status index_apply(struct index *index, const char *name, struct rk_blob base,
    const struct rk_delta *delta, bool *changed_out, struct rk_err *err);

/* Forgets a mailbox. */
RK_MUST_CHECK enum rk_status index_forget(
    struct index *index, const unsigned char guid[RK_GUID_LEN], struct rk_err *err);

/* All UIDs, as runs. */
RK_MUST_CHECK enum rk_status index_uids(struct index *index, const unsigned char guid[RK_GUID_LEN],
    struct uidset *out, struct rk_err *err);

struct index_record {
	uint32_t uid;
	uint32_t flags;
	struct rk_keywords keywords;
	uint64_t modseq;
	int64_t internal_date;
	uint64_t size; /* or RK_SIZE_UNKNOWN */
	struct rk_blob locator;
};

struct index_query {
	const unsigned char *guid;
	const struct uidset *uids; /* of these messages */
	uint32_t from;             /* from this UID on */
	size_t max;                /* at most so many */
};

struct index_records {
	struct index_record *list; /* ascending by UID */
	size_t n;                  /* 0: no more */
};

/*
 * Records of the messages that the query wants, in `mem`; UIDs that are not there are left out. One
 * short read transaction per call.
 */
RK_MUST_CHECK enum rk_status index_records(struct index *index, const struct index_query *query,
    struct rk_arena *mem, struct index_records *out, struct rk_err *err);

/* UIDs whose MODSEQ is above `modseq` (changed or new). */
RK_MUST_CHECK enum rk_status index_changed(struct index *index,
    const unsigned char guid[RK_GUID_LEN], uint64_t modseq, struct uidset *out, struct rk_err *err);

/*
 * UIDs that were expunged after `modseq` (QRESYNC). Exact back to the index's birth or the end of
 * its log; before that, every UID below UIDNEXT that is not there (RFC 7162 allows it).
 */
RK_MUST_CHECK enum rk_status index_vanished(struct index *index,
    const unsigned char guid[RK_GUID_LEN], uint64_t modseq, struct uidset *out, struct rk_err *err);

/* Keeps RFC822.SIZEs that were computed by reading. No new MODSEQ: clients see no change. */
struct index_size {
	uint32_t uid;
	uint64_t size;
};
RK_MUST_CHECK enum rk_status index_set_sizes(struct index *index,
    const unsigned char guid[RK_GUID_LEN], const struct index_size *sizes, size_t n,
    struct rk_err *err);

/*
 * \Recent of IMAP4rev1: *first_out is the first UID that no session took yet; with `take` all up
 * to UIDNEXT are taken. Not durable. RK_NOTFOUND.
 */
RK_MUST_CHECK enum rk_status index_recent(struct index *index,
    const unsigned char guid[RK_GUID_LEN], bool take, uint32_t *first_out, struct rk_err *err);

/*
 * Response bytes of messages (lib/mime/envelope.h), kept so that a message is parsed once. They are
 * bound to the UIDVALIDITY; an expunge drops them. Very large ones are not kept.
 */
enum index_cached_kind {
	INDEX_CACHED_ENVELOPE,
	INDEX_CACHED_BODY,
	INDEX_CACHED_STRUCTURE,
};
#define INDEX_CACHED_N 3

struct index_cached_msg {
	uint32_t uid;
	struct rk_blob bytes[INDEX_CACHED_N]; /* data NULL: not known */
};

struct index_cached_query {
	const unsigned char *guid;
	uint32_t uidvalidity;
	const uint32_t *uids; /* ascending (index_cached only) */
	size_t n;
};

/* Fills out[0..n-1], one for each UID, with bytes in `mem`. RK_CORRUPT as everywhere. */
RK_MUST_CHECK enum rk_status index_cached(struct index *index,
    const struct index_cached_query *query, struct rk_arena *mem, struct index_cached_msg *out,
    struct rk_err *err);

/* Adds what is known in msgs[0..n-1] (ascending) to what is there. Not durable: losing it costs a
 * parse. RK_NOTFOUND: the mailbox is gone or has another UIDVALIDITY. */
RK_MUST_CHECK enum rk_status index_cache_keep(struct index *index,
    const struct index_cached_query *query, const struct index_cached_msg *msgs,
    struct rk_err *err);

/* Says whether the index's files are being read or written, for the scoreboard: a process that dies
 * then leaves the index suspect (a damaged file may be what killed it). Set by the process once;
 * NULL for none. */
void index_set_busy_flag(bool *flag);

/* Marks the index in `dir` suspect (spawner, after a crash): the next index_open makes it anew. */
RK_MUST_CHECK enum rk_status index_mark_suspect(int dirfd, struct rk_err *err);

#endif
