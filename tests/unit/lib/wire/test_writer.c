#include "tests/unit/unit.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/wire/lexer.h"
#include "lib/wire/mutf7.h"
#include "lib/wire/writer.h"

#define CHECK_OUT(want, call)                                                                      \
	do {                                                                                       \
		struct buf out = BUF_INIT;                                                         \
		buf_adds(&out, "");                                                                \
		call;                                                                              \
		ck_assert_str_eq(out.data, want);                                                  \
		buf_clear(&out);                                                                   \
	} while (0)

START_TEST(the_form_follows_the_content)
{
	CHECK_OUT("abc", write_astring(&out, STR_LIT("abc"), false));
	CHECK_OUT("a]b", write_astring(&out, STR_LIT("a]b"), false));
	CHECK_OUT("\"\"", write_astring(&out, STR_LIT(""), false));
	CHECK_OUT("\"NIL\"", write_astring(&out, STR_LIT("NIL"), false));
	CHECK_OUT("\"nil\"", write_astring(&out, STR_LIT("nil"), false));
	CHECK_OUT("\"a b\"", write_astring(&out, STR_LIT("a b"), false));
	CHECK_OUT("\"abc\"", write_string(&out, STR_LIT("abc"), false));
	CHECK_OUT("\"a\\\"\\\\\"", write_string(&out, STR_LIT("a\"\\"), false));
	CHECK_OUT("{3}\r\na\r\n", write_string(&out, STR_LIT("a\r\n"), false));
	CHECK_OUT("{2}\r\n\xc3\xa9", write_string(&out, STR_LIT("\xc3\xa9"), false));
	CHECK_OUT("\"\xc3\xa9\"", write_string(&out, STR_LIT("\xc3\xa9"), true));
	CHECK_OUT("{1}\r\n\xe9", write_string(&out, STR_LIT("\xe9"), true));
	CHECK_OUT("\"{9}\"", write_string(&out, STR_LIT("{9}"), false));
	CHECK_OUT("NIL", write_nstring(&out, STR_LIT("x"), true, false));
	CHECK_OUT("\"\"", write_nstring(&out, STR_LIT(""), false, false));
}
END_TEST

START_TEST(long_strings_become_literals)
{
	char text[1026];
	struct buf out = BUF_INIT;

	memset(text, 'x', sizeof(text));
	write_string(&out, str_of(text, 1024), false);
	ck_assert_int_eq(out.data[0], '"');
	buf_empty(&out);
	write_string(&out, str_of(text, 1025), false);
	ck_assert_int_eq(strncmp(out.data, "{1025}\r\n", 8), 0);
	buf_empty(&out);
	write_string(&out, STR_LIT("a\0x"), false);
	ck_assert_uint_eq(out.len, 8);
	ck_assert_int_eq(memcmp(out.data, "{3}\r\na\x80x", 8), 0);
	buf_clear(&out);
}
END_TEST

/* V29: whatever is written is read back as the same string and nothing more. */
START_TEST(every_string_is_lexed_back)
{
	struct rk_arena *mem = arena_new();
	unsigned seed = 1;

	for (int round = 0; round < 20000; round++) {
		static const char pieces[] = "ab\"\\\r\n{}()%* ~+]\x7f\xc3\xa9\xe9N\x01";
		char text[12];
		struct buf out = BUF_INIT;
		struct lexer l;
		struct str back;
		size_t n;

		seed = seed * 1103515245u + 12345u;
		n = seed >> 16 & 7;
		for (size_t i = 0; i < n; i++) {
			seed = seed * 1103515245u + 12345u;
			text[i] = pieces[(seed >> 16) % (sizeof(pieces) - 1)];
		}
		if (round % 2 == 0)
			write_string(&out, str_of(text, n), round % 4 == 0);
		else
			write_astring(&out, str_of(text, n), round % 4 == 1);
		lexer_init(&l, str_of(out.data, out.len), mem);
		ck_assert(lex_astring(&l, &back));
		ck_assert(str_eq(back, str_of(text, n)));
		ck_assert_ptr_eq(l.p, l.end);
		buf_clear(&out);
		arena_reset(mem);
	}
	arena_free(mem);
}
END_TEST

START_TEST(mailboxes_in_both_protocols)
{
	CHECK_OUT("INBOX", write_mailbox(&out, STR_LIT("INBOX"), false));
	CHECK_OUT("Entw&APw-rfe", write_mailbox(&out, STR_LIT("Entw\xc3\xbcrfe"), false));
	CHECK_OUT("\"Entw\xc3\xbcrfe\"", write_mailbox(&out, STR_LIT("Entw\xc3\xbcrfe"), true));
	CHECK_OUT("R&-D", write_mailbox(&out, STR_LIT("R&D"), false));
	CHECK_OUT("R&D", write_mailbox(&out, STR_LIT("R&D"), true));
	CHECK_OUT("{2}\r\na\xff", write_mailbox(&out, STR_LIT("a\xff"), false));
	CHECK_OUT("\"NIL\"", write_mailbox(&out, STR_LIT("NIL"), false));
}
END_TEST

START_TEST(sets_dates_and_text)
{
	struct uidset set = UIDSET_INIT;

	uidset_add(&set, 1, 3);
	uidset_add(&set, 7, 7);
	CHECK_OUT("1:3,7", write_uidset(&out, &set));
	uidset_clear(&set);
	CHECK_OUT("\" 1-Jan-1970 00:00:00 +0000\"", write_date_time(&out, 0));
	CHECK_OUT("\"17-Jul-1996 09:44:25 +0000\"", write_date_time(&out, 837596665));
	CHECK_OUT("\"31-Dec-1969 23:59:59 +0000\"", write_date_time(&out, -1));
	CHECK_OUT("\"31-Dec-9999 23:59:59 +0000\"", write_date_time(&out, INT64_MAX));
	CHECK_OUT("\" 1-Jan-1970 00:00:00 +0000\"", write_date_time(&out, INT64_MIN));
	CHECK_OUT("a??b?", write_text(&out, STR_LIT("a\r\nb\xe9")));
}
END_TEST

START_TEST(text_is_cut)
{
	char text[600];
	struct buf out = BUF_INIT;

	memset(text, 'x', sizeof(text));
	write_text(&out, str_of(text, sizeof(text)));
	ck_assert_uint_eq(out.len, 512);
	buf_clear(&out);
}
END_TEST

UNIT_MAIN("writer", the_form_follows_the_content, long_strings_become_literals,
    every_string_is_lexed_back, mailboxes_in_both_protocols, sets_dates_and_text, text_is_cut)
