/* Dovecot's UID list and the other control files of a Maildir, as a damaged disk leaves them. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "storage/drivers/maildir/maildir_impl.h"

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
	for (size_t i = 0; i < subscriptions_parse(bytes, '/', mem, &names); i++) {
		if (names[i][0] == '\0')
			abort();
	}
	arena_free(mem);
	return 0;
}
