/* What the master says: links, health, figures, the end. */
#ifndef AUTH_CONTROL_H
#define AUTH_CONTROL_H

#include "auth/authd.h"

struct control;

/* Listens to the master; ends the loop of `a` when a drain is done, and when nothing can be hashed
 * any more (control_failed). */
RK_MUST_CHECK enum rk_status control_new(
    struct authd *a, const struct service *service, struct control **out, struct rk_err *err);
void control_free(struct control *c);

/* The loop ended because the process is of no use any more. */
bool control_failed(const struct control *c);

#endif
