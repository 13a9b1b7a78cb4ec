#include "lib/ipc/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Room for the descriptors of one message. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * MSG_FDS_MAX)];
};

enum rk_status
ipc_pair(int fds_out[2], struct rk_err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds_out) < 0)
		return rk_fail(err, RK_TEMP, "socketpair");
	return RK_OK;
}

enum rk_status
ipc_nonblock(int fd, bool nonblocking, struct rk_err *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return rk_fail(err, RK_TEMP, "fcntl");
	flags = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	if (fcntl(fd, F_SETFL, flags) < 0)
		return rk_fail(err, RK_TEMP, "fcntl");
	return RK_OK;
}

static enum rk_status
send_failed(struct rk_err *err)
{
	switch (errno) {
	case EAGAIN:
	case ENOBUFS:
		return rk_fail(err, RK_AGAIN, "send");
	case EPIPE:
	case ECONNRESET:
	case ENOTCONN:
		return rk_fail(err, RK_CLOSED, "send");
	default:
		return rk_fail(err, RK_TEMP, "send");
	}
}

enum rk_status
ipc_send(int fd, const struct msg_out *m, struct rk_err *err)
{
	unsigned char frame[MSG_MAX];
	union control control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = frame };
	struct msghdr head = { .msg_iov = &iov, .msg_iovlen = 1 };
	enum rk_status status;
	ssize_t sent;

	status = msg_frame(m, frame, &iov.iov_len, err);
	if (status != RK_OK)
		return status;
	if (m->nfds > 0) {
		struct cmsghdr *c;

		head.msg_control = control.bytes;
		head.msg_controllen = CMSG_SPACE(sizeof(int) * m->nfds);
		c = CMSG_FIRSTHDR(&head);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * m->nfds);
		memcpy(CMSG_DATA(c), m->fds, sizeof(int) * m->nfds);
	}
	do {
		sent = sendmsg(fd, &head, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	explicit_bzero(frame, iov.iov_len); /* it may have held a password */
	return sent < 0 ? send_failed(err) : RK_OK;
}

static void
fds_take(struct msghdr *head, struct msg_in *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(head); c != NULL; c = CMSG_NXTHDR(head, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (m->nfds < MSG_FDS_MAX)
				m->fds[m->nfds++] = fd;
			else
				close(fd);
		}
	}
}

enum rk_status
ipc_recv(int fd, struct msg_in *m, struct rk_err *err)
{
	unsigned char frame[MSG_MAX];
	union control control;
	struct iovec iov = { .iov_base = frame, .iov_len = sizeof(frame) };
	struct msghdr head = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	enum rk_status status;
	size_t nfds;
	ssize_t got;

	m->nfds = 0;
	do {
		got = recvmsg(fd, &head, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0) {
		if (errno == EAGAIN)
			return rk_fail(err, RK_AGAIN, "nothing to receive");
		return rk_fail(err, errno == ECONNRESET ? RK_CLOSED : RK_TEMP, "receive");
	}
	fds_take(&head, m);
	nfds = m->nfds;
	if (got == 0 && nfds == 0)
		return rk_fail_plain(err, RK_CLOSED, "the peer closed the connection");
	if ((head.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
		msg_drop(m);
		return rk_fail_plain(err, RK_CORRUPT, "an over-long message");
	}
	status = msg_parse(m, frame, (size_t)got, err);
	explicit_bzero(frame, (size_t)got);
	m->nfds = nfds;
	if (status != RK_OK)
		msg_drop(m);
	return status;
}

enum rk_status
ipc_recv_until(int fd, struct msg_in *m, int64_t deadline_ms, struct rk_err *err)
{
	for (;;) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		int64_t left = deadline_ms - rk_clock_ms();
		int rc;

		if (left < 0)
			left = 0;
		rc = poll(&pfd, 1, left > 60000 ? 60000 : (int)left);
		if (rc < 0 && errno != EINTR)
			return rk_fail(err, RK_TEMP, "poll");
		if (rc > 0)
			return ipc_recv(fd, m, err);
		if (rk_clock_ms() >= deadline_ms)
			return rk_fail_plain(err, RK_TEMP, "no answer in time");
	}
}

enum rk_status
ipc_peer(int fd, uid_t *uid_out, pid_t *pid_out, struct rk_err *err)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return rk_fail(err, RK_TEMP, "SO_PEERCRED");
	*uid_out = cred.uid;
	*pid_out = cred.pid;
	return RK_OK;
}

static enum rk_status
address_fill(struct sockaddr_un *address, const char *path, struct rk_err *err)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(address->sun_path))
		return rk_fail_plain(err, RK_INVALID,
		    "the path of a socket has at most %zu bytes: %s", sizeof(address->sun_path) - 1,
		    path);
	memcpy(address->sun_path, path, strlen(path) + 1);
	return RK_OK;
}

enum rk_status
ipc_connect(const char *path, int *fd_out, struct rk_err *err)
{
	struct sockaddr_un address;
	enum rk_status status;
	int fd;

	status = address_fill(&address, path, err);
	if (status != RK_OK)
		return status;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return rk_fail(err, RK_TEMP, "socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		bool absent = errno == ENOENT || errno == ECONNREFUSED;

		status = rk_fail(err,
		    absent            ? RK_NOTFOUND
		    : errno == EACCES ? RK_DENIED
				      : RK_TEMP,
		    "connect to %s", path);
		close(fd);
		return status;
	}
	*fd_out = fd;
	return RK_OK;
}

/* A socket nobody answers at is left from a process that died; one that answers is in use. */
static enum rk_status
stale_remove(const char *path, struct rk_err *err)
{
	struct stat st;
	struct rk_err why;
	int fd;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? RK_OK : rk_fail(err, RK_TEMP, "stat %s", path);
	if (!S_ISSOCK(st.st_mode))
		return rk_fail_plain(err, RK_EXISTS, "%s is there and is no socket", path);
	if (ipc_connect(path, &fd, &why) == RK_OK) {
		close(fd);
		return rk_fail_plain(err, RK_INUSE, "%s is in use by a running server", path);
	}
	if (unlink(path) < 0 && errno != ENOENT)
		return rk_fail(err, RK_TEMP, "unlink %s", path);
	return RK_OK;
}

enum rk_status
ipc_listen(const char *path, mode_t mode, int *fd_out, struct rk_err *err)
{
	struct sockaddr_un address;
	enum rk_status status;
	mode_t mask;
	int fd, rc;

	status = address_fill(&address, path, err);
	if (status == RK_OK)
		status = stale_remove(path, err);
	if (status != RK_OK)
		return status;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return rk_fail(err, RK_TEMP, "socket");
	mask = umask(0777 & ~mode); /* never wider than wanted, not even for a moment */
	rc = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (rc < 0 || listen(fd, 64) < 0) {
		status = rk_fail(err, RK_TEMP, "listen on %s", path);
		close(fd);
		return status;
	}
	*fd_out = fd;
	return RK_OK;
}
