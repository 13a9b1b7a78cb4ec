/*
 * BODY and TEXT: one pass over the message. Of text parts the decoded text is looked at, of
 * messages inside their headers; what is neither text nor message is no text. Each block is folded
 * and looked at together with the end of the one before it, so that no match is lost between two.
 */
#include <string.h>

#include "lib/mime/words.h"
#include "storage/search/search_impl.h"

/* Octets times texts between two chances for the caller to do something else. */
#define WORK_MAX ((uint64_t)16 * 1024 * 1024)

/* Looks for all texts in s->folded; what may be the begin of a match stays. */
static void
texts_look(struct search *s)
{
	struct str folded = str_of(s->folded.data, s->folded.len);

	for (size_t i = 0; i < s->n; i++) {
		struct node *n = &s->nodes[i];

		if (n->value == SEARCH_ANSWER_OPEN && text_has(folded, n->text))
			n->value = SEARCH_ANSWER_YES;
	}
	if (s->text_max > 0 && folded.n >= s->text_max)
		buf_drop(&s->folded, folded.n - (s->text_max - 1));
}

static bool
all_found(const struct search *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct node *n = &s->nodes[i];

		if ((n->key->kind == SEARCH_BODY || n->key->kind == SEARCH_TEXT) &&
		    n->value == SEARCH_ANSWER_OPEN)
			return false;
	}
	return true;
}

static enum rk_status
move_to(struct reading *r, struct stream *message, uint64_t offset, struct rk_err *err)
{
	uint64_t skipped = 0;
	enum rk_status status = RK_OK;

	if (offset > r->at)
		status = stream_skip(message, offset - r->at, &skipped, err);
	r->at += skipped;
	return status;
}

/* Next bytes before `end`; *got 0 at the end. */
static enum rk_status
block_read(struct reading *r, struct stream *message, uint64_t end, size_t *got, struct rk_err *err)
{
	uint64_t left = end > r->at ? end - r->at : 0;
	enum rk_status status = RK_OK;

	*got = 0;
	if (left > 0)
		status = stream_read(
		    message, r->block, left < SEARCH_BLOCK ? (size_t)left : SEARCH_BLOCK, got, err);
	r->at += *got;
	return status;
}

static enum rk_status
text_begin(struct search *s, struct stream *message, struct rk_err *err)
{
	struct reading *r = &s->reading;

	r->cs = charset_find(r->part->charset);
	if (r->cs == NULL)
		r->cs = charset_find(STR_LIT("UTF-8"));
	transfer_init(&r->transfer, r->part->encoding);
	buf_empty(&s->folded);
	r->inside = true;
	return move_to(r, message, r->part->body, err);
}

/* One block of a text; the last one ends it. */
static enum rk_status
text_step(struct search *s, struct stream *message, struct rk_err *err)
{
	struct reading *r = &s->reading;
	size_t got = 0;
	enum rk_status status =
	    block_read(r, message, r->part->body + r->part->body_size, &got, err);

	if (status != RK_OK)
		return status;
	buf_empty(&s->raw);
	buf_empty(&s->line);
	if (got > 0)
		transfer_add(&r->transfer, r->block, got, &s->raw);
	else
		transfer_end(&r->transfer, &s->raw);
	charset_decode(r->cs, s->raw.data, s->raw.len, got == 0, &s->line);
	text_fold(str_of(s->line.data, s->line.len), &s->folded);
	texts_look(s);
	r->inside = got > 0;
	return RK_OK;
}

/* The header of a message inside, as far as lib/mime itself looks at headers. */
static enum rk_status
header_look(struct search *s, struct stream *message, struct rk_err *err)
{
	struct reading *r = &s->reading;
	const struct mime_part *part = r->part;
	uint64_t size = part->header_size < MIME_HEADER_MAX ? part->header_size : MIME_HEADER_MAX;
	enum rk_status status = move_to(r, message, part->header, err);
	size_t got = 1;

	buf_empty(&s->raw);
	while (status == RK_OK && got > 0) {
		status = block_read(r, message, part->header + size, &got, err);
		buf_add(&s->raw, r->block, got);
	}
	buf_empty(&s->line);
	buf_empty(&s->folded);
	words_decode(str_of(s->raw.data, s->raw.len), &s->line);
	text_fold(str_of(s->line.data, s->line.len), &s->folded);
	if (status == RK_OK)
		texts_look(s);
	return status;
}

static bool
is_text(const struct mime_part *part)
{
	return part->kind == MIME_LEAF &&
	       (str_iis(part->type, "text") || str_iis(part->type, "message"));
}

static enum rk_status
part_begin(struct search *s, struct stream *message, struct rk_err *err)
{
	const struct mime_part *part = s->reading.part;
	enum rk_status status = RK_OK;

	if (part->parent != NULL && part->parent->kind == MIME_MESSAGE)
		status = header_look(s, message, err);
	if (status == RK_OK && is_text(part))
		status = text_begin(s, message, err);
	return status;
}

enum rk_status
search_body(struct search *s, const struct mime_part *parts, struct stream *message,
    enum search_answer *out, struct rk_err *err)
{
	struct reading *r = &s->reading;
	enum rk_status status = RK_OK;
	uint64_t work = 0, from;

	*out = SEARCH_ANSWER_OPEN;
	if (r->part == NULL) {
		r->part = parts;
		r->at = 0;
		r->inside = false;
	}
	while (r->part != NULL && !all_found(s)) {
		if (work >= WORK_MAX)
			return RK_OK;
		from = r->at;
		status = r->inside ? text_step(s, message, err) : part_begin(s, message, err);
		if (status != RK_OK)
			break;
		work += (r->at - from + s->folded.len) * s->ntexts;
		if (!r->inside)
			r->part = mime_next(r->part);
	}
	r->part = NULL;
	if (status != RK_OK)
		return status;
	search_settle(s, true);
	*out = search_value(s);
	return RK_OK;
}
