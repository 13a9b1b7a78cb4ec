#include "tests/unit/unit.h"

#include <string.h>

#include "lib/base/crc32c.h"

/* RFC 3720 appendix B.4, and the usual check string. */
START_TEST(known_values)
{
	unsigned char bytes[32];

	ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283u);
	memset(bytes, 0, 32);
	ck_assert_uint_eq(crc32c(0, bytes, 32), 0x8a9136aau);
	memset(bytes, 0xff, 32);
	ck_assert_uint_eq(crc32c(0, bytes, 32), 0x62a8ab43u);
	for (int i = 0; i < 32; i++)
		bytes[i] = (unsigned char)i;
	ck_assert_uint_eq(crc32c(0, bytes, 32), 0x46dd794eu);
	ck_assert_uint_eq(crc32c(0, bytes, 0), 0);
}
END_TEST

START_TEST(table_and_processor_agree_in_any_cut)
{
	unsigned char bytes[100];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 37 + 11);
	for (size_t n = 0; n <= sizeof(bytes); n++)
		for (size_t cut = 0; cut <= n; cut += 7) {
			uint32_t whole = crc32c_table(0, bytes, n);

			ck_assert_uint_eq(crc32c(0, bytes, n), whole);
			ck_assert_uint_eq(
			    crc32c(crc32c(0, bytes, cut), bytes + cut, n - cut), whole);
		}
}
END_TEST

UNIT_MAIN("crc32c", known_values, table_and_processor_agree_in_any_cut)
