/*
 * A holder that died leaves its file behind. Dovecot looks whether the process is alive when the
 * host name is its own, and so do we; else the file must have been untouched for two minutes by the
 * file system's own clock. Breaking a lock is a race: two waiters may both find it stale, and the
 * second would remove the first one's fresh lock. So the breaker locks the stale inode (OFD) and
 * looks again whether the path still means it.
 */
#include "storage/drivers/maildir/dotlock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/str.h"

#define TOUCH_MS 5000
#define HOST_SIZE 256

/* Whether the holder named in the file is a process of this host that has ended. */
static bool
holder_is_dead(int fd)
{
	char text[HOST_SIZE + 32], host[HOST_SIZE];
	struct str rest, pid;
	uint64_t value;
	ssize_t n = pread(fd, text, sizeof(text), 0);

	if (n <= 0 || gethostname(host, sizeof(host)) < 0)
		return false;
	host[sizeof(host) - 1] = '\0';
	if (text[n - 1] == '\n')
		n--;
	rest = str_of(text, (size_t)n);
	if (!str_split(&rest, ':', &pid) || !str_u64(pid, INT32_MAX, &value) || value == 0 ||
	    !str_is(rest, host))
		return false;
	/* Our own pid in a file that we don't hold is an earlier process's. */
	return (pid_t)value == getpid() || (kill((pid_t)value, 0) < 0 && errno == ESRCH);
}

/* Age by the later of its two times: mtime alone can be set to anything. */
static bool
is_old(const struct stat *st)
{
	struct timespec now;
	int64_t changed = st->st_mtim.tv_sec;

	if (st->st_ctim.tv_sec > changed)
		changed = st->st_ctim.tv_sec;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec - changed > DOTLOCK_STALE_SECONDS;
}

static bool
path_is(int dirfd, const char *name, const struct stat *st)
{
	struct stat now;

	return fstatat(dirfd, name, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_ino == st->st_ino &&
	       now.st_dev == st->st_dev;
}

/* Removes a lock file that belongs to nobody. */
static void
stale_break(const struct dotlock *lock)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat st;
	int fd;

	if (file_open_regular(lock->dirfd, lock->name, O_RDWR, &fd, &st, NULL) != RK_OK)
		return;
	if ((holder_is_dead(fd) || is_old(&st)) && fcntl(fd, F_OFD_SETLK, &whole) == 0 &&
	    path_is(lock->dirfd, lock->name, &st)) {
		rk_log(RK_LOG_WARN, "maildir.stale_lock", "%s removed", lock->name);
		unlinkat(lock->dirfd, lock->name, 0);
	}
	close(fd);
}

static enum rk_status
create(struct dotlock *lock, struct rk_err *err)
{
	return file_open(
	    lock->dirfd, lock->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0644, &lock->fd, err);
}

/* The content helps others to see that we died; without it they wait for the time. */
static void
sign(const struct dotlock *lock)
{
	char host[HOST_SIZE], text[HOST_SIZE + 32];
	int n;

	if (gethostname(host, sizeof(host)) < 0)
		return;
	host[sizeof(host) - 1] = '\0';
	n = snprintf(text, sizeof(text), "%d:%s", (int)getpid(), host);
	if (write(lock->fd, text, (size_t)n) != n)
		rk_log(RK_LOG_DEBUG, "maildir.lock", "%s could not be signed", lock->name);
}

enum rk_status
dotlock_take(
    struct dotlock *lock, int dirfd, const char *name, uint32_t wait_ms, struct rk_err *err)
{
	int64_t deadline = rk_clock_ms() + wait_ms;
	int pause_ms = 1;

	*lock = (struct dotlock){ .dirfd = dirfd, .name = name, .fd = -1 };
	for (;;) {
		enum rk_status status = create(lock, err);

		if (status == RK_OK)
			break;
		if (status != RK_EXISTS)
			return status;
		stale_break(lock);
		if (rk_clock_ms() >= deadline)
			return rk_fail_plain(err, RK_INUSE, "%s is held by another", name);
		poll(NULL, 0, pause_ms);
		if (pause_ms < 50)
			pause_ms *= 2;
	}
	sign(lock);
	lock->touched_ms = rk_clock_ms();
	return RK_OK;
}

enum rk_status
dotlock_keep(struct dotlock *lock, struct rk_err *err)
{
	struct stat st;

	if (fstat(lock->fd, &st) < 0 || !path_is(lock->dirfd, lock->name, &st))
		return rk_fail_plain(err, RK_INUSE, "%s was taken away", lock->name);
	if (rk_clock_ms() - lock->touched_ms > TOUCH_MS) {
		futimens(lock->fd, NULL);
		lock->touched_ms = rk_clock_ms();
	}
	return RK_OK;
}

void
dotlock_drop(struct dotlock *lock)
{
	struct stat st;

	if (lock->fd < 0)
		return;
	if (fstat(lock->fd, &st) == 0 && path_is(lock->dirfd, lock->name, &st))
		unlinkat(lock->dirfd, lock->name, 0);
	close(lock->fd);
	lock->fd = -1;
}
