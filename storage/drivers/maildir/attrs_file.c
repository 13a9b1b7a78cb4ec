/* The files of attrs.h: read without a lock, replaced under one. */
#include "storage/drivers/maildir/attrs.h"

#include <stdio.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "storage/drivers/maildir/dotlock.h"

/* *damaged_out tells whether there is a file that can't be believed. */
static enum rk_status
file_parse(int dir, const char *file, struct rk_arena *mem, struct attrs *out, bool *damaged_out,
    struct rk_err *err)
{
	struct rk_blob blob;
	enum rk_status status;
	int fd;

	*out = (struct attrs){ 0 };
	*damaged_out = false;
	status = file_open_regular(dir, file, O_RDONLY, &fd, NULL, err);
	if (status == RK_NOTFOUND)
		return RK_OK;
	if (status != RK_OK)
		return status;
	status = file_read(fd, 2 * ATTRS_MAX, mem, &blob, err);
	close(fd);
	if (status == RK_OK)
		*damaged_out = !attrs_parse(str_of(blob.data, blob.len), mem, out);
	return status;
}

enum rk_status
attrs_read(int dir, const char *file, struct rk_arena *mem, struct attrs *out, struct rk_err *err)
{
	bool damaged;
	enum rk_status status = file_parse(dir, file, mem, out, &damaged, err);

	if (status == RK_OK && damaged)
		rk_log(RK_LOG_ERROR, "maildir.attributes", "%s is damaged and not used", file);
	return status;
}

static enum rk_status
edit_locked(
    struct dotlock *lock, const char *file, attrs_edit_fn *edit, void *context, struct rk_err *err)
{
	int dir = lock->dirfd;
	struct rk_arena *mem = arena_new();
	struct buf body = BUF_INIT, out = BUF_INIT;
	struct attrs attrs;
	bool damaged;
	struct rk_err kept;
	enum rk_status status = file_parse(dir, file, mem, &attrs, &damaged, err);
	struct stat st;

	/* What could not be read is kept for the administrator. */
	if (status == RK_OK && damaged) {
		rk_log(RK_LOG_ERROR, "maildir.attributes", "%s is damaged and begun anew", file);
		if (file_rename_new(
			dir, file, dir, rk_arena_printf(mem, "%s.damaged", file), &kept) != RK_OK)
			rk_log(RK_LOG_WARN, "maildir.attributes", "%s", kept.text);
	}
	if (status == RK_OK)
		status = edit(context, &attrs, &body, err);
	if (status == RK_OK && body.len > ATTRS_MAX)
		status = rk_fail_plain(err, RK_LIMIT, "%s would become too large", file);
	if (status == RK_OK && fstat(dir, &st) < 0)
		status = rk_fail(err, RK_TEMP, "stat the directory of %s", file);
	/* Held too long (a stopped process), the lock may be another's by now. */
	if (status == RK_OK)
		status = dotlock_keep(lock, err);
	if (status == RK_OK) {
		attrs_seal(&body, &out);
		status = file_replace(dir, file, out.data, out.len, st.st_mode & 0666, err);
	}
	buf_clear(&body);
	buf_clear(&out);
	arena_free(mem);
	return status;
}

enum rk_status
attrs_edit(struct rk_account *account, int dir, const char *file, attrs_edit_fn *edit,
    void *context, struct rk_err *err)
{
	char name[64];
	struct dotlock lock;
	enum rk_status status;

	if (account->readonly)
		return rk_fail_plain(err, RK_DENIED, "the store is read-only");
	snprintf(name, sizeof(name), "%s.lock", file);
	status = dotlock_take(&lock, dir, name, account->lock_timeout_ms, err);
	if (status != RK_OK)
		return status;
	status = edit_locked(&lock, file, edit, context, err);
	dotlock_drop(&lock);
	return status;
}

static bool
is_changed(const struct attr *a, const struct attr *change)
{
	return a->uid == change->uid && str_eq(a->name, change->name);
}

static enum rk_status
one_edit(void *context, const struct attrs *attrs, struct buf *out, struct rk_err *err)
{
	const struct attr *change = context;

	(void)err;
	for (size_t i = 0; i < attrs->n; i++) {
		if (!is_changed(&attrs->list[i], change))
			attrs_write(out, &attrs->list[i]);
	}
	if (change->value.p != NULL)
		attrs_write(out, change);
	return RK_OK;
}

enum rk_status
attrs_change(struct rk_account *account, int dir, const char *file, const struct attr *change,
    struct rk_err *err)
{
	struct attr mine = *change;

	return attrs_edit(account, dir, file, one_edit, &mine, err);
}
