#include "tests/unit/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/file.h"

static char dir_path[64];
static int dir;

static void
setup(void)
{
	struct rk_err err;

	snprintf(dir_path, sizeof(dir_path), "/tmp/rk-file.XXXXXX");
	ck_assert_ptr_ne(mkdtemp(dir_path), NULL);
	ck_assert_int_eq(file_open_dir(AT_FDCWD, dir_path, &dir, &err), RK_OK);
}

static void
teardown(void)
{
	char command[128];

	close(dir);
	snprintf(command, sizeof(command), "rm -rf %s", dir_path);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(replace_is_whole_and_leaves_nothing_behind)
{
	struct rk_arena *mem = arena_new();
	struct rk_blob blob;
	struct rk_err err;
	char command[128];
	int fd;

	setup();
	ck_assert_int_eq(file_replace(dir, "a", "one", 3, 0600, &err), RK_OK);
	ck_assert_int_eq(file_replace(dir, "a", "twotwo", 6, 0600, &err), RK_OK);
	ck_assert_int_eq(file_open_regular(dir, "a", O_RDONLY, &fd, NULL, &err), RK_OK);
	ck_assert_int_eq(file_read(fd, 6, mem, &blob, &err), RK_OK);
	ck_assert_uint_eq(blob.len, 6);
	ck_assert_mem_eq(blob.data, "twotwo", 7);
	ck_assert_int_eq(file_read(fd, 5, mem, &blob, &err), RK_LIMIT);
	close(fd);
	snprintf(command, sizeof(command), "test $(ls -A %s | wc -l) = 1", dir_path);
	ck_assert_int_eq(system(command), 0);
	arena_free(mem);
	teardown();
}
END_TEST

/* Rows V14 and V15: no name and no link leads out of the directory. */
START_TEST(v14_v15_nothing_leaves_the_directory)
{
	static const char *const names[] = { "..", "../x", "/etc/passwd", "link/passwd", "link",
		"dir/../../x", "loop" };
	struct rk_err err;
	int fd;

	setup();
	ck_assert_int_eq(mkdirat(dir, "dir", 0700), 0);
	ck_assert_int_eq(symlinkat("/etc", dir, "link"), 0);
	ck_assert_int_eq(symlinkat("loop", dir, "loop"), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		enum rk_status status = file_open(dir, names[i], O_RDONLY, 0, &fd, &err);

		ck_assert_msg(status == RK_DENIED, "%s: %s", names[i], rk_status_name(status));
		ck_assert_int_ne(file_open_dir(dir, names[i], &fd, &err), RK_OK);
	}
	ck_assert_int_eq(file_open(dir, "absent", O_RDONLY, 0, &fd, &err), RK_NOTFOUND);
	teardown();
}
END_TEST

START_TEST(only_regular_files_and_no_waiting)
{
	struct rk_err err;
	int fd;

	setup();
	ck_assert_int_eq(mkfifoat(dir, "fifo", 0600), 0);
	ck_assert_int_eq(mkdirat(dir, "dir", 0700), 0);
	ck_assert_int_eq(file_open_regular(dir, "fifo", O_RDONLY, &fd, NULL, &err), RK_CORRUPT);
	ck_assert_int_eq(file_open_regular(dir, "dir", O_RDONLY, &fd, NULL, &err), RK_CORRUPT);
	ck_assert_int_eq(file_make_dir(dir, "dir", 0700, &err), RK_OK);
	ck_assert_int_eq(file_make_dir(dir, "new", 0700, &err), RK_OK);
	teardown();
}
END_TEST

START_TEST(a_lock_is_waited_for_until_the_deadline)
{
	struct rk_err err;
	int a, b;

	setup();
	ck_assert_int_eq(file_open(dir, "lock", O_RDWR | O_CREAT, 0600, &a, &err), RK_OK);
	ck_assert_int_eq(file_open(dir, "lock", O_RDWR, 0, &b, &err), RK_OK);
	ck_assert_int_eq(file_lock(a, rk_clock_ms(), &err), RK_OK);
	ck_assert_int_eq(file_lock(b, rk_clock_ms() + 50, &err), RK_INUSE);
	close(a);
	ck_assert_int_eq(file_lock(b, rk_clock_ms() + 50, &err), RK_OK);
	close(b);
	teardown();
}
END_TEST

START_TEST(a_full_disk_is_quota)
{
	struct rk_err err;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(file_write(fd, "x", 1, &err), RK_QUOTA);
	close(fd);
}
END_TEST

UNIT_MAIN("file", replace_is_whole_and_leaves_nothing_behind, v14_v15_nothing_leaves_the_directory,
    only_regular_files_and_no_waiting, a_lock_is_waited_for_until_the_deadline,
    a_full_disk_is_quota)
