#include "tests/unit/unit.h"

#include "lib/base/arena.h"
#include "storage/mailbox/view.h"
#include "tests/unit/storage/fake_driver.h"
#include "tests/unit/storage/tmpdir.h"

static char root[64];
static struct index *idx;
static struct rk_account *account;
static struct mailbox *mb;
static struct fake_box *inbox;

static void
setup(unsigned n)
{
	struct index_options o = { root, 2000 };
	bool changed;

	tmpdir_make(root, sizeof(root));
	fake_reset();
	inbox = fake_box_find("INBOX");
	while (n-- > 0)
		fake_msg_add(inbox, 0, "x\r\n");
	ck_assert_int_eq(fake_driver.account_open(NULL, &account, NULL), RK_OK);
	ck_assert_int_eq(index_open(&o, &idx, NULL), RK_OK);
	ck_assert_int_eq(mailbox_open(&fake_driver, account, idx, "INBOX", &mb, NULL), RK_OK);
	ck_assert_int_eq(mailbox_sync(mb, &changed, NULL), RK_OK);
}

static void
teardown(void)
{
	mailbox_close(mb);
	index_close(idx);
	fake_driver.account_close(account);
	tmpdir_remove(root);
}

static struct view_diff
compare(const struct view *v)
{
	struct view_diff d;
	bool changed;

	ck_assert_int_eq(mailbox_sync(mb, &changed, NULL), RK_OK);
	ck_assert_int_eq(view_compare(v, mb, &d, NULL), RK_OK);
	return d;
}

START_TEST(numbers_and_uids_in_a_set_with_holes)
{
	struct view v = { 0 };
	uint32_t seq = 0;

	setup(3000);
	for (uint32_t uid = 1; uid <= 3000; uid++)
		if (uid % 3 == 0 || (uid > 1000 && uid < 1500))
			fake_msg_expunge(inbox, uid);
	ck_assert_int_eq(mailbox_sync(mb, &(bool){ false }, NULL), RK_OK);
	ck_assert_int_eq(view_load(&v, mb, NULL), RK_OK);
	for (uint32_t uid = 1; uid <= 3000; uid++) {
		if (uid % 3 == 0 || (uid > 1000 && uid < 1500)) {
			ck_assert_uint_eq(view_seq(&v, uid), 0);
			continue;
		}
		seq++;
		ck_assert_uint_eq(view_seq(&v, uid), seq);
		ck_assert_uint_eq(view_uid(&v, seq), uid);
	}
	ck_assert_uint_eq(view_exists(&v), seq);
	ck_assert_uint_eq(view_uid(&v, 0), 0);
	ck_assert_uint_eq(view_uid(&v, seq + 1), 0);
	ck_assert_uint_eq(view_seq(&v, UINT32_MAX), 0);
	view_clear(&v);
	teardown();
}
END_TEST

START_TEST(expunges_wait_until_they_may_be_told)
{
	struct view v = { 0 };
	struct view_diff d;

	setup(10);
	ck_assert_int_eq(view_load(&v, mb, NULL), RK_OK);
	d = compare(&v);
	ck_assert(view_diff_empty(&d));
	view_diff_clear(&d);
	fake_msg_expunge(inbox, 3);
	fake_msg_flags(inbox, 5, RK_FLAG_SEEN);
	fake_msg_add(inbox, 0, "new\r\n");
	d = compare(&v);
	ck_assert_uint_eq(uidset_count(&d.expunged), 1);
	ck_assert_uint_eq(uidset_count(&d.arrived), 1);
	ck_assert_uint_eq(uidset_at(&d.arrived, 1), 11);
	ck_assert_uint_eq(uidset_count(&d.flags), 1);
	view_advance(&v, &d, false);
	view_diff_clear(&d);
	ck_assert_uint_eq(view_exists(&v), 11);
	ck_assert_uint_eq(view_seq(&v, 5), 5);
	/* Nothing happened since, but one thing is still to be told. */
	d = compare(&v);
	ck_assert_uint_eq(uidset_count(&d.expunged), 1);
	ck_assert_uint_eq(d.flags.n, 0);
	view_advance(&v, &d, true);
	view_diff_clear(&d);
	ck_assert_uint_eq(view_exists(&v), 10);
	ck_assert_uint_eq(view_seq(&v, 5), 4);
	d = compare(&v);
	ck_assert(view_diff_empty(&d));
	view_diff_clear(&d);
	view_clear(&v);
	teardown();
}
END_TEST

START_TEST(a_renumbered_mailbox_ends_the_view)
{
	struct view v = { 0 };
	struct view_diff d;
	bool changed;

	setup(3);
	ck_assert_int_eq(view_load(&v, mb, NULL), RK_OK);
	fake_box_renumber(inbox);
	ck_assert_int_eq(mailbox_sync(mb, &changed, NULL), RK_OK);
	ck_assert_int_eq(view_compare(&v, mb, &d, NULL), RK_EXPIRED);
	view_clear(&v);
	teardown();
}
END_TEST

/* Random changes: a client that follows the differences knows what SELECT would tell. */
START_TEST(following_the_differences_gives_the_whole)
{
	struct view v = { 0 }, fresh = { 0 };
	unsigned seed = 7;

	setup(50);
	ck_assert_int_eq(view_load(&v, mb, NULL), RK_OK);
	for (int round = 0; round < 300; round++) {
		struct view_diff d;
		uint32_t uid;

		seed = seed * 1103515245 + 12345;
		if (seed >> 16 & 1)
			fake_msg_add(inbox, 0, "x\r\n");
		uid = view_uid(&v, 1 + (seed >> 17) % (view_exists(&v) + 1));
		if (uid != 0 && (seed >> 30) == 1 && !uidset_has(&v.expunged, uid))
			fake_msg_expunge(inbox, uid);
		d = compare(&v);
		view_advance(&v, &d, round % 3 == 0);
		view_diff_clear(&d);
		if (round % 3 != 0)
			continue;
		ck_assert_int_eq(view_load(&fresh, mb, NULL), RK_OK);
		ck_assert(uidset_equal(&fresh.uids, &v.uids));
		ck_assert_uint_eq(fresh.modseq, v.modseq);
	}
	view_clear(&v);
	view_clear(&fresh);
	teardown();
}
END_TEST

UNIT_MAIN("view", numbers_and_uids_in_a_set_with_holes, expunges_wait_until_they_may_be_told,
    a_renumbered_mailbox_ends_the_view, following_the_differences_gives_the_whole)
