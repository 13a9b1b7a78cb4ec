#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "imapd/gate/preauth.h"

static struct gate_settings settings = {
	.limit = { .line = 256,
	    .literal = 64,
	    .bytes = 4096,
	    .sasl = 1024,
	    .commands = 20,
	    .bad_commands = 3,
	    .auth_tries = 3 },
	.greeting = "Rookery ready",
	.mechanisms = { "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS" },
	.nmechanisms = 3,
};
static const struct offer clear = { .starttls = true };
static const struct offer secure = { .tls = true, .plaintext = true, .binding = true };

/* Feeds until an action or the end of the text, `step` bytes at a time. */
static enum preauth_action
feed(struct preauth *p, const char *bytes, size_t n, size_t step, size_t *taken_out)
{
	enum preauth_action action = PREAUTH_MORE;
	size_t at = 0;

	while (at < n && action == PREAUTH_MORE) {
		size_t chunk = n - at < step ? n - at : step, used = 0;
		char *copy = malloc(chunk); /* exact: a sanitizer sees a read beyond */

		memcpy(copy, bytes + at, chunk);
		action = preauth_feed(p, copy, chunk, &used);
		ck_assert_uint_le(used, chunk);
		free(copy);
		at += used;
	}
	*taken_out = at;
	return action;
}

struct sample {
	const char *in;
	size_t n;
	bool tls;
	enum preauth_action action;
	const char *out; /* whole output; NULL: not looked at */
};

/* clang-format off */
#define S(text) text, sizeof(text) - 1
#define BYE_BAD "* BYE Closing this connection\r\n"
static const struct sample samples[] = {
	{ S("a NOOP\r\n"), false, PREAUTH_MORE, "a OK Nothing done\r\n" },
	{ S("a noop\n"), false, PREAUTH_MORE, "a OK Nothing done\r\n" },
	{ S("a NOOP x\r\n"), false, PREAUTH_MORE, "a BAD NOOP takes no arguments\r\n" },
	{ S("a LOGOUT\r\n"), false, PREAUTH_CLOSE, "* BYE Logging out\r\na OK Logout completed\r\n" },
	{ S("a CAPABILITY\r\n"), false, PREAUTH_MORE, "* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL- SASL-IR ID ENABLE IDLE NAMESPACE UNSELECT STARTTLS LOGINDISABLED AUTH=SCRAM-SHA-256\r\na OK Capability completed\r\n" },
	{ S("a ID NIL\r\n"), false, PREAUTH_MORE, "* ID (\"name\" \"Rookery\")\r\na OK ID completed\r\n" },
	{ S("a ID (\"name\" \"x\" \"version\" NIL)\r\n"), false, PREAUTH_MORE, "* ID (\"name\" \"Rookery\")\r\na OK ID completed\r\n" },
	{ S("a ID ()\r\n"), false, PREAUTH_MORE, "* ID (\"name\" \"Rookery\")\r\na OK ID completed\r\n" },
	{ S("a ID (\"name\")\r\n"), false, PREAUTH_MORE, "a BAD ID takes a list of strings or NIL\r\n" },
	{ S("a ID (\"a-key-of-thirty-one-bytes-it-is\" NIL)\r\n"), false, PREAUTH_MORE, "a BAD ID takes a list of strings or NIL\r\n" },
	{ S("a ENABLE IMAP4rev2\r\n"), false, PREAUTH_MORE, "a BAD Unknown command, or not allowed before login\r\n" },
	{ S("a SELECT INBOX\r\n"), false, PREAUTH_MORE, "a BAD Unknown command, or not allowed before login\r\n" },
	{ S("\r\n"), false, PREAUTH_MORE, "* BAD A command is a tag, a space and a verb\r\n" },
	{ S("a STARTTLS\r\n"), false, PREAUTH_STARTTLS, "a OK Begin TLS negotiation now\r\n" },
	{ S("a STARTTLS\r\n"), true, PREAUTH_MORE, "a BAD TLS is active already\r\n" },
	{ S("a LOGIN u p\r\n"), false, PREAUTH_MORE, "a NO [PRIVACYREQUIRED] Use STARTTLS first\r\n" },
	{ S("a LOGIN u p\r\n"), true, PREAUTH_AUTH, "" },
	{ S("a LOGIN \"u\" {1}\r\np\r\n"), true, PREAUTH_AUTH, "+ Ready\r\n" },
	{ S("a LOGIN {1+}\r\nu {1+}\r\np\r\n"), true, PREAUTH_AUTH, "" },
	{ S("a LOGIN u\r\n"), true, PREAUTH_MORE, "a BAD LOGIN takes a user and a password\r\n" },
	{ S("a LOGIN u p q\r\n"), true, PREAUTH_MORE, "a BAD LOGIN takes a user and a password\r\n" },
	{ S("a LOGIN u {1}\r\n\0\r\n"), true, PREAUTH_CLOSE, NULL },
	{ S("a LOGIN u {65}\r\n"), true, PREAUTH_CLOSE, NULL },
	{ S("a LOGIN u {99999999999999999999}\r\n"), true, PREAUTH_CLOSE, NULL },
	{ S("a NOOP {3}\r\n"), false, PREAUTH_MORE, "a BAD No literal is taken here\r\n" },
	{ S("a AUTHENTICATE PLAIN\r\n"), true, PREAUTH_AUTH, "" },
	{ S("a authenticate plain =\r\n"), true, PREAUTH_AUTH, "" },
	{ S("a AUTHENTICATE PLAIN AHUAcA==\r\n"), true, PREAUTH_AUTH, "" },
	{ S("a AUTHENTICATE PLAIN AHUAcA=\r\n"), true, PREAUTH_MORE, "a BAD The initial response is no base64\r\n" },
	{ S("a AUTHENTICATE PLAIN =AAA\r\n"), true, PREAUTH_MORE, "a BAD The initial response is no base64\r\n" },
	{ S("a AUTHENTICATE PLAIN \r\n"), true, PREAUTH_MORE, "a BAD The initial response is no base64\r\n" },
	{ S("a AUTHENTICATE PLAIN\r\n"), false, PREAUTH_MORE, "a NO [PRIVACYREQUIRED] Use STARTTLS first\r\n" },
	{ S("a AUTHENTICATE SCRAM-SHA-256-PLUS\r\n"), false, PREAUTH_MORE, "a NO [PRIVACYREQUIRED] Use STARTTLS first\r\n" },
	{ S("a AUTHENTICATE GSSAPI\r\n"), true, PREAUTH_MORE, "a NO [CANNOT] This mechanism is not offered here\r\n" },
	{ S("a AUTHENTICATE A-MECHANISM-OF-MORE-THAN-23-BYTES\r\n"), true, PREAUTH_MORE, "a NO [CANNOT] This mechanism is not offered here\r\n" },
	{ S("GET / HTTP/1.1\r\nHost: x\r\n"), false, PREAUTH_DROP, "" },
	{ S("POST /x HTTP/1.1\r\n"), true, PREAUTH_DROP, "" },
	{ S("a NOOP\0\r\n"), false, PREAUTH_CLOSE, NULL },
	{ S("a NO\x01OP\r\n"), false, PREAUTH_CLOSE, NULL },
	{ S("a NOOP\rx\r\n"), false, PREAUTH_CLOSE, NULL },
	{ S("a NOOP\x7f\r\n"), false, PREAUTH_CLOSE, NULL },
	{ S("\x16\x03\x01\x02"), false, PREAUTH_CLOSE, NULL },
};
/* clang-format on */

START_TEST(commands_whole_and_in_pieces)
{
	static const size_t steps[] = { 100000, 1, 2, 3, 7 };

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		for (size_t k = 0; k < 5; k++) {
			const struct sample *s = &samples[i];
			struct preauth *p = preauth_new(&settings, s->tls ? &secure : &clear);
			enum preauth_action action;
			size_t taken;

			action = feed(p, s->in, s->n, steps[k], &taken);
			ck_assert_msg(action == s->action, "%s: action %d", s->in, (int)action);
			if (s->out != NULL)
				ck_assert_str_eq(p->out.len > 0 ? p->out.data : "", s->out);
			preauth_free(p);
		}
	}
}
END_TEST

START_TEST(nothing_is_taken_behind_an_action)
{
	/* clang-format off */
	static const char *const lines[] = { "a LOGIN u p\r\n", "a AUTHENTICATE PLAIN =\r\n" };
	/* clang-format on */
	for (int i = 0; i < 2; i++) {
		struct preauth *p = preauth_new(&settings, &secure);
		char text[128];
		size_t taken;

		snprintf(text, sizeof(text), "%sb SELECT INBOX\r\n", lines[i]);
		ck_assert_int_eq(feed(p, text, strlen(text), 1000, &taken), PREAUTH_AUTH);
		ck_assert_uint_eq(taken, strlen(lines[i]));
		preauth_free(p);
	}
}
END_TEST

START_TEST(login_becomes_plain)
{
	struct preauth *p = preauth_new(&settings, &secure);
	size_t taken;

	ck_assert_int_eq(feed(p, "t1 LOGIN amy \"s\\\"x\"\r\n", 21, 1000, &taken), PREAUTH_AUTH);
	ck_assert_str_eq(p->tag, "t1");
	ck_assert_str_eq(p->mechanism, "PLAIN");
	ck_assert_int_eq(p->reply, HANDOFF_LOGIN);
	ck_assert(p->has_data);
	ck_assert_uint_eq(p->data.len, 8);
	ck_assert_mem_eq(p->data.data, "\0amy\0s\"x", 8);
	preauth_free(p);
}
END_TEST

START_TEST(an_exchange_goes_back_and_forth)
{
	for (size_t step = 1; step < 40; step += 19) {
		struct preauth *p = preauth_new(&settings, &clear);
		size_t taken;

		ck_assert_int_eq(
		    feed(p, "a AUTHENTICATE SCRAM-SHA-256\r\n", 30, step, &taken), PREAUTH_AUTH);
		ck_assert(!p->has_data);
		preauth_challenge(p, STR_LIT(""));
		ck_assert_str_eq(p->out.data, "+ \r\n");
		ck_assert_int_eq(feed(p, "eHl6\r\nb NOOP\r\n", 14, step, &taken), PREAUTH_RESPONSE);
		ck_assert_uint_eq(taken, 6);
		ck_assert_uint_eq(p->data.len, 3);
		ck_assert_mem_eq(p->data.data, "xyz", 3);
		buf_empty(&p->out);
		preauth_final(p, STR_LIT("v=1"));
		ck_assert_str_eq(p->out.data, "+ dj0x\r\n");
		ck_assert_int_eq(feed(p, "\r\n", 2, step, &taken), PREAUTH_HANDOFF);
		ck_assert_str_eq(p->tag, "a");
		ck_assert_int_eq(p->reply, HANDOFF_AUTHENTICATE);
		preauth_free(p);
	}
}
END_TEST

static void
exchange_break(const char *line, size_t n, bool closes)
{
	struct preauth *p = preauth_new(&settings, &secure);
	size_t taken;

	feed(p, "a AUTHENTICATE PLAIN\r\n", 22, 100, &taken);
	preauth_challenge(p, STR_LIT(""));
	buf_empty(&p->out);
	ck_assert_int_eq(feed(p, line, n, 1, &taken), PREAUTH_CANCEL);
	ck_assert_msg(strncmp(p->out.data, "a BAD ", 6) == 0, "%s", p->out.data);
	ck_assert_int_eq(p->closing, closes);
	if (!closes)
		ck_assert_int_eq(feed(p, "b NOOP\r\n", 8, 1, &taken), PREAUTH_MORE);
	preauth_free(p);
}

START_TEST(an_exchange_may_be_broken_off)
{
	char lengthy[1200];

	exchange_break(S("*\r\n"), false);
	exchange_break(S("no base64!\r\n"), false);
	exchange_break(S("AHUA cA==\r\n"), false);
	exchange_break(S("AHU\0AcA==\r\n"), true);
	exchange_break(S("AHU\rAcA==\r\n"), true);
	exchange_break(S("AHU\x1b\r\n"), true);
	memset(lengthy, 'A', sizeof(lengthy));
	exchange_break(lengthy, sizeof(lengthy), true);
}
END_TEST

START_TEST(sasl_lines_at_the_limit_pass)
{
	struct preauth *p = preauth_new(&settings, &secure);
	char line[1026 + 32];
	size_t taken;

	memset(line, 'A', 1024);
	memcpy(line + 1024, "\r\n", 2);
	feed(p, "a AUTHENTICATE PLAIN\r\n", 22, 100, &taken);
	preauth_challenge(p, STR_LIT(""));
	ck_assert_int_eq(feed(p, line, 1026, 1, &taken), PREAUTH_RESPONSE);
	ck_assert_uint_eq(p->data.len, 768);
	preauth_free(p);
	/* The same as initial response, beyond what other lines may have. */
	p = preauth_new(&settings, &secure);
	memcpy(line, "a AUTHENTICATE PLAIN ", 21);
	memset(line + 21, 'A', 1024);
	memcpy(line + 21 + 1024, "\r\n", 2);
	ck_assert_int_eq(feed(p, line, 21 + 1026, 1, &taken), PREAUTH_AUTH);
	ck_assert_uint_eq(p->data.len, 768);
	preauth_free(p);
}
END_TEST

START_TEST(a_line_has_its_limit)
{
	for (size_t n = 256; n <= 257; n++) {
		for (size_t step = 1; step < 500; step += 499) {
			struct preauth *p = preauth_new(&settings, &clear);
			char line[300];
			size_t taken;

			memset(line, 'x', sizeof(line));
			memcpy(line, "a NOOP ", 7);
			memcpy(line + n - 2, "\r\n", 2);
			ck_assert_int_eq(feed(p, line, n, step, &taken),
			    n == 256 ? PREAUTH_MORE : PREAUTH_CLOSE);
			if (n > 256)
				ck_assert_str_eq(p->out.data,
				    "a BAD [TOOBIG] The command is too long\r\n" BYE_BAD);
			preauth_free(p);
		}
	}
}
END_TEST

START_TEST(a_tag_has_its_limit)
{
	for (size_t n = HANDOFF_TAG_MAX; n <= HANDOFF_TAG_MAX + 1; n++) {
		struct preauth *p = preauth_new(&settings, &clear);
		char line[256];
		size_t taken;

		memset(line, 't', n);
		memcpy(line + n, " NOOP\r\n", 8);
		ck_assert_int_eq(feed(p, line, strlen(line), 1000, &taken), PREAUTH_MORE);
		if (n == HANDOFF_TAG_MAX)
			ck_assert_ptr_nonnull(strstr(p->out.data, "tt OK"));
		else
			ck_assert_str_eq(p->out.data, "* BAD The tag is too long\r\n");
		preauth_free(p);
	}
}
END_TEST

START_TEST(bad_commands_are_counted)
{
	struct preauth *p = preauth_new(&settings, &clear);
	size_t taken;

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(feed(p, "a X\r\n", 5, 100, &taken), PREAUTH_MORE);
	buf_empty(&p->out);
	ck_assert_int_eq(feed(p, "a X\r\n", 5, 100, &taken), PREAUTH_CLOSE);
	ck_assert_ptr_nonnull(strstr(p->out.data, "* BYE Too many bad commands\r\n"));
	preauth_free(p);
}
END_TEST

START_TEST(commands_and_bytes_are_counted)
{
	struct preauth *p = preauth_new(&settings, &clear);
	char line[256];
	size_t taken;

	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(feed(p, "a NOOP\r\n", 8, 100, &taken), PREAUTH_MORE);
	buf_empty(&p->out);
	ck_assert_int_eq(feed(p, "a NOOP\r\n", 8, 100, &taken), PREAUTH_CLOSE);
	ck_assert_str_eq(p->out.data, "* BYE Too many commands before login\r\n");
	preauth_free(p);
	p = preauth_new(&settings, &clear);
	memcpy(line, "a ID (\"k\" \"", 11);
	memset(line + 11, 'x', 256 - 11 - 4);
	memcpy(line + 252, "\")\r\n", 4);
	for (int i = 0; i < 16; i++)
		ck_assert_int_eq(feed(p, line, 256, 1000, &taken), PREAUTH_MORE);
	buf_empty(&p->out);
	ck_assert_int_eq(feed(p, "a", 1, 1, &taken), PREAUTH_CLOSE);
	ck_assert_str_eq(p->out.data, "* BYE Too much was sent before login\r\n");
	preauth_free(p);
}
END_TEST

START_TEST(failures_are_answered)
{
	/* clang-format off */
	static const struct { enum auth_failure why; const char *text; } cases[] = {
		{ AUTH_REJECTED,     "a NO [AUTHENTICATIONFAILED] Authentication failed\r\n" },
		{ AUTH_UNAVAILABLE,  "a NO [UNAVAILABLE] Authentication is not possible now\r\n" },
		{ AUTH_BAD,          "a BAD Malformed authentication message\r\n" },
		{ AUTH_NO_MECHANISM, "a NO [CANNOT] This mechanism is not offered here\r\n" },
		{ AUTH_NEEDS_TLS,    "a NO [PRIVACYREQUIRED] Use STARTTLS first\r\n" },
	};
	/* clang-format on */
	struct preauth *p;
	size_t taken;

	for (size_t i = 0; i < 5; i++) {
		p = preauth_new(&settings, &secure);
		feed(p, "a LOGIN u p\r\n", 13, 100, &taken);
		ck_assert_int_eq(preauth_rejected(p, cases[i].why), PREAUTH_MORE);
		ck_assert_str_eq(p->out.data, cases[i].text);
		ck_assert_int_eq(p->state, PREAUTH_COMMAND);
		preauth_free(p);
	}
	p = preauth_new(&settings, &secure);
	feed(p, "a LOGIN u p\r\n", 13, 100, &taken);
	ck_assert_int_eq(preauth_handoff_failed(p, RK_LIMIT), PREAUTH_MORE);
	ck_assert_str_eq(p->out.data, "a NO [LIMIT] Too many sessions\r\n");
	for (int i = 0; i < 3; i++) {
		feed(p, "a LOGIN u p\r\n", 13, 100, &taken);
		ck_assert_int_eq(
		    preauth_rejected(p, AUTH_REJECTED), i < 2 ? PREAUTH_MORE : PREAUTH_CLOSE);
	}
	preauth_free(p);
}
END_TEST

/* V01: whatever was begun in clear is gone once TLS stands. */
START_TEST(tls_starts_anew)
{
	static const char *const begun[] = { "A2 LOGI", "A2 LOGIN {5}\r\n", "A2 LOGIN \"x" };
	struct preauth *p;
	size_t taken;

	for (int i = 0; i < 3; i++) {
		p = preauth_new(&settings, &clear);
		ck_assert_int_eq(feed(p, "A1 STARTTLS\r\n", 13, 100, &taken), PREAUTH_STARTTLS);
		preauth_secured(p, &clear); /* as if the rest had come before the drain */
		feed(p, begun[i], strlen(begun[i]), 100, &taken);
		preauth_secured(p, &secure);
		ck_assert_int_eq(feed(p, "B NOOP\r\n", 8, 100, &taken), PREAUTH_MORE);
		ck_assert_str_eq(p->out.data, "B OK Nothing done\r\n");
		preauth_free(p);
	}
	p = preauth_new(&settings, &clear);
	feed(p, "A AUTHENTICATE SCRAM-SHA-256\r\n", 30, 100, &taken);
	preauth_challenge(p, STR_LIT("x"));
	feed(p, "AAA", 3, 100, &taken);
	preauth_secured(p, &secure);
	ck_assert_int_eq(feed(p, "B NOOP\r\n", 8, 100, &taken), PREAUTH_MORE);
	ck_assert_str_eq(p->out.data, "B OK Nothing done\r\n");
	preauth_free(p);
}
END_TEST

/* V02: a control byte at any place of a command never logs in. */
START_TEST(control_bytes_never_log_in)
{
	static const char text[] = "a LOGIN {3+}\r\namy {4+}\r\npass\r\n";

	for (size_t at = 0; at < sizeof(text) - 1; at++) {
		for (int c = 0; c < 0x20; c++) {
			struct preauth *p;
			char copy[sizeof(text)];
			size_t taken;

			if (c == '\r' || c == '\n' || c == '\t' || text[at] == '\n' ||
			    text[at] == '\r')
				continue;
			p = preauth_new(&settings, &secure);
			memcpy(copy, text, sizeof(text));
			copy[at] = (char)c;
			ck_assert_int_eq(
			    feed(p, copy, sizeof(text) - 1, 1000, &taken), PREAUTH_CLOSE);
			preauth_free(p);
		}
	}
}
END_TEST

START_TEST(the_greeting_holds_one_line)
{
	struct gate_settings odd = settings;
	struct preauth *p;

	odd.greeting = "hello\r\n* PREAUTH";
	p = preauth_new(&odd, &clear);
	preauth_greet(p);
	ck_assert_int_eq(strncmp(p->out.data, "* OK [CAPABILITY IMAP4rev1 ", 27), 0);
	ck_assert_ptr_eq(strchr(p->out.data, '\n'), p->out.data + p->out.len - 1);
	preauth_free(p);
}
END_TEST

UNIT_MAIN("preauth", commands_whole_and_in_pieces, nothing_is_taken_behind_an_action,
    login_becomes_plain, an_exchange_goes_back_and_forth, an_exchange_may_be_broken_off,
    sasl_lines_at_the_limit_pass, a_line_has_its_limit, a_tag_has_its_limit,
    bad_commands_are_counted, commands_and_bytes_are_counted, failures_are_answered,
    tls_starts_anew, control_bytes_never_log_in, the_greeting_holds_one_line)
