#include "auth/penalty.h"

#include <stdio.h>

#include "tests/unit/unit.h"

#define MAX_MS 15000
#define FORGET_MS 900000

static struct penalty *
made(uint32_t capacity)
{
	struct penalty *p;

	ck_assert_int_eq(penalty_new(capacity, MAX_MS, FORGET_MS, &p, NULL), RK_OK);
	return p;
}

START_TEST(grows)
{
	static const int64_t want[] = { 0, 2000, 4000, 8000, 15000, 15000 };
	struct penalty *p = made(16);

	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		ck_assert_int_eq(penalty_wait(p, "192.0.2.1", 1000 + i), want[i]);
		penalty_fail(p, "192.0.2.1", 0, 1000 + i);
	}
	ck_assert_int_eq(penalty_wait(p, "192.0.2.2", 1000), 0);
	penalty_free(p);
}
END_TEST

START_TEST(same_password_counts_once)
{
	struct penalty *p = made(16);

	for (int i = 0; i < 5; i++)
		penalty_fail(p, "192.0.2.1", 77, 1000);
	ck_assert_int_eq(penalty_wait(p, "192.0.2.1", 1000), 2000);
	penalty_fail(p, "192.0.2.1", 78, 1000);
	ck_assert_int_eq(penalty_wait(p, "192.0.2.1", 1000), 4000);
	penalty_free(p);
}
END_TEST

START_TEST(forgotten)
{
	struct penalty *p = made(16);

	penalty_fail(p, "192.0.2.1", 0, 1000);
	penalty_fail(p, "192.0.2.2", 0, 2000);
	ck_assert_int_eq(penalty_wait(p, "192.0.2.1", 1000 + FORGET_MS - 1), 2000);
	ck_assert_int_eq(penalty_wait(p, "192.0.2.1", 1000 + FORGET_MS), 0);
	ck_assert_uint_eq(penalty_count(p), 1);
	penalty_success(p, "192.0.2.2");
	ck_assert_int_eq(penalty_wait(p, "192.0.2.2", 2001), 0);
	ck_assert_uint_eq(penalty_count(p), 0);
	penalty_success(p, "192.0.2.2");
	penalty_free(p);
}
END_TEST

START_TEST(prefixes)
{
	struct penalty *p = made(64);
	char address[64];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(address, sizeof(address), "2001:db8:1:%x::%x", i, i * 7);
		penalty_fail(p, address, 0, 1000);
	}
	ck_assert_uint_eq(penalty_count(p), 1); /* one /48, one counter */
	ck_assert_int_eq(penalty_wait(p, "2001:db8:1:ffff::1", 1000), MAX_MS);
	ck_assert_int_eq(penalty_wait(p, "2001:db8:2::1", 1000), 0);
	penalty_fail(p, "192.0.2.1", 0, 1000);
	ck_assert_int_eq(penalty_wait(p, "::ffff:192.0.2.1", 1000), 2000);
	ck_assert_int_eq(penalty_wait(p, "::ffff:192.0.2.2", 1000), 0);
	ck_assert_int_eq(penalty_wait(p, "nonsense", 1000), 0);
	penalty_fail(p, "nonsense", 0, 1000);
	ck_assert_int_eq(penalty_wait(p, "", 1000), 2000);
	penalty_free(p);
}
END_TEST

START_TEST(bounded)
{
	struct penalty *p = made(100);
	char address[32];

	for (unsigned i = 0; i < 10000; i++) {
		snprintf(address, sizeof(address), "10.0.%u.%u", i / 256, i % 256);
		penalty_fail(p, address, 0, 1000 + i);
		if (i % 3 == 0)
			penalty_success(p, address);
		ck_assert_uint_le(penalty_count(p), 100);
	}
	/* The newest are known, the oldest gave way. */
	ck_assert_int_eq(penalty_wait(p, "10.0.39.14", 11000), 2000);
	ck_assert_int_eq(penalty_wait(p, "10.0.0.1", 11000), 0);
	penalty_free(p);
}
END_TEST

START_TEST(switched_off)
{
	struct penalty *p;

	ck_assert_int_eq(penalty_new(16, 0, FORGET_MS, &p, NULL), RK_OK);
	penalty_fail(p, "192.0.2.1", 0, 1000);
	ck_assert_int_eq(penalty_wait(p, "192.0.2.1", 1000), 0);
	penalty_free(p);
}
END_TEST

UNIT_MAIN("penalty", grows, same_password_counts_once, forgotten, prefixes, bounded, switched_off)
