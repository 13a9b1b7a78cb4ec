#include "tests/unit/unit.h"

#include <string.h>

#include "imapd/proto/parse.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/mime/charset.h"
#include "storage/search/search.h"

#define HEADER                                                                                     \
	"Date: Tue, 14 Nov 2023 23:30:00 -0800\r\n"                                                \
	"From: =?iso-8859-1?q?Andr=E9?= <andre@example.com>\r\n"                                   \
	"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n a\r\n folded line\r\n"                              \
	"X-Empty:\r\n"
#define MIXED                                                                                      \
	"Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n"                            \
	"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"                                  \
	"Content-Transfer-Encoding: quoted-printable\r\n\r\nsoft=\r\nbreak caf=E9\r\n"             \
	"--b\r\nContent-Type: text/plain; charset=utf-8\r\n"                                       \
	"Content-Transfer-Encoding: base64\r\n\r\nw4ViYyBzZWNyZXQ=\r\n"                            \
	"--b\r\nContent-Type: image/png\r\n\r\npixels\r\n"                                         \
	"--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: x-odd\r\n\r\nodd bytes\r\n" \
	"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: "                                     \
	"=?utf-8?q?inn=C3=A9r?=\r\n\r\nnested\r\n"                                                 \
	"--b--\r\n"

static struct rk_arena *mem; /* reachable to the end of the process */
static const char *const keywords[] = { "one", "$Two" };
static const struct index_info info = { .keywords = keywords, .nkeywords = 2 };

static const struct index_record record = {
	.uid = 7,
	.flags = RK_FLAG_SEEN | RK_FLAG_FLAGGED,
	.keywords = { { 2 } },
	.internal_date = 1700000000, /* 2023-11-14 22:13:20 */
	.size = 100,
};

/* UIDs 5, 6, 7 and 20; `$` and nothing recent. */
static struct search *
program(const char *text)
{
	static struct view view;
	static struct uidset saved, none;
	struct view_diff arrived = { 0 };
	struct search_scope scope = {
		.view = &view, .recent = &none, .saved = &saved, .now = 1700000000 + 100
	};
	struct command c;
	struct buf line = BUF_INIT;
	struct lexer l;

	if (saved.n == 0) {
		charset_preload();
		uidset_add(&saved, 7, 7);
		uidset_add(&arrived.arrived, 5, 7);
		uidset_add(&arrived.arrived, 20, 20);
		view_advance(&view, &arrived, false);
		view_diff_clear(&arrived);
	}
	arena_free(mem);
	mem = arena_new();
	buf_addf(&line, "t SEARCH %s\r\n", text);
	lexer_init(&l, str_of(rk_arena_dup(mem, line.data, line.len), line.len), mem);
	buf_clear(&line);
	ck_assert_int_eq(parse_command(&l, &c), PARSE_DONE);
	ck_assert_msg(parse_search(&l, &c) == PARSE_DONE, "%s", text);
	scope.charset = charset_find(STR_LIT("UTF-8"));
	return search_new(c.u.search.key, &scope, mem);
}

/* Record only: the message is never opened. */
START_TEST(records)
{
	/* clang-format off */
	static const struct { const char *program; bool yes; } cases[] = {
		{ "ALL", true }, { "SEEN", true }, { "UNSEEN", false }, { "FLAGGED", true },
		{ "ANSWERED", false }, { "UNANSWERED", true }, { "DELETED", false }, { "DRAFT", false },
		{ "UNFLAGGED", false }, { "UNDRAFT", true }, { "UNDELETED", true },
		{ "KEYWORD $two", true }, { "KEYWORD one", false }, { "KEYWORD none", false },
		{ "UNKEYWORD $Two", false }, { "UNKEYWORD none", true },
		{ "RECENT", false }, { "OLD", true }, { "NEW", false },
		{ "3", true }, { "4:9", false }, { "*:3", true }, { "9", false }, { "99", false },
		{ "UID 7", true }, { "UID 8:*", false }, { "UID *:7", true }, { "$", true }, { "UID $", true },
		{ "ON 14-Nov-2023", true }, { "ON 15-Nov-2023", false }, { "BEFORE 14-Nov-2023", false },
		{ "BEFORE 15-Nov-2023", true }, { "SINCE 14-Nov-2023", true }, { "SINCE 15-Nov-2023", false },
		{ "LARGER 99", true }, { "LARGER 100", false }, { "SMALLER 101", true }, { "SMALLER 100", false },
		{ "OLDER 100", true }, { "OLDER 101", false }, { "YOUNGER 100", true }, { "YOUNGER 99", false },
		{ "NOT SEEN", false }, { "OR SEEN BODY x", true }, { "OR BODY x SEEN", true },
		{ "UNSEEN BODY x", false }, { "BODY x UNSEEN", false }, { "NOT (UNSEEN TEXT y)", true },
		{ "OR (SEEN UNSEEN) (FLAGGED SEEN)", true }, { "NOT NOT NOT SEEN", false },
		{ "NOT OR UNSEEN (DRAFT SUBJECT x)", true },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum search_answer got = search_record(program(cases[i].program), &record, &info);

		ck_assert_msg(got == (cases[i].yes ? SEARCH_ANSWER_YES : SEARCH_ANSWER_NO), "%s",
		    cases[i].program);
	}
	ck_assert(search_needs_size(program("OR SEEN NOT LARGER 3")));
	ck_assert(!search_needs_size(program("SEEN")));
}
END_TEST

/* What each step says, the next one asked only while the answer is open. */
static bool
matches(const char *keys, const char *message)
{
	struct search *s = program(keys);
	struct str bytes = str_from(message);
	struct stream *stream = stream_from_mem(bytes.p, bytes.n);
	enum search_answer got = search_record(s, &record, &info);
	struct mime_part *parts;

	ck_assert_int_eq(mime_parse(stream, mem, &parts, NULL), RK_OK);
	stream_free(stream);
	if (got == SEARCH_ANSWER_OPEN)
		got = search_header(s, str_of(bytes.p, (size_t)parts->header_size));
	if (got == SEARCH_ANSWER_OPEN) {
		stream = stream_from_mem(bytes.p, bytes.n);
		ck_assert_int_eq(search_body(s, parts, stream, &got, NULL), RK_OK);
		stream_free(stream);
	}
	ck_assert_int_ne(got, SEARCH_ANSWER_OPEN);
	return got == SEARCH_ANSWER_YES;
}

START_TEST(texts)
{
	/* clang-format off */
	static const struct { const char *program; bool yes; } cases[] = {
		{ "FROM \"andr\xc3\x89\"", true }, { "FROM EXAMPLE.com", true }, { "TO example", false },
		{ "FROM iso-8859", false }, { "SUBJECT \"gr\xc3\xbcsse a folded\"", true },
		{ "SUBJECT folded NOT SUBJECT unfolded", true }, { "HEADER x-empty \"\"", true },
		{ "HEADER x-none \"\"", false }, { "HEADER Subject \"\"", true }, { "HEADER x-empty a", false },
		{ "SENTON 14-Nov-2023", true }, { "SENTBEFORE 15-Nov-2023", true },
		{ "SENTBEFORE 14-Nov-2023", false }, { "SENTSINCE 15-Nov-2023", false },
		{ "SENTSINCE 14-Nov-2023", true },
		{ "BODY softbreak", true }, { "BODY \"CAF\xc3\x89\"", true }, { "BODY caf=E9", false },
		{ "BODY \"\xc3\xa5" "bc secret\"", true }, { "BODY pixels", false }, { "BODY \"odd bytes\"", true },
		{ "BODY \"inn\xc3\xa9r\"", true }, { "BODY nested", true }, { "BODY folded", false },
		{ "TEXT folded", true }, { "TEXT nested", true }, { "TEXT absent", false },
		{ "TEXT \"subject: gr\"", true }, { "NOT BODY nested", false },
		{ "OR BODY absent SUBJECT folded", true }, { "BODY nested BODY secret", true },
		{ "OR (FROM x BODY nested) (FROM andre BODY secret)", true },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(matches(cases[i].program, HEADER MIXED) == cases[i].yes, "%s",
		    cases[i].program);
	ck_assert(!matches("TEXT a", ""));
	ck_assert(matches("BODY \"\"", "") && matches("TEXT \"\"", ""));
}
END_TEST

/* A needle across the borders of blocks, in each encoding, at every place near one. */
START_TEST(borders)
{
	static const char *const heads[] = { "\r\n",
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n" };

	for (size_t i = 0; i < 2; i++) {
		for (size_t at = 65536 - 12; at < 65536 + 4; at++) {
			struct buf b = BUF_INIT;

			buf_adds(&b, heads[i]);
			for (size_t n = 0; n < at; n++)
				buf_addc(&b, 'x');
			buf_adds(&b, "N\xc3\x89"
				     "EDLE");
			ck_assert(matches("BODY \"n\xc3\xa9"
					  "edle\"",
			    b.data));
			ck_assert(!matches("BODY \"n\xc3\xa9"
					   "edlex\"",
			    b.data));
			buf_clear(&b);
		}
	}
}
END_TEST

/* A long body is looked at in pieces, and the next message is begun anew. */
START_TEST(pieces)
{
	struct search *s = program("BODY absent BODY needle");
	struct buf b = BUF_INIT;

	buf_adds(&b, "\r\n");
	for (size_t n = 0; n < 20000000; n += 20)
		buf_adds(&b, "0123456789abcdefgh\r\n");
	for (int times = 0; times < 3; times++) {
		struct stream *stream = stream_from_mem(b.data, b.len);
		enum search_answer got = search_record(s, &record, &info);
		struct mime_part *parts;
		int calls = 0;

		ck_assert_int_eq(mime_parse(stream, mem, &parts, NULL), RK_OK);
		stream_free(stream);
		ck_assert_int_eq(search_header(s, STR_LIT("\r\n")), SEARCH_ANSWER_OPEN);
		stream = stream_from_mem(b.data, b.len);
		/* The second time it is left before its end. */
		do
			ck_assert_int_eq(search_body(s, parts, stream, &got, NULL), RK_OK);
		while (++calls < (times == 1 ? 1 : 100) && got == SEARCH_ANSWER_OPEN);
		ck_assert_int_ge(calls, times == 1 ? 1 : 3);
		ck_assert_int_eq(got, times == 0   ? SEARCH_ANSWER_NO
				      : times == 1 ? SEARCH_ANSWER_OPEN
						   : SEARCH_ANSWER_YES);
		stream_free(stream);
		if (times == 1)
			buf_adds(&b, "an absent needle\r\n");
	}
	buf_clear(&b);
}
END_TEST

UNIT_MAIN("match", records, texts, borders, pieces)
