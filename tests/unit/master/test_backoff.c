#include "tests/unit/unit.h"

#include "master/backoff.h"

START_TEST(a_single_death_is_mended_at_once)
{
	struct backoff b = { .n = 0 };

	for (int64_t now = 1000; now < 1000000; now += 20000)
		ck_assert_int_eq(backoff_exit(&b, now, 20000), 0);
}
END_TEST

START_TEST(four_deaths_in_a_row_are_no_loop)
{
	struct backoff b = { .n = 0 };

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(backoff_exit(&b, 1000 + i, 1), 0);
	ck_assert_int_eq(backoff_exit(&b, 30000, 1), 0);
}
END_TEST

START_TEST(five_in_ten_seconds_slow_it_down_to_a_minute)
{
	static const int64_t delays[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	struct backoff b = { .n = 0 };
	int64_t now = 5000;

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(backoff_exit(&b, now += 2500, 0), 0);
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		ck_assert_int_eq(backoff_exit(&b, now, 0), delays[i]);
		now += delays[i];
	}
}
END_TEST

START_TEST(a_minute_of_life_forgives)
{
	struct backoff b = { .n = 0 };
	int64_t now = 0;

	for (int i = 0; i < 9; i++)
		backoff_exit(&b, now += 10, 0);
	ck_assert_int_gt(b.delay_ms, 1000);
	ck_assert_int_eq(backoff_exit(&b, now += 60000, 60000), 0);
	ck_assert_int_eq(backoff_exit(&b, now += 10, 0), 0);
}
END_TEST

START_TEST(a_short_life_while_slowed_does_not)
{
	struct backoff b = { .n = 0 };
	int64_t now = 0;

	for (int i = 0; i < 6; i++)
		backoff_exit(&b, now += 10, 0);
	ck_assert_int_eq(b.delay_ms, 2000);
	ck_assert_int_eq(backoff_exit(&b, now += 30000, 28000), 4000);
}
END_TEST

UNIT_MAIN("backoff", a_single_death_is_mended_at_once, four_deaths_in_a_row_are_no_loop,
    five_in_ten_seconds_slow_it_down_to_a_minute, a_minute_of_life_forgives,
    a_short_life_while_slowed_does_not)
