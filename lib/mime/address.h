/*
 * Address lists of RFC 5322 section 3.4 with groups, comments and the obsolete forms (section 4.4).
 * Nothing fails: what is no address gets the best answer, in linear time.
 */
#ifndef MIME_ADDRESS_H
#define MIME_ADDRESS_H

#include "lib/base/str.h"

/* More are left out. */
#define ADDRESS_MAX 10000

enum address_kind {
	ADDRESS_MAILBOX,
	ADDRESS_GROUP,     /* begins: its name is in `mailbox` */
	ADDRESS_GROUP_END, /* all are empty */
};

/* Strings live in the arena, or are empty: nothing of the kind stood there. */
struct address {
	enum address_kind kind;
	struct str name; /* the phrase before "<", or the comment behind the address */
	struct str route;
	struct str mailbox;
	struct str host;
};

/* *n_out addresses in the order of the value. */
struct address *address_parse(struct str value, struct rk_arena *mem, size_t *n_out);

#endif
