#include "lib/base/crc32c.h"

#include <stdbool.h>
#include <string.h>

#define CRC32C_POLY 0x82f63b78u /* 0x1edc6f41 with its bits reversed */

static uint32_t table[256];
static bool table_ready;

static void
table_fill(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = (c & 1) != 0 ? (c >> 1) ^ CRC32C_POLY : c >> 1;
		table[i] = c;
	}
	table_ready = true;
}

uint32_t
crc32c_table(uint32_t crc, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	if (!table_ready)
		table_fill();
	crc = ~crc;
	while (n-- > 0)
		crc = table[(crc ^ *p++) & 0xff] ^ (crc >> 8);
	return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t
crc32c_sse42(uint32_t crc, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	uint64_t c = (uint32_t)~crc;

	while (n >= 8) {
		uint64_t word;

		memcpy(&word, p, 8);
		c = __builtin_ia32_crc32di(c, word);
		p += 8;
		n -= 8;
	}
	while (n-- > 0)
		c = __builtin_ia32_crc32qi((uint32_t)c, *p++);
	return ~(uint32_t)c;
}

uint32_t
crc32c(uint32_t crc, const void *bytes, size_t n)
{
	if (__builtin_cpu_supports("sse4.2"))
		return crc32c_sse42(crc, bytes, n);
	return crc32c_table(crc, bytes, n);
}

#else

uint32_t
crc32c(uint32_t crc, const void *bytes, size_t n)
{
	return crc32c_table(crc, bytes, n);
}

#endif
