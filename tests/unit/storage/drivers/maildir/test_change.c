#include "tests/unit/unit.h"

#include <dirent.h>
#include <sys/mman.h>

#include "storage/drivers/maildir/finder.h"
#include "storage/drivers/maildir/keywords.h"
#include "tests/unit/storage/drivers/maildir/store.h"

#define TEXT "Subject: x\r\n\r\ny\r\n"
#define SIZE (sizeof(TEXT) - 1)

static int
text_fd(void)
{
	int fd = memfd_create("text", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, TEXT TEXT, 2 * SIZE), 2 * SIZE);
	return fd;
}

/* Entries of a directory but `.` and `..`. */
static int
entries(struct store *s, const char *dir)
{
	DIR *d = opendir(store_path(s, dir));
	struct dirent *e;
	int n = 0;

	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static enum rk_status
append(struct store *s, size_t n, const struct rk_words *words, struct rk_uids *out)
{
	struct rk_new_msg msgs[2];
	int fd = text_fd();
	enum rk_status status;

	for (size_t i = 0; i < n; i++)
		msgs[i] = (struct rk_new_msg){ .fd = fd,
			.offset = i * SIZE,
			.size = SIZE,
			.flags = RK_FLAG_SEEN,
			.keywords = words != NULL ? *words : (struct rk_words){ 0 },
			.internal_date = 1000000000 };
	status = rookery_driver.append(s->box, msgs, n, s->mem, out, &s->err);
	close(fd);
	return status;
}

static struct rk_ref
ref_of(const struct store *s, size_t i)
{
	ck_assert_uint_lt(i, s->delta.nmsgs);
	return (struct rk_ref){ s->delta.msgs[i].uid, s->delta.msgs[i].locator };
}

START_TEST(append_gives_uids_flags_date_and_size)
{
	struct rk_uids uids;
	struct store s;

	store_open(&s);
	ck_assert_int_eq(append(&s, 2, NULL, &uids), RK_OK);
	ck_assert_uint_eq(uids.n, 2);
	ck_assert_uint_eq(uids.uids[0], 1);
	ck_assert_uint_eq(uids.uids[1], 2);
	store_sync(&s);
	ck_assert_uint_eq(s.delta.nmsgs, 2);
	ck_assert_uint_eq(s.delta.uidvalidity, uids.uidvalidity);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(s.delta.msgs[i].uid, i + 1);
		ck_assert_uint_eq(s.delta.msgs[i].flags, RK_FLAG_SEEN);
		ck_assert_int_eq(s.delta.msgs[i].internal_date, 1000000000);
		ck_assert_uint_eq(s.delta.msgs[i].size, SIZE);
	}
	ck_assert_int_eq(entries(&s, "tmp"), 0);
	store_close(&s);
}
END_TEST

START_TEST(append_is_all_or_none)
{
	struct rk_new_msg msgs[2] = { { .size = SIZE, .internal_date = 1 },
		{ .size = SIZE, .internal_date = 1, .offset = SIZE + 1 } };
	struct rk_uids uids;
	struct store s;
	int lock;

	store_open(&s);
	msgs[0].fd = msgs[1].fd = text_fd();
	/* The second one is shorter than it says. */
	ck_assert_int_eq(rookery_driver.append(s.box, msgs, 2, s.mem, &uids, &s.err), RK_CORRUPT);
	ck_assert_int_eq(entries(&s, "tmp") + entries(&s, "cur"), 0);
	/* Somebody holds the list. */
	lock = open(store_path(&s, "dovecot-uidlist.lock"), O_CREAT | O_WRONLY, 0600);
	ck_assert_int_ge(lock, 0);
	ck_assert_int_eq(append(&s, 2, NULL, &uids), RK_INUSE);
	ck_assert_int_eq(entries(&s, "tmp") + entries(&s, "cur"), 0);
	close(lock);
	close(msgs[0].fd);
	store_close(&s);
}
END_TEST

START_TEST(nothing_changes_in_a_readonly_store)
{
	const struct rk_store_change change = { .mode = RK_STORE_ADD, .flags = RK_FLAG_FLAGGED };
	struct rk_uids uids;
	struct rk_ref ref;
	struct store s;

	store_open(&s);
	ck_assert_int_eq(append(&s, 1, NULL, &uids), RK_OK);
	store_reopen(&s, true);
	store_sync(&s);
	ref = ref_of(&s, 0);
	ck_assert_int_eq(append(&s, 1, NULL, &uids), RK_DENIED);
	ck_assert_int_eq(rookery_driver.store(s.box, &ref, 1, &change, &s.err), RK_DENIED);
	ck_assert_int_eq(rookery_driver.expunge(s.box, &ref, 1, &s.err), RK_DENIED);
	ck_assert_int_eq(entries(&s, "cur"), 1);
	store_close(&s);
}
END_TEST

START_TEST(store_follows_a_message_that_was_renamed)
{
	struct rk_store_change change = { .mode = RK_STORE_ADD, .flags = RK_FLAG_FLAGGED };
	struct rk_ref refs[2];
	struct store s;

	store_open(&s);
	store_put(&s, "new/1.a", "a\n");
	store_put(&s, "cur/2.b:2,", "b\n");
	store_sync(&s);
	refs[0] = ref_of(&s, 0);
	refs[1] = ref_of(&s, 1);
	store_move(&s, "new/1.a", "cur/1.a:2,PR");
	unlink(store_path(&s, "cur/2.b:2,"));
	ck_assert_int_eq(rookery_driver.store(s.box, refs, 2, &change, &s.err), RK_OK);
	ck_assert_int_eq(access(store_path(&s, "cur/1.a:2,FPR"), F_OK), 0);
	change = (struct rk_store_change){ .mode = RK_STORE_REPLACE, .flags = RK_FLAG_SEEN };
	ck_assert_int_eq(rookery_driver.store(s.box, refs, 2, &change, &s.err), RK_OK);
	ck_assert_int_eq(access(store_path(&s, "cur/1.a:2,PS"), F_OK), 0);
	ck_assert_int_eq(rookery_driver.expunge(s.box, refs, 2, &s.err), RK_OK);
	ck_assert_int_eq(entries(&s, "cur") + entries(&s, "new"), 0);
	store_close(&s);
}
END_TEST

static enum rk_status
note_file(void *context, const struct found *found, struct rk_err *err)
{
	struct stat st;

	if (fstatat(found->dir, found->file, &st, 0) < 0)
		return rk_fail_plain(err, RK_NOTFOUND, "not there");
	*(bool *)context = true;
	return RK_OK;
}

/* Copies of a store may lack new/; another program makes it and puts a message there. */
START_TEST(a_directory_made_meanwhile_is_looked_into)
{
	struct finder finder;
	struct rk_ref ref;
	bool done = false;
	struct store s;

	store_open(&s);
	store_put(&s, "cur/1.a:2,", "a\n");
	store_sync(&s);
	ref = ref_of(&s, 0);
	ck_assert_int_eq(rmdir(store_path(&s, "new")), 0);
	ck_assert_int_eq(finder_begin(&finder, s.box, s.mem, &s.err), RK_OK);
	ck_assert_int_eq(mkdir(store_path(&s, "new"), 0700), 0);
	store_move(&s, "cur/1.a:2,", "new/1.a");
	ck_assert_int_eq(finder_do(&finder, &ref, note_file, &done, &s.err), RK_OK);
	ck_assert(done);
	unlink(store_path(&s, "new/1.a"));
	done = false;
	ck_assert_int_eq(finder_do(&finder, &ref, note_file, &done, &s.err), RK_NOTFOUND);
	ck_assert(!done);
	finder_end(&finder);
	store_close(&s);
}
END_TEST

/* Two files with one base name are two messages to whoever made them: none may go. */
START_TEST(store_never_replaces_another_file)
{
	const struct rk_store_change change = { .mode = RK_STORE_ADD, .flags = RK_FLAG_SEEN };
	struct rk_ref ref;
	struct store s;

	store_open(&s);
	store_put(&s, "cur/1.a:2,", "a\n");
	store_sync(&s);
	ref = ref_of(&s, 0);
	store_put(&s, "cur/1.a:2,S", "another\n");
	ck_assert_int_eq(rookery_driver.store(s.box, &ref, 1, &change, &s.err), RK_OK);
	ck_assert_int_eq(entries(&s, "cur"), 2);
	ck_assert_str_eq(store_get(&s, "cur/1.a:2,S"), "another\n");
	store_close(&s);
}
END_TEST

static bool
has_bit(const struct rk_msg *m, unsigned at)
{
	return (m->keywords.bits[at / 64] >> at % 64 & 1) != 0;
}

/* 26 have letters, the others stand in attributes; one more than 256 is refused as a whole. */
START_TEST(keywords_have_a_limit)
{
	static char text[RK_KEYWORDS_MAX + 1][16];
	const char *names[RK_KEYWORDS_MAX + 1];
	struct rk_words words = { names, RK_KEYWORDS_MAX };
	struct rk_store_change change = { .mode = RK_STORE_ADD };
	struct rk_uids uids;
	struct rk_ref ref;
	struct store s;

	for (int i = 0; i < RK_KEYWORDS_MAX + 1; i++) {
		snprintf(text[i], sizeof(text[i]), "key%d", i);
		names[i] = text[i];
	}
	store_open(&s);
	ck_assert_int_eq(append(&s, 1, &words, &uids), RK_OK);
	store_sync(&s);
	ck_assert_uint_eq(s.delta.nkeywords, RK_KEYWORDS_MAX);
	for (unsigned i = 0; i < RK_KEYWORDS_MAX; i++) {
		ck_assert_str_eq(s.delta.keywords[i], text[i]);
		ck_assert(has_bit(&s.delta.msgs[0], i));
	}
	ref = ref_of(&s, 0);
	words.n = RK_KEYWORDS_MAX + 1;
	ck_assert_int_eq(append(&s, 1, &words, &uids), RK_LIMIT);
	change.keywords = (struct rk_words){ names + RK_KEYWORDS_MAX, 1 };
	change.flags = RK_FLAG_FLAGGED;
	ck_assert_int_eq(rookery_driver.store(s.box, &ref, 1, &change, &s.err), RK_LIMIT);
	ck_assert_int_eq(entries(&s, "cur"), 1);
	ck_assert_int_eq(faccessat(s.box->dir, ref.locator.data, F_OK, 0), 0);
	/* Removing one that is not known is nothing, and makes none. */
	change.mode = RK_STORE_REMOVE;
	change.flags = 0;
	ck_assert_int_eq(rookery_driver.store(s.box, &ref, 1, &change, &s.err), RK_OK);
	store_close(&s);
}
END_TEST

START_TEST(keywords_beyond_the_letters_change_and_go)
{
	static char text[40][16];
	const char *names[40];
	struct rk_words words = { names, 30 };
	struct rk_store_change change = { .mode = RK_STORE_REMOVE, .keywords = { names + 25, 3 } };
	struct rk_uids uids;
	struct rk_ref refs[2];
	struct store s;

	for (int i = 0; i < 40; i++) {
		snprintf(text[i], sizeof(text[i]), "key%d", i);
		names[i] = text[i];
	}
	store_open(&s);
	ck_assert_int_eq(append(&s, 2, &words, &uids), RK_OK);
	store_sync(&s);
	refs[0] = ref_of(&s, 0);
	refs[1] = ref_of(&s, 1);
	ck_assert_int_eq(rookery_driver.store(s.box, refs, 1, &change, &s.err), RK_OK);
	change = (struct rk_store_change){ .mode = RK_STORE_ADD, .keywords = { names + 35, 1 } };
	ck_assert_int_eq(rookery_driver.store(s.box, refs, 1, &change, &s.err), RK_OK);
	store_sync(&s);
	for (unsigned i = 0; i < 30; i++) {
		ck_assert(has_bit(&s.delta.msgs[0], i) == (i < 25 || i > 27));
		ck_assert(has_bit(&s.delta.msgs[1], i));
	}
	ck_assert_str_eq(s.delta.keywords[30], "key35");
	ck_assert(has_bit(&s.delta.msgs[0], 30) && !has_bit(&s.delta.msgs[1], 30));
	/* A change of an attribute alone is seen. */
	change = (struct rk_store_change){ .mode = RK_STORE_ADD, .keywords = { names + 35, 1 } };
	refs[1] = ref_of(&s, 1);
	ck_assert_int_eq(rookery_driver.store(s.box, refs + 1, 1, &change, &s.err), RK_OK);
	store_sync(&s);
	ck_assert_int_ne(s.delta.kind, RK_DELTA_NONE);
	ck_assert(has_bit(&s.delta.msgs[1], 30));
	change = (struct rk_store_change){ .mode = RK_STORE_REPLACE };
	refs[0] = ref_of(&s, 0);
	ck_assert_int_eq(rookery_driver.store(s.box, refs, 1, &change, &s.err), RK_OK);
	ck_assert_ptr_null(strstr(store_get(&s, EXTRA_FILE), "\n1 "));
	ck_assert_int_eq(rookery_driver.expunge(s.box, refs, 2, &s.err), RK_OK);
	ck_assert_ptr_null(strstr(store_get(&s, EXTRA_FILE), "\n2 "));
	store_close(&s);
}
END_TEST

START_TEST(copy_leaves_out_what_is_gone_and_move_removes)
{
	struct rk_copy copy;
	struct rk_uids uids;
	struct rk_ref refs[3];
	struct rk_box *to;
	struct stat a, b;
	struct store s;

	store_open(&s);
	store_put(&s, "cur/1.a:2,Fa", "a\n");
	store_put(&s, "cur/2.b:2,", "b\n");
	store_put(&s, "cur/3.c,S=2,W=3:2,", "c\n");
	store_put(&s, "dovecot-keywords", "0 word\n");
	ck_assert_int_eq(mkdir(store_path(&s, ".To"), 0700), 0);
	ck_assert_int_eq(mkdir(store_path(&s, ".To/cur"), 0700), 0);
	store_put(&s, ".To/dovecot-keywords", "0 other\n");
	store_sync(&s);
	for (size_t i = 0; i < 3; i++)
		refs[i] = ref_of(&s, i);
	ck_assert_int_eq(rookery_driver.box_open(s.account, "To", &to, &s.err), RK_OK);
	unlink(store_path(&s, "cur/2.b:2,"));
	copy = (struct rk_copy){ .refs = refs, .n = 3, .to = to, .move = true };
	ck_assert_int_eq(rookery_driver.copy(s.box, &copy, s.mem, &uids, &s.err), RK_OK);
	ck_assert_uint_eq(uids.n, 3);
	ck_assert_uint_eq(uids.uids[0], 1);
	ck_assert_uint_eq(uids.uids[1], 0);
	ck_assert_uint_eq(uids.uids[2], 2);
	ck_assert_int_eq(entries(&s, "cur"), 0);
	ck_assert_int_eq(entries(&s, ".To/cur"), 2);
	ck_assert_int_eq(entries(&s, ".To/tmp"), 0);
	ck_assert_str_eq(store_get(&s, ".To/dovecot-keywords"), "0 other\n1 word\n");
	rookery_driver.box_close(s.box);
	s.box = to;
	s.state = (struct rk_blob){ NULL, 0 };
	store_sync(&s);
	ck_assert_uint_eq(s.delta.nmsgs, 2);
	ck_assert_uint_eq(s.delta.msgs[0].flags, RK_FLAG_FLAGGED);
	ck_assert_uint_eq(s.delta.msgs[0].keywords.bits[0], 2);
	ck_assert_uint_eq(s.delta.msgs[1].size, 3);
	/* A copy within the mailbox shares the file. */
	refs[0] = ref_of(&s, 0);
	copy = (struct rk_copy){ .refs = refs, .n = 1, .to = to };
	ck_assert_int_eq(rookery_driver.copy(s.box, &copy, s.mem, &uids, &s.err), RK_OK);
	ck_assert_uint_eq(uids.uids[0], 3);
	store_sync(&s);
	ck_assert_uint_eq(s.delta.nmsgs, 3);
	ck_assert_int_eq(fstatat(s.box->dir, s.delta.msgs[0].locator.data, &a, 0), 0);
	ck_assert_int_eq(fstatat(s.box->dir, s.delta.msgs[2].locator.data, &b, 0), 0);
	ck_assert_uint_eq(a.st_ino, b.st_ino);
	store_close(&s);
}
END_TEST

START_TEST(names_keep_what_is_not_ours)
{
	struct rk_arena *mem = arena_new();

	ck_assert_str_eq(maildir_file_name(STR_LIT("1.a"), 0, 0, mem), "1.a:2,");
	ck_assert_str_eq(maildir_file_name(STR_LIT("1.a:2,ZP,x=1"), RK_FLAGS_ALL, 5, mem),
	    "1.a:2,DFPRSTZac,x=1");
	ck_assert_str_eq(maildir_file_name(STR_LIT("1.a:1,exp"), RK_FLAG_SEEN, 0, mem), "1.a:2,S");
	arena_free(mem);
}
END_TEST

UNIT_MAIN("maildir changes", append_gives_uids_flags_date_and_size, append_is_all_or_none,
    nothing_changes_in_a_readonly_store, store_follows_a_message_that_was_renamed,
    a_directory_made_meanwhile_is_looked_into, store_never_replaces_another_file,
    keywords_have_a_limit, keywords_beyond_the_letters_change_and_go,
    copy_leaves_out_what_is_gone_and_move_removes, names_keep_what_is_not_ours)
