/* Dovecot's UID list and the other control files of a Maildir, as a damaged disk leaves them. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "storage/drivers/maildir/attrs.h"
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
	(void)keywords_letters(table, &(struct rk_words){ (const char *const[]){ "a", "b" }, 2 });
	attrs_check(bytes, mem);
	for (size_t i = 0; i < subscriptions_parse(bytes, '/', mem, &names); i++) {
		if (names[i][0] == '\0')
			abort();
	}
	arena_free(mem);
	return 0;
}
