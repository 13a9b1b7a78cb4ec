/* LIST, LSUB and NAMESPACE responses (RFC 9051 section 7.3). */
#ifndef PROTO_RESP_LIST_H
#define PROTO_RESP_LIST_H

#include "lib/base/buf.h"
#include "lib/base/str.h"

enum resp_list_attr {
	RESP_LIST_NONEXISTENT = 1u << 0,
	RESP_LIST_NOSELECT = 1u << 1, /* left out beside \NonExistent, which implies it */
	RESP_LIST_NOINFERIORS = 1u << 2,
	RESP_LIST_MARKED = 1u << 3,
	RESP_LIST_UNMARKED = 1u << 4,
	RESP_LIST_HASCHILDREN = 1u << 5,
	RESP_LIST_HASNOCHILDREN = 1u << 6,
	RESP_LIST_SUBSCRIBED = 1u << 7,
	RESP_LIST_REMOTE = 1u << 8,
};

struct resp_list {
	struct str name;         /* UTF-8 */
	uint32_t attrs;          /* enum resp_list_attr bits */
	const char *special_use; /* "\Sent \Drafts": words of ours, NULL: none */
	char separator;          /* '\0': NIL */
	bool lsub;               /* "* LSUB" instead of "* LIST" */
	bool utf8;               /* IMAP4rev2 is enabled: names as UTF-8 */
	bool child_subscribed;   /* ("CHILDINFO" ("SUBSCRIBED")) for RECURSIVEMATCH */
	struct str old_name;     /* ("OLDNAME" (name)); p NULL: none */
};

void resp_list(struct buf *out, const struct resp_list *row);

/* "* NAMESPACE": one personal namespace without prefix, no others. */
void resp_namespace(struct buf *out, char separator);

#endif
