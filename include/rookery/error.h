/*
 * Results. Every fallible function returns enum rk_status and fills a struct rk_err with text for
 * the log only: what a client sees comes from one table over the status.
 */
#ifndef ROOKERY_ERROR_H
#define ROOKERY_ERROR_H

#include <rookery/types.h>

#define RK_MUST_CHECK __attribute__((warn_unused_result))

enum rk_status {
	RK_OK = 0,
	RK_NOTFOUND,    /* [NONEXISTENT]: no such mailbox, message or attribute */
	RK_EXISTS,      /* [ALREADYEXISTS] */
	RK_INVALID,     /* [CANNOT]: can never work in this form (a name the store can't hold) */
	RK_UNSUPPORTED, /* [CANNOT]: this driver doesn't have the operation */
	RK_DENIED,      /* [NOPERM] */
	RK_LIMIT,       /* [LIMIT] */
	RK_QUOTA,       /* [OVERQUOTA]; also a full disk */
	RK_INUSE,       /* [INUSE]: a lock did not come free in time */
	RK_CORRUPT,     /* [CORRUPTION]: stored data makes no sense */
	RK_TEMP,        /* [UNAVAILABLE]: the system failed; trying again may help */
	RK_EXPIRED,     /* [EXPIRED] or gone: the message was expunged meanwhile */
	RK_AGAIN,       /* nothing to read or no room to write now; never shown to a client */
	RK_CLOSED,      /* the other side is gone; never shown to a client */
};

/* Why something failed, for the log. Zero-initialise; valid until the next failure is put in. */
struct rk_err {
	enum rk_status status;
	int sys_errno; /* errno at the time of failure, 0 if it had no part in it */
	char text[256];
};

/*
 * Fills `err` (may be NULL) with `status`, errno and the text, and returns `status`, so that a
 * failure is one line: `return rk_fail(err, RK_TEMP, "open %s", name);`
 */
RK_API enum rk_status rk_fail(struct rk_err *err, enum rk_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Same, for failures in which errno has no part. */
RK_API enum rk_status rk_fail_plain(struct rk_err *err, enum rk_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Short lower-case word of a status ("notfound"), for logs and tests. Static. */
RK_API const char *rk_status_name(enum rk_status status);

#endif
