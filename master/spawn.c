#include "master/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_EXTRA 6 /* behind control, configuration and log */
#define TARGETS (FIRST_EXTRA - SERVICE_FD_CONTROL + SERVICE_FDS_MAX)
#define ARGS (1 + 2 + 2 * SERVICE_FDS_MAX + 1)

/* Command line; made before the fork, when allocating and failing are still simple. */
struct command {
	const char *argv[ARGS];
	const char *envp[4];
	char generation[12];
	char fds[SERVICE_FDS_MAX][64];
};

enum rk_status
spawn_add(struct spawn_plan *plan, const char *name, int fd, struct rk_err *err)
{
	if (plan->nfds == SERVICE_FDS_MAX || strlen(name) >= sizeof(plan->fds[0].name))
		return rk_fail_plain(err, RK_LIMIT, "no room for the descriptor '%s'", name);
	snprintf(plan->fds[plan->nfds].name, sizeof(plan->fds[0].name), "%s", name);
	plan->fds[plan->nfds].fd = fd;
	plan->nfds++;
	return RK_OK;
}

/* Nothing of the environment reaches a child, but for the options of a sanitizer build. */
static void
environment_make(struct command *c)
{
	size_t n = 0;
#ifdef ROOKERY_SANITIZE
	extern char **environ;

	for (char **e = environ; *e != NULL && n < 3; e++) {
		if (strncmp(*e, "ASAN_OPTIONS=", 13) == 0 ||
		    strncmp(*e, "UBSAN_OPTIONS=", 14) == 0 || strncmp(*e, "LSAN_OPTIONS=", 13) == 0)
			c->envp[n++] = *e;
	}
#endif
	c->envp[n] = NULL;
}

static void
command_make(struct command *c, const struct spawn_plan *plan)
{
	size_t n = 0;

	snprintf(c->generation, sizeof(c->generation), "%u", (unsigned)plan->generation);
	c->argv[n++] = plan->path;
	c->argv[n++] = "--generation";
	c->argv[n++] = c->generation;
	for (size_t i = 0; i < plan->nfds; i++) {
		snprintf(
		    c->fds[i], sizeof(c->fds[i]), "%s=%zu", plan->fds[i].name, FIRST_EXTRA + i);
		c->argv[n++] = "--fd";
		c->argv[n++] = c->fds[i];
	}
	c->argv[n] = NULL;
	environment_make(c);
}

/*
 * Moves every descriptor to its number. First all go above the range that is to be filled, so that
 * none is overwritten before its turn.
 */
static bool
descriptors_place(const struct spawn_plan *plan)
{
	int high[TARGETS];
	size_t n = 0;
	int null, end = FIRST_EXTRA + (int)plan->nfds;

	high[n++] = fcntl(plan->control, F_DUPFD, end);
	high[n++] = fcntl(plan->conf, F_DUPFD, end);
	high[n++] = fcntl(plan->log, F_DUPFD, end);
	for (size_t i = 0; i < plan->nfds; i++)
		high[n++] = fcntl(plan->fds[i].fd, F_DUPFD, end);
	if (plan->error_fd != STDERR_FILENO && dup2(plan->error_fd, STDERR_FILENO) < 0)
		return false;
	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (high[i] < 0 || dup2(high[i], SERVICE_FD_CONTROL + (int)i) < 0)
			return false;
	}
	return close_range((unsigned)end, ~0u, 0) == 0;
}

static void
signals_reset(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL); /* fails for SIGKILL and SIGSTOP, which have no other way */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
oom_score_write(const char *score)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	/* Not worth a process: at worst the kernel chooses another victim. */
	if (fd < 0)
		return;
	if (write(fd, score, strlen(score)) < 0)
		errno = 0;
	close(fd);
}

static _Noreturn void
child_run(const struct spawn_plan *plan, struct command *c)
{
	signals_reset();
	setpgid(0, 0);
	umask(077);
	if (plan->oom_score != NULL)
		oom_score_write(plan->oom_score);
	if (descriptors_place(plan))
		execve(plan->path, (char **)c->argv, (char **)c->envp);
	_exit(SPAWN_EXIT_EXEC);
}

enum rk_status
spawn_start(const struct spawn_plan *plan, pid_t *pid_out, struct rk_err *err)
{
	static struct command command;
	sigset_t all, before;
	enum rk_status status = RK_OK;
	pid_t pid;

	if (access(plan->path, X_OK) < 0)
		return rk_fail(err, RK_NOTFOUND, "the program %s", plan->path);
	command_make(&command, plan);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid = fork();
	if (pid == 0)
		child_run(plan, &command);
	if (pid < 0)
		status = rk_fail(err, RK_TEMP, "fork for %s", plan->path);
	else
		*pid_out = pid;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}
