/* Encoded words of RFC 2047. */
#ifndef MIME_WORDS_H
#define MIME_WORDS_H

#include "lib/base/buf.h"
#include "lib/base/str.h"

/* Appends a header field's value as UTF-8: unfolded, encoded words decoded (blanks between two of
 * them go), raw 8-bit taken as UTF-8 where it is valid, else as windows-1252. Linear. */
void words_decode(struct str value, struct buf *out);

#endif
