#include "tests/unit/unit.h"

#include <string.h>

#include "lib/wire/base64.h"

START_TEST(the_vectors_of_the_rfc)
{
	/* RFC 4648 section 10 */
	static const struct {
		const char *bytes, *text;
	} cases[] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfd\xbf", "//79vw==" } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = BUF_INIT;

		buf_adds(&out, "");
		base64_encode(str_from(cases[i].bytes), &out);
		ck_assert_str_eq(out.data, cases[i].text);
		buf_empty(&out);
		buf_adds(&out, "");
		ck_assert_int_eq(base64_decode(str_from(cases[i].text), &out, NULL), RK_OK);
		ck_assert(str_eq(str_of(out.data, out.len), str_from(cases[i].bytes)));
		buf_clear(&out);
	}
}
END_TEST

START_TEST(anything_but_the_one_form_is_refused)
{
	static const char *const bad[] = { "=", "Zg", "Zg=", "Zg===", "=AAA", "AAA=BBBB",
		"Zh==", "Zm9=", "Zm9v\r\n", "Zm 9", "Zm9-", "Zm9_", "Z===", "====", "Zg==Zg==" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf out = BUF_INIT;

		ck_assert_msg(
		    base64_decode(str_from(bad[i]), &out, NULL) == RK_INVALID, "%s", bad[i]);
		buf_clear(&out);
	}
}
END_TEST

START_TEST(all_bytes_survive)
{
	unsigned char bytes[256];
	struct buf text = BUF_INIT, back = BUF_INIT;

	for (int i = 0; i < 256; i++)
		bytes[i] = (unsigned char)i;
	for (size_t n = 0; n <= 256; n++) {
		buf_empty(&text);
		buf_empty(&back);
		base64_encode(str_of(bytes, n), &text);
		ck_assert_int_eq(base64_decode(str_of(text.data, text.len), &back, NULL), RK_OK);
		ck_assert(str_eq(str_of(back.data, back.len), str_of(bytes, n)));
	}
	buf_clear(&text);
	buf_clear(&back);
}
END_TEST

UNIT_MAIN("base64", the_vectors_of_the_rfc, anything_but_the_one_form_is_refused, all_bytes_survive)
