#include "lib/ipc/lockdown.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/log.h"

#ifdef ROOKERY_SANITIZE
static const bool sanitized = true; /* the sanitizers' own calls, shadow memory and leak check (a
                                       helper process, /proc) need room */
#else
static const bool sanitized = false;
#endif

/*
 * What no process of ours ever needs. A filter is inherited over fork and exec, so master and
 * spawner cannot have a list of all that they may do: it would have to hold what every child does.
 */
static const char *const never[] = { "acct", "add_key", "bpf", "clock_adjtime", "clock_settime",
	"create_module", "delete_module", "finit_module", "fsconfig", "fsmount", "fsopen", "fspick",
	"init_module", "io_uring_enter", "io_uring_register", "io_uring_setup", "ioperm", "iopl",
	"kcmp", "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "mount",
	"mount_setattr", "move_mount", "move_pages", "name_to_handle_at", "open_by_handle_at",
	"open_tree", "perf_event_open", "personality", "pivot_root", "process_vm_readv",
	"process_vm_writev", "ptrace", "quotactl", "reboot", "request_key", "setdomainname",
	"setns", "sethostname", "settimeofday", "swapoff", "swapon", "syslog", "umount2", "unshare",
	"userfaultfd", "vhangup" };

/* A step that failed: fatal where the sandbox is required, otherwise said and left out. */
static enum rk_status
step_failed(
    const struct lockdown *how, const char *step, enum rk_status status, const struct rk_err *err)
{
	if (how->mode == SANDBOX_REQUIRED)
		return status;
	log_ev(RK_LOG_WARN, "sandbox.missing", LOG_S("step", step), LOG_ERR(err));
	return RK_OK;
}

static enum rk_status
limit_set(__rlimit_resource_t resource, uint64_t value, const char *what, struct rk_err *err)
{
	struct rlimit limit;

	/* A limit of the administrator below ours stays: nobody may raise it without privilege. */
	if (getrlimit(resource, &limit) < 0)
		return rk_fail(err, RK_TEMP, "%s limit", what);
	if (limit.rlim_max == RLIM_INFINITY || value < limit.rlim_max)
		limit.rlim_max = value;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(resource, &limit) < 0)
		return rk_fail(err, RK_TEMP, "%s limit of %llu", what, (unsigned long long)value);
	return RK_OK;
}

static enum rk_status
limits_set(const struct profile *p, struct rk_err *err)
{
	enum rk_status status = RK_OK;

	if (p->limit_nofile != 0)
		status = limit_set(RLIMIT_NOFILE, p->limit_nofile, "descriptor", err);
	if (status == RK_OK && p->limit_fsize != 0)
		status = limit_set(RLIMIT_FSIZE, p->limit_fsize, "file size", err);
	if (status == RK_OK && p->limit_data != 0 && !sanitized)
		status = limit_set(RLIMIT_DATA, p->limit_data, "memory", err);
	/* The leak check at exit clones a tracer. */
	if (status == RK_OK && p->no_fork && !sanitized)
		status = limit_set(RLIMIT_NPROC, 0, "process", err);
	return status;
}

static enum rk_status
identity_change(const struct profile *p, const struct lockdown *how, struct rk_err *err)
{
	enum rk_status status = RK_OK;
	bool root = geteuid() == 0;

	if (root && p->chroot_empty && !sanitized)
		status = os_chroot(how->empty_dir, err);
	/* Capabilities that stay have to survive the change of uid; nobody who changes keeps any.
	 */
	if (status == RK_OK && root && how->uid != 0)
		status = os_become(how->uid, how->gid, how->groups, how->ngroups, err);
	else if (status == RK_OK && !root)
		status = os_become(how->uid, how->gid, NULL, 0, err);
	if (status == RK_OK)
		status = os_keep_caps(how->uid == 0 ? p->keep_caps : 0, err);
	return status;
}

static enum rk_status
landlock_apply(const struct profile *p, const struct lockdown *how, struct rk_err *err)
{
	const char *missing = "";
	enum rk_status status;

	if (!p->landlock || sanitized)
		return RK_OK;
	status = os_landlock(how->rules, how->nrules, p->tcp_denied, &missing, err);
	if (status != RK_OK)
		return step_failed(how, "landlock", status, err);
	if (missing[0] != '\0')
		log_ev(RK_LOG_INFO, "sandbox.partial", LOG_S("missing", missing));
	return RK_OK;
}

static enum rk_status
seccomp_apply(const struct profile *p, const struct lockdown *how, struct rk_err *err)
{
	enum rk_status status;

	if (sanitized)
		return RK_OK;
	if (p->syscalls != NULL)
		status = os_seccomp(p->syscalls, p->nsyscalls, OS_SYSCALL_KILL, err);
	else
		status = os_seccomp_deny(never, sizeof(never) / sizeof(never[0]), err);
	if (status != RK_OK)
		return step_failed(how, "seccomp", status, err);
	return RK_OK;
}

enum rk_status
service_lock_down(const struct profile *profile, const struct lockdown *how, struct rk_err *err)
{
	enum rk_status status;

	status = identity_change(profile, how, err);
	/* The process limit counts per uid and must not bind root's own children. */
	if (status == RK_OK)
		status = limits_set(profile, err);
	if (status == RK_OK)
		status = os_harden(err);
	if (status == RK_OK)
		status = landlock_apply(profile, how, err);
	if (status == RK_OK)
		status = seccomp_apply(profile, how, err);
	return status;
}
