/*
 * How every child of the master starts: descriptors at fixed numbers, configuration from a sealed
 * memfd, log on a socket, control on another. A main() reads:
 *
 *	service_init(&s, argc, argv)  ->  open what needs privilege  ->  service_lock_down(&profile,
 *…)
 *	->  service_ready(&s)  ->  loop
 */
#ifndef IPC_SERVICE_H
#define IPC_SERVICE_H

#include "lib/base/log.h"
#include "lib/ipc/lockdown.h"
#include "lib/ipc/proto.h"
#include "lib/ipc/sock.h"

#define SERVICE_FD_CONTROL 3 /* SOCK_SEQPACKET to the master */
#define SERVICE_FD_CONF 4    /* sealed memfd: the effective configuration */
#define SERVICE_FD_LOG 5     /* write end of the log socket */
#define SERVICE_FDS_MAX 64   /* further descriptors, named in argv as --fd NAME=NUMBER */

struct service_fd {
	char name[48]; /* "listen/imap", "scoreboard", "log-read" */
	int fd;
};

struct service {
	const char *name; /* "gate" */
	uint32_t
	    generation; /* --generation N: which start of the service this is, unique per service */
	int control;
	int conf_fd;
	struct service_fd fds[SERVICE_FDS_MAX];
	size_t nfds;
};

/* Reads argv (--generation N, --fd NAME=NUMBER…), clears the environment, ignores SIGPIPE, starts
 * the log. RK_INVALID when not started by the master: says so on standard error. */
RK_MUST_CHECK enum rk_status service_init(
    struct service *s, const char *name, int argc, char *const argv[], struct rk_err *err);

/* Descriptor by name, -1 if it was not given. */
int service_fd(const struct service *s, const char *name);

/* Tells the master that this child serves. */
RK_MUST_CHECK enum rk_status service_ready(const struct service *s, struct rk_err *err);

/* Answers CTL_PING; true if the message was one. */
bool service_pong(const struct service *s, const struct msg_in *m);

/* uid and gid of the account `user`, which is a name or UID:GID; started without root: one's own.
 * RK_NOTFOUND names it. */
RK_MUST_CHECK enum rk_status service_account(
    const char *user, uid_t *uid_out, gid_t *gid_out, struct rk_err *err);

#endif
