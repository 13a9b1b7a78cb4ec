#include "lib/base/file.h"

#include <errno.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/os_linux.h"

enum rk_status
file_status(int e)
{
	switch (e) {
	case ENOENT:
	case ENOTDIR:
		return RK_NOTFOUND;
	case EEXIST:
		return RK_EXISTS;
	case ELOOP:
	case EXDEV:
	case EACCES:
	case EPERM:
	case EROFS:
		return RK_DENIED;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return RK_QUOTA;
	case ENAMETOOLONG:
		return RK_INVALID;
	default:
		return RK_TEMP;
	}
}

static int
open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	do {
		fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	} while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd;
}

enum rk_status
file_open(int dirfd, const char *path, int flags, mode_t mode, int *fd_out, struct rk_err *err)
{
	int fd = open_beneath(dirfd, path, flags, mode);

	if (fd < 0)
		return rk_fail(err, file_status(errno), "open %s", path);
	*fd_out = fd;
	return RK_OK;
}

enum rk_status
file_open_regular(
    int dirfd, const char *path, int flags, int *fd_out, struct stat *st_out, struct rk_err *err)
{
	struct stat st;
	int fd = open_beneath(dirfd, path, flags | O_NONBLOCK | O_NOCTTY, 0);

	if (fd < 0)
		return rk_fail(
		    err, errno == ENXIO ? RK_CORRUPT : file_status(errno), "open %s", path);
	if (fstat(fd, &st) < 0) {
		enum rk_status status = rk_fail(err, RK_TEMP, "fstat %s", path);

		close(fd);
		return status;
	}
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		return rk_fail_plain(err, RK_CORRUPT, "%s is no regular file", path);
	}
	if (st_out != NULL)
		*st_out = st;
	*fd_out = fd;
	return RK_OK;
}

enum rk_status
file_open_dir(int dirfd, const char *path, int *fd_out, struct rk_err *err)
{
	int fd;

	if (dirfd == AT_FDCWD)
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	else
		fd = open_beneath(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return rk_fail(err, file_status(errno), "open directory %s", path);
	*fd_out = fd;
	return RK_OK;
}

enum rk_status
file_make_dir(int dirfd, const char *name, mode_t mode, struct rk_err *err)
{
	if (mkdirat(dirfd, name, mode) < 0) {
		if (errno == EEXIST)
			return RK_OK;
		return rk_fail(err, file_status(errno), "make directory %s", name);
	}
	/* The mode as it was asked for, whatever the umask is. */
	if (fchmodat(dirfd, name, mode, 0) < 0)
		return rk_fail(err, RK_TEMP, "mode of directory %s", name);
	return file_sync(dirfd, name, err);
}

enum rk_status
file_read(int fd, size_t max, struct rk_arena *mem, struct rk_blob *out, struct rk_err *err)
{
	struct stat st;
	char *bytes;
	size_t size, got = 0;

	if (fstat(fd, &st) < 0)
		return rk_fail(err, RK_TEMP, "fstat");
	if (st.st_size < 0 || (uint64_t)st.st_size > max)
		return rk_fail_plain(err, RK_LIMIT, "a file of %lld bytes, %zu are allowed",
		    (long long)st.st_size, max);
	size = (size_t)st.st_size;
	bytes = rk_arena_alloc(mem, size + 1);
	while (got < size) {
		ssize_t n = pread(fd, bytes + got, size - got, (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rk_fail(err, RK_TEMP, "read");
		if (n == 0)
			break; /* it became shorter meanwhile */
		got += (size_t)n;
	}
	bytes[got] = '\0';
	*out = (struct rk_blob){ bytes, got };
	return RK_OK;
}

enum rk_status
file_write(int fd, const void *bytes, size_t n, struct rk_err *err)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t put = write(fd, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return rk_fail(err, file_status(errno), "write");
		p += put;
		n -= (size_t)put;
	}
	return RK_OK;
}

enum rk_status
file_sync(int fd, const char *what, struct rk_err *err)
{
	if (fsync(fd) < 0)
		return rk_fail(err, file_status(errno), "fsync %s", what);
	return RK_OK;
}

static enum rk_status
replace_write(
    int dirfd, const char *tmp, const void *bytes, size_t n, mode_t mode, struct rk_err *err)
{
	enum rk_status status;
	int fd;

	status = file_open(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL, mode, &fd, err);
	if (status != RK_OK)
		return status;
	status = file_write(fd, bytes, n, err);
	if (status == RK_OK)
		status = file_sync(fd, tmp, err);
	if (close(fd) < 0 && status == RK_OK)
		status = rk_fail(err, file_status(errno), "close %s", tmp);
	return status;
}

enum rk_status
file_rename_new(int from_dir, const char *from, int to_dir, const char *to, struct rk_err *err)
{
	struct stat st;
	int error = 0;

	if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
		return RK_OK;
	error = errno;
	/* Some file systems (NFS) cannot be told so. */
	if (error == EINVAL || error == ENOSYS) {
		if (fstatat(to_dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
			error = EEXIST;
		else if (renameat(from_dir, from, to_dir, to) == 0)
			return RK_OK;
		else
			error = errno;
	}
	errno = error;
	return rk_fail(err, file_status(error), "rename %s", from);
}

enum rk_status
file_replace(
    int dirfd, const char *name, const void *bytes, size_t n, mode_t mode, struct rk_err *err)
{
	char tmp[300];
	uint64_t unique;
	enum rk_status status;

	os_random(&unique, sizeof(unique));
	if (snprintf(tmp, sizeof(tmp), "%s.%016llx.tmp", name, (unsigned long long)unique) >=
	    (int)sizeof(tmp))
		return rk_fail_plain(err, RK_INVALID, "a file name of %zu bytes", strlen(name));
	status = replace_write(dirfd, tmp, bytes, n, mode, err);
	if (status == RK_OK && renameat(dirfd, tmp, dirfd, name) < 0)
		status = rk_fail(err, file_status(errno), "rename to %s", name);
	if (status != RK_OK) {
		unlinkat(dirfd, tmp, 0);
		return status;
	}
	return file_sync(dirfd, name, err);
}

enum rk_status
file_lock(int fd, int64_t deadline_ms, struct rk_err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int wait_ms = 1;

	for (;;) {
		if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
			return RK_OK;
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return rk_fail(err, RK_TEMP, "lock");
		if (rk_clock_ms() >= deadline_ms)
			return rk_fail_plain(err, RK_INUSE, "the lock did not come free in time");
		poll(NULL, 0, wait_ms);
		if (wait_ms < 32)
			wait_ms *= 2;
	}
}
