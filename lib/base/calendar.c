#include "lib/base/calendar.h"

/* Years begin in March here: then the day that comes and goes is the last one of a year. */
int32_t
calendar_days(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int from_march = (month + 9) % 12;
	int era = (y >= 0 ? y : y - 399) / 400;
	int of_era = y - era * 400;
	int of_year = (153 * from_march + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool
is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

bool
calendar_has(int year, int month, int day)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (month < 1 || month > 12 || day < 1 || year < 0 || year > 9999)
		return false;
	return day <= days[month - 1] + (month == 2 && is_leap(year));
}
