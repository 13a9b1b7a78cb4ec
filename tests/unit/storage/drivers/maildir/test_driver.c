#include "tests/unit/unit.h"

#include "tests/unit/storage/drivers/maildir/store.h"

static uint32_t
uid_of(const struct store *s, const char *base)
{
	for (size_t i = 0; i < s->delta.nmsgs; i++) {
		const struct rk_blob *l = &s->delta.msgs[i].locator;

		if (memmem(l->data, l->len, base, strlen(base)) != NULL)
			return s->delta.msgs[i].uid;
	}
	return 0;
}

START_TEST(new_messages_get_uids_in_order_of_arrival)
{
	struct store s;
	const char *list;

	store_open(&s);
	store_put(&s, "new/300.M5P1.h", "c\n");
	store_put(&s, "cur/100.M9P1.h:2,S", "a\n");
	store_put(&s, "new/100.M10P1.h", "b\n");
	store_sync(&s);
	ck_assert_int_eq(s.delta.kind, RK_DELTA_FULL);
	ck_assert_uint_eq(s.delta.nmsgs, 3);
	ck_assert_uint_eq(uid_of(&s, "100.M9P1"), 1);
	ck_assert_uint_eq(uid_of(&s, "100.M10P1"), 2);
	ck_assert_uint_eq(uid_of(&s, "300.M5P1"), 3);
	ck_assert_uint_eq(s.delta.uidnext, 4);
	list = store_get(&s, "dovecot-uidlist");
	ck_assert_int_eq(strncmp(list, "3 V", 3), 0);
	ck_assert_ptr_nonnull(strstr(list, "\n1 :100.M9P1.h\n2 :100.M10P1.h\n3 :300.M5P1.h\n"));
	ck_assert_int_ne(access(store_path(&s, "dovecot-uidlist.lock"), F_OK), 0);
	/* one more is appended, in the same file */
	store_put(&s, "new/400.M5P1.h", "d\n");
	store_sync(&s);
	ck_assert_uint_eq(uid_of(&s, "400.M5P1"), 4);
	ck_assert_ptr_nonnull(strstr(store_get(&s, "dovecot-uidlist"), "3 :300.M5P1.h\n4 :400"));
	store_close(&s);
}
END_TEST

START_TEST(uids_survive_a_rename_and_an_expunge)
{
	struct store s;
	uint32_t validity;

	store_open(&s);
	store_put(&s, "new/1.a", "a\n");
	store_put(&s, "new/2.b", "b\n");
	store_sync(&s);
	validity = s.delta.uidvalidity;
	store_move(&s, "new/1.a", "cur/1.a:2,FSa");
	unlink(store_path(&s, "new/2.b"));
	store_sync(&s);
	ck_assert_int_eq(s.delta.kind, RK_DELTA_FULL);
	ck_assert_uint_eq(s.delta.nmsgs, 1);
	ck_assert_uint_eq(s.delta.msgs[0].uid, 1);
	ck_assert_uint_eq(s.delta.msgs[0].flags, RK_FLAG_FLAGGED | RK_FLAG_SEEN);
	ck_assert_uint_eq(s.delta.msgs[0].keywords.bits[0], 1);
	ck_assert_str_eq(s.delta.keywords[0], "unknown-0");
	ck_assert_uint_eq(s.delta.uidvalidity, validity);
	ck_assert_uint_eq(s.delta.uidnext, 3);
	store_close(&s);
}
END_TEST

START_TEST(nothing_changed_costs_no_listing)
{
	struct store s;
	struct rk_delta first;

	store_open(&s);
	store_put(&s, "new/1.a", "a\n");
	store_sync(&s);
	first = s.delta;
	/* Too young to be trusted, then old enough. */
	store_sync(&s);
	ck_assert_int_eq(s.delta.kind, RK_DELTA_FULL);
	usleep(2100000);
	store_sync(&s);
	store_sync(&s);
	ck_assert_int_eq(s.delta.kind, RK_DELTA_NONE);
	ck_assert_uint_eq(s.delta.nmsgs, 0);
	ck_assert_uint_eq(s.delta.uidvalidity, first.uidvalidity);
	ck_assert_uint_eq(s.delta.uidnext, first.uidnext);
	ck_assert_mem_eq(s.delta.guid, first.guid, RK_GUID_LEN);
	store_put(&s, "dovecot-keywords", "0 $Junk\n");
	store_sync(&s);
	ck_assert_int_eq(s.delta.kind, RK_DELTA_FULL);
	ck_assert_str_eq(s.delta.keywords[0], "$Junk");
	store_close(&s);
}
END_TEST

START_TEST(a_list_of_dovecot_is_kept_as_it_is)
{
	static const char list[] = "3 V777 N30 Gaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb Pxyz\n"
				   "25 W7 :1.a\n26 Ppop O4 :2.b\n";
	struct store s;

	store_open(&s);
	store_put(&s, "dovecot-uidlist", list);
	store_put(&s, "cur/1.a:2,S", "a\n");
	store_put(&s, "new/2.b", "b\n");
	store_sync(&s);
	ck_assert_uint_eq(s.delta.uidvalidity, 777);
	ck_assert_uint_eq(s.delta.uidnext, 30);
	ck_assert_uint_eq(uid_of(&s, "1.a"), 25);
	ck_assert_uint_eq(uid_of(&s, "2.b"), 26);
	ck_assert_uint_eq(s.delta.msgs[0].size, 7);
	ck_assert_uint_eq(s.delta.msgs[1].size, RK_SIZE_UNKNOWN);
	ck_assert_uint_eq(s.delta.guid[0], 0xaa);
	ck_assert_str_eq(store_get(&s, "dovecot-uidlist"), list);
	/* the next UID is N, not the last one plus 1 */
	store_put(&s, "new/3.c", "c\n");
	store_sync(&s);
	ck_assert_uint_eq(uid_of(&s, "3.c"), 30);
	store_close(&s);
}
END_TEST

START_TEST(lists_that_must_be_rewritten)
{
	struct store s;
	const char *list;

	store_open(&s);
	/* torn: the half line goes, unknown fields stay */
	store_put(&s, "dovecot-uidlist",
	    "3 V777 N30 Gaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb Pxyz\n25 Q1 :1.a:2,S\n26 :2");
	store_put(&s, "cur/1.a", "a\n");
	store_put(&s, "cur/2.b", "b\n");
	store_sync(&s);
	list = store_get(&s, "dovecot-uidlist");
	ck_assert_str_eq(
	    list, "3 V777 N31 Gaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb Pxyz\n25 Q1 :1.a\n30 :2.b\n");
	/* version 1 becomes version 3 */
	store_put(&s, "dovecot-uidlist", "1 888 40\n5 1.a\n6 2.b\n");
	store_sync(&s);
	ck_assert_uint_eq(s.delta.uidvalidity, 888);
	ck_assert_uint_eq(uid_of(&s, "2.b"), 6);
	list = store_get(&s, "dovecot-uidlist");
	ck_assert_int_eq(strncmp(list, "3 V888 N40 G", 12), 0);
	ck_assert_ptr_nonnull(strstr(list, "\n5 :1.a\n6 :2.b\n"));
	/* lost: another UIDVALIDITY, and a larger one */
	ck_assert_int_eq(unlink(store_path(&s, "dovecot-uidlist")), 0);
	store_sync(&s);
	ck_assert_uint_gt(s.delta.uidvalidity, 888);
	ck_assert_uint_eq(s.delta.uidnext, 3);
	store_close(&s);
}
END_TEST

START_TEST(a_read_only_store_is_not_written_to)
{
	struct store s;

	store_open(&s);
	store_put(&s, "cur/1.a:2,", "a\n");
	store_reopen(&s, true);
	ck_assert_int_eq(store_try(&s), RK_DENIED);
	ck_assert_int_ne(access(store_path(&s, "dovecot-uidlist"), F_OK), 0);
	store_put(&s, "dovecot-uidlist", "3 V777 N30\n25 :1.a\n");
	store_sync(&s);
	ck_assert_uint_eq(s.delta.msgs[0].uid, 25);
	ck_assert_str_eq(store_get(&s, "dovecot-uidlist"), "3 V777 N30\n25 :1.a\n");
	store_close(&s);
}
END_TEST

START_TEST(a_held_lock_is_waited_for_only_so_long)
{
	struct store s;
	int64_t start;

	store_open(&s);
	store_put(&s, "new/1.a", "a\n");
	store_put(&s, "dovecot-uidlist.lock", "1:elsewhere");
	start = rk_clock_ms();
	ck_assert_int_eq(store_try(&s), RK_INUSE);
	ck_assert_int_lt(rk_clock_ms() - start, 2000);
	ck_assert_str_eq(store_get(&s, "dovecot-uidlist.lock"), "1:elsewhere");
	store_close(&s);
}
END_TEST

START_TEST(the_lock_of_a_dead_process_is_broken)
{
	char host[256];
	struct store s;
	pid_t child;

	store_open(&s);
	gethostname(host, sizeof(host));
	child = fork();
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	store_put(&s, "new/1.a", "a\n");
	store_put(&s, "dovecot-uidlist.lock", rk_arena_printf(s.mem, "%d:%s", (int)child, host));
	store_sync(&s);
	ck_assert_int_ne(access(store_path(&s, "dovecot-uidlist.lock"), F_OK), 0);
	store_close(&s);
}
END_TEST

START_TEST(duplicate_bases_are_one_message)
{
	struct store s;

	store_open(&s);
	store_put(&s, "cur/1.a:2,S", "one\n");
	store_put(&s, "cur/1.a:2,F", "another\n");
	store_put(&s, "new/1.a", "third\n");
	for (int i = 0; i < 3; i++) {
		store_sync(&s);
		ck_assert_uint_eq(s.delta.nmsgs, 1);
		ck_assert_uint_eq(s.delta.msgs[0].uid, 1);
		ck_assert_uint_eq(s.delta.msgs[0].flags, RK_FLAG_FLAGGED);
	}
	ck_assert_int_eq(access(store_path(&s, "cur/1.a:2,S"), F_OK), 0);
	ck_assert_int_eq(access(store_path(&s, "new/1.a"), F_OK), 0);
	store_close(&s);
}
END_TEST

START_TEST(bodies_are_found_again_after_a_rename)
{
	struct store s;
	struct rk_body body;
	struct rk_ref ref;

	store_open(&s);
	store_put(&s, "new/1.a,S=3,W=3", "a\r\n");
	store_put(&s, "new/2.b", "b\n");
	store_sync(&s);
	ref = (struct rk_ref){ 1, s.delta.msgs[0].locator };
	ck_assert_int_eq(rookery_driver.body_open(s.box, &ref, &body, &s.err), RK_OK);
	ck_assert_uint_eq(body.size, 3);
	ck_assert_int_eq(body.eol, RK_EOL_CRLF);
	close(body.fd);
	store_move(&s, "new/1.a,S=3,W=3", "cur/1.a,S=3,W=3:2,RS");
	ck_assert_int_eq(rookery_driver.body_open(s.box, &ref, &body, &s.err), RK_OK);
	close(body.fd);
	/* S and W that the file does not bear out are not believed */
	store_put(&s, "cur/1.a,S=3,W=3:2,RS", "abc\nd\n");
	ck_assert_int_eq(rookery_driver.body_open(s.box, &ref, &body, &s.err), RK_OK);
	ck_assert_int_eq(body.eol, RK_EOL_LF);
	close(body.fd);
	unlink(store_path(&s, "cur/1.a,S=3,W=3:2,RS"));
	ck_assert_int_eq(rookery_driver.body_open(s.box, &ref, &body, &s.err), RK_EXPIRED);
	ref.locator = (struct rk_blob){ "cur/../../../etc/passwd", 23 };
	ck_assert_int_eq(rookery_driver.body_open(s.box, &ref, &body, &s.err), RK_CORRUPT);
	store_close(&s);
}
END_TEST

START_TEST(links_pipes_and_odd_names_are_no_messages)
{
	struct store s;
	struct rk_list list;
	struct rk_box *box;

	store_open(&s);
	ck_assert_int_eq(symlink("/etc/passwd", store_path(&s, "cur/1.link")), 0);
	ck_assert_int_eq(mkfifo(store_path(&s, "cur/2.pipe"), 0600), 0);
	ck_assert_int_eq(mkdir(store_path(&s, "cur/3.dir"), 0700), 0);
	store_put(&s, "cur/4.a\n9 :b", "x\n");
	store_put(&s, "cur/5.good", "x\n");
	store_sync(&s);
	ck_assert_uint_eq(s.delta.nmsgs, 1);
	/* folders: a link is neither listed nor opened */
	ck_assert_int_eq(mkdir(store_path(&s, ".a.b"), 0700), 0);
	ck_assert_int_eq(mkdir(store_path(&s, ".a.b/cur"), 0700), 0);
	ck_assert_int_eq(mkdir(store_path(&s, ".nothing"), 0700), 0);
	ck_assert_int_eq(symlink("/tmp", store_path(&s, ".link")), 0);
	ck_assert_int_eq(mkfifo(store_path(&s, ".pipe"), 0600), 0);
	ck_assert_int_eq(rookery_driver.list(s.account, s.mem, &list, &s.err), RK_OK);
	ck_assert_uint_eq(list.n, 3);
	ck_assert_str_eq(list.entries[0].name, "INBOX");
	ck_assert_str_eq(list.entries[1].name, "a");
	ck_assert_uint_eq(list.entries[1].flags, RK_LIST_NOSELECT);
	ck_assert_str_eq(list.entries[2].name, "a/b");
	ck_assert_uint_eq(list.entries[2].flags, 0);
	ck_assert_int_eq(rookery_driver.box_open(s.account, "link", &box, &s.err), RK_NOTFOUND);
	ck_assert_int_eq(rookery_driver.box_open(s.account, "a", &box, &s.err), RK_NOTFOUND);
	ck_assert_int_eq(rookery_driver.box_open(s.account, "nothing", &box, &s.err), RK_NOTFOUND);
	store_close(&s);
}
END_TEST

START_TEST(twenty_thousand_messages)
{
	struct store s;
	int64_t start;

	store_open(&s);
	for (unsigned i = 0; i < 20000; i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/cur/%u.M%uP1.host,S=3,W=4:2,S", s.root, i, i);
		close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	}
	start = rk_clock_ms();
	store_sync(&s);
	printf("20000 messages: first sync %lld ms", (long long)(rk_clock_ms() - start));
	ck_assert_uint_eq(s.delta.nmsgs, 20000);
	start = rk_clock_ms();
	store_sync(&s);
	printf(", the next %lld ms\n", (long long)(rk_clock_ms() - start));
	ck_assert_uint_eq(s.delta.msgs[19999].uid, 20000);
	store_close(&s);
}
END_TEST

UNIT_MAIN("maildir driver", new_messages_get_uids_in_order_of_arrival,
    uids_survive_a_rename_and_an_expunge, nothing_changed_costs_no_listing,
    a_list_of_dovecot_is_kept_as_it_is, lists_that_must_be_rewritten,
    a_read_only_store_is_not_written_to, a_held_lock_is_waited_for_only_so_long,
    the_lock_of_a_dead_process_is_broken, duplicate_bases_are_one_message,
    bodies_are_found_again_after_a_rename, links_pipes_and_odd_names_are_no_messages,
    twenty_thousand_messages)
