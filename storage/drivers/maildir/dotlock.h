/*
 * `dovecot-uidlist.lock`: the lock that Dovecot and we share over a mailbox's UID list. Whoever
 * creates the file has it. It holds "pid:host", as Dovecot writes it.
 */
#ifndef MAILDIR_DOTLOCK_H
#define MAILDIR_DOTLOCK_H

#include <rookery/host.h>

/* A lock file untouched for this long belongs to nobody; live holders touch theirs. */
#define DOTLOCK_STALE_SECONDS 120

struct dotlock {
	int dirfd; /* borrowed */
	const char *name;
	int fd;
	int64_t touched_ms;
};

/* clang-format off */
#define DOTLOCK_INIT { .dirfd = -1, .fd = -1 }
/* clang-format on */

/* Creates `name` in `dirfd`, waiting at most wait_ms for another holder: RK_INUSE. RK_DENIED,
 * RK_QUOTA. Both arguments are borrowed while the lock is held. */
RK_MUST_CHECK enum rk_status dotlock_take(
    struct dotlock *lock, int dirfd, const char *name, uint32_t wait_ms, struct rk_err *err);

/* Called during long work: touches the file now and then. RK_INUSE: somebody took the lock away. */
RK_MUST_CHECK enum rk_status dotlock_keep(struct dotlock *lock, struct rk_err *err);

/* Removes the lock file if it is still ours. Fine when the lock is not held. */
void dotlock_drop(struct dotlock *lock);

#endif
