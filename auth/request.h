/*
 * The requests of the gates: one per SASL exchange, from AUTH_START to AUTH_OK or AUTH_FAIL.
 *
 *	client speaks -> mech_step -> lookup in the databases -> hash child -> verdict -> wait ->
 *answer
 *
 * A request never outlives its link, and everything that comes back later (a lookup, a hash, a
 * timer) names it by a number that is looked up: it may be gone.
 */
#ifndef AUTH_REQUEST_H
#define AUTH_REQUEST_H

#include "auth/links.h"

RK_MUST_CHECK enum rk_status requests_new(
    struct authd *a, struct requests **out, struct rk_err *err);
void requests_free(struct requests *requests);

/* Messages of a gate. Anything but RK_OK: not a message that a gate sends; drop it. */
RK_MUST_CHECK enum rk_status request_start(struct link *link, struct msg_in *m, struct rk_err *err);
RK_MUST_CHECK enum rk_status request_continue(
    struct link *link, struct msg_in *m, struct rk_err *err);
RK_MUST_CHECK enum rk_status request_cancel(
    struct link *link, struct msg_in *m, struct rk_err *err);

/* The link goes: its requests end without an answer. */
void requests_of_link_end(struct requests *requests, struct link *link);

/* The pool's answers come in here. */
void request_hash_done(void *authd, uint64_t id, const struct hash_answer *answer);

uint32_t requests_count(const struct requests *requests);

#endif
