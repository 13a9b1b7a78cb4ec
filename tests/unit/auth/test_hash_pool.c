#include "auth/hash_pool.h"

#include <dirent.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "auth/hash_impl.h"
#include "lib/base/log.h"
#include "tests/unit/unit.h"

#define IDS 512

static struct event_base *base;
static struct hash_pool *pool;
static unsigned answers;
static int verdicts[IDS]; /* -1: none */
static unsigned char stored_key[SCRAM_HASH_MAX];

static void
done(void *arg, uint64_t id, const struct hash_answer *answer)
{
	(void)arg;
	ck_assert_uint_lt(id, IDS);
	ck_assert_int_eq(verdicts[id], -1);
	verdicts[id] = answer->verdict;
	if (answer->stored_key.n > 0)
		memcpy(stored_key, answer->stored_key.p, answer->stored_key.n);
	answers++;
}

static void
made(uint32_t children, uint32_t queue)
{
	struct lockdown how = {
		.mode = SANDBOX_BEST_EFFORT,
		.uid = geteuid(),
		.gid = getegid(),
		.empty_dir = "/",
	};
	struct rk_err err = { 0 };
	struct hash_setup setup = { .children = children, .queue = queue, .done = done };

	/* As root a forker wants an account of its own. */
	if (how.uid == 0)
		how.uid = how.gid = 61102;
	for (size_t i = 0; i < IDS; i++)
		verdicts[i] = -1;
	answers = 0;
	log_init(-1, "test", RK_LOG_ERROR);
	base = event_base_new();
	ck_assert_msg(hash_forker_start(&how, &setup.forker_fd, &err) == RK_OK, "%s", err.text);
	ck_assert_int_eq(hash_pool_new(base, &setup, &pool, NULL), RK_OK);
}

static void
gone(void)
{
	hash_pool_free(pool);
	event_base_free(base);
}

static void
run_until(unsigned n)
{
	int64_t end = rk_clock_ms() + 20000;
	struct timeval step = { .tv_usec = 20000 };

	while (answers < n && rk_clock_ms() < end) {
		event_base_loopexit(base, &step);
		event_base_dispatch(base);
	}
	ck_assert_uint_eq(answers, n);
}

static struct hash_stats
stats(void)
{
	struct hash_stats s;

	hash_pool_stats(pool, &s);
	return s;
}

static void
children_await(uint32_t n)
{
	int64_t end = rk_clock_ms() + 10000;
	struct timeval step = { .tv_usec = 20000 };

	while (stats().children < n && rk_clock_ms() < end) {
		event_base_loopexit(base, &step);
		event_base_dispatch(base);
	}
	ck_assert_uint_eq(stats().children, n);
}

static const struct stored plain = { .scheme = SCHEME_PLAIN, .data = { "pass", 4 } };
/* About half a second. */
static const struct stored slow = { .scheme = SCHEME_CRYPT,
	.data = { "$6$rounds=1000000$saltsalt$x", 28 } };

START_TEST(verdicts_come)
{
	struct stored bad = { .scheme = SCHEME_CRYPT, .data = STR_LIT("$6$") };

	made(2, 16);
	ck_assert_int_eq(hash_pool_verify(pool, 1, &plain, str_from("pass"), NULL), RK_OK);
	ck_assert_int_eq(hash_pool_verify(pool, 2, &plain, str_from("fail"), NULL), RK_OK);
	ck_assert_int_eq(hash_pool_verify(pool, 3, &bad, str_from("fail"), NULL), RK_OK);
	ck_assert_uint_eq(answers, 0); /* never from within */
	run_until(3);
	ck_assert_int_eq(verdicts[1], VERDICT_YES);
	ck_assert_int_eq(verdicts[2], VERDICT_NO);
	ck_assert_int_ne(verdicts[3], VERDICT_YES);
	gone();
}
END_TEST

/* Each kind of hash, at the cost that administrators use, within the sandbox of a child. */
START_TEST(every_scheme)
{
	/* clang-format off */
	static const char *const fields[] = {
		"{PLAIN}pass",
		"$y$j9T$abcdefgh$uNmuEpaXZTUTUmiw8Yq8vTWwbnSKsVKpHmaVWQBlBw9",
		"$2b$10$abcdefghijklmnopqrstuusuETGvnlPVzFYfuYG6cxl4H6rDf2gdm",
		"$6$saltsalt$x",
		"{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"{ARGON2ID}$argon2id$v=19$m=262144,t=1,p=4$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		("{SCRAM-SHA-256}4096,MDEyMzQ1Njc4OWFiY2RlZg==,uqUSh1GvuL8i83JY1mnVrH+TL9VHnef3HuBQHNGpvQU=,"
		"1kywqmWCQH9HLTUAdcM4kiWQfXMVXmFBjj5U3NJiSu8="),
	};
	/* clang-format on */
	size_t n = sizeof(fields) / sizeof(fields[0]);

	made(2, 16);
	for (size_t i = 0; i < n; i++) {
		struct stored stored;

		ck_assert_int_eq(stored_parse(str_from(fields[i]), &stored, NULL), RK_OK);
		ck_assert_int_eq(
		    hash_pool_verify(pool, i + 1, &stored, str_from("pa\xc3\x9fword"), NULL),
		    RK_OK);
	}
	run_until((unsigned)n);
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(verdicts[i + 1] == VERDICT_NO, "%s: %d", fields[i], verdicts[i + 1]);
	ck_assert_uint_eq(stats().lost, 0);
	gone();
}
END_TEST

START_TEST(keys_come)
{
	struct scram_keys keys = { .iterations = 4096, .salt_len = 16 }, want;

	memcpy(keys.salt, "0123456789abcdef", 16);
	want = keys;
	ck_assert(scram_derive(SCRAM_SHA_256, str_from("pass"), &want));
	made(1, 16);
	ck_assert_int_eq(
	    hash_pool_derive(pool, 1, SCRAM_SHA_256, &keys, str_from("pass"), NULL), RK_OK);
	run_until(1);
	ck_assert_mem_eq(stored_key, want.stored_key, 32);
	gone();
}
END_TEST

START_TEST(queue_is_bounded)
{
	unsigned taken = 0;

	made(2, 8);
	children_await(2);
	for (uint64_t id = 1; id <= 100; id++)
		taken += hash_pool_verify(pool, id, &plain, str_from("pass"), NULL) == RK_OK;
	ck_assert_uint_ge(taken, 10);
	ck_assert_uint_le(taken, 10);
	run_until(taken);
	ck_assert_int_eq(hash_pool_verify(pool, 101, &plain, str_from("pass"), NULL), RK_OK);
	run_until(taken + 1);
	gone();
}
END_TEST

START_TEST(cancelled)
{
	made(1, 16);
	children_await(1);
	ck_assert_int_eq(hash_pool_verify(pool, 1, &slow, str_from("pass"), NULL), RK_OK);
	for (uint64_t id = 2; id <= 5; id++)
		ck_assert_int_eq(hash_pool_verify(pool, id, &plain, str_from("pass"), NULL), RK_OK);
	ck_assert_uint_eq(stats().queued, 4);
	hash_pool_cancel(pool, 3);
	hash_pool_cancel(pool, 5);
	hash_pool_cancel(pool, 77);
	ck_assert_uint_eq(stats().queued, 2);
	ck_assert_int_eq(hash_pool_verify(pool, 6, &plain, str_from("pass"), NULL), RK_OK);
	run_until(4);
	ck_assert_int_eq(verdicts[3], -1);
	ck_assert_int_eq(verdicts[5], -1);
	ck_assert_int_eq(verdicts[6], VERDICT_YES);
	gone();
}
END_TEST

/* The processes whose parent is `parent`; returns how many. */
static size_t
children_of(pid_t parent, pid_t *pids, size_t max)
{
	struct dirent *e;
	size_t n = 0;
	DIR *proc = opendir("/proc");

	ck_assert_ptr_nonnull(proc);
	while ((e = readdir(proc)) != NULL && n < max) {
		char path[300], state;
		int pid, ppid;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		if (e->d_name[0] < '0' || e->d_name[0] > '9' || (f = fopen(path, "r")) == NULL)
			continue;
		if (fscanf(f, "%d (%*[^)]) %c %d", &pid, &state, &ppid) == 3 && ppid == parent &&
		    state != 'Z')
			pids[n++] = pid;
		fclose(f);
	}
	closedir(proc);
	return n;
}

static pid_t
forker_pid(void)
{
	pid_t pids[8];

	ck_assert_uint_eq(children_of(getpid(), pids, 8), 1);
	return pids[0];
}

/* The job of a child that dies fails; the others do not notice, and it is replaced. */
START_TEST(child_killed)
{
	pid_t pids[8];

	made(1, 16);
	children_await(1);
	ck_assert_int_eq(hash_pool_verify(pool, 1, &slow, str_from("pass"), NULL), RK_OK);
	ck_assert_int_eq(hash_pool_verify(pool, 2, &plain, str_from("pass"), NULL), RK_OK);
	ck_assert_uint_eq(children_of(forker_pid(), pids, 8), 1);
	ck_assert_int_eq(kill(pids[0], SIGKILL), 0);
	run_until(2);
	ck_assert_int_eq(verdicts[1], VERDICT_ERROR);
	ck_assert_int_eq(verdicts[2], VERDICT_YES);
	ck_assert_uint_eq(stats().lost, 1);
	ck_assert_uint_eq(stats().children, 1);
	ck_assert(!hash_pool_broken(pool));
	gone();
}
END_TEST

START_TEST(forker_killed)
{
	pid_t pids[8];

	made(2, 16);
	children_await(2);
	ck_assert_uint_eq(children_of(forker_pid(), pids, 8), 2);
	ck_assert_int_eq(kill(forker_pid(), SIGKILL), 0);
	ck_assert_int_eq(hash_pool_verify(pool, 1, &plain, str_from("pass"), NULL), RK_OK);
	run_until(1);
	ck_assert_int_eq(verdicts[1], VERDICT_YES);
	ck_assert(!hash_pool_broken(pool));
	kill(pids[0], SIGKILL);
	kill(pids[1], SIGKILL);
	for (int i = 0; i < 500 && !hash_pool_broken(pool); i++) {
		struct timeval step = { .tv_usec = 10000 };

		event_base_loopexit(base, &step);
		event_base_dispatch(base);
	}
	ck_assert(hash_pool_broken(pool));
	gone();
}
END_TEST

/* What is no job ends a child, never more. */
START_TEST(not_a_job)
{
	static struct msg_out frame, answer;
	static struct msg_in m;
	unsigned char bytes[MSG_MAX];
	size_t n;

	for (uint16_t type = 0; type < 8; type++) {
		msg_begin(&frame, type, 1);
		msg_put_u32(&frame, 77);
		msg_put_text(&frame, "x");
		msg_put_text(&frame, "y");
		ck_assert_int_eq(msg_frame(&frame, bytes, &n, NULL), RK_OK);
		ck_assert_int_eq(msg_parse(&m, bytes, n, NULL), RK_OK);
		ck_assert_int_eq(hash_work(&m, &answer, NULL), RK_CORRUPT);
	}
}
END_TEST

UNIT_MAIN("hash_pool", verdicts_come, every_scheme, keys_come, queue_is_bounded, cancelled,
    child_killed, forker_killed, not_a_job)
