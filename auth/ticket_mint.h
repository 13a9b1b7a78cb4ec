/*
 * The one-time tickets (S09). A ticket stands for one good credential of one session: the spawner
 * gets the user's data for it once, with the same session id, before it expires. Only this process
 * makes them, out of 256 random bits, so a gate that was taken over can invent nothing.
 */
#ifndef AUTH_TICKET_MINT_H
#define AUTH_TICKET_MINT_H

#include "lib/ipc/proto.h"

struct mint;

/* At most `capacity` tickets wait at a time, each `life_ms` long. */
RK_MUST_CHECK enum rk_status mint_new(
    uint32_t capacity, uint32_t generation, int64_t life_ms, struct mint **out, struct rk_err *err);
void mint_free(struct mint *m);

/* A ticket for `grant` (copied) and session `sid`. RK_LIMIT: too many wait. */
RK_MUST_CHECK enum rk_status mint_issue(struct mint *m, const char *sid, const struct grant *grant,
    int64_t now, struct ticket *ticket_out, struct rk_err *err);

/* Takes a ticket in. RK_DENIED: unknown, used, expired or of another session; one shown by the
 * wrong session is worth nothing from then on. */
RK_MUST_CHECK enum rk_status mint_redeem(struct mint *m, const struct ticket *ticket,
    const char *sid, int64_t now, struct grant *grant_out, struct rk_err *err);

/* Tickets that still wait at `now`. */
uint32_t mint_waiting(struct mint *m, int64_t now);

#endif
