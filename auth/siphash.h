/* SipHash-2-4 (Aumasson, Bernstein): a keyed hash for tables that outsiders fill (V07). */
#ifndef AUTH_SIPHASH_H
#define AUTH_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_LEN 16

uint64_t siphash(const unsigned char key[SIPHASH_KEY_LEN], const void *bytes, size_t n);

#endif
