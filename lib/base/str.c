#include "lib/base/str.h"

#include <string.h>

#include "lib/base/arena.h"

struct str
str_from(const char *text)
{
	return (struct str){ text == NULL ? "" : text, text == NULL ? 0 : strlen(text) };
}

struct str
str_of(const void *bytes, size_t n)
{
	return (struct str){ bytes, n };
}

bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool
str_ieq(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	}
	return true;
}

bool
str_is(struct str a, const char *text)
{
	return str_eq(a, str_from(text));
}

bool
str_iis(struct str a, const char *text)
{
	return str_ieq(a, str_from(text));
}

bool
str_starts(struct str s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

bool
str_eq_secret(struct str a, struct str b)
{
	volatile unsigned char diff = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		diff = (unsigned char)(diff | (a.p[i] ^ b.p[i]));
	return diff == 0;
}

char *
str_dup(struct rk_arena *arena, struct str s)
{
	return rk_arena_dup(arena, s.p, s.n);
}

bool
str_split(struct str *rest, char sep, struct str *part)
{
	const char *end;

	if (rest->n == 0)
		return false;
	end = memchr(rest->p, sep, rest->n);
	if (end == NULL) {
		*part = *rest;
		*rest = str_of(rest->p + rest->n, 0);
		return true;
	}
	*part = str_of(rest->p, (size_t)(end - rest->p));
	*rest = str_of(end + 1, rest->n - part->n - 1);
	return true;
}

bool
str_u64(struct str s, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';

		if (digit > 9 || __builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	if (value > max)
		return false;
	*out = value;
	return true;
}

bool
str_u32(struct str s, uint32_t *out)
{
	uint64_t value;

	if (!str_u64(s, UINT32_MAX, &value))
		return false;
	*out = (uint32_t)value;
	return true;
}
