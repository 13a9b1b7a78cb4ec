/*
 * The structure of a message (RFC 2045, 2046, 5322): one pass over its octets, iterative, in memory
 * bounded by limits of ours and not by the message. Positions count octets of the message with CRLF
 * line ends, as BODY[] gives it.
 *
 * Limits: at most MIME_DEPTH_MAX levels and MIME_PARTS_MAX parts; what is beyond is opaque (its
 * part has no children, its bytes are exact). Of a header MIME_HEADER_MAX octets are looked at for
 * fields. Anything that is no valid MIME gets the best exact answer: no input fails.
 */
#ifndef MIME_PART_H
#define MIME_PART_H

#include "lib/base/str.h"
#include "lib/base/stream.h"

#define MIME_DEPTH_MAX 100
#define MIME_PARTS_MAX 10000
#define MIME_HEADER_MAX ((uint64_t)10 * 1024 * 1024)
#define MIME_PARAMS_MAX 128

enum mime_kind {
	MIME_LEAF,      /* a body without structure of its own; also opaque */
	MIME_MULTIPART, /* its children are the parts */
	MIME_MESSAGE,   /* message/rfc822 or message/global: its one child is the message inside */
};

enum mime_encoding {
	MIME_IDENTITY, /* 7bit, 8bit, binary, none given */
	MIME_QP,
	MIME_BASE64,
	MIME_UNKNOWN, /* some other word: not to be decoded (BINARY: [UNKNOWN-CTE]) */
};

struct mime_param {
	struct str name;  /* as it stands */
	struct str value; /* unquoted */
};

/*
 * All strings live in the arena, cut at sane lengths for BODYSTRUCTURE. A child of MIME_MESSAGE
 * begins where its parent's body begins; its own header is that message's.
 */
struct mime_part {
	struct mime_part *parent; /* NULL: the message itself */
	struct mime_part *child;  /* the first */
	struct mime_part *next;   /* the next of the same parent */
	enum mime_kind kind;
	enum mime_encoding encoding;
	bool digest; /* inside multipart/digest: the default is message/rfc822 */

	uint64_t header;      /* where its header begins */
	uint64_t header_size; /* through the empty line */
	uint64_t body;        /* header + header_size */
	uint64_t body_size;   /* without the CRLF that belongs to the boundary behind it */
	uint32_t body_lines;  /* LFs in it */

	struct str type; /* "text"; the defaults of RFC 2045 section 5.2 filled in */
	struct str subtype;
	const struct mime_param *params;
	size_t nparams;
	struct str charset; /* of the params; empty: none was given */

	/* Other fields of its header, unfolded, as they stand; p NULL: there is none. */
	struct str id;
	struct str description;
	struct str md5;
	struct str disposition;
	struct str language;
	struct str location;
	struct str transfer; /* of Content-Transfer-Encoding */
};

/*
 * "type; name=value; …" of Content-Disposition and its like: the word in front, then the
 * parameters, at most MIME_PARAMS_MAX, comments passed over. False: no word stands in front.
 */
struct mime_value {
	struct str word;
	const struct mime_param *params;
	size_t nparams;
};
bool mime_value_parse(struct str text, struct rk_arena *mem, struct mime_value *out);

/* Never fails over content; RK_CORRUPT or RK_TEMP when the stream fails. *out lives in `mem`. */
RK_MUST_CHECK enum rk_status mime_parse(
    struct stream *message, struct rk_arena *mem, struct mime_part **out, struct rk_err *err);

/*
 * The part that a section names (RFC 9051 section 6.4.5.1: 1 of a message that is no multipart is
 * its body; numbers go through message/rfc822); NULL if there is none. n 0: the message itself.
 */
const struct mime_part *mime_find(const struct mime_part *message, const uint32_t *path, size_t n);

/* The next one in the order of the message, through all levels; NULL at the end. */
const struct mime_part *mime_next(const struct mime_part *part);

#endif
