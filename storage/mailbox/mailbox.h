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

RK_MUST_CHECK enum rk_status mailbox_watch(
    struct mailbox *mb, struct rk_watch *out, struct rk_err *err);

#endif
