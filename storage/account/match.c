#include "storage/account/match.h"

#include <string.h>

#define WORD_BITS 64
/* A name has at most RK_NAME_MAX bytes, with one wildcard around each: more can't match. */
#define STATES_MAX (2 * RK_NAME_MAX + 2)

struct match {
	bool never;    /* too many literal bytes for any name */
	size_t states; /* pattern positions and the end */
	size_t words;
	uint64_t *stay;  /* at a `*` */
	uint64_t *level; /* at a `%` */
	uint64_t *byte;  /* 256 times words: positions of a literal byte */
	uint64_t *now;   /* scratch */
	uint64_t *next;
};

static void
bit_set(uint64_t *words, size_t i)
{
	words[i / WORD_BITS] |= (uint64_t)1 << (i % WORD_BITS);
}

/* Joins the two and makes one wildcard of each row of them; false if no name is that long. */
static bool
pattern_join(struct str a, struct str b, char *out, size_t *n_out)
{
	size_t n = 0, literals = 0;

	for (size_t i = 0; i < a.n + b.n; i++) {
		char c = i < a.n ? a.p[i] : b.p[i - a.n];
		bool wild = n > 0 && (out[n - 1] == '*' || out[n - 1] == '%');

		if (c == '*' && wild) {
			out[n - 1] = '*';
		} else if (c != '%' || !wild) {
			if (c != '*' && c != '%' && ++literals > RK_NAME_MAX)
				return false;
			out[n++] = c;
		}
	}
	*n_out = n;
	return true;
}

struct match *
match_new(struct str reference, struct str pattern, struct rk_arena *mem)
{
	struct match *m = rk_arena_alloc(mem, sizeof(*m));
	char joined[STATES_MAX];
	size_t n;

	if (!pattern_join(reference, pattern, joined, &n)) {
		m->never = true;
		return m;
	}
	m->states = n + 1;
	m->words = (m->states + WORD_BITS - 1) / WORD_BITS;
	m->stay = rk_arena_array(mem, m->words, sizeof(uint64_t));
	m->level = rk_arena_array(mem, m->words, sizeof(uint64_t));
	m->now = rk_arena_array(mem, m->words, sizeof(uint64_t));
	m->next = rk_arena_array(mem, m->words, sizeof(uint64_t));
	m->byte = rk_arena_array(mem, 256 * m->words, sizeof(uint64_t));
	for (size_t i = 0; i < n; i++) {
		if (joined[i] == '*')
			bit_set(m->stay, i);
		else if (joined[i] == '%')
			bit_set(m->level, i);
		else
			bit_set(m->byte + (unsigned char)joined[i] * m->words, i);
	}
	return m;
}

/* A wildcard may stand for nothing: what reached it reached what follows, too. */
static void
skip_wildcards(const struct match *m, uint64_t *set)
{
	uint64_t carry = 0;

	for (size_t w = 0; w < m->words; w++) {
		uint64_t wild = set[w] & (m->stay[w] | m->level[w]);

		set[w] |= wild << 1 | carry;
		carry = wild >> (WORD_BITS - 1);
	}
}

/* One byte on; false when nothing is left. */
static bool
step(const struct match *m, unsigned char c, unsigned char alt)
{
	const uint64_t *lit = m->byte + c * m->words;
	const uint64_t *lit2 = m->byte + alt * m->words;
	uint64_t carry = 0, any = 0;

	for (size_t w = 0; w < m->words; w++) {
		uint64_t hit = m->now[w] & (lit[w] | lit2[w]);
		uint64_t stay = m->now[w] & (m->stay[w] | (c != '/' ? m->level[w] : 0));

		m->next[w] = hit << 1 | carry | stay;
		carry = hit >> (WORD_BITS - 1);
		any |= m->next[w];
	}
	skip_wildcards(m, m->next);
	memcpy(m->now, m->next, m->words * sizeof(uint64_t));
	return any != 0;
}

bool
match_name(const struct match *m, struct str name)
{
	bool inbox = str_starts(name, "INBOX") && (name.n == 5 || name.p[5] == '/');

	if (m->never)
		return false;
	memset(m->now, 0, m->words * sizeof(uint64_t));
	m->now[0] = 1;
	skip_wildcards(m, m->now);
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];
		unsigned char alt = inbox && i < 5 ? (unsigned char)(c | 0x20) : c;

		if (!step(m, c, alt))
			return false;
	}
	return (m->now[(m->states - 1) / WORD_BITS] >> ((m->states - 1) % WORD_BITS) & 1) != 0;
}
