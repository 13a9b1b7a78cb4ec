/* A whole message: its parts, its structure as IMAP bytes, its date; every part has sane places. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/mime/date.h"
#include "lib/mime/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum rk_status
source_open(void *from, uint64_t offset, struct stream **out, struct rk_err *err)
{
	const struct str *message = from;

	(void)err;
	if (offset > message->n)
		abort();
	*out = stream_from_mem(message->p + offset, message->n - (size_t)offset);
	return RK_OK;
}

static void
part_check(const struct mime_part *part, size_t size)
{
	uint64_t end = part->body + part->body_size;

	if (part->body != part->header + part->header_size || end < part->body || end > size)
		abort();
	if (part->parent != NULL && (part->header < part->parent->body ||
					end > part->parent->body + part->parent->body_size))
		abort();
	if ((part->kind == MIME_MESSAGE) != (part->child != NULL && part->kind != MIME_MULTIPART))
		abort();
	if (part->body_lines > part->body_size)
		abort();
}

static void
structure_check(const struct mime_part *message, struct str *bytes, bool extended)
{
	struct structure_source source = { source_open, bytes };
	struct buf out = BUF_INIT;

	if (bodystructure_write(message, &source, extended, &out, NULL) != RK_OK)
		abort();
	if (out.len < 2 || out.data[0] != '(' || out.data[out.len - 1] != ')')
		abort();
	buf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rk_arena *mem = arena_new();
	struct str bytes = str_of(rk_arena_dup(mem, data, size), size);
	struct stream *s = stream_from_mem(bytes.p, bytes.n);
	struct buf envelope = BUF_INIT;
	struct mime_part *message;
	struct mime_date date;

	if (mime_parse(s, mem, &message, NULL) != RK_OK)
		abort();
	stream_free(s);
	for (const struct mime_part *at = message; at != NULL; at = mime_next(at))
		part_check(at, size);
	structure_check(message, &bytes, false);
	structure_check(message, &bytes, true);
	envelope_write(bytes, &envelope);
	buf_clear(&envelope);
	(void)mime_date_parse(bytes, &date);
	arena_free(mem);
	return 0;
}
