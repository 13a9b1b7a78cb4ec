/* EXTRA_FILE's changes. Each reads it and writes it anew under its lock, with the messages in
 * order. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "storage/drivers/maildir/keywords.h"

/* The name that the format asks for; one value is all there is of a message. */
#define VALUE "keywords"

static void
value_write(struct buf *out, uint32_t uid, const struct buf *value)
{
	if (value->len > 0)
		attrs_write(
		    out, &(struct attr){ uid, STR_LIT(VALUE), str_of(value->data, value->len) });
}

static void
names_write(const struct keyword_table *table, struct buf *out)
{
	struct buf lines = BUF_INIT;

	/* `%` can be no keyword. */
	for (size_t i = 0; i < table->nextra; i++)
		buf_addf(&lines, "%s\n", table->extra[i] != NULL ? table->extra[i] : "%");
	value_write(out, 0, &lines);
	buf_clear(&lines);
}

static void
message_write(uint32_t uid, struct str names, struct buf *out)
{
	struct buf value = BUF_INIT;

	buf_add(&value, names.p, names.n);
	value_write(out, uid, &value);
	buf_clear(&value);
}

struct editing {
	struct rk_arena *mem;
	enum rk_store_mode mode;
	const struct extra_words *msgs; /* ascending */
	size_t n;
	const struct keyword_table *added; /* names to be added, or NULL */
};

static bool
word_in(const struct rk_words *words, struct str name)
{
	for (size_t i = 0; i < words->n; i++) {
		if (str_iis(name, words->names[i]))
			return true;
	}
	return false;
}

static void
word_add(struct buf *value, struct str name)
{
	if (value->len > 0)
		buf_addc(value, ' ');
	buf_add(value, name.p, name.n);
}

/* What the message has after the change. */
static void
message_change(
    const struct editing *e, const struct extra_words *msg, struct str before, struct buf *out)
{
	struct buf value = BUF_INIT;
	struct str name;

	while (e->mode != RK_STORE_REPLACE && str_split(&before, ' ', &name)) {
		if (name.n > 0 && !word_in(&msg->words, name))
			word_add(&value, name);
	}
	for (size_t i = 0; e->mode != RK_STORE_REMOVE && i < msg->words.n; i++)
		word_add(&value, str_from(msg->words.names[i]));
	value_write(out, msg->uid, &value);
	buf_clear(&value);
}

/* Names of the table's end that the file lacks; another process may have added some of them. */
static void
names_add(struct keyword_table *now, const struct keyword_table *added)
{
	for (size_t i = added->nextra - added->extra_new; i < added->nextra; i++) {
		bool known = false;

		for (size_t k = 0; k < now->nextra && !known; k++)
			known = now->extra[k] != NULL &&
			        str_iis(str_from(added->extra[i]), now->extra[k]);
		if (!known && now->nextra < EXTRA_MAX)
			now->extra[now->nextra++] = added->extra[i];
	}
}

static enum rk_status
edit(void *context, const struct attrs *attrs, struct buf *out, struct rk_err *err)
{
	const struct editing *e = context;
	struct keyword_table *now = rk_arena_alloc(e->mem, sizeof(*now));
	size_t i = 0, k = 0;

	(void)err;
	keywords_extra(attrs, e->mem, now);
	if (e->added != NULL)
		names_add(now, e->added);
	names_write(now, out);
	while (i < now->nmsgs || k < e->n) {
		if (k == e->n || (i < now->nmsgs && now->msgs[i].uid < e->msgs[k].uid)) {
			message_write(now->msgs[i].uid, now->msgs[i].names, out);
			i++;
			continue;
		}
		if (i < now->nmsgs && now->msgs[i].uid == e->msgs[k].uid)
			message_change(e, &e->msgs[k++], now->msgs[i++].names, out);
		else
			message_change(e, &e->msgs[k++], STR_LIT(""), out);
	}
	return RK_OK;
}

static enum rk_status
edit_run(struct rk_box *box, struct editing *e, struct rk_err *err)
{
	enum rk_status status;

	e->mem = arena_new();
	status = attrs_edit(box->account, box->dir, EXTRA_FILE, edit, e, err);
	arena_free(e->mem);
	return status;
}

static int
words_order(const void *a, const void *b)
{
	const struct extra_words *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

enum rk_status
extra_change(struct rk_box *box, enum rk_store_mode mode, struct extra_words *msgs, size_t n,
    struct rk_err *err)
{
	struct editing e = { .mode = mode, .msgs = msgs, .n = n };

	if (n == 0)
		return RK_OK;
	qsort(msgs, n, sizeof(*msgs), words_order);
	return edit_run(box, &e, err);
}

enum rk_status
extra_save(struct rk_box *box, const struct keyword_table *table, struct rk_err *err)
{
	struct editing e = { .added = table };

	return edit_run(box, &e, err);
}

/* --- messages that are gone --- */

struct gone {
	uint32_t *uids; /* ascending */
	size_t n;
};

static int
uid_order(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static enum rk_status
gone_edit(void *context, const struct attrs *attrs, struct buf *out, struct rk_err *err)
{
	const struct gone *g = context;

	(void)err;
	for (size_t i = 0; i < attrs->n; i++) {
		const struct attr *a = &attrs->list[i];

		if (a->uid == 0 ||
		    bsearch(&a->uid, g->uids, g->n, sizeof(*g->uids), uid_order) == NULL)
			attrs_write(out, a);
	}
	return RK_OK;
}

/* Most mailboxes have no such file, or nothing in it about messages. */
static enum rk_status
gone_forget(
    struct rk_box *box, const char *file, struct gone *g, struct rk_arena *mem, struct rk_err *err)
{
	struct attrs attrs;
	bool any = false;
	enum rk_status status = attrs_read(box->dir, file, mem, &attrs, err);

	for (size_t i = 0; status == RK_OK && i < attrs.n && !any; i++)
		any = attrs.list[i].uid != 0;
	return any ? attrs_edit(box->account, box->dir, file, gone_edit, g, err) : status;
}

void
extra_forget(struct rk_box *box, const struct rk_ref *refs, size_t n)
{
	static const char *const files[] = { EXTRA_FILE, ATTRS_FILE };
	struct rk_arena *mem = arena_new();
	struct gone g = { rk_arena_array(mem, n + 1, sizeof(uint32_t)), n };

	for (size_t i = 0; i < n; i++)
		g.uids[i] = refs[i].uid;
	qsort(g.uids, n, sizeof(*g.uids), uid_order);
	/* UIDs never come again, and a full disk must not keep anybody from deleting. */
	for (size_t i = 0; n > 0 && i < 2; i++) {
		struct rk_err err = { 0 };

		if (gone_forget(box, files[i], &g, mem, &err) != RK_OK)
			rk_log(RK_LOG_WARN, "maildir.attributes", "%s: %s", box->name, err.text);
	}
	arena_free(mem);
}
