/* BODY[section]<partial> and its older names: from a section to octets of the message. */
#include "imapd/session/fetch.h"

#include "imapd/proto/resp_fetch.h"
#include "lib/mime/header.h"

/* A run of octets of the message. */
struct run {
	uint64_t offset;
	uint64_t size;
};

static enum section_text
text_of(const struct fetch_item *item)
{
	switch (item->kind) {
	case FETCH_RFC822_HEADER:
		return SECTION_HEADER;
	case FETCH_RFC822_TEXT:
		return SECTION_TEXT;
	case FETCH_SECTION:
		return item->section.text;
	default:
		return SECTION_WHOLE;
	}
}

static enum rk_status
message_run(struct body *b, enum section_text text, struct run *out, struct rk_err *err)
{
	uint64_t header;
	enum rk_status status;

	*out = (struct run){ 0, b->size };
	if (text == SECTION_WHOLE)
		return RK_OK;
	status = body_header(b, &header, err);
	if (status != RK_OK)
		return status;
	*out = text == SECTION_TEXT ? (struct run){ header, b->size - header }
	                            : (struct run){ 0, header };
	return RK_OK;
}

/* Behind a part number (RFC 9051 section 6.4.5.1): MIME is the part's own header; HEADER, TEXT and
 * their like are those of the message that the part holds. */
static enum rk_status
part_run(struct body *b, const struct section *section, struct run *out, struct rk_err *err)
{
	const struct mime_part *root, *part;
	enum rk_status status = body_parts(b, &root, err);

	if (status != RK_OK)
		return status;
	part = mime_find(root, section->part, section->nparts);
	if (part != NULL && section->text == SECTION_WHOLE) {
		*out = (struct run){ part->body, part->body_size };
		return RK_OK;
	}
	if (part != NULL && section->text != SECTION_MIME)
		part = part->kind == MIME_MESSAGE ? part->child : NULL;
	if (part == NULL)
		return rk_fail_plain(err, RK_NOTFOUND, "no such section");
	*out = section->text == SECTION_TEXT ? (struct run){ part->body, part->body_size }
	                                     : (struct run){ part->header, part->header_size };
	return RK_OK;
}

/* Only the lines that were asked for, and only they count for the partial. */
static enum rk_status
fields_take(struct body *b, const struct fetch_item *item, const struct run *header,
    struct body_piece *piece, struct rk_err *err)
{
	const struct section *section = &item->section;
	struct buf text = BUF_INIT, picked = BUF_INIT;
	enum rk_status status = body_header_text(b, header->offset, header->size, &text, err);
	struct resp_range range;

	if (status == RK_OK) {
		header_select(str_of(text.data, text.len), section->fields, section->nfields,
		    section->text == SECTION_FIELDS_NOT, &picked);
		range = resp_fetch_range(item, picked.len);
		buf_empty(&piece->text);
		buf_add(&piece->text, picked.data + range.offset, (size_t)range.size);
		piece->len = range.size;
		piece->fd = -1;
		piece->stream = NULL;
	}
	buf_clear(&text);
	buf_clear(&picked);
	return status;
}

enum rk_status
fetch_section_take(
    struct body *b, const struct fetch_item *item, struct body_piece *piece, struct rk_err *err)
{
	enum section_text text = text_of(item);
	struct resp_range range;
	struct run run = { 0, 0 };
	enum rk_status status = item->section.nparts > 0 ? part_run(b, &item->section, &run, err)
	                                                 : message_run(b, text, &run, err);

	if (status != RK_OK)
		return status;
	if (text == SECTION_FIELDS || text == SECTION_FIELDS_NOT)
		return fields_take(b, item, &run, piece, err);
	range = resp_fetch_range(item, run.size);
	return body_take(b, run.offset + range.offset, range.size, piece, err);
}
