#include "storage/drivers/maildir/maildir_impl.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/file.h"

/*
 * Dovecot's counter: an empty file `dovecot-uidvalidity.<8 hex>` in the root, renamed to count up,
 * and the file `dovecot-uidvalidity` with the same 8 digits. The larger of the two counts; a store
 * without both starts at the current time.
 */

#define NAME "dovecot-uidvalidity"

static bool
hex8(const char *text, uint32_t *out)
{
	char *end;
	unsigned long value = strtoul(text, &end, 16);

	if (end != text + 8 || value > UINT32_MAX)
		return false;
	*out = (uint32_t)value;
	return true;
}

/* Largest number in the names; 0 if there is none. */
static uint32_t
counter_in_names(int root)
{
	int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	uint32_t max = 0, value;
	struct dirent *entry;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (strncmp(entry->d_name, NAME ".", sizeof(NAME)) == 0 &&
		    strlen(entry->d_name) == sizeof(NAME) + 8 &&
		    hex8(entry->d_name + sizeof(NAME), &value) && value > max)
			max = value;
	}
	closedir(dir);
	return max;
}

static uint32_t
counter_in_file(int root)
{
	char text[16] = "";
	uint32_t value = 0;
	struct rk_err err;
	int fd;

	if (file_open_regular(root, NAME, O_RDONLY, &fd, NULL, &err) != RK_OK)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 8 || !hex8(text, &value))
		value = 0;
	close(fd);
	return value;
}

/* Takes `next` by renaming the counter file; EEXIST or ENOENT: another process counted first. */
static bool
counter_take(int root, uint32_t current, uint32_t next)
{
	char from[32], to[32];
	int fd;

	snprintf(from, sizeof(from), NAME ".%08x", current);
	snprintf(to, sizeof(to), NAME ".%08x", next);
	if (current != 0)
		return renameat(root, from, root, to) == 0;
	fd = openat(root, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

enum rk_status
uidvalidity_next(struct rk_account *account, uint32_t above, uint32_t *out, struct rk_err *err)
{
	for (int tries = 0; tries < 100; tries++) {
		uint32_t named = counter_in_names(account->root);
		uint32_t filed = counter_in_file(account->root);
		uint32_t last = named > filed ? named : filed;
		uint32_t now = (uint32_t)time(NULL), next = last == 0 ? now : last + 1;
		char text[16];

		if (next <= above)
			next = above + 1;
		if (next == 0)
			return rk_fail_plain(err, RK_LIMIT, "all UIDVALIDITY values are used");
		if (!counter_take(account->root, named, next)) {
			if (errno == EEXIST || errno == ENOENT)
				continue;
			return rk_fail(err, RK_TEMP, "counting up " NAME);
		}
		snprintf(text, sizeof(text), "%08x", next);
		*out = next;
		return file_replace(account->root, NAME, text, 8, 0600, err);
	}
	return rk_fail_plain(err, RK_INUSE, NAME " is counted up by others all the time");
}
