/*
 * BODY and BODYSTRUCTURE (RFC 9051 section 7.5.2) of a parsed message. The tree is walked with a
 * stack of its own depth bound, not by recursion. A part that the parser left opaque beyond its
 * limits is told as application/octet-stream: the words of a message or multipart promise more.
 */
#include "lib/mime/envelope.h"

#include <inttypes.h>

#include "lib/base/arena.h"
#include "lib/wire/writer.h"

#define EMPTY_PART "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0"
#define READ_BLOCK ((size_t)64 * 1024)

struct writing {
	const struct structure_source *source;
	bool extended;
	struct buf *out;
	struct rk_arena *mem;
};

static void
nstring(struct buf *out, struct str s)
{
	write_nstring(out, s, s.p == NULL, false);
}

static void
params_write(struct buf *out, const struct mime_param *params, size_t n)
{
	if (n == 0) {
		buf_adds(out, "NIL");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		buf_addc(out, i == 0 ? '(' : ' ');
		write_string(out, params[i].name, false);
		buf_addc(out, ' ');
		write_string(out, params[i].value, false);
	}
	buf_addc(out, ')');
}

static void
disposition_write(struct writing *w, const struct mime_part *part)
{
	struct mime_value v;

	if (part->disposition.p == NULL || !mime_value_parse(part->disposition, w->mem, &v)) {
		buf_adds(w->out, "NIL");
		return;
	}
	buf_addc(w->out, '(');
	write_string(w->out, v.word, false);
	buf_addc(w->out, ' ');
	params_write(w->out, v.params, v.nparams);
	buf_addc(w->out, ')');
}

/* body-fld-lang: a string, or a list of them. */
static void
language_write(struct writing *w, struct str text)
{
	struct str rest = text, word;
	size_t n = 0;

	while (str_split(&rest, ',', &word)) {
		while (word.n > 0 && (word.p[0] == ' ' || word.p[0] == '\t'))
			word = str_of(word.p + 1, word.n - 1);
		while (word.n > 0 && (word.p[word.n - 1] == ' ' || word.p[word.n - 1] == '\t'))
			word.n--;
		if (word.n == 0)
			continue;
		buf_addc(w->out, n++ == 0 ? '(' : ' ');
		write_string(w->out, word, false);
	}
	buf_adds(w->out, n == 0 ? "NIL" : ")");
}

/* disposition, language, location: what extension data of all kinds ends with. */
static void
tail_write(struct writing *w, const struct mime_part *part)
{
	buf_addc(w->out, ' ');
	disposition_write(w, part);
	buf_addc(w->out, ' ');
	language_write(w, part->language);
	buf_addc(w->out, ' ');
	nstring(w->out, part->location);
}

/* type, subtype, parameters, id, description, encoding, size */
static void
fields_write(struct writing *w, const struct mime_part *part, bool opaque)
{
	struct buf *out = w->out;

	write_string(out, opaque ? STR_LIT("application") : part->type, false);
	buf_addc(out, ' ');
	write_string(out, opaque ? STR_LIT("octet-stream") : part->subtype, false);
	buf_addc(out, ' ');
	params_write(out, part->params, opaque ? 0 : part->nparams);
	buf_addc(out, ' ');
	nstring(out, part->id);
	buf_addc(out, ' ');
	nstring(out, part->description);
	buf_addc(out, ' ');
	write_string(out, part->transfer.n == 0 ? STR_LIT("7bit") : part->transfer, false);
	buf_addf(out, " %" PRIu64, part->body_size);
}

/* Lines, and the extension data, behind all that a part that is no multipart says. */
static void
single_end(struct writing *w, const struct mime_part *part, bool lines)
{
	if (lines)
		buf_addf(w->out, " %" PRIu32, part->body_lines);
	if (w->extended) {
		buf_addc(w->out, ' ');
		nstring(w->out, part->md5);
		tail_write(w, part);
	}
	buf_addc(w->out, ')');
}

static enum rk_status
header_read(
    struct writing *w, const struct mime_part *message, struct buf *header, struct rk_err *err)
{
	uint64_t left =
	    message->header_size < MIME_HEADER_MAX ? message->header_size : MIME_HEADER_MAX;
	struct stream *s;
	enum rk_status status = w->source->open(w->source->from, message->header, &s, err);
	size_t got = 1;

	if (status != RK_OK)
		return status;
	while (left > 0 && got > 0 && status == RK_OK) {
		size_t want = left < READ_BLOCK ? (size_t)left : READ_BLOCK;

		buf_reserve(header, want);
		status = stream_read(s, header->data + header->len, want, &got, err);
		if (status == RK_OK) {
			header->len += got;
			left -= got;
		}
	}
	stream_free(s);
	return status;
}

static enum rk_status
envelope_of(struct writing *w, const struct mime_part *message, struct rk_err *err)
{
	struct buf header = BUF_INIT;
	enum rk_status status = header_read(w, message, &header, err);

	if (status == RK_OK)
		envelope_write(str_of(header.data, header.len), w->out);
	buf_clear(&header);
	return status;
}

/* What stands before the children, or the whole of a part without any. */
static enum rk_status
part_open(struct writing *w, const struct mime_part *part, struct rk_err *err)
{
	bool message = str_iis(part->type, "message") &&
	               (str_iis(part->subtype, "rfc822") || str_iis(part->subtype, "global"));
	bool opaque = part->kind == MIME_LEAF && (message || str_iis(part->type, "multipart"));

	buf_addc(w->out, '(');
	if (part->kind == MIME_MULTIPART) {
		if (part->child == NULL)
			buf_adds(
			    w->out, w->extended ? EMPTY_PART " NIL NIL NIL NIL)" : EMPTY_PART ")");
		return RK_OK;
	}
	fields_write(w, part, opaque);
	if (part->kind == MIME_MESSAGE) {
		buf_addc(w->out, ' ');
		return envelope_of(w, part->child, err);
	}
	single_end(w, part, !opaque && str_iis(part->type, "text"));
	return RK_OK;
}

/* What stands behind the children. */
static void
part_close(struct writing *w, const struct mime_part *part)
{
	if (part->kind == MIME_MESSAGE) {
		single_end(w, part, true);
		return;
	}
	buf_addc(w->out, ' ');
	write_string(w->out, part->subtype, false);
	if (w->extended) {
		buf_addc(w->out, ' ');
		params_write(w->out, part->params, part->nparams);
		tail_write(w, part);
	}
	buf_addc(w->out, ')');
}

enum rk_status
bodystructure_write(const struct mime_part *message, const struct structure_source *source,
    bool extended, struct buf *out, struct rk_err *err)
{
	struct writing w = { source, extended, out, arena_new() };
	const struct mime_part *part = message;
	enum rk_status status = part_open(&w, part, err);

	while (status == RK_OK) {
		if (part->child != NULL) {
			if (part->kind == MIME_MESSAGE)
				buf_addc(out, ' ');
			part = part->child;
			status = part_open(&w, part, err);
			continue;
		}
		if (part->kind != MIME_LEAF)
			part_close(&w, part);
		while (part != message && part->next == NULL) {
			part = part->parent;
			part_close(&w, part);
		}
		if (part == message)
			break;
		part = part->next;
		status = part_open(&w, part, err);
	}
	arena_free(w.mem);
	return status;
}
