#include "storage/drivers/maildir/maildir_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/bug.h"
#include "lib/base/file.h"

/* Value of a parameter; the later one wins, since the user's stand behind the section's. */
static const char *
param(const struct rk_account_conf *conf, const char *key)
{
	const char *value = NULL;

	for (size_t i = 0; i < conf->nparams; i++) {
		if (strcmp(conf->params[i].key, key) == 0)
			value = conf->params[i].value;
	}
	return value;
}

static enum rk_status
root_path(
    const struct rk_account_conf *conf, struct rk_arena *mem, const char **out, struct rk_err *err)
{
	const char *path = param(conf, "path");

	if (path == NULL || path[0] == '\0')
		path = "~/Maildir";
	if (path[0] == '~' && (path[1] == '/' || path[1] == '\0')) {
		if (conf->home[0] != '/')
			return rk_fail_plain(
			    err, RK_INVALID, "%s has no home for path \"%s\"", conf->user, path);
		path = rk_arena_printf(mem, "%s%s", conf->home, path + 1);
	}
	if (path[0] != '/')
		return rk_fail_plain(
		    err, RK_INVALID, "path \"%s\" of %s is not absolute", path, conf->user);
	*out = path;
	return RK_OK;
}

/* The root with cur, new and tmp; its parent is there already. */
static enum rk_status
store_make(const char *path, int *root_out, struct rk_err *err)
{
	static const char *const subs[] = { "tmp", "new", "cur" };
	enum rk_status status;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return rk_fail(err, errno == EACCES ? RK_DENIED : RK_TEMP, "make %s", path);
	status = file_open_dir(AT_FDCWD, path, root_out, err);
	for (size_t i = 0; i < 3 && status == RK_OK; i++) {
		status = file_make_dir(*root_out, subs[i], 0700, err);
		if (status != RK_OK)
			close(*root_out);
	}
	return status;
}

static enum rk_status
store_open(const struct rk_account_conf *conf, const char *path, int *root_out, struct rk_err *err)
{
	struct stat st;
	enum rk_status status = file_open_dir(AT_FDCWD, path, root_out, err);

	if (status == RK_OK && fstatat(*root_out, "cur", &st, AT_SYMLINK_NOFOLLOW) == 0)
		return RK_OK;
	if (status == RK_OK)
		close(*root_out);
	else if (status != RK_NOTFOUND)
		return status;
	if (conf->readonly)
		return rk_fail_plain(err, RK_NOTFOUND, "no Maildir at %s", path);
	return store_make(path, root_out, err);
}

static enum rk_status
maildir_account_paths(const struct rk_account_conf *conf, struct rk_arena *mem,
    const char *const **out, struct rk_err *err)
{
	const char **paths = rk_arena_array(mem, 2, sizeof(*paths));
	enum rk_status status = root_path(conf, mem, &paths[0], err);
	int root;

	if (status == RK_OK)
		status = store_open(conf, paths[0], &root, err);
	if (status != RK_OK)
		return status;
	close(root);
	*out = paths;
	return RK_OK;
}

static enum rk_status
maildir_account_open(
    const struct rk_account_conf *conf, struct rk_account **out, struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	struct rk_account *account = calloc(1, sizeof(*account));
	const char *path;
	enum rk_status status;

	if (account == NULL)
		rk_out_of_memory(sizeof(*account));
	status = root_path(conf, mem, &path, err);
	if (status == RK_OK)
		status = store_open(conf, path, &account->root, err);
	if (status == RK_OK) {
		account->root_path = strdup(path);
		if (account->root_path == NULL)
			rk_out_of_memory(strlen(path));
		account->separator = conf->separator == '.' ? '.' : '/';
		account->lock_timeout_ms = conf->lock_timeout_ms;
		account->readonly = conf->readonly;
		*out = account;
	} else {
		free(account);
	}
	arena_free(mem);
	return status;
}

static void
maildir_account_close(struct rk_account *account)
{
	close(account->root);
	free(account->root_path);
	free(account);
}

enum rk_status
maildir_box_dir(struct rk_account *account, const char *name, int *dir_out, struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	const char *path;
	enum rk_status status;

	status = maildir_dir_of(name, account->separator, mem, &path, err);
	if (status == RK_OK)
		status = file_open_dir(account->root, path, dir_out, err);
	if (status == RK_NOTFOUND)
		status = maildir_dir_raw(name, account->separator, mem, &path, err) == RK_OK
		             ? file_open_dir(account->root, path, dir_out, err)
		             : RK_NOTFOUND;
	arena_free(mem);
	if (status == RK_INVALID)
		status = rk_fail_plain(err, RK_NOTFOUND, "no mailbox can have the name");
	/* A link or a file in a mailbox's place is no mailbox; which of them is nobody's business.
	 */
	if (status == RK_DENIED)
		status = rk_fail_plain(err, RK_NOTFOUND, "%s is not a plain directory", name);
	return status;
}

static enum rk_status
maildir_box_open(
    struct rk_account *account, const char *name, struct rk_box **out, struct rk_err *err)
{
	struct rk_box *box;
	struct stat st, own;
	int dir;
	enum rk_status status = maildir_box_dir(account, name, &dir, err);

	if (status != RK_OK)
		return status;
	if (fstat(dir, &own) < 0 || fstatat(dir, "cur", &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(st.st_mode)) {
		close(dir);
		return rk_fail_plain(err, RK_NOTFOUND, "%s has no cur", name);
	}
	box = calloc(1, sizeof(*box));
	if (box == NULL)
		rk_out_of_memory(sizeof(*box));
	*box = (struct rk_box){
		.account = account, .dir = dir, .owner = own.st_uid, .name = strdup(name)
	};
	if (box->name == NULL)
		rk_out_of_memory(strlen(name));
	*out = box;
	return RK_OK;
}

static void
maildir_box_close(struct rk_box *box)
{
	close(box->dir);
	free(box->name);
	free(box);
}

RK_API extern const struct rk_driver rookery_driver;

const struct rk_driver rookery_driver = {
	.abi = RK_DRIVER_ABI,
	.name = "maildir",
	.account_open = maildir_account_open,
	.account_close = maildir_account_close,
	.account_paths = maildir_account_paths,
	.list = maildir_list,
	.box_create = maildir_box_create,
	.box_delete = maildir_box_delete,
	.box_rename = maildir_box_rename,
	.box_open = maildir_box_open,
	.box_close = maildir_box_close,
	.sync = maildir_sync,
	.body_open = maildir_body_open,
	.append = maildir_append,
	.copy = maildir_copy,
	.store = maildir_store,
	.expunge = maildir_expunge,
	.watch = maildir_watch,
	.attr_get = maildir_attr_get,
	.attr_set = maildir_attr_set,
	.attr_list = maildir_attr_list,
};
