#include "lib/mime/address.h"

#include <string.h>

#include "lib/mime/token.h"

struct reader {
	struct token t;
	struct rk_arena *mem;
	struct buf list;
	size_t n;
	bool in_group;
	struct buf phrase; /* the words so far, with one space where some stood */
	struct buf local;  /* the same without */
	struct buf host;
	struct buf route;
	struct buf comment;
};

static struct str
kept(struct reader *r, const struct buf *b)
{
	return b->len == 0 ? STR_LIT("") : str_of(rk_arena_dup(r->mem, b->data, b->len), b->len);
}

static void
address_add(struct reader *r, const struct address *a)
{
	if (r->n == ADDRESS_MAX)
		return;
	buf_add(&r->list, a, sizeof(*a));
	r->n++;
}

static void
forget(struct reader *r)
{
	buf_empty(&r->phrase);
	buf_empty(&r->local);
	buf_empty(&r->host);
	buf_empty(&r->route);
	buf_empty(&r->comment);
}

static void
group_add(struct reader *r, enum address_kind kind)
{
	struct address a = { .kind = kind };

	if (kind == ADDRESS_GROUP)
		a.mailbox = kept(r, &r->phrase);
	address_add(r, &a);
	r->in_group = kind == ADDRESS_GROUP;
	forget(r);
}

static bool
ends_word(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '(' || c == '"' ||
	       c == ',' || c == ';' || c == ':' || c == '<' || c == '>' || c == '@';
}

/* Words up to a special; a domain literal is a word with anything in it. */
static void
words_take(struct reader *r, struct buf *joined, struct buf *spaced)
{
	for (;;) {
		const char *from = r->t.p, *before;
		size_t len = joined->len;

		token_cfws(&r->t, &r->comment);
		if (r->t.p == r->t.end)
			return;
		if (spaced != NULL && spaced->len > 0 && r->t.p > from && !ends_word(*r->t.p))
			buf_addc(spaced, ' ');
		else if (spaced != NULL && spaced->len > 0 && r->t.p > from && *r->t.p == '"')
			buf_addc(spaced, ' ');
		before = r->t.p;
		if (*r->t.p == '"') {
			token_quoted(&r->t, joined);
		} else if (*r->t.p == '[' && spaced == NULL) {
			while (r->t.p < r->t.end && *r->t.p != ']' && *r->t.p != '\n')
				buf_addc(joined, *r->t.p++);
		} else {
			while (r->t.p < r->t.end && !ends_word(*r->t.p))
				buf_addc(joined, *r->t.p++);
		}
		if (spaced != NULL)
			buf_add(spaced, joined->data + len, joined->len - len);
		if (r->t.p == before)
			return;
	}
}

static void
mailbox_add(struct reader *r, bool angle)
{
	struct address a = { .kind = ADDRESS_MAILBOX };

	if (r->local.len > 0 || r->host.len > 0 || (angle && r->phrase.len > 0)) {
		a.name = kept(r, angle && r->phrase.len > 0 ? &r->phrase : &r->comment);
		a.route = kept(r, &r->route);
		a.mailbox = kept(r, &r->local);
		a.host = kept(r, &r->host);
		address_add(r, &a);
	}
	forget(r);
}

/* From the "@" to behind the ":"; without one it was a host without a mailbox. */
static void
route_take(struct reader *r)
{
	while (r->t.p < r->t.end && *r->t.p != ':' && *r->t.p != '>') {
		if ((unsigned char)*r->t.p > 0x20)
			buf_addc(&r->route, *r->t.p);
		r->t.p++;
	}
	if (r->t.p < r->t.end && *r->t.p == ':') {
		r->t.p++;
		return;
	}
	buf_add(&r->host, r->route.data + 1, r->route.len - 1);
	buf_empty(&r->route);
}

/* "<" [route ":"] local ["@" host] ">" */
static void
angle_take(struct reader *r)
{
	r->t.p++;
	buf_empty(&r->local);
	buf_empty(&r->host);
	token_cfws(&r->t, NULL);
	if (r->t.p < r->t.end && *r->t.p == '@')
		route_take(r);
	words_take(r, &r->local, NULL);
	if (r->t.p < r->t.end && *r->t.p == '@') {
		r->t.p++;
		words_take(r, &r->host, NULL);
	}
	while (r->t.p < r->t.end && *r->t.p != '>' && *r->t.p != ',' && *r->t.p != ';')
		r->t.p++;
	if (r->t.p < r->t.end && *r->t.p == '>')
		r->t.p++;
	token_cfws(&r->t, &r->comment);
	mailbox_add(r, true);
}

/* Words, and what the special behind them makes of them. */
static void
entry_take(struct reader *r)
{
	words_take(r, &r->local, &r->phrase);
	switch (r->t.p < r->t.end ? *r->t.p : '\0') {
	case '<':
		angle_take(r);
		break;
	case '@':
		r->t.p++;
		words_take(r, &r->host, NULL);
		if (r->t.p < r->t.end && *r->t.p == '<') {
			/* "me@here <me@there>": the first one is a name */
			buf_addc(&r->phrase, '@');
			buf_add(&r->phrase, r->host.data, r->host.len);
			angle_take(r);
		}
		mailbox_add(r, false);
		break;
	case ':':
		r->t.p++;
		if (r->in_group)
			group_add(r, ADDRESS_GROUP_END);
		else
			group_add(r, ADDRESS_GROUP);
		break;
	case ';':
		r->t.p++;
		mailbox_add(r, false);
		if (r->in_group)
			group_add(r, ADDRESS_GROUP_END);
		break;
	default: /* a comma, a stray ">", the end */
		if (r->t.p < r->t.end)
			r->t.p++;
		mailbox_add(r, false);
		break;
	}
}

struct address *
address_parse(struct str value, struct rk_arena *mem, size_t *n_out)
{
	struct reader r = { .t = { value.p, value.p + value.n }, .mem = mem };
	struct address *list;

	while (r.t.p < r.t.end && r.n < ADDRESS_MAX)
		entry_take(&r);
	if (r.in_group) {
		struct address end = { .kind = ADDRESS_GROUP_END };

		/* Also beyond the limit: a group without end would be a lie in ENVELOPE. */
		buf_add(&r.list, &end, sizeof(end));
		r.n++;
	}
	list = rk_arena_array(mem, r.n + 1, sizeof(*list));
	if (r.n > 0)
		memcpy(list, r.list.data, r.n * sizeof(*list));
	*n_out = r.n;
	buf_clear(&r.list);
	forget(&r);
	buf_clear(&r.phrase);
	buf_clear(&r.local);
	buf_clear(&r.host);
	buf_clear(&r.route);
	buf_clear(&r.comment);
	return list;
}
