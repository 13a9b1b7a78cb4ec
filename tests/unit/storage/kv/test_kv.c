#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "storage/kv/kv.h"
#include "tests/unit/storage/tmpdir.h"

static char root[64], dir[80], lock[80], data[100];

static void
setup(void)
{
	tmpdir_make(root, sizeof(root));
	snprintf(dir, sizeof(dir), "%s/db", root);
	snprintf(lock, sizeof(lock), "%s/lock", root);
	snprintf(data, sizeof(data), "%s/data.mdb", dir);
}

static struct kv *
opened(size_t map_initial, size_t map_max)
{
	struct kv_options o = { dir, lock, map_initial, map_max, 2000 };
	struct rk_err err = { 0 };
	struct kv *kv = NULL;

	ck_assert_msg(kv_open(&o, &kv, &err) == RK_OK, "%s", err.text);
	return kv;
}

static struct rk_blob
blob(const char *text)
{
	return (struct rk_blob){ text, strlen(text) };
}

static enum rk_status
put(struct kv *kv, const char *key, const char *value, bool durable)
{
	struct rk_err err;
	struct kv_txn *txn;
	enum rk_status status = kv_write(kv, rk_clock_ms() + 2000, &txn, &err);

	if (status != RK_OK)
		return status;
	status = kv_put(txn, blob(key), blob(value), &err);
	if (status == RK_OK)
		return kv_commit(txn, durable, &err);
	kv_abort(txn);
	return status;
}

/* RK_OK: the value is the expected one; RK_INVALID: a wrong answer. */
static enum rk_status
expect(struct kv *kv, const char *key, const char *value)
{
	struct rk_err err = { 0 };
	struct kv_txn *txn;
	struct rk_blob got;
	enum rk_status status = kv_read(kv, &txn, &err);

	if (status != RK_OK)
		return status;
	status = kv_get(txn, blob(key), &got, &err);
	if (status == RK_OK && (got.len != strlen(value) || memcmp(got.data, value, got.len) != 0))
		status = RK_INVALID;
	kv_abort(txn);
	return status;
}

START_TEST(values_stay_and_order_is_kept)
{
	struct rk_blob key, value;
	struct rk_err err;
	struct kv_txn *txn;
	struct kv *kv;

	setup();
	kv = opened(1 << 20, 1 << 24);
	ck_assert_int_eq(put(kv, "b2", "two", true), RK_OK);
	ck_assert_int_eq(put(kv, "b1", "one", false), RK_OK);
	ck_assert_int_eq(put(kv, "c", "", false), RK_OK);
	ck_assert_int_eq(put(kv, "b1", "uno", true), RK_OK);
	kv_close(kv);
	kv = opened(1 << 20, 1 << 24);
	ck_assert_int_eq(expect(kv, "b1", "uno"), RK_OK);
	ck_assert_int_eq(expect(kv, "c", ""), RK_OK);
	ck_assert_int_eq(expect(kv, "x", ""), RK_NOTFOUND);
	ck_assert_int_eq(kv_read(kv, &txn, &err), RK_OK);
	ck_assert_int_eq(kv_seek(txn, blob("a"), blob(""), &key, &value, &err), RK_OK);
	ck_assert_mem_eq(key.data, "b1", 2);
	ck_assert_int_eq(kv_seek(txn, blob("b11"), blob("b"), &key, &value, &err), RK_OK);
	ck_assert_mem_eq(value.data, "two", 3);
	ck_assert_int_eq(kv_seek(txn, blob("b3"), blob("b"), &key, &value, &err), RK_NOTFOUND);
	kv_abort(txn);
	ck_assert_int_eq(kv_write(kv, rk_clock_ms() + 1000, &txn, &err), RK_OK);
	ck_assert_int_eq(kv_del_prefix(txn, blob("b"), &err), RK_OK);
	ck_assert_int_eq(kv_del(txn, blob("nothing"), &err), RK_OK);
	ck_assert_int_eq(kv_commit(txn, true, &err), RK_OK);
	ck_assert_int_eq(expect(kv, "b1", ""), RK_NOTFOUND);
	ck_assert_int_eq(expect(kv, "c", ""), RK_OK);
	kv_close(kv);
	tmpdir_remove(root);
}
END_TEST

START_TEST(an_aborted_write_leaves_nothing)
{
	struct rk_err err;
	struct kv_txn *txn;
	struct kv *kv;

	setup();
	kv = opened(1 << 20, 1 << 24);
	ck_assert_int_eq(kv_write(kv, rk_clock_ms() + 1000, &txn, &err), RK_OK);
	ck_assert_int_eq(kv_put(txn, blob("a"), blob("b"), &err), RK_OK);
	kv_abort(txn);
	ck_assert_int_eq(expect(kv, "a", "b"), RK_NOTFOUND);
	kv_close(kv);
	tmpdir_remove(root);
}
END_TEST

START_TEST(a_process_opens_it_once)
{
	struct kv_options o;
	struct rk_err err;
	struct kv *kv, *second = NULL;

	setup();
	kv = opened(1 << 20, 1 << 24);
	o = (struct kv_options){ dir, lock, 1 << 20, 1 << 24, 100 };
	ck_assert_int_eq(kv_open(&o, &second, &err), RK_INUSE);
	kv_close(kv);
	kv_close(opened(1 << 20, 1 << 24));
	tmpdir_remove(root);
}
END_TEST

/* One transaction of all values; RK_AGAIN asks for another try, as the contract says. */
static enum rk_status
fill(struct kv *kv, int n, const char *value, size_t len)
{
	struct rk_err err;
	enum rk_status status;

	do {
		struct kv_txn *txn;

		status = kv_write(kv, rk_clock_ms() + 1000, &txn, &err);
		for (int i = 0; i < n && status == RK_OK; i++) {
			char key[16];

			snprintf(key, sizeof(key), "k%d", i);
			status = kv_put(txn, blob(key), (struct rk_blob){ value, len }, &err);
			if (status != RK_OK)
				kv_abort(txn);
		}
		if (status == RK_OK)
			status = kv_commit(txn, false, &err);
	} while (status == RK_AGAIN);
	return status;
}

START_TEST(the_map_grows_to_its_bound)
{
	static char value[100000];
	struct kv *kv;

	setup();
	memset(value, 'v', sizeof(value));
	kv = opened(1 << 20, 1 << 24);
	ck_assert_int_eq(fill(kv, 100, value, sizeof(value)), RK_OK);
	ck_assert_int_eq(fill(kv, 1000, value, sizeof(value)), RK_LIMIT);
	ck_assert_int_eq(expect(kv, "k500", ""), RK_NOTFOUND);
	ck_assert_int_eq(put(kv, "k1", "small", true), RK_OK);
	ck_assert_int_eq(expect(kv, "k1", "small"), RK_OK);
	kv_close(kv);
	tmpdir_remove(root);
}
END_TEST

/* Runs `fn` in another process that opens the environment itself. */
static int
in_child(int (*fn)(struct kv *kv))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct kv_options o = { dir, lock, 1 << 20, 1 << 26, 2000 };
		struct kv *kv;

		if (kv_open(&o, &kv, NULL) != RK_OK)
			_exit(99);
		status = fn(kv);
		kv_close(kv);
		_exit(status);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int
child_grows(struct kv *kv)
{
	static char value[100000];

	return fill(kv, 200, value, sizeof(value)) == RK_OK ? 0 : 1;
}

static int
child_adds(struct kv *kv)
{
	for (int i = 0; i < 300; i++) {
		char value[16] = "0";
		struct rk_err err;
		struct kv_txn *txn;
		struct rk_blob got;

		if (kv_write(kv, rk_clock_ms() + 10000, &txn, &err) != RK_OK)
			return 1;
		if (kv_get(txn, blob("sum"), &got, &err) == RK_OK)
			snprintf(
			    value, sizeof(value), "%.*s", (int)got.len, (const char *)got.data);
		snprintf(value, sizeof(value), "%d", atoi(value) + 1);
		if (kv_put(txn, blob("sum"), blob(value), &err) != RK_OK ||
		    kv_commit(txn, false, &err) != RK_OK)
			return 2;
	}
	return 0;
}

START_TEST(two_processes_count_together)
{
	struct kv *kv;
	pid_t pid;
	int status;

	setup();
	pid = fork();
	if (pid == 0)
		_exit(in_child(child_adds));
	ck_assert_int_eq(in_child(child_adds), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	kv = opened(1 << 20, 1 << 24);
	ck_assert_int_eq(expect(kv, "sum", "600"), RK_OK);
	kv_close(kv);
	tmpdir_remove(root);
}
END_TEST

START_TEST(a_map_grown_by_another_process_is_followed)
{
	struct kv *kv;

	setup();
	kv = opened(1 << 20, 1 << 26);
	ck_assert_int_eq(put(kv, "a", "b", true), RK_OK);
	ck_assert_int_eq(in_child(child_grows), 0);
	ck_assert_int_eq(expect(kv, "a", "b"), RK_OK);
	ck_assert_int_eq(expect(kv, "k199", ""), RK_INVALID); /* there, and long */
	ck_assert_int_eq(put(kv, "a", "c", true), RK_OK);
	kv_close(kv);
	tmpdir_remove(root);
}
END_TEST

static int
child_stops_writing(struct kv *kv)
{
	struct kv_txn *txn;

	if (kv_write(kv, rk_clock_ms() + 1000, &txn, NULL) != RK_OK)
		return 1;
	raise(SIGSTOP);
	kv_abort(txn);
	return 0;
}

START_TEST(a_stopped_writer_blocks_until_the_deadline)
{
	struct rk_err err = { 0 };
	struct kv_txn *txn;
	struct kv *kv;
	int64_t start;
	int status;
	pid_t pid;

	setup();
	kv = opened(1 << 20, 1 << 24);
	ck_assert_int_eq(put(kv, "a", "b", true), RK_OK);
	pid = fork();
	if (pid == 0) {
		/* The parent's handle is not ours: a fresh process image of the list. */
		execl("/proc/self/exe", "test_kv", "stop", dir, lock, (char *)NULL);
		_exit(98);
	}
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
	start = rk_clock_ms();
	ck_assert_int_eq(kv_write(kv, start + 200, &txn, &err), RK_INUSE);
	ck_assert_int_ge(rk_clock_ms() - start, 200);
	ck_assert_int_le(rk_clock_ms() - start, 1500);
	ck_assert_int_eq(expect(kv, "a", "b"), RK_OK);
	/* Its death frees the lock and LMDB's own mutex. */
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	ck_assert_int_eq(put(kv, "a", "c", true), RK_OK);
	ck_assert_int_eq(expect(kv, "a", "c"), RK_OK);
	kv_close(kv);
	tmpdir_remove(root);
}
END_TEST

START_TEST(an_environment_deleted_while_open_is_left)
{
	struct kv *kv;

	setup();
	kv = opened(1 << 20, 1 << 24);
	ck_assert_int_eq(put(kv, "a", "old", true), RK_OK);
	tmpdir_remove(dir);
	ck_assert_int_eq(expect(kv, "a", "old"), RK_NOTFOUND);
	ck_assert_int_eq(put(kv, "a", "new", true), RK_OK);
	ck_assert_int_eq(access(data, F_OK), 0);
	tmpdir_remove(dir);
	ck_assert_int_eq(put(kv, "b", "newer", true), RK_OK);
	ck_assert_int_eq(expect(kv, "a", "new"), RK_NOTFOUND);
	ck_assert_int_eq(expect(kv, "b", "newer"), RK_OK);
	kv_close(kv);
	tmpdir_remove(root);
}
END_TEST

static int
child_destroys(struct kv *kv)
{
	if (kv_destroy(kv, rk_clock_ms() + 1000, NULL) != RK_OK)
		return 1;
	return put(kv, "a", "second", true) == RK_OK ? 0 : 2;
}

START_TEST(destroy_is_seen_by_others)
{
	struct kv *kv;

	setup();
	kv = opened(1 << 20, 1 << 24);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(put(kv, "a", "first", true), RK_OK);
	kv_close(kv);
	ck_assert_int_eq(in_child(child_destroys), 0);
	kv = opened(1 << 20, 1 << 24);
	ck_assert_int_eq(expect(kv, "a", "second"), RK_OK);
	ck_assert_int_eq(kv_destroy(kv, rk_clock_ms() + 1000, NULL), RK_OK);
	ck_assert_int_eq(expect(kv, "a", "second"), RK_NOTFOUND);
	ck_assert_int_eq(put(kv, "a", "third", true), RK_OK);
	kv_close(kv);
	tmpdir_remove(root);
}
END_TEST

static void
poke(off_t at, const void *bytes, size_t n)
{
	int fd = open(data, O_WRONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, n, at), (ssize_t)n);
	close(fd);
}

START_TEST(nonsense_and_cut_files_are_corrupt)
{
	struct kv_options o;
	struct stat st;
	struct kv *kv;

	setup();
	o = (struct kv_options){ dir, lock, 1 << 20, 1 << 24, 1000 };
	kv = opened(1 << 20, 1 << 24);
	for (int i = 0; i < 50; i++) {
		char key[16];

		snprintf(key, sizeof(key), "key%d", i);
		ck_assert_int_eq(put(kv, key, "some value of some length", false), RK_OK);
	}
	kv_close(kv);
	ck_assert_int_eq(stat(data, &st), 0);
	for (off_t size = st.st_size - 4096; size > 0; size -= 4096 / 4) {
		ck_assert_int_eq(truncate(data, size), 0);
		kv = NULL;
		ck_assert_int_eq(kv_open(&o, &kv, NULL), RK_CORRUPT);
		ck_assert_ptr_nonnull(kv);
		kv_close(kv);
	}
	poke(0, "this is no environment at all", 29);
	ck_assert_int_eq(kv_open(&o, &kv, NULL), RK_CORRUPT);
	ck_assert_int_eq(kv_destroy(kv, rk_clock_ms() + 1000, NULL), RK_OK);
	ck_assert_int_eq(put(kv, "a", "b", true), RK_OK);
	ck_assert_int_eq(expect(kv, "a", "b"), RK_OK);
	kv_close(kv);
	tmpdir_remove(root);
}
END_TEST

START_TEST(a_lost_commit_is_corrupt)
{
	char page[4096];
	struct kv_options o;
	struct kv *kv;
	int fd;

	setup();
	o = (struct kv_options){ dir, lock, 1 << 20, 1 << 24, 1000 };
	kv = opened(1 << 20, 1 << 24);
	ck_assert_int_eq(put(kv, "a", "1", true), RK_OK);
	kv_close(kv);
	fd = open(data, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(pread(fd, page, sizeof(page), 0), sizeof(page));
	close(fd);
	kv = opened(1 << 20, 1 << 24);
	ck_assert_int_eq(put(kv, "a", "2", true), RK_OK); /* one meta page */
	ck_assert_int_eq(expect(kv, "a", "2"), RK_OK);
	kv_close(kv);
	/* Both meta pages as they were before: a whole environment of yesterday. */
	poke(0, page, sizeof(page));
	poke(4096 + 16 + 128, "\1\0\0\0\0\0\0\0", 8);
	if (kv_open(&o, &kv, NULL) == RK_OK)
		ck_assert_int_eq(expect(kv, "a", "2"), RK_CORRUPT);
	kv_close(kv);
	tmpdir_remove(root);
}
END_TEST

#define FLIP_KEYS 40

static int
child_reads_all(struct kv *kv)
{
	for (int i = 0; i < FLIP_KEYS; i++) {
		char key[16], value[400];

		snprintf(key, sizeof(key), "key%03d", i);
		memset(value, 'a' + i % 26, sizeof(value));
		value[sizeof(value) - 1] = '\0';
		switch (expect(kv, key, value)) {
		case RK_OK:
			break;
		case RK_INVALID:
			return 77;
		default:
			return 1;
		}
	}
	return 0;
}

/* Not at all or loudly, never another value. What ends the process is found by its supervisor. */
START_TEST(flipped_bytes_give_no_wrong_value)
{
	struct stat st;
	struct kv *kv;
	int wrong = 0;

	setup();
	kv = opened(1 << 20, 1 << 24);
	for (int i = 0; i < FLIP_KEYS; i++) {
		char key[16], value[400];

		snprintf(key, sizeof(key), "key%03d", i);
		memset(value, 'a' + i % 26, sizeof(value));
		value[sizeof(value) - 1] = '\0';
		ck_assert_int_eq(put(kv, key, value, false), RK_OK);
	}
	kv_close(kv);
	ck_assert_int_eq(in_child(child_reads_all), 0);
	ck_assert_int_eq(stat(data, &st), 0);
	for (off_t at = 0; at < st.st_size; at += at < 8192 ? 23 : 199) {
		int fd = open(data, O_RDWR | O_CLOEXEC);
		char was, now;

		ck_assert_int_eq(pread(fd, &was, 1, at), 1);
		now = (char)(was ^ (1 << (at % 8)));
		ck_assert_int_eq(pwrite(fd, &now, 1, at), 1);
		if (in_child(child_reads_all) == 77)
			wrong++;
		ck_assert_int_eq(pwrite(fd, &was, 1, at), 1);
		close(fd);
	}
	ck_assert_int_eq(wrong, 0);
	tmpdir_remove(root);
}
END_TEST

static int
stop_program(char **argv)
{
	struct kv_options o = { argv[2], argv[3], 1 << 20, 1 << 24, 2000 };
	struct kv *kv;

	if (kv_open(&o, &kv, NULL) != RK_OK)
		return 99;
	return child_stops_writing(kv);
}

int test_main(void);

#define main test_main
UNIT_MAIN("kv", values_stay_and_order_is_kept, an_aborted_write_leaves_nothing,
    a_process_opens_it_once, the_map_grows_to_its_bound, two_processes_count_together,
    a_map_grown_by_another_process_is_followed, a_stopped_writer_blocks_until_the_deadline,
    an_environment_deleted_while_open_is_left, destroy_is_seen_by_others,
    nonsense_and_cut_files_are_corrupt, a_lost_commit_is_corrupt, flipped_bytes_give_no_wrong_value)
#undef main

int
main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "stop") == 0)
		return stop_program(argv);
	return test_main();
}
