/* Base64 (RFC 4648 section 4) of keys and hashes; lib/wire is not for this process. */
#ifndef AUTH_BASE64_H
#define AUTH_BASE64_H

#include "lib/base/str.h"

/* Bytes of `text` into out[0..cap); padding may be there or, with `bare`, must not. False if it is
 * not canonical base64 or does not fit. */
bool b64_decode(struct str text, bool bare, unsigned char *out, size_t cap, size_t *n_out);

/* Text of n bytes with padding and a NUL; `size` of at least B64_SIZE(n). */
void b64_encode(const void *bytes, size_t n, char *out, size_t size);

#define B64_SIZE(n) (((n) + 2) / 3 * 4 + 1)

#endif
