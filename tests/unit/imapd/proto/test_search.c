#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "imapd/proto/parse.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"

static struct rk_arena *mem; /* reachable to the end of the process */

static enum parse_result
parse(const char *args, struct command *c)
{
	struct buf line = BUF_INIT;
	struct lexer l;
	char *copy;

	arena_free(mem);
	mem = arena_new();
	buf_addf(&line, "t SEARCH%s\r\n", args);
	copy = rk_arena_dup(mem, line.data, line.len);
	lexer_init(&l, str_of(copy, line.len), mem);
	buf_clear(&line);
	ck_assert_int_eq(parse_command(&l, c), PARSE_DONE);
	return parse_search(&l, c);
}

static void
key_write(struct buf *out, const struct search_key *key)
{
	static const char *const names[] = { "and", "or", "not", "all", "flag", "keyword", "recent",
		"seq", "uid", "saved", "before", "on", "since", "sentbefore", "senton", "sentsince",
		"larger", "smaller", "older", "younger", "header", "body", "text" };

	buf_addf(out, "%s", names[key->kind]);
	if (key->flags != 0)
		buf_addf(out, " %u", key->flags);
	if (key->name.n > 0)
		buf_addf(out, " %.*s", (int)key->name.n, key->name.p);
	if (key->text.n > 0)
		buf_addf(out, " '%.*s'", (int)key->text.n, key->text.p);
	if (key->number != 0)
		buf_addf(out, " %llu", (unsigned long long)key->number);
	if (key->day != 0)
		buf_addf(out, " %d", (int)key->day);
	for (size_t i = 0; i < key->set.n; i++)
		buf_addf(out, " %u:%u", key->set.ranges[i].first, key->set.ranges[i].last);
}

/* The tree as text, by parent and next only. */
static void
tree_write(struct buf *out, const struct search_key *key)
{
	const struct search_key *root = key;

	for (;;) {
		buf_addf(out, "(");
		key_write(out, key);
		if (key->child != NULL) {
			ck_assert_ptr_eq(key->child->parent, key);
			key = key->child;
			continue;
		}
		buf_addf(out, ")");
		while (key != root && key->next == NULL) {
			key = key->parent;
			buf_addf(out, ")");
		}
		if (key == root)
			return;
		ck_assert_ptr_eq(key->next->parent, key->parent);
		key = key->next;
	}
}

START_TEST(trees)
{
	/* clang-format off */
	static const struct { const char *in, *tree; } cases[] = {
		{ " ALL", "(and(all))" },
		{ " all seen", "(and(all)(flag 1))" },
		{ " UNSEEN UNANSWERED", "(and(not(flag 1))(not(flag 2)))" },
		{ " FLAGGED DELETED DRAFT", "(and(flag 4)(flag 8)(flag 16))" },
		{ " UNFLAGGED UNDELETED UNDRAFT", "(and(not(flag 4))(not(flag 8))(not(flag 16)))" },
		{ " NEW", "(and(and(recent)(not(flag 1))))" },
		{ " OLD RECENT", "(and(not(recent))(recent))" },
		{ " KEYWORD $Junk UNKEYWORD x", "(and(keyword '$Junk')(not(keyword 'x')))" },
		{ " FROM \"a b\" TO {1}\r\nc", "(and(header FROM 'a b')(header TO 'c'))" },
		{ " BCC x CC y SUBJECT z", "(and(header BCC 'x')(header CC 'y')(header SUBJECT 'z'))" },
		{ " HEADER X-Y \"\"", "(and(header X-Y))" },
		{ " BODY a TEXT b", "(and(body 'a')(text 'b'))" },
		{ " LARGER 9223372036854775807 SMALLER 1", "(and(larger 9223372036854775807)(smaller 1))" },
		{ " OLDER 4294967295 YOUNGER 1", "(and(older 4294967295)(younger 1))" },
		{ " 1:5,7 *", "(and(seq 1:5 7:7)(seq 0:0))" },
		{ " UID 2:* $", "(and(uid 2:0)(saved))" },
		{ " UID $", "(and(saved))" },
		{ " NOT NOT ALL", "(and(not(not(all))))" },
		{ " OR SEEN NOT OR DRAFT 1 ALL", "(and(or(flag 1)(not(or(flag 16)(seq 1:1))))(all))" },
		{ " (SEEN (DRAFT)) ALL", "(and(and(flag 1)(and(flag 16)))(all))" },
		{ " OR (SEEN 1) (2)", "(and(or(and(flag 1)(seq 1:1))(and(seq 2:2))))" },
		{ " ((ALL))", "(and(and(and(all))))" },
		{ " BEFORE 2-Jan-1970 ON \"02-jan-1970\"", "(and(before 1)(on 1))" },
		{ " SINCE 29-Feb-2000 SENTON 1-Mar-2000", "(and(since 11016)(senton 11017))" },
		{ " SENTBEFORE 31-Dec-1969 SENTSINCE 1-Jan-0000", "(and(sentbefore -1)(sentsince -719528))" },
		{ " ON 31-Dec-9999", "(and(on 2932896))" },
	};
	/* clang-format on */
	struct buf out = BUF_INIT;
	struct command c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(parse(cases[i].in, &c) == PARSE_DONE, "%s: %s", cases[i].in, c.why);
		ck_assert_ptr_null(c.u.search.key->parent);
		buf_empty(&out);
		tree_write(&out, c.u.search.key);
		ck_assert_msg(str_is(str_of(out.data, out.len), cases[i].tree), "%s: %.*s",
		    cases[i].in, (int)out.len, out.data);
	}
	buf_clear(&out);
}
END_TEST

START_TEST(bad_searches)
{
	static const char *const cases[] = { "", " ", " ALL ", " ALL  SEEN", " FOO", " NOT",
		" NOT ", " OR ALL", " OR ALL ", " ()", " (ALL", " ALL)", " (ALL ))", " ( ALL)",
		" (ALL )", " NOT)", " (NOT)", " (OR ALL)", " FROM", " FROM ", " FROM (",
		" HEADER a", " KEYWORD \"a\"", " LARGER -1", " LARGER 9223372036854775808",
		" OLDER 0", " OLDER 4294967296", " ON 31-Feb-2024", " ON 29-Feb-1900",
		" ON 0-Jan-2000", " ON 32-Jan-2000", " ON 001-Jan-2000", " ON 1-Jan-99",
		" ON 1-Jan-20000", " ON 1-Foo-2000", " ON \"1-Jan-2000", " ON 1-Jan-2000\"", " 0",
		" 1,", " 4294967296", " $1", " UID", " UID x", " RETURN", " RETURN ()",
		" RETURN (FOO) ALL", " RETURN (MIN ) ALL", " RETURN (ALL)ALL", " CHARSET",
		" CHARSET utf-8", " ALL CHARSET utf-8", " BODY {3}\r\n" };
	struct command c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(parse(cases[i], &c) == PARSE_BAD, "taken: %s", cases[i]);
		ck_assert_ptr_nonnull(c.why);
	}
}
END_TEST

START_TEST(return_options_and_charset)
{
	struct command c;

	ck_assert_int_eq(parse(" ALL", &c), PARSE_DONE);
	ck_assert(!c.u.search.extended && c.u.search.ret == 0 && c.u.search.charset.n == 0);
	ck_assert_int_eq(parse(" RETURN () ALL", &c), PARSE_DONE);
	ck_assert(c.u.search.extended && c.u.search.ret == SEARCH_RET_ALL);
	ck_assert_int_eq(parse(" return (save COUNT min) CHARSET UTF-8 ALL", &c), PARSE_DONE);
	ck_assert_uint_eq(c.u.search.ret, SEARCH_RET_SAVE | SEARCH_RET_COUNT | SEARCH_RET_MIN);
	ck_assert(str_is(c.u.search.charset, "UTF-8"));
	ck_assert_int_eq(parse(" RETURN (MAX ALL) CHARSET \"x y\" 1", &c), PARSE_DONE);
	ck_assert_uint_eq(c.u.search.ret, SEARCH_RET_MAX | SEARCH_RET_ALL);
	ck_assert(str_is(c.u.search.charset, "x y"));
}
END_TEST

/* n times `open`, then ALL, then n times `close` */
static enum parse_result
nested(const char *open, const char *close, size_t n)
{
	struct buf args = BUF_INIT;
	enum parse_result result;
	struct command c;

	buf_addf(&args, " ");
	for (size_t i = 0; i < n; i++)
		buf_addf(&args, "%s", open);
	buf_addf(&args, "ALL");
	for (size_t i = 0; i < n; i++)
		buf_addf(&args, "%s", close);
	buf_add(&args, "", 1);
	result = parse((const char *)args.data, &c);
	buf_clear(&args);
	return result;
}

START_TEST(depth_and_number_are_bounded)
{
	ck_assert_int_eq(nested("(", ")", SEARCH_DEPTH_MAX), PARSE_DONE);
	ck_assert_int_eq(nested("(", ")", SEARCH_DEPTH_MAX + 1), PARSE_BAD);
	ck_assert_int_eq(nested("NOT ", "", SEARCH_DEPTH_MAX), PARSE_DONE);
	ck_assert_int_eq(nested("NOT ", "", SEARCH_DEPTH_MAX + 1), PARSE_BAD);
	ck_assert_int_eq(nested("OR ", " ALL", SEARCH_DEPTH_MAX), PARSE_DONE);
	ck_assert_int_eq(nested("OR ", " ALL", SEARCH_DEPTH_MAX + 1), PARSE_BAD);
	ck_assert_int_eq(nested("(", "", 20000), PARSE_BAD);
	ck_assert_int_eq(nested("NOT ", "", 20000), PARSE_BAD);
	ck_assert_int_eq(nested("ALL ", "", SEARCH_KEYS_MAX - 10), PARSE_DONE);
	ck_assert_int_eq(nested("ALL ", "", SEARCH_KEYS_MAX), PARSE_BAD);
	ck_assert_int_eq(nested("NEW ", "", SEARCH_KEYS_MAX / 4 - 2), PARSE_DONE);
	ck_assert_int_eq(nested("NEW ", "", SEARCH_KEYS_MAX / 4 + 1), PARSE_BAD);
}
END_TEST

static uint32_t
number(void)
{
	static uint32_t state = 1; /* the same programs in every run */

	state = state * 1664525u + 1013904223u;
	return state >> 16;
}

/* Grown from one key outwards, so that it follows the ABNF. */
static void
program_write(struct buf *out)
{
	static const char *const keys[] = { "ALL", "new", "UNSEEN", "KEYWORD a", "FROM \"(\"",
		"TO {2}\r\n) ", "HEADER a NOT", "1:*,3", "$", "UID 7", "ON 29-Feb-2004",
		"SMALLER 0" };
	const size_t nkeys = sizeof(keys) / sizeof(keys[0]);
	struct buf inner = BUF_INIT;

	buf_empty(out);
	buf_adds(out, keys[number() % nkeys]);
	for (uint32_t n = number() % 20; n > 0; n--) {
		const char *key = keys[number() % nkeys];

		buf_empty(&inner);
		buf_add(&inner, out->data, out->len);
		buf_empty(out);
		switch (number() % 5) {
		case 0:
			buf_addf(out, "NOT %s", inner.data);
			break;
		case 1:
			buf_addf(out, "(%s)", inner.data);
			break;
		case 2:
			buf_addf(out, "OR %s %s", inner.data, key);
			break;
		case 3:
			buf_addf(out, "(%s %s)", key, inner.data);
			break;
		default:
			buf_addf(out, "OR (%s) %s", key, inner.data);
			break;
		}
	}
	buf_clear(&inner);
}

START_TEST(many_programs)
{
	static const char *const before[] = { " (", "  ", " NOT", " )", " OR " };
	static const char *const after[] = { ")", " ", " NOT", " (", " OR ALL", " ()" };
	struct buf program = BUF_INIT;
	char args[4096];
	struct command c;

	for (size_t i = 0; i < 20000; i++) {
		program_write(&program);
		snprintf(args, sizeof(args), " %s", program.data);
		ck_assert_msg(parse(args, &c) == PARSE_DONE, "%s: %s", args, c.why);
		snprintf(args, sizeof(args), "%s%s", before[i % 5], program.data);
		ck_assert_msg(parse(args, &c) == PARSE_BAD, "taken: %s", args);
		snprintf(args, sizeof(args), " %s%s", program.data, after[i % 6]);
		ck_assert_msg(parse(args, &c) == PARSE_BAD, "taken: %s", args);
	}
	buf_clear(&program);
}
END_TEST

UNIT_MAIN("search", trees, bad_searches, return_options_and_charset, depth_and_number_are_bounded,
    many_programs)
