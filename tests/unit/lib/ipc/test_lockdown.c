#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/ipc/lockdown.h"
#include "lib/ipc/scoreboard.h"

static const char *const calls[] = { "exit_group", "exit", "read", "write", "openat", "close",
	"getuid", "rt_sigreturn", "getrlimit", "prlimit64", "mmap", "munmap", "brk" };

static const struct profile profile = {
	.name = "test",
	.syscalls = calls,
	.nsyscalls = sizeof(calls) / sizeof(calls[0]),
	.landlock = true,
	.limit_nofile = 64,
};

/* Runs fn in a child that locked itself down with read access to /usr only; its wait status. */
static int
confined(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct os_path_rule rule = { open("/usr", O_PATH | O_CLOEXEC), OS_READ };
		struct lockdown how = {
			.uid = geteuid() == 0 ? 61000 : geteuid(),
			.gid = geteuid() == 0 ? 61000 : getegid(),
			.rules = &rule,
			.nrules = 1,
		};
		struct rk_err err;

		if (service_lock_down(&profile, &how, &err) != RK_OK) {
			fprintf(stderr, "%s\n", err.text);
			_exit(99);
		}
		_exit(fn());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

#ifndef ROOKERY_SANITIZE
static int
opens_usr(void)
{
	return open("/usr/bin/env", O_RDONLY) >= 0 ? 0 : 1;
}

static int
opens_etc(void)
{
	return open("/etc/hostname", O_RDONLY) < 0 && errno == EACCES ? 0 : 1;
}

static int
makes_a_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 1;
}
#endif

static int
has_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max > 64)
		return 1;
	return getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0 ? 0 : 2;
}

static int
has_no_root(void)
{
	return getuid() != 0 ? 0 : 1;
}

START_TEST(a_confined_process_keeps_to_its_profile)
{
#ifndef ROOKERY_SANITIZE
	int status;

	ck_assert_int_eq(confined(opens_usr), 0);
	ck_assert_int_eq(confined(opens_etc), 0);
	status = confined(makes_a_socket);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
#endif
	ck_assert_int_eq(confined(has_limits), 0);
	ck_assert_int_eq(confined(has_no_root), 0);
}
END_TEST

START_TEST(another_user_takes_root)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct rk_err err;

		if (geteuid() == 0 && os_become(61000, 61000, NULL, 0, &err) != RK_OK)
			_exit(1);
		/* From here as an ordinary user: oneself is fine, anybody else is not. */
		if (os_become(geteuid(), getegid(), NULL, 0, &err) != RK_OK)
			_exit(2);
		_exit(os_become(61001, 61001, NULL, 0, &err) == RK_DENIED ? 0 : 3);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(a_sealed_file_cannot_change)
{
	struct rk_err err;
	int fd;

	ck_assert_int_eq(os_sealed_file("test", "abc", 3, &fd, &err), RK_OK);
	ck_assert_int_lt(pwrite(fd, "x", 1, 0), 0);
	ck_assert_int_lt(ftruncate(fd, 0), 0);
	ck_assert_ptr_eq(mmap(NULL, 3, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	close(fd);
}
END_TEST

START_TEST(a_worker_sees_only_its_own_score)
{
	struct scoreboard *b, *again;
	struct rk_err err;
	struct score got;
	pid_t pid;
	int status;

	ck_assert_int_eq(scoreboard_new(3, &b, &err), RK_OK);
	pid = fork();
	if (pid == 0) {
		struct score *mine = scoreboard_keep(b, 1);

		score_command(mine, "FETCH");
		score_mailbox(mine, "INBOX");
		/* The neighbour's page is gone. */
		signal(SIGSEGV, SIG_DFL);
		((volatile char *)mine)[SCOREBOARD_PAGE] = 1;
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(status != 0);
	scoreboard_read(b, 1, &got);
	ck_assert_str_eq(got.command, "FETCH");
	ck_assert_str_eq(got.mailbox, "INBOX");
	scoreboard_read(b, 0, &got);
	ck_assert_str_eq(got.command, "");
	ck_assert_int_eq(scoreboard_from_fd(dup(scoreboard_fd(b)), &again, &err), RK_OK);
	scoreboard_wipe(again, 1);
	scoreboard_read(b, 1, &got);
	ck_assert_str_eq(got.command, "");
	scoreboard_free(again);
	scoreboard_free(b);
}
END_TEST

UNIT_MAIN("lockdown", a_confined_process_keeps_to_its_profile, another_user_takes_root,
    a_sealed_file_cannot_change, a_worker_sees_only_its_own_score)
