/*
 * What a process may still do once it serves: data in its folder's profile.c, applied here in the
 * one right order (limits, chroot, capabilities, uid, proof, Landlock, seccomp).
 */
#ifndef IPC_LOCKDOWN_H
#define IPC_LOCKDOWN_H

#include "lib/base/os_linux.h"

struct profile {
	const char *name;
	const char *const
	    *syscalls; /* all that may be called; NULL for a parent of processes that need
	                  more: then what no process of ours needs is denied instead */
	size_t nsyscalls;
	uint64_t keep_caps;    /* bit mask (1 << CAP_X); only master and spawner keep any */
	bool chroot_empty;     /* into the empty directory of the master */
	bool tcp_denied;       /* Landlock: no TCP bind or connect */
	bool landlock;         /* confine files to struct lockdown.rules (none = no file at all) */
	uint64_t limit_nofile; /* 0: left alone */
	uint64_t limit_data;
	uint64_t limit_fsize;
	bool no_fork; /* RLIMIT_NPROC 0 */
};

enum sandbox_mode {
	SANDBOX_REQUIRED,    /* a step that fails ends the process */
	SANDBOX_BEST_EFFORT, /* what the kernel or a missing privilege refuses is logged and left
	                        out */
};

/* What differs from one start to the next. */
struct lockdown {
	enum sandbox_mode mode;
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t ngroups;
	const char *empty_dir;            /* for chroot_empty */
	const struct os_path_rule *rules; /* for landlock */
	size_t nrules;
};

/*
 * Applies the profile; there is no way back. Started without root, uid, chroot and capabilities are
 * left as they are (nothing to give up) and the rest is applied. In a sanitizer build chroot,
 * Landlock, seccomp and the limits of memory and processes are left out (ROOKERY_SANITIZE), and the
 * process stays dumpable: LeakSanitizer looks at it as a debugger does. Any failure that the mode
 * does not forgive must end the process: half-dropped, nothing is served.
 */
RK_MUST_CHECK enum rk_status service_lock_down(
    const struct profile *profile, const struct lockdown *how, struct rk_err *err);

#endif
