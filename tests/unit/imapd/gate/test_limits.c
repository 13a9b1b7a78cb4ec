#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "imapd/gate/limits.h"

static struct addr
address(const char *text)
{
	struct addr a;

	ck_assert(addr_parse(&a, str_from(text)));
	return a;
}

static enum limits_answer
take(struct limits *l, const char *text, struct limit_hold *hold)
{
	struct addr a = address(text);

	memset(hold, 0, sizeof(*hold));
	return limits_take(l, &a, hold);
}

START_TEST(an_address_has_its_share)
{
	struct limits *l = limits_new(100, 2, 50);
	struct limit_hold h[4];

	ck_assert_int_eq(take(l, "192.0.2.1", &h[0]), LIMITS_OK);
	ck_assert_int_eq(take(l, "192.0.2.1", &h[1]), LIMITS_OK);
	ck_assert_int_eq(take(l, "192.0.2.1", &h[2]), LIMITS_ADDRESS);
	ck_assert_int_eq(take(l, "192.0.2.2", &h[3]), LIMITS_OK);
	limits_release(l, &h[0]);
	limits_release(l, &h[2]); /* holds nothing */
	ck_assert_int_eq(take(l, "192.0.2.1", &h[0]), LIMITS_OK);
	ck_assert_int_eq(take(l, "192.0.2.1", &h[2]), LIMITS_ADDRESS);
	limits_free(l);
}
END_TEST

START_TEST(ipv6_counts_by_64_and_48)
{
	struct limits *l = limits_new(100, 2, 3);
	struct limit_hold h[6];

	ck_assert_int_eq(take(l, "2001:db8:1:1::1", &h[0]), LIMITS_OK);
	ck_assert_int_eq(take(l, "2001:db8:1:1:ffff::2", &h[1]), LIMITS_OK);
	ck_assert_int_eq(take(l, "2001:db8:1:1::3", &h[2]), LIMITS_ADDRESS);
	ck_assert_int_eq(take(l, "2001:db8:1:2::1", &h[2]), LIMITS_OK);
	ck_assert_int_eq(take(l, "2001:db8:1:3::1", &h[3]), LIMITS_NETWORK);
	ck_assert_int_eq(take(l, "2001:db8:2:3::1", &h[3]), LIMITS_OK);
	limits_free(l);
}
END_TEST

START_TEST(ipv4_networks_are_24)
{
	struct limits *l = limits_new(100, 5, 2);
	struct limit_hold h[4];

	ck_assert_int_eq(take(l, "192.0.2.1", &h[0]), LIMITS_OK);
	ck_assert_int_eq(take(l, "192.0.2.2", &h[1]), LIMITS_OK);
	ck_assert_int_eq(take(l, "192.0.2.3", &h[2]), LIMITS_NETWORK);
	ck_assert_int_eq(take(l, "192.0.3.3", &h[2]), LIMITS_OK);
	limits_free(l);
}
END_TEST

START_TEST(the_victim_is_the_oldest_of_the_busiest)
{
	struct limits *l = limits_new(100, 50, 50);
	struct limit_hold h[6];

	ck_assert_ptr_null(limits_victim(l));
	take(l, "192.0.2.1", &h[0]); /* the oldest of all, alone */
	take(l, "198.51.100.1", &h[1]);
	take(l, "198.51.100.2", &h[2]);
	take(l, "198.51.100.3", &h[3]);
	take(l, "203.0.113.1", &h[4]);
	ck_assert_ptr_eq(limits_victim(l), &h[1]);
	limits_release(l, &h[1]);
	ck_assert_ptr_eq(limits_victim(l), &h[2]);
	limits_release(l, &h[3]);
	take(l, "203.0.113.1", &h[5]);
	ck_assert_ptr_eq(limits_victim(l), &h[4]);
	for (int i = 0; i < 6; i++)
		limits_release(l, &h[i]);
	ck_assert_ptr_null(limits_victim(l));
	limits_free(l);
}
END_TEST

/* Many times its size in sources come and go; nothing is left behind. */
START_TEST(memory_is_bounded_and_given_back)
{
	static struct limit_hold h[1000];
	struct limits *l = limits_new(1000, 1, 1000);
	struct limit_hold extra;

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 1000; i++) {
			char text[32];

			snprintf(text, sizeof(text), "10.%d.%d.1", round * 4 + i / 256, i % 256);
			ck_assert_int_eq(take(l, text, &h[i]), LIMITS_OK);
		}
		ck_assert_int_eq(take(l, "192.0.2.1", &extra), LIMITS_FULL);
		for (int i = 999; i >= 0; i -= 2)
			limits_release(l, &h[i]);
		for (int i = 0; i < 1000; i++)
			limits_release(l, &h[i]);
		ck_assert_ptr_null(limits_victim(l));
	}
	limits_free(l);
}
END_TEST

UNIT_MAIN("limits", an_address_has_its_share, ipv6_counts_by_64_and_48, ipv4_networks_are_24,
    the_victim_is_the_oldest_of_the_busiest, memory_is_bounded_and_given_back)
