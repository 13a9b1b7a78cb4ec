/* CRC32C (Castagnoli), as RFC 3720 has it: the check under every stored value. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from `crc` (0 at the start) over n more bytes. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t n);

/* The same without the processor's help (tests compare the two). */
uint32_t crc32c_table(uint32_t crc, const void *bytes, size_t n);

#endif
