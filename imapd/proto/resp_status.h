/* State of mailboxes: STATUS, and what SELECT and updates tell (RFC 9051 sections 7.3, 7.4, 7.5).
 */
#ifndef PROTO_RESP_STATUS_H
#define PROTO_RESP_STATUS_H

#include <rookery/types.h>

#include "lib/base/buf.h"
#include "lib/base/str.h"

struct resp_status {
	struct str name; /* UTF-8 */
	bool utf8;       /* IMAP4rev2 is enabled */
	uint32_t items;  /* enum status_item bits (command.h): which of these are told */
	uint32_t messages;
	uint32_t uidnext;
	uint32_t uidvalidity;
	uint32_t unseen;
	uint32_t deleted;
	uint32_t recent;
	uint64_t size;
};
void resp_status(struct buf *out, const struct resp_status *st);

/* Flags and keywords of a message or mailbox. */
struct resp_flags {
	uint32_t flags; /* enum rk_flag bits */
	struct rk_keywords keywords;
	const char *const
	    *names; /* of keywords by position, NULL: unused; may be NULL if nnames 0 */
	size_t nnames;
	bool recent; /* rev1 */
	bool star;   /* \*, PERMANENTFLAGS only */
};
/* "(" flag *(SP flag) ")"; a keyword that is no atom is left out (V29). */
void resp_flag_list(struct buf *out, const struct resp_flags *flags);

void resp_flags(struct buf *out, const struct resp_flags *flags);          /* * FLAGS (...) */
void resp_permanentflags(struct buf *out, const struct resp_flags *flags); /* * OK [...] */
void resp_exists(struct buf *out, uint32_t n);
void resp_recent(struct buf *out, uint32_t n); /* rev1 */
void resp_expunge(struct buf *out, uint32_t seq);
void resp_uidvalidity(struct buf *out, uint32_t uidvalidity); /* * OK [UIDVALIDITY n] */
void resp_uidnext(struct buf *out, uint32_t uidnext);
void resp_unseen(struct buf *out, uint32_t seq); /* rev1; first message without \Seen */
void resp_closed(struct buf *out);               /* * OK [CLOSED] (RFC 9051 section 6.3.2) */

#endif
