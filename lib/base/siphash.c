#include "lib/base/siphash.h"

#include <stdbool.h>
#include <string.h>

#include "lib/base/os_linux.h"

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t
rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void
sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

uint64_t
siphash(const void *bytes, size_t n)
{
	static uint64_t key[2];
	static bool have_key;
	const unsigned char *p = bytes;
	struct sip s;
	uint64_t last = (uint64_t)n << 56, word;

	if (!have_key) {
		os_random(key, sizeof(key));
		have_key = true;
	}
	s.v0 = key[0] ^ 0x736f6d6570736575u;
	s.v1 = key[1] ^ 0x646f72616e646f6du;
	s.v2 = key[0] ^ 0x6c7967656e657261u;
	s.v3 = key[1] ^ 0x7465646279746573u;
	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&word, p, 8);
		s.v3 ^= word;
		sip_round(&s);
		s.v0 ^= word;
	}
	for (size_t i = 0; i < n; i++)
		last |= (uint64_t)p[i] << (8 * i);
	s.v3 ^= last;
	sip_round(&s);
	s.v0 ^= last;
	s.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
