#include "lib/base/utf8.h"

static bool
is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* The second byte's range keeps out over-long forms, surrogates and what is beyond U+10FFFF. */
static bool
second_fits(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0 && second <= 0xbf;
	case 0xed:
		return second >= 0x80 && second <= 0x9f;
	case 0xf0:
		return second >= 0x90 && second <= 0xbf;
	case 0xf4:
		return second >= 0x80 && second <= 0x8f;
	default:
		return is_tail(second);
	}
}

size_t
utf8_sequence(const unsigned char *p, size_t n)
{
	size_t len;

	if (n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n < len || !second_fits(p[0], p[1]))
		return 0;
	for (size_t i = 2; i < len; i++) {
		if (!is_tail(p[i]))
			return 0;
	}
	return len;
}

bool
utf8_valid(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	while (n > 0) {
		size_t seq = utf8_sequence(p, n);

		if (seq == 0)
			return false;
		p += seq;
		n -= seq;
	}
	return true;
}
