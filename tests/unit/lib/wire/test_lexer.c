#include "tests/unit/unit.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/wire/lexer.h"

static struct rk_arena *mem; /* reachable to the end of the process */

static struct lexer
over(const char *text)
{
	struct lexer l;

	if (mem == NULL)
		mem = arena_new();
	lexer_init(&l, str_from(text), mem);
	return l;
}

typedef bool token_fn(struct lexer *l, struct str *out);

/* want NULL: refused, position kept */
static void
expect(token_fn *token, const char *in, const char *want, const char *rest)
{
	struct lexer l = over(in);
	const char *start = l.p;
	struct str out;

	if (want == NULL) {
		ck_assert_msg(!token(&l, &out), "taken: %s", in);
		ck_assert_ptr_eq(l.p, start);
		return;
	}
	ck_assert_msg(token(&l, &out), "refused: %s", in);
	ck_assert_msg(str_is(out, want), "%s gave %.*s", in, (int)out.n, out.p);
	ck_assert_str_eq(l.p, rest);
}

START_TEST(atoms_and_tags)
{
	expect(lex_atom, "abc def", "abc", " def");
	expect(lex_atom, "a[b]", "a[b", "]");
	expect(lex_atom, "a+b", "a+b", "");
	expect(lex_atom, "a\x7f", "a", "\x7f");
	expect(lex_atom, "\x80", NULL, NULL);
	expect(lex_atom, "", NULL, NULL);
	for (const char *c = "(){ %*\"\\]\t\r\n"; *c != '\0'; c++) {
		char in[2] = { *c, '\0' };

		expect(lex_atom, in, NULL, NULL);
	}
	expect(lex_tag, "a1]b+c", "a1]b", "+c");
	expect(lex_tag, "+", NULL, NULL);
}
END_TEST

START_TEST(strings_in_all_their_forms)
{
	expect(lex_astring, "a]b c", "a]b", " c");
	expect(lex_astring, "\"\" x", "", " x");
	expect(lex_astring, "\"a \\\"b\\\\\" x", "a \"b\\", " x");
	expect(lex_astring, "\"\xc3\xa9\"", "\xc3\xa9", "");
	expect(lex_astring, "{3}\r\na\r\n x", "a\r\n", " x");
	expect(lex_astring, "{3+}\nabc", "abc", "");
	expect(lex_astring, "{0}\r\n", "", "");
	expect(lex_astring, "\"a", NULL, NULL);
	expect(lex_astring, "\"a\\", NULL, NULL);
	expect(lex_astring, "\"a\\b\"", NULL, NULL);
	expect(lex_astring, "\"a\r\n\"", NULL, NULL);
	expect(lex_astring, "{4}\r\nabc", NULL, NULL);
	expect(lex_astring, "{3}abc", NULL, NULL);
	expect(lex_astring, "{}\r\n", NULL, NULL);
	expect(lex_astring, "{-1}\r\n", NULL, NULL);
	expect(lex_astring, "{18446744073709551616}\r\n", NULL, NULL);
	expect(lex_string, "abc", NULL, NULL);
	expect(lex_string, "~{3}\r\nabc", NULL, NULL);
	expect(lex_list_mailbox, "a%*b] x", "a%*b]", " x");
	expect(lex_list_mailbox, "\"%\"", "%", "");
	expect(lex_list_mailbox, "(", NULL, NULL);
}
END_TEST

START_TEST(nstring_tells_nil_from_its_quotes)
{
	struct lexer l = over("NIL");
	struct str out;
	bool nil;

	ck_assert(lex_nstring(&l, &out, &nil) && nil && out.n == 0);
	l = over("\"NIL\"");
	ck_assert(lex_nstring(&l, &out, &nil) && !nil && str_is(out, "NIL"));
	l = over("NILS");
	ck_assert(!lex_nstring(&l, &out, &nil));
}
END_TEST

START_TEST(numbers_at_their_bounds)
{
	/* clang-format off */
	static const struct { const char *in; bool n32, nz, n64; } cases[] = {
		{ "0", true, false, true },
		{ "1", true, true, true },
		{ "007", true, false, true },
		{ "4294967295", true, true, true },
		{ "4294967296", false, false, true },
		{ "9223372036854775807", false, false, true },
		{ "9223372036854775808", false, false, false },
		{ "99999999999999999999999", false, false, false },
		{ "-1", false, false, false },
		{ "", false, false, false },
		{ "x", false, false, false },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lexer l = over(cases[i].in);
		uint32_t n = 0;
		uint64_t n64 = 0;

		ck_assert_int_eq(lex_number(&l, &n), cases[i].n32);
		l = over(cases[i].in);
		ck_assert_int_eq(lex_nz_number(&l, &n), cases[i].nz);
		ck_assert(cases[i].nz || l.p[0] == cases[i].in[0]);
		l = over(cases[i].in);
		ck_assert_int_eq(lex_number64(&l, &n64), cases[i].n64);
	}
}
END_TEST

START_TEST(flags)
{
	expect(lex_flag, "\\Seen)", "\\Seen", ")");
	expect(lex_flag, "$Junk x", "$Junk", " x");
	expect(lex_flag, "\\", NULL, NULL);
	expect(lex_flag, "\\*", NULL, NULL);
	expect(lex_flag, "\"x\"", NULL, NULL);
}
END_TEST

START_TEST(words_are_whole_and_prefixes_are_not)
{
	struct lexer l = over("fLaGs x");

	ck_assert(!lex_word(&l, "FLAG"));
	ck_assert(lex_word(&l, "FLAGS"));
	ck_assert(lex_space(&l) && !lex_space(&l));
	l = over("body.peek[");
	ck_assert(!lex_prefix(&l, "BODY["));
	ck_assert(lex_prefix(&l, "BODY.PEEK[") && lex_peek(&l) == '\0');
	ck_assert(!lex_char(&l, 'x'));
}
END_TEST

START_TEST(the_end_is_the_end)
{
	/* clang-format off */
	static const struct { const char *in; bool end; } cases[] = {
		{ "\r\n", true }, { "\n", true }, { "", false }, { "\r", false }, { " \r\n", false },
		{ "\r\nx", false }, { "\n\n", false }, { "\r\r\n", false },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lexer l = over(cases[i].in);

		ck_assert_int_eq(lex_end(&l), cases[i].end);
	}
}
END_TEST

START_TEST(parentheses_are_counted)
{
	char deep[LEXER_DEPTH_MAX + 2];
	struct lexer l;

	memset(deep, '(', sizeof(deep));
	deep[sizeof(deep) - 1] = '\0';
	l = over(deep);
	ck_assert(!lex_close(&l));
	for (int i = 0; i < LEXER_DEPTH_MAX; i++)
		ck_assert(lex_open(&l));
	ck_assert(!lex_open(&l));
	l = over("())");
	ck_assert(lex_open(&l) && lex_close(&l) && !lex_close(&l));
}
END_TEST

/* ranges as "first:last," with 0 for `*`; "" = refused */
static void
expect_sequence(const char *in, size_t max, const char *want)
{
	struct lexer l = over(in);
	struct sequence seq;
	struct buf got = BUF_INIT;

	buf_adds(&got, "");
	if (lex_sequence(&l, max, &seq)) {
		for (size_t i = 0; i < seq.n; i++)
			buf_addf(&got, "%u:%u,", seq.ranges[i].first, seq.ranges[i].last);
	} else {
		ck_assert_str_eq(l.p, in);
	}
	ck_assert_msg(strcmp(got.data, want) == 0, "%s gave %s, not %s", in, got.data, want);
	buf_clear(&got);
}

START_TEST(sequences)
{
	expect_sequence("1", 10, "1:1,");
	expect_sequence("*", 10, "0:0,");
	expect_sequence("2:4,7 x", 10, "2:4,7:7,");
	expect_sequence("4:2,*:3,5:*", 10, "4:2,0:3,5:0,");
	expect_sequence("1,2,3,5", 10, "1:3,5:5,");
	expect_sequence("1:4294967295,1", 10, "1:4294967295,1:1,");
	expect_sequence("0", 10, "");
	expect_sequence("01", 10, "");
	expect_sequence("1:0", 10, "");
	expect_sequence("4294967296", 10, "");
	expect_sequence("1,", 10, "");
	expect_sequence(",1", 10, "");
	expect_sequence("1:", 10, "");
	expect_sequence("$", 10, "");
	expect_sequence("", 10, "");
	expect_sequence("1,3,5", 3, "1:1,3:3,5:5,");
	expect_sequence("1,3,5,7", 3, "");
	expect_sequence("1,3,5,6,7", 3, "1:1,3:3,5:7,");
}
END_TEST

START_TEST(sequences_resolve_the_star)
{
	/* clang-format off */
	static const struct { const char *in; uint32_t star; const char *want; } cases[] = {
		{ "2,4:7,9,12:*", 15, "2:2,4:7,9:9,12:15," },
		{ "*:4,5:7", 10, "4:10," },
		{ "3291:*", 10, "10:3291," },
		{ "*", 0, "" },
		{ "1,*", 0, "1:1," },
		{ "1:4294967295", 5, "1:4294967295," },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lexer l = over(cases[i].in);
		struct uidset set = UIDSET_INIT;
		struct sequence seq;
		struct buf got = BUF_INIT;

		buf_adds(&got, "");
		ck_assert(lex_sequence(&l, 100, &seq));
		sequence_resolve(&seq, cases[i].star, &set);
		for (size_t k = 0; k < set.n; k++)
			buf_addf(&got, "%u:%u,", set.runs[k].first, set.runs[k].last);
		ck_assert_str_eq(got.data, cases[i].want);
		uidset_clear(&set);
		buf_clear(&got);
	}
}
END_TEST

UNIT_MAIN("lexer", atoms_and_tags, strings_in_all_their_forms, nstring_tells_nil_from_its_quotes,
    numbers_at_their_bounds, flags, words_are_whole_and_prefixes_are_not, the_end_is_the_end,
    parentheses_are_counted, sequences, sequences_resolve_the_star)
