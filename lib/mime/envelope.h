/* ENVELOPE and BODYSTRUCTURE as IMAP bytes (RFC 9051 section 7.5.2), ready to be cached. */
#ifndef MIME_ENVELOPE_H
#define MIME_ENVELOPE_H

#include "lib/base/buf.h"
#include "lib/mime/part.h"

/* "(date subject from …)" from a header (with or without its empty line). */
void envelope_write(struct str header, struct buf *out);

/*
 * The structure of a parsed message; `extended` adds the extension data: BODYSTRUCTURE, else BODY.
 * `message` is read again for headers of parts (envelopes of message/rfc822, dispositions), in
 * memory bounded by MIME_HEADER_MAX. RK_CORRUPT or RK_TEMP when it can't be read.
 */
struct structure_source {
	/* A stream over the octets from `offset` on; the caller's. */
	enum rk_status (*open)(
	    void *from, uint64_t offset, struct stream **out, struct rk_err *err);
	void *from;
};
RK_MUST_CHECK enum rk_status bodystructure_write(const struct mime_part *message,
    const struct structure_source *source, bool extended, struct buf *out, struct rk_err *err);

#endif
