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

static bool
is_changed(const struct attr *a, const struct attr *change)
{
	return a->uid == change->uid && (change->name.p == NULL || str_eq(a->name, change->name));
}

static enum rk_status
change_locked(
    int dir, const char *file, const struct attr *change, struct rk_arena *mem, struct rk_err *err)
{
	struct buf body = BUF_INIT, out = BUF_INIT;
	struct attrs attrs;
	bool damaged;
	enum rk_status status = file_parse(dir, file, mem, &attrs, &damaged, err);
	struct stat st;

	if (status != RK_OK)
		return status;
	/* What could not be read is kept for the administrator. */
	if (damaged)
		(void)renameat(dir, file, dir, rk_arena_printf(mem, "%s.damaged", file));
	for (size_t i = 0; i < attrs.n; i++) {
		if (!is_changed(&attrs.list[i], change))
			attrs_write(&body, &attrs.list[i]);
	}
	if (change->value.p != NULL)
		attrs_write(&body, change);
	if (change->value.p != NULL && body.len > ATTRS_MAX)
		status = rk_fail_plain(err, RK_LIMIT, "%s would become too large", file);
	else if (fstat(dir, &st) < 0)
		status = rk_fail(err, RK_TEMP, "stat the directory of %s", file);
	if (status == RK_OK) {
		attrs_seal(&body, &out);
		status = file_replace(dir, file, out.data, out.len, st.st_mode & 0666, err);
	}
	buf_clear(&body);
	buf_clear(&out);
	return status;
}

enum rk_status
attrs_change(struct rk_account *account, int dir, const char *file, const struct attr *change,
    struct rk_err *err)
{
	struct rk_arena *mem;
	struct dotlock lock;
	enum rk_status status;

	if (account->readonly)
		return rk_fail_plain(err, RK_DENIED, "the store is read-only");
	mem = arena_new();
	status = dotlock_take(
	    &lock, dir, rk_arena_printf(mem, "%s.lock", file), account->lock_timeout_ms, err);
	if (status == RK_OK) {
		status = change_locked(dir, file, change, mem, err);
		dotlock_drop(&lock);
	}
	arena_free(mem);
	return status;
}
