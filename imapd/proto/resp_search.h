/* SEARCH and ESEARCH (RFC 9051 section 7.3), and the UIDs of APPENDUID and COPYUID. */
#ifndef PROTO_RESP_SEARCH_H
#define PROTO_RESP_SEARCH_H

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/uidset.h"

/* "* SEARCH 2 3 6", rev1's answer; "* SEARCH" when nothing was found. */
void resp_search(struct buf *out, const struct uidset *found);

struct resp_esearch {
	struct str tag; /* of the command */
	bool uid;       /* the numbers are UIDs */
	uint32_t ret;   /* enum search_return bits */
	const struct uidset *found;
};
/* "* ESEARCH (TAG "a") UID MIN 2 MAX 6 ALL 2:3,6 COUNT 3". Without numbers only COUNT is left.
 * Nothing is written when SAVE was all that was asked for (RFC 9051 section 6.4.4). */
void resp_esearch(struct buf *out, const struct resp_esearch *e);

/*
 * Response codes without brackets, for resp_tagged. The UIDs keep their order, because the two
 * sets of COPYUID go in pairs (RFC 9051 section 7.1): only ascending neighbours become a range.
 * n is at least 1.
 */
void resp_appenduid(struct buf *out, uint32_t uidvalidity, const uint32_t *uids, size_t n);
void resp_copyuid(
    struct buf *out, uint32_t uidvalidity, const uint32_t *from, const uint32_t *to, size_t n);

#endif
