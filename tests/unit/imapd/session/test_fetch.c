#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "imapd/session/body.h"
#include "lib/base/buf.h"
#include "tests/unit/imapd/session/harness.h"

static struct harness h;

struct exchange {
	const char *say;
	const char *hear;
};

static void
talk(const struct exchange *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		say(&h, rows[i].say);
		hear(&h, rows[i].hear);
	}
}
#define TALK(rows) talk(rows, sizeof(rows) / sizeof((rows)[0]))

#define HEADER "Subject: s\r\nFrom: a\r\n b\r\nX: 1\r\n\r\n"
#define TEXT "one\r\ntwo\r\n"

static void
one_message(enum rk_eol eol, bool size_known)
{
	char text[200];
	size_t n = 0;

	for (const char *p = HEADER TEXT; *p != '\0'; p++) {
		if (*p != '\r' || eol == RK_EOL_CRLF)
			text[n++] = *p;
	}
	text[n] = '\0';
	harness_init(&h);
	fake_msg_add_as(fake_box_find("INBOX"), RK_FLAG_SEEN, text, eol, size_known);
	harness_select(&h);
}

static void
items(enum rk_eol eol, bool size_known)
{
	static const struct exchange rows[] = {
		{ "a FETCH 1 FAST\r\n",
		    "* 1 FETCH (FLAGS (\\Seen) INTERNALDATE \"14-Nov-2023 22:13:21 +0000\" "
		    "RFC822.SIZE 43)\r\na OK FETCH completed\r\n" },
		{ "b UID FETCH 1:* FLAGS\r\n",
		    "* 1 FETCH (UID 1 FLAGS (\\Seen))\r\nb OK FETCH completed\r\n" },
		{ "c FETCH * BODY[]\r\n",
		    "* 1 FETCH (BODY[] {43}\r\n" HEADER TEXT ")\r\nc OK FETCH completed\r\n" },
		{ "d FETCH 1 (BODY.PEEK[HEADER] RFC822.TEXT)\r\n",
		    "* 1 FETCH (BODY[HEADER] {33}\r\n" HEADER " RFC822.TEXT {10}\r\n" TEXT
		    ")\r\nd OK FETCH completed\r\n" },
		{ "e FETCH 1 (RFC822 RFC822.HEADER BODY[TEXT])\r\n",
		    "* 1 FETCH (RFC822 {43}\r\n" HEADER TEXT " RFC822.HEADER {33}\r\n" HEADER
		    " BODY[TEXT] {10}\r\n" TEXT ")\r\ne OK FETCH completed\r\n" },
		{ "f FETCH 1 BODY.PEEK[HEADER.FIELDS (from to)]\r\n",
		    "* 1 FETCH (BODY[HEADER.FIELDS (from to)] {15}\r\nFrom: a\r\n b\r\n\r\n)\r\n"
		    "f OK FETCH completed\r\n" },
		{ "g FETCH 1 BODY[HEADER.FIELDS.NOT (from)]<2.9>\r\n",
		    "* 1 FETCH (BODY[HEADER.FIELDS.NOT (from)]<2> {9}\r\nbject: s\r)\r\n"
		    "g OK FETCH completed\r\n" },
		{ "h FETCH 1 BODY[]<0.1>\r\n",
		    "* 1 FETCH (BODY[]<0> {1}\r\nS)\r\nh OK FETCH completed\r\n" },
		{ "i FETCH 1 BODY[]<42.5>\r\n",
		    "* 1 FETCH (BODY[]<42> {1}\r\n\n)\r\ni OK FETCH completed\r\n" },
		{ "j FETCH 1 BODY[]<43.5>\r\n",
		    "* 1 FETCH (BODY[]<43> \"\")\r\nj OK FETCH completed\r\n" },
		{ "k FETCH 1 BODY[TEXT]<4294967296.4294967295>\r\n",
		    "* 1 FETCH (BODY[TEXT]<4294967296> \"\")\r\nk OK FETCH completed\r\n" },
		{ "l FETCH 1 BODY[]<9223372036854775806.1>\r\n",
		    "* 1 FETCH (BODY[]<9223372036854775806> \"\")\r\nl OK FETCH completed\r\n" },
		{ "m FETCH 1 BODY[TEXT]<3.3>\r\n",
		    "* 1 FETCH (BODY[TEXT]<3> {3}\r\n\r\nt)\r\nm OK FETCH completed\r\n" },
		{ "n FETCH 1 BODY[]<12.4>\r\n",
		    "* 1 FETCH (BODY[]<12> {4}\r\nFrom)\r\nn OK FETCH completed\r\n" },
	};

	one_message(eol, size_known);
	TALK(rows);
	harness_end(&h);
}

START_TEST(items_of_a_crlf_message)
{
	items(RK_EOL_CRLF, true);
}
END_TEST

START_TEST(items_of_an_lf_message)
{
	items(RK_EOL_LF, false);
}
END_TEST

START_TEST(items_of_a_message_nobody_knows)
{
	items(RK_EOL_UNKNOWN, false);
}
END_TEST

#define PART_ONE "X: 1\r\n\r\n"
#define INNER "Subject: in\r\nTo: t@d\r\n\r\n"
#define NESTED                                                                                     \
	"Subject: out\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" PART_ONE        \
	"one\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" INNER "deep\r\n--b--\r\n"

/* The second time everything comes from the index, and is the same. */
START_TEST(structure_and_parts)
{
	static const struct exchange rows[] = {
		{ "a FETCH 1 (ENVELOPE UID)\r\n",
		    "* 1 FETCH (ENVELOPE (NIL \"out\" NIL NIL NIL NIL NIL NIL NIL NIL) UID 1)\r\n"
		    "a OK FETCH completed\r\n" },
		{ "b FETCH 1 BODY\r\n",
		    "* 1 FETCH (BODY ((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL "
		    "\"7bit\" 3 0)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 28 (NIL \"in\" NIL "
		    "NIL NIL ((NIL NIL \"t\" \"d\")) NIL NIL NIL NIL) (\"text\" \"plain\" "
		    "(\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 0) 3) \"mixed\"))\r\n"
		    "b OK FETCH completed\r\n" },
		{ "c FETCH 1 (BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[2.HEADER])\r\n",
		    "* 1 FETCH (BODY[1] {3}\r\none BODY[1.MIME] {8}\r\n" PART_ONE
		    " BODY[2.HEADER] {24}\r\n" INNER ")\r\nc OK FETCH completed\r\n" },
		{ "d FETCH 1 (BODY.PEEK[2.1] BODY.PEEK[2.TEXT]<1.2>)\r\n",
		    "* 1 FETCH (BODY[2.1] {4}\r\ndeep BODY[2.TEXT]<1> {2}\r\nee)\r\n"
		    "d OK FETCH completed\r\n" },
		{ "e FETCH 1 (BODY.PEEK[2.HEADER.FIELDS (TO)] BODY.PEEK[2.HEADER.FIELDS.NOT "
		  "(To)])\r\n",
		    "* 1 FETCH (BODY[2.HEADER.FIELDS (TO)] {11}\r\nTo: t@d\r\n\r\n "
		    "BODY[2.HEADER.FIELDS.NOT (To)] {15}\r\nSubject: in\r\n\r\n)\r\n"
		    "e OK FETCH completed\r\n" },
	};

	harness_init(&h);
	fake_msg_add_as(fake_box_find("INBOX"), RK_FLAG_SEEN, NESTED, RK_EOL_CRLF, true);
	harness_select(&h);
	TALK(rows);
	TALK(rows);
	harness_end(&h);
}
END_TEST

/* What stands behind the part of a header that is looked at is not found, and the empty line is
 * there all the same (RFC 9051 section 6.4.5.1). */
START_TEST(fields_of_a_header_beyond_its_limit)
{
	static const struct exchange rows[] = {
		{ "a FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject)]\r\n",
		    "* 1 FETCH (BODY[HEADER.FIELDS (Subject)] {2}\r\n\r\n)\r\n"
		    "a OK FETCH completed\r\n" },
		{ "b FETCH 2 BODY.PEEK[HEADER.FIELDS (Subject)]\r\n",
		    "* 2 FETCH (BODY[HEADER.FIELDS (Subject)] {14}\r\nSubject: s\r\n\r\n)\r\n"
		    "b OK FETCH completed\r\n" },
	};
	struct buf line = BUF_INIT, text = BUF_INIT;

	buf_adds(&line, "X: ");
	while (line.len <= BODY_HEADER_MAX)
		buf_adds(&line, "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
	buf_addf(&text, "%s\r\nSubject: s\r\n\r\nx\r\n", line.data);
	harness_init(&h);
	fake_msg_add_as(fake_box_find("INBOX"), RK_FLAG_SEEN, text.data, RK_EOL_CRLF, true);
	buf_empty(&text);
	buf_addf(&text, "Subject: s\r\n%s\r\n\r\nx\r\n", line.data);
	fake_msg_add_as(fake_box_find("INBOX"), RK_FLAG_SEEN, text.data, RK_EOL_CRLF, true);
	harness_select(&h);
	TALK(rows);
	harness_end(&h);
	buf_clear(&line);
	buf_clear(&text);
}
END_TEST

START_TEST(what_is_refused)
{
	static const struct exchange rows[] = {
		{ "a FETCH 2 FLAGS\r\n",
		    "a BAD There is no message with one of these numbers\r\n" },
		{ "b FETCH 1:2 FLAGS\r\n",
		    "b BAD There is no message with one of these numbers\r\n" },
		{ "c UID FETCH 2:9 FLAGS\r\n", "c OK FETCH completed\r\n" },
		{ "d UID FETCH 9:* UID\r\n", "* 1 FETCH (UID 1)\r\nd OK FETCH completed\r\n" },
		{ "e FETCH 1 BINARY[MIME]\r\n", "e BAD BINARY takes part numbers only\r\n" },
		{ "f FETCH 1 (BODY[2] BODY[1.HEADER] BODY[1.1.TEXT])\r\n",
		    "* 1 FETCH (BODY[2] \"\" BODY[1.HEADER] \"\" BODY[1.1.TEXT] \"\")\r\n"
		    "f OK FETCH completed\r\n" },
		{ "g FETCH 1 (BODY[HEADER)\r\n", "g BAD " },
	};

	one_message(RK_EOL_CRLF, true);
	TALK(rows);
	hear_tagged(&h, "The section has no end\r\n");
	say(&h, "h FETCH 1 BODY[]<0.0>\r\ni NOOP\r\n");
	hear(&h, "h BAD ");
	harness_end(&h);
}
END_TEST

START_TEST(numbers_in_an_empty_mailbox)
{
	static const struct exchange rows[] = {
		{ "a FETCH 1:* FLAGS\r\n",
		    "a BAD There is no message with one of these numbers\r\n" },
		{ "b UID FETCH 1:* FLAGS\r\n", "b OK FETCH completed\r\n" },
	};

	harness_init(&h);
	harness_select(&h);
	TALK(rows);
	harness_end(&h);
}
END_TEST

/* Numbers over the holes of a mailbox, in any order, more than one batch of them. */
START_TEST(numbers_and_holes)
{
	struct fake_box *box;
	char line[100];

	harness_init(&h);
	box = fake_box_find("INBOX");
	for (uint32_t i = 0; i < 900; i++)
		fake_msg_add(box, 0, "a\r\n\r\n");
	for (uint32_t uid = 3; uid <= 900; uid += 3)
		fake_msg_expunge(box, uid);
	harness_select(&h);
	say(&h, "a FETCH 600,2:4,1 UID\r\n");
	hear(&h, "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\n* 3 FETCH (UID 4)\r\n"
		 "* 4 FETCH (UID 5)\r\n* 600 FETCH (UID 899)\r\na OK FETCH completed\r\n");
	say(&h, "b FETCH 1:* UID\r\n");
	for (uint32_t uid = 1, seq = 1; uid <= 900; uid++) {
		if (uid % 3 == 0)
			continue;
		snprintf(line, sizeof(line), "* %u FETCH (UID %u)\r\n", seq++, uid);
		hear(&h, line);
	}
	hear(&h, "b OK FETCH completed\r\n");
	say(&h, "c UID FETCH 3:6,899:* UID\r\n");
	hear(&h, "* 3 FETCH (UID 4)\r\n* 4 FETCH (UID 5)\r\n* 600 FETCH (UID 899)\r\n"
		 "c OK FETCH completed\r\n");
	harness_end(&h);
}
END_TEST

/* A large message: lines of all lengths, so that blocks and marks fall anywhere. */
static size_t
large_make(char *lf, char *crlf, size_t stored)
{
	size_t n = 0;

	for (size_t i = 0; i < stored; i++) {
		/* Some lines end with CR LF already, one CR stands alone. */
		char c = i % 61 == 60 || i % 97 == 96 ? '\n'
		         : i % 61 == 59 && i % 5 == 0 ? '\r'
		                                      : 'x';

		lf[i] = c;
		if (c == '\n' && (i == 0 || lf[i - 1] != '\r'))
			crlf[n++] = '\r';
		crlf[n++] = c;
	}
	lf[stored] = '\0';
	crlf[n] = '\0';
	return n;
}

#define LARGE ((size_t)1024 * 1024)

static void
large(enum rk_eol eol)
{
	static char lf[LARGE + 1], crlf[2 * LARGE + 1], line[100];
	size_t n = large_make(lf, crlf, LARGE);

	harness_init(&h);
	fake_msg_add_as(fake_box_find("INBOX"), 0, eol == RK_EOL_CRLF ? crlf : lf, eol, false);
	harness_select(&h);
	say(&h, "a FETCH 1 (BODY[] RFC822.SIZE)\r\n");
	snprintf(line, sizeof(line), "* 1 FETCH (BODY[] {%zu}\r\n", n);
	hear(&h, line);
	hear_bytes(&h, crlf, n);
	snprintf(line, sizeof(line), " RFC822.SIZE %zu)\r\na OK FETCH completed\r\n", n);
	hear(&h, line);
	/* In pieces of every kind: from memory, from the file, over the end. */
	for (size_t at = 0, len = 1; at < n; at += len, len = len * 7 % 400009 + 1) {
		size_t left = n - at < len ? n - at : len;

		snprintf(line, sizeof(line), "b FETCH 1 BODY[]<%zu.%zu>\r\n", at, len);
		say(&h, line);
		snprintf(line, sizeof(line), "* 1 FETCH (BODY[]<%zu> {%zu}\r\n", at, left);
		hear(&h, line);
		hear_bytes(&h, crlf + at, left);
		hear(&h, ")\r\nb OK FETCH completed\r\n");
	}
	harness_end(&h);
}

START_TEST(a_large_crlf_message)
{
	large(RK_EOL_CRLF);
}
END_TEST

START_TEST(a_large_lf_message)
{
	large(RK_EOL_LF);
}
END_TEST

/* More than the output queue takes, from a client that reads nothing for a while; then it does. */
START_TEST(a_slow_client_gets_everything)
{
	static char text[20001];
	char line[100];

	harness_init(&h);
	memset(text, 'y', 20000);
	memcpy(text, "a: b\r\n\r\n", 8);
	for (int i = 0; i < 200; i++)
		fake_msg_add(fake_box_find("INBOX"), 0, text);
	harness_select(&h);
	say(&h, "a FETCH 1:* BODY[]\r\nb NOOP\r\n");
	usleep(200000);
	for (int i = 1; i <= 200; i++) {
		snprintf(line, sizeof(line), "* %d FETCH (BODY[] {20000}\r\n", i);
		hear(&h, line);
		hear_bytes(&h, text, 20000);
		hear(&h, ")\r\n");
	}
	hear(&h, "a OK FETCH completed\r\nb OK NOOP completed\r\n");
	harness_end(&h);
}
END_TEST

/* A client that takes nothing at all is cut off, in the middle if need be. */
START_TEST(a_stuck_client_is_cut_off)
{
	static char text[400001];

	harness_init(&h);
	h.limits.output_ms = 300;
	memset(text, 'y', 400000);
	for (int i = 0; i < 30; i++)
		fake_msg_add(fake_box_find("INBOX"), 0, text);
	harness_select(&h);
	say(&h, "a FETCH 1:* BODY[]\r\n");
	usleep(600000);
	harness_end(&h);
	ck_assert_uint_eq(h.score.commands, 1);
}
END_TEST

/* A kick during FETCH: the response that was begun is whole, then BYE. */
START_TEST(a_kick_waits_for_the_end_of_a_response)
{
	static char text[400001], got[65536];
	size_t total = 0;
	char tail[64] = "";

	harness_init(&h);
	memset(text, 'y', 400000);
	for (int i = 0; i < 50; i++)
		fake_msg_add(fake_box_find("INBOX"), 0, text);
	harness_select(&h);
	say(&h, "a FETCH 1:* (BODY[] UID)\r\n");
	usleep(100000);
	close(h.spawner);
	h.spawner = -1;
	for (;;) {
		ssize_t n = read(h.client, got, sizeof(got));
		size_t keep = sizeof(tail) - 1;

		ck_assert_int_ge(n, 0);
		if (n == 0)
			break;
		total += (size_t)n;
		if ((size_t)n >= keep) {
			memcpy(tail, got + n - keep, keep);
		} else {
			memmove(tail, tail + n, keep - (size_t)n);
			memcpy(tail + keep - (size_t)n, got, (size_t)n);
		}
	}
	ck_assert_uint_lt(total, 50 * 400000);
	ck_assert_ptr_nonnull(
	    strstr(tail, ")\r\n* BYE [UNAVAILABLE] The server ends this session\r\n"));
	harness_end(&h);
}
END_TEST

UNIT_MAIN("imapd/session fetch", structure_and_parts, fields_of_a_header_beyond_its_limit,
    items_of_a_crlf_message, items_of_an_lf_message, items_of_a_message_nobody_knows,
    what_is_refused, numbers_in_an_empty_mailbox, numbers_and_holes, a_large_crlf_message,
    a_large_lf_message, a_slow_client_gets_everything, a_stuck_client_is_cut_off,
    a_kick_waits_for_the_end_of_a_response)
