/* Address lists of RFC 5322 section 3.4 with the obsolete forms, as ENVELOPE shows them. */
#ifndef MIME_ADDRESS_H
#define MIME_ADDRESS_H

#include "lib/base/buf.h"
#include "lib/base/str.h"

/* More addresses of one field than these are left out. */
#define ADDRESSES_MAX 10000

/*
 * Appends "((name route mailbox host)…)", "NIL" if there is no address in `value` (unfolded).
 * Groups as RFC 9051 section 7.5.2 says. What is no address gives the best guess; nothing fails.
 * Linear.
 */
void address_list_write(struct str value, struct buf *out);

#endif
