#include "storage/drivers/maildir/maildir_impl.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/file.h"

#define LOOKS 6

/* Opens `path` beneath the mailbox if it is a message of ours. */
static enum rk_status
message_open(struct rk_box *box, const char *path, struct rk_body *out, struct rk_err *err)
{
	struct maildir_name name;
	enum rk_status status;
	struct stat st;
	int fd;

	status = file_open_regular(box->dir, path, O_RDONLY, &fd, &st, err);
	if (status != RK_OK)
		return status;
	if (st.st_uid != box->owner && st.st_uid != geteuid()) {
		close(fd);
		return rk_fail_plain(
		    err, RK_DENIED, "%s belongs to user %u", path, (unsigned)st.st_uid);
	}
	if (!maildir_name_parse(str_from(strrchr(path, '/') + 1), &name)) {
		close(fd);
		return rk_fail_plain(err, RK_CORRUPT, "%s is no message", path);
	}
	*out = (struct rk_body){
		.fd = fd,
		.size = (uint64_t)st.st_size,
		/* W equal to S: not one LF stands without its CR (decisions.md 11). */
		.eol = name.size == (uint64_t)st.st_size && name.virtual == name.size ? RK_EOL_CRLF
		                                                                      : RK_EOL_LF,
	};
	return RK_OK;
}

/* Whether `sub` holds a file with this base; its path goes into `mem`. */
static const char *
base_find(struct rk_box *box, const char *sub, struct str base, struct rk_arena *mem)
{
	const char *found = NULL;
	struct dirent *entry;
	struct rk_err err;
	DIR *dir;
	int fd;

	if (file_open_dir(box->dir, sub, &fd, &err) != RK_OK)
		return NULL;
	dir = fdopendir(fd);
	if (dir == NULL) {
		close(fd);
		return NULL;
	}
	while (found == NULL && (entry = readdir(dir)) != NULL) {
		struct maildir_name name;

		if (maildir_name_parse(str_from(entry->d_name), &name) && str_eq(name.base, base))
			found = rk_arena_printf(mem, "%s/%s", sub, entry->d_name);
	}
	closedir(dir);
	return found;
}

/* The file was renamed since the last sync (flags changed, or it went from new/ to cur/). */
static enum rk_status
renamed_open(struct rk_box *box, const char *path, struct rk_body *out, struct rk_err *err)
{
	static const char *const subs[] = { "cur", "new" };
	struct rk_arena *mem = arena_new();
	enum rk_status status = RK_NOTFOUND;
	struct maildir_name name;

	if (!maildir_name_parse(str_from(path + 4), &name)) {
		arena_free(mem);
		return rk_fail_plain(err, RK_CORRUPT, "a locator names no message");
	}
	/* A file that goes on being renamed hides from a reading now and then. */
	for (size_t i = 0; i < 2 * LOOKS && status == RK_NOTFOUND; i++) {
		const char *found;

		if (i >= 4 && i % 2 == 0)
			poll(NULL, 0, 2);
		found = base_find(box, subs[i % 2], name.base, mem);
		if (found != NULL)
			status = message_open(box, found, out, err);
	}
	arena_free(mem);
	if (status == RK_NOTFOUND)
		return rk_fail_plain(err, RK_EXPIRED, "the message is gone");
	return status;
}

enum rk_status
locator_path(
    struct rk_blob locator, struct rk_arena *mem, const char **path_out, struct rk_err *err)
{
	const char *path;

	if (locator.len < 5 || locator.len > RK_LOCATOR_MAX)
		return rk_fail_plain(err, RK_CORRUPT, "a locator of %zu bytes", locator.len);
	path = rk_arena_dup(mem, locator.data, locator.len);
	if ((memcmp(path, "cur/", 4) != 0 && memcmp(path, "new/", 4) != 0) ||
	    strchr(path + 4, '/') != NULL || strlen(path) != locator.len)
		return rk_fail_plain(err, RK_CORRUPT, "a locator that is no path");
	*path_out = path;
	return RK_OK;
}

enum rk_status
maildir_body_open(
    struct rk_box *box, const struct rk_ref *ref, struct rk_body *out, struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	const char *path;
	enum rk_status status = locator_path(ref->locator, mem, &path, err);

	if (status == RK_OK)
		status = message_open(box, path, out, err);
	if (status == RK_NOTFOUND)
		status = renamed_open(box, path, out, err);
	arena_free(mem);
	return status;
}
