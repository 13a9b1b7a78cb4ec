/*
 * What the master itself needs of the configuration, as plain bounded data.
 *
 * Reading a configuration takes memory without a bound and ends the process when there is none, so
 * the running master never does it: a reload forks, the fork reads and checks, and hands back this
 * struct and the sealed file for the children. A crash of the parser costs a reload, nothing else.
 */
#ifndef MASTER_SETTINGS_H
#define MASTER_SETTINGS_H

#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "master/services.h"

#include <sys/types.h>

#define SETTINGS_LISTENERS 60 /* what fits into the descriptors of one child */
#define SETTINGS_GATES 32
#define SETTINGS_TITLE 40
#define REPORT_MAX 8000

struct listener_def {
	char title[SETTINGS_TITLE + 1];
	char address[48];
	uint16_t port;
};

struct settings {
	char run_dir[96]; /* RUN/control has to fit into a socket's address */
	char state_dir[512];
	uint32_t shutdown_seconds;
	uint32_t gate_processes;
	uint32_t max_workers;
	bool sandbox_required;
	bool log_stderr; /* log.target is stderr */
	enum rk_log_level level;
	/* Changes when an option changed that a service which keeps its configuration depends on.
	 */
	uint64_t kept[SVC_COUNT];
	struct listener_def listeners[SETTINGS_LISTENERS];
	uint32_t nlisteners;
};

/* All that is wrong, one "file:line: text" per line. */
struct report {
	char text[REPORT_MAX];
	size_t len;
	size_t problems;
};

/* Reads and checks `path`. *conf_fd_out: sealed file for the children, the caller's. With `print`
 * (may be NULL) the effective configuration is added to it. RK_INVALID: see `report`. */
RK_MUST_CHECK enum rk_status settings_load(const char *path, struct settings *out, int *conf_fd_out,
    struct report *report, struct buf *print);

/* The same in a forked process: *fd_out becomes readable when it is done (or dead). */
RK_MUST_CHECK enum rk_status settings_fork(
    const char *path, pid_t *pid_out, int *fd_out, struct rk_err *err);
/* Takes the answer from `fd` of settings_fork; the caller closes it. */
RK_MUST_CHECK enum rk_status settings_take(
    int fd, struct settings *out, int *conf_fd_out, struct report *report, struct rk_err *err);

void report_add(struct report *report, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
