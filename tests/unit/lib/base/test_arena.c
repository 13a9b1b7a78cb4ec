#include "tests/unit/unit.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
#include <errno.h>

#include "lib/base/arena.h"

START_TEST(memory_is_zeroed_and_aligned)
{
	struct rk_arena *arena = arena_new();

	for (size_t size = 0; size < 20000; size = size * 2 + 1) {
		unsigned char *p = rk_arena_alloc(arena, size);

		ck_assert_uint_eq((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			ck_assert_uint_eq(p[i], 0);
		memset(p, 0xff, size);
	}
	arena_free(arena);
}
END_TEST

START_TEST(memory_is_zeroed_again_after_reset)
{
	struct rk_arena *arena = arena_new();
	unsigned char *p = rk_arena_alloc(arena, 100);

	memset(p, 0xff, 100);
	arena_reset(arena);
	ck_assert_uint_eq(arena_used(arena), 0);
	p = rk_arena_alloc(arena, 200);
	for (size_t i = 0; i < 200; i++)
		ck_assert_uint_eq(p[i], 0);
	arena_free(arena);
}
END_TEST

static int order[3];
static int order_n;

static void
note(void *ptr)
{
	order[order_n++] = *(int *)ptr;
}

START_TEST(cleanups_run_last_first)
{
	struct rk_arena *arena = arena_new();
	int numbers[3] = { 1, 2, 3 };

	for (int i = 0; i < 3; i++)
		arena_cleanup(arena, note, &numbers[i]);
	arena_reset(arena);
	ck_assert_int_eq(order_n, 3);
	ck_assert_int_eq(order[0], 3);
	ck_assert_int_eq(order[2], 1);
	arena_free(arena);
	ck_assert_int_eq(order_n, 3);
}
END_TEST

START_TEST(descriptors_follow_the_arena)
{
	struct rk_arena *arena = arena_new();
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	arena_close_fd(arena, fd);
	arena_free(arena);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(a_large_block_leaves_the_small_one_in_use)
{
	struct rk_arena *arena = arena_new();
	char *a = rk_arena_alloc(arena, 16);
	char *big = rk_arena_alloc(arena, 1 << 20);
	char *b = rk_arena_alloc(arena, 16);

	ck_assert_ptr_ne(big, NULL);
	ck_assert_ptr_eq(b, a + 16);
	ck_assert_str_eq(rk_arena_printf(arena, "%d-%s", 7, "x"), "7-x");
	ck_assert_str_eq(rk_arena_dup(arena, "hello", 4), "hell");
	arena_free(arena);
}
END_TEST

UNIT_MAIN("arena", memory_is_zeroed_and_aligned, memory_is_zeroed_again_after_reset,
    cleanups_run_last_first, descriptors_follow_the_arena,
    a_large_block_leaves_the_small_one_in_use)
