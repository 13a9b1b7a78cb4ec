#include "imapd/spawner/spawner_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/bug.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

#define NAME_BYTES 255

/* A user name as one file name: what could mean something to a file system is written %XX. */
static enum rk_status
user_encode(const char *user, char out[NAME_BYTES + 1], struct rk_err *err)
{
	size_t n = 0;

	for (const unsigned char *p = (const unsigned char *)user; *p != '\0'; p++) {
		bool plain =
		    *p > 0x20 && *p != 0x7f && *p != '/' && *p != '%' && !(*p == '.' && n == 0);

		if (n + 4 > NAME_BYTES)
			return rk_fail_plain(
			    err, RK_INVALID, "user name is too long for a file name");
		if (plain)
			out[n++] = (char)*p;
		else
			n += (size_t)snprintf(out + n, 4, "%%%02X", *p);
	}
	if (n == 0)
		return rk_fail_plain(err, RK_INVALID, "no user name");
	out[n] = '\0';
	return RK_OK;
}

enum rk_status
index_path(const char *state_dir, const char *user, char *out, size_t size, struct rk_err *err)
{
	char name[NAME_BYTES + 1];
	enum rk_status status = user_encode(user, name, err);

	if (status != RK_OK)
		return status;
	if ((size_t)snprintf(
		out, size, "%s/index/%02x/%s", state_dir, user_hash(user) & 0xff, name) >= size)
		return rk_fail_plain(err, RK_INVALID, "path of an index is too long");
	return RK_OK;
}

/* The directory itself. Its parent belongs to us alone, so nobody plays with links here. */
static enum rk_status
user_dir_make(int parent, const char *name, uid_t uid, gid_t gid, struct rk_err *err)
{
	struct stat st;

	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return rk_fail(err, RK_TEMP, "make index directory %s", name);
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return rk_fail(err, RK_TEMP, "stat index directory %s", name);
	if (!S_ISDIR(st.st_mode))
		return rk_fail_plain(err, RK_CORRUPT, "%s is no directory", name);
	if (st.st_uid == uid)
		return RK_OK;
	if (st.st_uid != geteuid())
		return rk_fail_plain(err, RK_DENIED,
		    "index directory %s belongs to uid %u: remove it if the user's uid was changed",
		    name, (unsigned)st.st_uid);
	if (fchownat(parent, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return rk_fail(err, RK_TEMP, "chown index directory %s", name);
	return RK_OK;
}

enum rk_status
index_make(const char *state_dir, const char *user, uid_t uid, gid_t gid, struct rk_err *err)
{
	char name[NAME_BYTES + 1], hash[8];
	int state = -1, index = -1, parent = -1;
	enum rk_status status = user_encode(user, name, err);
	/* Users pass through the upper levels, whatever mask we were started with. */
	mode_t mask = umask(022);

	snprintf(hash, sizeof(hash), "%02x", user_hash(user) & 0xff);
	if (status == RK_OK)
		status = file_open_dir(AT_FDCWD, state_dir, &state, err);
	if (status == RK_OK)
		status = file_make_dir(state, "index", 0711, err);
	if (status == RK_OK)
		status = file_open_dir(state, "index", &index, err);
	if (status == RK_OK)
		status = file_make_dir(index, hash, 0711, err);
	if (status == RK_OK)
		status = file_open_dir(index, hash, &parent, err);
	if (status == RK_OK)
		status = user_dir_make(parent, name, uid, gid, err);
	umask(mask);
	if (state >= 0)
		close(state);
	if (index >= 0)
		close(index);
	if (parent >= 0)
		close(parent);
	return status;
}

static int
number_compare(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Closes all descriptors but the standard three and the n in `keep`. */
static void
descriptors_close(int *keep, size_t n)
{
	unsigned from = STDERR_FILENO + 1;

	qsort(keep, n, sizeof(*keep), number_compare);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)from)
			continue;
		if ((unsigned)keep[i] > from)
			close_range(from, (unsigned)keep[i] - 1, 0);
		from = (unsigned)keep[i] + 1;
	}
	close_range(from, ~0u, 0);
}

static void
signals_reset(void)
{
	sigset_t none;

	sigemptyset(&none);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What the child knows of other users goes before anything of its own user is touched. */
static void
tables_forget(struct spawner *s)
{
	if (s->total_crashes > 0)
		explicit_bzero(s->crashed, CRASHED_MAX * sizeof(*s->crashed));
	free(s->workers);
	free(s->user_hashes);
	free(s->pending);
	free(s->crashed);
	s->workers = NULL;
	s->user_hashes = NULL;
	s->pending = NULL;
	s->crashed = NULL;
}

static _Noreturn void
child_run(struct spawner *s, struct worker_start *start, uint32_t slot)
{
	int keep[] = { SERVICE_FD_LOG, start->client_fd, start->spawner_fd, start->hub_fd };

	signals_reset();
	start->score = scoreboard_keep(s->board, slot);
	descriptors_close(keep, sizeof(keep) / sizeof(keep[0]));
	tables_forget(s);
	explicit_bzero(&start->handoff.ticket, sizeof(start->handoff.ticket));
	worker_run(start);
}

static void
worker_note(struct spawner *s, uint32_t slot, pid_t pid, int control, const struct worker_start *ws)
{
	struct worker *w = &s->workers[slot];
	struct rk_err err;

	*w = (struct worker){
		.pid = pid,
		.control = control,
		.uid = ws->grant.uid,
		.gid = ws->grant.gid,
		.since = (uint64_t)time(NULL),
		.tls = ws->handoff.tls,
	};
	memcpy(w->sid, ws->handoff.sid, sizeof(w->sid));
	memcpy(w->user, ws->grant.user, sizeof(w->user));
	memcpy(w->address, ws->handoff.remote.address, sizeof(w->address));
	s->user_hashes[slot] = user_hash(w->user);
	s->nworkers++;
	s->forks++;
	s->total_forks++;
	if (ipc_nonblock(control, true, &err) != RK_OK ||
	    source_add(s, control, SOURCE_WORKER, slot, &err) != RK_OK)
		log_ev(RK_LOG_ERROR, "spawner.worker", LOG_S("session", w->sid), LOG_ERR(&err));
}

enum rk_status
worker_spawn(struct spawner *s, const struct handoff *handoff, const struct grant *grant,
    int client_fd, struct rk_err *err)
{
	static struct worker_start start;
	static char path[4096];
	const char *state_dir = conf_str(s->conf, NULL, "state_dir");
	int slot = worker_slot_free(s);
	int control[2];
	enum rk_status status;
	pid_t pid;

	if (slot < 0)
		return rk_fail_plain(err, RK_LIMIT, "%u workers", s->nworkers);
	status = index_path(state_dir, grant->user, path, sizeof(path), err);
	if (status == RK_OK)
		status = index_make(state_dir, grant->user, grant->uid, grant->gid, err);
	if (status == RK_OK)
		status = ipc_pair(control, err);
	if (status != RK_OK)
		return status;
	start = (struct worker_start){
		.conf = s->conf,
		.handoff = *handoff,
		.grant = *grant,
		.client_fd = client_fd,
		.spawner_fd = control[1],
		.index_dir = path,
	};
	hub_join(s, grant->uid, grant->user, &start.hub_fd);
	scoreboard_wipe(s->board, (uint32_t)slot);
	pid = fork();
	if (pid == 0)
		child_run(s, &start, (uint32_t)slot);
	close(control[1]);
	if (start.hub_fd >= 0)
		close(start.hub_fd);
	if (pid < 0) {
		status = rk_fail(err, RK_TEMP, "fork");
		close(control[0]);
		return status;
	}
	worker_note(s, (uint32_t)slot, pid, control[0], &start);
	return RK_OK;
}
