/*
 * Files named by hostile data, and files that must survive a power cut. Nothing here follows a
 * symbolic link or leaves the directory it is given (openat2 with RESOLVE_BENEATH, NO_SYMLINKS,
 * NO_MAGICLINKS).
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <rookery/host.h>

#include <fcntl.h>
#include <sys/stat.h>

/* What errno of an open, link or rename means to a caller: RK_NOTFOUND, RK_EXISTS, RK_DENIED,
 * RK_QUOTA, RK_INVALID (name too long), else RK_TEMP. */
enum rk_status file_status(int error);

/*
 * Opens `path` (relative) beneath `dirfd` with O_CLOEXEC added. *fd_out is the caller's.
 * RK_NOTFOUND; RK_DENIED (also for a symlink or an escape); RK_TEMP.
 */
RK_MUST_CHECK enum rk_status file_open(
    int dirfd, const char *path, int flags, mode_t mode, int *fd_out, struct rk_err *err);

/* Same for a file that is there already; it must be a regular one (RK_CORRUPT otherwise); never
 * blocks on a FIFO. */
RK_MUST_CHECK enum rk_status file_open_regular(
    int dirfd, const char *path, int flags, int *fd_out, struct stat *st_out, struct rk_err *err);

/* Opens the directory `path` beneath `dirfd`, or any absolute path when dirfd is AT_FDCWD (the
 * administrator's own paths: links are followed there). */
RK_MUST_CHECK enum rk_status file_open_dir(
    int dirfd, const char *path, int *fd_out, struct rk_err *err);

/* Directory `name` in `dirfd` with `mode`, durable; fine if it is there already. */
RK_MUST_CHECK enum rk_status file_make_dir(
    int dirfd, const char *name, mode_t mode, struct rk_err *err);

/* Whole file of at most `max` bytes into `mem` with a NUL behind; RK_LIMIT if it is larger. */
RK_MUST_CHECK enum rk_status file_read(
    int fd, size_t max, struct rk_arena *mem, struct rk_blob *out, struct rk_err *err);

/* All bytes, in spite of EINTR and short writes. RK_QUOTA when the disk or quota is full. */
RK_MUST_CHECK enum rk_status file_write(int fd, const void *bytes, size_t n, struct rk_err *err);

/* Renames, never over another file: RK_EXISTS. RK_NOTFOUND. Nothing is synced. */
RK_MUST_CHECK enum rk_status file_rename_new(
    int from_dir, const char *from, int to_dir, const char *to, struct rk_err *err);

/* Replaces `name` in `dirfd` by `bytes`: temporary file beside it, fsync, rename, fsync of dirfd.
 */
RK_MUST_CHECK enum rk_status file_replace(
    int dirfd, const char *name, const void *bytes, size_t n, mode_t mode, struct rk_err *err);

/* fsync with a status. After a failure the file must be written anew: never fsync it again. */
RK_MUST_CHECK enum rk_status file_sync(int fd, const char *what, struct rk_err *err);

/* Write lock on the whole file by open file description, waiting until `deadline_ms` of
 * rk_clock_ms(); RK_INUSE after that. Goes with the descriptor. */
RK_MUST_CHECK enum rk_status file_lock(int fd, int64_t deadline_ms, struct rk_err *err);

#endif
