/*
 * Rotation: logrotate renames the file and makes a new one (`create`), or lets us make it. The open
 * file is compared with the path by device and inode. If the path names nothing and we may not make
 * a file there, the old one is written on: a line in a renamed file is better than none.
 */
#include "log/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/log.h"

#define CHECK_MS 1000
#define STDERR_WAIT_MS 200 /* a terminal or pipe that nobody reads */
#define SYSLOG_PATH "/dev/log"
#define FACILITY_MAIL (2 << 3)

static enum rk_status
file_connect(struct sink *s, struct rk_err *err)
{
	/* Not O_NOFOLLOW: /var/log may be a link, and the path is the administrator's. O_NONBLOCK:
	 * a FIFO without a reader must not stop us. */
	int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int fd = open(s->path, flags, 0640);
	struct stat st;
	enum rk_status status;

	if (fd < 0)
		return rk_fail(err, RK_TEMP, "open %s", s->path);
	if (fstat(fd, &st) < 0) {
		status = rk_fail(err, RK_TEMP, "fstat %s", s->path);
		close(fd);
		return status;
	}
	if (s->fd >= 0)
		close(s->fd);
	s->fd = fd;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	s->torn = false;
	return RK_OK;
}

static enum rk_status
syslog_connect(struct sink *s, struct rk_err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SYSLOG_PATH };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	enum rk_status status;

	if (fd < 0)
		return rk_fail(err, RK_TEMP, "socket for syslog");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		status = rk_fail(err, RK_TEMP, "connect to %s", SYSLOG_PATH);
		close(fd);
		return status;
	}
	s->fd = fd;
	return RK_OK;
}

/* Root without the capability to override permissions can't open a file that belongs to us, so that
 * is done under our own name, and only a file that we may not make is made by root and given to us.
 */
static enum rk_status
file_first_open(struct sink *s, uid_t uid, gid_t gid, struct rk_err *err)
{
	enum rk_status status;

	if (geteuid() != 0 || uid == 0)
		return file_connect(s, err);
	if (setegid(gid) < 0 || seteuid(uid) < 0)
		return rk_fail(err, RK_TEMP, "changing to uid %u", (unsigned)uid);
	status = file_connect(s, err);
	if (seteuid(0) < 0 || setegid(0) < 0)
		return rk_fail(err, RK_TEMP, "changing back to root");
	if (status == RK_OK)
		return RK_OK;
	status = file_connect(s, err);
	if (status == RK_OK && fchown(s->fd, uid, gid) < 0)
		status = rk_fail(err, RK_TEMP, "chown %s", s->path);
	return status;
}

enum rk_status
sink_open(struct sink *s, const char *target, uid_t uid, gid_t gid, struct rk_err *err)
{
	*s = (struct sink){ .fd = -1, .path = target };
	if (strcmp(target, "stderr") == 0) {
		s->kind = SINK_STDERR;
		s->fd = STDERR_FILENO;
		return RK_OK;
	}
	if (strcmp(target, "syslog") == 0) {
		struct rk_err why;

		s->kind = SINK_SYSLOG;
		/* A syslog daemon that starts after us is found when there is something to say. */
		if (syslog_connect(s, &why) != RK_OK)
			s->fd = -1;
		return RK_OK;
	}
	s->kind = SINK_FILE;
	return file_first_open(s, uid, gid, err);
}

void
sink_close(struct sink *s)
{
	if (s->fd >= 0 && s->kind != SINK_STDERR)
		close(s->fd);
	s->fd = -1;
}

/* All or nothing as far as the system lets us: a torn line is ended before the next one starts. */
static bool
stream_write(struct sink *s, const char *line, size_t n)
{
	struct iovec iov[2] = {
		{ .iov_base = (char *)"\n", .iov_len = s->torn ? 1 : 0 },
		{ .iov_base = (char *)line, .iov_len = n },
	};
	size_t whole = iov[0].iov_len + n;
	ssize_t put;

	if (s->kind == SINK_STDERR) {
		struct pollfd pfd = { .fd = s->fd, .events = POLLOUT };

		/* It may block, and we have no right to change a descriptor that others share. */
		/* Once it was full it is waited for no more: all others would wait for us. */
		if (poll(&pfd, 1, s->lost_now > 0 ? 0 : STDERR_WAIT_MS) <= 0 ||
		    (pfd.revents & POLLOUT) == 0)
			return false;
	}
	do {
		put = writev(s->fd, iov, 2);
	} while (put < 0 && errno == EINTR);
	if (put <= 0)
		return false;
	s->torn = (size_t)put < whole;
	return !s->torn;
}

/* Priority from the level that stands in every line of ours. */
static int
syslog_priority(const char *line, size_t n)
{
	static const struct {
		const char *word;
		int severity;
	} levels[] = { { " level=error ", 3 }, { " level=warn ", 4 }, { " level=info ", 6 },
		{ " level=debug ", 7 } };
	size_t head = n < 80 ? n : 80;

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (memmem(line, head, levels[i].word, strlen(levels[i].word)) != NULL)
			return FACILITY_MAIL | levels[i].severity;
	}
	return FACILITY_MAIL | 6;
}

static bool
syslog_write(struct sink *s, const char *line, size_t n)
{
	char packet[LOG_LINE_MAX + 64];
	struct rk_err err;
	int len;

	if (n > 0 && line[n - 1] == '\n')
		n--;
	len = snprintf(packet, sizeof(packet), "<%d>rookery[%d]: %.*s", syslog_priority(line, n),
	    (int)getpid(), (int)n, line);
	if (len < 0)
		return false;
	if ((size_t)len >= sizeof(packet))
		len = sizeof(packet) - 1;
	for (int tries = 0; tries < 2; tries++) {
		if (s->fd < 0 && syslog_connect(s, &err) != RK_OK)
			return false;
		if (send(s->fd, packet, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return true;
		if (errno == EAGAIN || errno == ENOBUFS)
			return false;
		/* The daemon was restarted: its socket is another one now. */
		close(s->fd);
		s->fd = -1;
	}
	return false;
}

static bool
sink_put(struct sink *s, const char *line, size_t n)
{
	if (s->kind == SINK_SYSLOG)
		return syslog_write(s, line, n);
	return s->fd >= 0 && stream_write(s, line, n);
}

/* The sink's own words, in the form of every other line; through log_ev they would come back to us.
 */
static bool
sink_say(struct sink *s, const char *event, struct log_kv kv)
{
	char body[LOG_LINE_MAX], line[LOG_LINE_MAX + 48];
	size_t n = log_format(body, RK_LOG_WARN, event, &kv, 1), head;
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	head = strftime(line, 48, "%Y-%m-%dT%H:%M:%S.000000Z ", &tm);
	memcpy(line + head, body, n);
	line[head + n] = '\n';
	return sink_put(s, line, head + n + 1);
}

void
sink_line(struct sink *s, const char *line, size_t n, int64_t now)
{
	char ended[LOG_LINE_MAX + 2];

	sink_check(s, now, false);
	if (n > LOG_LINE_MAX)
		n = LOG_LINE_MAX;
	memcpy(ended, line, n);
	/* A process that was taken over writes here too: one datagram is one line (V16). */
	for (size_t i = 0; i + 1 < n; i++) {
		if ((unsigned char)ended[i] < 0x20 || ended[i] == 0x7f)
			ended[i] = '?';
	}
	if (n == 0 || ended[n - 1] != '\n')
		ended[n++] = '\n';
	if (s->lost_now > 0 && sink_say(s, "log.lost", LOG_U("lost", s->lost_now)))
		s->lost_now = 0;
	if (s->lost_now == 0 && sink_put(s, ended, n)) {
		s->written++;
		return;
	}
	s->lost++;
	s->lost_now++;
}

void
sink_check(struct sink *s, int64_t now, bool force)
{
	struct stat st;
	struct rk_err err;

	if (s->kind != SINK_FILE || (!force && now - s->checked_ms < CHECK_MS))
		return;
	s->checked_ms = now;
	if (s->fd >= 0 && stat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino) {
		s->complained = false;
		return;
	}
	if (file_connect(s, &err) == RK_OK) {
		s->complained = false;
		return;
	}
	/* Into the old file, once; to the log itself it would be a loop. */
	if (!s->complained && s->fd >= 0 && !sink_say(s, "log.reopen", LOG_ERR(&err)))
		s->lost++;
	s->complained = true;
}
