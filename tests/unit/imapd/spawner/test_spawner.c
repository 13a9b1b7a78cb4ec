#include "tests/unit/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "imapd/spawner/spawner_impl.h"
#include "lib/base/arena.h"

/* The worker of these tests: ends at once, in the way that its tag says. */
void
worker_run(const struct worker_start *start)
{
	score_command(start->score, "FETCH");
	if (strcmp(start->handoff.tag, "crash") == 0) {
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
	}
	if (strcmp(start->handoff.tag, "wait") == 0)
		pause();
	_exit(0);
}

static struct spawner s;
static struct rk_err err;
static char state[64];

static void
setup(void)
{
	snprintf(state, sizeof(state), "/tmp/rk-spawner.XXXXXX");
	ck_assert_ptr_ne(mkdtemp(state), NULL);
	/* Check's own handler would end the whole group when a fresh child gets the signal. */
	signal(SIGTERM, SIG_DFL);
	memset(&s, 0, sizeof(s));
	s.nworkers_max = 8;
	s.workers = calloc(s.nworkers_max, sizeof(*s.workers));
	s.user_hashes = calloc(s.nworkers_max, sizeof(*s.user_hashes));
	s.pending = calloc(PENDING_MAX, sizeof(*s.pending));
	s.crashed = calloc(CRASHED_MAX, sizeof(*s.crashed));
	for (size_t i = 0; i < PENDING_MAX; i++)
		s.pending[i].client_fd = -1;
	s.epoll = epoll_create1(EPOLL_CLOEXEC);
	peers_init(&s);
	ck_assert_int_eq(scoreboard_new(s.nworkers_max, &s.board, &err), RK_OK);
}

static void
conf_make(void)
{
	struct rk_arena *mem = NULL;
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "%s/conf", state);
	f = fopen(path, "w");
	fprintf(f, "state_dir = \"%s\"\nrun_dir = \"%s\"\n", state, state);
	fprintf(f, "database \"x\" { driver = \"passwd-file\"\n path = \"%s/p\" }\n", state);
	fprintf(f, "storage \"x\" { driver = \"maildir\" }\n");
	fprintf(f, "listen \"x\" { port = 20001 }\n");
	fclose(f);
	mem = arena_new();
	{
		struct conf_problems problems = { 0 };

		if (conf_load(path, mem, &s.conf, &problems, &err) != RK_OK)
			ck_abort_msg(
			    "%s: %s", err.text, problems.n > 0 ? problems.list[0].text : "");
	}
	arena_free(mem);
}

static void
teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", state);
	ck_assert_int_eq(system(command), 0);
	free(s.workers);
	free(s.user_hashes);
	free(s.pending);
	free(s.crashed);
	scoreboard_free(s.board);
	conf_free(s.conf);
	close(s.epoll);
}

START_TEST(names_become_one_safe_file_name)
{
	static const struct {
		const char *user, *name;
	} cases[] = {
		{ "user1", "user1" },
		{ "a@example.org", "a@example.org" },
		{ "a/b", "a%2Fb" },
		{ "..", "%2E." },
		{ ".hidden", "%2Ehidden" },
		{ "100%", "100%25" },
		{ "a b\n", "a%20b%0A" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
	};
	char path[4096], longest[300];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_int_eq(index_path("/s", cases[i].user, path, sizeof(path), &err), RK_OK);
		ck_assert_int_eq(strncmp(path, "/s/index/", 9), 0);
		ck_assert_str_eq(path + 12, cases[i].name);
	}
	memset(longest, 'x', sizeof(longest));
	longest[299] = '\0';
	ck_assert_int_eq(index_path("/s", longest, path, sizeof(path), &err), RK_INVALID);
	ck_assert_int_eq(index_path("/s", "", path, sizeof(path), &err), RK_INVALID);
	ck_assert_int_eq(index_path("/s", "user1", path, 10, &err), RK_INVALID);
}
END_TEST

START_TEST(the_index_directory_is_the_users_own)
{
	char path[4096];
	struct stat st;
	uid_t uid = geteuid() == 0 ? 61000 : geteuid();
	gid_t gid = geteuid() == 0 ? 61000 : getegid();

	setup();
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(index_make(state, "user1", uid, gid, &err), RK_OK);
	ck_assert_int_eq(index_path(state, "user1", path, sizeof(path), &err), RK_OK);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_uint_eq(st.st_uid, uid);
	/* Somebody else's, or no directory: not taken. */
	if (geteuid() == 0)
		ck_assert_int_eq(index_make(state, "user1", 61001, 61001, &err), RK_DENIED);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(symlink("/etc", path), 0);
	ck_assert_int_eq(index_make(state, "user1", uid, gid, &err), RK_CORRUPT);
	teardown();
}
END_TEST

static enum rk_status
spawn(const char *user, const char *how)
{
	static struct handoff handoff;
	static struct grant grant;
	enum rk_status status;
	int pair[2];

	memset(&handoff, 0, sizeof(handoff));
	memset(&grant, 0, sizeof(grant));
	snprintf(handoff.sid, sizeof(handoff.sid), "SIDSIDSIDSIDSIDS");
	snprintf(handoff.tag, sizeof(handoff.tag), "%s", how);
	snprintf(handoff.remote.address, sizeof(handoff.remote.address), "192.0.2.1");
	snprintf(grant.user, sizeof(grant.user), "%s", user);
	grant.uid = geteuid();
	grant.gid = getegid();
	ck_assert_int_eq(ipc_pair(pair, &err), RK_OK);
	status = worker_spawn(&s, &handoff, &grant, pair[0], &err);
	close(pair[0]);
	close(pair[1]);
	return status;
}

/* Until only `left` workers live, at most ten seconds. */
static void
reap_until(uint32_t left)
{
	for (int i = 0; i < 1000 && s.nworkers > left; i++) {
		workers_reap(&s);
		usleep(10000);
	}
	ck_assert_uint_eq(s.nworkers, left);
}

START_TEST(workers_are_counted_by_user_and_address)
{
	setup();
	conf_make();
	ck_assert_int_eq(spawn("a", "wait"), RK_OK);
	ck_assert_int_eq(spawn("a", "wait"), RK_OK);
	ck_assert_int_eq(spawn("b", "wait"), RK_OK);
	ck_assert_uint_eq(workers_of_user(&s, "a", NULL), 2);
	ck_assert_uint_eq(workers_of_user(&s, "a", "192.0.2.1"), 2);
	ck_assert_uint_eq(workers_of_user(&s, "a", "192.0.2.2"), 0);
	ck_assert_uint_eq(workers_kick(&s, "a", ""), 2);
	reap_until(1);
	ck_assert_uint_eq(workers_of_user(&s, "a", NULL), 0);
	ck_assert_uint_eq(s.total_crashes, 0);
	ck_assert_uint_eq(workers_kick(&s, "", "SIDSIDSIDSIDSIDS"), 1);
	reap_until(0);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(spawn("c", "wait"), RK_OK);
	ck_assert_int_eq(spawn("c", "wait"), RK_LIMIT);
	workers_kick(&s, "", "");
	reap_until(0);
	teardown();
}
END_TEST

START_TEST(three_crashes_hold_a_user_off_for_longer_each_time)
{
	int64_t now = rk_clock_ms(), first;

	setup();
	conf_make();
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(spawn("a", "crash"), RK_OK);
		reap_until(0);
	}
	ck_assert_int_eq(crashed_wait(&s, "a", now), 0);
	ck_assert_int_eq(spawn("a", "crash"), RK_OK);
	reap_until(0);
	first = crashed_wait(&s, "a", rk_clock_ms());
	ck_assert_int_gt(first, 3000);
	ck_assert_int_eq(crashed_wait(&s, "b", now), 0);
	ck_assert_uint_eq(s.total_crashes, 3);
	ck_assert(s.renew);
	ck_assert_int_eq(spawn("a", "crash"), RK_OK);
	reap_until(0);
	ck_assert_int_gt(crashed_wait(&s, "a", rk_clock_ms()), first + 3000);
	ck_assert_int_eq(spawn("a", "end"), RK_OK);
	reap_until(0);
	ck_assert_uint_eq(s.total_crashes, 4);
	teardown();
}
END_TEST

UNIT_MAIN("spawner", names_become_one_safe_file_name, the_index_directory_is_the_users_own,
    workers_are_counted_by_user_and_address, three_crashes_hold_a_user_off_for_longer_each_time)
