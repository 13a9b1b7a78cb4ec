#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/mime/header.h"

START_TEST(the_header_ends_at_its_empty_line)
{
	/* clang-format off */
	static const struct { const char *message; uint64_t size; } cases[] = {
		{ "", 0 },
		{ "\r\nbody", 2 },
		{ "\nbody", 1 },
		{ "A: b\r\n\r\nbody\r\n\r\n", 8 },
		{ "A: b\n\nbody", 6 },
		{ "A: b\r\n", 6 },
		{ "A: b", 4 },
		{ "A: b\r\n \r\nC: d\r\n\r\n", 17 },
		{ "A: b\r\n\r\r\nC: d\r\n\r\n", 17 },
		{ "\r", 1 },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stream *s = stream_from_mem(cases[i].message, strlen(cases[i].message));
		uint64_t size = 99;

		ck_assert_int_eq(header_size(s, &size, NULL), RK_OK);
		ck_assert_msg(size == cases[i].size, "%s: %lu", cases[i].message, size);
		stream_free(s);
	}
}
END_TEST

START_TEST(the_empty_line_may_lie_across_blocks)
{
	static char message[40000];

	for (size_t at = 16380; at < 16390; at++) {
		struct stream *s;
		uint64_t size;

		memset(message, 'x', sizeof(message));
		memcpy(message + at, "\r\n\r\n", 4);
		s = stream_from_mem(message, sizeof(message));
		ck_assert_int_eq(header_size(s, &size, NULL), RK_OK);
		ck_assert_uint_eq(size, at + 4);
		stream_free(s);
	}
}
END_TEST

#define HEADER                                                                                     \
	"From fred Sat\r\n"                                                                        \
	"Date: today\r\n"                                                                          \
	"Subject: a\r\n"                                                                           \
	" folded: b\r\n"                                                                           \
	"\tc\r\n"                                                                                  \
	"X-Odd : spaced\r\n"                                                                       \
	"subject: again\r\n"                                                                       \
	"no colon here\r\n"                                                                        \
	": nameless\r\n"                                                                           \
	"To: me\r\n"

START_TEST(fields_are_picked_as_they_stand)
{
	/* clang-format off */
	static const struct { const char *names[3]; bool invert; const char *want; } cases[] = {
		{ { "DATE" }, false, "Date: today\r\n\r\n" },
		{ { "Dat" }, false, "\r\n" },
		{ { "Subject" }, false,
		  "Subject: a\r\n folded: b\r\n\tc\r\nsubject: again\r\nno colon here\r\n: nameless\r\n\r\n" },
		{ { "x-odd", "TO" }, false, "X-Odd : spaced\r\nTo: me\r\n\r\n" },
		{ { "folded", "no colon here" }, false, "\r\n" },
		{ { "" }, false, "\r\n" },
		{ { "Subject", "Date", "to" }, true, "From fred Sat\r\nX-Odd : spaced\r\n\r\n" },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str names[3];
		size_t n = 0;
		struct buf out = BUF_INIT;

		while (n < 3 && cases[i].names[n] != NULL) {
			names[n] = str_from(cases[i].names[n]);
			n++;
		}
		header_select(STR_LIT(HEADER "\r\nbody: x\r\n"), names, n, cases[i].invert, &out);
		ck_assert_str_eq(out.data, cases[i].want);
		buf_clear(&out);
	}
}
END_TEST

START_TEST(without_an_empty_line_there_is_none)
{
	struct str to = STR_LIT("to"), none = STR_LIT("none");
	struct buf out = BUF_INIT;

	buf_adds(&out, "");
	header_select(STR_LIT(HEADER), &to, 1, false, &out);
	ck_assert_str_eq(out.data, "To: me\r\n");
	buf_empty(&out);
	header_select(STR_LIT(HEADER), &none, 1, false, &out);
	ck_assert_uint_eq(out.len, 0);
	header_select(STR_LIT(""), &none, 1, true, &out);
	ck_assert_uint_eq(out.len, 0);
	header_select(STR_LIT("To: cut"), &to, 1, false, &out);
	ck_assert(str_is(str_of(out.data, out.len), "To: cut"));
	buf_clear(&out);
}
END_TEST

static double
cpu_of(size_t lines, bool invert)
{
	struct buf header = BUF_INIT, out = BUF_INIT;
	static char names_text[256][32];
	struct str names[256];
	uint64_t size;
	struct stream *s;
	clock_t start;

	for (size_t i = 0; i < 256; i++) {
		snprintf(names_text[i], sizeof(names_text[i]), "X-Name-%04zu", i);
		names[i] = str_from(names_text[i]);
	}
	for (size_t i = 0; i < lines; i++)
		buf_adds(&header, i % 3 == 2 ? " fold\r\n" : "X-Name-9999: y\r\n");
	buf_adds(&header, "\r\n");
	start = clock();
	s = stream_from_mem(header.data, header.len);
	ck_assert_int_eq(header_size(s, &size, NULL), RK_OK);
	ck_assert_uint_eq(size, header.len);
	stream_free(s);
	header_select(str_of(header.data, header.len), names, 256, invert, &out);
	ck_assert_uint_eq(out.len, invert ? header.len : 2);
	buf_clear(&header);
	buf_clear(&out);
	return (double)(clock() - start) / CLOCKS_PER_SEC;
}

/* V06: cost grows with the lines, whatever they hold. */
START_TEST(a_million_lines_are_linear)
{
	double half = cpu_of(500000, true), full = cpu_of(1000000, true);

	/* Whatever else the machine does may make one run slow, not all of them. */
	for (int i = 0; i < 4 && half >= 0.05 && full / half > 2.6; i++) {
		half = cpu_of(500000, true);
		full = cpu_of(1000000, true);
	}
	ck_assert_msg(
	    full <= 10, "%.2f s", full); /* 2 s of the plain build, with sanitizers more */
	ck_assert_msg(half < 0.05 || full / half <= 2.6, "%.2f s, %.2f s", half, full);
	cpu_of(1000000, false);
}
END_TEST

UNIT_MAIN("header", the_header_ends_at_its_empty_line, the_empty_line_may_lie_across_blocks,
    fields_are_picked_as_they_stand, without_an_empty_line_there_is_none,
    a_million_lines_are_linear)
