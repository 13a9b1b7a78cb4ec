/* FETCH there and back: what is parsed is echoed by its label. */
#include "tests/unit/unit.h"

#include <string.h>

#include "imapd/proto/parse.h"
#include "imapd/proto/resp_fetch.h"
#include "lib/base/arena.h"

static struct rk_arena *mem; /* reachable to the end of the process */

static enum parse_result
parse(struct str line, struct command *c)
{
	struct lexer l;

	if (mem == NULL)
		mem = arena_new();
	lexer_init(&l, line, mem);
	ck_assert_int_eq(parse_command(&l, c), PARSE_DONE);
	return parse_fetch(&l, c);
}

/* Labels of all items, parted by "|"; a peek has a "!" behind it. */
static void
labels(const struct command *c, struct buf *out)
{
	for (size_t i = 0; i < c->u.fetch.n; i++) {
		struct resp_fetch f = { .out = out };

		if (i > 0)
			buf_addc(out, '|');
		resp_fetch_label(&f, &c->u.fetch.items[i]);
		if (c->u.fetch.items[i].peek && c->u.fetch.items[i].kind >= FETCH_SECTION)
			buf_addc(out, '!');
	}
}

START_TEST(items_and_their_labels)
{
	/* clang-format off */
	static const struct { const char *in, *want; bool seen; } cases[] = {
		{ "FETCH 1 ALL", "FLAGS|INTERNALDATE|RFC822.SIZE|ENVELOPE", false },
		{ "FETCH 1 fast", "FLAGS|INTERNALDATE|RFC822.SIZE", false },
		{ "FETCH 1 FULL", "FLAGS|INTERNALDATE|RFC822.SIZE|ENVELOPE|BODY", false },
		{ "UID FETCH 1 FAST", "UID|FLAGS|INTERNALDATE|RFC822.SIZE", false },
		{ "FETCH 1 FLAGS", "FLAGS", false },
		{ "FETCH 1 (FLAGS UID flags)", "FLAGS|UID", false },
		{ "UID FETCH 1 (FLAGS UID)", "UID|FLAGS", false },
		{ "FETCH 1 (BODY BODYSTRUCTURE ENVELOPE)", "BODY|BODYSTRUCTURE|ENVELOPE", false },
		{ "FETCH 1 RFC822", "RFC822", true },
		{ "FETCH 1 RFC822.HEADER", "RFC822.HEADER", false },
		{ "FETCH 1 rfc822.text", "RFC822.TEXT", true },
		{ "FETCH 1 BODY[]", "BODY[]", true },
		{ "FETCH 1 body.peek[]", "BODY[]!", false },
		{ "FETCH 1 (BODY.PEEK[] FLAGS BODY[TEXT])", "BODY[]!|FLAGS|BODY[TEXT]", true },
		{ "FETCH 1 BODY.PEEK[HEADER]", "BODY[HEADER]!", false },
		{ "FETCH 1 BODY[HEADER.FIELDS (DATE FROM)]<0.9>",
		  "BODY[HEADER.FIELDS (DATE FROM)]<0>", true },
		{ "FETCH 1 BODY[header.fields.not (\"x\" {2}\r\na\")]",
		  "BODY[HEADER.FIELDS.NOT (x \"a\\\"\")]", true },
		{ "FETCH 1 BODY[1]", "BODY[1]", true },
		{ "FETCH 1 BODY[1.2.3]<7.1>", "BODY[1.2.3]<7>", true },
		{ "FETCH 1 BODY[4.1.MIME]", "BODY[4.1.MIME]", true },
		{ "FETCH 1 BODY[3.HEADER.FIELDS (To)]", "BODY[3.HEADER.FIELDS (To)]", true },
		{ "FETCH 1 BODY[3.TEXT]", "BODY[3.TEXT]", true },
		{ "FETCH 1 BODY[]<9223372036854775807.9223372036854775807>",
		  "BODY[]<9223372036854775807>", true },
		{ "FETCH 1 (BINARY[1] BINARY.PEEK[1.2]<3.4> BINARY.SIZE[])",
		  "BINARY[1]|BINARY[1.2]<3>!|BINARY.SIZE[]!", true },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf line = BUF_INIT, got = BUF_INIT;
		struct command c;

		buf_addf(&line, "t %s\r\n", cases[i].in);
		ck_assert_msg(
		    parse(str_of(line.data, line.len), &c) == PARSE_DONE, "%s", cases[i].in);
		labels(&c, &got);
		ck_assert_str_eq(got.data, cases[i].want);
		ck_assert_int_eq(c.u.fetch.sets_seen, cases[i].seen);
		/* Cut anywhere it is no command any more, and never more than one. */
		for (size_t n = 7; n < line.len; n++)
			parse(str_of(rk_arena_dup(mem, line.data, n), n), &c);
		buf_clear(&line);
		buf_clear(&got);
	}
}
END_TEST

START_TEST(anything_else_is_refused)
{
	static const char *const bad[] = {
		"FETCH",
		"FETCH 1",
		"FETCH 1 ",
		"FETCH  1 FLAGS",
		"FETCH 0 FLAGS",
		"FETCH 1, FLAGS",
		"FETCH $1 FLAGS",
		"FETCH 1 ()",
		"FETCH 1 (FLAGS",
		"FETCH 1 (FLAGS )",
		"FETCH 1 (FLAGS  UID)",
		"FETCH 1 FLAGS UID",
		"FETCH 1 (ALL)",
		"FETCH 1 ((FLAGS))",
		"FETCH 1 MODSEQ",
		"FETCH 1 BODY[",
		"FETCH 1 BODY[X]",
		"FETCH 1 BODY[MIME]",
		"FETCH 1 BODY[0]",
		"FETCH 1 BODY[1.]",
		"FETCH 1 BODY[1.0]",
		"FETCH 1 BODY[.1]",
		"FETCH 1 BODY[1..2]",
		"FETCH 1 BODY[4294967296]",
		"FETCH 1 BODY[TEXT.1]",
		"FETCH 1 BODY[HEADERS]",
		"FETCH 1 BODY[1HEADER]",
		"FETCH 1 BODY[ ]",
		"FETCH 1 BODY[HEADER.FIELDS]",
		"FETCH 1 BODY[HEADER.FIELDS ()]",
		"FETCH 1 BODY[HEADER.FIELDS (a]",
		"FETCH 1 BODY[HEADER.FIELDS (a) ]",
		"FETCH 1 BODY[HEADER.FIELDS(a)]",
		"FETCH 1 BODY[]<>",
		"FETCH 1 BODY[]<0>",
		"FETCH 1 BODY[]<0.0>",
		"FETCH 1 BODY[]<0.1",
		"FETCH 1 BODY[]<-1.1>",
		"FETCH 1 BODY[]<9223372036854775808.1>",
		"FETCH 1 BODY[]<0.9223372036854775808>",
		"FETCH 1 BODY[]<0.1>x",
		"FETCH 1 BODY.PEEK",
		"FETCH 1 BODYSTRUCTURE[]",
		"FETCH 1 RFC822[]",
		"FETCH 1 BINARY[TEXT]",
		"FETCH 1 BINARY[1.MIME]",
		"FETCH 1 BINARY.SIZE[1]<0.1>",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf line = BUF_INIT;
		struct command c;

		buf_addf(&line, "t %s\r\n", bad[i]);
		ck_assert_msg(parse(str_of(line.data, line.len), &c) == PARSE_BAD, "%s", bad[i]);
		ck_assert_ptr_nonnull(c.why);
		buf_clear(&line);
	}
}
END_TEST

/* `n` times `piece` (parted by `sep`) between head and tail. */
static enum parse_result
repeated(const char *head, const char *piece, const char *sep, size_t n, const char *tail)
{
	struct buf line = BUF_INIT;
	struct command c;
	enum parse_result r;

	buf_adds(&line, head);
	for (size_t i = 0; i < n; i++)
		buf_addf(&line, "%s%s", i == 0 ? "" : sep, piece);
	buf_addf(&line, "%s\r\n", tail);
	r = parse(str_of(line.data, line.len), &c);
	buf_clear(&line);
	return r;
}

START_TEST(limits_at_the_limit_and_one_beyond)
{
	/* clang-format off */
	static const struct { const char *head, *piece, *sep, *tail; size_t max; } cases[] = {
		{ "t FETCH ", "5", ",", " UID", PARSE_RANGES_MAX },
		{ "t FETCH ", "5:*", ",", " UID", PARSE_RANGES_MAX },
		{ "t FETCH 1 BODY[HEADER.FIELDS (", "x", " ", ")]", PARSE_FIELDS_MAX },
		{ "t FETCH 1 BODY[HEADER.FIELDS.NOT (", "x", " ", ")]", PARSE_FIELDS_MAX },
		{ "t FETCH 1 BODY[", "1", ".", "]", PARSE_PARTS_MAX },
		{ "t FETCH 1 (", "BODY.PEEK[]", " ", ")", PARSE_FETCH_ITEMS_MAX },
		{ "t UID FETCH 1 (", "BODY.PEEK[]", " ", ")", PARSE_FETCH_ITEMS_MAX - 1 },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *h = cases[i].head, *p = cases[i].piece;
		const char *s = cases[i].sep, *t = cases[i].tail;

		ck_assert_int_eq(repeated(h, p, s, cases[i].max, t), PARSE_DONE);
		ck_assert_int_eq(repeated(h, p, s, cases[i].max + 1, t), PARSE_BAD);
	}
	/* Plain items repeat for nothing. */
	ck_assert_int_eq(repeated("t FETCH 1 (", "FLAGS", " ", 5000, ")"), PARSE_DONE);
}
END_TEST

START_TEST(a_whole_response)
{
	const char *names[] = { "$Junk", NULL, "bad)keyword", "work" };
	struct resp_flags flags = { .flags = RK_FLAG_SEEN | RK_FLAG_DRAFT,
		.keywords = { { 15 } },
		.names = names,
		.nnames = 4,
		.recent = true };
	struct fetch_item item = {
		.kind = FETCH_SECTION, .partial = true, .offset = 5, .length = 3
	};
	struct buf out = BUF_INIT;
	struct resp_fetch f;

	resp_fetch_begin(&f, &out, 12);
	resp_fetch_uid(&f, 4294967295u);
	resp_fetch_flags(&f, &flags);
	resp_fetch_size(&f, 1234567890123);
	resp_fetch_internaldate(&f, 0);
	resp_fetch_literal(&f, &item, 3, false);
	buf_adds(&out, "abc");
	item = (struct fetch_item){ .kind = FETCH_BINARY };
	resp_fetch_literal(&f, &item, 1, true);
	buf_adds(&out, "x");
	resp_fetch_nil(&f, &item);
	item.kind = FETCH_RFC822_TEXT;
	resp_fetch_string(&f, &item, STR_LIT("a\"b"));
	resp_fetch_end(&f);
	ck_assert_str_eq(out.data,
	    "* 12 FETCH (UID 4294967295 FLAGS (\\Seen \\Draft $Junk work \\Recent)"
	    " RFC822.SIZE 1234567890123 INTERNALDATE \" 1-Jan-1970 00:00:00 +0000\""
	    " BODY[]<5> {3}\r\nabc BINARY[] ~{1}\r\nx BINARY[] NIL RFC822.TEXT \"a\\\"b\")\r\n");
	buf_clear(&out);
}
END_TEST

START_TEST(a_partial_is_cut_to_what_is_there)
{
	/* clang-format off */
	static const struct { uint64_t offset, length, total, from, size; } cases[] = {
		{ 0, 10, 100, 0, 10 },
		{ 95, 10, 100, 95, 5 },
		{ 100, 10, 100, 100, 0 },
		{ 101, 10, 100, 100, 0 },
		{ INT64_MAX, INT64_MAX, 100, 100, 0 },
		{ 0, INT64_MAX, 100, 0, 100 },
		{ 1, 1, 0, 0, 0 },
	};
	/* clang-format on */
	struct fetch_item item = { .kind = FETCH_SECTION };

	ck_assert_uint_eq(resp_fetch_range(&item, 77).size, 77);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct resp_range r;

		item.partial = true;
		item.offset = cases[i].offset;
		item.length = cases[i].length;
		r = resp_fetch_range(&item, cases[i].total);
		ck_assert_uint_eq(r.offset, cases[i].from);
		ck_assert_uint_eq(r.size, cases[i].size);
	}
}
END_TEST

UNIT_MAIN("fetch", items_and_their_labels, anything_else_is_refused,
    limits_at_the_limit_and_one_beyond, a_whole_response, a_partial_is_cut_to_what_is_there)
