#include "tests/unit/unit.h"

#include "ctl/json.h"

struct text_case {
	struct str in;
	const char *out;
};

START_TEST(strings_are_escaped)
{
	/* clang-format off */
	static const struct text_case cases[] = {
		{ { "", 0 }, "\"\"" },
		{ { "plain", 5 }, "\"plain\"" },
		{ { "a\"b\\c/", 6 }, "\"a\\\"b\\\\c/\"" },
		{ { "\x00\x1f\n\x7f", 4 }, "\"\\u0000\\u001f\\u000a\\u007f\"" },
		{ { "Gr\xc3\xbc\xc3\x9f" "e", 7 }, "\"Gr\xc3\xbc\xc3\x9f" "e\"" },
		{ { "\xff\xc3", 2 }, "\"\\ufffd\\ufffd\"" },
		{ { "\xed\xa0\x80", 3 }, "\"\\ufffd\\ufffd\\ufffd\"" },
		{ { "\xf0\x9f\x90\xa6", 4 }, "\"\xf0\x9f\x90\xa6\"" },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = BUF_INIT;

		json_string(&out, cases[i].in);
		ck_assert_str_eq(out.data, cases[i].out);
		buf_clear(&out);
	}
}
END_TEST

START_TEST(only_numbers_are_printed_as_numbers)
{
	static const struct text_case cases[] = {
		{ { "0", 1 }, "0" },
		{ { "007", 3 }, "7" },
		{ { "18446744073709551615", 20 }, "18446744073709551615" },
		{ { "18446744073709551616", 20 }, "\"18446744073709551616\"" },
		{ { "", 0 }, "\"\"" },
		{ { "1e5", 3 }, "\"1e5\"" },
		{ { "-1", 2 }, "\"-1\"" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = BUF_INIT;

		json_number(&out, cases[i].in);
		ck_assert_str_eq(out.data, cases[i].out);
		buf_clear(&out);
	}
}
END_TEST

START_TEST(keys_are_joined_by_commas)
{
	struct buf out = BUF_INIT;

	json_key(&out, "a\"", true);
	json_key(&out, "b", false);
	ck_assert_str_eq(out.data, "\"a\\\"\":,\"b\":");
	buf_clear(&out);
}
END_TEST

UNIT_MAIN(
    "json", strings_are_escaped, only_numbers_are_printed_as_numbers, keys_are_joined_by_commas)
