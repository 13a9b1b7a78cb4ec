#include "lib/mime/date.h"

#include "lib/base/calendar.h"
#include "lib/mime/token.h"

static bool
number(struct token_reader *t, size_t max_digits, int *value, size_t *digits)
{
	*value = 0;
	*digits = 0;
	token_skip(t, NULL);
	while (t->p < t->end && *t->p >= '0' && *t->p <= '9') {
		if (++*digits > max_digits)
			return false;
		*value = *value * 10 + (*t->p++ - '0');
	}
	return *digits > 0;
}

static bool
number_in(struct token_reader *t, size_t max_digits, int min, int max, int *value)
{
	size_t digits;

	return number(t, max_digits, value, &digits) && *value >= min && *value <= max;
}

static bool
sign(struct token_reader *t, char c)
{
	token_skip(t, NULL);
	if (t->p == t->end || *t->p != c)
		return false;
	t->p++;
	return true;
}

/* Letters; n 0 if none stand there. */
static struct str
word(struct token_reader *t)
{
	const char *from;

	token_skip(t, NULL);
	from = t->p;
	while (t->p < t->end && ((*t->p | 0x20) >= 'a' && (*t->p | 0x20) <= 'z'))
		t->p++;
	return str_of(from, (size_t)(t->p - from));
}

/* 1 to 12; longer names that begin so are taken, too. */
static int
month_of(struct str name)
{
	static const char *const months[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul",
		"aug", "sep", "oct", "nov", "dec" };

	for (int i = 0; name.n >= 3 && i < 12; i++) {
		if (str_iis(str_of(name.p, 3), months[i]))
			return i + 1;
	}
	return 0;
}

/* Zones of RFC 5322 section 4.3; any other word says nothing: UTC. */
static int
zone_of(struct str name)
{
	/* clang-format off */
	static const struct { const char *name; int minutes; } zones[] = {
		{ "EST", -300 }, { "EDT", -240 }, { "CST", -360 }, { "CDT", -300 },
		{ "MST", -420 }, { "MDT", -360 }, { "PST", -480 }, { "PDT", -420 },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		if (str_iis(name, zones[i].name))
			return zones[i].minutes;
	}
	return 0;
}

static int
zone_take(struct token_reader *t)
{
	int hhmm, direction = 0;

	if (sign(t, '+'))
		direction = 1;
	else if (sign(t, '-'))
		direction = -1;
	if (direction == 0)
		return zone_of(word(t));
	if (!number_in(t, 4, 0, 9959, &hhmm) || hhmm % 100 > 59)
		return 0;
	return direction * (hhmm / 100 * 60 + hhmm % 100);
}

/* RFC 5322 section 4.3: two digits are 2000 to 2049 or 1950 to 1999, three count from 1900. */
static bool
year_take(struct token_reader *t, int *year)
{
	size_t digits;

	if (!number(t, 4, year, &digits) || digits < 2)
		return false;
	if (digits == 2)
		*year += *year < 50 ? 2000 : 1900;
	else if (digits == 3)
		*year += 1900;
	return true;
}

bool
mime_date_parse(struct str value, struct mime_date *out)
{
	struct token_reader t = { 0 };
	int day, month, year, hour = 0, minute = 0, second = 0;

	if (value.n == 0)
		return false;
	t.p = value.p;
	t.end = value.p + value.n;
	(void)word(&t); /* the day of the week says nothing new */
	(void)sign(&t, ',');
	if (!number_in(&t, 2, 1, 31, &day))
		return false;
	(void)sign(&t, '-');
	month = month_of(word(&t));
	(void)sign(&t, '-');
	if (month == 0 || !year_take(&t, &year) || !calendar_has(year, month, day))
		return false;
	if (number_in(&t, 2, 0, 23, &hour)) {
		if (!sign(&t, ':') || !number_in(&t, 2, 0, 59, &minute))
			return false;
		if (sign(&t, ':') && !number_in(&t, 2, 0, 60, &second))
			return false;
	}
	out->day = calendar_days(year, month, day);
	out->zone_minutes = zone_take(&t);
	out->seconds = (int64_t)out->day * 86400 + hour * 3600 + minute * 60 + second -
	               (int64_t)out->zone_minutes * 60;
	return true;
}
