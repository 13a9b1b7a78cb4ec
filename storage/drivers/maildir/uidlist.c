#include "storage/drivers/maildir/maildir_impl.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/siphash.h"

/*
 * `dovecot-uidlist`, version 3: a header `3 V<uidvalidity> N<next-uid> G<guid>` and a line per
 * message,
 * `<uid>[ <K><value>]… :<base name>`. Readers take no lock: lines are only appended, or the whole
 * file is replaced. A last line without LF is being written, or was torn by a crash: it does not
 * count, and the next writer replaces the file, since Dovecot would misread a line glued to it.
 *
 * A damaged list never makes us hand out a UID twice: the good lines are kept, everything else gets
 * UIDs above the largest number seen anywhere, and the UIDVALIDITY changes only if no header can be
 * read, or if the numbers run out (a damaged line may claim any of them).
 */

struct uid_entry *
uidlist_find(const struct uidlist *list, struct str base)
{
	size_t mask = list->table_size - 1;

	if (list->table_size == 0)
		return NULL;
	for (size_t i = siphash(base.p, base.n) & mask; list->table[i] != 0; i = (i + 1) & mask) {
		struct uid_entry *e = &list->entries[list->table[i] - 1];

		if (str_eq(e->base, base))
			return e;
	}
	return NULL;
}

/* Descending by UID, so that of two lines with one name the later one is found first. */
static void
table_build(struct uidlist *list, struct rk_arena *mem)
{
	size_t mask;

	list->table_size = 16;
	while (list->table_size < list->n * 2)
		list->table_size *= 2;
	list->table = rk_arena_array(mem, list->table_size, sizeof(*list->table));
	mask = list->table_size - 1;
	for (size_t k = list->n; k-- > 0;) {
		size_t i = siphash(list->entries[k].base.p, list->entries[k].base.n) & mask;

		while (list->table[i] != 0)
			i = (i + 1) & mask;
		list->table[i] = (uint32_t)(k + 1);
	}
}

static bool
guid_parse(struct str hex, unsigned char guid[RK_GUID_LEN])
{
	if (hex.n != 2 * RK_GUID_LEN)
		return false;
	for (size_t i = 0; i < RK_GUID_LEN; i++) {
		char byte[3] = { hex.p[2 * i], hex.p[2 * i + 1], '\0' };

		if (!isxdigit((unsigned char)byte[0]) || !isxdigit((unsigned char)byte[1]))
			return false;
		guid[i] = (unsigned char)strtoul(byte, NULL, 16);
	}
	return true;
}

/* `3 V… N… G…`; unknown fields are kept for a rewrite. */
static void
header_parse_v3(struct str line, struct rk_arena *mem, struct uidlist *list)
{
	struct buf extra = BUF_INIT;
	struct str field;

	while (str_split(&line, ' ', &field)) {
		struct str value = str_of(field.p + 1, field.n > 0 ? field.n - 1 : 0);
		uint32_t number;

		if (field.n == 0)
			continue;
		if (field.p[0] == 'V' && str_u32(value, &number)) {
			list->uidvalidity = list->old_validity = number;
		} else if (field.p[0] == 'N' && str_u32(value, &number)) {
			list->uidnext = number;
		} else if (field.p[0] == 'G' && guid_parse(value, list->guid)) {
			list->has_guid = true;
		} else if (field.p[0] != 'V' && field.p[0] != 'N' && field.p[0] != 'G') {
			buf_addc(&extra, ' ');
			buf_add(&extra, field.p, field.n);
		}
	}
	list->extra = str_of(rk_arena_dup(mem, extra.data, extra.len), extra.len);
	buf_clear(&extra);
}

static void
header_parse(struct str line, struct rk_arena *mem, struct uidlist *list)
{
	struct str version, validity, next;

	if (!str_split(&line, ' ', &version))
		return;
	if (str_is(version, "3")) {
		header_parse_v3(line, mem, list);
	} else if (str_is(version, "1") && str_split(&line, ' ', &validity) &&
		   str_split(&line, ' ', &next)) {
		list->rewrite = true;
		if (!str_u32(validity, &list->uidvalidity) || !str_u32(next, &list->uidnext))
			list->uidvalidity = 0;
		list->old_validity = list->uidvalidity;
	}
}

/* Where the name starts: behind the first ` :`; version 1 has a plain space. */
static bool
line_split(struct str line, struct str *uid, struct str *fields, struct str *name)
{
	struct str rest = line;
	const char *mark;

	if (!str_split(&rest, ' ', uid) || rest.n == 0)
		return false;
	if (rest.p[0] == ':') {
		*fields = str_of(rest.p, 0);
		*name = str_of(rest.p + 1, rest.n - 1);
		return true;
	}
	mark = memmem(rest.p, rest.n, " :", 2);
	if (mark == NULL) {
		*fields = str_of(rest.p, 0);
		*name = rest;
		return true;
	}
	*fields = str_of(rest.p, (size_t)(mark - rest.p));
	*name = str_of(mark + 2, rest.n - fields->n - 2);
	return true;
}

static uint64_t
field_number(struct str fields, char key)
{
	struct str field;
	uint64_t value;

	while (str_split(&fields, ' ', &field)) {
		if (field.n > 1 && field.p[0] == key &&
		    str_u64(str_of(field.p + 1, field.n - 1), INT64_MAX, &value))
			return value;
	}
	return RK_SIZE_UNKNOWN;
}

static void
line_parse(struct str line, struct uidlist *list, uint32_t *max_uid)
{
	struct uid_entry *e = &list->entries[list->n];
	struct str uid, name;
	const char *colon;

	*e = (struct uid_entry){ 0 };
	if (!line_split(line, &uid, &e->fields, &name) || !str_u32(uid, &e->uid)) {
		list->rewrite = true;
		list->bad_lines++;
		return;
	}
	/* A line that breaks the order says nothing of its message, but its UID is spent. */
	if (e->uid <= *max_uid || e->uid == UINT32_MAX || name.n == 0 || name.p[0] == ':' ||
	    memchr(name.p, '/', name.n) != NULL || memchr(name.p, '\0', name.n) != NULL) {
		if (e->uid > *max_uid && e->uid < UINT32_MAX)
			*max_uid = e->uid;
		list->rewrite = true;
		list->bad_lines++;
		return;
	}
	*max_uid = e->uid;
	colon = memchr(name.p, ':', name.n);
	e->base = colon == NULL ? name : str_of(name.p, (size_t)(colon - name.p));
	e->virtual = field_number(e->fields, 'W');
	e->size = field_number(e->fields, 'S');
	list->n++;
}

static size_t
lines_count(struct str bytes)
{
	size_t n = 0;
	const char *p = bytes.p, *end = bytes.p + bytes.n;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		n++;
		p++;
	}
	return n;
}

/* Nothing of the old numbers is used any more, under a new UIDVALIDITY above the old one. */
static void
list_restart(struct uidlist *list)
{
	list->uidvalidity = 0;
	list->uidnext = 1;
	list->n = 0;
}

void
uidlist_parse(struct str bytes, struct rk_arena *mem, struct uidlist *out)
{
	uint32_t max_uid = 0;
	struct str line;

	*out = (struct uidlist){ .extra = STR_LIT("") };
	/* Only whole lines count. */
	if (bytes.n > 0 && bytes.p[bytes.n - 1] != '\n') {
		const char *lf = memrchr(bytes.p, '\n', bytes.n);

		out->rewrite = true;
		bytes.n = lf == NULL ? 0 : (size_t)(lf - bytes.p) + 1;
	}
	out->entries = rk_arena_array(mem, lines_count(bytes) + 1, sizeof(*out->entries));
	if (str_split(&bytes, '\n', &line))
		header_parse(line, mem, out);
	/* Without N nobody knows which UIDs were given to messages that are gone. */
	if (out->uidnext == 0)
		out->uidvalidity = 0;
	while (str_split(&bytes, '\n', &line))
		line_parse(line, out, &max_uid);
	if (out->uidnext <= max_uid)
		out->uidnext = max_uid + 1;
	if (out->uidvalidity == 0 || out->uidnext > UID_CEILING)
		list_restart(out);
	out->rewrite = out->rewrite || !out->has_guid || out->uidvalidity == 0;
	table_build(out, mem);
}
