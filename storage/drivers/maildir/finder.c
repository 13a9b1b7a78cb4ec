/*
 * Other programs rename messages at any time. One that is not where the last sync saw it is looked
 * for by its base name. Reading the directories costs as much as the mailbox is large, so one
 * reading serves all messages of an operation; only one that this reading misses too makes another,
 * and what three readings do not show is gone.
 */
#include "storage/drivers/maildir/finder.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/file.h"

#define LOOKS 3

enum rk_status
finder_begin(struct finder *f, struct rk_box *box, struct rk_arena *mem, struct rk_err *err)
{
	enum rk_status status;

	*f = (struct finder){ .box = box, .mem = mem, .cur = -1, .new = -1 };
	if (box->account->readonly)
		return rk_fail_plain(err, RK_DENIED, "the store is read-only");
	status = file_open_dir(box->dir, "cur", &f->cur, err);
	if (status == RK_OK)
		status = file_open_dir(box->dir, "new", &f->new, err);
	if (status == RK_NOTFOUND && f->cur >= 0) {
		f->new = -1;
		status = RK_OK;
	}
	return status;
}

void
finder_end(struct finder *f)
{
	if (f->cur >= 0)
		close(f->cur);
	if (f->new >= 0)
		close(f->new);
	f->cur = f->new = -1;
}

enum rk_status
finder_first(struct finder *f, const struct rk_ref *ref, struct found *out, struct rk_err *err)
{
	const char *path;
	enum rk_status status = locator_path(ref->locator, f->mem, &path, err);

	if (status != RK_OK)
		return status;
	*out = (struct found){ .file = path + 4, .in_cur = path[0] == 'c' };
	out->dir = out->in_cur ? f->cur : f->new;
	if (!maildir_name_parse(str_from(out->file), &out->name))
		return rk_fail_plain(err, RK_CORRUPT, "a locator names no message");
	return RK_OK;
}

enum rk_status
finder_next(struct finder *f, struct found *found, bool anew, struct rk_err *err)
{
	const struct scan_file *file;

	if (!f->scanned || anew) {
		enum rk_status status = scan_read(f->box, f->mem, &f->scan, err);

		if (status != RK_OK)
			return status;
		f->scanned = true;
	}
	file = scan_find(&f->scan, found->name.base);
	if (file == NULL)
		return rk_fail_plain(err, RK_NOTFOUND, "the message is gone");
	/* new/ may have been made since. */
	if (!file->in_cur && f->new < 0) {
		enum rk_status status = file_open_dir(f->box->dir, "new", &f->new, err);

		if (status != RK_OK)
			return status;
	}
	*found = (struct found){
		.dir = file->in_cur ? f->cur : f->new,
		.file = file->file,
		.name = file->name,
		.in_cur = file->in_cur,
	};
	return RK_OK;
}

enum rk_status
finder_do(
    struct finder *f, const struct rk_ref *ref, finder_fn *fn, void *context, struct rk_err *err)
{
	struct found found;
	enum rk_status status = finder_first(f, ref, &found, err);

	if (status == RK_OK)
		status = found.dir < 0 ? RK_NOTFOUND : fn(context, &found, err);
	for (int look = 0; look < LOOKS && status == RK_NOTFOUND; look++) {
		status = finder_next(f, &found, look > 0, err);
		/* An undisturbed look that does not show it settles it. */
		if (status == RK_NOTFOUND && f->scan.stable)
			return status;
		if (status == RK_OK)
			status = fn(context, &found, err);
	}
	return status;
}

enum rk_status
finder_unlink(void *context, const struct found *found, struct rk_err *err)
{
	struct finder *f = context;

	if (unlinkat(found->dir, found->file, 0) < 0)
		return rk_fail(err, file_status(errno), "remove %s", found->file);
	f->cur_changed = f->cur_changed || found->in_cur;
	f->new_changed = f->new_changed || !found->in_cur;
	return RK_OK;
}

enum rk_status
finder_sync(struct finder *f, struct rk_err *err)
{
	enum rk_status status = RK_OK;

	if (f->cur_changed)
		status = file_sync(f->cur, "cur", err);
	if (status == RK_OK && f->new_changed && f->new >= 0)
		status = file_sync(f->new, "new", err);
	return status;
}
