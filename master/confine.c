#include "master/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "master/profile.h"

#define OOM_PATH "/proc/self/oom_score_adj"
#define OOM_GUARDED "-900"

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

enum rk_status
confine_master(const struct settings *settings, struct rk_err *err)
{
	const struct lockdown how = {
		.mode = settings->sandbox_required ? SANDBOX_REQUIRED : SANDBOX_BEST_EFFORT,
		.uid = geteuid(),
		.gid = getegid(),
	};

	return service_lock_down(&master_profile, &how, err);
}
