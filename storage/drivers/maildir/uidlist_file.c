#include "storage/drivers/maildir/maildir_impl.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/os_linux.h"
#include "storage/drivers/maildir/dotlock.h"

/* The file of the UID list: read without a lock, extended or replaced under Dovecot's (uidlist.c
 * has the format and its rules). */

#define NAME "dovecot-uidlist"

enum rk_status
uidlist_read(struct rk_box *box, struct rk_arena *mem, struct uidlist *out, struct rk_err *err)
{
	struct rk_blob blob;
	enum rk_status status;
	struct stat st;
	int fd;

	status = file_open_regular(box->dir, NAME, O_RDONLY, &fd, &st, err);
	if (status == RK_NOTFOUND) {
		uidlist_parse(str_of("", 0), mem, out);
		return RK_OK;
	}
	if (status != RK_OK)
		return status;
	status = file_read(fd, UIDLIST_MAX, mem, &blob, err);
	close(fd);
	if (status != RK_OK)
		return status;
	uidlist_parse(str_of(blob.data, blob.len), mem, out);
	/* A second name (a backup made of hard links) must not change with ours. */
	out->rewrite = out->rewrite || st.st_nlink != 1;
	return RK_OK;
}

static void
line_write(struct buf *out, uint32_t uid, struct str fields, struct str base)
{
	buf_addf(out, "%u ", uid);
	if (fields.n > 0) {
		buf_add(out, fields.p, fields.n);
		buf_addc(out, ' ');
	}
	buf_addc(out, ':');
	buf_add(out, base.p, base.n);
	buf_addc(out, '\n');
}

/* The whole file anew: temporary file, fsync, rename, fsync of the directory. */
static enum rk_status
list_rewrite(struct rk_box *box, const struct uidlist *list, const struct buf *added,
    uint32_t uidnext, struct rk_err *err)
{
	struct buf out = BUF_INIT;
	enum rk_status status;
	struct stat st;

	/* Who may use the mailbox may use its list: a shared store has group bits. */
	if (fstat(box->dir, &st) < 0)
		return rk_fail(err, RK_TEMP, "fstat %s", box->name);

	buf_addf(&out, "3 V%u N%u G", list->uidvalidity, uidnext);
	for (size_t i = 0; i < RK_GUID_LEN; i++)
		buf_addf(&out, "%02x", list->guid[i]);
	buf_add(&out, list->extra.p, list->extra.n);
	buf_addc(&out, '\n');
	for (size_t i = 0; i < list->n; i++)
		line_write(
		    &out, list->entries[i].uid, list->entries[i].fields, list->entries[i].base);
	buf_add(&out, added->data, added->len);
	status = file_replace(box->dir, NAME, out.data, out.len, st.st_mode & 0666, err);
	buf_clear(&out);
	return status;
}

/* Lines at the end. What a failed write left behind is cut off again. */
static enum rk_status
list_append(struct rk_box *box, const struct buf *added, struct rk_err *err)
{
	enum rk_status status;
	struct stat st;
	int fd;

	status = file_open_regular(box->dir, NAME, O_WRONLY | O_APPEND, &fd, &st, err);
	if (status != RK_OK)
		return status;
	status = file_write(fd, added->data, added->len, err);
	if (status == RK_OK)
		status = file_sync(fd, NAME, err);
	if (status != RK_OK && ftruncate(fd, st.st_size) < 0)
		rk_log(RK_LOG_ERROR, "maildir.uidlist", "cannot cut %s back", NAME);
	close(fd);
	return status;
}

static enum rk_status
list_complete(struct rk_box *box, struct uidlist *list, struct rk_err *err)
{
	enum rk_status status = RK_OK;

	if (list->uidvalidity == 0)
		status =
		    uidvalidity_next(box->account, list->old_validity, &list->uidvalidity, err);
	if (!list->has_guid) {
		os_random(list->guid, sizeof(list->guid));
		list->has_guid = true;
	}
	return status;
}

/* Lines for the bases that the list lacks; uids[n] is the first UID that is not given then. */
static enum rk_status
lines_make(const struct uidlist *list, const struct str *bases, size_t n, struct buf *added,
    uint32_t *uids, struct rk_err *err)
{
	uint32_t next = list->uidnext;

	for (size_t i = 0; i < n; i++) {
		const struct uid_entry *known = uidlist_find(list, bases[i]);

		if (known != NULL) {
			uids[i] = known->uid; /* another process was faster */
			continue;
		}
		if (next > UID_CEILING)
			return rk_fail_plain(err, RK_LIMIT, "all UIDs of the mailbox are given");
		uids[i] = next;
		line_write(added, next++, str_of("", 0), bases[i]);
	}
	uids[n] = next;
	return RK_OK;
}

enum rk_status
uidlist_lock(struct rk_box *box, struct dotlock *lock, struct rk_err *err)
{
	if (box->account->readonly)
		return rk_fail_plain(
		    err, RK_DENIED, "UIDs are due in %s, which is read-only", box->name);
	return dotlock_take(lock, box->dir, NAME ".lock", box->account->lock_timeout_ms, err);
}

enum rk_status
uidlist_give(struct rk_box *box, struct dotlock *lock, const struct bases *bases,
    struct rk_arena *mem, struct rk_uids *out, struct rk_err *err)
{
	uint32_t *uids = rk_arena_array(mem, bases->n + 1, sizeof(*uids));
	struct uidlist list;
	struct buf added = BUF_INIT;
	enum rk_status status;

	status = uidlist_read(box, mem, &list, err);
	if (status == RK_OK && list.bad_lines > 0)
		rk_log(RK_LOG_WARN, "maildir.uidlist_corrupt",
		    "%s: %zu bad lines; %zu UIDs are kept, the other messages get new ones",
		    box->name, list.bad_lines, list.n);
	if (status == RK_OK)
		status = list_complete(box, &list, err);
	if (status != RK_OK)
		return status;
	status = lines_make(&list, bases->list, bases->n, &added, uids, err);
	/* Held too long (a stopped process), the lock may be another's by now. */
	if (status == RK_OK)
		status = dotlock_keep(lock, err);
	if (status == RK_OK && list.rewrite)
		status = list_rewrite(box, &list, &added, uids[bases->n], err);
	else if (status == RK_OK && added.len > 0)
		status = list_append(box, &added, err);
	buf_clear(&added);
	*out = (struct rk_uids){ .uidvalidity = list.uidvalidity, .uids = uids, .n = bases->n };
	return status;
}

enum rk_status
uidlist_assign(struct rk_box *box, const struct str *bases, size_t n, struct rk_arena *mem,
    struct uidlist *out, struct rk_err *err)
{
	const struct bases wanted = { bases, n };
	struct dotlock lock;
	struct rk_uids given;
	enum rk_status status = uidlist_lock(box, &lock, err);

	if (status != RK_OK)
		return status;
	status = uidlist_give(box, &lock, &wanted, mem, &given, err);
	dotlock_drop(&lock);
	if (status == RK_OK)
		status = uidlist_read(box, mem, out, err);
	return status;
}
