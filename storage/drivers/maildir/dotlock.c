#include "storage/drivers/maildir/dotlock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/file.h"

/* A holder touches its lock every ten seconds; after this time without it, there is none. */
#define STALE_SECONDS 120

static enum rk_status
lock_make(struct dotlock *lock, struct rk_err *err)
{
	struct stat st;
	char text[64];
	enum rk_status status;
	int fd, n;

	status = file_open(lock->dir, lock->name, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, err);
	if (status != RK_OK)
		return status;
	n = snprintf(text, sizeof(text), "%ld:rookery", (long)getpid());
	status = file_write(fd, text, (size_t)n, err);
	if (status == RK_OK && fstat(fd, &st) < 0)
		status = rk_fail(err, RK_TEMP, "fstat %s", lock->name);
	close(fd);
	if (status != RK_OK) {
		unlinkat(lock->dir, lock->name, 0);
		return status;
	}
	lock->dev = st.st_dev;
	lock->ino = st.st_ino;
	return RK_OK;
}

/* The same file, untouched for two minutes by the clock that gave it its time. */
static void
stale_remove(const struct dotlock *lock)
{
	struct stat st, again;

	if (fstatat(lock->dir, lock->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (time(NULL) - st.st_mtime < STALE_SECONDS)
		return;
	/* Between the two looks it may have become somebody's new lock. */
	if (fstatat(lock->dir, lock->name, &again, AT_SYMLINK_NOFOLLOW) < 0 ||
	    again.st_ino != st.st_ino || again.st_mtime != st.st_mtime)
		return;
	rk_log(RK_LOG_WARN, "maildir.lock", "removing the stale %s", lock->name);
	unlinkat(lock->dir, lock->name, 0);
}

enum rk_status
dotlock_take(
    struct dotlock *lock, int dir, const char *name, uint32_t timeout_ms, struct rk_err *err)
{
	int64_t deadline = rk_clock_ms() + timeout_ms;
	int wait_ms = 2;

	*lock = (struct dotlock){ .dir = dir, .name = name };
	for (;;) {
		enum rk_status status = lock_make(lock, err);

		if (status != RK_EXISTS)
			return status;
		stale_remove(lock);
		if (rk_clock_ms() >= deadline)
			return rk_fail_plain(err, RK_INUSE, "%s is held by another process", name);
		poll(NULL, 0, wait_ms);
		if (wait_ms < 64)
			wait_ms *= 2;
	}
}

void
dotlock_drop(struct dotlock *lock)
{
	struct stat st;

	if (fstatat(lock->dir, lock->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_dev == lock->dev && st.st_ino == lock->ino)
		unlinkat(lock->dir, lock->name, 0);
}
