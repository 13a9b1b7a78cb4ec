#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/mime/part.h"

/* "type/subtype header+size body+size lines" of each part, one after the other. */
static void
describe(const char *message, size_t n, struct buf *out)
{
	struct rk_arena *mem = arena_new();
	struct stream *s = stream_from_mem(message, n);
	struct mime_part *part;

	buf_empty(out);
	ck_assert_int_eq(mime_parse(s, mem, &part, NULL), RK_OK);
	for (const struct mime_part *at = part; at != NULL; at = mime_next(at))
		buf_addf(out, "%.*s/%.*s %d+%d %d+%d %u;", (int)at->type.n, at->type.p,
		    (int)at->subtype.n, at->subtype.p, (int)at->header, (int)at->header_size,
		    (int)at->body, (int)at->body_size, at->body_lines);
	stream_free(s);
	arena_free(mem);
}

START_TEST(structures)
{
	/* clang-format off */
	static const struct { const char *message, *parts; } cases[] = {
		{ "", "text/plain 0+0 0+0 0;" },
		{ "A: b", "text/plain 0+4 4+0 0;" },
		{ "\r\nx\r\n", "text/plain 0+2 2+3 1;" },
		{ "Content-Type: TEXT/Html\r\n\r\nx\r\ny", "TEXT/Html 0+27 27+4 1;" },
		{ "Content-Type: nonsense\r\n\r\n", "text/plain 0+26 26+0 0;" },
		{ "Content-Type: multipart/mixed\r\n\r\n--\r\n", "multipart/mixed 0+33 33+4 1;" },
		{ "Content-Type: multipart/x; boundary=b\r\n\r\np\r\n--b\r\n\r\none\r\n--b\r\n\r\n"
		  "--b--\r\nrest\r\n",
		  "multipart/x 0+41 41+35 8;text/plain 49+2 51+3 0;text/plain 61+2 63+0 0;" },
		{ "Content-Type: multipart/x;\r\n boundary=\"b c\"\r\n\r\n--b c\r\nX: y\r\n--b c--",
		  "multipart/x 0+47 47+20 2;text/plain 54+6 60+0 0;" },
		{ "Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nx\r\n",
		  "message/rfc822 0+32 32+11 3;text/plain 32+8 40+3 1;" },
		{ "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nA: b\r\n\r\nx\r\n--b--\r\n",
		  "multipart/digest 0+46 46+25 6;message/rfc822 51+2 53+9 2;text/plain 53+8 61+1 0;" },
		/* An outer boundary ends all that is open inside. */
		{ "Content-Type: multipart/x; boundary=a\r\n\r\n--a\r\n"
		  "Content-Type: multipart/y; boundary=b\r\n\r\n--b\r\n\r\nin\r\n--a\r\n\r\nout\r\n--a--\r\n",
		  "multipart/x 0+41 41+76 10;multipart/y 46+41 87+9 2;text/plain 92+2 94+2 0;"
		  "text/plain 103+2 105+3 0;" },
	};
	/* clang-format on */
	struct buf got = BUF_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		describe(cases[i].message, strlen(cases[i].message), &got);
		ck_assert_msg(strcmp(got.data, cases[i].parts) == 0, "%s:\n%s\n%s",
		    cases[i].message, got.data, cases[i].parts);
	}
	buf_clear(&got);
}
END_TEST

START_TEST(sections_go_through_messages)
{
	static const char message[] =
	    "Content-Type: multipart/x; boundary=a\r\n\r\n--a\r\n\r\none\r\n--a\r\n"
	    "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody\r\n--a--\r\n";
	struct rk_arena *mem = arena_new();
	struct stream *s = stream_from_mem(message, strlen(message));
	struct mime_part *m;

	ck_assert_int_eq(mime_parse(s, mem, &m, NULL), RK_OK);
	ck_assert_ptr_eq(mime_find(m, NULL, 0), m);
	ck_assert_ptr_eq(mime_find(m, (uint32_t[]){ 1 }, 1), m->child);
	ck_assert_ptr_eq(mime_find(m, (uint32_t[]){ 2 }, 1), m->child->next);
	ck_assert_ptr_eq(mime_find(m, (uint32_t[]){ 2, 1 }, 2), m->child->next->child);
	ck_assert_ptr_null(mime_find(m, (uint32_t[]){ 3 }, 1));
	ck_assert_ptr_null(mime_find(m, (uint32_t[]){ 1, 1 }, 2));
	ck_assert_ptr_null(mime_find(m, (uint32_t[]){ 2, 2 }, 2));
	ck_assert_ptr_null(mime_find(m, (uint32_t[]){ 2, 1, 1 }, 3));
	stream_free(s);
	arena_free(mem);
}
END_TEST

/* V05: multiparts within multiparts without end cost neither stack nor more than linear time. */
START_TEST(v05_depth_and_parts_are_bounded)
{
	struct buf message = BUF_INIT;
	struct rk_arena *mem = arena_new();
	struct mime_part *m;
	struct stream *s;
	size_t n = 0, depth = 0;

	for (int i = 0; i < 20000; i++)
		buf_addf(
		    &message, "Content-Type: multipart/x; boundary=b%d\r\n\r\n--b%d\r\n", i, i);
	s = stream_from_mem(message.data, message.len);
	ck_assert_int_eq(mime_parse(s, mem, &m, NULL), RK_OK);
	for (const struct mime_part *at = m; at != NULL; at = at->child)
		depth++;
	ck_assert_uint_eq(depth, MIME_DEPTH_MAX);
	stream_free(s);

	buf_empty(&message);
	buf_adds(&message, "Content-Type: multipart/x; boundary=b\r\n\r\n");
	for (int i = 0; i < 20000; i++)
		buf_adds(&message, "--b\r\n\r\n\r\n");
	s = stream_from_mem(message.data, message.len);
	ck_assert_int_eq(mime_parse(s, mem, &m, NULL), RK_OK);
	for (const struct mime_part *at = m; at != NULL; at = mime_next(at))
		n++;
	ck_assert_uint_eq(n, MIME_PARTS_MAX);
	stream_free(s);
	buf_clear(&message);
	arena_free(mem);
}
END_TEST

/* V06: a header of a million lines. */
START_TEST(v06_a_million_header_lines)
{
	struct buf message = BUF_INIT;
	struct rk_arena *mem = arena_new();
	struct mime_part *m;
	struct stream *s;
	clock_t before;

	for (int i = 0; i < 1000000; i++)
		buf_adds(&message, "Content-Type: text/x\r\n");
	s = stream_from_mem(message.data, message.len);
	before = clock();
	ck_assert_int_eq(mime_parse(s, mem, &m, NULL), RK_OK);
	ck_assert((clock() - before) / CLOCKS_PER_SEC < 2);
	ck_assert_uint_eq(m->header_size, message.len);
	stream_free(s);
	buf_clear(&message);
	arena_free(mem);
}
END_TEST

UNIT_MAIN("part", structures, sections_go_through_messages, v05_depth_and_parts_are_bounded,
    v06_a_million_header_lines)
