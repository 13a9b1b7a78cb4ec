/* Starting a child: fork and exec with the descriptors of lib/ipc/service.h and nothing else. */
#ifndef MASTER_SPAWN_H
#define MASTER_SPAWN_H

#include "lib/ipc/service.h"

struct spawn_plan {
	const char *path; /* absolute */
	uint32_t generation;
	int control; /* all borrowed */
	int conf;
	int log;
	int error_fd; /* becomes standard error */
	struct service_fd fds[SERVICE_FDS_MAX];
	size_t nfds;
	const char *oom_score; /* for /proc/self/oom_score_adj; NULL: left as it is */
};

/* Exit code of a child whose program could not be executed. */
#define SPAWN_EXIT_EXEC 127

/* Adds a descriptor; RK_LIMIT if there are too many or the name is too long. */
RK_MUST_CHECK enum rk_status spawn_add(
    struct spawn_plan *plan, const char *name, int fd, struct rk_err *err);

/* The child gets a process group of its own, so that a Ctrl-C at the terminal reaches the master
 * alone, default signals, umask 077 and an empty environment. RK_NOTFOUND: no such program. */
RK_MUST_CHECK enum rk_status spawn_start(
    const struct spawn_plan *plan, pid_t *pid_out, struct rk_err *err);

#endif
