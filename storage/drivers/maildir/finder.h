/* Where messages are now: by the locator that the last sync gave, or by a look at all files. */
#ifndef MAILDIR_FINDER_H
#define MAILDIR_FINDER_H

#include "storage/drivers/maildir/scan.h"

struct finder {
	struct rk_box *box; /* borrowed */
	struct rk_arena *mem;
	int cur;
	int new; /* -1: there is none */
	struct scan scan;
	bool scanned;
	bool cur_changed; /* set by the caller; finder_sync looks at them */
	bool new_changed;
};

struct found {
	int dir; /* the finder's */
	const char *file;
	struct maildir_name name;
	bool in_cur;
};

RK_MUST_CHECK enum rk_status finder_begin(
    struct finder *f, struct rk_box *box, struct rk_arena *mem, struct rk_err *err);
void finder_end(struct finder *f);

/* Where the locator says; whether it is there shows the use. RK_CORRUPT: no locator of ours. */
RK_MUST_CHECK enum rk_status finder_first(
    struct finder *f, const struct rk_ref *ref, struct found *out, struct rk_err *err);
/*
 * It is not there: looks for the file's base name, at first in what an earlier look at all files
 * saw, then, with `anew`, in both directories. RK_NOTFOUND: the message is gone.
 */
RK_MUST_CHECK enum rk_status finder_next(
    struct finder *f, struct found *found, bool anew, struct rk_err *err);

/* What one message is done to: RK_NOTFOUND makes the finder look for it again. */
typedef enum rk_status finder_fn(void *context, const struct found *found, struct rk_err *err);
/* Finds the message and calls `fn`. RK_NOTFOUND: it is gone. */
RK_MUST_CHECK enum rk_status finder_do(
    struct finder *f, const struct rk_ref *ref, finder_fn *fn, void *context, struct rk_err *err);

/* Removes the message; the context is the finder. For finder_do. */
enum rk_status finder_unlink(void *context, const struct found *found, struct rk_err *err);

/* Writes the directories that changed to the disk. */
RK_MUST_CHECK enum rk_status finder_sync(struct finder *f, struct rk_err *err);

#endif
