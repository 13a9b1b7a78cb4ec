#include "master/daemon.h"

#include "lib/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The process that the administrator's shell waits for. */
static _Noreturn void
foreground_wait(int fd)
{
	char byte;
	ssize_t n;

	do {
		n = read(fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	_exit(n == 1 ? 0 : 1);
}

enum rk_status
daemon_detach(int *ready_out, struct rk_err *err)
{
	int pipe_fds[2];
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return rk_fail(err, RK_TEMP, "pipe");
	pid = fork();
	if (pid < 0)
		return rk_fail(err, RK_TEMP, "fork");
	if (pid > 0) {
		close(pipe_fds[1]);
		foreground_wait(pipe_fds[0]);
	}
	close(pipe_fds[0]);
	if (setsid() < 0)
		return rk_fail(err, RK_TEMP, "setsid");
	/* Not the leader of the session any more: it can never get a terminal. */
	pid = fork();
	if (pid < 0)
		return rk_fail(err, RK_TEMP, "fork");
	if (pid > 0)
		_exit(0);
	if (chdir("/") < 0)
		return rk_fail(err, RK_TEMP, "chdir /");
	*ready_out = pipe_fds[1];
	return RK_OK;
}

static enum rk_status
parents_make(const char *path, struct rk_err *err)
{
	char part[1024];
	size_t n = strlen(path);

	if (n >= sizeof(part))
		return rk_fail_plain(err, RK_INVALID, "the path %s is too long", path);
	for (size_t i = 1; i < n; i++) {
		if (path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return rk_fail(err, RK_TEMP, "mkdir %s", part);
	}
	return RK_OK;
}

/* A directory that another account may write to would let it swap our files. */
static enum rk_status
dir_check(const char *path, struct rk_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return rk_fail(err, RK_TEMP, "stat %s", path);
	if (!S_ISDIR(st.st_mode))
		return rk_fail_plain(err, RK_INVALID, "%s is not a directory", path);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return rk_fail_plain(err, RK_DENIED, "%s belongs to uid %u, not to uid %u", path,
		    (unsigned)st.st_uid, (unsigned)geteuid());
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return rk_fail_plain(
		    err, RK_DENIED, "%s may be written by others: chmod go-w it", path);
	return RK_OK;
}

static enum rk_status
dir_make(const char *path, mode_t mode, struct rk_err *err)
{
	enum rk_status status = parents_make(path, err);

	if (status != RK_OK)
		return status;
	if (mkdir(path, mode) == 0) {
		/* The umask had its part in mkdir's mode. */
		if (chmod(path, mode) < 0)
			return rk_fail(err, RK_TEMP, "chmod %s", path);
	} else if (errno != EEXIST) {
		return rk_fail(err, RK_TEMP, "mkdir %s", path);
	}
	return dir_check(path, err);
}

/* Whatever lies in the directory that processes are locked into, they can reach. */
static enum rk_status
empty_check(const char *path, struct rk_err *err)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	enum rk_status status = RK_OK;

	if (dir == NULL)
		return rk_fail(err, RK_TEMP, "open %s", path);
	while (status == RK_OK && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			status = rk_fail_plain(err, RK_INVALID, "%s must be empty", path);
	}
	closedir(dir);
	return status;
}

enum rk_status
daemon_dirs(const struct settings *settings, struct rk_err *err)
{
	enum rk_status status;
	char path[600];
	mode_t mask = umask(022);

	status = dir_make(settings->run_dir, 0755, err);
	snprintf(path, sizeof(path), "%s/empty", settings->run_dir);
	if (status == RK_OK)
		status = dir_make(path, 0755, err);
	if (status == RK_OK)
		status = empty_check(path, err);
	if (status == RK_OK)
		status = dir_make(settings->state_dir, 0755, err);
	snprintf(path, sizeof(path), "%s/index", settings->state_dir);
	if (status == RK_OK)
		status = dir_make(path, 0711, err);
	umask(mask);
	return status;
}

static void
pidfile_path(char path[128], const char *run_dir)
{
	snprintf(path, 128, "%s/rookery.pid", run_dir);
}

enum rk_status
daemon_lock(const char *run_dir, int *fd_out, struct rk_err *err)
{
	char path[128], text[16];
	enum rk_status status;
	int fd, n;

	pidfile_path(path, run_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return rk_fail(err, RK_TEMP, "open %s", path);
	status = file_lock(fd, rk_clock_ms(), err);
	if (status != RK_OK) {
		close(fd);
		if (status == RK_INUSE)
			return rk_fail_plain(err, RK_INUSE,
			    "another Rookery runs with the run_dir %s (see %s)", run_dir, path);
		return status;
	}
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (fchmod(fd, 0644) < 0 || ftruncate(fd, 0) < 0 || write(fd, text, (size_t)n) != n) {
		status = rk_fail(err, RK_TEMP, "write %s", path);
		close(fd);
		return status;
	}
	*fd_out = fd;
	return RK_OK;
}

void
daemon_unlock(const char *run_dir, int fd)
{
	char path[128];

	pidfile_path(path, run_dir);
	unlink(path);
	close(fd);
}
