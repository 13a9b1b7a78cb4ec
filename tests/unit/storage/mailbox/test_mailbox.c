#include "tests/unit/unit.h"

#include <fcntl.h>
#include <inttypes.h>

#include "lib/base/arena.h"
#include "storage/mailbox/box.h"
#include "storage/mailbox/mailbox.h"
#include "tests/unit/storage/fake_driver.h"
#include "tests/unit/storage/tmpdir.h"

static char root[64];
static struct index *idx;
static struct rk_account *account;
static struct mailbox *mb;
static struct fake_box *inbox;

static void
setup(void)
{
	struct index_options o = { root, 2000 };

	tmpdir_make(root, sizeof(root));
	fake_reset();
	inbox = fake_box_find("INBOX");
	ck_assert_int_eq(fake_driver.account_open(NULL, &account, NULL), RK_OK);
	ck_assert_int_eq(index_open(&o, &idx, NULL), RK_OK);
	ck_assert_int_eq(mailbox_open(&fake_driver, account, idx, "INBOX", &mb, NULL), RK_OK);
}

static void
teardown(void)
{
	mailbox_close(mb);
	index_close(idx);
	fake_driver.account_close(account);
	tmpdir_remove(root);
}

static bool
sync_it(void)
{
	struct rk_err err = { 0 };
	bool changed = false;

	ck_assert_msg(mailbox_sync(mb, &changed, &err) == RK_OK, "%s", err.text);
	return changed;
}

static struct index_info
info_of(void)
{
	struct rk_arena *mem = arena_new();
	struct index_info info;

	ck_assert_int_eq(mailbox_info(mb, mem, &info, NULL), RK_OK);
	info.keywords = NULL;
	info.state = (struct rk_blob){ NULL, 0 };
	arena_free(mem);
	return info;
}

START_TEST(a_mailbox_follows_its_driver)
{
	struct index_info info;

	setup();
	for (int i = 0; i < 10; i++)
		fake_msg_add(inbox, i < 3 ? RK_FLAG_SEEN : 0, "x\r\n");
	ck_assert(sync_it());
	info = info_of();
	ck_assert_uint_eq(info.messages, 10);
	ck_assert_uint_eq(info.unseen, 7);
	ck_assert_uint_eq(info.first_unseen_uid, 4);
	ck_assert_uint_eq(info.size, 30);
	ck_assert_uint_eq(info.uidnext, 11);
	ck_assert(!sync_it());
	fake_msg_expunge(inbox, 4);
	fake_msg_flags(inbox, 5, RK_FLAG_DELETED);
	ck_assert(sync_it());
	info = info_of();
	ck_assert_uint_eq(info.messages, 9);
	ck_assert_uint_eq(info.deleted, 1);
	ck_assert_uint_eq(info.first_unseen_uid, 5);
	ck_assert(!mailbox_writable(mb));
	teardown();
}
END_TEST

START_TEST(a_full_list_of_the_same_changes_nothing)
{
	uint64_t was;

	setup();
	for (int i = 0; i < 1000; i++)
		fake_msg_add(inbox, 0, "x\r\n");
	sync_it();
	was = info_of().highest_modseq;
	fake_mode_set(FAKE_ALWAYS_FULL);
	ck_assert(!sync_it());
	ck_assert_uint_eq(info_of().highest_modseq, was);
	teardown();
}
END_TEST

START_TEST(uidvalidity_that_changes_starts_over)
{
	uint64_t was;

	setup();
	for (int i = 0; i < 5; i++)
		fake_msg_add(inbox, 0, "x\r\n");
	fake_msg_expunge(inbox, 1);
	sync_it();
	was = info_of().highest_modseq;
	fake_box_renumber(inbox);
	ck_assert(sync_it());
	ck_assert_uint_eq(info_of().uidnext, 5);
	ck_assert_uint_eq(info_of().uidvalidity, inbox != NULL ? 2 : 0);
	ck_assert_uint_gt(info_of().highest_modseq, was);
	teardown();
}
END_TEST

START_TEST(a_mailbox_made_anew_under_its_name_is_another)
{
	unsigned char guid[RK_GUID_LEN];

	setup();
	fake_msg_add(inbox, 0, "old\r\n");
	sync_it();
	memcpy(guid, mailbox_guid(mb), RK_GUID_LEN);
	fake_box_remove("INBOX");
	inbox = fake_box_add("INBOX");
	ck_assert(sync_it());
	ck_assert_mem_ne(guid, mailbox_guid(mb), RK_GUID_LEN);
	ck_assert_uint_eq(info_of().messages, 0);
	fake_box_remove("INBOX");
	{
		bool changed;
		ck_assert_int_eq(mailbox_sync(mb, &changed, NULL), RK_NOTFOUND);
	}
	teardown();
}
END_TEST

START_TEST(broken_contracts_are_corrupt)
{
	setup();
	fake_msg_add(inbox, 0, "a\r\n");
	fake_msg_add(inbox, 0, "b\r\n");
	for (int m = FAKE_UID_ORDER; m <= FAKE_NONE_FOR_EMPTY; m++) {
		bool changed;

		if (m == FAKE_UIDNEXT_BACK || m == FAKE_NONE_FOR_EMPTY)
			continue;
		fake_mode_set((enum fake_mode)m);
		ck_assert_msg(mailbox_sync(mb, &changed, NULL) == RK_CORRUPT, "mode %d", m);
	}
	{
		bool changed;

		fake_mode_set(FAKE_NONE_FOR_EMPTY);
		ck_assert_int_eq(mailbox_sync(mb, &changed, NULL), RK_CORRUPT);
		fake_mode_set(FAKE_GOOD);
		sync_it();
		fake_mode_set(FAKE_UIDNEXT_BACK);
		ck_assert_int_eq(mailbox_sync(mb, &changed, NULL), RK_CORRUPT);
	}
	fake_mode_set(FAKE_GOOD);
	ck_assert_uint_eq(info_of().messages, 2);
	teardown();
}
END_TEST

static void
another_process(void)
{
	struct mailbox *other;
	bool changed;

	fake_sync_hook_set(NULL);
	fake_msg_add(inbox, 0, "while you looked\r\n");
	ck_assert_int_eq(mailbox_open(&fake_driver, account, idx, "INBOX", &other, NULL), RK_OK);
	ck_assert_int_eq(mailbox_sync(other, &changed, NULL), RK_OK);
	mailbox_close(other);
}

/* The slower one's list lacks the new message: it must not be taken for an expunge. */
START_TEST(a_faster_process_makes_us_ask_again)
{
	struct uidset gone = UIDSET_INIT;
	uint64_t was;

	setup();
	fake_msg_add(inbox, 0, "a\r\n");
	sync_it();
	was = info_of().highest_modseq;
	fake_msg_add(inbox, 0, "b\r\n");
	fake_mode_set(FAKE_ALWAYS_FULL);
	fake_sync_hook_set(another_process);
	sync_it();
	ck_assert_uint_eq(info_of().messages, 3);
	ck_assert_int_eq(index_vanished(idx, mailbox_guid(mb), was, &gone, NULL), RK_OK);
	ck_assert_uint_eq(gone.n, 0);
	uidset_clear(&gone);
	teardown();
}
END_TEST

static struct index_record
record_of(uint32_t uid, struct rk_arena *mem)
{
	struct uidset one = UIDSET_INIT;
	struct index_query query = { .uids = &one, .from = 1, .max = 1 };
	struct index_records r;

	uidset_add(&one, uid, uid);
	ck_assert_int_eq(mailbox_records(mb, &query, mem, &r, NULL), RK_OK);
	ck_assert_uint_eq(r.n, 1);
	uidset_clear(&one);
	return r.list[0];
}

START_TEST(sizes_count_crlf_and_are_kept)
{
	struct rk_arena *mem = arena_new();
	struct index_record r;

	setup();
	fake_msg_add_as(inbox, 0, "ab\ncd\r\n\n", RK_EOL_LF, false);
	fake_msg_add_as(inbox, 0, "ab\r\n", RK_EOL_CRLF, false);
	fake_msg_add_as(inbox, 0, "\n\n\n", RK_EOL_UNKNOWN, false);
	sync_it();
	ck_assert_uint_eq(info_of().unknown_sizes, 3);
	r = record_of(1, mem);
	ck_assert_int_eq(mailbox_size(mb, &r, NULL), RK_OK);
	ck_assert_uint_eq(r.size, 10);
	ck_assert_uint_eq(info_of().unknown_sizes, 2);
	ck_assert_uint_eq(record_of(1, mem).size, 10);
	ck_assert_int_eq(mailbox_sizes(mb, NULL), RK_OK);
	ck_assert_uint_eq(info_of().unknown_sizes, 0);
	ck_assert_uint_eq(info_of().size, 10 + 4 + 6);
	arena_free(mem);
	teardown();
}
END_TEST

START_TEST(bodies_are_checked)
{
	struct rk_arena *mem = arena_new();
	struct index_record r;
	struct rk_body body;

	setup();
	fake_msg_add(inbox, 0, "text\r\n");
	sync_it();
	r = record_of(1, mem);
	ck_assert_int_eq(mailbox_body(mb, &r, &body, NULL), RK_OK);
	ck_assert_uint_eq(body.size, 6);
	close(body.fd);
	fake_mode_set(FAKE_BODY_BEYOND);
	ck_assert_int_eq(mailbox_body(mb, &r, &body, NULL), RK_CORRUPT);
	fake_mode_set(FAKE_GOOD);
	fake_msg_expunge(inbox, 1);
	ck_assert_int_eq(mailbox_body(mb, &r, &body, NULL), RK_EXPIRED);
	arena_free(mem);
	teardown();
}
END_TEST

START_TEST(a_damaged_index_is_rebuilt_in_passing)
{
	struct uidset uids = UIDSET_INIT;
	char data[100];
	uint64_t was;
	int fd;

	setup();
	for (int i = 0; i < 1200; i++)
		fake_msg_add(inbox, 0, "x\r\n");
	sync_it();
	was = info_of().highest_modseq;
	snprintf(data, sizeof(data), "%s/db/data.mdb", root);
	fd = open(data, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(ftruncate(fd, 3 * 4096), 0);
	close(fd);
	ck_assert_int_eq(mailbox_uids(mb, &uids, NULL), RK_OK);
	ck_assert_uint_eq(uidset_count(&uids), 1200);
	ck_assert_uint_gt(info_of().highest_modseq, was);
	uidset_clear(&uids);
	teardown();
}
END_TEST

START_TEST(the_high_water_mark_stands_with_the_truth)
{
	const char *mark;
	uint64_t value;
	char db[100];

	setup();
	fake_attrs_on();
	fake_msg_add(inbox, 0, "x\r\n");
	sync_it();
	mark = fake_attr("INBOX", "modseq-reserve");
	ck_assert_ptr_nonnull(mark);
	value = strtoull(mark, NULL, 10);
	ck_assert_uint_gt(value, info_of().highest_modseq);
	/* The index goes, and the clock says nothing of it: another process starts above the mark.
	 */
	snprintf(db, sizeof(db), "%s/db", root);
	tmpdir_remove(db);
	mailbox_close(mb);
	ck_assert_int_eq(mailbox_open(&fake_driver, account, idx, "INBOX", &mb, NULL), RK_OK);
	sync_it();
	ck_assert_uint_gt(info_of().highest_modseq, value);
	teardown();
}
END_TEST

static const uint32_t *given;
static size_t ngiven;
static uint32_t given_validity;

static enum rk_status
bad_append(struct rk_box *box, const struct rk_new_msg *msgs, size_t n, struct rk_arena *mem,
    struct rk_uids *out, struct rk_err *err)
{
	(void)box, (void)msgs, (void)n, (void)mem, (void)err;
	*out = (struct rk_uids){ given_validity, given, ngiven };
	return RK_OK;
}

static enum rk_status
bad_copy(struct rk_box *box, const struct rk_copy *copy, struct rk_arena *mem, struct rk_uids *out,
    struct rk_err *err)
{
	return bad_append(box, NULL, copy->n, mem, out, err);
}

/* UIDs that a driver gives are looked at before a client is told of them. */
START_TEST(uids_of_a_driver_are_checked)
{
	static const struct {
		uint32_t validity;
		uint32_t uids[2];
		size_t n;
		enum rk_status append, copy;
	} rows[] = {
		{ 1, { 3, 4 }, 2, RK_OK, RK_OK },
		{ 1, { 0, 4 }, 2, RK_CORRUPT, RK_OK },
		{ 1, { 4, 3 }, 2, RK_CORRUPT, RK_CORRUPT },
		{ 1, { 4, 4 }, 2, RK_CORRUPT, RK_CORRUPT },
		{ 1, { 3, 4 }, 1, RK_CORRUPT, RK_CORRUPT },
		{ 0, { 3, 4 }, 2, RK_CORRUPT, RK_CORRUPT },
	};
	struct rk_driver driver = fake_driver;
	struct box box = { &driver, NULL };
	struct rk_new_msg msgs[2] = { { .fd = -1 }, { .fd = -1 } };
	struct rk_copy copy = { .n = 2 };
	struct rk_uids out;
	struct rk_err err;

	driver.append = bad_append;
	driver.copy = bad_copy;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		given = rows[i].uids;
		ngiven = rows[i].n;
		given_validity = rows[i].validity;
		ck_assert_int_eq(box_append(&box, msgs, 2, NULL, &out, &err), rows[i].append);
		ck_assert_int_eq(box_copy(&box, &copy, NULL, &out, &err), rows[i].copy);
	}
}
END_TEST

UNIT_MAIN("mailbox", a_mailbox_follows_its_driver, a_full_list_of_the_same_changes_nothing,
    uidvalidity_that_changes_starts_over, a_mailbox_made_anew_under_its_name_is_another,
    broken_contracts_are_corrupt, a_faster_process_makes_us_ask_again,
    sizes_count_crlf_and_are_kept, bodies_are_checked, a_damaged_index_is_rebuilt_in_passing,
    the_high_water_mark_stands_with_the_truth, uids_of_a_driver_are_checked)
