/* The attribute operations of the contract: `subscriptions` for the one attribute that Maildir++
 * has a place for, attrs.h for all others. */
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/file.h"
#include "storage/drivers/maildir/attrs.h"
#include "storage/drivers/maildir/subscriptions.h"

/* Directory and file where an attribute of this place is kept. The directory is the caller's. */
static enum rk_status
place_open(struct rk_account *account, const struct rk_attr_at *at, int *dir_out,
    const char **file_out, struct rk_err *err)
{
	*file_out = at->scope == RK_ATTR_ACCOUNT ? ATTRS_ACCOUNT_FILE : ATTRS_FILE;
	if (at->scope == RK_ATTR_ACCOUNT)
		return file_open_dir(account->root, ".", dir_out, err);
	if (at->box == NULL)
		return rk_fail_plain(err, RK_INVALID, "an attribute of no mailbox");
	return maildir_box_dir(account, at->box, dir_out, err);
}

static uint32_t
uid_of(const struct rk_attr_at *at)
{
	return at->scope == RK_ATTR_MESSAGE ? at->uid : 0;
}

static bool
is_subscription(const struct rk_attr_at *at, const char *name)
{
	return at->scope == RK_ATTR_MAILBOX && strcmp(name, RK_ATTR_SUBSCRIBED) == 0;
}

enum rk_status
maildir_attr_get(struct rk_account *account, const struct rk_attr_at *at, const char *name,
    struct rk_arena *mem, struct rk_blob *value_out, struct rk_err *err)
{
	struct attrs attrs;
	const char *file;
	enum rk_status status;
	int dir;

	if (is_subscription(at, name))
		return subscriptions_get(account, at->box, value_out, err);
	status = place_open(account, at, &dir, &file, err);
	if (status != RK_OK)
		return status;
	status = attrs_read(dir, file, mem, &attrs, err);
	close(dir);
	for (size_t i = 0; status == RK_OK && i < attrs.n; i++) {
		if (attrs.list[i].uid == uid_of(at) && str_is(attrs.list[i].name, name)) {
			*value_out =
			    (struct rk_blob){ attrs.list[i].value.p, attrs.list[i].value.n };
			return RK_OK;
		}
	}
	return status != RK_OK ? status : rk_fail_plain(err, RK_NOTFOUND, "no attribute %s", name);
}

enum rk_status
maildir_attr_set(struct rk_account *account, const struct rk_attr_at *at, const char *name,
    const struct rk_blob *value, struct rk_err *err)
{
	struct attr change = { .uid = uid_of(at), .name = str_from(name) };
	const char *file;
	enum rk_status status;
	int dir;

	if (is_subscription(at, name))
		return subscriptions_set(account, at->box, value != NULL, err);
	if (change.name.n == 0 || change.name.n > RK_ATTR_NAME_MAX ||
	    (value != NULL && value->len > RK_ATTR_VALUE_MAX))
		return rk_fail_plain(err, RK_LIMIT, "an attribute out of bounds");
	if (value != NULL)
		change.value = str_of(value->len > 0 ? value->data : "", value->len);
	status = place_open(account, at, &dir, &file, err);
	if (status != RK_OK)
		return status;
	status = attrs_change(account, dir, file, &change, err);
	close(dir);
	return status;
}

struct found_attrs {
	struct rk_attr *list;
	size_t n;
	size_t cap;
	struct rk_arena *mem;
};

static void
found_add(struct found_attrs *f, const char *name, const char *box, struct rk_blob value)
{
	if (f->n == f->cap) {
		size_t cap = f->cap == 0 ? 16 : f->cap * 2;
		struct rk_attr *list = rk_arena_array(f->mem, cap, sizeof(*list));

		if (f->n > 0)
			memcpy(list, f->list, f->n * sizeof(*list));
		f->list = list;
		f->cap = cap;
	}
	f->list[f->n++] = (struct rk_attr){ name, box, value };
}

/* Attributes of one place whose names start with `prefix`. */
static enum rk_status
place_list(struct rk_account *account, const struct rk_attr_at *at, const char *prefix,
    struct found_attrs *f, struct rk_err *err)
{
	struct attrs attrs;
	const char *file;
	enum rk_status status;
	int dir;

	status = place_open(account, at, &dir, &file, err);
	if (status != RK_OK)
		return status;
	status = attrs_read(dir, file, f->mem, &attrs, err);
	close(dir);
	for (size_t i = 0; status == RK_OK && i < attrs.n; i++) {
		const struct attr *a = &attrs.list[i];

		if (a->uid == uid_of(at) && str_starts(a->name, prefix))
			found_add(f, str_dup(f->mem, a->name),
			    at->scope == RK_ATTR_MAILBOX ? at->box : "",
			    (struct rk_blob){ a->value.p, a->value.n });
	}
	return status;
}

/* A mailbox that goes meanwhile has no attributes. */
static enum rk_status
all_list(struct rk_account *account, const char *prefix, struct found_attrs *f, struct rk_err *err)
{
	struct rk_list boxes;
	enum rk_status status = maildir_list(account, f->mem, &boxes, err);

	for (size_t i = 0; status == RK_OK && i < boxes.n; i++) {
		struct rk_attr_at at = { .scope = RK_ATTR_MAILBOX, .box = boxes.entries[i].name };

		if ((boxes.entries[i].flags & RK_LIST_NOSELECT) != 0)
			continue;
		status = place_list(account, &at, prefix, f, err);
		if (status == RK_NOTFOUND)
			status = RK_OK;
	}
	return status;
}

static bool
starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

enum rk_status
maildir_attr_list(struct rk_account *account, const struct rk_attr_at *at, const char *prefix,
    struct rk_arena *mem, struct rk_attr_list *out, struct rk_err *err)
{
	struct found_attrs f = { .mem = mem };
	enum rk_status status = RK_OK;

	*out = (struct rk_attr_list){ 0 };
	if (at->scope == RK_ATTR_MAILBOX && starts(RK_ATTR_SUBSCRIBED, prefix)) {
		const char **names;
		size_t n;

		status = subscriptions_read(account, mem, &names, &n, err);
		for (size_t i = 0; status == RK_OK && i < n; i++) {
			if (at->box == NULL || strcmp(at->box, names[i]) == 0)
				found_add(
				    &f, RK_ATTR_SUBSCRIBED, names[i], (struct rk_blob){ "1", 1 });
		}
	}
	/* The prefix "subscribed" can mean nothing else. */
	if (status == RK_OK && strcmp(prefix, RK_ATTR_SUBSCRIBED) != 0)
		status = at->scope == RK_ATTR_MAILBOX && at->box == NULL
		             ? all_list(account, prefix, &f, err)
		             : place_list(account, at, prefix, &f, err);
	*out = (struct rk_attr_list){ f.list, f.n };
	return status;
}
