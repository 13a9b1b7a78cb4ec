/* UTF-8 as RFC 3629 has it: no surrogates, no over-long forms, nothing above U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes (1 to 4) of the sequence that starts at `p`; 0 if there is no valid one within n bytes. */
size_t utf8_sequence(const unsigned char *p, size_t n);

/* Whether all n bytes are valid UTF-8. */
bool utf8_valid(const void *bytes, size_t n);

#endif
