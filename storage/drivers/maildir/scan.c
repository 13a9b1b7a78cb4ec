#include "storage/drivers/maildir/scan.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/file.h"
#include "lib/base/siphash.h"

/*
 * readdir gives no promise for a file that is renamed while the directory is read: it may be seen
 * twice, once, or not at all, and mail programs rename at every flag change. So a scan counts as
 * complete only if both directories kept their times; otherwise it is repeated, and the files of
 * all rounds are put together by their base name. After the last round a file that was missed is
 * merely not known: the caller may not call it expunged (hardening.md F27).
 */

#define ROUNDS 5

static void
table_grow(struct scan *s)
{
	size_t mask;

	s->table_size = s->table_size == 0 ? 1024 : s->table_size * 2;
	s->table = rk_arena_array(s->mem, s->table_size, sizeof(*s->table));
	mask = s->table_size - 1;
	for (size_t k = 0; k < s->n; k++) {
		struct str base = s->files[k].name.base;
		size_t i = siphash(base.p, base.n) & mask;

		while (s->table[i] != 0)
			i = (i + 1) & mask;
		s->table[i] = (uint32_t)(k + 1);
	}
}

/* Place of a base in the table: its entry, or the free place where it belongs. */
static uint32_t *
place_of(const struct scan *s, struct str base)
{
	size_t mask = s->table_size - 1;
	size_t i = siphash(base.p, base.n) & mask;

	while (s->table[i] != 0 && !str_eq(s->files[s->table[i] - 1].name.base, base))
		i = (i + 1) & mask;
	return &s->table[i];
}

static void
file_add(struct scan *s, const struct scan_file *f)
{
	uint32_t *place;

	if (s->n * 2 >= s->table_size)
		table_grow(s);
	place = place_of(s, f->name.base);
	if (*place != 0) {
		struct scan_file *known = &s->files[*place - 1];

		/* A later look is the better one; between two places cur/ is where new mail goes.
		 */
		if (f->in_cur || !known->in_cur)
			*known = *f;
		return;
	}
	if (s->n == s->cap) {
		size_t cap = s->cap == 0 ? 1024 : s->cap * 2;
		struct scan_file *files = rk_arena_array(s->mem, cap, sizeof(*files));

		if (s->n > 0)
			memcpy(files, s->files, s->n * sizeof(*files));
		s->files = files;
		s->cap = cap;
	}
	s->files[s->n++] = *f;
	*place = (uint32_t)s->n;
}

static enum rk_status
dir_read(struct scan *s, struct rk_box *box, const char *sub, bool in_cur, struct rk_err *err)
{
	enum rk_status status;
	struct dirent *entry;
	DIR *dir;
	int fd;

	status = file_open_dir(box->dir, sub, &fd, err);
	if (status != RK_OK)
		return status;
	dir = fdopendir(fd);
	if (dir == NULL) {
		status = rk_fail(err, RK_TEMP, "read %s of %s", sub, box->name);
		close(fd);
		return status;
	}
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		struct scan_file f = { .in_cur = in_cur };
		struct str name = str_from(entry->d_name);

		if (entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN)
			continue;
		if (!maildir_name_parse(name, &f.name))
			continue;
		f.file = str_dup(s->mem, name);
		f.name.base.p = f.file;
		file_add(s, &f);
	}
	if (errno != 0)
		status = rk_fail(err, RK_TEMP, "read %s of %s", sub, box->name);
	closedir(dir);
	return status;
}

static enum rk_status
dir_stat(struct rk_box *box, const char *sub, struct stat *out, struct rk_err *err)
{
	if (fstatat(box->dir, sub, out, AT_SYMLINK_NOFOLLOW) < 0)
		return rk_fail(
		    err, errno == ENOENT ? RK_NOTFOUND : RK_TEMP, "stat %s of %s", sub, box->name);
	return RK_OK;
}

static bool
same_time(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

enum rk_status
scan_read(struct rk_box *box, struct rk_arena *mem, struct scan *out, struct rk_err *err)
{
	struct stat cur, new;
	enum rk_status status;

	*out = (struct scan){ .mem = mem };
	table_grow(out);
	for (int round = 0; round < ROUNDS && !out->stable; round++) {
		status = dir_stat(box, "cur", &out->cur, err);
		if (status == RK_OK)
			status = dir_stat(box, "new", &out->new, err);
		/* new/ first: what moves from new/ to cur/ meanwhile is then seen at least once. */
		if (status == RK_OK)
			status = dir_read(out, box, "new", false, err);
		if (status == RK_OK)
			status = dir_read(out, box, "cur", true, err);
		if (status == RK_OK)
			status = dir_stat(box, "cur", &cur, err);
		if (status == RK_OK)
			status = dir_stat(box, "new", &new, err);
		if (status != RK_OK)
			return status;
		out->stable = same_time(&cur, &out->cur) && same_time(&new, &out->new);
		if (out->stable || round + 1 == ROUNDS)
			break;
		/* Files that were removed between the rounds must not stay: only the last two
		 * count. */
		if (round + 2 < ROUNDS) {
			out->n = 0;
			memset(out->table, 0, out->table_size * sizeof(*out->table));
		}
	}
	return RK_OK;
}
