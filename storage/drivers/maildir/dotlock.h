/* Lock files as Dovecot makes them: exclusive creation, stale after two minutes without a touch. */
#ifndef MAILDIR_DOTLOCK_H
#define MAILDIR_DOTLOCK_H

#include <rookery/error.h>

#include <sys/types.h>

struct dotlock {
	int dir;
	const char *name;
	dev_t dev; /* of the file we made: another one is not ours to remove */
	ino_t ino;
};

/* `dir` and `name` are borrowed until dotlock_drop. RK_INUSE after timeout_ms. */
RK_MUST_CHECK enum rk_status dotlock_take(
    struct dotlock *lock, int dir, const char *name, uint32_t timeout_ms, struct rk_err *err);
void dotlock_drop(struct dotlock *lock);

#endif
