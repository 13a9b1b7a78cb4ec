#include "tests/unit/unit.h"

#include <time.h>

#include "lib/base/calendar.h"

START_TEST(days_are_those_of_the_system)
{
	for (int64_t day = -60000; day < 200000; day += 7) {
		time_t t = (time_t)(day * 86400);
		struct tm tm;

		ck_assert_ptr_nonnull(gmtime_r(&t, &tm));
		ck_assert_int_eq(calendar_days(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday), day);
		ck_assert(calendar_has(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday));
	}
	ck_assert_int_eq(calendar_days(1970, 1, 1), 0);
	ck_assert_int_eq(calendar_days(0, 1, 1), -719528);
	ck_assert_int_eq(calendar_days(9999, 12, 31), 2932896);
}
END_TEST

START_TEST(days_that_are_none)
{
	ck_assert(calendar_has(2000, 2, 29) && calendar_has(1996, 2, 29));
	ck_assert(!calendar_has(1900, 2, 29) && !calendar_has(2001, 2, 29));
	ck_assert(calendar_has(2001, 12, 31) && !calendar_has(2001, 11, 31));
	ck_assert(!calendar_has(2001, 0, 1) && !calendar_has(2001, 13, 1));
	ck_assert(!calendar_has(2001, 1, 0) && !calendar_has(2001, 1, 32));
	ck_assert(!calendar_has(-1, 1, 1) && !calendar_has(10000, 1, 1));
}
END_TEST

UNIT_MAIN("calendar", days_are_those_of_the_system, days_that_are_none)
