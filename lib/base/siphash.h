/* SipHash-1-3 with a random key of this process: tables over names that others choose (V07). */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const void *bytes, size_t n);

#endif
