#include "lib/mime/token.h"

#include <string.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* From the "(" to behind its ")". */
static void
comment_skip(struct token *t, struct buf *text)
{
	size_t depth = 0;

	for (; t->p < t->end; t->p++) {
		char c = *t->p;

		if (c == '(' && depth++ == 0)
			continue;
		if (c == ')' && --depth == 0) {
			t->p++;
			return;
		}
		if (c == '\\' && t->end - t->p > 1)
			c = *++t->p;
		if (text != NULL && c != '\r' && c != '\n')
			buf_addc(text, c);
	}
}

void
token_cfws(struct token *t, struct buf *comment)
{
	for (;;) {
		while (t->p < t->end && is_blank(*t->p))
			t->p++;
		if (t->p == t->end || *t->p != '(')
			return;
		if (comment != NULL)
			buf_empty(comment);
		comment_skip(t, comment);
	}
}

bool
token_word(struct token *t, struct str *out)
{
	const char *from = t->p;

	while (t->p < t->end && (unsigned char)*t->p > 0x20 && *t->p != 0x7f &&
	       strchr("()<>@,;:\\\"/[]?=", *t->p) == NULL)
		t->p++;
	*out = str_of(from, (size_t)(t->p - from));
	return out->n > 0;
}

void
token_quoted(struct token *t, struct buf *out)
{
	for (t->p++; t->p < t->end; t->p++) {
		char c = *t->p;

		if (c == '"') {
			t->p++;
			return;
		}
		if (c == '\\' && t->end - t->p > 1)
			c = *++t->p;
		if (c != '\r' && c != '\n')
			buf_addc(out, c);
	}
}

/* A parameter's value: a quoted string, or what stands there up to a blank or ";" (many programs
 * leave the quotes away). */
static struct str
param_value(struct token *t, struct rk_arena *mem, struct buf *text)
{
	const char *from;

	if (t->p < t->end && *t->p == '"') {
		buf_empty(text);
		token_quoted(t, text);
		return str_of(rk_arena_dup(mem, text->data, text->len), text->len);
	}
	from = t->p;
	while (t->p < t->end && !is_blank(*t->p) && *t->p != ';' && *t->p != '(')
		t->p++;
	return str_of(rk_arena_dup(mem, from, (size_t)(t->p - from)), (size_t)(t->p - from));
}

/* "; name=value" at most; false when no further one can be there. */
static bool
param_take(struct token *t, struct rk_arena *mem, struct buf *text, struct mime_param *out)
{
	struct str name;

	for (;;) {
		token_cfws(t, NULL);
		while (t->p < t->end && *t->p != ';')
			t->p++; /* what is no parameter */
		if (t->p == t->end)
			return false;
		t->p++;
		token_cfws(t, NULL);
		if (!token_word(t, &name))
			continue;
		token_cfws(t, NULL);
		if (t->p == t->end || *t->p != '=')
			continue;
		t->p++;
		token_cfws(t, NULL);
		out->name = str_of(rk_arena_dup(mem, name.p, name.n), name.n);
		out->value = param_value(t, mem, text);
		return true;
	}
}

bool
token_content(struct str value, bool slashed, struct rk_arena *mem, struct token_content *out)
{
	struct token t = { value.p, value.p + value.n };
	struct mime_param params[MIME_PARAMS_MAX], *kept;
	struct buf text = BUF_INIT;
	struct str type, subtype = { "", 0 };
	size_t n = 0;

	if (value.n == 0)
		return false;
	token_cfws(&t, NULL);
	if (!token_word(&t, &type))
		return false;
	token_cfws(&t, NULL);
	if (slashed) {
		if (t.p == t.end || *t.p != '/')
			return false;
		t.p++;
		token_cfws(&t, NULL);
		if (!token_word(&t, &subtype))
			return false;
	}
	while (n < MIME_PARAMS_MAX && param_take(&t, mem, &text, &params[n]))
		n++;
	buf_clear(&text);
	kept = rk_arena_array(mem, n + 1, sizeof(*kept));
	memcpy(kept, params, n * sizeof(*kept));
	out->type = str_of(rk_arena_dup(mem, type.p, type.n), type.n);
	out->subtype = str_of(rk_arena_dup(mem, subtype.p, subtype.n), subtype.n);
	out->params = kept;
	out->nparams = n;
	return true;
}
