/*
 * Status responses (RFC 9051 section 7.1) and the one table of what a client is told when something
 * failed: enum rk_status -> response code of RFC 5530 and a sentence.
 */
#ifndef PROTO_RESP_TEXT_H
#define PROTO_RESP_TEXT_H

#include "lib/base/buf.h"
#include "lib/base/str.h"

enum resp_cond {
	RESP_OK,
	RESP_NO,
	RESP_BAD,
	RESP_PREAUTH, /* untagged only */
	RESP_BYE,     /* untagged only */
};

struct resp_words {
	const char *code; /* without brackets */
	const char *sentence;
};

/* What a client is told about a failure; never names, paths or errno. Static. */
const struct resp_words *resp_words(enum rk_status status);

/*
 * `tag` SP condition SP ["[" code "]" SP] text CRLF. code NULL: none; it may have arguments
 * ("UIDNEXT 4") and must be of our own making. `text` goes through write_text; an empty one becomes
 * "-", and one that starts with "[" cannot become a code.
 */
void resp_tagged(
    struct buf *out, struct str tag, enum resp_cond cond, const char *code, const char *text);
/* The same behind "*". */
void resp_untagged(struct buf *out, enum resp_cond cond, const char *code, const char *text);
/* Tagged NO with the table's words; RK_OK is a bug. */
void resp_fail(struct buf *out, struct str tag, enum rk_status status);
/* "+ " text CRLF. */
void resp_continue(struct buf *out, const char *text);

/* "* CAPABILITY ..." of words parted by one space, e.g. "IMAP4rev1 IMAP4rev2 IDLE". */
void resp_capability(struct buf *out, const char *words);
/* "* ENABLED ..."; "" gives the bare word. */
void resp_enabled(struct buf *out, const char *words);

struct resp_id_pair {
	const char *key;
	const char *value; /* NULL: NIL */
};
/* "* ID (...)"; n 0: NIL. */
void resp_id(struct buf *out, const struct resp_id_pair *pairs, size_t n);

#endif
