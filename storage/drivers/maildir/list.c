#include "storage/drivers/maildir/maildir_impl.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/file.h"

struct names {
	struct rk_list_entry *entries;
	size_t n;
	size_t cap;
	struct rk_arena *mem;
};

static void
name_add(struct names *names, const char *name, uint32_t flags)
{
	if (names->n == names->cap) {
		size_t cap = names->cap == 0 ? 64 : names->cap * 2;
		struct rk_list_entry *entries = rk_arena_array(names->mem, cap, sizeof(*entries));

		if (names->n > 0)
			memcpy(entries, names->entries, names->n * sizeof(*entries));
		names->entries = entries;
		names->cap = cap;
	}
	names->entries[names->n++] = (struct rk_list_entry){ name, flags };
}

bool
maildir_is_mailbox(int root, const char *dir)
{
	struct rk_err err;
	struct stat st;
	bool yes;
	int fd;

	if (file_open_dir(root, dir, &fd, &err) != RK_OK)
		return false;
	yes = fstatat(fd, "cur", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
	close(fd);
	return yes;
}

static int
entry_compare(const void *a, const void *b)
{
	const struct rk_list_entry *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	/* Of a mailbox and a mere level with one name the mailbox stands first. */
	return order != 0 ? order
	                  : (int)(x->flags & RK_LIST_NOSELECT) - (int)(y->flags & RK_LIST_NOSELECT);
}

/* Levels above a name that may have no directory of their own. */
static void
levels_add(struct names *names, const char *name)
{
	for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/'))
		name_add(names, rk_arena_dup(names->mem, name, (size_t)(slash - name)),
		    RK_LIST_NOSELECT);
}

static void
duplicates_drop(struct names *names)
{
	size_t kept = 0;

	qsort(names->entries, names->n, sizeof(*names->entries), entry_compare);
	for (size_t i = 0; i < names->n; i++) {
		if (kept > 0 && strcmp(names->entries[kept - 1].name, names->entries[i].name) == 0)
			continue;
		names->entries[kept++] = names->entries[i];
	}
	names->n = kept;
}

static void
entry_take(struct rk_account *account, const struct dirent *entry, struct names *names)
{
	const char *name;

	if (entry->d_name[0] != '.' || strcmp(entry->d_name, ".") == 0 ||
	    strcmp(entry->d_name, "..") == 0)
		return;
	if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
		return;
	if (!maildir_is_mailbox(account->root, entry->d_name))
		return;
	if (!maildir_name_of(entry->d_name, account->separator, names->mem, &name)) {
		/* Dovecot's directories of mailboxes being deleted start with two dots. */
		if (entry->d_name[1] != '.' && !account->skipped_told) {
			account->skipped_told = true;
			rk_log(RK_LOG_WARN, "maildir.skipped",
			    "%s holds mail, but no mailbox can have its name", entry->d_name);
		}
		return;
	}
	name_add(names, name, 0);
	levels_add(names, name);
}

enum rk_status
maildir_list(
    struct rk_account *account, struct rk_arena *mem, struct rk_list *out, struct rk_err *err)
{
	struct names names = { .mem = mem };
	enum rk_status status;
	struct dirent *entry;
	DIR *dir;
	int fd;

	status = file_open_dir(account->root, ".", &fd, err);
	if (status != RK_OK)
		return status;
	dir = fdopendir(fd);
	if (dir == NULL) {
		close(fd);
		return rk_fail(err, RK_TEMP, "read %s", account->root_path);
	}
	name_add(&names, "INBOX", 0);
	while (errno = 0, (entry = readdir(dir)) != NULL && names.n < 4 * MAILBOXES_MAX)
		entry_take(account, entry, &names);
	if (entry == NULL && errno != 0)
		status = rk_fail(err, RK_TEMP, "read %s", account->root_path);
	else if (entry != NULL)
		rk_log(RK_LOG_WARN, "maildir.list",
		    "more than %d mailboxes: the rest is not listed", MAILBOXES_MAX);
	closedir(dir);
	duplicates_drop(&names);
	*out = (struct rk_list){ names.entries, names.n };
	return status;
}
