#include "storage/drivers/maildir/maildir_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/arena.h"
#include "lib/base/file.h"
#include "storage/drivers/maildir/keywords.h"
#include "storage/drivers/maildir/scan.h"

/*
 * What changed: times of cur/, new/, the UID list and the keyword file against those in the state.
 * A time is trusted only if the directory had been quiet for a while when it was read: a change
 * within the same tick of the file system's clock would otherwise be missed for ever.
 */
#define QUIET_NS INT64_C(2000000000)
#define STATE_VERSION 4
/* Long enough for the clock of file times to tick. */
#define TICK_MS 25
#define TRIES 3

struct file_mark {
	uint64_t ino;
	uint64_t size;
	int64_t mtime_ns;
	int64_t ctime_ns; /* mtime can be set back, and programs that copy a store do */
};

struct state {
	uint32_t version;
	uint32_t unsure; /* read too soon after a change, or disturbed: look again */
	struct file_mark cur, new, list, keywords, extra;
	/* Of the mailbox, so that an unchanged one is answered without reading its list. */
	uint32_t uidvalidity;
	uint32_t uidnext;
	unsigned char guid[RK_GUID_LEN];
};

static int64_t
time_ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static struct file_mark
mark_of(const struct stat *st)
{
	return (struct file_mark){ st->st_ino, S_ISDIR(st->st_mode) ? 0 : (uint64_t)st->st_size,
		time_ns(&st->st_mtim), time_ns(&st->st_ctim) };
}

static enum rk_status
mark_at(
    struct rk_box *box, const char *name, bool required, struct file_mark *out, struct rk_err *err)
{
	struct stat st;

	*out = (struct file_mark){ 0 };
	if (fstatat(box->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		*out = mark_of(&st);
		return RK_OK;
	}
	if (errno == ENOENT && !required)
		return RK_OK;
	return rk_fail(
	    err, errno == ENOENT ? RK_NOTFOUND : RK_TEMP, "stat %s of %s", name, box->name);
}

static enum rk_status
state_now(struct rk_box *box, struct state *out, struct rk_err *err)
{
	enum rk_status status;

	*out = (struct state){ .version = STATE_VERSION };
	status = mark_at(box, "cur", true, &out->cur, err);
	if (status == RK_OK)
		status = mark_at(box, "new", false, &out->new, err);
	if (status == RK_OK)
		status = mark_at(box, "dovecot-uidlist", false, &out->list, err);
	if (status == RK_OK)
		status = mark_at(box, KEYWORDS_FILE, false, &out->keywords, err);
	if (status == RK_OK)
		status = mark_at(box, EXTRA_FILE, false, &out->extra, err);
	return status;
}

static bool
is_quiet(const struct file_mark *mark, int64_t now_ns)
{
	return mark->ctime_ns < now_ns - QUIET_NS;
}

static bool
mark_same(const struct file_mark *a, const struct file_mark *b)
{
	return a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
	       a->ctime_ns == b->ctime_ns;
}

static bool
unchanged(struct rk_blob before, const struct state *now, struct rk_delta *delta)
{
	struct state old;

	if (before.len != sizeof(old))
		return false;
	memcpy(&old, before.data, sizeof(old));
	delta->state = before;
	delta->uidvalidity = old.uidvalidity;
	delta->uidnext = old.uidnext;
	memcpy(delta->guid, old.guid, sizeof(delta->guid));
	return old.version == now->version && old.unsure == 0 && mark_same(&old.cur, &now->cur) &&
	       mark_same(&old.new, &now->new) && mark_same(&old.list, &now->list) &&
	       mark_same(&old.keywords, &now->keywords) && mark_same(&old.extra, &now->extra);
}

/* A message without a UID, and where it belongs among the new ones. */
static int
arrival_compare(const void *a, const void *b)
{
	const struct scan_file *x = *(const struct scan_file *const *)a;
	const struct scan_file *y = *(const struct scan_file *const *)b;
	size_t n = x->name.base.n < y->name.base.n ? x->name.base.n : y->name.base.n;
	int order;

	if (x->name.seconds != y->name.seconds)
		return x->name.seconds < y->name.seconds ? -1 : 1;
	if (x->name.micros != y->name.micros)
		return x->name.micros < y->name.micros ? -1 : 1;
	order = memcmp(x->name.base.p, y->name.base.p, n);
	if (order != 0)
		return order;
	return (x->name.base.n > y->name.base.n) - (x->name.base.n < y->name.base.n);
}

/* Bases that the list lacks, in the order of their arrival. */
static size_t
arrivals_find(
    const struct scan *scan, const struct uidlist *list, struct rk_arena *mem, struct str **out)
{
	const struct scan_file **found = rk_arena_array(mem, scan->n + 1, sizeof(*found));
	size_t n = 0;

	for (size_t i = 0; i < scan->n; i++) {
		if (uidlist_find(list, scan->files[i].name.base) == NULL)
			found[n++] = &scan->files[i];
	}
	qsort(found, n, sizeof(*found), arrival_compare);
	*out = rk_arena_array(mem, n + 1, sizeof(**out));
	for (size_t i = 0; i < n; i++)
		(*out)[i] = found[i]->name.base;
	return n;
}

/* A store without identity that we may not write: something that stays the same meanwhile. */
static enum rk_status
guid_derive(struct rk_box *box, struct uidlist *list, struct rk_err *err)
{
	struct stat st;

	if (fstat(box->dir, &st) < 0)
		return rk_fail(err, RK_TEMP, "fstat %s", box->name);
	memset(list->guid, 0, sizeof(list->guid));
	memcpy(list->guid, &st.st_ino, sizeof(uint64_t));
	memcpy(list->guid + 8, &list->uidvalidity, sizeof(uint32_t));
	return RK_OK;
}

static enum rk_status
uids_complete(struct rk_box *box, const struct scan *scan, struct rk_arena *mem,
    struct uidlist *list, struct rk_err *err)
{
	struct str *bases;
	enum rk_status status = uidlist_read(box, mem, list, err);
	size_t n;

	if (status != RK_OK)
		return status;
	n = arrivals_find(scan, list, mem, &bases);
	if (n == 0 && list->uidvalidity != 0 && list->has_guid)
		return RK_OK;
	if (n == 0 && list->uidvalidity != 0 && box->account->readonly)
		return guid_derive(box, list, err);
	return uidlist_assign(box, bases, n, mem, list, err);
}

/* False: the file moved since it was seen; the next sync finds it again. */
static bool
msg_fill(struct rk_box *box, const struct scan_file *f, const struct uid_entry *e,
    struct rk_arena *mem, struct rk_msg *out)
{
	const char *locator = rk_arena_printf(mem, "%s/%s", f->in_cur ? "cur" : "new", f->file);
	struct stat st;

	if (fstatat(box->dir, locator, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return false;
	*out = (struct rk_msg){
		.uid = e->uid,
		.flags = f->name.flags,
		.keywords = f->name.keywords,
		.internal_date = st.st_mtim.tv_sec,
		.size = f->name.virtual != RK_SIZE_UNKNOWN ? f->name.virtual : e->virtual,
		.locator = { locator, strlen(locator) },
	};
	return true;
}

static int
msg_compare(const void *a, const void *b)
{
	const struct rk_msg *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* All messages that were seen, ascending; *missed_out: a file was gone when it was looked at. */
static void
msgs_fill(struct rk_box *box, const struct scan *scan, const struct uidlist *list,
    struct rk_arena *mem, struct rk_delta *delta, bool *missed_out)
{
	struct rk_msg *msgs = rk_arena_array(mem, scan->n + 1, sizeof(*msgs));
	size_t n = 0;

	for (size_t i = 0; i < scan->n; i++) {
		struct uid_entry *e = uidlist_find(list, scan->files[i].name.base);

		/* Not in the list: the file came after the UIDs were given. */
		if (e == NULL || e->used || !msg_fill(box, &scan->files[i], e, mem, &msgs[n])) {
			*missed_out = true;
			continue;
		}
		e->used = true;
		n++;
	}
	qsort(msgs, n, sizeof(*msgs), msg_compare);
	delta->msgs = msgs;
	delta->nmsgs = n;
}

/* Bits of the keywords that no letter stands for. */
static void
extras_fill(const struct keyword_table *table, struct rk_delta *delta)
{
	struct rk_msg *msgs = (struct rk_msg *)delta->msgs;

	for (size_t i = 0; i < table->nmsgs && delta->nmsgs > 0; i++) {
		struct rk_msg wanted = { .uid = table->msgs[i].uid }, *msg;

		msg = bsearch(&wanted, msgs, delta->nmsgs, sizeof(*msgs), msg_compare);
		if (msg != NULL)
			keywords_bits(table, table->msgs[i].names, &msg->keywords);
	}
}

static enum rk_status
keywords_fill(struct rk_box *box, struct rk_arena *mem, struct rk_delta *delta, struct rk_err *err)
{
	const char **names = rk_arena_array(mem, RK_KEYWORDS_MAX, sizeof(*names));
	struct keyword_table *table = rk_arena_alloc(mem, sizeof(*table));
	uint64_t used = 0;
	enum rk_status status = keywords_read(box, mem, table, err);

	if (status != RK_OK)
		return status;
	for (size_t i = 0; i < delta->nmsgs; i++)
		used |= delta->msgs[i].keywords.bits[0];
	/* A letter without a line still is a keyword; Dovecot calls it so. */
	for (unsigned i = 0; i < LETTERS; i++) {
		names[i] = table->letters[i];
		if (names[i] == NULL && (used >> i & 1) != 0)
			names[i] = rk_arena_printf(mem, "unknown-%u", i);
	}
	memcpy(names + LETTERS, table->extra, table->nextra * sizeof(*names));
	for (size_t i = 0; i < LETTERS + table->nextra; i++) {
		if (names[i] != NULL)
			delta->nkeywords = i + 1;
	}
	delta->keywords = names;
	extras_fill(table, delta);
	return RK_OK;
}

static void
state_keep(struct rk_box *box, const struct scan *scan, const struct file_mark *extra, bool missed,
    struct rk_arena *mem, struct rk_delta *delta)
{
	struct state *state = rk_arena_alloc(mem, sizeof(*state));
	struct timespec now;
	struct rk_err err;

	clock_gettime(CLOCK_REALTIME, &now);
	/* The list and the keywords as they are now; the directories as they were before the scan.
	 */
	if (state_now(box, state, &err) != RK_OK)
		state->unsure = 1;
	state->cur = mark_of(&scan->cur);
	state->new = mark_of(&scan->new);
	state->extra = *extra; /* as it was before it was read: no file moves with it */
	if (missed || !scan->stable || !is_quiet(&state->cur, time_ns(&now)) ||
	    !is_quiet(&state->new, time_ns(&now)))
		state->unsure = 1;
	state->uidvalidity = delta->uidvalidity;
	state->uidnext = delta->uidnext;
	memcpy(state->guid, delta->guid, sizeof(state->guid));
	delta->state = (struct rk_blob){ state, sizeof(*state) };
}

static void
duplicate_log(struct rk_box *box, const struct scan *scan)
{
	if (scan->duplicate[0] == '\0' || box->duplicate_told)
		return;
	box->duplicate_told = true;
	rk_log(RK_LOG_WARN, "maildir.duplicate",
	    "%s: two files with the base name of %s; one of them is served", box->name,
	    scan->duplicate);
}

static size_t
unseen_count(const struct uidlist *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++)
		n += !list->entries[i].used;
	return n;
}

/* One look; *again_out: something may be missing only because the clock did not tick yet. */
static enum rk_status
look(struct rk_box *box, struct rk_arena *mem, struct rk_delta *delta, bool *again_out,
    struct rk_err *err)
{
	struct rk_arena *work = arena_new();
	struct uidlist list;
	struct scan scan;
	struct file_mark extra;
	bool missed = false;
	enum rk_status status = mark_at(box, EXTRA_FILE, false, &extra, err);

	*delta = (struct rk_delta){ 0 };
	if (status == RK_OK)
		status = scan_read(box, work, &scan, err);
	if (status == RK_OK)
		status = uids_complete(box, &scan, work, &list, err);
	if (status == RK_OK)
		status = scan_confirm(&scan, box, err);
	if (status == RK_OK) {
		msgs_fill(box, &scan, &list, mem, delta, &missed);
		status = keywords_fill(box, mem, delta, err);
	}
	if (status == RK_OK) {
		/* Only an undisturbed scan may say that a message is gone; one that found them all
		 * says so of none. */
		delta->kind = (scan.stable && !missed) || (!missed && unseen_count(&list) == 0)
		                  ? RK_DELTA_FULL
		                  : RK_DELTA_CHANGES;
		delta->uidvalidity = list.uidvalidity;
		delta->uidnext = list.uidnext;
		memcpy(delta->guid, list.guid, sizeof(delta->guid));
		state_keep(box, &scan, &extra, missed, mem, delta);
		*again_out = delta->kind == RK_DELTA_CHANGES;
		duplicate_log(box, &scan);
	}
	arena_free(work);
	return status;
}

enum rk_status
maildir_sync(struct rk_box *box, struct rk_blob state, struct rk_arena *mem,
    struct rk_delta *delta_out, struct rk_err *err)
{
	struct state now;
	bool again = true;
	enum rk_status status = state_now(box, &now, err);

	*delta_out = (struct rk_delta){ 0 };
	if (status != RK_OK)
		return status;
	if (unchanged(state, &now, delta_out))
		return RK_OK;
	for (int i = 0; i < TRIES && status == RK_OK && again; i++) {
		if (i > 0)
			poll(NULL, 0, TICK_MS);
		status = look(box, mem, delta_out, &again, err);
	}
	/* Nobody knows of any message yet that this could call gone; the rest comes with the next
	 * sync. */
	if (status == RK_OK && state.len == 0)
		delta_out->kind = RK_DELTA_FULL;
	return status;
}
