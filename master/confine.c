#include "master/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "master/profile.h"

#define OOM_PATH "/proc/self/oom_score_adj"
#define OOM_GUARDED "-900"

/* Numbers of system calls end well below this on every architecture of Debian's libseccomp. */
#define SYSCALL_NUMBERS 1024

static void
descriptors_raise(uint32_t max_workers)
{
	/* A worker costs the spawner its socket and, for a moment, client and hub; the hub one. */
	struct rlimit limit;
	rlim_t want = (rlim_t)max_workers * 2 + 1024;
	struct rk_err err;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_max < want && geteuid() == 0) {
		struct rlimit more = { want, want };

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return;
	}
	limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < want) {
		rk_fail_plain(&err, RK_LIMIT,
		    "only %llu descriptors; %llu are needed for imapd.max_workers",
		    (unsigned long long)limit.rlim_cur, (unsigned long long)want);
		log_ev(RK_LOG_INFO, "master.descriptors", LOG_ERR(&err));
	}
}

static bool
oom_guard(char *before, size_t size)
{
	int fd = open(OOM_PATH, O_RDWR | O_CLOEXEC);
	ssize_t n;
	bool done;

	if (fd < 0)
		return false;
	n = read(fd, before, size - 1);
	if (n <= 0) {
		close(fd);
		return false;
	}
	before[n] = '\0';
	before[strcspn(before, "\n")] = '\0';
	done = pwrite(fd, OOM_GUARDED, strlen(OOM_GUARDED), 0) > 0;
	close(fd);
	return done;
}

void
confine_prepare(const struct settings *settings, const char **oom_normal_out)
{
	static char before[16];
	struct rk_err err;

	*oom_normal_out = NULL;
	descriptors_raise(settings->max_workers);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) {
		rk_fail(&err, RK_TEMP, "PR_SET_CHILD_SUBREAPER");
		log_ev(RK_LOG_WARN, "master.orphans", LOG_ERR(&err));
	}
	if (geteuid() != 0)
		return;
	if (oom_guard(before, sizeof(before))) {
		*oom_normal_out = before;
		return;
	}
	rk_fail(&err, RK_DENIED, "writing %s", OOM_PATH);
	log_ev(RK_LOG_INFO, "master.oom-score", LOG_ERR(&err));
}

static bool
is_denied(const char *name)
{
	for (size_t i = 0; i < master_ndenied; i++) {
		if (strcmp(master_denied[i], name) == 0)
			return true;
	}
	return false;
}

/* The helper takes what is allowed, so the list is everything that libseccomp knows by number
 * except what the profile names. No argument is looked at: the kernel answers such a filter from a
 * bitmap, it costs a child nothing. */
static enum rk_status
seccomp_apply(struct rk_err *err)
{
	static const char *allowed[SYSCALL_NUMBERS];
	enum rk_status status;
	size_t n = 0;

	for (int nr = 0; nr < SYSCALL_NUMBERS; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);

		if (name != NULL && !is_denied(name))
			allowed[n++] = name;
		else
			free(name);
	}
	status = os_seccomp(allowed, n, OS_SYSCALL_ERRNO, err);
	for (size_t i = 0; i < n; i++)
		free((char *)allowed[i]);
	return status;
}

enum rk_status
confine_master(const struct settings *settings, struct rk_err *err)
{
	struct lockdown how = {
		.mode = settings->sandbox_required ? SANDBOX_REQUIRED : SANDBOX_BEST_EFFORT,
		.uid = geteuid(),
		.gid = getegid(),
	};
	enum rk_status status = service_lock_down(&master_profile, &how, err);

#ifndef ROOKERY_SANITIZE
	if (status == RK_OK) {
		status = seccomp_apply(err);
		if (status != RK_OK && !settings->sandbox_required) {
			log_ev(
			    RK_LOG_WARN, "sandbox.missing", LOG_S("step", "seccomp"), LOG_ERR(err));
			status = RK_OK;
		}
	}
#endif
	return status;
}
