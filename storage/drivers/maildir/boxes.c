/*
 * CREATE, DELETE, RENAME. Each mailbox is a directory beneath the root, also the ones below others
 * (`.a` and `.a.b`), so a mailbox comes and goes with one rename of a directory: it is made whole
 * under a name that nobody lists, and removed by moving it to such a name first.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/file.h"
#include "lib/base/os_linux.h"
#include "storage/drivers/maildir/maildir_impl.h"

/* Dovecot's name for it; both servers clean up what the other left. */
#define TRASH "..DOVECOT-TRASHED"
#define TRASH_TRIES 4
/* A mailbox has three directories and no more below them. */
#define TRASH_DEPTH 8

static enum rk_status
writable(const struct rk_account *account, struct rk_err *err)
{
	return account->readonly ? rk_fail_plain(err, RK_DENIED, "the store is read-only") : RK_OK;
}

/* The directory that the mailbox has, in whichever spelling; RK_NOTFOUND: it has none. */
static enum rk_status
dir_find(struct rk_account *account, const char *name, struct rk_arena *mem, const char **out,
    struct rk_err *err)
{
	enum rk_status status = maildir_dir_of(name, account->separator, mem, out, err);

	if (status == RK_OK && maildir_is_mailbox(account->root, *out))
		return RK_OK;
	if (status == RK_OK && maildir_dir_raw(name, account->separator, mem, out, err) == RK_OK &&
	    maildir_is_mailbox(account->root, *out))
		return RK_OK;
	return rk_fail_plain(err, RK_NOTFOUND, "there is no mailbox %s", name);
}

/* Removes what is in a directory; what can't be removed stays. */
static void
dir_empty(int dir, unsigned depth)
{
	struct dirent *entry;
	DIR *d = fdopendir(dir);

	if (d == NULL) {
		close(dir);
		return;
	}
	while ((entry = readdir(d)) != NULL) {
		struct rk_err err;
		int sub;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(d), entry->d_name, 0) == 0 || depth == 0)
			continue;
		if (file_open_dir(dirfd(d), entry->d_name, &sub, &err) == RK_OK)
			dir_empty(sub, depth - 1);
		unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR);
	}
	closedir(d);
}

/* Removes a directory beneath the root with what is in it, as far as it can. */
static void
trash_remove(int root, const char *path)
{
	struct rk_err err;
	int dir;

	if (file_open_dir(root, path, &dir, &err) != RK_OK)
		return;
	dir_empty(dir, TRASH_DEPTH);
	if (unlinkat(root, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
		rk_log(RK_LOG_WARN, "maildir.trash", "%s is left (errno %d)", path, errno);
}

/* --- create --- */

static enum rk_status
subs_make(int dir, mode_t mode, struct rk_err *err)
{
	static const char *const subs[] = { "tmp", "new", "cur" };
	enum rk_status status = RK_OK;

	for (size_t i = 0; i < 3 && status == RK_OK; i++)
		status = file_make_dir(dir, subs[i], mode, err);
	/* Delivery agents look for it to find the root. */
	if (status == RK_OK)
		status = file_replace(dir, "maildirfolder", "", 0, mode & 0666, err);
	return status;
}

/* A directory that is there without cur/ becomes a mailbox: somebody's making of it stopped. */
static enum rk_status
dir_complete(struct rk_account *account, const char *path, mode_t mode, struct rk_err *err)
{
	enum rk_status status;
	int dir;

	status = file_open_dir(account->root, path, &dir, err);
	if (status != RK_OK)
		return status;
	status = subs_make(dir, mode, err);
	close(dir);
	return status;
}

static enum rk_status
dir_make(struct rk_account *account, const char *path, struct rk_arena *mem, struct rk_err *err)
{
	const char *fresh;
	enum rk_status status;
	uint32_t random;
	struct stat st;

	if (fstat(account->root, &st) < 0)
		return rk_fail(err, RK_TEMP, "stat %s", account->root_path);
	os_random(&random, sizeof(random));
	fresh = rk_arena_printf(mem, "..rookery-new-%08x", random);
	status = file_make_dir(account->root, fresh, st.st_mode & 0777, err);
	if (status == RK_OK)
		status = dir_complete(account, fresh, st.st_mode & 0777, err);
	if (status == RK_OK)
		status = file_rename_new(account->root, fresh, account->root, path, err);
	if (status == RK_OK)
		return file_sync(account->root, "the root", err);
	if (status == RK_EXISTS)
		status = maildir_is_mailbox(account->root, path)
		             ? rk_fail_plain(err, RK_EXISTS, "%s is there", path)
		             : dir_complete(account, path, st.st_mode & 0777, err);
	trash_remove(account->root, fresh);
	return status;
}

enum rk_status
maildir_box_create(struct rk_account *account, const char *name, struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	const char *path;
	enum rk_status status = writable(account, err);

	if (status == RK_OK)
		status = maildir_dir_of(name, account->separator, mem, &path, err);
	if (status == RK_OK) {
		const char *there;

		if (dir_find(account, name, mem, &there, NULL) == RK_OK)
			status = rk_fail_plain(err, RK_EXISTS, "%s is there", name);
		else
			status = dir_make(account, path, mem, err);
	}
	arena_free(mem);
	return status;
}

/* --- delete --- */

enum rk_status
maildir_box_delete(struct rk_account *account, const char *name, struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	const char *path;
	enum rk_status status = writable(account, err);

	if (status == RK_OK && strcmp(name, "INBOX") == 0)
		status = rk_fail_plain(err, RK_DENIED, "INBOX stays");
	if (status == RK_OK)
		status = dir_find(account, name, mem, &path, err);
	if (status == RK_OK)
		status = file_rename_new(account->root, path, account->root, TRASH, err);
	for (int i = 0; status == RK_EXISTS && i < TRASH_TRIES; i++) {
		trash_remove(account->root, TRASH); /* of one that did not finish */
		status = file_rename_new(account->root, path, account->root, TRASH, err);
	}
	if (status == RK_EXISTS)
		status = rk_fail_plain(err, RK_TEMP, "%s can't be removed", TRASH);
	if (status == RK_OK)
		status = file_sync(account->root, "the root", err);
	/* A session that has it open sees it go as a whole, not message by message. */
	if (status == RK_OK)
		(void)renameat(account->root, TRASH "/cur", account->root, TRASH "/gone");
	if (status == RK_OK)
		trash_remove(account->root, TRASH);
	arena_free(mem);
	return status;
}

/* --- rename --- */

struct renaming {
	struct {
		const char *from;
		const char *to;
	} * dirs;
	size_t n;
};

/* What is longer or deeper can be named by no client. */
static bool
name_fits(const char *name)
{
	size_t depth = 1;

	for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/'))
		depth++;
	return depth <= RK_NAME_DEPTH_MAX && strlen(name) <= RK_NAME_MAX;
}

/* Directories of `from` and all below it, with what they shall be called. */
static enum rk_status
dirs_find(struct rk_account *account, const char *from, const char *to, struct rk_arena *mem,
    struct renaming *out, struct rk_err *err)
{
	size_t len = strlen(from);
	struct rk_list boxes;
	enum rk_status status = maildir_list(account, mem, &boxes, err);

	if (status != RK_OK)
		return status;
	out->dirs = rk_arena_array(mem, boxes.n + 1, sizeof(*out->dirs));
	for (size_t i = 0; i < boxes.n && status == RK_OK; i++) {
		const char *name = boxes.entries[i].name, *there;

		if (strncmp(name, from, len) != 0 || (name[len] != '\0' && name[len] != '/') ||
		    (boxes.entries[i].flags & RK_LIST_NOSELECT) != 0)
			continue;
		name = rk_arena_printf(mem, "%s%s", to, name + len);
		if (!name_fits(name))
			return rk_fail_plain(err, RK_INVALID, "a name below it would be too deep");
		status =
		    dir_find(account, boxes.entries[i].name, mem, &out->dirs[out->n].from, err);
		if (status == RK_OK && dir_find(account, name, mem, &there, NULL) == RK_OK)
			status = rk_fail_plain(err, RK_EXISTS, "%s is there", name);
		if (status == RK_OK)
			status = maildir_dir_of(
			    name, account->separator, mem, &out->dirs[out->n++].to, err);
	}
	if (status == RK_OK && out->n == 0)
		status = rk_fail_plain(err, RK_NOTFOUND, "there is no mailbox %s", from);
	return status;
}

/* All, or as far as that can be taken back, none. */
static enum rk_status
dirs_rename(struct rk_account *account, const struct renaming *r, struct rk_err *err)
{
	int root = account->root;

	for (size_t i = 0; i < r->n; i++) {
		struct rk_err undo;
		enum rk_status status =
		    file_rename_new(root, r->dirs[i].from, root, r->dirs[i].to, err);

		if (status == RK_OK)
			continue;
		while (i-- > 0) {
			if (file_rename_new(root, r->dirs[i].to, root, r->dirs[i].from, &undo) !=
			    RK_OK)
				rk_log(RK_LOG_ERROR, "maildir.rename", "%s stays: %s",
				    r->dirs[i].to, undo.text);
		}
		return status;
	}
	return file_sync(root, "the root", err);
}

enum rk_status
maildir_box_rename(struct rk_account *account, const char *from, const char *to, struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	struct renaming r = { 0 };
	enum rk_status status = writable(account, err);

	if (status == RK_OK && (strcmp(from, "INBOX") == 0 || strcmp(to, "INBOX") == 0))
		status = rk_fail_plain(err, RK_DENIED, "INBOX stays");
	if (status == RK_OK)
		status = dirs_find(account, from, to, mem, &r, err);
	if (status == RK_OK)
		status = dirs_rename(account, &r, err);
	arena_free(mem);
	return status;
}
