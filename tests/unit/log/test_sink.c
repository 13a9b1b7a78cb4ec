#include "tests/unit/unit.h"

#include "log/sink.h"
#include <rookery/host.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], path[96], moved[96];

static void
setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/rk-test-sink.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(moved, sizeof(moved), "%s/log.1", dir);
}

static void
teardown(void)
{
	unlink(path);
	unlink(moved);
	rmdir(dir);
}

static const char *
content(const char *name)
{
	static char text[100000];
	int fd = open(name, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

static void
put(struct sink *s, const char *line, int64_t now)
{
	sink_line(s, line, strlen(line), now);
}

START_TEST(lines_end_with_lf_and_the_file_is_private)
{
	struct sink s;
	struct rk_err err;
	struct stat st;

	setup();
	ck_assert_int_eq(sink_open(&s, path, geteuid(), getegid(), &err), RK_OK);
	put(&s, "one\n", 1);
	put(&s, "two", 2);
	ck_assert_str_eq(content(path), "one\ntwo\n");
	ck_assert_uint_eq(s.written, 2);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0137, 0);
	sink_close(&s);
	teardown();
}
END_TEST

START_TEST(a_rotated_file_is_left_within_a_second)
{
	struct sink s;
	struct rk_err err;

	setup();
	ck_assert_int_eq(sink_open(&s, path, geteuid(), getegid(), &err), RK_OK);
	put(&s, "one\n", 5000);
	ck_assert_int_eq(rename(path, moved), 0);
	put(&s, "two\n", 5500);
	put(&s, "three\n", 6100);
	ck_assert_str_eq(content(moved), "one\ntwo\n");
	ck_assert_str_eq(content(path), "three\n");
	ck_assert_int_eq(rename(path, moved), 0);
	sink_check(&s, 6101, true); /* SIGHUP */
	put(&s, "four\n", 6102);
	ck_assert_str_eq(content(path), "four\n");
	sink_close(&s);
	teardown();
}
END_TEST

START_TEST(a_path_that_cannot_be_opened_again_keeps_the_old_file)
{
	struct sink s;
	struct rk_err err;

	setup();
	ck_assert_int_eq(sink_open(&s, path, geteuid(), getegid(), &err), RK_OK);
	ck_assert_int_eq(rename(path, moved), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	put(&s, "one\n", 5000);
	put(&s, "two\n", 7000);
	ck_assert_ptr_nonnull(strstr(content(moved), "event=log.reopen"));
	ck_assert_ptr_null(strstr(strstr(content(moved), "log.reopen") + 1, "log.reopen"));
	ck_assert_ptr_nonnull(strstr(content(moved), "two\n"));
	ck_assert_int_eq(rmdir(path), 0);
	put(&s, "three\n", 9000);
	ck_assert_str_eq(content(path), "three\n");
	sink_close(&s);
	teardown();
}
END_TEST

START_TEST(a_full_disk_is_survived_and_told)
{
	struct rlimit small = { 20, RLIM_INFINITY }, none = { RLIM_INFINITY, RLIM_INFINITY };
	struct sink s;
	struct rk_err err;

	setup();
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(sink_open(&s, path, geteuid(), getegid(), &err), RK_OK);
	put(&s, "0123456789\n", 1);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (int i = 0; i < 50; i++)
		put(&s, "lost, all or half of it\n", 2);
	ck_assert_uint_eq(s.lost, 50);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	put(&s, "here again\n", 3);
	ck_assert_uint_eq(s.written, 2);
	ck_assert_ptr_nonnull(strstr(content(path), "event=log.lost"));
	ck_assert_ptr_nonnull(strstr(content(path), "lost=50\n"));
	ck_assert_ptr_nonnull(strstr(content(path), "\nhere again\n"));
	sink_close(&s);
	teardown();
}
END_TEST

START_TEST(a_standard_error_that_nobody_reads_does_not_block)
{
	struct sink s;
	struct rk_err err;
	int fds[2], saved = dup(STDERR_FILENO);
	int64_t before = rk_clock_ms();

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_ge(dup2(fds[1], STDERR_FILENO), 0);
	ck_assert_int_eq(sink_open(&s, "stderr", geteuid(), getegid(), &err), RK_OK);
	for (int i = 0; i < 20000; i++)
		put(&s, "a line that goes into a pipe which is full before long\n", i);
	ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
	ck_assert_uint_gt(s.lost, 10000);
	ck_assert_uint_gt(s.written, 100);
	ck_assert_int_lt(rk_clock_ms() - before, 5000);
}
END_TEST

START_TEST(a_directory_that_is_missing_is_an_error_at_the_start)
{
	struct sink s;
	struct rk_err err;

	ck_assert_int_ne(sink_open(&s, "/nonexistent/log", geteuid(), getegid(), &err), RK_OK);
	ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/log"));
}
END_TEST

UNIT_MAIN("sink", lines_end_with_lf_and_the_file_is_private, a_rotated_file_is_left_within_a_second,
    a_path_that_cannot_be_opened_again_keeps_the_old_file, a_full_disk_is_survived_and_told,
    a_standard_error_that_nobody_reads_does_not_block,
    a_directory_that_is_missing_is_an_error_at_the_start)
