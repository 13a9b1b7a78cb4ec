/*
 * BODY and TEXT: one pass over the message. Of text parts the decoded text is looked at, of
 * messages inside their headers; what is neither text nor message is no text. Each block is folded
 * and looked at together with the end of the one before it, so that no match is lost between two.
 */
#include <string.h>

#include "lib/mime/transfer.h"
#include "lib/mime/words.h"
#include "storage/search/search_impl.h"

#define BLOCK ((size_t)32 * 1024)

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

/* What the stream has been read to. */
struct reading {
	struct search *s;
	struct stream *message;
	uint64_t at;
	char block[BLOCK];
};

static enum rk_status
move_to(struct reading *r, uint64_t offset, struct rk_err *err)
{
	uint64_t skipped = 0;
	enum rk_status status = RK_OK;

	if (offset > r->at)
		status = stream_skip(r->message, offset - r->at, &skipped, err);
	r->at += skipped;
	return status;
}

/* Next bytes before `end`; *got 0 at the end. */
static enum rk_status
block_read(struct reading *r, uint64_t end, size_t *got, struct rk_err *err)
{
	uint64_t left = end > r->at ? end - r->at : 0;
	enum rk_status status = RK_OK;

	*got = 0;
	if (left > 0)
		status = stream_read(
		    r->message, r->block, left < BLOCK ? (size_t)left : BLOCK, got, err);
	r->at += *got;
	return status;
}

static enum rk_status
text_search(struct reading *r, const struct mime_part *part, struct rk_err *err)
{
	struct search *s = r->s;
	struct charset *cs = charset_find(part->charset);
	struct transfer t;
	enum rk_status status = move_to(r, part->body, err);
	size_t got = 1;

	if (cs == NULL)
		cs = charset_find(STR_LIT("UTF-8"));
	transfer_init(&t, part->encoding);
	buf_empty(&s->folded);
	while (status == RK_OK && got > 0 && !all_found(s)) {
		status = block_read(r, part->body + part->body_size, &got, err);
		buf_empty(&s->raw);
		buf_empty(&s->line);
		if (got > 0)
			transfer_add(&t, r->block, got, &s->raw);
		else
			transfer_end(&t, &s->raw);
		charset_decode(cs, s->raw.data, s->raw.len, got == 0, &s->line);
		text_fold(str_of(s->line.data, s->line.len), &s->folded);
		texts_look(s);
	}
	return status;
}

/* The header of a message inside, as far as lib/mime itself looks at headers. */
static enum rk_status
header_search(struct reading *r, const struct mime_part *part, struct rk_err *err)
{
	struct search *s = r->s;
	uint64_t size = part->header_size < MIME_HEADER_MAX ? part->header_size : MIME_HEADER_MAX;
	enum rk_status status = move_to(r, part->header, err);
	size_t got = 1;

	buf_empty(&s->raw);
	while (status == RK_OK && got > 0) {
		status = block_read(r, part->header + size, &got, err);
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

enum rk_status
search_body(struct search *s, const struct mime_part *parts, struct stream *message,
    enum search_answer *out, struct rk_err *err)
{
	struct reading r = { .s = s, .message = message };
	enum rk_status status = RK_OK;

	for (const struct mime_part *part = parts; part != NULL && status == RK_OK && !all_found(s);
	     part = mime_next(part)) {
		if (part->parent != NULL && part->parent->kind == MIME_MESSAGE)
			status = header_search(&r, part, err);
		if (status == RK_OK && is_text(part))
			status = text_search(&r, part, err);
	}
	if (status != RK_OK)
		return status;
	search_settle(s, true);
	*out = search_value(s);
	return RK_OK;
}
