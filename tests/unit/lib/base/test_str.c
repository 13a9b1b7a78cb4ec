#include "tests/unit/unit.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/checked.h"
#include "lib/base/str.h"
#include "lib/base/utf8.h"

START_TEST(numbers_are_digits_within_a_bound)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t value;
	} cases[] = {
		{ "0", true, 0 },
		{ "4294967295", true, 4294967295u },
		{ "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 },
		{ "99999999999999999999999", false, 0 },
		{ "", false, 0 },
		{ "-1", false, 0 },
		{ "+1", false, 0 },
		{ " 1", false, 0 },
		{ "1x", false, 0 },
	};
	uint32_t small;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t value = 7;

		ck_assert_int_eq(str_u64(str_from(cases[i].text), UINT64_MAX, &value), cases[i].ok);
		ck_assert_uint_eq(value, cases[i].ok ? cases[i].value : 7);
	}
	ck_assert(str_u32(str_from("4294967295"), &small));
	ck_assert(!str_u32(str_from("4294967296"), &small));
}
END_TEST

START_TEST(splitting_walks_all_parts)
{
	struct str rest = str_from("a::bc"), part;

	ck_assert(str_split(&rest, ':', &part) && str_is(part, "a"));
	ck_assert(str_split(&rest, ':', &part) && str_is(part, ""));
	ck_assert(str_split(&rest, ':', &part) && str_is(part, "bc"));
	ck_assert(!str_split(&rest, ':', &part));
}
END_TEST

START_TEST(comparing)
{
	ck_assert(str_iis(STR_LIT("InBoX"), "INBOX"));
	ck_assert(!str_is(STR_LIT("InBoX"), "INBOX"));
	ck_assert(!str_eq(STR_LIT("a\0b"), STR_LIT("a\0c")));
	ck_assert(str_eq_secret(STR_LIT("abc"), STR_LIT("abc")));
	ck_assert(!str_eq_secret(STR_LIT("abc"), STR_LIT("abd")));
	ck_assert(!str_eq_secret(STR_LIT("abc"), STR_LIT("ab")));
	ck_assert(str_starts(STR_LIT("abc"), "ab") && !str_starts(STR_LIT("a"), "ab"));
}
END_TEST

START_TEST(utf8_is_strict)
{
	static const char *const good[] = { "", "abc", "\xc3\xa4", "\xe2\x82\xac",
		"\xf0\x9f\x90\xa6", "\xf4\x8f\xbf\xbf" };
	static const char *const bad[] = { "\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf",
		"\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3",
		"\xe2\x82", "a\xff" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert(utf8_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!utf8_valid(bad[i], strlen(bad[i])), "%zu", i);
}
END_TEST

START_TEST(a_buffer_grows_drops_and_formats)
{
	struct buf b = BUF_INIT;

	for (int i = 0; i < 1000; i++)
		buf_addf(&b, "%d,", i);
	ck_assert_uint_eq(b.len, 3890);
	ck_assert_uint_eq(b.data[b.len], '\0');
	buf_drop(&b, 3886);
	ck_assert_str_eq(b.data, "999,");
	buf_adds(&b, "x");
	buf_addc(&b, '\0');
	ck_assert_uint_eq(b.len, 6);
	buf_empty(&b);
	ck_assert_uint_eq(b.len, 0);
	buf_wipe(&b);
	ck_assert_ptr_eq(b.data, NULL);
}
END_TEST

START_TEST(sizes_from_outside_are_checked)
{
	size_t out = 5;
	uint64_t wide = 5;

	ck_assert(!size_add(SIZE_MAX, 1, &out) && !size_mul(SIZE_MAX / 2, 3, &out) && out == 5);
	ck_assert(!u64_add(UINT64_MAX, 1, &wide) && wide == 5);
	ck_assert(size_add(2, 3, &out) && out == 5 && size_mul(2, 3, &out) && out == 6);
	ck_assert(u64_add(1, 2, &wide) && wide == 3);
}
END_TEST

UNIT_MAIN("str", numbers_are_digits_within_a_bound, splitting_walks_all_parts, comparing,
    utf8_is_strict, a_buffer_grows_drops_and_formats, sizes_from_outside_are_checked)
