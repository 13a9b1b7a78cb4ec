#include "storage/drivers/maildir/maildir_impl.h"

#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/file.h"

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

size_t
subscriptions_parse(struct str bytes, char separator, struct rk_arena *mem, const char ***names_out)
{
	bool v2 = str_starts(bytes, V2_HEAD);
	const char **names = rk_arena_array(mem, MAILBOXES_MAX, sizeof(*names));
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
subscriptions_read(struct rk_account *account, struct rk_arena *mem, const char ***names_out,
    size_t *n_out, struct rk_err *err)
{
	struct rk_blob blob;
	enum rk_status status;
	int fd;

	*n_out = 0;
	*names_out = NULL;
	status = file_open_regular(account->root, "subscriptions", O_RDONLY, &fd, NULL, err);
	if (status == RK_NOTFOUND)
		return RK_OK;
	if (status != RK_OK)
		return status;
	status = file_read(fd, SUBSCRIPTIONS_MAX, mem, &blob, err);
	close(fd);
	if (status == RK_OK)
		*n_out = subscriptions_parse(
		    str_of(blob.data, blob.len), account->separator, mem, names_out);
	return status;
}

/* This version keeps no other attributes: whatever else is asked for is not there. */
static bool
is_subscribed_of(const struct rk_attr_at *at, const char *name)
{
	return at->scope == RK_ATTR_MAILBOX && strcmp(name, RK_ATTR_SUBSCRIBED) == 0;
}

enum rk_status
maildir_attr_get(struct rk_account *account, const struct rk_attr_at *at, const char *name,
    struct rk_arena *mem, struct rk_blob *value_out, struct rk_err *err)
{
	const char **names;
	enum rk_status status;
	size_t n;

	if (!is_subscribed_of(at, name) || at->box == NULL)
		return rk_fail_plain(err, RK_NOTFOUND, "no attribute %s", name);
	status = subscriptions_read(account, mem, &names, &n, err);
	if (status != RK_OK)
		return status;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], at->box) == 0) {
			*value_out = (struct rk_blob){ "1", 1 };
			return RK_OK;
		}
	}
	return rk_fail_plain(err, RK_NOTFOUND, "%s is not subscribed", at->box);
}

enum rk_status
maildir_attr_list(struct rk_account *account, const struct rk_attr_at *at, const char *prefix,
    struct rk_arena *mem, struct rk_attr_list *out, struct rk_err *err)
{
	struct rk_attr *attrs;
	const char **names;
	enum rk_status status;
	size_t n;

	*out = (struct rk_attr_list){ 0 };
	if (at->scope != RK_ATTR_MAILBOX ||
	    strncmp(RK_ATTR_SUBSCRIBED, prefix, strlen(prefix)) != 0)
		return RK_OK;
	status = subscriptions_read(account, mem, &names, &n, err);
	if (status != RK_OK)
		return status;
	attrs = rk_arena_array(mem, n + 1, sizeof(*attrs));
	for (size_t i = 0; i < n; i++) {
		if (at->box == NULL || strcmp(at->box, names[i]) == 0)
			attrs[out->n++] =
			    (struct rk_attr){ RK_ATTR_SUBSCRIBED, names[i], { "1", 1 } };
	}
	out->attrs = attrs;
	return RK_OK;
}
