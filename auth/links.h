/*
 * The sockets to gates and spawner, which the master hands in. What a peer may say depends on what
 * the master called it: only a gate sends AUTH_*, only the spawner redeems tickets. A peer that
 * says anything else is dropped, with all that it asked for; the process goes on (V21).
 */
#ifndef AUTH_LINKS_H
#define AUTH_LINKS_H

#include "auth/authd.h"

struct link;

RK_MUST_CHECK enum rk_status links_new(struct authd *a, struct links **out, struct rk_err *err);
void links_free(struct links *links);

/* A new peer; takes `fd`. RK_DENIED: no peer that has business here. */
RK_MUST_CHECK enum rk_status link_add(
    struct authd *a, const struct link_info *info, int fd, struct rk_err *err);

/* Sends `m`, or queues it while the peer is slow; one that stays slow is dropped. The link may be
 * gone only after the caller returned to the loop. */
void link_send(struct link *link, const struct msg_out *m);

/* Asks for the end of the link: it happens when the loop is back. */
void link_drop(struct link *link, const char *reason, const struct rk_err *err);

struct authd *link_authd(const struct link *link);
uint64_t link_number(const struct link *link); /* never used twice */
uint32_t *link_requests(struct link *link);    /* requests of this peer that live */

#endif
