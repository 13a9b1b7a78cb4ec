/* Dovecot's UID list and the other control files of a Maildir, as a damaged disk leaves them. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "storage/drivers/maildir/keywords.h"
#include "storage/drivers/maildir/subscriptions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What sync.c relies on: ascending, below UIDNEXT, names that are found again. */
static void
list_check(const struct uidlist *list)
{
	uint32_t last = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct uid_entry *e = &list->entries[i], *found;

		if (e->uid <= last || e->uid >= list->uidnext || e->base.n == 0)
			abort();
		found = uidlist_find(list, e->base);
		if (found == NULL || found->uid < e->uid)
			abort();
		last = e->uid;
	}
	if (list->uidnext == 0 || (list->uidvalidity == 0 && list->n > 0))
		abort();
}

/* Whatever the file says, each name has one place, and makes no bit where no name is. */
static void
table_check(const struct attrs *attrs, struct rk_arena *mem)
{
	static const char *const words[] = { "a", "b", "new" };
	struct keyword_table *table = rk_arena_alloc(mem, sizeof(*table));
	struct keyword_places places;
	struct rk_err err;

	keywords_extra(attrs, mem, table);
	for (size_t i = 0; i < table->nmsgs; i++) {
		struct rk_keywords bits = { { 0 } };

		if (i > 0 && table->msgs[i].uid < table->msgs[i - 1].uid)
			abort();
		keywords_bits(table, table->msgs[i].names, &bits);
		for (size_t at = 0; at < RK_KEYWORDS_MAX; at++) {
			if ((bits.bits[at / 64] >> at % 64 & 1) != 0 &&
			    (at < LETTERS || at >= LETTERS + table->nextra ||
				table->extra[at - LETTERS] == NULL))
				abort();
		}
	}
	if (keywords_make(table, &(struct rk_words){ words, 3 }, mem, &places, &err) == RK_OK &&
	    !keywords_find(table, &(struct rk_words){ words, 3 }, mem, &places))
		abort();
}

/* Behind a sum that is right everything may stand; what is read is written back the same. */
static void
attrs_check(struct str bytes, struct rk_arena *mem)
{
	struct buf body = { .data = (char *)bytes.p, .len = bytes.n }, sealed = BUF_INIT;
	struct buf again = BUF_INIT;
	struct attrs attrs;

	if (attrs_parse(bytes, mem, &attrs) && attrs.n == 0 && bytes.n > 31)
		abort();
	attrs_seal(&body, &sealed);
	if (attrs_parse(str_of(sealed.data, sealed.len), mem, &attrs)) {
		table_check(&attrs, mem);
		for (size_t i = 0; i < attrs.n; i++) {
			const struct attr *a = &attrs.list[i];

			if (a->name.n == 0 || a->name.n > RK_ATTR_NAME_MAX ||
			    a->value.n > RK_ATTR_VALUE_MAX)
				abort();
			attrs_write(&again, a);
		}
		buf_empty(&sealed);
		attrs_seal(&again, &sealed);
		if (!attrs_parse(str_of(sealed.data, sealed.len), mem, &attrs))
			abort();
	}
	buf_clear(&sealed);
	buf_clear(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rk_arena *mem = arena_new();
	struct str bytes = str_of(rk_arena_dup(mem, data, size), size);
	const char *table[LETTERS], **names;
	struct uidlist list;

	uidlist_parse(bytes, mem, &list);
	list_check(&list);
	keywords_parse(bytes, mem, table);
	attrs_check(bytes, mem);
	for (size_t i = 0; i < subscriptions_parse(bytes, '/', mem, &names); i++) {
		if (names[i][0] == '\0')
			abort();
	}
	arena_free(mem);
	return 0;
}
