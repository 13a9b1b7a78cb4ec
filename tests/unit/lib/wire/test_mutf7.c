#include "tests/unit/unit.h"

#include <string.h>

#include "lib/wire/mutf7.h"

START_TEST(canonical_names_go_both_ways)
{
	/* clang-format off */
	static const struct { const char *name, *utf8; } cases[] = {
		{ "", "" },
		{ "INBOX", "INBOX" },
		{ "&-", "&" },
		{ "a&-b&-", "a&b&" },
		{ "Entw&APw-rfe", "Entw\xc3\xbcrfe" },
		/* RFC 3501 section 5.1.3 */
		{ "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
		  "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" },
		{ "&2D3cCQ-", "\xf0\x9f\x90\x89" },
		{ "&U,A-&-", "\xe5\x8f\xb0&" },
		{ "&AAEAAg-", "\x01\x02" },
		{ "&AH8-", "\x7f" },
		{ "&2,,f,w-", "\xf4\x8f\xbf\xbf" },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf utf8 = BUF_INIT, name = BUF_INIT;

		buf_adds(&utf8, "");
		buf_adds(&name, "");
		ck_assert_int_eq(mutf7_decode(str_from(cases[i].name), &utf8, NULL), RK_OK);
		ck_assert_str_eq(utf8.data, cases[i].utf8);
		ck_assert_int_eq(mutf7_encode(str_from(cases[i].utf8), &name, NULL), RK_OK);
		ck_assert_str_eq(name.data, cases[i].name);
		buf_clear(&utf8);
		buf_clear(&name);
	}
}
END_TEST

START_TEST(anything_else_is_refused)
{
	static const char *const bad[] = {
		"&",
		"a&",
		"&U,BTFw",            /* no end */
		"&U,BTFw-&ZeVnLIqe-", /* superfluous shift */
		"&AGE-",              /* "a" stands for itself */
		"&AC4ALg-",           /* ".." */
		"&AAA-",              /* NUL */
		"&2D0-",              /* half a pair */
		"&3Ek-",              /* the other half alone */
		"&2D0AYQ-",           /* a half, then a letter */
		"&U,B-",              /* left-over bits are set */
		"&U,AA-",             /* a letter too many */
		"&U-",
		"&U/BTFw-", /* "/" is not in this alphabet */
		"&U,BT Fw-",
		"a\xc3\xa9", /* 8-bit */
		"a\x01",
		"a\x7f",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf utf8 = BUF_INIT;

		ck_assert_msg(
		    mutf7_decode(str_from(bad[i]), &utf8, NULL) == RK_INVALID, "%s", bad[i]);
		buf_clear(&utf8);
	}
}
END_TEST

START_TEST(only_utf8_is_encoded)
{
	static const char *const bad[] = { "\xc3", "\xe9t", "\xc0\x80", "\xed\xa0\x80",
		"\xf4\x90\x80\x80" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf name = BUF_INIT;

		ck_assert_int_eq(mutf7_encode(str_from(bad[i]), &name, NULL), RK_INVALID);
		buf_clear(&name);
	}
}
END_TEST

/* One name, one form: what decodes encodes back to the same bytes. */
START_TEST(every_accepted_name_is_canonical)
{
	static const char letters[] = "&-,+AUBTFwa.2D3C";
	unsigned seed = 7;
	int accepted = 0;

	for (int round = 0; round < 300000; round++) {
		char text[10];
		struct buf utf8 = BUF_INIT, name = BUF_INIT;
		size_t n;

		seed = seed * 1103515245u + 12345u;
		n = 1 + (seed >> 16) % 9;
		for (size_t i = 0; i < n; i++) {
			seed = seed * 1103515245u + 12345u;
			text[i] = letters[(seed >> 16) % (sizeof(letters) - 1)];
		}
		text[0] = '&';
		if (mutf7_decode(str_of(text, n), &utf8, NULL) == RK_OK) {
			ck_assert_int_eq(
			    mutf7_encode(str_of(utf8.data, utf8.len), &name, NULL), RK_OK);
			ck_assert(str_eq(str_of(name.data, name.len), str_of(text, n)));
			accepted++;
		}
		buf_clear(&utf8);
		buf_clear(&name);
	}
	ck_assert_int_gt(accepted, 100);
}
END_TEST

UNIT_MAIN("mutf7", canonical_names_go_both_ways, anything_else_is_refused, only_utf8_is_encoded,
    every_accepted_name_is_canonical)
