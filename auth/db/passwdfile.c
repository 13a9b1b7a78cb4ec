#include "auth/db/db.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/db/passwd_line.h"
#include "lib/base/arena.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

/*
 * A file of at most 64 MiB, read whole and kept in memory: an index sorted by canonical name, whose
 * entries point into the text. Every line is read in full when the file is loaded, so that mistakes
 * are said then, with file and line; a lookup reads its line once more.
 *
 * Before a lookup, at most once a second, the file is compared with the one that was loaded
 * (device, inode, size, change times) and loaded anew if it differs. A new content that can't be
 * read, or has a bad line anywhere, or was being written while it was read, is not taken: the last
 * good one stays in force, and the reason is logged once per content. Half of a file is worse than
 * yesterday's file. Where there never was a good one, lookups say "unavailable".
 *
 * The directory is opened at the start and is the one place of the file system that authd can read
 * afterwards; the file is opened in it by its last name component, so a new file that was renamed
 * into its place is found. A symbolic link there is refused (it would lead out of the directory).
 */

#define FILE_MAX (64u * 1024 * 1024)
#define CHECK_MS 1000
#define CLASSES_MAX 32
#define PROBLEMS_MAX 10 /* lines named in the log per content */

struct entry {
	const char *name; /* canonical */
	struct str line;
};

/* One content of the file. */
struct table {
	struct rk_arena *mem;
	struct entry *entries;
	size_t n;
	struct stored sample;
};

struct class
{
	enum scheme scheme;
	struct str name;
	struct stored first;
	size_t n;
};

/* While a content is read. */
struct load {
	struct db *db;
	struct table *table;
	struct class classes[CLASSES_MAX];
	size_t nclasses;
	size_t problems;
};

struct db {
	struct db_settings settings;
	struct passwd_defaults defaults;
	int dir;
	const char *file; /* last component of settings.path */
	struct table *table;
	struct stat seen; /* of the content looked at last, good or bad */
	bool seen_any;
	enum rk_status failed; /* of the last try to read; logged when it changes */
	int64_t checked;
};

static void
table_free(struct table *t)
{
	if (t == NULL)
		return;
	arena_free(t->mem);
	free(t);
}

static bool
stat_equal(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       memcmp(&a->st_mtim, &b->st_mtim, sizeof(a->st_mtim)) == 0 &&
	       memcmp(&a->st_ctim, &b->st_ctim, sizeof(a->st_ctim)) == 0;
}

static void
problem(struct load *load, size_t line, const struct rk_err *err)
{
	if (load->problems++ < PROBLEMS_MAX)
		log_ev(RK_LOG_ERROR, "auth.passwd_line", LOG_S("file", load->db->settings.path),
		    LOG_U("line", line), LOG_ERR(err));
}

/* Counts records by what a verification costs. */
static void
class_count(struct load *load, const struct stored *stored)
{
	struct class *c = load->classes, *end = c + load->nclasses;
	struct str name;

	if (stored->scheme == SCHEME_NONE)
		return;
	name = stored_class(stored);
	while (c < end && (c->scheme != stored->scheme || !str_eq(c->name, name)))
		c++;
	if (c == load->classes + CLASSES_MAX)
		return;
	if (c == end) {
		*c = (struct class){ .scheme = stored->scheme, .name = name, .first = *stored };
		load->nclasses++;
	}
	c->n++;
}

static void
line_load(struct load *load, struct str text, size_t number)
{
	static struct db_user user; /* large; one at a time */
	struct db *db = load->db;
	struct passwd_line line;
	struct username name;
	enum username_bin bin;
	struct rk_err err;

	if (memchr(text.p, '\0', text.n) != NULL || !passwd_line_split(text, &line)) {
		(void)rk_fail_plain(&err, RK_INVALID, "a NUL byte, or no user name");
		problem(load, number, &err);
		return;
	}
	bin = username_make(line.user, &db->settings.names, &name);
	if (bin != USERNAME_OK) {
		(void)rk_fail_plain(
		    &err, RK_INVALID, "the user name is refused (%s)", username_bin_name(bin));
		problem(load, number, &err);
		return;
	}
	if (passwd_line_read(&line, &name, &db->defaults, &user, &err) != RK_OK) {
		problem(load, number, &err);
		return;
	}
	class_count(load, &user.stored);
	load->table->entries[load->table->n++] = (struct entry){
		.name = str_dup(load->table->mem, str_of(name.text, name.len)),
		.line = text,
	};
}

static int
entry_compare(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void
index_make(struct load *load)
{
	struct table *t = load->table;
	const struct class *most = NULL;
	struct rk_err err;

	qsort(t->entries, t->n, sizeof(t->entries[0]), entry_compare);
	for (size_t i = 1; i < t->n; i++) {
		if (strcmp(t->entries[i - 1].name, t->entries[i].name) != 0)
			continue;
		(void)rk_fail_plain(
		    &err, RK_INVALID, "user %.200s stands twice", t->entries[i].name);
		problem(load, 0, &err);
	}
	for (size_t i = 0; i < load->nclasses; i++) {
		if (most == NULL || load->classes[i].n > most->n)
			most = &load->classes[i];
	}
	if (most != NULL)
		t->sample = most->first;
}

static size_t
lines_count(struct str text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

/* Takes `table->mem` filled with the text. RK_INVALID: bad lines, which are logged. */
static enum rk_status
text_load(struct db *db, struct table *table, struct str text, struct rk_err *err)
{
	struct load load = { .db = db, .table = table };
	struct str line;

	table->entries = rk_arena_array(table->mem, lines_count(text), sizeof(table->entries[0]));
	for (size_t number = 1; str_split(&text, '\n', &line); number++) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n > 0 && line.p[0] != '#')
			line_load(&load, line, number);
	}
	index_make(&load);
	if (load.problems > 0)
		return rk_fail_plain(
		    err, RK_INVALID, "%zu mistakes in %s", load.problems, db->settings.path);
	return RK_OK;
}

static enum rk_status
file_load(struct db *db, int fd, const struct stat *st, struct table **out, struct rk_err *err)
{
	struct table *table = calloc(1, sizeof(*table));
	struct rk_blob text = { 0 };
	enum rk_status status;
	struct stat after;

	if (table == NULL)
		return rk_fail(err, RK_TEMP, "a table of users");
	table->mem = arena_new();
	table->sample = (struct stored){ .scheme = SCHEME_NONE, .data = STR_LIT("") };
	status = file_read(fd, FILE_MAX, table->mem, &text, err);
	if (status == RK_OK)
		status = text_load(db, table, str_of(text.data, text.len), err);
	/* Written while we read: whatever we saw, look again. */
	if (status == RK_OK && (fstat(fd, &after) < 0 || !stat_equal(st, &after)))
		status =
		    rk_fail_plain(err, RK_AGAIN, "%s changed while it was read", db->settings.path);
	if (status == RK_OK)
		*out = table;
	else
		table_free(table);
	return status;
}

static void
failure_log(struct db *db, const struct rk_err *err)
{
	log_ev(RK_LOG_ERROR, "auth.passwd_file", LOG_S("database", db->settings.title),
	    LOG_S("file", db->settings.path),
	    LOG_S("using", db->table == NULL ? "nothing" : "the last good content"), LOG_ERR(err));
}

/* Looks at the file and loads it if it is another one than last time. */
static void
refresh(struct db *db)
{
	struct table *table = NULL;
	enum rk_status status;
	struct rk_err err;
	struct stat st;
	int fd;

	status = file_open_regular(db->dir, db->file, O_RDONLY, &fd, &st, &err);
	if (status != RK_OK) {
		if (db->failed != status)
			failure_log(db, &err);
		db->failed = status;
		db->seen_any = false; /* readable again: read again */
		return;
	}
	if (db->seen_any && stat_equal(&st, &db->seen)) {
		close(fd);
		return;
	}
	status = file_load(db, fd, &st, &table, &err);
	close(fd);
	db->failed = status;
	/* Not for a content that may change yet, or that memory was short for. */
	db->seen_any = status == RK_OK || status == RK_INVALID || status == RK_LIMIT;
	db->seen = st;
	if (status != RK_OK) {
		failure_log(db, &err);
		return;
	}
	table_free(db->table);
	db->table = table;
	log_ev(RK_LOG_INFO, "auth.passwd_loaded", LOG_S("database", db->settings.title),
	    LOG_S("file", db->settings.path), LOG_U("users", table->n));
}

static void
db_close(struct db *db)
{
	if (db == NULL)
		return;
	table_free(db->table);
	if (db->dir >= 0)
		close(db->dir);
	free(db);
}

static enum rk_status
db_open(const struct db_settings *settings, struct db **out, struct rk_err *err)
{
	const char *slash = strrchr(settings->path, '/');
	struct db *db = calloc(1, sizeof(*db));
	enum rk_status status;
	char dir[4096];

	if (db == NULL)
		return rk_fail(err, RK_TEMP, "a database");
	db->dir = -1;
	db->settings = *settings;
	db->checked = INT64_MIN / 2;
	status = passwd_defaults_make(&db->settings, &db->defaults, err);
	if (status == RK_OK && (slash == NULL || settings->path[0] != '/' || slash[1] == '\0' ||
				   strlen(settings->path) >= sizeof(dir)))
		status = rk_fail_plain(err, RK_INVALID,
		    "database '%s' needs the absolute path of a file", settings->title);
	if (status == RK_OK) {
		size_t n = slash == settings->path ? 1 : (size_t)(slash - settings->path);

		db->file = slash + 1;
		memcpy(dir, settings->path, n);
		dir[n] = '\0';
		status = file_open_dir(AT_FDCWD, dir, &db->dir, err);
	}
	if (status != RK_OK) {
		db_close(db);
		return status;
	}
	refresh(db);
	*out = db;
	return RK_OK;
}

static size_t
db_rules(const struct db *db, struct os_path_rule *rules)
{
	rules[0] = (struct os_path_rule){ .fd = db->dir, .access = OS_READ };
	return 1;
}

static const struct entry *
entry_find(const struct table *t, const char *name)
{
	struct entry key = { .name = name };

	return bsearch(&key, t->entries, t->n, sizeof(key), entry_compare);
}

static void
db_lookup(
    struct db *db, const struct username *name, int64_t now, db_done done, void *arg, uint64_t id)
{
	static struct db_user user;
	const struct entry *entry;
	struct passwd_line line;
	enum rk_status status;
	struct rk_err err;

	if (now - db->checked >= CHECK_MS) {
		db->checked = now;
		refresh(db);
	}
	if (db->table == NULL) {
		done(arg, id, RK_TEMP, NULL);
		return;
	}
	entry = entry_find(db->table, name->text);
	if (entry == NULL || !passwd_line_split(entry->line, &line)) {
		done(arg, id, RK_NOTFOUND, NULL);
		return;
	}
	status = passwd_line_read(&line, name, &db->defaults, &user, &err);
	if (status != RK_OK)
		log_ev(RK_LOG_ERROR, "auth.passwd_line", LOG_S("file", db->settings.path),
		    LOG_S("user", name->text), LOG_ERR(&err));
	done(arg, id, status == RK_OK ? RK_OK : RK_TEMP, status == RK_OK ? &user : NULL);
}

static bool
db_sample(struct db *db, struct stored *out)
{
	if (db->table == NULL || db->table->sample.scheme == SCHEME_NONE)
		return false;
	*out = db->table->sample;
	return true;
}

const struct db_driver passwdfile_driver = {
	.name = "passwd-file",
	.open = db_open,
	.rules = db_rules,
	.lookup = db_lookup,
	.sample = db_sample,
	.close = db_close,
};
