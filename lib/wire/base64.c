#include "lib/wire/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One group of four; `pad` of its last characters are `=`. False if it is not the canonical form.
 */
static bool
group_decode(const char *p, size_t pad, struct buf *out)
{
	unsigned char bytes[3];
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int v = i < 4 - pad ? base64_value(p[i]) : 0;

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
	}
	bytes[0] = (unsigned char)(bits >> 16);
	bytes[1] = (unsigned char)(bits >> 8);
	bytes[2] = (unsigned char)bits;
	for (size_t i = 3 - pad; i < 3; i++) {
		if (bytes[i] != 0)
			return false; /* bits that no byte has: two texts for one value */
	}
	buf_add(out, bytes, 3 - pad);
	return true;
}

enum rk_status
base64_decode(struct str text, struct buf *out, struct rk_err *err)
{
	if (text.n % 4 != 0)
		return rk_fail_plain(err, RK_INVALID, "base64 of %zu characters", text.n);
	buf_reserve(out, text.n / 4 * 3);
	for (size_t i = 0; i < text.n; i += 4) {
		size_t pad = 0;

		if (i + 4 == text.n && text.p[i + 3] == '=')
			pad = text.p[i + 2] == '=' ? 2 : 1;
		if (!group_decode(text.p + i, pad, out))
			return rk_fail_plain(err, RK_INVALID, "no base64 at character %zu", i);
	}
	return RK_OK;
}

void
base64_encode(struct str bytes, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)bytes.p;

	buf_reserve(out, (bytes.n + 2) / 3 * 4);
	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t left = bytes.n - i;
		uint32_t bits = (uint32_t)p[i] << 16;

		if (left > 1)
			bits |= (uint32_t)p[i + 1] << 8;
		if (left > 2)
			bits |= p[i + 2];
		buf_addc(out, letters[bits >> 18]);
		buf_addc(out, letters[bits >> 12 & 63]);
		buf_addc(out, left > 1 ? letters[bits >> 6 & 63] : '=');
		buf_addc(out, left > 2 ? letters[bits & 63] : '=');
	}
}
