#include "master/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static enum rk_status
socket_listen(int family, bool v6only, const struct sockaddr *address, socklen_t len, int *fd_out,
    struct rk_err *err)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, only = v6only;
	enum rk_status status;

	if (fd < 0)
		return rk_fail(err, RK_TEMP, "socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    (family != AF_INET6 ||
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) == 0) &&
	    bind(fd, address, len) == 0 && listen(fd, SOMAXCONN) == 0) {
		*fd_out = fd;
		return RK_OK;
	}
	status = rk_fail(err, RK_TEMP, "bind");
	close(fd);
	return status;
}

static enum rk_status
listen_v6(const struct in6_addr *ip, bool v6only, uint16_t port, int *fd_out, struct rk_err *err)
{
	struct sockaddr_in6 address = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = *ip,
	};

	return socket_listen(
	    AF_INET6, v6only, (struct sockaddr *)&address, sizeof(address), fd_out, err);
}

static enum rk_status
listen_v4(struct in_addr ip, uint16_t port, int *fd_out, struct rk_err *err)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = ip,
	};

	return socket_listen(
	    AF_INET, false, (struct sockaddr *)&address, sizeof(address), fd_out, err);
}

enum rk_status
listen_open(const struct listener_def *def, int *fd_out, struct rk_err *err)
{
	struct in6_addr v6 = IN6ADDR_ANY_INIT;
	struct in_addr v4 = { .s_addr = htonl(INADDR_ANY) };
	enum rk_status status;
	struct rk_err why;

	if (strcmp(def->address, "*") == 0) {
		status = listen_v6(&v6, false, def->port, fd_out, &why);
		if (status != RK_OK &&
		    (why.sys_errno == EAFNOSUPPORT || why.sys_errno == EADDRNOTAVAIL))
			status = listen_v4(v4, def->port, fd_out, &why);
	} else if (inet_pton(AF_INET, def->address, &v4) == 1) {
		status = listen_v4(v4, def->port, fd_out, &why);
	} else if (inet_pton(AF_INET6, def->address, &v6) == 1) {
		status = listen_v6(&v6, true, def->port, fd_out, &why);
	} else {
		return rk_fail_plain(err, RK_INVALID, "listen \"%s\": '%s' is no IP address",
		    def->title, def->address);
	}
	if (status != RK_OK) {
		errno = why.sys_errno;
		return rk_fail(err, status, "listen \"%s\": %s port %u can't be opened", def->title,
		    def->address, (unsigned)def->port);
	}
	return RK_OK;
}

static int
shared_socket(const struct listeners *in, const struct listener_def *def)
{
	for (size_t i = 0; i < in->n; i++) {
		if (in->list[i].def.port == def->port &&
		    strcmp(in->list[i].def.address, def->address) == 0)
			return in->list[i].fd;
	}
	return -1;
}

enum rk_status
listeners_open(struct listeners *next, const struct listeners *now, const struct settings *settings,
    struct rk_err *err)
{
	next->n = 0;
	for (size_t i = 0; i < settings->nlisteners; i++) {
		struct listener *l = &next->list[next->n];
		enum rk_status status = RK_OK;

		l->def = settings->listeners[i];
		l->fd = shared_socket(now, &l->def);
		if (l->fd < 0)
			status = listen_open(&l->def, &l->fd, err);
		if (status != RK_OK) {
			listeners_close(next, now);
			return status;
		}
		next->n++;
	}
	return RK_OK;
}

void
listeners_close(struct listeners *gone, const struct listeners *kept)
{
	for (size_t i = 0; i < gone->n; i++) {
		if (shared_socket(kept, &gone->list[i].def) != gone->list[i].fd)
			close(gone->list[i].fd);
	}
	gone->n = 0;
}
