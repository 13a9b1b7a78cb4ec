/*
 * Reads words, dots, "@", "<", ">", ":" and ";" in the order in which they stand and makes of them
 * what they most likely mean; no position is visited twice. A mailbox without a domain, or a domain
 * without a mailbox, gets the words that Dovecot gives them: NIL in their place would mean a group.
 */
#include "lib/mime/address.h"

#include "lib/base/arena.h"
#include "lib/mime/token.h"
#include "lib/wire/writer.h"

#define SPECIALS "()<>@,;:\\\"[]."

struct list {
	struct token_reader r;
	struct buf *out;
	size_t n;
	bool group;
};

static void
nstring(struct buf *out, struct str s)
{
	write_nstring(out, s, s.p == NULL, false);
}

static void
address_write(
    struct list *l, struct str name, struct str route, struct str mailbox, struct str host)
{
	if (l->n >= ADDRESSES_MAX)
		return;
	buf_addc(l->out, '(');
	nstring(l->out, name);
	buf_addc(l->out, ' ');
	nstring(l->out, route);
	buf_addc(l->out, ' ');
	nstring(l->out, mailbox);
	buf_addc(l->out, ' ');
	nstring(l->out, host);
	buf_addc(l->out, ')');
	l->n++;
}

static void
mailbox_write(
    struct list *l, struct str name, struct str route, struct str mailbox, struct str host)
{
	address_write(l, name, route, mailbox.p == NULL ? STR_LIT("MISSING_MAILBOX") : mailbox,
	    host.p == NULL ? STR_LIT("MISSING_DOMAIN") : host);
}

static struct str
kept(struct list *l, struct buf *b)
{
	struct str s = str_of(NULL, 0);

	if (b->len > 0)
		s = str_of(rk_arena_dup(l->r.mem, b->data, b->len), b->len);
	buf_clear(b);
	return s;
}

/*
 * Words and dots up to a special, read as a phrase and as a local part at once: only what follows
 * tells which it is. In the one a blank stands where one stood, in the other not beside a dot.
 */
static bool
words_read(struct list *l, struct buf *phrase, struct buf *local, struct str *comment)
{
	bool any = false, dot = true;

	for (;;) {
		const char *before = l->r.p;
		struct str word;
		bool blank;

		token_skip(&l->r, comment);
		blank = any && l->r.p > before;
		if (token_char(&l->r, '.')) {
			buf_addc(phrase, '.');
			buf_addc(local, '.');
			dot = true;
		} else if (token_quoted(&l->r, &word) || token_word(&l->r, SPECIALS, &word)) {
			if (blank)
				buf_addc(phrase, ' ');
			if (blank && !dot)
				buf_addc(local, ' ');
			buf_add(phrase, word.p, word.n);
			buf_add(local, word.p, word.n);
			dot = false;
		} else {
			return any;
		}
		any = true;
	}
}

/* Behind "@": atoms and dots, or [literal]; blanks and comments in between go. */
static struct str
domain_read(struct list *l, struct str *comment)
{
	struct buf b = BUF_INIT;

	for (;;) {
		struct str word;

		token_skip(&l->r, comment);
		if (token_char(&l->r, '.')) {
			buf_addc(&b, '.');
		} else if (token_char(&l->r, '[')) {
			buf_addc(&b, '[');
			while (l->r.p < l->r.end && *l->r.p != ']')
				buf_addc(&b, *l->r.p++);
			(void)token_char(&l->r, ']');
			buf_addc(&b, ']');
		} else if (token_word(&l->r, SPECIALS, &word)) {
			buf_add(&b, word.p, word.n);
		} else {
			return kept(l, &b);
		}
	}
}

/* "@a,@b:" behind "<". */
static struct str
route_read(struct list *l)
{
	struct buf b = BUF_INIT;

	while (l->r.p < l->r.end && *l->r.p == '@') {
		struct str domain;

		(void)token_char(&l->r, '@');
		domain = domain_read(l, NULL);
		if (b.len > 0)
			buf_addc(&b, ',');
		buf_addc(&b, '@');
		buf_add(&b, domain.p, domain.n);
		token_skip(&l->r, NULL);
		while (token_char(&l->r, ','))
			token_skip(&l->r, NULL);
	}
	(void)token_char(&l->r, ':');
	return kept(l, &b);
}

/* From behind "<" through ">". */
static void
angle_read(struct list *l, struct str name)
{
	struct buf phrase = BUF_INIT, local = BUF_INIT;
	struct str route, mailbox, host = str_of(NULL, 0);
	bool any;

	token_skip(&l->r, NULL);
	route = route_read(l);
	any = words_read(l, &phrase, &local, NULL);
	buf_clear(&phrase);
	mailbox = kept(l, &local);
	if (any && mailbox.p == NULL)
		mailbox = STR_LIT("");
	if (token_char(&l->r, '@'))
		host = domain_read(l, NULL);
	/* What else stands before the bracket is passed over. */
	while (l->r.p < l->r.end && *l->r.p != '>')
		l->r.p++;
	(void)token_char(&l->r, '>');
	mailbox_write(l, name, route, mailbox, host);
}

static void
group_begin(struct list *l, struct str name)
{
	address_write(l, str_of(NULL, 0), str_of(NULL, 0), name.p == NULL ? STR_LIT("") : name,
	    str_of(NULL, 0));
	l->group = true;
}

static void
group_end(struct list *l)
{
	if (l->group)
		address_write(
		    l, str_of(NULL, 0), str_of(NULL, 0), str_of(NULL, 0), str_of(NULL, 0));
	l->group = false;
}

/* One address or group mark; false at the end. */
static bool
element_read(struct list *l)
{
	struct buf phrase = BUF_INIT, local = BUF_INIT;
	struct str comment = str_of(NULL, 0), name, words;
	const char *before = l->r.p;
	bool any = words_read(l, &phrase, &local, &comment);

	name = kept(l, &phrase);
	words = kept(l, &local);
	if (token_char(&l->r, '<')) {
		angle_read(l, name);
	} else if (token_char(&l->r, '@')) {
		struct str host = domain_read(l, &comment);

		mailbox_write(l, comment, str_of(NULL, 0), words, host);
	} else if (any && !l->group && token_char(&l->r, ':')) {
		group_begin(l, name);
	} else if (any) {
		mailbox_write(l, comment, str_of(NULL, 0), words.p == NULL ? STR_LIT("") : words,
		    str_of(NULL, 0));
	}
	token_skip(&l->r, NULL);
	if (l->r.p == l->r.end)
		return false;
	if (token_char(&l->r, ';'))
		group_end(l);
	else if (!token_char(&l->r, ',') && l->r.p == before)
		l->r.p++; /* a byte that is nothing here */
	return l->r.p < l->r.end;
}

void
address_list_write(struct str value, struct buf *out)
{
	struct list l = { .out = out };
	size_t start = out->len;

	if (value.n == 0) {
		buf_adds(out, "NIL");
		return;
	}
	l.r = (struct token_reader){ value.p, value.p + value.n, arena_new() };
	buf_addc(out, '(');
	while (l.n < ADDRESSES_MAX && element_read(&l))
		continue;
	group_end(&l);
	if (l.n == 0) {
		out->len = start;
		buf_adds(out, "NIL");
	} else {
		buf_addc(out, ')');
	}
	arena_free(l.r.mem);
}
