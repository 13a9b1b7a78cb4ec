/* Content-Transfer-Encoding undone (RFC 2045 section 6), in pieces of any size. Bad input is passed
 * over as the RFC says; nothing fails. */
#ifndef MIME_TRANSFER_H
#define MIME_TRANSFER_H

#include "lib/base/buf.h"
#include "lib/mime/part.h"

struct transfer {
	enum mime_encoding encoding;
	uint32_t bits; /* base64: collected so far */
	unsigned nbits;
	bool ended;    /* base64: padding was seen */
	char held[80]; /* quoted-printable: an escape or blanks that may be at the line's end */
	size_t nheld;
};

/* MIME_IDENTITY and MIME_UNKNOWN pass bytes through. */
void transfer_init(struct transfer *t, enum mime_encoding encoding);
/* Appends what `bytes` decode to. */
void transfer_add(struct transfer *t, const void *bytes, size_t n, struct buf *out);
/* What is still held. */
void transfer_end(struct transfer *t, struct buf *out);

#endif
