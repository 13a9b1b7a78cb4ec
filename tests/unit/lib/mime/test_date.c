#include "tests/unit/unit.h"

#include "lib/mime/date.h"

START_TEST(dates)
{
	/* clang-format off */
	static const struct { const char *value; bool good; int64_t seconds; int zone, day; } cases[] = {
		{ "Thu, 01 Jan 1970 00:00:00 +0000", true, 0, 0, 0 },
		{ "1 Jan 1970 01:30 +0130", true, 0, 90, 0 },
		{ "Wed, 31 Dec 1969 23:59:59 -0001", true, 59, -1, -1 },
		{ "Mon, 7 Feb 1994 21:52:25 -0800 (PST)", true, 760686745, -480, 8803 },
		{ " (c (d)) Mon (e) , 7\r\n Feb 94 21:52:25 PST", true, 760686745, -480, 8803 },
		{ "7-Feb-1994 21:52:25 Z", true, 760657945, 0, 8803 },
		{ "29 Feb 2000 00:00:60 GMT", true, 951782460, 0, 11016 },
		{ "1 January 100", true, 946684800, 0, 10957 },
		{ "1 Jan 49", true, 2493072000, 0, 28855 },
		{ "29 Feb 1900", false, 0, 0, 0 },
		{ "31 Apr 2000", false, 0, 0, 0 },
		{ "0 Jan 2000", false, 0, 0, 0 },
		{ "1 Jan 20000", false, 0, 0, 0 },
		{ "1 Foo 2000", false, 0, 0, 0 },
		{ "1 Jan 2000 10", false, 0, 0, 0 },
		{ "1 Jan 2000 10:99", false, 0, 0, 0 },
		{ "tomorrow", false, 0, 0, 0 },
		{ "((((((", false, 0, 0, 0 },
		{ "", false, 0, 0, 0 },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mime_date d;

		ck_assert_msg(mime_date_parse(str_from(cases[i].value), &d) == cases[i].good, "%s",
		    cases[i].value);
		if (!cases[i].good)
			continue;
		ck_assert_msg(d.seconds == cases[i].seconds && d.zone_minutes == cases[i].zone &&
				  d.day == cases[i].day,
		    "%s: %lld %d %d", cases[i].value, (long long)d.seconds, d.zone_minutes, d.day);
	}
}
END_TEST

UNIT_MAIN("date", dates)
