/* Sockets that carry messages. All are SOCK_SEQPACKET, non-blocking where said, close-on-exec. */
#ifndef IPC_SOCK_H
#define IPC_SOCK_H

#include "lib/ipc/msg.h"

#include <sys/types.h>

/* A connected pair; both are the caller's. */
RK_MUST_CHECK enum rk_status ipc_pair(int fds_out[2], struct rk_err *err);
RK_MUST_CHECK enum rk_status ipc_nonblock(int fd, bool nonblocking, struct rk_err *err);

/* RK_AGAIN: no room now. RK_CLOSED: the peer is gone. RK_LIMIT: the message is too large. */
RK_MUST_CHECK enum rk_status ipc_send(int fd, const struct msg_out *m, struct rk_err *err);

/* RK_AGAIN: nothing there (non-blocking socket). RK_CLOSED: end. RK_CORRUPT: not a message. */
RK_MUST_CHECK enum rk_status ipc_recv(int fd, struct msg_in *m, struct rk_err *err);

/* Same with a deadline of rk_clock_ms(); RK_TEMP when it passes. */
RK_MUST_CHECK enum rk_status ipc_recv_until(
    int fd, struct msg_in *m, int64_t deadline_ms, struct rk_err *err);

/* Who is at the other end of a Unix socket (SO_PEERCRED). */
RK_MUST_CHECK enum rk_status ipc_peer(int fd, uid_t *uid_out, pid_t *pid_out, struct rk_err *err);

/* Listening socket at `path` with `mode`; a stale one is replaced, one in use is RK_INUSE. */
RK_MUST_CHECK enum rk_status ipc_listen(
    const char *path, mode_t mode, int *fd_out, struct rk_err *err);
RK_MUST_CHECK enum rk_status ipc_connect(const char *path, int *fd_out, struct rk_err *err);

#endif
