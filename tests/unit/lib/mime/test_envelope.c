#include "tests/unit/unit.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/mime/envelope.h"

START_TEST(envelopes)
{
	/* clang-format off */
	static const struct { const char *header, *envelope; } cases[] = {
		{ "", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)" },
		{ "Date: d\r\nSubject:  a\r\n b\r\nsubject: two\r\nMessage-Id: <i>\r\nIn-Reply-To:\r\n\r\n",
		  "(\"d\" \"a b\" NIL NIL NIL NIL NIL NIL \"\" \"<i>\")" },
		{ "From: A \"B \\\" C\" D <e . f@g> (h)\r\n",
		  "(NIL NIL ((\"A B \\\" C D\" NIL \"e.f\" \"g\")) ((\"A B \\\" C D\" NIL \"e.f\" \"g\")) "
		  "((\"A B \\\" C D\" NIL \"e.f\" \"g\")) NIL NIL NIL NIL NIL)" },
		{ "To: a@b (c (d)), <@r,@s:e@f>, lone, g: h@[1.2.3.4], i@j;, end:;\r\n",
		  "(NIL NIL NIL NIL NIL ((\"c (d)\" NIL \"a\" \"b\")(NIL \"@r,@s\" \"e\" \"f\")"
		  "(NIL NIL \"lone\" \"MISSING_DOMAIN\")(NIL NIL \"g\" NIL)"
		  "(NIL NIL \"h\" \"[1.2.3.4]\")(NIL NIL \"i\" \"j\")(NIL NIL NIL NIL)"
		  "(NIL NIL \"end\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL)" },
		{ "Cc: a@b\r\nCc: c@d\r\nSubject: \xe4\r\n",
		  "(NIL {1}\r\n\xe4 NIL NIL NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) NIL NIL NIL)" },
	};
	/* clang-format on */
	struct buf got = BUF_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_empty(&got);
		envelope_write(str_from(cases[i].header), &got);
		ck_assert_msg(strcmp(got.data, cases[i].envelope) == 0, "%s:\n%s\n%s",
		    cases[i].header, got.data, cases[i].envelope);
	}
	buf_clear(&got);
}
END_TEST

static enum rk_status
open_mem(void *from, uint64_t offset, struct stream **out, struct rk_err *err)
{
	const char *text = from;

	(void)err;
	*out = stream_from_mem(text + offset, strlen(text) - offset);
	return RK_OK;
}

START_TEST(bodies)
{
	/* clang-format off */
	static const struct { const char *message, *body, *structure; } cases[] = {
		{ "\r\nx\r\n",
		  "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1)",
		  "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1 NIL NIL NIL NIL)" },
		{ "Content-Type: a/b; name*0*=utf-8''x; name*1=\"y z\"\r\nContent-ID: <i>\r\n"
		  "Content-Disposition: attachment; filename=f\r\nContent-Language: en, de\r\n"
		  "Content-MD5: m\r\nContent-Location: l\r\nContent-Transfer-Encoding: BASE64\r\n\r\n",
		  "(\"a\" \"b\" (\"name*0*\" \"utf-8''x\" \"name*1\" \"y z\") \"<i>\" NIL \"BASE64\" 0)",
		  "(\"a\" \"b\" (\"name*0*\" \"utf-8''x\" \"name*1\" \"y z\") \"<i>\" NIL \"BASE64\" 0 \"m\" "
		  "(\"attachment\" (\"filename\" \"f\")) (\"en\" \"de\") \"l\")" },
		{ "Content-Type: multipart/x; boundary=b\r\n\r\n",
		  "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) \"x\")",
		  "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL) "
		  "\"x\" (\"boundary\" \"b\") NIL NIL NIL)" },
		{ "Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
		  "Subject: s\r\n\r\nt\r\n--b\r\nContent-Type: a/b\r\n\r\n--b--\r\n",
		  "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 15 "
		  "(NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL) "
		  "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0) 2)"
		  "(\"a\" \"b\" NIL NIL NIL \"7bit\" 0) \"x\")", NULL },
	};
	/* clang-format on */
	struct rk_arena *mem = arena_new();
	struct buf got = BUF_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct structure_source source = { open_mem, (void *)cases[i].message };
		struct stream *s = stream_from_mem(cases[i].message, strlen(cases[i].message));
		struct mime_part *m;

		ck_assert_int_eq(mime_parse(s, mem, &m, NULL), RK_OK);
		buf_empty(&got);
		ck_assert_int_eq(bodystructure_write(m, &source, false, &got, NULL), RK_OK);
		ck_assert_str_eq(got.data, cases[i].body);
		buf_empty(&got);
		ck_assert_int_eq(bodystructure_write(m, &source, true, &got, NULL), RK_OK);
		if (cases[i].structure != NULL)
			ck_assert_str_eq(got.data, cases[i].structure);
		stream_free(s);
	}
	buf_clear(&got);
	arena_free(mem);
}
END_TEST

/* V29: no value of a header breaks out of its place. */
START_TEST(v29_headers_cannot_inject)
{
	static const char header[] = "Subject: a\" NIL)\rx\r\nFrom: \"a\rb\" <c@d>\r\n\r\n";
	struct buf got = BUF_INIT;

	envelope_write(STR_LIT(header), &got);
	ck_assert_ptr_nonnull(strstr(got.data, "(NIL {9}\r\na\" NIL)\rx ((\"ab\" NIL"));
	buf_clear(&got);
}
END_TEST

UNIT_MAIN("envelope", envelopes, bodies, v29_headers_cannot_inject)
