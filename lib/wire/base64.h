/* Base64 of RFC 4648 section 4, strict: canonical padding, no white space. */
#ifndef WIRE_BASE64_H
#define WIRE_BASE64_H

#include "lib/base/buf.h"
#include "lib/base/str.h"

RK_MUST_CHECK enum rk_status base64_decode(struct str text, struct buf *out, struct rk_err *err);
/* Value of a letter of the alphabet, -1: it is none. */
int base64_value(char c);
void base64_encode(struct str bytes, struct buf *out);

#endif
