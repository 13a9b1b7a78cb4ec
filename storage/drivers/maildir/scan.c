#include "storage/drivers/maildir/scan.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
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
/* The kernel may stamp files with a clock of 100 ticks a second. */
#define TICK_NS INT64_C(20000000)

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

const struct scan_file *
scan_find(const struct scan *s, struct str base)
{
	uint32_t place = *place_of(s, base);

	return place == 0 ? NULL : &s->files[place - 1];
}

static bool
file_stat(struct rk_box *box, const struct scan_file *f, struct stat *out)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", f->in_cur ? "cur" : "new", f->file);
	return fstatat(box->dir, path, out, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * Whether `f` takes the place of `known`, a file of the same base. Seen in an earlier round: yes.
 * Seen in this one: a rename shows both names, and only one is there. If both are, the same one is
 * chosen every time, by every process; the other is not touched.
 */
static bool
twin_wins(
    struct scan *s, struct rk_box *box, const struct scan_file *known, const struct scan_file *f)
{
	struct stat a, b;

	if (known->round != s->round)
		return true;
	if (!file_stat(box, known, &a))
		return true;
	if (!file_stat(box, f, &b))
		return false;
	if (a.st_ino != b.st_ino || a.st_dev != b.st_dev)
		snprintf(s->duplicate, sizeof(s->duplicate), "%s", f->file);
	if (known->in_cur != f->in_cur)
		return f->in_cur;
	return strcmp(f->file, known->file) < 0;
}

static void
file_add(struct scan *s, struct rk_box *box, const struct scan_file *f)
{
	uint32_t *place;

	if (s->n * 2 >= s->table_size)
		table_grow(s);
	place = place_of(s, f->name.base);
	if (*place != 0) {
		struct scan_file *known = &s->files[*place - 1];

		if (twin_wins(s, box, known, f))
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
	/* Copies of a store may lack empty directories. */
	if (status == RK_NOTFOUND && !in_cur)
		return RK_OK;
	if (status != RK_OK)
		return status;
	dir = fdopendir(fd);
	if (dir == NULL) {
		status = rk_fail(err, RK_TEMP, "read %s of %s", sub, box->name);
		close(fd);
		return status;
	}
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		struct scan_file f = { .in_cur = in_cur, .round = s->round };
		struct str name = str_from(entry->d_name);

		if (entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN)
			continue;
		if (!maildir_name_parse(name, &f.name))
			continue;
		f.file = str_dup(s->mem, name);
		f.name.base.p = f.file;
		file_add(s, box, &f);
	}
	if (errno != 0)
		status = rk_fail(err, RK_TEMP, "read %s of %s", sub, box->name);
	closedir(dir);
	return status;
}

static enum rk_status
dirs_stat(struct rk_box *box, struct stat *cur, struct stat *new, struct rk_err *err)
{
	memset(new, 0, sizeof(*new));
	if (fstatat(box->dir, "cur", cur, AT_SYMLINK_NOFOLLOW) < 0)
		return rk_fail(
		    err, errno == ENOENT ? RK_NOTFOUND : RK_TEMP, "stat cur of %s", box->name);
	if (fstatat(box->dir, "new", new, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
		return rk_fail(err, RK_TEMP, "stat new of %s", box->name);
	return RK_OK;
}

/* ctime: anybody may set mtime back, and programs that copy a store do. */
static bool
same_time(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool
is_recent(const struct stat *st, const struct timespec *now)
{
	return (st->st_ctim.tv_sec - now->tv_sec) * INT64_C(1000000000) + st->st_ctim.tv_nsec -
	           now->tv_nsec >
	       -TICK_NS;
}

static enum rk_status
round_read(struct scan *s, struct rk_box *box, struct rk_err *err)
{
	struct timespec now;
	struct stat cur, new;
	enum rk_status status;

	s->round++;
	clock_gettime(CLOCK_REALTIME, &now);
	status = dirs_stat(box, &s->cur, &s->new, err);
	/* new/ first: what moves from new/ to cur/ meanwhile is then seen at least once. */
	if (status == RK_OK)
		status = dir_read(s, box, "new", false, err);
	if (status == RK_OK)
		status = dir_read(s, box, "cur", true, err);
	if (status == RK_OK)
		status = dirs_stat(box, &cur, &new, err);
	if (status != RK_OK)
		return status;
	s->moved = !same_time(&cur, &s->cur) || !same_time(&new, &s->new);
	s->recent = is_recent(&s->cur, &now) || is_recent(&s->new, &now);
	s->stable = !s->moved && !s->recent;
	return RK_OK;
}

enum rk_status
scan_read(struct rk_box *box, struct rk_arena *mem, struct scan *out, struct rk_err *err)
{
	*out = (struct scan){ .mem = mem };
	table_grow(out);
	for (int round = 0; round < ROUNDS; round++) {
		enum rk_status status = round_read(out, box, err);

		if (status != RK_OK || !out->moved)
			return status;
		/* Files that were removed between the rounds must not stay: only the last two
		 * count. */
		if (round + 2 < ROUNDS) {
			out->n = 0;
			memset(out->table, 0, out->table_size * sizeof(*out->table));
		}
	}
	return RK_OK;
}

enum rk_status
scan_confirm(struct scan *s, struct rk_box *box, struct rk_err *err)
{
	struct stat cur, new;
	enum rk_status status = dirs_stat(box, &cur, &new, err);

	if (status == RK_OK && (!same_time(&cur, &s->cur) || !same_time(&new, &s->new)))
		s->stable = false;
	return status;
}
