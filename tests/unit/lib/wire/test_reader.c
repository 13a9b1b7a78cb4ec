#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/wire/lexer.h"
#include "lib/wire/reader.h"

static const struct reader_limits limits = {
	.line = 64,
	.literal = 16,
	.nonsync = 8,
	.command = 96,
	.nul_ok = true,
};

/*
 * What happened, as text: "C" command (with its bytes), "+" continuation, "T" too big, "B" bad, "!"
 * fatal; refused ones with the tag to answer.
 */
static void
step_note(struct buf *log, struct reader *r, enum reader_step step)
{
	struct str s = step == READER_COMMAND ? reader_command(r) : reader_tag(r);

	switch (step) {
	case READER_MORE:
		return;
	case READER_CONTINUE:
		buf_adds(log, "+");
		return;
	case READER_COMMAND:
		buf_adds(log, "C<");
		break;
	case READER_TOO_BIG:
		buf_adds(log, "T<");
		break;
	case READER_BAD:
		buf_adds(log, "B<");
		break;
	}
	buf_add(log, s.p, s.n);
	buf_adds(log, ">");
	if (reader_fatal(r))
		buf_adds(log, "!");
	else
		reader_next(r);
}

static void
feed(struct buf *log, const struct reader_limits *lim, struct str in, size_t chunk)
{
	struct reader *r = reader_new(lim);
	size_t pos = 0;

	while (pos < in.n && !reader_fatal(r)) {
		size_t n = in.n - pos < chunk ? in.n - pos : chunk;
		size_t used = 0;
		enum reader_step step = reader_feed(r, in.p + pos, n, &used);

		ck_assert_uint_le(used, n);
		step_note(log, r, step);
		pos += used;
	}
	reader_free(r);
}

static void
expect(const struct reader_limits *lim, struct str in, const char *want)
{
	static const size_t chunks[] = { SIZE_MAX, 1, 2, 3, 7 };

	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
		struct buf log = BUF_INIT;

		feed(&log, lim, in, chunks[i]);
		buf_addc(&log, '\0');
		ck_assert_msg(strcmp(log.data, want) == 0, "chunks of %zu: %.60s\n got %s\nwant %s",
		    chunks[i], in.p, log.data, want);
		buf_clear(&log);
	}
}

START_TEST(commands_come_whole_however_they_are_cut)
{
	/* clang-format off */
	static const struct { const char *in, *want; } cases[] = {
		{ "a NOOP\r\n", "C<a NOOP\r\n>" },
		{ "a NOOP\n", "C<a NOOP\n>" },
		{ "a NOOP\r\nb NOOP\r\n", "C<a NOOP\r\n>C<b NOOP\r\n>" },
		{ "\r\n", "C<\r\n>" },
		{ "a L {3}\r\nabc d\r\n", "+C<a L {3}\r\nabc d\r\n>" },
		{ "a L {0}\r\n\r\n", "+C<a L {0}\r\n\r\n>" },
		{ "a L {3+}\r\nabc {2}\r\nde\r\n", "+C<a L {3+}\r\nabc {2}\r\nde\r\n>" },
		{ "a L {2+}\r\n\r\n\r\n", "C<a L {2+}\r\n\r\n\r\n>" },
		{ "a L {4+}\r\n{1}\r {2+}\r\nok\r\n", "C<a L {4+}\r\n{1}\r {2+}\r\nok\r\n>" },
		{ "a L {3}x\r\n", "C<a L {3}x\r\n>" },
		{ "a L 3}\r\n", "C<a L 3}\r\n>" },
		{ "a L {x}\r\n", "C<a L {x}\r\n>" },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect(&limits, str_from(cases[i].in), cases[i].want);
}
END_TEST

START_TEST(bad_lines_are_refused_once_and_the_next_is_read)
{
	expect(&limits, STR_LIT("a N\0OP\r\nb NOOP\r\n"), "B<a>C<b NOOP\r\n>");
	expect(&limits, STR_LIT("a N\rOP\r\nb NOOP\r\n"), "B<a>C<b NOOP\r\n>");
	expect(&limits, STR_LIT("(( N\rOP\r\nb NOOP\r\n"), "B<*>C<b NOOP\r\n>");
	expect(&limits, STR_LIT("a L {}\r\nb NOOP\r\n"), "B<a>C<b NOOP\r\n>");
	expect(&limits, STR_LIT("a L {99999999999999999999}\r\nb NOOP\r\n"), "B<a>C<b NOOP\r\n>");
	expect(&limits, STR_LIT("a L {9223372036854775808}\r\nb NOOP\r\n"), "B<a>C<b NOOP\r\n>");
}
END_TEST

START_TEST(a_refused_literal_on_its_way_ends_the_stream)
{
	expect(&limits, STR_LIT("a L {9+}\r\nb NOOP\r\n\r\nc NOOP\r\n"), "T<a>!");
	expect(&limits, STR_LIT("a L {99999999999999999999+}\r\nb NOOP\r\n"), "B<a>!");
	expect(&limits, STR_LIT("a \r {8+}\r\nb NOOP\r\n"), "B<a>!");
	expect(&limits, STR_LIT("a \0 {8+}\nb NOOP\r\n"), "B<a>!");
}
END_TEST

START_TEST(a_skipped_line_cannot_smuggle_a_command)
{
	char in[256];
	int n;

	/* One byte above the limit, with a literal at its end: its bytes must not run. */
	for (int pad = 55; pad < 80; pad++) {
		struct buf log = BUF_INIT;

		n = snprintf(in, sizeof(in), "a %0*d {8+}\r\nb NOOP\r\nc NOOP\r\n", pad, 0);
		for (size_t chunk = 1; chunk < 90; chunk++) {
			buf_empty(&log);
			feed(&log, &limits, str_of(in, (size_t)n), chunk);
			buf_addc(&log, '\0');
			ck_assert_ptr_null(strstr(log.data, "C<b"));
			if (pad > 56)
				ck_assert_ptr_null(strstr(log.data, "C<c"));
		}
		buf_clear(&log);
	}
	/* Without one the next command is read. */
	n = snprintf(in, sizeof(in), "a %080d\r\nb NOOP\r\n", 0);
	expect(&limits, str_of(in, (size_t)n), "T<a>C<b NOOP\r\n>");
	n = snprintf(in, sizeof(in), "a %080d {8}\r\nb NOOP\r\n", 0);
	expect(&limits, str_of(in, (size_t)n), "T<a>C<b NOOP\r\n>");
}
END_TEST

START_TEST(each_limit_holds_at_the_limit_and_one_beyond)
{
	char in[256], want[300];
	int n;

	n = snprintf(in, sizeof(in), "a %060d\r\n", 0); /* 64 bytes */
	snprintf(want, sizeof(want), "C<%s>", in);
	expect(&limits, str_of(in, (size_t)n), want);
	n = snprintf(in, sizeof(in), "a %061d\r\n", 0);
	expect(&limits, str_of(in, (size_t)n), "T<a>");

	expect(&limits, STR_LIT("a L {16}\r\n0123456789abcdef\r\n"),
	    "+C<a L {16}\r\n0123456789abcdef\r\n>");
	expect(&limits, STR_LIT("a L {17}\r\nb NOOP\r\n"), "T<a>C<b NOOP\r\n>");
	expect(&limits, STR_LIT("a L {8+}\r\n01234567\r\n"), "C<a L {8+}\r\n01234567\r\n>");
	expect(&limits, STR_LIT("a L {9+}\r\n012345678\r\n"), "T<a>!");

	/* lines and literals together: 96 bytes, and 97 */
	n = snprintf(
	    in, sizeof(in), "a {16+}\r\n%016d{16+}\r\n%016d {16+}\r\n%016d %013d\r\n", 0, 0, 0, 0);
	ck_assert_int_lt(n, 256);
	{
		struct reader_limits l = limits;

		l.nonsync = 16;
		l.command = (size_t)n;
		snprintf(want, sizeof(want), "C<%s>", in);
		expect(&l, str_of(in, (size_t)n), want);
		l.command = (size_t)n - 1;
		expect(&l, str_of(in, (size_t)n), "T<a>");
	}
}
END_TEST

START_TEST(nul_only_in_literal8_and_only_when_allowed)
{
	struct reader_limits strict = limits;
	struct reader *r = reader_new(&limits);
	size_t used;

	strict.nul_ok = false;
	expect(&limits, STR_LIT("a {3+}\r\na\0b\r\n"), "B<a>!");
	expect(&strict, STR_LIT("a ~{3+}\r\na\0b\r\n"), "B<a>!");
	ck_assert_int_eq(reader_feed(r, "a ~{3+}\r\na\0b\r\n", 14, &used), READER_COMMAND);
	ck_assert_uint_eq(used, 14);
	ck_assert_uint_eq(reader_command(r).n, 14);
	reader_free(r);
}
END_TEST

START_TEST(reset_forgets_line_literal_and_tag)
{
	static const char *const begun[] = { "a", "a LOGI", "a L {5}\r\n", "a L {5}\r\nab",
		"a L {5+}\r\n" };

	for (size_t i = 0; i < sizeof(begun) / sizeof(begun[0]); i++) {
		struct reader *r = reader_new(&limits);
		size_t used;

		reader_feed(r, begun[i], strlen(begun[i]), &used);
		ck_assert(reader_busy(r));
		reader_reset(r);
		ck_assert(!reader_busy(r));
		ck_assert(str_is(reader_tag(r), "*"));
		ck_assert_int_eq(reader_feed(r, "b NOOP\r\n", 8, &used), READER_COMMAND);
		ck_assert(str_is(reader_command(r), "b NOOP\r\n"));
		reader_free(r);
	}
}
END_TEST

START_TEST(the_tag_is_known_only_when_it_is_one)
{
	/* clang-format off */
	static const struct { const char *in, *tag; } cases[] = {
		{ "a1.b NOOP", "a1.b" }, { "a+b NOOP", "*" }, { " NOOP", "*" }, { "a\"b NOOP", "*" },
		{ "]x NOOP", "]x" }, { "a", "*" }, { "\x80 NOOP", "*" },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reader *r = reader_new(&limits);
		size_t used;

		reader_feed(r, cases[i].in, strlen(cases[i].in), &used);
		ck_assert_int_eq(reader_feed(r, "\r\r\n", 3, &used), READER_BAD);
		ck_assert_msg(str_is(reader_tag(r), cases[i].tag), "%s", cases[i].in);
		reader_free(r);
	}
}
END_TEST

START_TEST(memory_follows_bytes_received_not_declared)
{
	struct reader_limits l = { 8192, SIZE_MAX / 4, SIZE_MAX / 4, SIZE_MAX / 2, false, 0 };

	/* 10,000 readers with the largest literal declared: this would never fit otherwise. */
	for (int i = 0; i < 10000; i++) {
		static struct reader *r[10000];
		size_t used;

		r[i] = reader_new(&l);
		ck_assert_int_eq(
		    reader_feed(r[i], "a L {1152921504606846976}\r\n", 27, &used), READER_CONTINUE);
		if (i == 9999) {
			for (int k = 0; k <= i; k++)
				reader_free(r[k]);
		}
	}
}
END_TEST

START_TEST(messages_of_append_go_into_a_file)
{
	static const struct reader_limits lim = {
		.line = 64, .literal = 16, .nonsync = 8, .command = 96, .message = 40
	};
	static const char in[] =
	    "a append {3+}\r\nbox (x) ~{8+}\r\na\nb\r\n\0cd {7+}\r\n1234567\r\n";

	for (size_t chunk = 1; chunk < sizeof(in); chunk++) {
		struct reader *r = reader_new(&lim);
		enum reader_step step = READER_MORE;
		const struct spill *spill;
		struct rk_arena *mem = arena_new();
		struct lex_literal one, two;
		char bytes[32];
		struct str word;
		struct lexer l;

		for (size_t at = 0; at < sizeof(in) - 1;) {
			size_t n = sizeof(in) - 1 - at < chunk ? sizeof(in) - 1 - at : chunk, used;

			step = reader_feed(r, in + at, n, &used);
			at += used;
		}
		ck_assert_int_eq(step, READER_COMMAND);
		spill = reader_spill(r);
		ck_assert_uint_eq(spill->n, 2);
		lexer_init(&l, reader_command(r), mem);
		lexer_spill(&l, spill);
		ck_assert(lex_tag(&l, &word) && lex_space(&l) && lex_word(&l, "APPEND"));
		ck_assert(lex_space(&l) && lex_astring(&l, &word) && str_is(word, "box"));
		ck_assert(lex_space(&l) && lex_open(&l) && lex_atom(&l, &word) && lex_close(&l));
		ck_assert(lex_space(&l) && lex_message(&l, &one) && lex_space(&l));
		ck_assert(lex_message(&l, &two) && lex_end(&l));
		ck_assert(one.literal8 && !two.literal8 && one.fd == two.fd && one.fd >= 0);
		ck_assert_uint_eq(one.size, 9);
		ck_assert_uint_eq(two.size, 7);
		ck_assert_int_eq(pread(one.fd, bytes, sizeof(bytes), (off_t)one.offset), 16);
		ck_assert_mem_eq(bytes, "a\r\nb\r\n\0cd1234567", 16);
		reader_next(r);
		ck_assert_uint_eq(reader_spill(r)->n, 0);
		reader_free(r);
		arena_free(mem);
	}
}
END_TEST

START_TEST(messages_have_their_own_limit)
{
	static const struct reader_limits lim = {
		.line = 64, .literal = 16, .nonsync = 8, .command = 96, .message = 40
	};
	static const struct {
		const char *line;
		enum reader_step step;
		bool message;
	} rows[] = {
		{ "a APPEND b {40}\r\n", READER_CONTINUE, false },
		{ "a APPEND b {41}\r\n", READER_TOO_BIG, true },
		{ "a APPEND b {9+}\r\n", READER_TOO_BIG, true },
		{ "a APPEND {16}\r\n", READER_CONTINUE, false },
		{ "a APPEND {17}\r\n", READER_TOO_BIG, false },
		{ "a APPENDX b {17}\r\n", READER_TOO_BIG, false },
		{ "a LOGIN {17}\r\n", READER_TOO_BIG, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reader *r = reader_new(&lim);
		size_t used;

		ck_assert_int_eq(
		    reader_feed(r, rows[i].line, strlen(rows[i].line), &used), rows[i].step);
		ck_assert(reader_message(r) == rows[i].message);
		reader_free(r);
	}
}
END_TEST

UNIT_MAIN("reader", commands_come_whole_however_they_are_cut,
    bad_lines_are_refused_once_and_the_next_is_read, a_refused_literal_on_its_way_ends_the_stream,
    a_skipped_line_cannot_smuggle_a_command, each_limit_holds_at_the_limit_and_one_beyond,
    nul_only_in_literal8_and_only_when_allowed, reset_forgets_line_literal_and_tag,
    the_tag_is_known_only_when_it_is_one, memory_follows_bytes_received_not_declared,
    messages_of_append_go_into_a_file, messages_have_their_own_limit)
