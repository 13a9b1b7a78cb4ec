#include "tests/unit/unit.h"

#include "lib/base/arena.h"
#include "storage/index/index.h"
#include "tests/unit/storage/tmpdir.h"

#define MESSAGES 300u

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

/* UIDs 1 to MESSAGES without those of `gone`, under `uidvalidity`. */
static void
fill(struct index *index, uint32_t uidvalidity, const struct uidset *gone)
{
	static uint64_t state;
	uint64_t base = state;
	struct rk_msg msgs[MESSAGES];
	struct rk_delta d = { .kind = RK_DELTA_FULL,
		.uidvalidity = uidvalidity,
		.uidnext = MESSAGES + 1,
		.msgs = msgs };
	struct rk_err err = { 0 };
	bool changed;

	for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
		if (!uidset_has(gone, uid))
			msgs[d.nmsgs++] = (struct rk_msg){ .uid = uid, .size = uid };
	}
	state++;
	d.state = (struct rk_blob){ &state, sizeof(state) };
	memcpy(d.guid, guid, sizeof(d.guid));
	ck_assert_msg(
	    index_apply(index, "INBOX", (struct rk_blob){ &base, base == 0 ? 0 : sizeof(base) }, &d,
		&changed, &err) == RK_OK,
	    "%s", err.text);
}

static struct index_cached_query
query_of(uint32_t uidvalidity, const uint32_t *uids, size_t n)
{
	return (struct index_cached_query){
		.guid = guid, .uidvalidity = uidvalidity, .uids = uids, .n = n
	};
}

static struct index_cached_msg
msg_of(struct rk_arena *mem, uint32_t uid, enum index_cached_kind kind, size_t len)
{
	struct index_cached_msg m = { .uid = uid };
	char *bytes = rk_arena_alloc(mem, len + 1);

	memset(bytes, 'a' + (int)(uid % 26), len);
	m.bytes[kind] = (struct rk_blob){ bytes, len };
	return m;
}

static void
keep(struct index *index, uint32_t uid, enum index_cached_kind kind, size_t len)
{
	struct rk_arena *mem = arena_new();
	struct index_cached_msg m = msg_of(mem, uid, kind, len);
	struct index_cached_query q = query_of(7, NULL, 1);
	struct rk_err err = { 0 };

	ck_assert_msg(index_cache_keep(index, &q, &m, &err) == RK_OK, "%s", err.text);
	arena_free(mem);
}

/* Length of what is kept; -1: nothing. */
static long
kept(struct index *index, uint32_t uid, enum index_cached_kind kind)
{
	struct rk_arena *mem = arena_new();
	struct index_cached_query q = query_of(7, &uid, 1);
	struct index_cached_msg m;
	struct rk_err err = { 0 };
	long len;

	ck_assert_msg(index_cached(index, &q, mem, &m, &err) == RK_OK, "%s", err.text);
	ck_assert_uint_eq(m.uid, uid);
	len = m.bytes[kind].data == NULL ? -1 : (long)m.bytes[kind].len;
	for (long i = 0; i < len; i++)
		ck_assert_int_eq(((const char *)m.bytes[kind].data)[i], 'a' + (int)(uid % 26));
	arena_free(mem);
	return len;
}

START_TEST(what_was_kept_comes_back)
{
	struct uidset none = UIDSET_INIT;
	struct index *index;

	tmpdir_make(root, sizeof(root));
	index = opened();
	fill(index, 7, &none);
	for (uint32_t uid = 1; uid <= MESSAGES; uid += 3)
		keep(index, uid, INDEX_CACHED_ENVELOPE, uid);
	for (uint32_t uid = 2; uid <= MESSAGES; uid += 5)
		keep(index, uid, INDEX_CACHED_STRUCTURE, 2 * uid);
	index_close(index);
	index = opened();
	for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
		ck_assert_int_eq(
		    kept(index, uid, INDEX_CACHED_ENVELOPE), uid % 3 == 1 ? (long)uid : -1);
		ck_assert_int_eq(
		    kept(index, uid, INDEX_CACHED_STRUCTURE), uid % 5 == 2 ? 2 * (long)uid : -1);
		ck_assert_int_eq(kept(index, uid, INDEX_CACHED_BODY), -1);
	}
	index_close(index);
	tmpdir_remove(root);
}
END_TEST

START_TEST(many_at_once_go_over_slots)
{
	struct rk_arena *mem = arena_new();
	struct index_cached_msg msgs[MESSAGES], got[MESSAGES];
	struct index_cached_query q = query_of(7, NULL, MESSAGES);
	struct uidset none = UIDSET_INIT;
	uint32_t uids[MESSAGES];
	struct index *index;

	tmpdir_make(root, sizeof(root));
	index = opened();
	fill(index, 7, &none);
	for (uint32_t i = 0; i < MESSAGES; i++) {
		uids[i] = i + 1;
		msgs[i] = msg_of(mem, i + 1, INDEX_CACHED_BODY, 100);
	}
	ck_assert_int_eq(index_cache_keep(index, &q, msgs, NULL), RK_OK);
	q.uids = uids;
	ck_assert_int_eq(index_cached(index, &q, mem, got, NULL), RK_OK);
	for (uint32_t i = 0; i < MESSAGES; i++) {
		ck_assert_uint_eq(got[i].uid, i + 1);
		ck_assert_uint_eq(got[i].bytes[INDEX_CACHED_BODY].len, 100);
		ck_assert_int_eq(memcmp(got[i].bytes[INDEX_CACHED_BODY].data,
				     msgs[i].bytes[INDEX_CACHED_BODY].data, 100),
		    0);
	}
	index_close(index);
	arena_free(mem);
	tmpdir_remove(root);
}
END_TEST

START_TEST(expunged_messages_are_forgotten)
{
	struct uidset gone = UIDSET_INIT;
	struct index *index;

	tmpdir_make(root, sizeof(root));
	index = opened();
	fill(index, 7, &gone);
	for (uint32_t uid = 1; uid <= MESSAGES; uid++)
		keep(index, uid, INDEX_CACHED_ENVELOPE, 10);
	uidset_add(&gone, 5, 5);
	uidset_add(&gone, 60, 200);
	fill(index, 7, &gone);
	for (uint32_t uid = 1; uid <= MESSAGES; uid++)
		ck_assert_int_eq(
		    kept(index, uid, INDEX_CACHED_ENVELOPE), uidset_has(&gone, uid) ? -1 : 10);
	uidset_clear(&gone);
	index_close(index);
	tmpdir_remove(root);
}
END_TEST

START_TEST(another_uidvalidity_has_nothing_kept)
{
	struct index_cached_query q = query_of(7, NULL, 1);
	struct rk_arena *mem = arena_new();
	struct index_cached_msg m = msg_of(mem, 3, INDEX_CACHED_ENVELOPE, 10);
	struct uidset none = UIDSET_INIT;
	struct index *index;

	tmpdir_make(root, sizeof(root));
	index = opened();
	fill(index, 7, &none);
	keep(index, 3, INDEX_CACHED_ENVELOPE, 10);
	fill(index, 8, &none);
	ck_assert_int_eq(kept(index, 3, INDEX_CACHED_ENVELOPE), -1);
	/* What was made from the old mailbox comes too late. */
	ck_assert_int_eq(index_cache_keep(index, &q, &m, NULL), RK_NOTFOUND);
	fill(index, 7, &none);
	ck_assert_int_eq(kept(index, 3, INDEX_CACHED_ENVELOPE), -1);
	index_close(index);
	arena_free(mem);
	tmpdir_remove(root);
}
END_TEST

START_TEST(what_is_too_large_is_not_kept)
{
	struct uidset none = UIDSET_INIT;
	struct index *index;

	tmpdir_make(root, sizeof(root));
	index = opened();
	fill(index, 7, &none);
	for (uint32_t uid = 64; uid < 128; uid++)
		keep(index, uid, INDEX_CACHED_STRUCTURE, 16 * 1024);
	keep(index, 128, INDEX_CACHED_STRUCTURE, 16 * 1024 + 1);
	keep(index, 129, INDEX_CACHED_STRUCTURE, 1);
	/* A slot takes as many as fit; the rest is parsed again. */
	ck_assert_int_eq(kept(index, 64, INDEX_CACHED_STRUCTURE), 16 * 1024);
	ck_assert_int_eq(kept(index, 127, INDEX_CACHED_STRUCTURE), -1);
	ck_assert_int_eq(kept(index, 128, INDEX_CACHED_STRUCTURE), -1);
	ck_assert_int_eq(kept(index, 129, INDEX_CACHED_STRUCTURE), 1);
	index_close(index);
	tmpdir_remove(root);
}
END_TEST

UNIT_MAIN("index cache", what_was_kept_comes_back, many_at_once_go_over_slots,
    expunged_messages_are_forgotten, another_uidvalidity_has_nothing_kept,
    what_is_too_large_is_not_kept)
