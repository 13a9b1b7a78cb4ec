/* Modified UTF-7 of RFC 3501 section 5.1.3, the mailbox names of IMAP4rev1 and of Maildir++. */
#ifndef WIRE_MUTF7_H
#define WIRE_MUTF7_H

#include "lib/base/buf.h"
#include "lib/base/str.h"

/* Appends the UTF-8 of `name`. RK_INVALID for anything but the one canonical form. */
RK_MUST_CHECK enum rk_status mutf7_decode(
    struct str name, struct buf *utf8_out, struct rk_err *err);
/* Appends the modified UTF-7 of valid UTF-8; RK_INVALID for invalid UTF-8. */
RK_MUST_CHECK enum rk_status mutf7_encode(
    struct str utf8, struct buf *name_out, struct rk_err *err);

#endif
