/* The table of a mailbox's keywords: read, asked, extended, written. */
#include "storage/drivers/maildir/keywords.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"

/* A keyword that a client may be told: an atom (RFC 9051 flag-keyword). */
bool
keyword_valid(struct str s)
{
	if (s.n == 0 || s.n > RK_KEYWORD_LEN || s.p[0] == '\\')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= 0x20 || c >= 0x7f || c == '(' || c == ')' || c == '{' || c == '%' ||
		    c == '*' || c == '"' || c == '\\' || c == ']')
			return false;
	}
	return true;
}

static bool
letter_taken(const char *const letters[LETTERS], struct str name)
{
	for (size_t i = 0; i < LETTERS; i++) {
		if (letters[i] != NULL && str_iis(name, letters[i]))
			return true;
	}
	return false;
}

void
keywords_parse(struct str bytes, struct rk_arena *mem, const char *letters[LETTERS])
{
	struct str line, number;
	uint32_t index;

	for (size_t i = 0; i < LETTERS; i++)
		letters[i] = NULL;
	while (str_split(&bytes, '\n', &line)) {
		if (!str_split(&line, ' ', &number) || !str_u32(number, &index) ||
		    index >= LETTERS || !keyword_valid(line) || letters[index] != NULL ||
		    letter_taken((const char *const *)letters, line))
			continue;
		letters[index] = str_dup(mem, line);
	}
}

static int
msg_order(const void *a, const void *b)
{
	const struct extra_msg *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* A line that is no keyword keeps its position: others stand behind it. */
static void
names_parse(struct str lines, struct rk_arena *mem, struct keyword_table *table)
{
	struct str line;

	while (table->nextra < EXTRA_MAX && str_split(&lines, '\n', &line))
		table->extra[table->nextra++] = keyword_valid(line) ? str_dup(mem, line) : NULL;
}

void
keywords_extra(const struct attrs *attrs, struct rk_arena *mem, struct keyword_table *table)
{
	table->msgs = rk_arena_array(mem, attrs->n + 1, sizeof(*table->msgs));
	table->nextra = table->nmsgs = 0;
	for (size_t i = 0; i < attrs->n; i++) {
		const struct attr *a = &attrs->list[i];

		if (a->uid != 0)
			table->msgs[table->nmsgs++] = (struct extra_msg){ a->uid, a->value };
		else if (table->nextra == 0)
			names_parse(a->value, mem, table);
	}
	qsort(table->msgs, table->nmsgs, sizeof(*table->msgs), msg_order);
}

struct str
keywords_of(const struct keyword_table *table, uint32_t uid)
{
	struct extra_msg wanted = { .uid = uid }, *found = NULL;

	if (table->nmsgs > 0)
		found =
		    bsearch(&wanted, table->msgs, table->nmsgs, sizeof(*table->msgs), msg_order);
	return found != NULL ? found->names : STR_LIT("");
}

static bool
extra_find(const struct keyword_table *table, struct str name, size_t *at)
{
	for (size_t i = 0; i < table->nextra; i++) {
		if (table->extra[i] != NULL && str_iis(name, table->extra[i])) {
			*at = i;
			return true;
		}
	}
	return false;
}

void
keywords_bits(const struct keyword_table *table, struct str names, struct rk_keywords *out)
{
	struct str name;
	size_t at;

	while (str_split(&names, ' ', &name)) {
		if (extra_find(table, name, &at)) {
			at += LETTERS;
			out->bits[at / 64] |= UINT64_C(1) << at % 64;
		}
	}
}

/* Whether the name is known; its place is added to `out`, which has room for it. */
static bool
place_add(const struct keyword_table *table, const char *name, struct keyword_places *out)
{
	size_t at;

	for (unsigned k = 0; k < LETTERS; k++) {
		if (table->letters[k] != NULL && strcasecmp(table->letters[k], name) == 0) {
			out->letters |= UINT64_C(1) << k;
			return true;
		}
	}
	if (!extra_find(table, str_from(name), &at))
		return false;
	((const char **)out->extra.names)[out->extra.n++] = name;
	return true;
}

bool
keywords_find(const struct keyword_table *table, const struct rk_words *words, struct rk_arena *mem,
    struct keyword_places *out)
{
	bool all = true;

	*out = (struct keyword_places){
		.extra = { rk_arena_array(mem, words->n + 1, sizeof(const char *)), 0 }
	};
	for (size_t i = 0; i < words->n; i++)
		all = place_add(table, words->names[i], out) && all;
	return all;
}

/* A letter for the name if one is free, else the next position. */
static bool
name_add(struct keyword_table *table, const char *name)
{
	for (unsigned k = 0; k < LETTERS; k++) {
		if (table->letters[k] == NULL) {
			table->letters[k] = name;
			table->letters_new = true;
			return true;
		}
	}
	if (table->nextra == EXTRA_MAX)
		return false;
	table->extra[table->nextra++] = name;
	table->extra_new++;
	return true;
}

enum rk_status
keywords_make(struct keyword_table *table, const struct rk_words *words, struct rk_arena *mem,
    struct keyword_places *out, struct rk_err *err)
{
	*out = (struct keyword_places){
		.extra = { rk_arena_array(mem, words->n + 1, sizeof(const char *)), 0 }
	};
	for (size_t i = 0; i < words->n; i++) {
		if (place_add(table, words->names[i], out))
			continue;
		if (!name_add(table, words->names[i]) || !place_add(table, words->names[i], out))
			return rk_fail_plain(err, RK_LIMIT, "%d keywords", RK_KEYWORDS_MAX);
	}
	return RK_OK;
}
