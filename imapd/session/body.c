#include "imapd/session/body.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/bug.h"
#include "lib/mime/header.h"

#define BLOCK ((size_t)64 * 1024)

void
body_clear(struct body *b)
{
	if (b->uid != 0 && b->in.fd >= 0)
		close(b->in.fd);
	buf_clear(&b->text);
	free(b->marks);
	arena_free(b->mem);
	*b = (struct body){ .in = { .fd = -1 } };
}

enum rk_status
body_stream(const struct body *b, uint64_t offset, struct stream **out, struct rk_err *err)
{
	struct body_mark from = { 0, 0 };
	enum rk_status status;
	uint64_t skipped;

	if (b->in.fd < 0) {
		*out = stream_from_mem(b->text.data + offset, b->text.len - (size_t)offset);
		return RK_OK;
	}
	if (b->in.eol == RK_EOL_CRLF) {
		*out = stream_from_fd(b->in.fd, b->in.offset + offset, b->in.size - offset);
		return RK_OK;
	}
	for (size_t i = 0; i < b->nmarks && b->marks[i].octet <= offset; i++)
		from = b->marks[i];
	*out = stream_crlf(
	    stream_from_fd(b->in.fd, b->in.offset + from.stored, b->in.size - from.stored));
	status = stream_skip(*out, offset - from.octet, &skipped, err);
	if (status == RK_OK && skipped != offset - from.octet)
		status = rk_fail_plain(err, RK_CORRUPT, "a message became shorter");
	if (status != RK_OK)
		stream_free(*out);
	return status;
}

static enum rk_status
stream_add(struct stream *from, uint64_t n, struct buf *out, struct rk_err *err)
{
	while (n > 0) {
		size_t want = n < BLOCK ? (size_t)n : BLOCK;
		enum rk_status status;
		size_t got;

		buf_reserve(out, want);
		status = stream_read(from, out->data + out->len, want, &got, err);
		if (status != RK_OK)
			return status;
		if (got == 0)
			return rk_fail_plain(err, RK_CORRUPT, "a message became shorter");
		out->len += got;
		n -= got;
	}
	return RK_OK;
}

/* A small message is held with its CRLFs; the descriptor is not needed any more. */
static enum rk_status
small_load(struct body *b, struct rk_err *err)
{
	struct stream *from = stream_from_fd(b->in.fd, b->in.offset, b->in.size);
	enum rk_status status = RK_OK;
	size_t got = 1;

	if (b->in.eol != RK_EOL_CRLF)
		from = stream_crlf(from);
	while (status == RK_OK && got > 0) {
		buf_reserve(&b->text, BODY_SMALL);
		status =
		    stream_read(from, b->text.data + b->text.len, (size_t)BODY_SMALL, &got, err);
		if (status == RK_OK)
			b->text.len += got;
	}
	stream_free(from);
	close(b->in.fd);
	b->in.fd = -1;
	b->size = b->text.len;
	return status;
}

/* Where the walk over a large message with LF line ends stands. */
struct walk {
	uint64_t stored;
	uint64_t octet;
	uint64_t step; /* stored bytes between two marks at least */
	bool cr;       /* the byte before was a CR */
};

/* Marks the position unless it parts a CR from its LF. When the map is full every second mark goes,
 * and marks get twice as far apart. */
static void
mark_add(struct body *b, struct walk *w)
{
	uint64_t last = b->nmarks > 0 ? b->marks[b->nmarks - 1].stored : 0;

	if (w->cr || w->stored - last < w->step)
		return;
	if (b->nmarks == BODY_MARKS_MAX) {
		for (size_t i = 1; i < b->nmarks; i += 2)
			b->marks[i / 2] = b->marks[i];
		b->nmarks /= 2;
		w->step *= 2;
		return;
	}
	b->marks[b->nmarks++] = (struct body_mark){ .octet = w->octet, .stored = w->stored };
}

static void
walk_block(struct walk *w, const char *p, size_t n)
{
	const char *end = p + n, *from = p, *lf;

	while ((lf = memchr(from, '\n', (size_t)(end - from))) != NULL) {
		bool after_cr = lf > p ? lf[-1] == '\r' : w->cr;

		if (!after_cr)
			w->octet++;
		from = lf + 1;
	}
	w->octet += n;
	w->stored += n;
	w->cr = n > 0 ? end[-1] == '\r' : w->cr;
}

/* Counts the octets of a large message with LF line ends, and makes its map. */
static enum rk_status
large_measure(struct body *b, struct rk_err *err)
{
	struct stream *from = stream_from_fd(b->in.fd, b->in.offset, b->in.size);
	struct walk w = { .step = BLOCK };
	enum rk_status status;
	char *block = malloc(BLOCK);
	size_t got = 0;

	b->marks = calloc(BODY_MARKS_MAX, sizeof(*b->marks));
	if (block == NULL || b->marks == NULL)
		rk_out_of_memory(BLOCK);
	do {
		status = stream_read(from, block, BLOCK, &got, err);
		if (status != RK_OK || got == 0)
			break;
		walk_block(&w, block, got);
		mark_add(b, &w);
	} while (true);
	free(block);
	stream_free(from);
	b->size = w.octet;
	return status;
}

enum rk_status
body_load(struct body *b, struct mailbox *mb, const struct index_record *record, struct rk_err *err)
{
	struct rk_body in;
	enum rk_status status;

	if (b->uid == record->uid)
		return RK_OK;
	body_clear(b);
	status = mailbox_body(mb, record, &in, err);
	if (status != RK_OK)
		return status;
	b->uid = record->uid;
	b->in = in;
	if (in.size <= BODY_SMALL)
		status = small_load(b, err);
	else if (in.eol == RK_EOL_CRLF)
		b->size = in.size;
	else
		status = large_measure(b, err);
	if (status != RK_OK)
		body_clear(b);
	return status;
}

enum rk_status
body_header(struct body *b, uint64_t *size_out, struct rk_err *err)
{
	struct stream *from;
	enum rk_status status = RK_OK;

	if (!b->header_known) {
		status = body_stream(b, 0, &from, err);
		if (status != RK_OK)
			return status;
		status = header_size(from, &b->header, err);
		stream_free(from);
		if (status != RK_OK)
			return status;
		b->header_known = true;
	}
	*size_out = b->header;
	return RK_OK;
}

enum rk_status
body_header_text(
    struct body *b, uint64_t offset, uint64_t size, struct buf *out, struct rk_err *err)
{
	struct stream *from;
	size_t start = out->len;
	enum rk_status status = body_stream(b, offset, &from, err);

	if (status != RK_OK)
		return status;
	status = stream_add(from, size < BODY_HEADER_MAX ? size : BODY_HEADER_MAX, out, err);
	stream_free(from);
	if (status != RK_OK || size <= BODY_HEADER_MAX)
		return status;
	while (out->len > start && out->data[out->len - 1] != '\n')
		out->len--;
	buf_adds(out, "\r\n");
	return RK_OK;
}

enum rk_status
body_parts(struct body *b, const struct mime_part **out, struct rk_err *err)
{
	struct stream *from;
	enum rk_status status = RK_OK;

	if (b->parts == NULL) {
		status = body_stream(b, 0, &from, err);
		if (status != RK_OK)
			return status;
		if (b->mem == NULL)
			b->mem = arena_new();
		status = mime_parse(from, b->mem, &b->parts, err);
		stream_free(from);
	}
	/* What could be read of a message is no answer. */
	if (status != RK_OK)
		b->parts = NULL;
	*out = b->parts;
	return status;
}

/* The range from a file: with a descriptor of its own, since the message may be forgotten before
 * the client has taken it. */
static enum rk_status
piece_from_file(const struct body *b, uint64_t offset, struct body_piece *piece, struct rk_err *err)
{
	int fd = fcntl(b->in.fd, F_DUPFD_CLOEXEC, 3);
	struct body copy = { .in = b->in, .marks = b->marks, .nmarks = b->nmarks };
	enum rk_status status = RK_OK;

	if (fd < 0)
		return rk_fail(err, RK_TEMP, "dup of a message");
	copy.in.fd = fd;
	if (b->in.eol != RK_EOL_CRLF)
		status = body_stream(&copy, offset, &piece->stream, err);
	if (status != RK_OK) {
		close(fd);
		return status;
	}
	piece->fd = fd;
	piece->offset = b->in.offset + offset;
	return RK_OK;
}

enum rk_status
body_take(
    struct body *b, uint64_t offset, uint64_t len, struct body_piece *piece, struct rk_err *err)
{
	struct stream *from;
	enum rk_status status;

	buf_empty(&piece->text);
	piece->len = len;
	piece->fd = -1;
	piece->stream = NULL;
	if (b->in.fd < 0) {
		buf_add(&piece->text, b->text.data + offset, (size_t)len);
		return RK_OK;
	}
	if (len > BODY_SMALL)
		return piece_from_file(b, offset, piece, err);
	status = body_stream(b, offset, &from, err);
	if (status != RK_OK)
		return status;
	status = stream_add(from, len, &piece->text, err);
	stream_free(from);
	return status;
}

void
body_queue(struct body_piece *piece, struct out *out)
{
	if (piece->fd < 0)
		buf_add(out_buf(out), piece->text.data, piece->text.len);
	else if (piece->stream != NULL)
		out_stream(out, piece->stream, piece->fd, piece->len);
	else
		out_file(out, piece->fd, piece->offset, piece->len);
	piece->fd = -1;
	piece->stream = NULL;
}
