#include "lib/wire/mutf7.h"

#include "lib/base/utf8.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int
value_of(char c)
{
	for (int i = 0; i < 64; i++) {
		if (letters[i] == c)
			return i;
	}
	return -1;
}

static bool
is_direct(char c)
{
	return c >= 0x20 && c <= 0x7e;
}

static void
utf8_add(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_addc(out, (char)c);
	} else if (c < 0x800) {
		buf_addc(out, (char)(0xc0 | c >> 6));
		buf_addc(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_addc(out, (char)(0xe0 | c >> 12));
		buf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_addc(out, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_addc(out, (char)(0xf0 | c >> 18));
		buf_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_addc(out, (char)(0x80 | (c & 0x3f)));
	}
}

/* UTF-16 units one by one into UTF-8. */
struct units {
	struct buf *out;
	uint32_t high; /* first half of a surrogate pair, 0 if none */
};

static bool
unit_add(struct units *u, uint32_t unit)
{
	if (u->high != 0) {
		if (unit < 0xdc00 || unit > 0xdfff)
			return false;
		utf8_add(u->out, 0x10000 + ((u->high - 0xd800) << 10) + (unit - 0xdc00));
		u->high = 0;
		return true;
	}
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return false;
	if (unit >= 0xd800 && unit <= 0xdbff) {
		u->high = unit;
		return true;
	}
	/* What can stand for itself must: one name has one form. */
	if (unit == 0 || (unit < 0x80 && is_direct((char)unit)))
		return false;
	utf8_add(u->out, unit);
	return true;
}

/* The part between `&` and `-`; false if it is not the one canonical form. */
static bool
shifted_decode(struct str part, struct buf *out)
{
	struct units u = { .out = out };
	uint32_t bits = 0;
	unsigned nbits = 0;

	for (size_t i = 0; i < part.n; i++) {
		int v = value_of(part.p[i]);

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		nbits += 6;
		if (nbits < 16)
			continue;
		nbits -= 16;
		if (!unit_add(&u, bits >> nbits & 0xffff))
			return false;
		bits &= (1u << nbits) - 1;
	}
	return u.high == 0 && nbits < 6 && bits == 0;
}

enum rk_status
mutf7_decode(struct str name, struct buf *utf8_out, struct rk_err *err)
{
	bool after_shift = false;

	for (size_t i = 0; i < name.n; i++) {
		size_t end = i + 1;

		if (!is_direct(name.p[i]))
			return rk_fail_plain(err, RK_INVALID, "no modified UTF-7: byte %zu", i);
		if (name.p[i] != '&') {
			buf_addc(utf8_out, name.p[i]);
			after_shift = false;
			continue;
		}
		while (end < name.n && name.p[end] != '-')
			end++;
		if (end == name.n)
			return rk_fail_plain(err, RK_INVALID, "modified UTF-7 without its end");
		if (end == i + 1) {
			buf_addc(utf8_out, '&');
			after_shift = false;
		} else if (after_shift ||
			   !shifted_decode(str_of(name.p + i + 1, end - i - 1), utf8_out)) {
			/* Two shifts in a row could have been one. */
			return rk_fail_plain(
			    err, RK_INVALID, "modified UTF-7 that is not canonical");
		} else {
			after_shift = true;
		}
		i = end;
	}
	return RK_OK;
}

static uint32_t
code_point(const unsigned char *p, size_t n)
{
	static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c = p[0] & first[n];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

/* Open shifted part: units waiting to become letters. */
struct shift {
	struct buf *out;
	bool open;
	uint32_t bits;
	unsigned nbits;
};

static void
shift_unit(struct shift *s, uint32_t unit)
{
	if (!s->open) {
		buf_addc(s->out, '&');
		s->open = true;
	}
	s->bits = s->bits << 16 | unit;
	s->nbits += 16;
	while (s->nbits >= 6) {
		s->nbits -= 6;
		buf_addc(s->out, letters[s->bits >> s->nbits & 63]);
	}
	s->bits &= (1u << s->nbits) - 1;
}

static void
shift_close(struct shift *s)
{
	if (!s->open)
		return;
	if (s->nbits > 0)
		buf_addc(s->out, letters[s->bits << (6 - s->nbits) & 63]);
	buf_addc(s->out, '-');
	s->open = false;
	s->bits = 0;
	s->nbits = 0;
}

enum rk_status
mutf7_encode(struct str utf8, struct buf *name_out, struct rk_err *err)
{
	struct shift s = { .out = name_out };

	for (size_t i = 0; i < utf8.n;) {
		const unsigned char *p = (const unsigned char *)utf8.p + i;
		size_t n = utf8_sequence(p, utf8.n - i);
		uint32_t c;

		if (n == 0)
			return rk_fail_plain(err, RK_INVALID, "no UTF-8 at byte %zu", i);
		i += n;
		c = code_point(p, n);
		if (n == 1 && is_direct((char)c)) {
			shift_close(&s);
			buf_add(name_out, c == '&' ? "&-" : (const char *)p, c == '&' ? 2 : 1);
		} else if (c >= 0x10000) {
			shift_unit(&s, 0xd800 + ((c - 0x10000) >> 10));
			shift_unit(&s, 0xdc00 + ((c - 0x10000) & 0x3ff));
		} else {
			shift_unit(&s, c);
		}
	}
	shift_close(&s);
	return RK_OK;
}
