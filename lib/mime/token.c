#include "lib/mime/token.h"

#include <string.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Room is made for what was found, never for what may follow: the sum stays linear. */
static struct str
unescape(struct token_reader *r, const char *from, const char *to)
{
	char *text = rk_arena_alloc(r->mem, (size_t)(to - from) + 1);
	size_t n = 0;

	for (const char *p = from; p < to; p++) {
		if (*p == '\\' && p + 1 < to)
			p++;
		text[n++] = *p;
	}
	return str_of(text, n);
}

/* From behind the "(" to behind its ")"; what stands between them. */
static struct str
comment(struct token_reader *r)
{
	const char *from = r->p;
	size_t depth = 1;

	while (r->p < r->end) {
		char c = *r->p++;

		if (c == '\\' && r->p < r->end)
			r->p++;
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0)
			return str_of(from, (size_t)(r->p - 1 - from));
	}
	return str_of(from, (size_t)(r->p - from));
}

void
token_skip(struct token_reader *r, struct str *comment_out)
{
	while (r->p < r->end) {
		if (is_blank(*r->p)) {
			r->p++;
		} else if (*r->p == '(') {
			struct str inner;

			r->p++;
			inner = comment(r);
			if (comment_out != NULL)
				*comment_out = unescape(r, inner.p, inner.p + inner.n);
		} else {
			return;
		}
	}
}

bool
token_word(struct token_reader *r, const char *stop, struct str *out)
{
	const char *start = r->p;

	while (r->p < r->end && (unsigned char)*r->p > 0x20 && *r->p != 0x7f &&
	       strchr(stop, *r->p) == NULL)
		r->p++;
	*out = str_of(start, (size_t)(r->p - start));
	return out->n > 0;
}

bool
token_quoted(struct token_reader *r, struct str *out)
{
	const char *from;

	if (!token_char(r, '"'))
		return false;
	from = r->p;
	while (r->p < r->end && *r->p != '"')
		r->p += *r->p == '\\' && r->p + 1 < r->end ? 2 : 1;
	*out = unescape(r, from, r->p);
	(void)token_char(r, '"');
	return true;
}

bool
token_char(struct token_reader *r, char c)
{
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}
