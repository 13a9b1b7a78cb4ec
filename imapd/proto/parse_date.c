/* date and date-time (RFC 9051 section 9). */
#include "imapd/proto/parse_impl.h"

#include "lib/base/calendar.h"

/* Exactly n digits */
static bool
digits(struct lexer *l, size_t n, int *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		char c = lex_peek(l);

		if (c < '0' || c > '9')
			return false;
		*out = *out * 10 + (c - '0');
		l->p++;
	}
	return true;
}

static bool
month_lex(struct lexer *l, int *out)
{
	static const char *const names[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
		"Sep", "Oct", "Nov", "Dec" };

	for (int i = 0; i < 12; i++) {
		if (lex_prefix(l, names[i])) {
			*out = i + 1;
			return true;
		}
	}
	return false;
}

/* Behind the day: "-" date-month "-" date-year */
static bool
month_year(struct lexer *l, int day, int32_t *days_out)
{
	int month, year;

	if (!lex_char(l, '-') || !month_lex(l, &month) || !lex_char(l, '-') ||
	    !digits(l, 4, &year) || !calendar_has(year, month, day))
		return false;
	*days_out = calendar_days(year, month, day);
	return true;
}

/* date = date-text / DQUOTE date-text DQUOTE; date-day is one digit or two */
bool
parse_date(struct lexer *l, int32_t *days_out)
{
	bool quoted = lex_char(l, '"');
	int day, second;

	if (!digits(l, 1, &day))
		return false;
	if (digits(l, 1, &second))
		day = day * 10 + second;
	return month_year(l, day, days_out) && (!quoted || lex_char(l, '"'));
}

/* zone = ("+" / "-") 4DIGIT; in seconds */
static bool
zone_lex(struct lexer *l, int *out)
{
	bool west = lex_char(l, '-');
	int hours, minutes;

	if ((!west && !lex_char(l, '+')) || !digits(l, 2, &hours) || !digits(l, 2, &minutes) ||
	    hours > 23 || minutes > 59)
		return false;
	*out = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
	return true;
}

/* time = 2DIGIT ":" 2DIGIT ":" 2DIGIT; 60 is a leap second */
static bool
time_lex(struct lexer *l, int *out)
{
	int hour, minute, second;

	if (!digits(l, 2, &hour) || !lex_char(l, ':') || !digits(l, 2, &minute) ||
	    !lex_char(l, ':') || !digits(l, 2, &second) || hour > 23 || minute > 59 || second > 60)
		return false;
	*out = hour * 3600 + minute * 60 + second;
	return true;
}

/* date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE */
bool
parse_date_time(struct lexer *l, int64_t *seconds_out)
{
	int day, time, zone;
	int32_t days;

	/* date-day-fixed = (SP DIGIT) / 2DIGIT */
	if (!lex_char(l, '"') || !digits(l, lex_space(l) ? 1 : 2, &day) ||
	    !month_year(l, day, &days) || !lex_space(l) || !time_lex(l, &time) || !lex_space(l) ||
	    !zone_lex(l, &zone) || !lex_char(l, '"'))
		return false;
	*seconds_out = (int64_t)days * 86400 + time - zone;
	return true;
}
