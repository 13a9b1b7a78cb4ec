#include "tests/unit/unit.h"

#include <string.h>

#include "lib/base/arena.h"
#include "storage/drivers/maildir/maildir_impl.h"

#define GUID "G0123456789abcdef0123456789abcdef"
#define HEAD "3 V1000 N10 " GUID "\n"

/* clang-format off */
static const struct {
	const char *bytes;
	uint32_t uidvalidity, uidnext;
	size_t n;
	bool guid, rewrite;
} rows[] = {
	/* whole and healthy */
	{ HEAD, 1000, 10, 0, true, false },
	{ HEAD "1 :a\n2 S1 W2 :b,S=1\n", 1000, 10, 2, true, false },
	/* N is not rewritten on append */
	{ HEAD "25 :a\n", 1000, 26, 1, true, false },
	/* a torn last line does not count and nothing may be appended to it */
	{ HEAD "1 :a\n2 :b", 1000, 10, 1, true, true },
	{ HEAD "1 :a\n2", 1000, 10, 1, true, true },
	/* unknown fields are fine */
	{ "3 N10 Pabc V1000 " GUID "\n7 Zx :a\n", 1000, 10, 1, true, false },
	/* no GUID: one must be added */
	{ "3 V1000 N10\n1 :a\n", 1000, 10, 1, false, true },
	{ "3 V1000 N10 Gxyz\n1 :a\n", 1000, 10, 1, false, true },
	/* version 1 */
	{ "1 1000 10\n1 a\n2 b:2,S\n", 1000, 10, 2, false, true },
	/* damage: the good lines stay, every UID seen is spent */
	{ HEAD "5 :a\n3 :b\n6 :c\n", 1000, 10, 2, true, true },
	{ HEAD "5 :a\nxx\n", 1000, 10, 1, true, true },
	{ HEAD "50 :x/y\n", 1000, 51, 0, true, true },
	{ HEAD "5 :a\n0 :b\n", 1000, 10, 1, true, true },
	{ HEAD "5 ::2,S\n", 1000, 10, 0, true, true },
	/* no bound: a new UIDVALIDITY and none of the old numbers */
	{ "", 0, 1, 0, false, true },
	{ "3 V1000 " GUID "\n5 :a\n", 0, 1, 0, true, true },
	{ "3 N10 " GUID "\n5 :a\n", 0, 1, 0, true, true },
	{ "9 V1000 N10\n5 :a\n", 0, 1, 0, false, true },
	{ "3 V0 N10 " GUID "\n5 :a\n", 0, 1, 0, true, true },
	{ HEAD "4294967294 :a\n5 :b\n", 0, 1, 0, true, true },
	{ "3 V1000 N4294967295 " GUID "\n5 :b\n", 0, 1, 0, true, true },
	{ "\n\n\n", 0, 1, 0, false, true },
};
/* clang-format on */

START_TEST(lists_whole_torn_old_and_damaged)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rk_arena *mem = arena_new();
		struct uidlist list;

		uidlist_parse(str_from(rows[i].bytes), mem, &list);
		ck_assert_msg(
		    list.uidvalidity == rows[i].uidvalidity, "row %zu: V%u", i, list.uidvalidity);
		ck_assert_msg(list.uidnext == rows[i].uidnext, "row %zu: N%u", i, list.uidnext);
		ck_assert_msg(list.n == rows[i].n, "row %zu: n %zu", i, list.n);
		ck_assert_msg(list.has_guid == rows[i].guid, "row %zu: guid", i);
		ck_assert_msg(list.rewrite == rows[i].rewrite, "row %zu: rewrite", i);
		arena_free(mem);
	}
}
END_TEST

START_TEST(every_truncation_keeps_a_prefix)
{
	const char *whole = HEAD "1 :a\n2 S10 W12 :bb\n30 :ccc:2,S\n";
	struct rk_arena *mem = arena_new();

	for (size_t cut = 0; cut <= strlen(whole); cut++) {
		struct uidlist list;

		uidlist_parse(str_of(rk_arena_dup(mem, whole, cut), cut), mem, &list);
		ck_assert_uint_le(list.n, 3);
		if (list.n > 0)
			ck_assert_uint_eq(list.entries[0].uid, 1);
		ck_assert_uint_eq(list.uidnext, cut < strlen(HEAD) ? 1 : list.n == 3 ? 31 : 10);
	}
	arena_free(mem);
}
END_TEST

START_TEST(the_later_of_two_lines_with_one_name_wins)
{
	struct rk_arena *mem = arena_new();
	struct uidlist list;
	struct uid_entry *e;

	uidlist_parse(str_from(HEAD "1 :a\n2 W77 :a:2,S\n"), mem, &list);
	e = uidlist_find(&list, str_from("a"));
	ck_assert_ptr_nonnull(e);
	ck_assert_uint_eq(e->uid, 2);
	ck_assert_uint_eq(e->virtual, 77);
	ck_assert_ptr_null(uidlist_find(&list, str_from("b")));
	arena_free(mem);
}
END_TEST

UNIT_MAIN("maildir uidlist", lists_whole_torn_old_and_damaged, every_truncation_keeps_a_prefix,
    the_later_of_two_lines_with_one_name_wins)
