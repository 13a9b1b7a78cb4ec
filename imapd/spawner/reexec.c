#include "imapd/spawner/spawner_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/log.h"

/*
 * Forked workers share the spawner's address layout, so a crash tells an attacker something about
 * the next worker. After a crash the spawner therefore executes itself anew: same process, same
 * children, other addresses. Its tables go through a memfd, its descriptors stay open.
 */

struct saved {
	uint32_t nworkers_max;
	int board;
	int32_t forks;
	int64_t fork_window_ms;
	uint64_t redeems;
	uint64_t total_forks;
	uint64_t total_crashes;
};

static enum rk_status
inherit(int fd, bool inherited, struct rk_err *err)
{
	if (fd >= 0 && fcntl(fd, F_SETFD, inherited ? 0 : FD_CLOEXEC) < 0)
		return rk_fail(err, RK_TEMP, "F_SETFD of %d", fd);
	return RK_OK;
}

static enum rk_status
descriptors_inherit(const struct spawner *s, bool inherited, struct rk_err *err)
{
	enum rk_status status = inherit(scoreboard_fd(s->board), inherited, err);

	for (int fd = SERVICE_FD_CONTROL; fd <= SERVICE_FD_LOG && status == RK_OK; fd++)
		status = inherit(fd, inherited, err);
	for (size_t i = 0; i < LINKS_MAX && status == RK_OK; i++)
		status = inherit(s->peers[i].fd, inherited, err);
	for (uint32_t i = 0; i < s->nworkers_max && status == RK_OK; i++)
		status =
		    inherit(s->workers[i].pid == 0 ? -1 : s->workers[i].control, inherited, err);
	return status;
}

static enum rk_status
tables_save(const struct spawner *s, int fd, struct rk_err *err)
{
	struct saved saved = {
		.nworkers_max = s->nworkers_max,
		.board = scoreboard_fd(s->board),
		.forks = (int32_t)s->forks,
		.fork_window_ms = s->fork_window_ms,
		.redeems = s->redeems,
		.total_forks = s->total_forks,
		.total_crashes = s->total_crashes,
	};
	enum rk_status status = file_write(fd, &saved, sizeof(saved), err);

	if (status == RK_OK)
		status = file_write(fd, s->peers, sizeof(s->peers), err);
	if (status == RK_OK)
		status = file_write(fd, s->crashed, CRASHED_MAX * sizeof(*s->crashed), err);
	for (uint32_t i = 0; i < s->nworkers_max && status == RK_OK; i++) {
		if (s->workers[i].pid == 0)
			continue;
		status = file_write(fd, &i, sizeof(i), err);
		if (status == RK_OK)
			status = file_write(fd, &s->workers[i], sizeof(s->workers[i]), err);
	}
	return status;
}

void
spawner_renew(struct spawner *s)
{
	char generation[16], state[32];
	char *argv[] = { (char *)(uintptr_t) "rookery-imapd", (char *)(uintptr_t) "--generation",
		generation, (char *)(uintptr_t) "--fd", state, NULL };
	char *envp[] = { NULL };
	struct rk_err err;
	int fd;

	s->renew = false;
	fd = memfd_create("rookery-spawner", 0);
	if (fd < 0) {
		log_ev(RK_LOG_WARN, "spawner.renew", LOG_I("errno", errno));
		return;
	}
	snprintf(generation, sizeof(generation), "%u", (unsigned)s->service.generation);
	snprintf(state, sizeof(state), "state=%d", fd);
	if (tables_save(s, fd, &err) == RK_OK && descriptors_inherit(s, true, &err) == RK_OK) {
		log_ev(RK_LOG_INFO, "spawner.renew", LOG_U("workers", s->nworkers));
		execve("/proc/self/exe", argv, envp);
		rk_fail(&err, RK_TEMP, "exec");
	}
	log_ev(RK_LOG_WARN, "spawner.renew", LOG_ERR(&err));
	if (descriptors_inherit(s, false, &err) != RK_OK)
		log_ev(RK_LOG_WARN, "spawner.renew", LOG_ERR(&err));
	close(fd);
}

static enum rk_status
take(int fd, void *out, size_t n, struct rk_err *err)
{
	ssize_t got = read(fd, out, n);

	if (got != (ssize_t)n)
		return rk_fail_plain(err, RK_CORRUPT, "the saved tables end too early");
	return RK_OK;
}

static enum rk_status
workers_restore(struct spawner *s, int fd, struct rk_err *err)
{
	enum rk_status status = RK_OK;
	uint32_t i;

	while (status == RK_OK && read(fd, &i, sizeof(i)) == (ssize_t)sizeof(i)) {
		if (i >= s->nworkers_max)
			return rk_fail_plain(err, RK_CORRUPT, "saved worker %u", (unsigned)i);
		status = take(fd, &s->workers[i], sizeof(s->workers[i]), err);
		if (status != RK_OK)
			return status;
		s->user_hashes[i] = user_hash(s->workers[i].user);
		s->nworkers++;
		if (s->workers[i].control >= 0)
			status = source_add(s, s->workers[i].control, SOURCE_WORKER, i, err);
	}
	return status;
}

enum rk_status
spawner_restore(struct spawner *s, int fd, struct rk_err *err)
{
	struct saved saved;
	enum rk_status status;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return rk_fail(err, RK_TEMP, "lseek in the saved tables");
	status = take(fd, &saved, sizeof(saved), err);
	if (status == RK_OK && saved.nworkers_max != s->nworkers_max)
		status = rk_fail_plain(err, RK_CORRUPT, "saved tables of another size");
	if (status == RK_OK)
		status = take(fd, s->peers, sizeof(s->peers), err);
	if (status == RK_OK)
		status = take(fd, s->crashed, CRASHED_MAX * sizeof(*s->crashed), err);
	if (status == RK_OK)
		status = workers_restore(s, fd, err);
	if (status == RK_OK)
		status = scoreboard_from_fd(saved.board, &s->board, err);
	for (uint32_t i = 0; i < LINKS_MAX && status == RK_OK; i++) {
		if (s->peers[i].fd >= 0)
			status = source_add(s, s->peers[i].fd, SOURCE_PEER, i, err);
	}
	if (status == RK_OK)
		status = descriptors_inherit(s, false, err);
	if (status != RK_OK)
		return status;
	s->forks = (uint32_t)saved.forks;
	s->fork_window_ms = saved.fork_window_ms;
	s->redeems = saved.redeems;
	s->total_forks = saved.total_forks;
	s->total_crashes = saved.total_crashes;
	close(fd);
	workers_reap(s); /* whose death was told before the exec */
	return RK_OK;
}
