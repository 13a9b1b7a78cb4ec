/* BINARY and BINARY.SIZE (RFC 9051 section 6.4.5, RFC 3516): a part with its transfer encoding
 * undone. */
#include "imapd/session/fetch.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/mime/transfer.h"

#define BLOCK ((size_t)32 * 1024)
/* More than this of a part waits in a file for the client. */
#define MEMORY_MAX ((size_t)1 << 20)

/* What is made of the decoded octets. */
struct sink {
	uint64_t from; /* the first that is wanted, and behind the last one */
	uint64_t to;
	uint64_t total;           /* decoded so far */
	bool nul;                 /* one is among the wanted ones */
	struct body_piece *piece; /* NULL: they are only counted */
};

static enum rk_status
sink_add(struct sink *k, const struct buf *bytes, struct rk_err *err)
{
	uint64_t begin = k->total, end = begin + bytes->len;
	enum rk_status status = RK_OK;
	const char *p;
	size_t n;

	k->total = end;
	begin = begin > k->from ? begin : k->from;
	end = end < k->to ? end : k->to;
	if (k->piece == NULL || begin >= end)
		return RK_OK;
	p = bytes->data + (begin - (k->total - bytes->len));
	n = (size_t)(end - begin);
	k->nul = k->nul || memchr(p, '\0', n) != NULL;
	k->piece->len += n;
	buf_add(&k->piece->text, p, n);
	if (k->piece->fd < 0 && k->piece->text.len <= MEMORY_MAX)
		return RK_OK;
	if (k->piece->fd < 0)
		k->piece->fd = memfd_create("binary", MFD_CLOEXEC);
	if (k->piece->fd < 0)
		return rk_fail(err, RK_TEMP, "a file in memory");
	status = file_write(k->piece->fd, k->piece->text.data, k->piece->text.len, err);
	buf_empty(&k->piece->text);
	return status;
}

static enum rk_status
octets_decode(struct stream *from, uint64_t left, enum mime_encoding encoding, struct sink *k,
    struct rk_err *err)
{
	struct buf decoded = BUF_INIT;
	enum rk_status status = RK_OK;
	struct transfer t;
	char block[BLOCK];

	transfer_init(&t, encoding);
	while (status == RK_OK && left > 0 && k->total < k->to) {
		size_t got;

		status = stream_read(from, block, left < BLOCK ? (size_t)left : BLOCK, &got, err);
		if (status == RK_OK && got == 0)
			status = rk_fail_plain(err, RK_CORRUPT, "a message became shorter");
		if (status != RK_OK)
			break;
		left -= got;
		buf_empty(&decoded);
		transfer_add(&t, block, got, &decoded);
		status = sink_add(k, &decoded, err);
	}
	buf_empty(&decoded);
	transfer_end(&t, &decoded);
	if (status == RK_OK)
		status = sink_add(k, &decoded, err);
	buf_clear(&decoded);
	return status;
}

/* The octets of the section and how they are encoded. Only a leaf has an encoding. */
static enum rk_status
part_find(struct body *b, const struct section *section, uint64_t *offset, uint64_t *size,
    enum mime_encoding *encoding, struct rk_err *err)
{
	const struct mime_part *root, *part;
	enum rk_status status;

	*offset = 0;
	*size = b->size;
	*encoding = MIME_IDENTITY;
	if (section->nparts == 0)
		return RK_OK;
	status = body_parts(b, &root, err);
	if (status != RK_OK)
		return status;
	part = mime_find(root, section->part, section->nparts);
	if (part == NULL)
		return rk_fail_plain(err, RK_NOTFOUND, "no such section");
	*offset = part->body;
	*size = part->body_size;
	if (part->kind == MIME_LEAF)
		*encoding = part->encoding;
	if (*encoding == MIME_UNKNOWN)
		return rk_fail_plain(err, RK_UNSUPPORTED, "an unknown transfer encoding");
	return RK_OK;
}

static enum rk_status
part_decode(struct body *b, const struct section *section, struct sink *k, struct rk_err *err)
{
	enum mime_encoding encoding;
	uint64_t offset, size;
	struct stream *from;
	enum rk_status status = part_find(b, section, &offset, &size, &encoding, err);

	if (status == RK_OK)
		status = body_stream(b, offset, &from, err);
	if (status != RK_OK)
		return status;
	status = octets_decode(from, size, encoding, k, err);
	stream_free(from);
	return status;
}

enum rk_status
fetch_binary_take(struct body *b, const struct fetch_item *item, struct body_piece *piece,
    bool *nul_out, struct rk_err *err)
{
	struct sink k = { .to = UINT64_MAX, .piece = piece };
	enum rk_status status;

	if (item->partial) {
		k.from = item->offset;
		k.to = item->offset + item->length;
	}
	buf_empty(&piece->text);
	piece->len = 0;
	piece->offset = 0;
	piece->fd = -1;
	piece->stream = NULL;
	status = part_decode(b, &item->section, &k, err);
	/* What is in the file must be all of it. */
	if (status == RK_OK && piece->fd >= 0)
		status = file_write(piece->fd, piece->text.data, piece->text.len, err);
	if (status != RK_OK && piece->fd >= 0) {
		close(piece->fd);
		piece->fd = -1;
	}
	*nul_out = k.nul;
	return status;
}

enum rk_status
fetch_binary_size(
    struct body *b, const struct fetch_item *item, uint64_t *size_out, struct rk_err *err)
{
	struct sink k = { .to = UINT64_MAX };
	enum rk_status status = part_decode(b, &item->section, &k, err);

	*size_out = k.total;
	return status;
}
