/* What the master gives up before it starts anybody, and what it raises first. */
#ifndef MASTER_CONFINE_H
#define MASTER_CONFINE_H

#include "master/settings.h"

/* Room for descriptors (a spawner holds one per worker), adoption of orphans, and as root the score
 * that turns the out-of-memory killer away from us. *oom_normal_out: the score for children that
 * are not guarded, NULL if nothing was changed. Best effort, says what failed. */
void confine_prepare(const struct settings *settings, const char **oom_normal_out);

/* Capabilities, no_new_privs, seccomp: for good, and inherited by every child. */
RK_MUST_CHECK enum rk_status confine_master(const struct settings *settings, struct rk_err *err);

#endif
