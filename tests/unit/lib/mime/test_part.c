#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/mime/part.h"

/* "type/subtype header+size body+size lines", children in brackets behind it. */
static void
dump(const struct mime_part *root, struct buf *out)
{
	for (const struct mime_part *p = root; p != NULL;) {
		buf_addf(out, "%.*s/%.*s %d+%d %d+%d %u", (int)p->type.n, p->type.p,
		    (int)p->subtype.n, p->subtype.p, (int)p->header, (int)p->header_size,
		    (int)p->body, (int)p->body_size, p->body_lines);
		if (p->child != NULL) {
			buf_addc(out, '[');
			p = p->child;
			continue;
		}
		while (p->parent != NULL && p->next == NULL) {
			buf_addc(out, ']');
			p = p->parent;
		}
		if (p->next != NULL)
			buf_addc(out, ' ');
		p = p->next;
	}
}

static const struct mime_part *
parsed(const char *text, size_t len, struct rk_arena *mem)
{
	struct stream *s = stream_from_mem(text, len);
	struct mime_part *root = NULL;
	struct rk_err err = { 0 };

	ck_assert_msg(mime_parse(s, mem, &root, &err) == RK_OK, "%s", err.text);
	stream_free(s);
	return root;
}

#define MULTI "Content-Type: multipart/mixed; boundary=b\r\n\r\n"

static const struct {
	const char *text;
	const char *want;
} rows[] = {
	{ "", "text/plain 0+0 0+0 0" },
	{ "\r\n", "text/plain 0+2 2+0 0" },
	{ "Subject: x", "text/plain 0+10 10+0 0" },
	{ "Subject: x\r\n\r\nbody", "text/plain 0+14 14+4 0" },
	{ "Subject: x\r\n\r\none\r\ntwo\r\n", "text/plain 0+14 14+10 2" },
	{ "Content-Type: image/gif\r\n\r\nGIF", "image/gif 0+27 27+3 0" },
	{ "Content-Type: nonsense\r\n\r\n", "text/plain 0+26 26+0 0" },
	/* The line end before a delimiter is the delimiter's (RFC 2046 section 5.1.1). */
	{ MULTI "--b\r\n\r\none\r\n--b\r\nA: b\r\n\r\ntwo\r\n\r\n--b--\r\n",
	    "multipart/mixed 0+45 45+39 9[text/plain 50+2 52+3 0 text/plain 62+8 70+5 1]" },
	/* Preamble and epilogue belong to no part; a delimiter without its end ends nothing. */
	{ MULTI "pre\r\n--b\r\n\r\none\r\n--b--\r\npost\r\n--b\r\n\r\nno\r\n",
	    "multipart/mixed 0+45 45+41 9[text/plain 55+2 57+3 0]" },
	{ MULTI "--b\r\n\r\none\r\n", "multipart/mixed 0+45 45+12 3[text/plain 50+2 52+5 1]" },
	{ MULTI "no delimiter\r\n", "multipart/mixed 0+45 45+14 1" },
	{ MULTI "--b\r\n--b\r\n\r\nx\r\n--b--",
	    "multipart/mixed 0+45 45+20 4[text/plain 50+0 50+0 0 text/plain 55+2 57+1 0]" },
	/* A delimiter inside a header ends it. */
	{ MULTI "--b\r\nA: b\r\n--b\r\n\r\nx\r\n--b--",
	    "multipart/mixed 0+45 45+26 5[text/plain 50+4 54+0 0 text/plain 61+2 63+1 0]" },
	/* What it cuts off may hold a message by default. */
	{ "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\nA: b\r\n--b--",
	    "multipart/digest 0+46 46+16 2[message/rfc822 51+4 55+0 0[text/plain 55+0 55+0 0]]" },
	/* The outer delimiter ends what was left open inside. */
	{ MULTI "--b\r\nContent-Type: multipart/x; boundary=bb\r\n\r\n--bb\r\n\r\nin\r\n--b\r\n\r\n"
		"out\r\n--b--\r\n",
	    "multipart/mixed 0+45 45+78 10[multipart/x 50+42 92+10 2[text/plain 98+2 100+2 0] "
	    "text/plain 109+2 111+3 0]" },
	{ "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody\r\n",
	    "message/rfc822 0+32 32+21 3[text/plain 32+15 47+6 1]" },
	{ "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDo=",
	    "message/rfc822 0+67 67+12 0" },
	{ "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nA: b\r\n\r\nx\r\n--b--",
	    "multipart/digest 0+46 46+23 5[message/rfc822 51+2 53+9 2[text/plain 53+8 61+1 0]]" },
};

START_TEST(structures)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rk_arena *mem = arena_new();
		struct buf got = BUF_INIT;

		dump(parsed(rows[i].text, strlen(rows[i].text), mem), &got);
		ck_assert_msg(strcmp(got.data, rows[i].want) == 0, "row %zu: %s\nwant %s", i,
		    got.data, rows[i].want);
		buf_clear(&got);
		arena_free(mem);
	}
}
END_TEST

/* A delimiter is found wherever the blocks are cut that a file is read in. */
START_TEST(cuts_change_nothing)
{
	static const char tail[] = "\r\n--b\r\nA: b\r\n\r\nx\r\n--b--\r\n";

	for (size_t pad = 65536 - 80; pad < 65536 + 20; pad++) {
		struct rk_arena *mem = arena_new();
		struct buf text = BUF_INIT;
		const struct mime_part *root;

		buf_adds(&text, MULTI "--b\r\n\r\n");
		while (text.len < pad)
			buf_addc(&text, 'y');
		buf_adds(&text, tail);
		root = parsed(text.data, text.len, mem);
		ck_assert_ptr_nonnull(root->child);
		ck_assert_uint_eq(root->child->body, 52);
		ck_assert_uint_eq(root->child->body_size, pad - 52);
		ck_assert_ptr_nonnull(root->child->next);
		ck_assert_uint_eq(root->child->next->body_size, 1);
		buf_clear(&text);
		arena_free(mem);
	}
}
END_TEST

/* A field of a part is whole, wherever in a block its header begins. */
START_TEST(long_fields_of_a_later_part)
{
	struct rk_arena *mem = arena_new();
	struct buf text = BUF_INIT;
	const struct mime_part *part;

	buf_adds(&text, MULTI "--b\r\n\r\n");
	while (text.len < 65536 + 100)
		buf_adds(&text, "line\r\n");
	buf_adds(&text, "--b\r\nContent-Type: text/plain; name=\"");
	for (int i = 0; i < 5000; i++)
		buf_addc(&text, 'n');
	buf_adds(&text, "\"; charset=x\r\n\r\nbody\r\n--b--\r\n");
	part = parsed(text.data, text.len, mem)->child->next;
	ck_assert_uint_eq(part->nparams, 2);
	ck_assert_uint_eq(part->params[0].value.n, 5000);
	ck_assert(str_is(part->charset, "x"));
	buf_clear(&text);
	arena_free(mem);
}
END_TEST

START_TEST(sections_name_parts)
{
	static const char text[] =
	    MULTI "--b\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
		  "Content-Type: multipart/x; boundary=c\r\n\r\n--c\r\n\r\ndeep\r\n--c--\r\n--b--";
	static const struct {
		uint32_t path[3];
		size_t n;
		const char *body; /* NULL: no such part */
	} paths[] = {
		{ { 1 }, 1, "one" },
		{ { 2, 1 }, 2, "deep" },
		{ { 3 }, 1, NULL },
		{ { 0 }, 1, NULL },
		{ { 1, 1 }, 2, NULL },
		{ { 2, 2 }, 2, NULL },
		{ { 2, 1, 1 }, 3, NULL },
	};
	struct rk_arena *mem = arena_new();
	const struct mime_part *root = parsed(text, sizeof(text) - 1, mem);

	ck_assert_ptr_eq(mime_find(root, NULL, 0), root);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct mime_part *p = mime_find(root, paths[i].path, paths[i].n);

		if (paths[i].body == NULL) {
			ck_assert_ptr_null(p);
			continue;
		}
		ck_assert_ptr_nonnull(p);
		ck_assert_uint_eq(p->body_size, strlen(paths[i].body));
		ck_assert_int_eq(memcmp(text + p->body, paths[i].body, p->body_size), 0);
	}
	/* A message that is no multipart has itself as part 1. */
	root = parsed("A: b\r\n\r\nx", 9, mem);
	ck_assert_ptr_eq(mime_find(root, (uint32_t[]){ 1 }, 1), root);
	ck_assert_ptr_null(mime_find(root, (uint32_t[]){ 1, 1 }, 2));
	ck_assert_ptr_null(mime_find(root, (uint32_t[]){ 2 }, 1));
	arena_free(mem);
}
END_TEST

static size_t
count(const struct mime_part *part)
{
	size_t n = 0;

	for (; part != NULL; part = mime_next(part))
		n++;
	return n;
}

/* V05: depth and number of parts end at their limits, and the rest is text. */
START_TEST(v05_depth_and_parts_are_bounded)
{
	static const unsigned depths[] = { 99, 100, 101, 10000 };
	static const unsigned parts[] = { 9998, 9999, 10000, 100000 };

	for (size_t i = 0; i < 4; i++) {
		struct rk_arena *mem = arena_new();
		struct buf text = BUF_INIT;
		size_t n;

		for (unsigned d = 0; d < depths[i]; d++)
			buf_addf(&text,
			    "Content-Type: multipart/mixed; boundary=b%u.\r\n\r\n--b%u.\r\n", d, d);
		n = count(parsed(text.data, text.len, mem));
		ck_assert_uint_eq(n, depths[i] < MIME_DEPTH_MAX ? depths[i] + 1 : MIME_DEPTH_MAX);
		buf_clear(&text);
		for (unsigned d = 0; d < depths[i]; d++)
			buf_adds(&text, "Content-Type: message/rfc822\r\n\r\n");
		n = count(parsed(text.data, text.len, mem));
		ck_assert_uint_eq(n, depths[i] < MIME_DEPTH_MAX ? depths[i] + 1 : MIME_DEPTH_MAX);
		buf_clear(&text);
		buf_adds(&text, MULTI);
		for (unsigned d = 0; d < parts[i]; d++)
			buf_adds(&text, "--b\r\n\r\nx\r\n");
		n = count(parsed(text.data, text.len, mem));
		ck_assert_uint_eq(n, parts[i] < MIME_PARTS_MAX ? parts[i] + 1 : MIME_PARTS_MAX);
		buf_clear(&text);
		arena_free(mem);
	}
}
END_TEST

static double
seconds_of(const char *line, size_t n)
{
	struct rk_arena *mem = arena_new();
	struct buf text = BUF_INIT;
	clock_t started;
	double took;

	for (size_t i = 0; i < n; i++)
		buf_adds(&text, line);
	started = clock();
	(void)parsed(text.data, text.len, mem);
	took = (double)(clock() - started) / CLOCKS_PER_SEC;
	ck_assert_uint_lt(arena_used(mem), (size_t)64 << 20);
	buf_clear(&text);
	arena_free(mem);
	return took;
}

/* V06: 10^6 lines of any kind: at most 2 s (a sanitizer's build is slower). */
START_TEST(v06_a_million_header_lines)
{
	static const char *const lines[] = { "Subject: x\r\n", "Content-Type: a/b\r\n",
		" folded\r\n", "Content-ID: <x@y>\r\n", "no field\r\n", ":\r\n", "--b\r\n" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ck_assert_double_lt(seconds_of(lines[i], 1000000), 10.0);
}
END_TEST

START_TEST(parameters)
{
	static const struct {
		const char *text;
		const char *want;
	} values[] = {
		{ "attachment", "attachment" },
		{ "attachment; filename=a.txt", "attachment filename=a.txt" },
		{ " inline ; A = \"q \\\"x\\\"\" ;b=c", "inline A=q \"x\" b=c" },
		{ "x (a (nested) comment) ; n=v (more)", "x n=v" },
		{ "x; n=\"no end", "x n=no end" },
		{ "x;;; n=v;", "x n=v" },
		{ "x; name*0*=utf-8''a; name*1=b", "x name*0*=utf-8''a name*1=b" },
		{ "x; N*0=a; n*1=\"b c\"; n*2=d; m=e", "x N=ab cd m=e" },
		{ "x; n*0=a; n*2=b; *0=c", "x n=a n*2=b *0=c" },
		{ "x; novalue; n=v", "x" },
		{ "x; n=", "x n=" },
		{ "(comment \\", "" },
		{ "\"\\", "\\" },
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct rk_arena *mem = arena_new();
		struct buf got = BUF_INIT;
		struct mime_value v;

		if (mime_value_parse(str_from(values[i].text), mem, &v))
			buf_add(&got, v.word.p, v.word.n);
		else
			buf_adds(&got, "");
		for (size_t k = 0; k < v.nparams; k++)
			buf_addf(&got, " %.*s=%.*s", (int)v.params[k].name.n, v.params[k].name.p,
			    (int)v.params[k].value.n, v.params[k].value.p);
		ck_assert_str_eq(got.data, values[i].want);
		buf_clear(&got);
		arena_free(mem);
	}
}
END_TEST

UNIT_MAIN("mime parts", structures, cuts_change_nothing, long_fields_of_a_later_part,
    sections_name_parts, v05_depth_and_parts_are_bounded, v06_a_million_header_lines, parameters)
