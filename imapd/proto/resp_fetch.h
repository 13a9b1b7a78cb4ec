/*
 * FETCH responses (RFC 9051 section 7.5.2). Bodies are not written here: resp_fetch_literal leaves
 * the caller right behind `{n}` CRLF, where exactly n bytes must follow before the next item.
 *
 *	struct resp_fetch f;
 *	resp_fetch_begin(&f, out, seq);
 *	resp_fetch_uid(&f, uid);
 *	resp_fetch_literal(&f, item, n, false);   ... n bytes of the message ...
 *	resp_fetch_end(&f);
 */
#ifndef PROTO_RESP_FETCH_H
#define PROTO_RESP_FETCH_H

#include "imapd/proto/command.h"
#include "imapd/proto/resp_status.h"

struct resp_fetch {
	struct buf *out; /* may be emptied or exchanged between two calls */
	bool more;       /* an item was written: a space comes first */
};

void resp_fetch_begin(struct resp_fetch *f, struct buf *out, uint32_t seq);
void resp_fetch_end(struct resp_fetch *f);

void resp_fetch_uid(struct resp_fetch *f, uint32_t uid);
void resp_fetch_flags(struct resp_fetch *f, const struct resp_flags *flags);
void resp_fetch_internaldate(struct resp_fetch *f, int64_t seconds);
void resp_fetch_size(struct resp_fetch *f, uint64_t size);

/*
 * Any item as asked for, by its label ("BODY[HEADER.FIELDS (DATE FROM)]<0>"; never ".PEEK"): the
 * label alone (the caller writes SP and value), with `{size}` CRLF, with NIL, with a short string
 * (quoted or literal by content). literal8: `~{size}`, for BINARY with NULs.
 */
void resp_fetch_label(struct resp_fetch *f, const struct fetch_item *item);
void resp_fetch_literal(
    struct resp_fetch *f, const struct fetch_item *item, uint64_t size, bool literal8);
void resp_fetch_nil(struct resp_fetch *f, const struct fetch_item *item);
void resp_fetch_string(struct resp_fetch *f, const struct fetch_item *item, struct str value);

/* The label, then bytes that are a whole value in IMAP's form already (lib/mime/envelope.h). */
void resp_fetch_bytes(struct resp_fetch *f, const struct fetch_item *item, struct rk_blob bytes);

/*
 * Which bytes of a section of `total` bytes an item asks for: all, or its <partial> cut to what is
 * there. size 0 behind the end (an empty string is answered, RFC 9051 section 6.4.5).
 */
struct resp_range {
	uint64_t offset;
	uint64_t size;
};
struct resp_range resp_fetch_range(const struct fetch_item *item, uint64_t total);

#endif
