#include "auth/base64.h"

#include "lib/base/bug.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

static bool
padding_strip(struct str *text, bool bare)
{
	if (bare)
		return true;
	if (text->n % 4 != 0)
		return false;
	for (int i = 0; i < 2 && text->n > 0 && text->p[text->n - 1] == '='; i++)
		text->n--;
	return true;
}

bool
b64_decode(struct str text, bool bare, unsigned char *out, size_t cap, size_t *n_out)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	if (!padding_strip(&text, bare) || text.n % 4 == 1)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		int v = value_of(text.p[i]);

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have < 8)
			continue;
		if (n == cap)
			return false;
		have -= 8;
		out[n++] = (unsigned char)(bits >> have);
		bits &= (1u << have) - 1;
	}
	*n_out = n;
	return bits == 0; /* left-over bits say that it is not canonical */
}

void
b64_encode(const void *bytes, size_t n, char *out, size_t size)
{
	const unsigned char *p = bytes;
	size_t at = 0;

	if (size < B64_SIZE(n))
		rk_bug("base64 of %zu bytes in %zu", n, size);
	for (size_t i = 0; i < n; i += 3) {
		uint32_t bits = (uint32_t)p[i] << 16;

		bits |= i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0;
		bits |= i + 2 < n ? p[i + 2] : 0;
		out[at++] = letters[bits >> 18];
		out[at++] = letters[bits >> 12 & 63];
		out[at++] = i + 1 < n ? letters[bits >> 6 & 63] : '=';
		out[at++] = i + 2 < n ? letters[bits & 63] : '=';
	}
	out[at] = '\0';
}
