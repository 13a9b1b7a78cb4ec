/* STORE and EXPUNGE: flags are letters in the file's name, so one rename changes them all at once
 * or not at all. */
#include "storage/drivers/maildir/maildir_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/file.h"
#include "storage/drivers/maildir/dotlock.h"
#include "storage/drivers/maildir/extra.h"
#include "storage/drivers/maildir/finder.h"

struct storing {
	struct finder finder;
	struct rk_arena *mem;
	const struct rk_store_change *change;
	struct keyword_places places;
};

static void
flags_change(
    const struct storing *st, const struct maildir_name *name, uint32_t *flags, uint64_t *letters)
{
	switch (st->change->mode) {
	case RK_STORE_REPLACE:
		*flags = st->change->flags;
		*letters = st->places.letters;
		break;
	case RK_STORE_ADD:
		*flags = name->flags | st->change->flags;
		*letters = name->keywords.bits[0] | st->places.letters;
		break;
	case RK_STORE_REMOVE:
		*flags = name->flags & ~st->change->flags;
		*letters = name->keywords.bits[0] & ~st->places.letters;
		break;
	}
}

/* The rename names the flags that it found: if another program changed them, there is no such file
 * and the message is looked for again, so no change is lost. */
static enum rk_status
store_one(void *context, const struct found *found, struct rk_err *err)
{
	struct storing *st = context;
	uint32_t flags = 0;
	uint64_t letters = 0;
	const char *file;
	struct stat there;
	enum rk_status status;

	flags_change(st, &found->name, &flags, &letters);
	file = maildir_file_name(str_from(found->file), flags, letters, st->mem);
	/* Without a flag it may wait in new/ on. */
	if (flags == found->name.flags && letters == found->name.keywords.bits[0])
		return fstatat(found->dir, found->file, &there, AT_SYMLINK_NOFOLLOW) == 0
		           ? RK_OK
		           : rk_fail(err, file_status(errno), "stat %s", found->file);
	/* Another file of that name would be a message with the same base: both stay. */
	status = file_rename_new(found->dir, found->file, st->finder.cur, file, err);
	if (status == RK_EXISTS) {
		rk_log(RK_LOG_WARN, "maildir.duplicate",
		    "%s: another file has the name %s; its flags stay", st->finder.box->name, file);
		return RK_OK;
	}
	if (status != RK_OK)
		return status;
	st->finder.cur_changed = true;
	st->finder.new_changed = st->finder.new_changed || !found->in_cur;
	return RK_OK;
}

/* Places of the change's keywords; new ones get theirs under the lock. */
static enum rk_status
keywords_find(struct rk_box *box, struct storing *st, struct rk_err *err)
{
	const struct rk_words *words = &st->change->keywords;
	struct dotlock lock;
	enum rk_status status = keywords_place(box, words, false, st->mem, &st->places, err);

	if (status != RK_OK || st->change->mode == RK_STORE_REMOVE || !st->places.missing)
		return status;
	status = uidlist_lock(box, &lock, err);
	if (status != RK_OK)
		return status;
	status = keywords_place(box, words, true, st->mem, &st->places, err);
	dotlock_drop(&lock);
	return status;
}

static uint32_t *
uids_of(const struct rk_ref *refs, size_t n, struct rk_arena *mem)
{
	uint32_t *uids = rk_arena_array(mem, n + 1, sizeof(*uids));

	for (size_t i = 0; i < n; i++)
		uids[i] = refs[i].uid;
	return uids;
}

/* Keywords that no file name holds. */
static enum rk_status
extras_change(
    struct rk_box *box, struct storing *st, const struct rk_ref *refs, size_t n, struct rk_err *err)
{
	struct extra_change change = { .mode = st->change->mode,
		.words = st->places.extra,
		.uids = uids_of(refs, n, st->mem),
		.n = n };
	struct extra *known;
	enum rk_status status;

	if (change.words.n == 0 && change.mode != RK_STORE_REPLACE)
		return RK_OK;
	if (change.words.n == 0) {
		known = rk_arena_alloc(st->mem, sizeof(*known));
		status = extra_read(box, st->mem, known, err);
		if (status != RK_OK || known->n == 0)
			return status;
	}
	return extra_change(box, &change, err);
}

enum rk_status
maildir_store(struct rk_box *box, const struct rk_ref *refs, size_t n,
    const struct rk_store_change *change, struct rk_err *err)
{
	struct storing st = { .mem = arena_new(), .change = change };
	enum rk_status status = finder_begin(&st.finder, box, st.mem, err), synced;
	struct rk_err why;

	if (status == RK_OK)
		status = keywords_find(box, &st, err);
	for (size_t i = 0; i < n && status == RK_OK; i++) {
		status = finder_do(&st.finder, &refs[i], store_one, &st, err);
		if (status == RK_NOTFOUND)
			status = RK_OK;
	}
	if (status == RK_OK)
		status = extras_change(box, &st, refs, n, err);
	/* What was changed before a failure is changed all the same. */
	synced = finder_sync(&st.finder, &why);
	if (status == RK_OK && synced != RK_OK) {
		status = synced;
		*err = why;
	}
	finder_end(&st.finder);
	arena_free(st.mem);
	return status;
}

void
maildir_forget(struct rk_box *box, const struct rk_ref *refs, size_t n)
{
	struct rk_arena *mem = arena_new();
	struct rk_err err = { 0 };

	/* UIDs never come again: what is left of them is only room, and a full disk must not keep
	 * anybody from deleting. */
	if (extra_forget(box, uids_of(refs, n, mem), n, &err) != RK_OK)
		rk_log(RK_LOG_WARN, "maildir.attributes", "%s: %s", box->name, err.text);
	arena_free(mem);
}

enum rk_status
maildir_expunge(struct rk_box *box, const struct rk_ref *refs, size_t n, struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	struct finder finder;
	enum rk_status status = finder_begin(&finder, box, mem, err);

	for (size_t i = 0; i < n && status == RK_OK; i++) {
		status = finder_do(&finder, &refs[i], finder_unlink, &finder, err);
		if (status == RK_NOTFOUND)
			status = RK_OK;
	}
	if (status == RK_OK)
		status = finder_sync(&finder, err);
	if (status == RK_OK)
		maildir_forget(box, refs, n);
	finder_end(&finder);
	arena_free(mem);
	return status;
}
