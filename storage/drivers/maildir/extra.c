#include "storage/drivers/maildir/extra.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"

static void
names_parse(struct str lines, struct rk_arena *mem, struct extra *out)
{
	struct str line;

	while (out->n < EXTRA_MAX && str_split(&lines, '\n', &line)) {
		/* One that is no keyword keeps its position: others stand behind it. */
		out->names[out->n++] = keyword_valid(line) ? str_dup(mem, line) : NULL;
	}
}

static void
extra_parse(struct rk_arena *mem, struct extra *out)
{
	out->n = 0;
	for (size_t i = 0; i < out->attrs.n; i++) {
		const struct attr *a = &out->attrs.list[i];

		if (a->uid == 0 && str_is(a->name, EXTRA_ATTR)) {
			names_parse(a->value, mem, out);
			return;
		}
	}
}

enum rk_status
extra_read(struct rk_box *box, struct rk_arena *mem, struct extra *out, struct rk_err *err)
{
	enum rk_status status = attrs_read(box->dir, ATTRS_FILE, mem, &out->attrs, err);

	out->n = 0;
	if (status == RK_OK)
		extra_parse(mem, out);
	return status;
}

bool
extra_has(const struct extra *x, struct str name)
{
	for (size_t i = 0; i < x->n; i++) {
		if (x->names[i] != NULL && str_iis(name, x->names[i]))
			return true;
	}
	return false;
}

struct str
extra_of(const struct extra *x, uint32_t uid)
{
	for (size_t i = 0; i < x->attrs.n; i++) {
		const struct attr *a = &x->attrs.list[i];

		if (a->uid == uid && str_is(a->name, EXTRA_ATTR))
			return a->value;
	}
	return STR_LIT("");
}

void
extra_bits(const struct extra *x, struct str names, struct rk_keywords *out)
{
	struct str name;

	while (str_split(&names, ' ', &name)) {
		for (size_t i = 0; i < x->n; i++) {
			size_t at = LETTERS + i;

			if (x->names[i] != NULL && str_iis(name, x->names[i]))
				out->bits[at / 64] |= UINT64_C(1) << at % 64;
		}
	}
}

/* --- changes --- */

static int
uid_order(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

struct editing {
	const struct extra_change *change;
	uint32_t *uids; /* sorted */
	size_t n;
	struct buf *out;
	struct rk_arena *mem;
	bool forget;
};

static bool
is_meant(const struct editing *e, uint32_t uid)
{
	return e->n > 0 && bsearch(&uid, e->uids, e->n, sizeof(uid), uid_order) != NULL;
}

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
name_add(struct buf *names, struct str name)
{
	if (names->len > 0)
		buf_addc(names, ' ');
	buf_add(names, name.p, name.n);
}

/* What the message has after the change. */
static void
message_write(struct editing *e, uint32_t uid, struct str before)
{
	const struct rk_words *words = &e->change->words;
	struct buf names = BUF_INIT;
	struct str name;

	while (e->change->mode != RK_STORE_REPLACE && str_split(&before, ' ', &name)) {
		if (name.n > 0 && !word_in(words, name))
			name_add(&names, name);
	}
	if (e->change->mode != RK_STORE_REMOVE) {
		for (size_t i = 0; i < words->n; i++)
			name_add(&names, str_from(words->names[i]));
	}
	if (names.len > 0)
		attrs_write(e->out,
		    &(struct attr){ uid, STR_LIT(EXTRA_ATTR), str_of(names.data, names.len) });
	buf_clear(&names);
}

/* The names with the new ones behind them. */
static enum rk_status
names_write(struct editing *e, const struct extra *x, struct rk_err *err)
{
	const struct rk_words *words = &e->change->words;
	struct buf lines = BUF_INIT;
	size_t n = x->n;

	for (size_t i = 0; i < x->n; i++)
		buf_addf(&lines, "%s\n", x->names[i] != NULL ? x->names[i] : "%");
	for (size_t i = 0; e->change->mode != RK_STORE_REMOVE && i < words->n; i++) {
		if (extra_has(x, str_from(words->names[i])))
			continue;
		n++;
		buf_addf(&lines, "%s\n", words->names[i]);
	}
	if (n > 0 && n <= EXTRA_MAX)
		attrs_write(e->out,
		    &(struct attr){ 0, STR_LIT(EXTRA_ATTR), str_of(lines.data, lines.len) });
	buf_clear(&lines);
	return n <= EXTRA_MAX ? RK_OK
	                      : rk_fail_plain(err, RK_LIMIT, "%d keywords", RK_KEYWORDS_MAX);
}

/* All bytes of the file after the change. */
static enum rk_status
edit(void *context, const struct attrs *attrs, struct buf *out, struct rk_err *err)
{
	struct editing *e = context;
	struct extra *x = rk_arena_alloc(e->mem, sizeof(*x));
	enum rk_status status = RK_OK;

	e->out = out;
	x->attrs = *attrs;
	extra_parse(e->mem, x);
	if (!e->forget)
		status = names_write(e, x, err);
	for (size_t i = 0; i < attrs->n; i++) {
		const struct attr *a = &attrs->list[i];
		bool ours = str_is(a->name, EXTRA_ATTR);

		if (e->forget ? a->uid != 0 && is_meant(e, a->uid)
			      : ours && (a->uid == 0 || is_meant(e, a->uid)))
			continue;
		attrs_write(out, a);
	}
	for (size_t i = 0; !e->forget && i < e->n; i++)
		message_write(e, e->uids[i], extra_of(x, e->uids[i]));
	return status;
}

static enum rk_status
edit_run(struct rk_box *box, struct editing *e, const uint32_t *uids, size_t n, struct rk_err *err)
{
	enum rk_status status;

	e->mem = arena_new();
	e->uids = rk_arena_array(e->mem, n + 1, sizeof(*e->uids));
	e->n = n;
	if (n > 0)
		memcpy(e->uids, uids, n * sizeof(*uids));
	qsort(e->uids, n, sizeof(*e->uids), uid_order);
	status = attrs_edit(box->account, box->dir, ATTRS_FILE, edit, e, err);
	arena_free(e->mem);
	return status;
}

enum rk_status
extra_change(struct rk_box *box, const struct extra_change *change, struct rk_err *err)
{
	struct editing e = { .change = change };

	return edit_run(box, &e, change->uids, change->n, err);
}

enum rk_status
extra_forget(struct rk_box *box, const uint32_t *uids, size_t n, struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	struct editing e = { .forget = true };
	struct attrs attrs;
	bool any = false;
	enum rk_status status = attrs_read(box->dir, ATTRS_FILE, mem, &attrs, err);

	/* Most mailboxes have no such file, or nothing in it about messages. */
	for (size_t i = 0; status == RK_OK && i < attrs.n; i++)
		any = any || attrs.list[i].uid != 0;
	arena_free(mem);
	return any ? edit_run(box, &e, uids, n, err) : status;
}
