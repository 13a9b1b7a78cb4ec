#include "storage/drivers/maildir/subscriptions.h"

#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "storage/drivers/maildir/dotlock.h"

#define NAME "subscriptions"

#define V2_HEAD "V\t2\n\n"

/* A component of version 2: \001 and a letter stand for what would break the file. */
static void
tab_unescape(struct str part, struct buf *out)
{
	for (size_t i = 0; i < part.n; i++) {
		char c = part.p[i];

		if (c == '\001' && i + 1 < part.n) {
			c = part.p[++i];
			c = c == '1'   ? '\001'
			    : c == 't' ? '\t'
			    : c == 'r' ? '\r'
			    : c == 'n' ? '\n'
			               : c;
		}
		buf_addc(out, c);
	}
}

/* A line as the directory name it would have: ".a.b"; both versions come together here. */
static void
line_to_dir(struct str line, bool v2, struct buf *dir)
{
	struct str part;

	while (str_split(&line, v2 ? '\t' : '.', &part)) {
		buf_addc(dir, '.');
		if (v2)
			tab_unescape(part, dir);
		else
			buf_add(dir, part.p, part.n);
	}
}

static size_t
lines_count(struct str bytes)
{
	size_t n = 1;

	for (size_t i = 0; i < bytes.n; i++)
		n += bytes.p[i] == '\n';
	return n;
}

size_t
subscriptions_parse(struct str bytes, char separator, struct rk_arena *mem, const char ***names_out)
{
	bool v2 = str_starts(bytes, V2_HEAD);
	size_t lines = lines_count(bytes);
	const char **names =
	    rk_arena_array(mem, lines < MAILBOXES_MAX ? lines : MAILBOXES_MAX, sizeof(*names));
	struct buf dir = BUF_INIT;
	struct str line;
	size_t n = 0;

	if (v2)
		bytes = str_of(bytes.p + strlen(V2_HEAD), bytes.n - strlen(V2_HEAD));
	while (n < MAILBOXES_MAX && str_split(&bytes, '\n', &line)) {
		const char *name = "INBOX";

		buf_empty(&dir);
		line_to_dir(line, v2, &dir);
		if (dir.len == 0)
			continue;
		if (str_iis(line, "INBOX") || maildir_name_of(dir.data, separator, mem, &name))
			names[n++] = name;
	}
	buf_clear(&dir);
	*names_out = names;
	return n;
}

static enum rk_status
file_bytes(struct rk_account *account, struct rk_arena *mem, struct str *out, struct rk_err *err)
{
	struct rk_blob blob;
	enum rk_status status;
	int fd;

	*out = str_of("", 0);
	status = file_open_regular(account->root, NAME, O_RDONLY, &fd, NULL, err);
	if (status == RK_NOTFOUND)
		return RK_OK;
	if (status != RK_OK)
		return status;
	status = file_read(fd, SUBSCRIPTIONS_MAX, mem, &blob, err);
	close(fd);
	if (status == RK_OK)
		*out = str_of(blob.data, blob.len);
	return status;
}

enum rk_status
subscriptions_read(struct rk_account *account, struct rk_arena *mem, const char ***names_out,
    size_t *n_out, struct rk_err *err)
{
	struct str bytes;
	enum rk_status status = file_bytes(account, mem, &bytes, err);

	*n_out = 0;
	*names_out = NULL;
	if (status == RK_OK && bytes.n > 0)
		*n_out = subscriptions_parse(bytes, account->separator, mem, names_out);
	return status;
}

enum rk_status
subscriptions_get(
    struct rk_account *account, const char *name, struct rk_blob *value_out, struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	const char **names;
	size_t n;
	bool found = false;
	enum rk_status status = subscriptions_read(account, mem, &names, &n, err);

	for (size_t i = 0; status == RK_OK && i < n && !found; i++)
		found = strcmp(names[i], name) == 0;
	arena_free(mem);
	if (status == RK_OK && !found)
		return rk_fail_plain(err, RK_NOTFOUND, "%s is not subscribed", name);
	*value_out = (struct rk_blob){ "1", 1 };
	return status;
}

/* --- writing --- */

/* The directory name's parts as a line; the reverse of line_to_dir. */
static enum rk_status
line_of(struct rk_account *account, const char *name, bool v2, struct buf *out, struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	const char *dir;
	enum rk_status status = maildir_dir_of(name, account->separator, mem, &dir, err);

	if (status == RK_OK && strcmp(name, "INBOX") == 0) {
		buf_adds(out, name);
	} else if (status == RK_OK) {
		for (const char *p = dir + 1; *p != '\0'; p++)
			buf_addc(out, *p == '.' && v2 ? '\t' : *p);
	}
	buf_addc(out, '\n');
	arena_free(mem);
	return status;
}

/* All lines but the one of `name`; lines that mean nothing to us stay as they are. */
static void
lines_keep(struct rk_account *account, struct str bytes, bool v2, const char *name, struct buf *out)
{
	struct rk_arena *mem = arena_new();
	struct str line;

	while (str_split(&bytes, '\n', &line)) {
		struct buf one = BUF_INIT;
		const char **names;
		bool same;

		if (v2)
			buf_adds(&one, V2_HEAD);
		buf_add(&one, line.p, line.n);
		buf_addc(&one, '\n');
		arena_reset(mem);
		same = subscriptions_parse(
			   str_of(one.data, one.len), account->separator, mem, &names) == 1 &&
		       strcmp(names[0], name) == 0;
		buf_clear(&one);
		if (same)
			continue;
		buf_add(out, line.p, line.n);
		buf_addc(out, '\n');
	}
	arena_free(mem);
}

static enum rk_status
set_locked(struct rk_account *account, struct dotlock *lock, const char *name, bool subscribed,
    struct rk_arena *mem, struct rk_err *err)
{
	struct buf out = BUF_INIT;
	struct str bytes;
	struct stat st;
	bool v2;
	enum rk_status status = file_bytes(account, mem, &bytes, err);

	if (status != RK_OK)
		return status;
	if (fstat(account->root, &st) < 0)
		return rk_fail(err, RK_TEMP, "stat %s", account->root_path);
	v2 = bytes.n == 0 || str_starts(bytes, V2_HEAD);
	if (v2) {
		buf_adds(&out, V2_HEAD);
		if (bytes.n > 0)
			bytes = str_of(bytes.p + strlen(V2_HEAD), bytes.n - strlen(V2_HEAD));
	}
	lines_keep(account, bytes, v2, name, &out);
	if (subscribed)
		status = line_of(account, name, v2, &out, err);
	if (status == RK_OK && out.len > SUBSCRIPTIONS_MAX)
		status = rk_fail_plain(err, RK_LIMIT, "too many subscriptions");
	if (status == RK_OK)
		status = dotlock_keep(lock, err);
	if (status == RK_OK)
		status =
		    file_replace(account->root, NAME, out.data, out.len, st.st_mode & 0666, err);
	buf_clear(&out);
	return status;
}

enum rk_status
subscriptions_set(struct rk_account *account, const char *name, bool subscribed, struct rk_err *err)
{
	struct rk_arena *mem;
	struct dotlock lock;
	const char **names;
	bool is = false;
	size_t n;
	enum rk_status status;

	if (account->readonly)
		return rk_fail_plain(err, RK_DENIED, "the store is read-only");
	mem = arena_new();
	status = dotlock_take(&lock, account->root, NAME ".lock", account->lock_timeout_ms, err);
	if (status == RK_OK) {
		status = subscriptions_read(account, mem, &names, &n, err);
		for (size_t i = 0; status == RK_OK && i < n; i++)
			is = is || strcmp(names[i], name) == 0;
		if (status == RK_OK && subscribed && n >= MAILBOXES_MAX)
			status = rk_fail_plain(err, RK_LIMIT, "too many subscriptions");
		if (status == RK_OK && is != subscribed)
			status = set_locked(account, &lock, name, subscribed, mem, err);
		dotlock_drop(&lock);
	}
	arena_free(mem);
	return status;
}
