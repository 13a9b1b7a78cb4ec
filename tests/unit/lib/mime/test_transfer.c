#include "tests/unit/unit.h"

#include <string.h>

#include "lib/mime/transfer.h"

static const struct {
	enum mime_encoding encoding;
	const char *in;
	const char *want;
} rows[] = {
	{ MIME_IDENTITY, "a=41 \r\n", "a=41 \r\n" },
	{ MIME_UNKNOWN, "QQ==", "QQ==" },
	{ MIME_BASE64, "", "" },
	{ MIME_BASE64, "QQ==", "A" },
	{ MIME_BASE64, "QUI=", "AB" },
	{ MIME_BASE64, "QUJD", "ABC" },
	{ MIME_BASE64, "Q U\r\nJ*D\r\n", "ABC" },
	{ MIME_BASE64, "QQ==QUJD", "A" },
	{ MIME_BASE64, "QUJDR", "ABC" },
	{ MIME_BASE64, "+/+/", "\xfb\xff\xbf" },
	{ MIME_QP, "", "" },
	{ MIME_QP, "plain\r\ntext\n", "plain\r\ntext\n" },
	{ MIME_QP, "=41=42c=3D", "ABc=" },
	{ MIME_QP, "=e2=82=AC", "\xe2\x82\xac" },
	{ MIME_QP, "soft=\r\nbreak", "softbreak" },
	{ MIME_QP, "soft=\nbreak", "softbreak" },
	{ MIME_QP, "soft= \t\r\nbreak", "softbreak" },
	{ MIME_QP, "end  \t\r\nnext \nlast ", "end\r\nnext\nlast" },
	{ MIME_QP, "a b  c", "a b  c" },
	{ MIME_QP, "bad =ZZ =4 =4Z", "bad =ZZ =4 =4Z" },
	{ MIME_QP, "==41", "=A" },
	{ MIME_QP, "=\r=41", "=\rA" },
	{ MIME_QP, "a\rb\r\r\n", "a\rb\r\r\n" },
	{ MIME_QP, "a=", "a" },
	{ MIME_QP, "a=4", "a=4" },
	{ MIME_QP, "a\r", "a\r" },
	{ MIME_QP, "= x", "= x" },
	{ MIME_QP, "=  =41", "=  A" },
};

static void
decode(enum mime_encoding encoding, const char *in, size_t chunk, struct buf *out)
{
	size_t n = strlen(in);
	struct transfer t;

	transfer_init(&t, encoding);
	for (size_t i = 0; i < n; i += chunk)
		transfer_add(&t, in + i, n - i < chunk ? n - i : chunk, out);
	transfer_end(&t, out);
	buf_addc(out, '\0');
}

START_TEST(whole_and_in_pieces)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t chunk = 1; chunk < 12; chunk++) {
			struct buf got = BUF_INIT;

			decode(rows[i].encoding, rows[i].in, chunk, &got);
			ck_assert_msg(strcmp(got.data, rows[i].want) == 0,
			    "row %zu by %zu: '%s', want '%s'", i, chunk, got.data, rows[i].want);
			buf_clear(&got);
		}
	}
}
END_TEST

/* More blanks than are held are none at the end of a line that anybody meant. */
START_TEST(blanks_without_end)
{
	struct buf in = BUF_INIT, got = BUF_INIT;

	for (int i = 0; i < 1000; i++)
		buf_addc(&in, ' ');
	buf_addc(&in, 'x');
	decode(MIME_QP, in.data, 7, &got);
	ck_assert_str_eq(got.data, in.data);
	buf_clear(&in);
	buf_clear(&got);
}
END_TEST

UNIT_MAIN("transfer encodings", whole_and_in_pieces, blanks_without_end)
