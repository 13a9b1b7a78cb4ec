#include "imapd/spawner/spawner_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "storage/index/index.h"

/* Three crashes of one user within this time hold the user off (decisions.md 29). */
#define CRASH_WINDOW_MS 60000
#define MARK_TRIES 100
#define MARK_WAIT_MS 5
#define HOLD_FIRST_MS 5000
#define HOLD_MAX_MS 300000

static struct crashed *
crashed_slot(struct spawner *s, const char *user)
{
	struct crashed *oldest = &s->crashed[0];

	for (size_t i = 0; i < CRASHED_MAX; i++) {
		struct crashed *c = &s->crashed[i];

		if (strcmp(c->user, user) == 0)
			return c;
		if (c->times_ms[0] < oldest->times_ms[0])
			oldest = c;
	}
	*oldest = (struct crashed){ 0 };
	snprintf(oldest->user, sizeof(oldest->user), "%s", user);
	return oldest;
}

static void
crashed_note(struct spawner *s, const char *user, int64_t now_ms)
{
	struct crashed *c = crashed_slot(s, user);
	int64_t hold = HOLD_FIRST_MS;

	memmove(&c->times_ms[1], &c->times_ms[0], 2 * sizeof(c->times_ms[0]));
	c->times_ms[0] = now_ms;
	if (c->times_ms[2] == 0 || now_ms - c->times_ms[2] > CRASH_WINDOW_MS)
		return;
	for (uint32_t i = 0; i < c->rounds && hold < HOLD_MAX_MS; i++)
		hold *= 2;
	c->rounds++;
	c->until_ms = now_ms + (hold < HOLD_MAX_MS ? hold : HOLD_MAX_MS);
	log_ev(RK_LOG_WARN, "worker.held", LOG_S("owner", user),
	    LOG_I("seconds", (c->until_ms - now_ms) / 1000));
}

int64_t
crashed_wait(struct spawner *s, const char *user, int64_t now_ms)
{
	for (size_t i = 0; i < CRASHED_MAX; i++) {
		if (strcmp(s->crashed[i].user, user) == 0 && s->crashed[i].until_ms > now_ms)
			return s->crashed[i].until_ms - now_ms;
	}
	return 0;
}

static int
suspect_mark(const struct worker *w, const char *path)
{
	struct rk_err err;
	int dir;

	if (os_become(w->uid, w->gid, NULL, 0, &err) != RK_OK ||
	    file_open_dir(AT_FDCWD, path, &dir, &err) != RK_OK ||
	    index_mark_suspect(dir, &err) != RK_OK) {
		log_ev(RK_LOG_ERROR, "index.suspect", LOG_S("path", path), LOG_ERR(&err));
		return 1;
	}
	return 0;
}

/* Only the user can enter the directory: a short-lived child becomes the user and writes the mark.
 */
static void
index_suspect(struct spawner *s, const struct worker *w)
{
	static char path[4096];
	struct rk_err err;
	pid_t pid;

	if (index_path(conf_str(s->conf, NULL, "state_dir"), w->user, path, sizeof(path), &err) !=
	    RK_OK)
		return;
	pid = fork();
	if (pid == 0)
		_exit(suspect_mark(w, path));
	if (pid < 0) {
		log_ev(RK_LOG_ERROR, "index.suspect", LOG_S("path", path), LOG_I("errno", errno));
		return;
	}
	/* It has the user's uid, so the user may stop it: never waited for without an end. */
	for (int i = 0; i < MARK_TRIES; i++) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return;
		poll(NULL, 0, MARK_WAIT_MS);
	}
	log_ev(RK_LOG_WARN, "index.suspect", LOG_S("path", path), LOG_S("reason", "no end"));
	kill(pid, SIGKILL);
}

static void
worker_ended(struct spawner *s, uint32_t index, int status)
{
	struct worker *w = &s->workers[index];
	bool told = w->ending && WIFSIGNALED(status) &&
	            (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGKILL);
	struct score score;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	scoreboard_read(s->board, index, &score);
	if (score.in_index)
		index_suspect(s, w);
	if (told)
		return;
	log_ev(RK_LOG_ERROR, "worker.crash", LOG_S("session", w->sid), LOG_S("owner", w->user),
	    LOG_S("client", w->address), LOG_I("worker", w->pid),
	    LOG_I("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
	    LOG_I("exit", WIFEXITED(status) ? WEXITSTATUS(status) : 0),
	    LOG_S("command", score.command), LOG_S("box", score.mailbox));
	s->total_crashes++;
	crashed_note(s, w->user, rk_clock_ms());
	s->renew = true;
}

void
workers_reap(struct spawner *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (uint32_t i = 0; i < s->nworkers_max; i++) {
			if (s->workers[i].pid != pid)
				continue;
			worker_ended(s, i, status);
			worker_forget(s, i);
			break;
		}
	}
}
