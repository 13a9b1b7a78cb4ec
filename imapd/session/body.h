/*
 * A stored message as a client sees it: octets with CRLF line ends, to be addressed by position. A
 * small message is read once and kept; of a large one with LF line ends a map from positions to
 * stored bytes is made, so that a client that fetches it in pieces costs one walk and not one for
 * each piece (decisions.md 11).
 */
#ifndef SESSION_BODY_H
#define SESSION_BODY_H

#include "imapd/session/out.h"
#include "lib/mime/part.h"
#include "storage/mailbox/mailbox.h"

/* Up to this many stored bytes a message is held in memory (twice as much with CRLFs put in). */
#define BODY_SMALL ((uint64_t)32 * 1024)
#define BODY_MARKS_MAX 1024
/* Of a header only so much is searched for fields; BODY[HEADER] itself is never cut. */
#define BODY_HEADER_MAX ((uint64_t)10 * 1024 * 1024)

/* Here `octet` of the message is byte `stored` of the range; never between a CR and its LF. */
struct body_mark {
	uint64_t octet;
	uint64_t stored;
};

/* Zero-initialised: nothing loaded. */
struct body {
	uint32_t uid; /* 0: none */
	uint64_t size;
	uint64_t header; /* through the empty line */
	bool header_known;
	struct buf text;   /* all of a small message */
	struct rk_body in; /* a large one; fd open only then */
	struct body_mark *marks;
	size_t nmarks;
	struct rk_arena *mem; /* of the parts */
	struct mime_part *parts;
};

/* Makes `b` the message of `record`; costs nothing if it is that already. RK_EXPIRED, RK_CORRUPT,
 * RK_TEMP: then it is nothing. */
RK_MUST_CHECK enum rk_status body_load(
    struct body *b, struct mailbox *mb, const struct index_record *record, struct rk_err *err);
void body_clear(struct body *b);

/* Octets of the header with the empty line. */
RK_MUST_CHECK enum rk_status body_header(struct body *b, uint64_t *size_out, struct rk_err *err);

/* Appends `size` octets of a header that begins at `offset`; one that is cut ends with the last
 * line within BODY_HEADER_MAX and an empty one. */
RK_MUST_CHECK enum rk_status body_header_text(
    struct body *b, uint64_t offset, uint64_t size, struct buf *out, struct rk_err *err);

/* The structure of the message, parsed once; lives until another is loaded. */
RK_MUST_CHECK enum rk_status body_parts(
    struct body *b, const struct mime_part **out, struct rk_err *err);

/* A stream over all octets from `offset` on; the caller's, and only while `b` stays as it is. */
RK_MUST_CHECK enum rk_status body_stream(
    const struct body *b, uint64_t offset, struct stream **out, struct rk_err *err);

/*
 * Some octets on their way out: in memory when they are few, else a range of a file. Got ready
 * before their length is told to the client, because behind `{n}` nothing may fail any more.
 */
struct body_piece {
	struct buf text; /* kept from piece to piece */
	uint64_t len;
	uint64_t offset; /* in fd, without a stream */
	int fd;          /* -1: all is in text */
	struct stream *stream;
};

/* Octets offset..offset+len-1, which are in the message. */
RK_MUST_CHECK enum rk_status body_take(
    struct body *b, uint64_t offset, uint64_t len, struct body_piece *piece, struct rk_err *err);
/* Queues what body_take got ready. */
void body_queue(struct body_piece *piece, struct out *out);

#endif
