/*
 * How long an address waits for its answers after failures (V18). Only the answer of the connection
 * concerned waits; nothing else does. One counter stands for an IPv4 address or an IPv6 /48.
 */
#ifndef AUTH_PENALTY_H
#define AUTH_PENALTY_H

#include <rookery/error.h>

#include <stdbool.h>

struct penalty;

/* `capacity` prefixes at most (64 bytes each); then the one whose failure is oldest is forgotten.
 */
RK_MUST_CHECK enum rk_status penalty_new(
    uint32_t capacity, int64_t max_ms, int64_t forget_ms, struct penalty **out, struct rk_err *err);
void penalty_free(struct penalty *p);

/* Milliseconds that an answer to `address` (text) has to wait: 0, or 2 s doubling to the maximum.
 */
int64_t penalty_wait(struct penalty *p, const char *address, int64_t now);

/*
 * A failure. `attempt` is a keyed hash of user and password, 0 if there is none: the same wrong
 * password again (a mail program with an old one) counts once.
 */
void penalty_fail(struct penalty *p, const char *address, uint64_t attempt, int64_t now);

/* A success: the address is forgotten. */
void penalty_success(struct penalty *p, const char *address);

/* Prefixes that are remembered. */
uint32_t penalty_count(const struct penalty *p);

#endif
