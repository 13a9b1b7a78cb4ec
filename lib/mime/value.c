/* Content-Type and its like: from a field's text to the words of RFC 2045 section 5.1. */
#include "lib/mime/value.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/mime/token.h"

#define TSPECIALS "()<>@,;:\\\"/[]?="

static struct str
trim(struct str s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = str_of(s.p + 1, s.n - 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* One "; name=value"; false at the end or where nothing makes sense any more. */
static bool
param_read(struct token_reader *r, struct mime_param *out)
{
	token_skip(r, NULL);
	while (token_char(r, ';'))
		token_skip(r, NULL);
	if (!token_word(r, TSPECIALS, &out->name))
		return false;
	token_skip(r, NULL);
	if (!token_char(r, '='))
		return false;
	token_skip(r, NULL);
	if (token_quoted(r, &out->value))
		return true;
	/* Programs forget the quotes: everything up to the next ";" or blank is meant. */
	if (!token_word(r, ";\"", &out->value))
		out->value = str_of("", 0);
	return true;
}

/*
 * `name*0=a; name*1=b` is `name=ab` (RFC 2231 section 3; RFC 9051 section 7.5.2 asks for it).
 * Pieces that are percent-encoded (`name*0*`) stay as they are. Only a piece right behind the one
 * before it is joined, so that the cost stays linear.
 */
static bool
param_joins(const struct mime_param *param, const struct mime_param *before, size_t pieces)
{
	char number[24];
	size_t n = (size_t)snprintf(number, sizeof(number), "*%zu", pieces);

	return param->name.n == before->name.n + n &&
	       str_ieq(str_of(param->name.p, before->name.n), before->name) &&
	       memcmp(param->name.p + before->name.n, number, n) == 0;
}

static bool
param_is_first(struct mime_param *param)
{
	if (param->name.n < 3 || memcmp(param->name.p + param->name.n - 2, "*0", 2) != 0)
		return false;
	param->name.n -= 2;
	return true;
}

static void
params_join(struct mime_param *params, size_t *n, struct rk_arena *mem)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; kept++) {
		struct buf value = BUF_INIT;
		size_t pieces = 1;

		params[kept] = params[i++];
		if (!param_is_first(&params[kept]))
			continue;
		buf_add(&value, params[kept].value.p, params[kept].value.n);
		for (; i < *n && param_joins(&params[i], &params[kept], pieces); pieces++, i++)
			buf_add(&value, params[i].value.p, params[i].value.n);
		params[kept].value = str_of(rk_arena_dup(mem, value.data, value.len), value.len);
		buf_clear(&value);
	}
	*n = kept;
}

static void
params_read(struct token_reader *r, const struct mime_param **params, size_t *n)
{
	struct mime_param found[MIME_PARAMS_MAX];
	struct mime_param *copy;

	*n = 0;
	while (*n < MIME_PARAMS_MAX && param_read(r, &found[*n]))
		(*n)++;
	params_join(found, n, r->mem);
	copy = rk_arena_array(r->mem, *n, sizeof(*copy));
	if (*n > 0)
		memcpy(copy, found, *n * sizeof(*copy));
	*params = copy;
}

bool
mime_value_parse(struct str text, struct rk_arena *mem, struct mime_value *out)
{
	struct token_reader r = { text.p, text.p + text.n, mem };

	*out = (struct mime_value){ .nparams = 0 };
	token_skip(&r, NULL);
	if (!token_word(&r, TSPECIALS, &out->word) && !token_quoted(&r, &out->word))
		return false;
	params_read(&r, &out->params, &out->nparams);
	return true;
}

/* type "/" subtype *(";" parameter); false if it is none. */
static bool
type_parse(struct mime_part *part, struct str text, struct rk_arena *mem)
{
	struct token_reader r = { text.p, text.p + text.n, mem };
	struct str type, subtype;

	token_skip(&r, NULL);
	if (!token_word(&r, TSPECIALS, &type))
		return false;
	token_skip(&r, NULL);
	if (!token_char(&r, '/'))
		return false;
	token_skip(&r, NULL);
	if (!token_word(&r, TSPECIALS, &subtype))
		return false;
	part->type = type;
	part->subtype = subtype;
	params_read(&r, &part->params, &part->nparams);
	return true;
}

static enum mime_encoding
encoding_of(struct str text, struct rk_arena *mem)
{
	struct token_reader r = { text.p, text.p + text.n, mem };
	struct str word;

	token_skip(&r, NULL);
	if (!token_word(&r, ";()", &word))
		return MIME_IDENTITY;
	if (str_iis(word, "7bit") || str_iis(word, "8bit") || str_iis(word, "binary"))
		return MIME_IDENTITY;
	if (str_iis(word, "quoted-printable"))
		return MIME_QP;
	return str_iis(word, "base64") ? MIME_BASE64 : MIME_UNKNOWN;
}

size_t
mime_value_field(struct mime_part *part, struct str field, struct rk_arena *mem)
{
	const struct {
		const char *name;
		struct str *to;
	} wanted[] = {
		{ "Content-Type", &part->type }, /* its whole text, until the header ends */
		{ "Content-Transfer-Encoding", &part->transfer },
		{ "Content-ID", &part->id },
		{ "Content-Description", &part->description },
		{ "Content-MD5", &part->md5 },
		{ "Content-Disposition", &part->disposition },
		{ "Content-Language", &part->language },
		{ "Content-Location", &part->location },
	};
	const char *colon = memchr(field.p, ':', field.n);
	struct str name, value;

	if (colon == NULL || field.n < 8 || strncasecmp(field.p, "Content-", 8) != 0)
		return 0;
	name = trim(str_of(field.p, (size_t)(colon - field.p)));
	value = trim(str_of(colon + 1, (size_t)(field.p + field.n - colon - 1)));
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		/* The first of several counts. */
		if (!str_iis(name, wanted[i].name) || wanted[i].to->p != NULL)
			continue;
		*wanted[i].to = str_of(str_dup(mem, value), value.n);
		return value.n;
	}
	return 0;
}

static struct str
param_find(const struct mime_part *part, const char *name)
{
	for (size_t i = 0; i < part->nparams; i++) {
		if (str_iis(part->params[i].name, name))
			return part->params[i].value;
	}
	return str_of(NULL, 0);
}

static void
params_add(struct mime_part *part, const struct mime_param *param, struct rk_arena *mem)
{
	struct mime_param *larger = rk_arena_array(mem, part->nparams + 1, sizeof(*larger));

	if (part->nparams > 0)
		memcpy(larger, part->params, part->nparams * sizeof(*larger));
	larger[part->nparams++] = *param;
	part->params = larger;
}

void
mime_value_finish(struct mime_part *part, struct rk_arena *mem, struct str *boundary_out)
{
	/* The default of text (RFC 2045 section 5.2), said aloud: clients rely on a charset. */
	static const struct mime_param ascii = { { "charset", 7 }, { "us-ascii", 8 } };
	struct str text = part->type;

	*boundary_out = str_of(NULL, 0);
	part->type = str_of(NULL, 0);
	if (text.p == NULL || !type_parse(part, text, mem)) {
		bool digest = part->digest && text.p == NULL;

		part->type = str_from(digest ? "message" : "text");
		part->subtype = str_from(digest ? "rfc822" : "plain");
	}
	part->charset = param_find(part, "charset");
	if (part->charset.p == NULL && str_iis(part->type, "text")) {
		params_add(part, &ascii, mem);
		part->charset = ascii.value;
	}
	if (part->transfer.p != NULL)
		part->encoding = encoding_of(part->transfer, mem);
	part->kind = MIME_LEAF;
	if (str_iis(part->type, "multipart")) {
		*boundary_out = param_find(part, "boundary");
		/* Blanks at its end do not belong to it (RFC 2046 section 5.1.1). */
		*boundary_out = trim(*boundary_out);
		part->kind = MIME_MULTIPART;
	} else if (str_iis(part->type, "message") &&
		   (str_iis(part->subtype, "rfc822") || str_iis(part->subtype, "global")) &&
		   part->encoding == MIME_IDENTITY) {
		part->kind = MIME_MESSAGE;
	}
}
