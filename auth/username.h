/*
 * The one canonicaliser of user names (V12). Whatever a client, a certificate or a database calls a
 * user goes through here before it is looked up, compared, logged as an owner or made into a path,
 * so that two spellings can't be two users in one place and one user in another.
 */
#ifndef AUTH_USERNAME_H
#define AUTH_USERNAME_H

#include "lib/base/str.h"
#include "lib/ipc/proto.h"

enum username_bin {
	USERNAME_OK,
	USERNAME_EMPTY,
	USERNAME_LONG,      /* more than USER_MAX bytes */
	USERNAME_UTF8,      /* not UTF-8 */
	USERNAME_CONTROL,   /* a control byte, NUL included */
	USERNAME_PREP,      /* refused by SASLprep (RFC 4013) */
	USERNAME_FORBIDDEN, /* `/` or `:` */
	USERNAME_EDGE,      /* a space or dot at an end of the name, the local part or the domain */
	USERNAME_DOTS,      /* `..` */
	USERNAME_DOMAIN,    /* an empty part beside `@`, or more than one `@` */
	USERNAME_BINS,
};

struct username_rule {
	const char *default_domain; /* added to a name without `@`; "" = none */
	bool lower;                 /* ASCII letters to lower case */
};

struct username {
	char text[USER_MAX + 1];
	size_t len;
	size_t local; /* bytes before `@`; len if there is none */
};

/* Canonical form of `raw`; *out is valid only for USERNAME_OK. Canonical names map to themselves.
 */
enum username_bin username_make(
    struct str raw, const struct username_rule *rule, struct username *out);

/* Short word for the log ("control"). Static. */
const char *username_bin_name(enum username_bin bin);

/* The part after `@`, "" if there is none. Borrowed. */
const char *username_domain(const struct username *name);

#endif
