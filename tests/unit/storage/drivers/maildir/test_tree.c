#include "tests/unit/unit.h"

#include "tests/unit/storage/drivers/maildir/store.h"

#include "storage/drivers/maildir/attrs.h"

static bool
is_there(struct store *s, const char *path)
{
	struct stat st;

	return lstat(store_path(s, path), &st) == 0;
}

static enum rk_status
set(struct store *s, const struct rk_attr_at *at, const char *name, const char *value)
{
	struct rk_blob blob = { value, value != NULL ? strlen(value) : 0 };

	return rookery_driver.attr_set(s->account, at, name, value != NULL ? &blob : NULL, &s->err);
}

static const char *
get(struct store *s, const struct rk_attr_at *at, const char *name)
{
	struct rk_blob value;
	enum rk_status status =
	    rookery_driver.attr_get(s->account, at, name, s->mem, &value, &s->err);

	if (status == RK_NOTFOUND)
		return NULL;
	ck_assert_int_eq(status, RK_OK);
	return rk_arena_dup(s->mem, value.data, value.len);
}

START_TEST(mailboxes_come_whole_and_go_whole)
{
	struct store s;

	store_open(&s);
	ck_assert_int_eq(rookery_driver.box_create(s.account, "a/b", &s.err), RK_OK);
	ck_assert(is_there(&s, ".a.b/cur") && is_there(&s, ".a.b/new") && is_there(&s, ".a.b/tmp"));
	ck_assert(is_there(&s, ".a.b/maildirfolder") && !is_there(&s, ".a"));
	ck_assert_int_eq(rookery_driver.box_create(s.account, "a/b", &s.err), RK_EXISTS);
	ck_assert_int_eq(rookery_driver.box_create(s.account, "INBOX", &s.err), RK_EXISTS);
	/* What somebody else began to remove is removed with it. */
	ck_assert_int_eq(mkdir(store_path(&s, "..DOVECOT-TRASHED"), 0700), 0);
	ck_assert_int_eq(mkdir(store_path(&s, "..DOVECOT-TRASHED/cur"), 0700), 0);
	store_put(&s, "..DOVECOT-TRASHED/cur/1.x", "x\n");
	store_put(&s, ".a.b/cur/1.y", "y\n");
	ck_assert_int_eq(rookery_driver.box_delete(s.account, "a/b", &s.err), RK_OK);
	ck_assert(!is_there(&s, ".a.b") && !is_there(&s, "..DOVECOT-TRASHED"));
	ck_assert_int_eq(rookery_driver.box_delete(s.account, "a/b", &s.err), RK_NOTFOUND);
	ck_assert_int_eq(rookery_driver.box_delete(s.account, "INBOX", &s.err), RK_DENIED);
	/* A directory without cur/ is none yet. */
	ck_assert_int_eq(mkdir(store_path(&s, ".half"), 0700), 0);
	ck_assert_int_eq(rookery_driver.box_create(s.account, "half", &s.err), RK_OK);
	ck_assert(is_there(&s, ".half/cur"));
	store_close(&s);
}
END_TEST

/* V15: a link in a mailbox's place leads nowhere, and nothing behind it is touched. */
START_TEST(links_are_not_followed)
{
	struct store s;

	store_open(&s);
	ck_assert_int_eq(mkdir(store_path(&s, "bait"), 0700), 0);
	store_put(&s, "bait/file", "x\n");
	ck_assert_int_eq(symlink("bait", store_path(&s, ".link")), 0);
	ck_assert_int_eq(rookery_driver.box_delete(s.account, "link", &s.err), RK_NOTFOUND);
	ck_assert_int_ne(rookery_driver.box_create(s.account, "link", &s.err), RK_OK);
	ck_assert_int_eq(rookery_driver.box_create(s.account, "box", &s.err), RK_OK);
	ck_assert_int_eq(symlink("../bait", store_path(&s, ".box/dir")), 0);
	ck_assert_int_eq(rookery_driver.box_delete(s.account, "box", &s.err), RK_OK);
	ck_assert(is_there(&s, "bait/file") && !is_there(&s, "bait/cur"));
	store_close(&s);
}
END_TEST

START_TEST(rename_is_all_or_none)
{
	struct store s;

	store_open(&s);
	ck_assert_int_eq(rookery_driver.box_create(s.account, "a", &s.err), RK_OK);
	ck_assert_int_eq(rookery_driver.box_create(s.account, "a/b", &s.err), RK_OK);
	ck_assert_int_eq(rookery_driver.box_create(s.account, "ab", &s.err), RK_OK);
	ck_assert_int_eq(rookery_driver.box_create(s.account, "x/b", &s.err), RK_OK);
	ck_assert_int_eq(rookery_driver.box_rename(s.account, "a", "x", &s.err), RK_EXISTS);
	ck_assert(is_there(&s, ".a") && is_there(&s, ".a.b"));
	/* Something in the way that is no mailbox. */
	store_put(&s, ".y.b", "x\n");
	ck_assert_int_ne(rookery_driver.box_rename(s.account, "a", "y", &s.err), RK_OK);
	ck_assert(is_there(&s, ".a") && is_there(&s, ".a.b") && !is_there(&s, ".y"));
	ck_assert_int_eq(rookery_driver.box_rename(s.account, "a", "z/1", &s.err), RK_OK);
	ck_assert(is_there(&s, ".z.1") && is_there(&s, ".z.1.b") && is_there(&s, ".ab"));
	ck_assert(!is_there(&s, ".a") && !is_there(&s, ".a.b"));
	ck_assert_int_eq(rookery_driver.box_rename(s.account, "none", "n", &s.err), RK_NOTFOUND);
	store_close(&s);
}
END_TEST

START_TEST(attributes_belong_to_their_place)
{
	const struct rk_attr_at account = { .scope = RK_ATTR_ACCOUNT };
	const struct rk_attr_at inbox = { .scope = RK_ATTR_MAILBOX, .box = "INBOX" };
	const struct rk_attr_at box = { .scope = RK_ATTR_MAILBOX, .box = "box" };
	const struct rk_attr_at all = { .scope = RK_ATTR_MAILBOX };
	const struct rk_attr_at msg = { .scope = RK_ATTR_MESSAGE, .box = "box", .uid = 7 };
	struct rk_attr_list list;
	struct store s;

	store_open(&s);
	ck_assert_int_eq(rookery_driver.box_create(s.account, "box", &s.err), RK_OK);
	ck_assert_int_eq(set(&s, &account, "k", "account"), RK_OK);
	ck_assert_int_eq(set(&s, &inbox, "k", "inbox"), RK_OK);
	ck_assert_int_eq(set(&s, &box, "k", "with\nlines\n"), RK_OK);
	ck_assert_int_eq(set(&s, &box, "other", ""), RK_OK);
	ck_assert_int_eq(set(&s, &msg, "k", "message"), RK_OK);
	ck_assert_int_eq(rookery_driver.box_rename(s.account, "box", "new", &s.err), RK_OK);
	ck_assert_int_eq(rookery_driver.box_rename(s.account, "new", "box", &s.err), RK_OK);
	ck_assert_str_eq(get(&s, &account, "k"), "account");
	ck_assert_str_eq(get(&s, &inbox, "k"), "inbox");
	ck_assert_str_eq(get(&s, &box, "k"), "with\nlines\n");
	ck_assert_str_eq(get(&s, &box, "other"), "");
	ck_assert_str_eq(get(&s, &msg, "k"), "message");
	ck_assert_int_eq(
	    rookery_driver.attr_list(s.account, &all, "k", s.mem, &list, &s.err), RK_OK);
	ck_assert_uint_eq(list.n, 2);
	ck_assert_int_eq(
	    rookery_driver.attr_list(s.account, &box, "", s.mem, &list, &s.err), RK_OK);
	ck_assert_uint_eq(list.n, 2);
	ck_assert_int_eq(set(&s, &box, "k", NULL), RK_OK);
	ck_assert_ptr_null(get(&s, &box, "k"));
	ck_assert_str_eq(get(&s, &msg, "k"), "message");
	store_reopen(&s, true);
	ck_assert_int_eq(set(&s, &box, "k", "x"), RK_DENIED);
	store_close(&s);
}
END_TEST

START_TEST(damage_is_seen_and_kept)
{
	const struct rk_attr_at inbox = { .scope = RK_ATTR_MAILBOX, .box = "INBOX" };
	struct store s;
	char *bytes;
	size_t n;

	store_open(&s);
	ck_assert_int_eq(set(&s, &inbox, "k", "value"), RK_OK);
	bytes = strdup(store_get(&s, ATTRS_FILE));
	ck_assert_ptr_nonnull(bytes);
	n = strlen(bytes);
	for (size_t i = 0; i < n; i++) {
		bytes[i] ^= 1;
		store_put(&s, ATTRS_FILE, bytes);
		ck_assert_ptr_null(get(&s, &inbox, "k"));
		bytes[i] ^= 1;
	}
	bytes[n - 2] ^= 1;
	store_put(&s, ATTRS_FILE, bytes);
	ck_assert_int_eq(set(&s, &inbox, "new", "x"), RK_OK);
	ck_assert(is_there(&s, ATTRS_FILE ".damaged"));
	ck_assert_str_eq(get(&s, &inbox, "new"), "x");
	free(bytes);
	store_close(&s);
}
END_TEST

UNIT_MAIN("maildir tree", mailboxes_come_whole_and_go_whole, links_are_not_followed,
    rename_is_all_or_none, attributes_belong_to_their_place, damage_is_seen_and_kept)
