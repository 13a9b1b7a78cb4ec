#include "lib/wire/lexer.h"

#include <string.h>

#include "lib/base/arena.h"

/* Character classes of RFC 9051 section 9. */
enum {
	C_ATOM = 1,    /* ATOM-CHAR */
	C_ASTRING = 2, /* ASTRING-CHAR: ATOM-CHAR or "]" */
	C_LIST = 4,    /* list-char: ATOM-CHAR, wildcards or "]" */
	C_TAG = 8,     /* ASTRING-CHAR without "+" */
};

static unsigned
class_of(unsigned char c)
{
	if (c <= 0x20 || c >= 0x7f)
		return 0;
	switch (c) {
	case '(':
	case ')':
	case '{':
	case '"':
	case '\\':
		return 0;
	case '%':
	case '*':
		return C_LIST;
	case ']':
		return C_ASTRING | C_LIST | C_TAG;
	case '+':
		return C_ATOM | C_ASTRING | C_LIST;
	default:
		return C_ATOM | C_ASTRING | C_LIST | C_TAG;
	}
}

void
lexer_init(struct lexer *l, struct str command, struct rk_arena *mem)
{
	l->p = command.p;
	l->end = command.p + command.n;
	l->mem = mem;
	l->depth = 0;
	l->start = command.p;
	l->spill = NULL;
}

void
lexer_spill(struct lexer *l, const struct spill *spill)
{
	l->spill = spill;
}

static bool
lex_class(struct lexer *l, unsigned class, struct str *out)
{
	const char *p = l->p;

	while (p < l->end && (class_of((unsigned char)*p) & class) != 0)
		p++;
	if (p == l->p)
		return false;
	*out = str_of(l->p, (size_t)(p - l->p));
	l->p = p;
	return true;
}

bool
lex_tag(struct lexer *l, struct str *out)
{
	return lex_class(l, C_TAG, out);
}

bool
lex_atom(struct lexer *l, struct str *out)
{
	return lex_class(l, C_ATOM, out);
}

/* End of the quoted string that starts at p; NULL if it has none. *escapes_out counts `\`. */
static const char *
quoted_end(const struct lexer *l, const char *p, size_t *escapes_out)
{
	for (p++; p < l->end; p++) {
		if (*p == '"')
			return p;
		if (*p == '\r' || *p == '\n' || *p == '\0')
			return NULL;
		if (*p != '\\')
			continue;
		if (p + 1 == l->end || (p[1] != '"' && p[1] != '\\'))
			return NULL;
		(*escapes_out)++;
		p++;
	}
	return NULL;
}

static bool
lex_quoted(struct lexer *l, struct str *out)
{
	size_t escapes = 0, n = 0;
	const char *end = quoted_end(l, l->p, &escapes);
	char *plain;

	if (end == NULL)
		return false;
	*out = str_of(l->p + 1, (size_t)(end - l->p) - 1);
	if (escapes > 0) {
		plain = rk_arena_alloc(l->mem, out->n + 1);
		for (const char *p = l->p + 1; p < end; p++) {
			if (*p == '\\')
				p++;
			plain[n++] = *p;
		}
		*out = str_of(plain, n);
	}
	l->p = end + 1;
	return true;
}

/* `{n}` or `{n+}` and CRLF; *p moves behind it. */
static bool
lex_header(const struct lexer *l, const char **at, uint64_t *n)
{
	const char *p = *at, *digits;

	if (p == l->end || *p != '{')
		return false;
	digits = ++p;
	while (p < l->end && *p >= '0' && *p <= '9')
		p++;
	if (!str_u64(str_of(digits, (size_t)(p - digits)), INT64_MAX, n))
		return false;
	if (p < l->end && *p == '+')
		p++;
	if (p == l->end || *p++ != '}')
		return false;
	if (p < l->end && *p == '\r')
		p++;
	if (p == l->end || *p++ != '\n')
		return false;
	*at = p;
	return true;
}

/* The n bytes stand right behind the header in the same run (reader.h). */
static bool
lex_octets(struct lexer *l, struct str *out)
{
	const char *p = l->p;
	uint64_t n;

	if (!lex_header(l, &p, &n) || n > (uint64_t)(l->end - p))
		return false;
	*out = str_of(p, (size_t)n);
	l->p = p + n;
	return true;
}

/* No `~{n}`: only literal8 may hold a NUL, and no string may be one. */
static bool
lex_literal(struct lexer *l, struct str *out)
{
	const char *start = l->p;
	struct str octets;

	if (!lex_octets(l, &octets))
		return false;
	if (octets.n > 0 && memchr(octets.p, '\0', octets.n) != NULL) {
		l->p = start;
		return false;
	}
	*out = octets;
	return true;
}

/* The one that begins here, if it is in the file. */
static bool
lex_spilled(struct lexer *l, struct lex_literal *out)
{
	const struct spilled *found = NULL;
	const char *p = l->p;
	uint64_t n;

	if (l->spill != NULL && lex_header(l, &p, &n))
		found = spill_find(l->spill, (size_t)(p - l->start));
	if (found == NULL)
		return false;
	out->fd = l->spill->fd;
	out->offset = found->offset;
	out->size = found->size;
	out->bytes = str_of("", 0);
	l->p = p;
	return true;
}

bool
lex_message(struct lexer *l, struct lex_literal *out)
{
	const char *start = l->p;

	*out = (struct lex_literal){ .fd = -1 };
	out->literal8 = lex_char(l, '~');
	if (lex_spilled(l, out))
		return true;
	if (!(out->literal8 ? lex_octets(l, &out->bytes) : lex_literal(l, &out->bytes))) {
		l->p = start;
		return false;
	}
	out->size = out->bytes.n;
	return true;
}

bool
lex_string(struct lexer *l, struct str *out)
{
	if (l->p == l->end)
		return false;
	return *l->p == '"' ? lex_quoted(l, out) : lex_literal(l, out);
}

bool
lex_astring(struct lexer *l, struct str *out)
{
	return lex_class(l, C_ASTRING, out) || lex_string(l, out);
}

bool
lex_list_mailbox(struct lexer *l, struct str *out)
{
	return lex_class(l, C_LIST, out) || lex_string(l, out);
}

bool
lex_nstring(struct lexer *l, struct str *out, bool *nil_out)
{
	*nil_out = false;
	if (lex_string(l, out))
		return true;
	*nil_out = lex_word(l, "NIL");
	*out = str_of("", 0);
	return *nil_out;
}

bool
lex_number64(struct lexer *l, uint64_t *out)
{
	const char *p = l->p;

	while (p < l->end && *p >= '0' && *p <= '9')
		p++;
	if (!str_u64(str_of(l->p, (size_t)(p - l->p)), INT64_MAX, out))
		return false;
	l->p = p;
	return true;
}

bool
lex_number(struct lexer *l, uint32_t *out)
{
	const char *start = l->p;
	uint64_t n;

	if (!lex_number64(l, &n))
		return false;
	if (n > UINT32_MAX) {
		l->p = start;
		return false;
	}
	*out = (uint32_t)n;
	return true;
}

bool
lex_nz_number(struct lexer *l, uint32_t *out)
{
	const char *start = l->p;
	uint32_t n;

	/* nz-number = digit-nz *DIGIT: no leading zero */
	if (start == l->end || *start == '0' || !lex_number(l, &n))
		return false;
	*out = n;
	return true;
}

bool
lex_flag(struct lexer *l, struct str *out)
{
	const char *start = l->p;
	struct str atom;

	if (l->p < l->end && *l->p == '\\')
		l->p++;
	if (!lex_atom(l, &atom)) {
		l->p = start;
		return false;
	}
	*out = str_of(start, (size_t)(l->p - start));
	return true;
}

bool
lex_char(struct lexer *l, char c)
{
	if (l->p == l->end || *l->p != c)
		return false;
	l->p++;
	return true;
}

bool
lex_space(struct lexer *l)
{
	return lex_char(l, ' ');
}

bool
lex_open(struct lexer *l)
{
	if (l->depth == LEXER_DEPTH_MAX || !lex_char(l, '('))
		return false;
	l->depth++;
	return true;
}

bool
lex_close(struct lexer *l)
{
	if (l->depth == 0 || !lex_char(l, ')'))
		return false;
	l->depth--;
	return true;
}

bool
lex_word(struct lexer *l, const char *word)
{
	const char *start = l->p;
	struct str atom;

	if (lex_class(l, C_ATOM, &atom) && str_iis(atom, word))
		return true;
	l->p = start;
	return false;
}

bool
lex_prefix(struct lexer *l, const char *bytes)
{
	size_t n = strlen(bytes);

	if ((size_t)(l->end - l->p) < n || !str_iis(str_of(l->p, n), bytes))
		return false;
	l->p += n;
	return true;
}

bool
lex_end(struct lexer *l)
{
	const char *p = l->p;

	if (p < l->end && *p == '\r')
		p++;
	if (p == l->end || *p != '\n' || p + 1 != l->end)
		return false;
	l->p = l->end;
	return true;
}

char
lex_peek(const struct lexer *l)
{
	return l->p < l->end ? *l->p : '\0';
}

static bool
lex_seq_number(struct lexer *l, uint32_t *out)
{
	if (lex_char(l, '*')) {
		*out = 0;
		return true;
	}
	return lex_nz_number(l, out);
}

/* Whether `r` goes on right behind `prev`; both ascending, without `*`. */
static bool
range_joins(const struct sequence_range *prev, const struct sequence_range *r)
{
	return prev->first != 0 && prev->first <= prev->last && r->first != 0 &&
	       r->first <= r->last && prev->last < UINT32_MAX && r->first == prev->last + 1;
}

static bool
lex_range(struct lexer *l, struct sequence_range *r)
{
	if (!lex_seq_number(l, &r->first))
		return false;
	r->last = r->first;
	return !lex_char(l, ':') || lex_seq_number(l, &r->last);
}

bool
lex_sequence(struct lexer *l, size_t max_ranges, struct sequence *out)
{
	const char *start = l->p;
	size_t room = 1;

	/* The commas are counted first, so that the array is made once, never larger than asked. */
	for (const char *p = start;
	     p < l->end && room < max_ranges &&
	     (*p == ',' || *p == ':' || *p == '*' || (*p >= '0' && *p <= '9'));
	     p++)
		room += *p == ',';
	out->ranges = rk_arena_array(l->mem, room, sizeof(*out->ranges));
	out->n = 0;
	do {
		struct sequence_range r;

		if (!lex_range(l, &r))
			goto bad;
		if (out->n > 0 && range_joins(&out->ranges[out->n - 1], &r))
			out->ranges[out->n - 1].last = r.last;
		else if (out->n < max_ranges)
			out->ranges[out->n++] = r;
		else
			goto bad;
	} while (lex_char(l, ','));
	return true;
bad:
	l->p = start;
	return false;
}

void
sequence_resolve(const struct sequence *seq, uint32_t star, struct uidset *out)
{
	for (size_t i = 0; i < seq->n; i++) {
		uint32_t first = seq->ranges[i].first == 0 ? star : seq->ranges[i].first;
		uint32_t last = seq->ranges[i].last == 0 ? star : seq->ranges[i].last;

		if (first == 0 || last == 0)
			continue;
		if (first <= last)
			uidset_add(out, first, last);
		else
			uidset_add(out, last, first);
	}
}
