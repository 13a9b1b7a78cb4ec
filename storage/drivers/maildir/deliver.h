/*
 * New messages of a mailbox: files made in tmp/, then numbered and moved into cur/ together. The
 * order is the one that survives a power cut: file synced, UID in the list and synced, rename,
 * directory synced. A crash leaves a UID that nobody has, or a file in tmp/, never a message that
 * was acknowledged and is gone.
 */
#ifndef MAILDIR_DELIVER_H
#define MAILDIR_DELIVER_H

#include "storage/drivers/maildir/maildir_impl.h"

struct deliver_msg {
	const char *base; /* its name in tmp/ */
	const char *file; /* its name in cur/, once it is there */
	uint32_t flags;
	struct rk_words keywords;
	struct rk_words extra; /* of these, the ones without a letter */
};

struct deliver {
	struct rk_box *box; /* borrowed */
	struct rk_arena *mem;
	int tmp;
	int cur;
	struct deliver_msg *msgs;
	size_t n;
	size_t max;
};

/* Room for `max` messages. RK_DENIED: the account is read-only. deliver_end frees. */
RK_MUST_CHECK enum rk_status deliver_begin(
    struct deliver *d, struct rk_box *box, size_t max, struct rk_arena *mem, struct rk_err *err);

/* Copies a range of a file (every line with CR LF) into a new message, synced, with its date. */
RK_MUST_CHECK enum rk_status deliver_bytes(
    struct deliver *d, const struct rk_new_msg *msg, struct rk_err *err);

/* What a message of another mailbox is, for deliver_same. */
struct deliver_source {
	int dir; /* of `file` */
	const char *file;
	uint64_t size;    /* S= of its name */
	uint64_t virtual; /* W= */
	uint32_t flags;
	struct rk_words keywords;
};
/* The same file as a new message: a hard link, or a copy where there can be none. RK_NOTFOUND: it
 * is not there (any more). */
RK_MUST_CHECK enum rk_status deliver_same(
    struct deliver *d, const struct deliver_source *source, struct rk_err *err);

/* Gives UIDs and makes the messages visible; all or none. */
RK_MUST_CHECK enum rk_status deliver_commit(
    struct deliver *d, struct rk_uids *out, struct rk_err *err);

/* Removes what was not committed. Fine after a deliver_begin that failed. */
void deliver_end(struct deliver *d);

#endif
