#include "tests/unit/unit.h"

#include <string.h>

#include "lib/base/arena.h"
#include "storage/drivers/maildir/keywords.h"
#include "storage/drivers/maildir/subscriptions.h"

START_TEST(file_names_say_flags_and_sizes)
{
	/* clang-format off */
	static const struct {
		const char *file, *base;
		uint64_t size, virtual;
		uint32_t flags;
		uint64_t letters;
	} rows[] = {
		{ "1.M2P3.h,S=2210,W=2267:2,FSab", "1.M2P3.h,S=2210,W=2267", 2210, 2267, RK_FLAG_FLAGGED | RK_FLAG_SEEN, 3 },
		{ "1.M9P3Q2.mx1,S=512", "1.M9P3Q2.mx1,S=512", 512, RK_SIZE_UNKNOWN, 0, 0 },
		{ "2.M1P7.mx1:2,DRTXY,ext", "2.M1P7.mx1", RK_SIZE_UNKNOWN, RK_SIZE_UNKNOWN, RK_FLAG_DRAFT | RK_FLAG_ANSWERED | RK_FLAG_DELETED, 0 },
		{ "x,S=5x,W=7:2,S,F", "x,S=5x,W=7", RK_SIZE_UNKNOWN, 7, RK_FLAG_SEEN, 0 },
		{ "x,S=99999999999999999999:1,S", "x,S=99999999999999999999", RK_SIZE_UNKNOWN, RK_SIZE_UNKNOWN, 0, 0 },
		{ "x:2,z", "x", RK_SIZE_UNKNOWN, RK_SIZE_UNKNOWN, 0, UINT64_C(1) << 25 },
	};
	/* clang-format on */
	struct maildir_name name;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert(maildir_name_parse(str_from(rows[i].file), &name));
		ck_assert(str_is(name.base, rows[i].base));
		ck_assert_uint_eq(name.size, rows[i].size);
		ck_assert_uint_eq(name.virtual, rows[i].virtual);
		ck_assert_uint_eq(name.flags, rows[i].flags);
		ck_assert_uint_eq(name.keywords.bits[0], rows[i].letters);
	}
}
END_TEST

START_TEST(names_that_are_no_messages_are_refused)
{
	static const char *const bad[] = { "", ".hidden", ":2,S", "a\nb", "a\x7f", "a/b" };
	struct maildir_name name;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert(!maildir_name_parse(str_from(bad[i]), &name));
}
END_TEST

START_TEST(mailbox_names_and_directories_match)
{
	/* clang-format off */
	static const struct { const char *name, *dir; char separator; } rows[] = {
		{ "INBOX", ".", '/' },
		{ "a/b", ".a.b", '/' },
		{ "a.b/c", ".a\\2eb.c", '/' },
		{ "a\\b", ".a\\5cb", '/' },
		{ "Entw\xc3\xbcrfe", ".Entw&APw-rfe", '/' },
		{ "INBOX/x", ".INBOX.x", '/' },
		{ "a/b", ".a.b", '.' },
		{ "a\\b", ".a\\b", '.' },
	};
	/* clang-format on */
	struct rk_arena *mem = arena_new();
	struct rk_err err;
	const char *out;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(
		    maildir_dir_of(rows[i].name, rows[i].separator, mem, &out, &err), RK_OK);
		ck_assert_str_eq(out, rows[i].dir);
		if (i == 0)
			continue;
		ck_assert(maildir_name_of(rows[i].dir, rows[i].separator, mem, &out));
		ck_assert_str_eq(out, rows[i].name);
	}
	ck_assert_int_eq(maildir_dir_of("a.b", '.', mem, &out, &err), RK_INVALID);
	ck_assert_int_eq(maildir_dir_of("a//b", '/', mem, &out, &err), RK_INVALID);
	ck_assert_int_eq(maildir_dir_of("a/", '/', mem, &out, &err), RK_INVALID);
	ck_assert_int_eq(maildir_dir_of("", '/', mem, &out, &err), RK_INVALID);
	arena_free(mem);
}
END_TEST

START_TEST(a_directory_has_one_name_or_none)
{
	/* V14: what decodes to a name that would be stored elsewhere is not listed. */
	static const char *const bad[] = { ".", "..", ".a.", "..a", ".a..b", ".INBOX", ".inbox",
		".&AGE-", ".a&", ".\xff", "a", ".a\\5cb\\c" };
	struct rk_arena *mem = arena_new();
	const char *out;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!maildir_name_of(bad[i], '/', mem, &out), "%s", bad[i]);
	arena_free(mem);
}
END_TEST

START_TEST(backslash_and_tilde_as_other_servers_store_them)
{
	/* clang-format off */
	static const struct { const char *name, *first, *raw; } rows[] = {
		{ "back\\slash", ".back\\5cslash", ".back\\slash" },
		{ "x/~y", ".x.\\7ey", ".x.~y" },
		{ "a\\2E", ".a\\5c2E", ".a\\2E" },
		{ "a~", ".a~", ".a~" },
	};
	/* clang-format on */
	struct rk_arena *mem = arena_new();
	struct rk_err err;
	const char *out;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(maildir_dir_of(rows[i].name, '/', mem, &out, &err), RK_OK);
		ck_assert_str_eq(out, rows[i].first);
		ck_assert_int_eq(maildir_dir_raw(rows[i].name, '/', mem, &out, &err), RK_OK);
		ck_assert_str_eq(out, rows[i].raw);
		ck_assert(maildir_name_of(rows[i].first, '/', mem, &out));
		ck_assert_str_eq(out, rows[i].name);
		ck_assert(maildir_name_of(rows[i].raw, '/', mem, &out));
		ck_assert_str_eq(out, rows[i].name);
	}
	arena_free(mem);
}
END_TEST

START_TEST(subscriptions_of_both_versions)
{
	struct rk_arena *mem = arena_new();
	const char **names;

	ck_assert_uint_eq(
	    subscriptions_parse(str_from("inbox\nLists.Dev\n\n&APw-\n"), '/', mem, &names), 3);
	ck_assert_str_eq(names[0], "INBOX");
	ck_assert_str_eq(names[1], "Lists/Dev");
	ck_assert_str_eq(names[2], "\xc3\xbc");
	ck_assert_uint_eq(
	    subscriptions_parse(str_from("V\t2\n\nINBOX\nLists\tDev\nArchive"), '/', mem, &names),
	    3);
	ck_assert_str_eq(names[1], "Lists/Dev");
	ck_assert_str_eq(names[2], "Archive");
	ck_assert_uint_eq(subscriptions_parse(str_from(""), '/', mem, &names), 0);
	arena_free(mem);
}
END_TEST

START_TEST(keyword_lines)
{
	struct rk_arena *mem = arena_new();
	const char *table[LETTERS];

	keywords_parse(
	    str_from("0 $Forwarded\n1 $Junk\n3 Project-X\n26 no\n4 $junk\nx y\n5\n6 a b\n"), mem,
	    table);
	ck_assert_str_eq(table[0], "$Forwarded");
	ck_assert_str_eq(table[3], "Project-X");
	ck_assert_ptr_null(table[2]);
	ck_assert_ptr_null(table[4]);
	ck_assert_ptr_null(table[5]);
	ck_assert_ptr_null(table[6]);
	arena_free(mem);
}
END_TEST

UNIT_MAIN("maildir name", file_names_say_flags_and_sizes, names_that_are_no_messages_are_refused,
    mailbox_names_and_directories_match, a_directory_has_one_name_or_none,
    backslash_and_tilde_as_other_servers_store_them, subscriptions_of_both_versions, keyword_lines)
