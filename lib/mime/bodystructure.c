/*
 * A walk over the tree without recursion: what stands before a part's children is written on the
 * way down, the rest on the way up. The header of a part is read again where its text is needed.
 */
#include "lib/mime/envelope.h"

#include <inttypes.h>

#include "lib/base/arena.h"
#include "lib/mime/fields.h"
#include "lib/mime/token.h"
#include "lib/wire/writer.h"

/* clang-format off */
enum { ID, DESCRIPTION, ENCODING, MD5, DISPOSITION, LANGUAGE, LOCATION, NFIELDS };
static const struct field_want wanted[NFIELDS] = {
	[ID]          = { "Content-ID",                false },
	[DESCRIPTION] = { "Content-Description",       false },
	[ENCODING]    = { "Content-Transfer-Encoding", false },
	[MD5]         = { "Content-MD5",               false },
	[DISPOSITION] = { "Content-Disposition",       false },
	[LANGUAGE]    = { "Content-Language",          false },
	[LOCATION]    = { "Content-Location",          false },
};
/* clang-format on */

struct walk {
	const struct structure_source *source;
	bool extended;
	struct buf *out;
	struct buf header;
	struct field_value values[NFIELDS];
};

static enum rk_status
header_read(struct walk *w, const struct mime_part *part, struct rk_err *err)
{
	uint64_t size = part->header_size < MIME_HEADER_MAX ? part->header_size : MIME_HEADER_MAX;
	enum rk_status status;
	struct stream *s;
	size_t got = 1;

	buf_empty(&w->header);
	status = w->source->open(w->source->from, part->header, &s, err);
	if (status != RK_OK)
		return status;
	buf_reserve(&w->header, (size_t)size);
	while (w->header.len < size && got > 0 && status == RK_OK) {
		status = stream_read(
		    s, w->header.data + w->header.len, (size_t)size - w->header.len, &got, err);
		if (status == RK_OK)
			w->header.len += got;
	}
	stream_free(s);
	return status;
}

static enum rk_status
fields_read(struct walk *w, const struct mime_part *part, struct rk_err *err)
{
	enum rk_status status = header_read(w, part, err);

	for (size_t i = 0; i < NFIELDS; i++) {
		w->values[i].present = false;
		buf_empty(&w->values[i].text);
	}
	if (status == RK_OK)
		fields_find(str_of(w->header.data, w->header.len), wanted, NFIELDS, w->values);
	return status;
}

static void
field_write(struct walk *w, int which)
{
	const struct field_value *v = &w->values[which];

	buf_addc(w->out, ' ');
	write_nstring(w->out, str_of(v->text.data, v->text.len), !v->present, false);
}

/* A text without a charset is told as US-ASCII (RFC 2045 section 5.2). */
static void
params_write(struct buf *out, const struct mime_param *params, size_t n, bool default_charset)
{
	const char *before = "(";

	for (size_t i = 0; i < n; i++) {
		if (str_iis(params[i].name, "charset"))
			default_charset = false;
		buf_adds(out, before);
		write_string(out, params[i].name, false);
		buf_addc(out, ' ');
		write_string(out, params[i].value, false);
		before = " ";
	}
	if (default_charset) {
		buf_adds(out, before);
		buf_adds(out, "\"charset\" \"us-ascii\"");
		n++;
	}
	buf_adds(out, n > 0 ? ")" : "NIL");
}

static void
disposition_write(struct walk *w)
{
	const struct field_value *v = &w->values[DISPOSITION];
	struct rk_arena *mem = arena_new();
	struct token_content c;

	if (v->present && token_content(str_of(v->text.data, v->text.len), false, mem, &c)) {
		buf_adds(w->out, " (");
		write_string(w->out, c.type, false);
		buf_addc(w->out, ' ');
		params_write(w->out, c.params, c.nparams, false);
		buf_addc(w->out, ')');
	} else {
		buf_adds(w->out, " NIL");
	}
	arena_free(mem);
}

/* Content-Language = 1#language-tag (RFC 3282) */
static void
language_write(struct walk *w)
{
	const struct buf *text = &w->values[LANGUAGE].text;
	struct token t = { text->data, text->data + text->len };
	const char *before = " (";
	struct str word;

	while (text->len > 0 && t.p < t.end) {
		token_cfws(&t, NULL);
		if (token_word(&t, &word)) {
			buf_adds(w->out, before);
			write_string(w->out, word, false);
			before = " ";
		} else if (t.p < t.end) {
			t.p++;
		}
	}
	buf_adds(w->out, before[1] == '(' ? " NIL" : ")");
}

static void
extension_write(struct walk *w)
{
	disposition_write(w);
	language_write(w);
	field_write(w, LOCATION);
}

static void
encoding_write(struct walk *w)
{
	const struct buf *text = &w->values[ENCODING].text;
	struct token t = { text->data, text->data + text->len };
	struct str word = { "", 0 };

	if (text->len > 0) {
		token_cfws(&t, NULL);
		if (!token_word(&t, &word))
			word.n = 0;
	}
	buf_addc(w->out, ' ');
	write_string(w->out, word.n > 0 ? word : STR_LIT("7bit"), false);
}

static bool
is_message(const struct mime_part *part)
{
	return str_iis(part->type, "message") &&
	       (str_iis(part->subtype, "rfc822") || str_iis(part->subtype, "global"));
}

/* body-type-basic and what all single parts begin with; the fields are read. */
static void
single_write(struct walk *w, const struct mime_part *part)
{
	/* A message too deep to be looked into must not promise an envelope. */
	bool opaque = part->kind == MIME_LEAF && is_message(part);

	buf_addc(w->out, '(');
	write_string(w->out, opaque ? STR_LIT("application") : part->type, false);
	buf_addc(w->out, ' ');
	write_string(w->out, opaque ? STR_LIT("octet-stream") : part->subtype, false);
	buf_addc(w->out, ' ');
	params_write(w->out, part->params, part->nparams, str_iis(part->type, "text"));
	field_write(w, ID);
	field_write(w, DESCRIPTION);
	encoding_write(w);
	buf_addf(w->out, " %" PRIu64, part->body_size);
}

static enum rk_status
part_open(struct walk *w, const struct mime_part *part, struct rk_err *err)
{
	enum rk_status status;

	if (part->kind == MIME_MULTIPART) {
		buf_addc(w->out, '(');
		if (part->child == NULL) { /* the grammar wants at least one */
			buf_adds(w->out, "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL "
					 "\"7bit\" 0 0");
			buf_adds(w->out, w->extended ? " NIL NIL NIL NIL)" : ")");
		}
		return RK_OK;
	}
	status = fields_read(w, part, err);
	if (status != RK_OK)
		return status;
	single_write(w, part);
	if (part->kind == MIME_MESSAGE) {
		status = header_read(w, part->child, err);
		if (status != RK_OK)
			return status;
		buf_addc(w->out, ' ');
		envelope_write(str_of(w->header.data, w->header.len), w->out);
		buf_addc(w->out, ' ');
	}
	return RK_OK;
}

static enum rk_status
part_close(struct walk *w, const struct mime_part *part, struct rk_err *err)
{
	enum rk_status status = RK_OK;

	if (part->kind != MIME_LEAF && w->extended)
		status = fields_read(w, part, err);
	if (status != RK_OK)
		return status;
	if (part->kind == MIME_MULTIPART) {
		buf_addc(w->out, ' ');
		write_string(w->out, part->subtype, false);
		if (w->extended) {
			buf_addc(w->out, ' ');
			params_write(w->out, part->params, part->nparams, false);
		}
	} else {
		if (part->kind == MIME_MESSAGE || str_iis(part->type, "text"))
			buf_addf(w->out, " %" PRIu32, part->body_lines);
		if (w->extended)
			field_write(w, MD5);
	}
	if (w->extended)
		extension_write(w);
	buf_addc(w->out, ')');
	return RK_OK;
}

enum rk_status
bodystructure_write(const struct mime_part *message, const struct structure_source *source,
    bool extended, struct buf *out, struct rk_err *err)
{
	struct walk w = { .source = source, .extended = extended, .out = out };
	const struct mime_part *at = message;
	enum rk_status status = RK_OK;

	while (at != NULL && status == RK_OK) {
		status = part_open(&w, at, err);
		if (status != RK_OK)
			break;
		if (at->child != NULL) {
			at = at->child;
			continue;
		}
		status = part_close(&w, at, err);
		while (status == RK_OK && at != NULL && at->next == NULL) {
			at = at->parent;
			if (at != NULL)
				status = part_close(&w, at, err);
		}
		at = at == NULL ? NULL : at->next;
	}
	buf_clear(&w.header);
	fields_clear(w.values, NFIELDS);
	return status;
}
