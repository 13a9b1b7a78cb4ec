/*
 * One mailbox as a session uses it: the driver's truth and the index over it, kept in step. The
 * calls into the driver are checked here (box.c): a driver that breaks its contract is RK_CORRUPT,
 * logged.
 */
#ifndef MAILBOX_MAILBOX_H
#define MAILBOX_MAILBOX_H

#include "storage/index/index.h"

struct mailbox;

/* Driver, account and index are borrowed and outlive the mailbox. RK_NOTFOUND. No sync is done. */
RK_MUST_CHECK enum rk_status mailbox_open(const struct rk_driver *driver,
    struct rk_account *account, struct index *index, const char *name, struct mailbox **out,
    struct rk_err *err);
void mailbox_close(struct mailbox *mb);

/* Asks the driver what changed and brings the index up to it. RK_NOTFOUND: it was deleted. */
RK_MUST_CHECK enum rk_status mailbox_sync(
    struct mailbox *mb, bool *changed_out, struct rk_err *err);

const char *mailbox_name(const struct mailbox *mb);
/* Valid after the first sync. */
const unsigned char *mailbox_guid(const struct mailbox *mb);
/* Whether flags and messages can be changed at all (the driver has store and expunge). */
bool mailbox_writable(const struct mailbox *mb);

RK_MUST_CHECK enum rk_status mailbox_info(
    struct mailbox *mb, struct rk_arena *mem, struct index_info *out, struct rk_err *err);
RK_MUST_CHECK enum rk_status mailbox_uids(
    struct mailbox *mb, struct uidset *out, struct rk_err *err);
RK_MUST_CHECK enum rk_status mailbox_changed(
    struct mailbox *mb, uint64_t modseq, struct uidset *out, struct rk_err *err);
/* index_records for this mailbox: query->guid is filled in. */
RK_MUST_CHECK enum rk_status mailbox_records(struct mailbox *mb, const struct index_query *query,
    struct rk_arena *mem, struct index_records *out, struct rk_err *err);

/* A message's bytes; the descriptor is the caller's. RK_EXPIRED: expunged meanwhile. */
RK_MUST_CHECK enum rk_status mailbox_body(
    struct mailbox *mb, const struct index_record *record, struct rk_body *out, struct rk_err *err);

/* RFC822.SIZE, reading the message if nobody knows it yet; then kept in record and index. */
RK_MUST_CHECK enum rk_status mailbox_size(
    struct mailbox *mb, struct index_record *record, struct rk_err *err);

/* The same for all messages whose size nobody knows yet (STATUS SIZE). */
RK_MUST_CHECK enum rk_status mailbox_sizes(struct mailbox *mb, struct rk_err *err);

/* Response bytes that were kept (index_cached, index_cache_keep): query->guid is filled in,
 * uidvalidity is the one that the messages were selected under. Keeping is a favour whose failure
 * is only logged. */
RK_MUST_CHECK enum rk_status mailbox_cached(struct mailbox *mb,
    const struct index_cached_query *query, struct rk_arena *mem, struct index_cached_msg *out,
    struct rk_err *err);
void mailbox_cache_keep(struct mailbox *mb, const struct index_cached_query *query,
    const struct index_cached_msg *msgs);

/*
 * Changes. Each asks the driver (durable on return, as storage.h says), then syncs what it touched,
 * so that the index shows it when the call returns. RK_UNSUPPORTED: the driver can't.
 */

/* All or none. Message files are the caller's. UIDs in `mem`. */
RK_MUST_CHECK enum rk_status mailbox_append(struct mailbox *mb, const struct rk_new_msg *msgs,
    size_t n, struct rk_arena *mem, struct rk_uids *out, struct rk_err *err);

/* UIDs that are not there are left out silently, here and below. *missing_out: how many. */
RK_MUST_CHECK enum rk_status mailbox_store(struct mailbox *mb, const struct uidset *uids,
    const struct rk_store_change *change, uint32_t *missing_out, struct rk_err *err);

/* What was copied or moved: source UIDs ascending, and the UID that each got. */
struct mailbox_copied {
	uint32_t uidvalidity; /* of the target */
	const uint32_t *from; /* in `mem` */
	const uint32_t *to;
	size_t n;
};
struct mailbox_copy {
	const struct uidset *uids;
	struct mailbox *to; /* may be a second handle on the same mailbox */
	bool move;
};
/* All of those that are there, or none. */
RK_MUST_CHECK enum rk_status mailbox_copy(struct mailbox *mb, const struct mailbox_copy *what,
    struct rk_arena *mem, struct mailbox_copied *out, struct rk_err *err);

/* Removes the messages of `uids` that have \Deleted (of all, when uids is NULL). *removed_out: how
 * many; after a failure, how many were about to be. */
RK_MUST_CHECK enum rk_status mailbox_expunge(
    struct mailbox *mb, const struct uidset *uids, uint32_t *removed_out, struct rk_err *err);

/*
 * \Recent of IMAP4rev1: UIDs from *first_out on are recent for who asks; with `take` no later
 * session is told so of the same ones. Kept in the index only (losing it costs nothing).
 */
RK_MUST_CHECK enum rk_status mailbox_recent(
    struct mailbox *mb, bool take, uint32_t *first_out, struct rk_err *err);

RK_MUST_CHECK enum rk_status mailbox_watch(
    struct mailbox *mb, struct rk_watch *out, struct rk_err *err);

#endif
