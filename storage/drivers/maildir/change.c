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
#include "storage/drivers/maildir/finder.h"
#include "storage/drivers/maildir/keywords.h"

struct storing {
	struct finder finder;
	struct rk_arena *mem;
	const struct rk_store_change *change;
	struct keyword_table keywords;
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
places_find(struct rk_box *box, struct storing *st, struct rk_err *err)
{
	const struct rk_words *words = &st->change->keywords;
	struct dotlock lock;
	enum rk_status status = keywords_read(box, st->mem, &st->keywords, err);

	if (status != RK_OK || keywords_find(&st->keywords, words, st->mem, &st->places) ||
	    st->change->mode == RK_STORE_REMOVE)
		return status;
	status = uidlist_lock(box, &lock, err);
	if (status != RK_OK)
		return status;
	status = keywords_read(box, st->mem, &st->keywords, err);
	if (status == RK_OK)
		status = keywords_make(&st->keywords, words, st->mem, &st->places, err);
	if (status == RK_OK)
		status = keywords_save(box, &st->keywords, err);
	dotlock_drop(&lock);
	return status;
}

/* Keywords that no file name holds. */
static enum rk_status
extras_change(
    struct rk_box *box, struct storing *st, const struct rk_ref *refs, size_t n, struct rk_err *err)
{
	struct extra_words *msgs;
	bool replaces = st->change->mode == RK_STORE_REPLACE && st->keywords.nmsgs > 0;

	if (st->places.extra.n == 0 && !replaces)
		return RK_OK;
	msgs = rk_arena_array(st->mem, n + 1, sizeof(*msgs));
	for (size_t i = 0; i < n; i++)
		msgs[i] = (struct extra_words){ refs[i].uid, st->places.extra };
	return extra_change(box, st->change->mode, msgs, n, err);
}

enum rk_status
maildir_store(struct rk_box *box, const struct rk_ref *refs, size_t n,
    const struct rk_store_change *change, struct rk_err *err)
{
	struct storing st = { .mem = arena_new(), .change = change };
	enum rk_status status = finder_begin(&st.finder, box, st.mem, err), synced;
	struct rk_err why;

	if (status == RK_OK)
		status = places_find(box, &st, err);
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
		extra_forget(box, refs, n);
	finder_end(&finder);
	arena_free(mem);
	return status;
}
