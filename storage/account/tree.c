/*
 * LIST: the driver's names as a tree. They are sorted so that what is below a mailbox follows it at
 * once (`/` sorts before everything else); then children, levels that nobody listed and doubles are
 * found by looking at the neighbour.
 */
#include "storage/account/account.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "storage/account/account_impl.h"
#include "storage/account/match.h"

struct tree {
	struct list_row *rows;
	size_t n;
	size_t cap;
};

static bool
is_inbox(const char *name)
{
	return strncmp(name, "INBOX", 5) == 0 && (name[5] == '\0' || name[5] == '/');
}

static int
byte_rank(unsigned char c)
{
	return c == '\0' ? 0 : c == '/' ? 1 : 2 + c;
}

static int
name_order(const char *a, const char *b)
{
	bool inbox_a = is_inbox(a), inbox_b = is_inbox(b);

	if (inbox_a != inbox_b)
		return inbox_a ? -1 : 1;
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return byte_rank((unsigned char)*a) - byte_rank((unsigned char)*b);
}

static int
row_order(const void *a, const void *b)
{
	return name_order(((const struct list_row *)a)->name, ((const struct list_row *)b)->name);
}

static void
tree_add(struct tree *t, struct rk_arena *mem, const char *name, uint32_t attrs)
{
	if (t->n == t->cap) {
		size_t cap = t->cap == 0 ? 64 : t->cap * 2;
		struct list_row *rows = rk_arena_array(mem, cap, sizeof(*rows));

		if (t->n > 0)
			memcpy(rows, t->rows, t->n * sizeof(*rows));
		t->rows = rows;
		t->cap = cap;
	}
	t->rows[t->n++] = (struct list_row){ name, attrs, "" };
}

static void
tree_sort(struct tree *t)
{
	size_t out = 0;

	if (t->n == 0)
		return;
	qsort(t->rows, t->n, sizeof(*t->rows), row_order);
	for (size_t i = 1; i < t->n; i++) {
		if (strcmp(t->rows[i].name, t->rows[out].name) == 0)
			t->rows[out].attrs |= t->rows[i].attrs;
		else
			t->rows[++out] = t->rows[i];
	}
	t->n = out + 1;
}

/* Adds the levels above `name` that `before`, its neighbour in the order, has not in common. */
static void
levels_add(struct tree *t, struct rk_arena *mem, const char *before, const char *name)
{
	for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		size_t len = (size_t)(slash - name);

		if (before != NULL && strncmp(before, name, len) == 0 &&
		    (before[len] == '\0' || before[len] == '/'))
			continue;
		tree_add(t, mem, rk_arena_dup(mem, name, len), LIST_NOSELECT);
	}
}

static void
tree_complete(struct tree *t, struct rk_arena *mem)
{
	size_t n;

	tree_sort(t);
	n = t->n;
	for (size_t i = 0; i < n; i++)
		levels_add(t, mem, i > 0 ? t->rows[i - 1].name : NULL, t->rows[i].name);
	if (t->n != n)
		tree_sort(t);
	for (size_t i = 0; i < t->n; i++) {
		struct list_row *row = &t->rows[i];
		size_t len = strlen(row->name);
		bool child = i + 1 < t->n && strncmp(t->rows[i + 1].name, row->name, len) == 0 &&
		             t->rows[i + 1].name[len] == '/';

		if (child)
			row->attrs &= ~(uint32_t)LIST_NOINFERIORS;
		if ((row->attrs & LIST_NOINFERIORS) == 0)
			row->attrs |= child ? LIST_HASCHILDREN : LIST_HASNOCHILDREN;
	}
}

static uint32_t
attrs_of(uint32_t flags)
{
	uint32_t attrs = 0;

	if ((flags & RK_LIST_NOSELECT) != 0)
		attrs |= LIST_NOSELECT;
	if ((flags & RK_LIST_NOINFERIORS) != 0)
		attrs |= LIST_NOINFERIORS;
	if ((flags & RK_LIST_MARKED) != 0)
		attrs |= LIST_MARKED;
	else if ((flags & RK_LIST_UNMARKED) != 0)
		attrs |= LIST_UNMARKED;
	return attrs;
}

/* Names that could not be opened under any name a client can say are left out. */
static const char *
name_checked(const char *name, struct rk_arena *mem)
{
	const char *good;
	struct rk_err err;

	if (account_name(str_from(name), mem, &good, &err) == RK_OK && strcmp(good, name) == 0)
		return good;
	log_ev(RK_LOG_DEBUG, "list.name", LOG_S("box", name));
	return NULL;
}

static enum rk_status
tree_read(struct account *account, struct rk_arena *mem, struct tree *t, struct rk_err *err)
{
	struct rk_list list = { 0 };
	enum rk_status status = account->driver->list(account->store, mem, &list, err);

	if (status != RK_OK)
		return status;
	tree_add(t, mem, "INBOX", 0);
	for (size_t i = 0; i < list.n; i++) {
		const char *name = name_checked(list.entries[i].name, mem);

		if (name != NULL)
			tree_add(t, mem, name, attrs_of(list.entries[i].flags));
	}
	tree_complete(t, mem);
	return RK_OK;
}

static struct list_row *
tree_find(const struct tree *t, const char *name)
{
	struct list_row wanted = { .name = name };

	return t->n == 0 ? NULL : bsearch(&wanted, t->rows, t->n, sizeof(*t->rows), row_order);
}

/* Marks what is subscribed; names that are gone are added to `gone`. */
static enum rk_status
subscribed_read(struct account *account, struct rk_arena *mem, struct tree *t, struct tree *gone,
    struct rk_err *err)
{
	struct rk_attr_at at = { .scope = RK_ATTR_MAILBOX };
	struct rk_attr_list list = { 0 };
	enum rk_status status =
	    account->driver->attr_list(account->store, &at, RK_ATTR_SUBSCRIBED, mem, &list, err);

	if (status != RK_OK)
		return status == RK_UNSUPPORTED || status == RK_NOTFOUND ? RK_OK : status;
	for (size_t i = 0; i < list.n; i++) {
		struct list_row *row;
		const char *name;

		if (strcmp(list.attrs[i].name, RK_ATTR_SUBSCRIBED) != 0)
			continue;
		name = name_checked(list.attrs[i].box, mem);
		row = name != NULL ? tree_find(t, name) : NULL;
		if (row != NULL)
			row->attrs |= LIST_SUBSCRIBED;
		else if (name != NULL)
			tree_add(gone, mem, name, LIST_SUBSCRIBED | LIST_NONEXISTENT);
	}
	tree_sort(gone);
	return RK_OK;
}

/* A use that is no word of ours could forge a response. */
static const char *
uses_checked(struct rk_blob value, struct rk_arena *mem)
{
	const char *text = value.data;

	for (size_t i = 0; i < value.len; i++) {
		bool good = text[i] == '\\' || text[i] == ' ' ||
		            (text[i] >= 'a' && text[i] <= 'z') ||
		            (text[i] >= 'A' && text[i] <= 'Z');

		if (!good || value.len > 255)
			return "";
	}
	return rk_arena_dup(mem, text, value.len);
}

static enum rk_status
uses_read(struct account *account, struct rk_arena *mem, struct tree *t, struct rk_err *err)
{
	struct rk_attr_at at = { .scope = RK_ATTR_MAILBOX };
	struct rk_attr_list list = { 0 };
	enum rk_status status =
	    account->driver->attr_list(account->store, &at, RK_ATTR_SPECIAL_USE, mem, &list, err);

	if (status != RK_OK)
		return status == RK_UNSUPPORTED || status == RK_NOTFOUND ? RK_OK : status;
	for (size_t i = 0; i < list.n; i++) {
		struct list_row *row = tree_find(t, list.attrs[i].box);

		if (row != NULL && strcmp(list.attrs[i].name, RK_ATTR_SPECIAL_USE) == 0)
			row->uses = uses_checked(list.attrs[i].value, mem);
	}
	return RK_OK;
}

static bool
matches(struct match *const *patterns, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (match_name(patterns[i], str_from(name)))
			return true;
	return false;
}

static void
rows_pick(const struct list_query *query, const struct tree *t, struct match *const *patterns,
    struct list_result *out)
{
	for (size_t i = 0; i < t->n; i++) {
		if (query->subscribed && (t->rows[i].attrs & LIST_SUBSCRIBED) == 0)
			continue;
		if (matches(patterns, query->npatterns, t->rows[i].name))
			out->rows[out->n++] = t->rows[i];
	}
}

enum rk_status
account_list(struct account *account, const struct list_query *query, struct rk_arena *mem,
    struct list_result *out, struct rk_err *err)
{
	struct rk_arena *tmp = arena_new();
	struct tree tree = { 0 }, gone = { 0 };
	struct match **patterns;
	enum rk_status status = tree_read(account, mem, &tree, err);

	memset(out, 0, sizeof(*out));
	if (status == RK_OK && query->uses)
		status = uses_read(account, mem, &tree, err);
	if (status == RK_OK) {
		struct rk_err why = { 0 };

		status = subscribed_read(account, mem, &tree, &gone, &why);
		if (status != RK_OK && query->subscribed)
			status = rk_fail_plain(err, status, "%s", why.text);
		/* Without that word the answer is still right. */
		if (status != RK_OK && !query->subscribed) {
			log_ev(RK_LOG_WARN, "list.subscribed", LOG_ERR(&why));
			status = RK_OK;
		}
	}
	if (status == RK_OK) {
		patterns = rk_arena_array(tmp, query->npatterns, sizeof(*patterns));
		for (size_t i = 0; i < query->npatterns; i++)
			patterns[i] = match_new(query->reference, query->patterns[i], tmp);
		out->rows = rk_arena_array(mem, tree.n + gone.n, sizeof(*out->rows));
		rows_pick(query, &tree, patterns, out);
		if (query->subscribed)
			rows_pick(query, &gone, patterns, out);
		if (out->n > 0)
			qsort(out->rows, out->n, sizeof(*out->rows), row_order);
	}
	arena_free(tmp);
	return status;
}
