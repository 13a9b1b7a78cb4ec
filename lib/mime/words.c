#include "lib/mime/words.h"

#include <string.h>

#include "lib/base/utf8.h"
#include "lib/mime/charset.h"
#include "lib/mime/transfer.h"

/* RFC 2047 allows 75 for the whole; beyond these it is none, so that no text is looked at often. */
#define NAME_LEN_MAX 64
#define TEXT_LEN_MAX 2048

/* The parts of "=?charset*language?B?text?=". */
struct word {
	struct str charset;
	char encoding; /* 'B' or 'Q' */
	struct str text;
	size_t len; /* of the whole */
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Up to the next '?', which may not be far and has no blank before it. */
static bool
piece(const char **p, const char *end, struct str *out)
{
	const char *start = *p;

	while (*p < end && **p != '?' && !is_blank(**p) && *p - start < NAME_LEN_MAX)
		(*p)++;
	if (*p == end || **p != '?')
		return false;
	*out = str_of(start, (size_t)(*p - start));
	(*p)++;
	return true;
}

static bool
word_parse(const char *p, const char *end, struct word *out)
{
	const char *start = p;
	struct str encoding;
	const char *star;

	if (end - p < 8 || p[0] != '=' || p[1] != '?')
		return false;
	p += 2;
	if (!piece(&p, end, &out->charset) || !piece(&p, end, &encoding) || encoding.n != 1)
		return false;
	out->encoding = (char)(encoding.p[0] & ~0x20);
	if (out->encoding != 'B' && out->encoding != 'Q')
		return false;
	/* Blanks within Q are against the RFC and seen in mail. */
	out->text.p = p;
	while (end - p >= 2 && (p[0] != '?' || p[1] != '=') && p - out->text.p < TEXT_LEN_MAX)
		p++;
	if (end - p < 2 || p[0] != '?' || p[1] != '=')
		return false;
	out->text.n = (size_t)(p - out->text.p);
	out->len = (size_t)(p + 2 - start);
	star = memchr(out->charset.p, '*', out->charset.n);
	if (star != NULL)
		out->charset.n = (size_t)(star - out->charset.p);
	return true;
}

static void
text_decode(const struct word *w, struct buf *bytes)
{
	struct transfer t;

	if (w->encoding == 'B') {
		transfer_init(&t, MIME_BASE64);
		transfer_add(&t, w->text.p, w->text.n, bytes);
		transfer_end(&t, bytes);
		return;
	}
	transfer_init(&t, MIME_QP);
	for (size_t i = 0; i < w->text.n; i++) {
		char c = w->text.p[i];

		/* A blank at the end would be taken for one of the transport. */
		if (c == '_' || c == ' ')
			transfer_add(&t, "=20", 3, bytes);
		else
			transfer_add(&t, &c, 1, bytes);
	}
	transfer_end(&t, bytes);
}

/* Bytes outside of encoded words. */
static void
raw_add(struct str raw, struct buf *out)
{
	struct charset *cs = NULL;

	if (!utf8_valid(raw.p, raw.n))
		cs = charset_find(STR_LIT("WINDOWS-1252"));
	if (cs == NULL)
		cs = charset_find(STR_LIT("UTF-8"));
	charset_decode(cs, raw.p, raw.n, true, out);
}

/* Without the line ends of folding. */
static void
raw_unfolded(struct str raw, struct buf *plain)
{
	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] != '\r' && raw.p[i] != '\n')
			buf_addc(plain, raw.p[i]);
	}
}

static bool
all_blank(const struct buf *b)
{
	for (size_t i = 0; i < b->len; i++) {
		if (!is_blank(b->data[i]))
			return false;
	}
	return true;
}

/* The word that was decoded last: its charset may hold the begin of a character. */
struct last {
	struct charset *cs; /* NULL: nothing is held */
	struct str name;
};

static void
last_end(struct last *last, struct buf *out)
{
	if (last->cs != NULL)
		charset_decode(last->cs, "", 0, true, out);
	last->cs = NULL;
}

/* Characters that are cut between two words are against the RFC and seen in mail. */
static void
word_add(const struct word *w, struct last *last, struct buf *bytes, struct buf *out)
{
	if (last->cs != NULL && str_ieq(last->name, w->charset)) {
		charset_restart(last->cs, out);
	} else {
		last_end(last, out);
		last->cs = charset_find(w->charset);
		last->name = w->charset;
	}
	buf_empty(bytes);
	text_decode(w, bytes);
	if (last->cs != NULL)
		charset_decode(last->cs, bytes->data, bytes->len, false, out);
	else
		raw_add(str_of(bytes->data, bytes->len), out);
}

void
words_decode(struct str value, struct buf *out)
{
	struct buf plain = BUF_INIT, bytes = BUF_INIT;
	const char *p = value.p, *end = value.p + value.n, *from = p;
	struct last last = { 0 };
	bool behind_word = false;

	while (p < end) {
		struct word w;

		p = memchr(p, '=', (size_t)(end - p));
		if (p == NULL)
			break;
		if (!word_parse(p, end, &w)) {
			p++;
			continue;
		}
		buf_empty(&plain);
		raw_unfolded(str_of(from, (size_t)(p - from)), &plain);
		if (!behind_word || !all_blank(&plain)) {
			last_end(&last, out);
			raw_add(str_of(plain.data, plain.len), out);
		}
		word_add(&w, &last, &bytes, out);
		behind_word = true;
		p += w.len;
		from = p;
	}
	last_end(&last, out);
	buf_empty(&plain);
	raw_unfolded(str_of(from, (size_t)(end - from)), &plain);
	raw_add(str_of(plain.data, plain.len), out);
	buf_clear(&plain);
	buf_clear(&bytes);
}
