#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/arena.h"
#include "lib/mime/address.h"
#include "lib/mime/envelope.h"

#define NONE " NIL NIL NIL NIL NIL NIL NIL NIL"

static const struct {
	const char *header;
	const char *want;
} envelopes[] = {
	{ "", "(NIL NIL" NONE ")" },
	{ "Subject: x\r\n\r\nFrom: no@header\r\n", "(NIL \"x\"" NONE ")" },
	{ "Subject:\r\nDate: d\r\n", "(\"d\" \"\"" NONE ")" },
	{ "Subject: first\r\nSUBJECT : folded\r\n  twice\r\n\tmore\r\n",
	    "(NIL \"folded  twice\tmore\"" NONE ")" },
	{ "subject: a \"quoted\\\" one\r\n", "(NIL \"a \\\"quoted\\\\\\\" one\"" NONE ")" },
	{ "Subject: \xc3\xa9\r\n", "(NIL {2}\r\n\xc3\xa9" NONE ")" },
	{ "From: a@b\r\n", "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) "
			   "((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL)" },
	{ "From: a@b\r\nSender: s@b\r\nReply-To:\r\nTo: x@y\r\nTo: z@y\r\nMessage-ID: <i@d>\r\n",
	    "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"s\" \"b\")) ((NIL NIL \"a\" \"b\")) "
	    "((NIL NIL \"x\" \"y\")(NIL NIL \"z\" \"y\")) NIL NIL NIL \"<i@d>\")" },
};

START_TEST(envelope_rows)
{
	for (size_t i = 0; i < sizeof(envelopes) / sizeof(envelopes[0]); i++) {
		struct buf got = BUF_INIT;

		envelope_write(str_from(envelopes[i].header), &got);
		ck_assert_str_eq(got.data, envelopes[i].want);
		buf_clear(&got);
	}
}
END_TEST

#define GROUP_END "(NIL NIL NIL NIL)"

static const struct {
	const char *text;
	const char *want;
} addresses[] = {
	{ "", "NIL" },
	{ " , ,, ", "NIL" },
	{ "a@b", "((NIL NIL \"a\" \"b\"))" },
	{ "Name <a@b.c>", "((\"Name\" NIL \"a\" \"b.c\"))" },
	{ "\"Q. Name\" <a@b>, c@d", "((\"Q. Name\" NIL \"a\" \"b\")(NIL NIL \"c\" \"d\"))" },
	{ "First Middle  Last <a@b>", "((\"First Middle Last\" NIL \"a\" \"b\"))" },
	{ "John Q. Public <a@b>", "((\"John Q. Public\" NIL \"a\" \"b\"))" },
	{ "a@b (The Name)", "((\"The Name\" NIL \"a\" \"b\"))" },
	{ "a . b @ c . d", "((NIL NIL \"a.b\" \"c.d\"))" },
	{ "<@r1,@r2:a@b>", "((NIL \"@r1,@r2\" \"a\" \"b\"))" },
	{ "a@[1.2.3.4]", "((NIL NIL \"a\" \"[1.2.3.4]\"))" },
	{ "\"a b\"@c", "((NIL NIL \"a b\" \"c\"))" },
	{ "group: a@b, c@d;",
	    "((NIL NIL \"group\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")" GROUP_END ")" },
	{ "undisclosed-recipients:;", "((NIL NIL \"undisclosed-recipients\" NIL)" GROUP_END ")" },
	{ "g: a@b", "((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")" GROUP_END ")" },
	{ "just words", "((NIL NIL \"just words\" \"MISSING_DOMAIN\"))" },
	{ "@b", "((NIL NIL \"MISSING_MAILBOX\" \"b\"))" },
	{ "<>", "((NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))" },
	{ "=?utf-8?q?x?= <a@b>", "((\"=?utf-8?q?x?=\" NIL \"a\" \"b\"))" },
};

START_TEST(address_rows)
{
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct buf got = BUF_INIT;

		address_list_write(str_from(addresses[i].text), &got);
		ck_assert_str_eq(got.data, addresses[i].want);
		buf_clear(&got);
	}
}
END_TEST

/* V06: what ends too early ends; no input is slow, and no list has no end. */
START_TEST(v06_hostile_addresses)
{
	static const char *const endings[] = { "(\\", "\"\\", "(", "<", "a@[", "g:", "<@", "a@b <",
		"\"", "@", ":", ";", "]", ")" };
	static const char *const repeated[] = { "a@b,", "(x) ", "((", "g:;", "\"q\" ", "<", ">",
		"a.", "@", "=?utf-8?q?x?= ", ";", ":", "\\", "<@a," };

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		size_t n = strlen(endings[i]);
		char *exact = malloc(n);
		struct buf got = BUF_INIT;

		memcpy(exact, endings[i], n);
		address_list_write(str_of(exact, n), &got);
		ck_assert(got.len > 0);
		buf_clear(&got);
		free(exact);
	}
	for (size_t i = 0; i < sizeof(repeated) / sizeof(repeated[0]); i++) {
		struct buf text = BUF_INIT, got = BUF_INIT;
		clock_t started = clock();

		while (text.len < 1000000)
			buf_adds(&text, repeated[i]);
		address_list_write(str_of(text.data, text.len), &got);
		ck_assert_double_lt((double)(clock() - started) / CLOCKS_PER_SEC, 5.0);
		buf_clear(&text);
		buf_clear(&got);
	}
}
END_TEST

static enum rk_status
text_open(void *from, uint64_t offset, struct stream **out, struct rk_err *err)
{
	const char *text = from;

	(void)err;
	*out = stream_from_mem(text + offset, strlen(text + offset));
	return RK_OK;
}

#define PLAIN "\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\""

static const struct {
	const char *text;
	const char *body;
	const char *structure;
} structures[] = {
	{ "A: b\r\n\r\nx\r\n", "(" PLAIN " 3 1)", "(" PLAIN " 3 1 NIL NIL NIL NIL)" },
	{ "Content-Type: image/gif; name=x\r\nContent-ID: <i>\r\nContent-Description: d\r\n"
	  "Content-Transfer-Encoding: base64\r\nContent-MD5: m\r\n"
	  "Content-Disposition: attachment; filename=\"a b\"\r\nContent-Language: en, de\r\n"
	  "Content-Location: l\r\n\r\nR0lG",
	    "(\"image\" \"gif\" (\"name\" \"x\") \"<i>\" \"d\" \"base64\" 4)",
	    "(\"image\" \"gif\" (\"name\" \"x\") \"<i>\" \"d\" \"base64\" 4 \"m\" "
	    "(\"attachment\" (\"filename\" \"a b\")) (\"en\" \"de\") \"l\")" },
	{ "Content-Type: multipart/mixed; "
	  "boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n\r\n--b--",
	    "((" PLAIN " 3 0)(" PLAIN " 5 1) \"mixed\")",
	    "((" PLAIN " 3 0 NIL NIL NIL NIL)(" PLAIN " 5 1 NIL NIL NIL NIL) \"mixed\" "
	    "(\"boundary\" \"b\") NIL NIL NIL)" },
	{ "Content-Type: multipart/mixed; boundary=b\r\n\r\nnothing", "((" PLAIN " 0 0) \"mixed\")",
	    "((" PLAIN " 0 0 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)" },
	{ "Content-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\nx\r\n",
	    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 17 (NIL \"s\"" NONE ") (" PLAIN
	    " 3 1) 3)",
	    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 17 (NIL \"s\"" NONE ") (" PLAIN
	    " 3 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)" },
	/* A message that is encoded is not looked into, and "message" would promise an envelope. */
	{ "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQTog",
	    "(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 4)",
	    "(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 4 NIL NIL NIL NIL)" },
};

static void
structure_check(const char *text, bool extended, const char *want)
{
	struct structure_source source = { text_open, (void *)text };
	struct rk_arena *mem = arena_new();
	struct stream *s = stream_from_mem(text, strlen(text));
	struct mime_part *root;
	struct buf got = BUF_INIT;

	ck_assert_int_eq(mime_parse(s, mem, &root, NULL), RK_OK);
	ck_assert_int_eq(bodystructure_write(root, &source, extended, &got, NULL), RK_OK);
	ck_assert_str_eq(got.data, want);
	buf_clear(&got);
	stream_free(s);
	arena_free(mem);
}

START_TEST(structure_rows)
{
	for (size_t i = 0; i < sizeof(structures) / sizeof(structures[0]); i++) {
		structure_check(structures[i].text, false, structures[i].body);
		structure_check(structures[i].text, true, structures[i].structure);
	}
}
END_TEST

/* V29: whatever a header holds, outside of literals the answer is one line without control bytes,
 * and its quotes and parentheses are in pairs. */
START_TEST(v29_headers_cannot_break_out)
{
	static const char *const values[] = { "a\" NIL)", "a\\", "\rb", "a\r)\r(", "{3}", "\xff\"(",
		"\\\"", "\"a\\", "(((", "<\"@\">", "a\001b", "g:(\"" };
	static const char *const names[] = { "Subject", "From", "To", "Message-ID", "Date" };
	struct buf out = BUF_INIT;
	char header[100];

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]) * 5; i++) {
		int depth = 0;
		bool quoted = false;

		snprintf(header, sizeof(header), "%s: %s\r\n\r\n", names[i % 5], values[i / 5]);
		buf_empty(&out);
		envelope_write(str_from(header), &out);
		for (char *p = out.data; p < out.data + out.len; p++) {
			if (!quoted && *p == '{') {
				p = strstr(p, "\r\n") + 1 + strtoul(p + 1, NULL, 10);
				continue;
			}
			ck_assert_msg(*p != '\r' && *p != '\n' && *p != '\0', "%s", header);
			if (quoted && *p == '\\')
				p++;
			else if (*p == '"')
				quoted = !quoted;
			else if (!quoted && (*p == '(' || *p == ')'))
				depth += *p == '(' ? 1 : -1;
		}
		ck_assert_msg(!quoted && depth == 0, "%s: %s", header, out.data);
	}
	buf_clear(&out);
}
END_TEST

UNIT_MAIN("envelope and structure", envelope_rows, address_rows, v06_hostile_addresses,
    structure_rows, v29_headers_cannot_break_out)
