/* Becoming a daemon, and the directories and the lock file of a running server. */
#ifndef MASTER_DAEMON_H
#define MASTER_DAEMON_H

#include "master/settings.h"

/*
 * Goes to the background (double fork, a session of its own). Returns in the daemon only, with a
 * descriptor in *ready_out: the first process, still in the foreground, exits 0 when a byte is
 * written there and 1 when it is closed without one. What failed was said on standard error by
 * then.
 */
RK_MUST_CHECK enum rk_status daemon_detach(int *ready_out, struct rk_err *err);

/* Makes run_dir (0755), RUN/empty (0755, ours, empty), state_dir (0755) and STATE/index (0711),
 * with missing parents. What is there already is checked, not changed. */
RK_MUST_CHECK enum rk_status daemon_dirs(const struct settings *settings, struct rk_err *err);

/* Writes our pid to RUN/rookery.pid and locks it for as long as *fd_out is open. RK_INUSE: another
 * master has this run_dir. */
RK_MUST_CHECK enum rk_status daemon_lock(const char *run_dir, int *fd_out, struct rk_err *err);
/* Removes the file and gives the lock up. */
void daemon_unlock(const char *run_dir, int fd);

#endif
