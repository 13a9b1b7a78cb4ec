#include "lib/wire/writer.h"

#include <string.h>
#include <time.h>

#include "lib/base/utf8.h"
#include "lib/wire/mutf7.h"

/* Longer strings go as literals: clients have small buffers for quoted ones. */
#define QUOTED_MAX 1024
#define TEXT_MAX 512

enum form {
	FORM_ATOM,
	FORM_QUOTED,
	FORM_LITERAL,
};

static bool
is_astring_char(unsigned char c)
{
	return c > 0x20 && c < 0x7f && strchr("(){%*\"\\", c) == NULL;
}

static enum form
form_of(struct str s, bool utf8_quoted)
{
	bool atom = s.n > 0 && s.n <= QUOTED_MAX && !str_iis(s, "NIL");
	bool eight = false, literal = s.n > QUOTED_MAX;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		atom = atom && is_astring_char(c);
		eight = eight || c >= 0x80;
		literal = literal || c == '\r' || c == '\n' || c == '\0';
	}
	if (eight && !(utf8_quoted && utf8_valid(s.p, s.n)))
		literal = true;
	return literal ? FORM_LITERAL : atom ? FORM_ATOM : FORM_QUOTED;
}

static void
write_quoted(struct buf *out, struct str s)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, s.p[i]);
	}
	buf_addc(out, '"');
}

/* literal = "{" number64 "}" CRLF *CHAR8, and CHAR8 is no NUL: 0x80 stands for it. A literal8 may
 * stand nowhere but in answers to BINARY (RFC 9051 section 4.3.1). */
static void
write_literal(struct buf *out, struct str s)
{
	buf_addf(out, "{%zu}\r\n", s.n);
	for (size_t i = 0; i < s.n; i++)
		buf_addc(out, s.p[i] == '\0' ? '\x80' : s.p[i]);
}

static void
write_form(struct buf *out, struct str s, enum form form)
{
	switch (form) {
	case FORM_ATOM:
		buf_add(out, s.p, s.n);
		break;
	case FORM_QUOTED:
		write_quoted(out, s);
		break;
	case FORM_LITERAL:
		write_literal(out, s);
		break;
	}
}

void
write_string(struct buf *out, struct str s, bool utf8_quoted)
{
	enum form form = form_of(s, utf8_quoted);

	write_form(out, s, form == FORM_ATOM ? FORM_QUOTED : form);
}

void
write_nstring(struct buf *out, struct str s, bool nil, bool utf8_quoted)
{
	if (nil)
		buf_adds(out, "NIL");
	else
		write_string(out, s, utf8_quoted);
}

void
write_astring(struct buf *out, struct str s, bool utf8_quoted)
{
	write_form(out, s, form_of(s, utf8_quoted));
}

void
write_mailbox(struct buf *out, struct str name_utf8, bool utf8)
{
	struct buf name = BUF_INIT;
	struct rk_err err;

	/* Names below are valid UTF-8; one that is not goes as a literal rather than being lost. */
	if (utf8 || mutf7_encode(name_utf8, &name, &err) != RK_OK)
		write_astring(out, name_utf8, utf8);
	else
		write_astring(out, str_of(name.data, name.len), false);
	buf_clear(&name);
}

void
write_uidset(struct buf *out, const struct uidset *set)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct uidrun *r = &set->runs[i];

		if (i > 0)
			buf_addc(out, ',');
		buf_addf(out, "%u", r->first);
		if (r->last != r->first)
			buf_addf(out, ":%u", r->last);
	}
}

void
write_date_time(struct buf *out, int64_t seconds)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
		"Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)seconds;
	struct tm tm;

	/* date-year = 4DIGIT: what the grammar can't say becomes the nearest that it can. */
	if (gmtime_r(&t, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900) {
		t = seconds < 0 ? 0 : (time_t)253402300799;
		gmtime_r(&t, &tm);
	}
	buf_addf(out, "\"%2d-%s-%04d %02d:%02d:%02d +0000\"", tm.tm_mday, months[tm.tm_mon],
	    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void
write_text(struct buf *out, struct str s)
{
	size_t n = s.n < TEXT_MAX ? s.n : TEXT_MAX;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		buf_addc(out, c < 0x20 || c >= 0x7f ? '?' : (char)c);
	}
}
