/* F27: a program that renames without end must not make a message look expunged. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/storage/drivers/maildir/store.h"

#define RACE_MS 2000

/* Toggles \Seen of every message, and moves some between new/ and cur/, for ever. */
static void
rename_forever(struct store *s, unsigned n)
{
	char a[128], b[128];

	for (unsigned i = 0;; i = (i + 1) % n) {
		snprintf(a, sizeof(a), "%s/cur/%u.M1P1.h:2,", s->root, 1000 + i);
		snprintf(b, sizeof(b), "%s/cur/%u.M1P1.h:2,S", s->root, 1000 + i);
		if (rename(a, b) < 0)
			rename(b, a);
	}
}

static void
race(unsigned n)
{
	struct store s;
	int64_t end;
	unsigned syncs = 0, full = 0;
	pid_t child;

	store_open(&s);
	for (unsigned i = 0; i < n; i++)
		store_put(&s, rk_arena_printf(s.mem, "cur/%u.M1P1.h:2,", 1000 + i), "x\n");
	store_sync(&s);
	ck_assert_uint_eq(s.delta.nmsgs, n);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		rename_forever(&s, n);
	end = rk_clock_ms() + RACE_MS;
	while (rk_clock_ms() < end) {
		struct rk_arena *mem = arena_new();
		struct rk_delta delta;

		ck_assert_int_eq(rookery_driver.sync(s.box, s.state, mem, &delta, &s.err), RK_OK);
		ck_assert_uint_eq(delta.nexpunged, 0);
		ck_assert_uint_eq(delta.uidnext, n + 1);
		if (delta.kind == RK_DELTA_FULL) {
			ck_assert_uint_eq(delta.nmsgs, n);
			full++;
		}
		syncs++;
		arena_free(mem);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	store_sync(&s);
	ck_assert_uint_eq(s.delta.nmsgs, n);
	printf("%u messages: %u syncs, %u of them complete, 0 false expunges\n", n, syncs, full);
	store_close(&s);
}

START_TEST(three_messages)
{
	race(3);
}
END_TEST

START_TEST(three_hundred_messages)
{
	race(300);
}
END_TEST

START_TEST(five_thousand_messages)
{
	race(5000);
}
END_TEST

UNIT_MAIN("maildir race", three_messages, three_hundred_messages, five_thousand_messages)
