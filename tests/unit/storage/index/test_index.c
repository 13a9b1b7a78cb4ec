#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/base/arena.h"
#include "storage/index/index.h"
#include "tests/unit/storage/tmpdir.h"

static char root[64];
static const unsigned char guid[RK_GUID_LEN] = "0123456789abcde";

static struct index *
opened(void)
{
	struct index_options o = { root, 2000 };
	struct rk_err err = { 0 };
	struct index *index = NULL;

	ck_assert_msg(index_open(&o, &index, &err) == RK_OK, "%s", err.text);
	return index;
}

/* --- the model: one array by UID --- */

#define MODEL_MAX 6000

struct cell {
	bool there;
	uint32_t flags;
	uint64_t keywords;
	int64_t date;
	uint64_t size;
	uint64_t modseq;
	char locator[40];
};

struct model {
	struct cell cells[MODEL_MAX];
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t highest;
	const char *keywords[3];
	size_t nkeywords;
	uint64_t state;
};

static struct model model;
static uint64_t seed = 42;

static uint32_t
rnd(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

static struct rk_msg
msg_of(uint32_t uid)
{
	const struct cell *c = &model.cells[uid];

	return (struct rk_msg){ .uid = uid,
		.flags = c->flags,
		.keywords = { { c->keywords } },
		.internal_date = c->date,
		.size = c->size,
		.locator = { c->locator, strlen(c->locator) } };
}

static void
cell_new(uint32_t uid)
{
	struct cell *c = &model.cells[uid];

	memset(c, 0, sizeof(*c));
	c->there = true;
	c->flags = rnd(32);
	c->keywords = rnd(4) == 0 ? rnd(4) : 0;
	c->date = 1700000000 + uid;
	c->size = rnd(5) == 0 ? RK_SIZE_UNKNOWN : rnd(100000);
	snprintf(c->locator, sizeof(c->locator), "%u.M%uP1.host", uid, rnd(1000000));
}

/* A round of changes to the model; says which UIDs changed and which went. */
static void
model_change(struct uidset *changed, struct uidset *gone)
{
	uint32_t arrivals = rnd(4) == 0 ? rnd(700) : rnd(3);
	uint32_t changes = rnd(3) == 0 ? rnd(50) : rnd(2);
	uint32_t from = 1 + rnd(model.uidnext), expunges = rnd(5) == 0 ? rnd(400) : rnd(3);

	for (uint32_t i = 0; i < changes; i++) {
		uint32_t uid = rnd(model.uidnext);
		struct cell *c = &model.cells[uid];

		if (uid == 0 || !c->there)
			continue;
		if (rnd(3) == 0)
			snprintf(c->locator, sizeof(c->locator), "moved-%u-%u", uid, rnd(99999));
		else
			c->flags = rnd(32);
		uidset_add(changed, uid, uid);
	}
	for (uint32_t i = 0; i < expunges; i++) {
		uint32_t uid = rnd(2) == 0 ? from + i : 1 + rnd(model.uidnext);

		if (uid >= model.uidnext || !model.cells[uid].there)
			continue;
		model.cells[uid].there = false;
		uidset_remove(changed, uid, uid);
		uidset_add(gone, uid, uid);
	}
	for (uint32_t i = 0; i < arrivals && model.uidnext + 4 < MODEL_MAX; i++) {
		model.uidnext += rnd(10) == 0 ? rnd(3) : 0;
		cell_new(model.uidnext);
		uidset_add(changed, model.uidnext, model.uidnext);
		model.uidnext++;
	}
	model.state++;
}

static struct rk_delta
delta_make(struct rk_arena *mem, bool full, const struct uidset *changed, const struct uidset *gone)
{
	struct rk_delta d = { .kind = full ? RK_DELTA_FULL : RK_DELTA_CHANGES };
	struct rk_msg *msgs = rk_arena_array(mem, model.uidnext, sizeof(*msgs));
	uint32_t *expunged = rk_arena_array(mem, model.uidnext, sizeof(*expunged));

	for (uint32_t uid = 1; uid < model.uidnext; uid++) {
		if (model.cells[uid].there && (full || uidset_has(changed, uid)))
			msgs[d.nmsgs++] = msg_of(uid);
		if (!full && uidset_has(gone, uid))
			expunged[d.nexpunged++] = uid;
	}
	d.state = (struct rk_blob){ rk_arena_dup(mem, &model.state, 8), 8 };
	memcpy(d.guid, guid, RK_GUID_LEN);
	d.uidvalidity = model.uidvalidity;
	d.uidnext = model.uidnext;
	d.msgs = msgs;
	d.expunged = expunged;
	d.keywords = model.keywords;
	d.nkeywords = model.nkeywords;
	return d;
}

static struct rk_blob
state_of(struct index *index, struct rk_arena *mem)
{
	struct index_info info;

	if (index_info(index, guid, mem, &info, NULL) != RK_OK)
		return (struct rk_blob){ NULL, 0 };
	return info.state;
}

static bool
apply(struct index *index, const struct rk_delta *d)
{
	struct rk_arena *mem = arena_new();
	struct rk_err err = { 0 };
	bool changed = false;

	ck_assert_msg(index_apply(index, "INBOX", state_of(index, mem), d, &changed, &err) == RK_OK,
	    "%s", err.text);
	arena_free(mem);
	return changed;
}

/* RK_INVALID: the index tells something that is not so. */
static enum rk_status
records_check(struct index *index, const struct uidset *all)
{
	struct index_query query = { guid, all, 1, 100 };
	struct rk_arena *mem = arena_new();
	enum rk_status status = RK_OK;
	uint32_t n = 0;

	while (status == RK_OK) {
		struct index_records r;

		arena_reset(mem);
		query.max = 1 + rnd(700);
		status = index_records(index, &query, mem, &r, NULL);
		if (status != RK_OK || r.n == 0)
			break;
		for (size_t i = 0; i < r.n; i++, n++) {
			const struct index_record *x = &r.list[i];
			const struct cell *c = &model.cells[x->uid];

			if (x->uid >= model.uidnext || !c->there || x->flags != c->flags ||
			    x->keywords.bits[0] != c->keywords || x->internal_date != c->date ||
			    x->size != c->size || x->locator.len != strlen(c->locator) ||
			    memcmp(x->locator.data, c->locator, x->locator.len) != 0)
				status = RK_INVALID;
		}
		query.from = r.list[r.n - 1].uid + 1;
	}
	if (status == RK_OK && n != uidset_count(all))
		status = RK_INVALID;
	arena_free(mem);
	return status;
}

static void
model_counts(struct index_info *out, struct uidset *all)
{
	memset(out, 0, sizeof(*out));
	for (uint32_t uid = 1; uid < model.uidnext; uid++) {
		const struct cell *c = &model.cells[uid];

		if (!c->there)
			continue;
		uidset_add(all, uid, uid);
		out->messages++;
		out->unseen += (c->flags & RK_FLAG_SEEN) == 0;
		out->deleted += (c->flags & RK_FLAG_DELETED) != 0;
		if ((c->flags & RK_FLAG_SEEN) == 0 && out->first_unseen_uid == 0)
			out->first_unseen_uid = uid;
		out->unknown_sizes += c->size == RK_SIZE_UNKNOWN;
		out->size += c->size == RK_SIZE_UNKNOWN ? 0 : c->size;
	}
}

/* The whole index against the model. RK_OK, a loud failure, or RK_INVALID: a wrong answer. */
static enum rk_status
compare(struct index *index)
{
	struct rk_arena *mem = arena_new();
	struct uidset all = UIDSET_INIT, got = UIDSET_INIT;
	struct index_info info, want;
	enum rk_status status = index_info(index, guid, mem, &info, NULL);

	model_counts(&want, &all);
	if (status == RK_OK &&
	    (info.messages != want.messages || info.unseen != want.unseen ||
		info.deleted != want.deleted || info.first_unseen_uid != want.first_unseen_uid ||
		info.size != want.size || info.unknown_sizes != want.unknown_sizes ||
		info.uidnext != model.uidnext || info.uidvalidity != model.uidvalidity ||
		info.nkeywords != model.nkeywords))
		status = RK_INVALID;
	if (status == RK_OK)
		status = index_uids(index, guid, &got, NULL);
	if (status == RK_OK && !uidset_equal(&got, &all))
		status = RK_INVALID;
	if (status == RK_OK)
		status = records_check(index, &all);
	uidset_clear(&all);
	uidset_clear(&got);
	arena_free(mem);
	return status;
}

static void
model_start(void)
{
	static const char *const words[] = { "$Forwarded", "work", NULL };

	tmpdir_make(root, sizeof(root));
	memset(&model, 0, sizeof(model));
	model.uidvalidity = 7;
	model.uidnext = 1;
	model.nkeywords = 2;
	memcpy(model.keywords, words, sizeof(words));
}

/* What changed and vanished since `modseq` is what the round did. */
static void
changes_check(
    struct index *index, uint64_t before, const struct uidset *told, const struct uidset *gone)
{
	struct uidset got = UIDSET_INIT;

	ck_assert_int_eq(index_changed(index, guid, before, &got, NULL), RK_OK);
	ck_assert(uidset_equal(&got, told));
	ck_assert_int_eq(index_vanished(index, guid, before, &got, NULL), RK_OK);
	ck_assert(uidset_equal(&got, gone));
	uidset_clear(&got);
}

static uint64_t
highest(struct index *index)
{
	struct rk_arena *mem = arena_new();
	struct index_info info;
	uint64_t value;

	ck_assert_int_eq(index_info(index, guid, mem, &info, NULL), RK_OK);
	value = info.highest_modseq;
	arena_free(mem);
	return value;
}

START_TEST(random_deltas_against_the_model)
{
	struct rk_arena *mem = arena_new();
	struct index *index;
	struct rk_delta d;
	struct uidset none = UIDSET_INIT;

	model_start();
	index = opened();
	d = delta_make(mem, true, &none, &none);
	apply(index, &d);
	for (int round = 0; round < 150; round++) {
		static struct model before;
		struct uidset changed = UIDSET_INIT, gone = UIDSET_INIT, told = UIDSET_INIT;
		uint64_t was = highest(index);

		memcpy(&before, &model, sizeof(model));
		model_change(&changed, &gone);
		arena_reset(mem);
		d = delta_make(mem, rnd(3) == 0, &changed, &gone);
		apply(index, &d);
		ck_assert_int_eq(compare(index), RK_OK);
		for (uint32_t uid = 1; uid < model.uidnext; uid++)
			if (model.cells[uid].there &&
			    (!before.cells[uid].there ||
				before.cells[uid].flags != model.cells[uid].flags))
				uidset_add(&told, uid, uid);
		ck_assert_uint_ge(highest(index), was);
		ck_assert(told.n + gone.n == 0 || highest(index) > was);
		changes_check(index, was, &told, &gone);
		/* Once more the same: nothing is different, and no number moves. */
		was = highest(index);
		d = delta_make(mem, true, &changed, &gone);
		ck_assert(!apply(index, &d));
		ck_assert_uint_eq(highest(index), was);
		uidset_clear(&changed);
		uidset_clear(&gone);
		uidset_clear(&told);
		if (round % 40 == 39) {
			index_close(index);
			index = opened();
		}
	}
	index_close(index);
	arena_free(mem);
	tmpdir_remove(root);
}
END_TEST

static void
model_fill(struct index *index, uint32_t n)
{
	struct rk_arena *mem = arena_new();
	struct uidset none = UIDSET_INIT;
	struct rk_delta d;

	while (model.uidnext <= n)
		cell_new(model.uidnext++);
	model.state++;
	d = delta_make(mem, true, &none, &none);
	apply(index, &d);
	arena_free(mem);
}

START_TEST(a_stale_delta_is_refused)
{
	struct rk_arena *mem = arena_new();
	struct uidset none = UIDSET_INIT;
	struct rk_delta d;
	struct index *index;
	bool changed;

	model_start();
	index = opened();
	d = delta_make(mem, true, &none, &none);
	model_fill(index, 10);
	ck_assert_int_eq(
	    index_apply(index, "INBOX", (struct rk_blob){ NULL, 0 }, &d, &changed, NULL), RK_AGAIN);
	ck_assert_int_eq(
	    index_apply(index, "INBOX", (struct rk_blob){ "x", 1 }, &d, &changed, NULL), RK_AGAIN);
	ck_assert_int_eq(compare(index), RK_OK);
	index_close(index);
	arena_free(mem);
	tmpdir_remove(root);
}
END_TEST

START_TEST(another_uidvalidity_forgets_and_modseq_goes_on)
{
	struct index *index;
	uint64_t was;

	model_start();
	index = opened();
	model_fill(index, 2000);
	was = highest(index);
	model.uidvalidity++;
	for (uint32_t uid = 1; uid < model.uidnext; uid++)
		model.cells[uid].there = uid % 3 == 0;
	model_fill(index, 0);
	ck_assert_int_eq(compare(index), RK_OK);
	ck_assert_uint_gt(highest(index), was);
	index_close(index);
	tmpdir_remove(root);
}
END_TEST

START_TEST(a_renamed_keyword_is_a_change)
{
	struct uidset got = UIDSET_INIT;
	struct index *index;
	uint64_t was;

	model_start();
	index = opened();
	model_fill(index, 1200);
	for (uint32_t uid = 1; uid < model.uidnext; uid++)
		model.cells[uid].keywords = uid == 5 || uid == 900 ? 1 : 0;
	model_fill(index, 0);
	was = highest(index);
	model.keywords[0] = "other";
	model_fill(index, 0);
	ck_assert_int_eq(index_changed(index, guid, was, &got, NULL), RK_OK);
	ck_assert_uint_eq(uidset_count(&got), 2);
	ck_assert(uidset_has(&got, 5) && uidset_has(&got, 900));
	ck_assert_int_eq(compare(index), RK_OK);
	uidset_clear(&got);
	index_close(index);
	tmpdir_remove(root);
}
END_TEST

START_TEST(sizes_are_kept_without_a_modseq)
{
	struct index_size sizes[3] = { { 700, 11 }, { 3, 22 }, { 999999, 1 } };
	struct index *index;
	uint64_t was;

	model_start();
	index = opened();
	for (uint32_t uid = 1; uid <= 800; uid++)
		cell_new(uid);
	model.uidnext = 801;
	model.cells[3].size = model.cells[700].size = RK_SIZE_UNKNOWN;
	model_fill(index, 0);
	was = highest(index);
	ck_assert_int_eq(index_set_sizes(index, guid, sizes, 3, NULL), RK_OK);
	model.cells[3].size = 22;
	model.cells[700].size = 11;
	ck_assert_int_eq(compare(index), RK_OK);
	ck_assert_uint_eq(highest(index), was);
	/* The driver still doesn't know: what was read stays. */
	model.cells[3].size = RK_SIZE_UNKNOWN;
	model_fill(index, 0);
	model.cells[3].size = 22;
	ck_assert_int_eq(compare(index), RK_OK);
	index_close(index);
	tmpdir_remove(root);
}
END_TEST

START_TEST(names_point_at_mailboxes)
{
	char name[RK_NAME_MAX + 1], other[RK_NAME_MAX + 1];
	unsigned char got[RK_GUID_LEN];
	struct rk_arena *mem = arena_new();
	struct uidset none = UIDSET_INIT;
	struct rk_delta d;
	struct index *index;
	bool changed;

	model_start();
	index = opened();
	memset(name, 'a', RK_NAME_MAX);
	name[RK_NAME_MAX] = '\0';
	memcpy(other, name, sizeof(name));
	other[RK_NAME_MAX - 1] = 'b';
	d = delta_make(mem, true, &none, &none);
	ck_assert_int_eq(
	    index_apply(index, name, (struct rk_blob){ NULL, 0 }, &d, &changed, NULL), RK_OK);
	ck_assert_int_eq(index_guid_of(index, name, got, NULL), RK_OK);
	ck_assert_mem_eq(got, guid, RK_GUID_LEN);
	ck_assert_int_eq(index_guid_of(index, other, got, NULL), RK_NOTFOUND);
	ck_assert_int_eq(index_apply(index, other, d.state, &d, &changed, NULL), RK_OK);
	ck_assert(!changed);
	ck_assert_int_eq(index_guid_of(index, other, got, NULL), RK_OK);
	ck_assert_int_eq(index_guid_of(index, name, got, NULL), RK_NOTFOUND);
	ck_assert_int_eq(index_forget(index, guid, NULL), RK_OK);
	ck_assert_int_eq(index_guid_of(index, other, got, NULL), RK_NOTFOUND);
	index_close(index);
	arena_free(mem);
	tmpdir_remove(root);
}
END_TEST

START_TEST(modseq_never_goes_back)
{
	struct rk_arena *mem = arena_new();
	struct index_info info;
	struct index *index;
	char db[100];
	uint64_t was;

	model_start();
	index = opened();
	model_fill(index, 10);
	was = highest(index);
	ck_assert_int_eq(index_forget(index, guid, NULL), RK_OK);
	ck_assert_int_eq(index_info(index, guid, mem, &info, NULL), RK_NOTFOUND);
	model_fill(index, 10);
	ck_assert_uint_gt(highest(index), was);
	was = highest(index);
	snprintf(db, sizeof(db), "%s/db", root);
	tmpdir_remove(db); /* under the open handle */
	ck_assert_int_eq(index_info(index, guid, mem, &info, NULL), RK_NOTFOUND);
	model_fill(index, 10);
	ck_assert_uint_gt(highest(index), was);
	ck_assert_int_eq(compare(index), RK_OK);
	was = highest(index) + 1000000000000u;
	index_raise_modseq(index, was);
	ck_assert_int_eq(index_forget(index, guid, NULL), RK_OK);
	model_fill(index, 10);
	ck_assert_uint_gt(highest(index), was);
	index_close(index);
	arena_free(mem);
	tmpdir_remove(root);
}
END_TEST

START_TEST(the_log_of_expunges_stays_bounded_and_right)
{
	struct uidset got = UIDSET_INIT, all = UIDSET_INIT;
	struct index *index;
	uint64_t birth;

	model_start();
	index = opened();
	model_fill(index, 5990);
	birth = highest(index);
	/* Every second one, a few at a time: no two runs ever meet. */
	for (uint32_t uid = 1; uid < 5990; uid += 2) {
		model.cells[uid].there = false;
		uidset_add(&all, uid, uid);
		if (uid % 300 == 1)
			model_fill(index, 0);
	}
	model_fill(index, 0);
	ck_assert_int_eq(index_vanished(index, guid, birth, &got, NULL), RK_OK);
	ck_assert(uidset_equal(&got, &all));
	/* Before its birth, all that is not there. */
	ck_assert_int_eq(index_vanished(index, guid, 1, &got, NULL), RK_OK);
	ck_assert(uidset_equal(&got, &all));
	ck_assert_int_eq(compare(index), RK_OK);
	uidset_clear(&got);
	uidset_clear(&all);
	index_close(index);
	tmpdir_remove(root);
}
END_TEST

START_TEST(a_suspect_index_is_made_anew)
{
	struct rk_arena *mem = arena_new();
	struct index_info info;
	struct index *index;
	int fd;

	model_start();
	index = opened();
	model_fill(index, 10);
	index_close(index);
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(index_mark_suspect(fd, NULL), RK_OK);
	ck_assert_int_eq(index_mark_suspect(fd, NULL), RK_OK);
	index = opened();
	ck_assert_int_eq(index_info(index, guid, mem, &info, NULL), RK_NOTFOUND);
	ck_assert_int_eq(faccessat(fd, "suspect", F_OK, 0), -1);
	model_fill(index, 10);
	index_close(index);
	index = opened();
	ck_assert_int_eq(compare(index), RK_OK);
	index_close(index);
	close(fd);
	arena_free(mem);
	tmpdir_remove(root);
}
END_TEST

START_TEST(the_busy_flag_is_down_between_calls)
{
	struct index *index;
	bool busy = false;

	model_start();
	index_set_busy_flag(&busy);
	index = opened();
	ck_assert(!busy);
	model_fill(index, 1000);
	ck_assert(!busy);
	ck_assert_int_eq(compare(index), RK_OK);
	ck_assert(!busy);
	index_set_busy_flag(NULL);
	index_close(index);
	tmpdir_remove(root);
}
END_TEST

/* In a process of its own, since a damaged file may end it: 0 right, 1 said so, 77 wrong. */
static int
child_compares(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct index_options o = { root, 2000 };
		struct index *index;
		enum rk_status s;

		close(STDERR_FILENO);
		if (index_open(&o, &index, NULL) != RK_OK)
			_exit(1);
		s = compare(index);
		_exit(s == RK_OK ? 0 : s == RK_INVALID ? 77 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void
file_copy(const char *from, const char *to, off_t flip_at)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out;
	char bytes[65536];
	ssize_t n;
	char c;

	out = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		ck_assert_int_eq(write(out, bytes, (size_t)n), n);
	if (flip_at >= 0) {
		ck_assert_int_eq(pread(out, &c, 1, flip_at), 1);
		c = (char)(c ^ (1 << rnd(8)));
		ck_assert_int_eq(pwrite(out, &c, 1, flip_at), 1);
	}
	close(in);
	close(out);
}

START_TEST(flipped_bytes_give_no_wrong_answer)
{
	char data[100], saved[100];
	int right = 0, wrong = 0, said = 0;
	struct index *index;
	struct stat st;

	model_start();
	index = opened();
	for (uint32_t n = 200; n <= 1400; n += 300) {
		model_fill(index, n);
		model.cells[n / 2].flags ^= RK_FLAG_SEEN;
		model.cells[n / 3].there = false;
	}
	model_fill(index, 0);
	index_close(index);
	snprintf(data, sizeof(data), "%s/db/data.mdb", root);
	snprintf(saved, sizeof(saved), "%s/saved", root);
	file_copy(data, saved, -1);
	ck_assert_int_eq(child_compares(), 0);
	ck_assert_int_eq(stat(saved, &st), 0);
	for (int i = 0; i < 600; i++) {
		/* Half of them where trees and heads stand. */
		off_t at = rnd(2) == 0 ? rnd((uint32_t)st.st_size)
		                       : rnd((uint32_t)st.st_size / 4096) * 4096 + rnd(128);

		file_copy(saved, data, at);
		switch (child_compares()) {
		case 0:
			right++;
			break;
		case 77:
			wrong++;
			break;
		default:
			said++;
			break;
		}
	}
	ck_assert_msg(wrong == 0, "%d wrong, %d right, %d said so", wrong, right, said);
	ck_assert_int_gt(right, 0);
	ck_assert_int_gt(said, 0);
	tmpdir_remove(root);
}
END_TEST

#ifndef __SANITIZE_ADDRESS__
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#endif

/* F24: out of memory is a failure or the end, never an empty index. */
START_TEST(no_memory_is_no_empty_index)
{
#ifndef __SANITIZE_ADDRESS__
	struct index *index;
	int failed = 0;

	model_start();
	index = opened();
	model_fill(index, 3000);
	index_close(index);
	for (rlim_t mib = 2; mib <= 140; mib += 3) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			struct rlimit limit = { mib << 20, mib << 20 };
			struct index_options o = { root, 2000 };
			enum rk_status s;

			close(STDERR_FILENO);
			setrlimit(RLIMIT_AS, &limit);
			if (index_open(&o, &index, NULL) != RK_OK)
				_exit(1);
			s = compare(index);
			_exit(s == RK_OK ? 0 : s == RK_INVALID || s == RK_NOTFOUND ? 77 : 1);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_ne(WIFEXITED(status) ? WEXITSTATUS(status) : 1, 77);
		failed += status != 0;
	}
	ck_assert_int_gt(failed, 0);
	index = opened();
	ck_assert_int_eq(compare(index), RK_OK);
	index_close(index);
	tmpdir_remove(root);
#endif
}
END_TEST

/* F10: what does not fit on the disk fails, and what was there stays. */
START_TEST(a_full_disk_leaves_the_old_index)
{
	struct index *index;
	int status;
	pid_t pid;

	model_start();
	index = opened();
	model_fill(index, 500);
	index_close(index);
	pid = fork();
	if (pid == 0) {
		struct rk_arena *mem = arena_new();
		struct uidset none = UIDSET_INIT;
		struct rlimit limit = { 128 << 10, 128 << 10 };
		struct rk_delta d;
		enum rk_status s;
		bool changed;

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		index = opened();
		while (model.uidnext < 5900)
			cell_new(model.uidnext++);
		model.state++;
		d = delta_make(mem, true, &none, &none);
		s = index_apply(index, "INBOX", state_of(index, mem), &d, &changed, NULL);
		_exit(s == RK_QUOTA || s == RK_TEMP ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	index = opened();
	ck_assert_int_eq(compare(index), RK_OK);
	model_fill(index, 3000);
	ck_assert_int_eq(compare(index), RK_OK);
	index_close(index);
	tmpdir_remove(root);
}
END_TEST

UNIT_MAIN("index", no_memory_is_no_empty_index, a_full_disk_leaves_the_old_index,
    random_deltas_against_the_model, a_stale_delta_is_refused,
    another_uidvalidity_forgets_and_modseq_goes_on, a_renamed_keyword_is_a_change,
    sizes_are_kept_without_a_modseq, names_point_at_mailboxes, modseq_never_goes_back,
    the_log_of_expunges_stays_bounded_and_right, a_suspect_index_is_made_anew,
    the_busy_flag_is_down_between_calls, flipped_bytes_give_no_wrong_answer)
