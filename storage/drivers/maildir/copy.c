/* APPEND, COPY and MOVE. */
#include "storage/drivers/maildir/maildir_impl.h"

#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/file.h"
#include "storage/drivers/maildir/deliver.h"
#include "storage/drivers/maildir/finder.h"
#include "storage/drivers/maildir/keywords.h"

enum rk_status
maildir_append(struct rk_box *box, const struct rk_new_msg *msgs, size_t n, struct rk_arena *mem,
    struct rk_uids *out, struct rk_err *err)
{
	struct deliver d;
	enum rk_status status = deliver_begin(&d, box, n, mem, err);

	for (size_t i = 0; i < n && status == RK_OK; i++)
		status = deliver_bytes(&d, &msgs[i], err);
	if (status == RK_OK)
		status = deliver_commit(&d, out, err);
	deliver_end(&d);
	return status;
}

struct copying {
	struct finder finder;
	struct deliver deliver;
	struct rk_arena *mem;
	struct keyword_table keywords; /* of the source */
	uint32_t uid;                  /* of the message at hand */
};

/* The names of a message's keywords: the target has places of its own for them. */
static struct rk_words
words_of(const struct copying *c, uint64_t letters)
{
	const char **names = rk_arena_array(c->mem, RK_KEYWORDS_MAX, sizeof(*names));
	struct str more = keywords_of(&c->keywords, c->uid), name;
	size_t n = 0;

	for (unsigned i = 0; i < LETTERS; i++) {
		if ((letters >> i & 1) != 0 && c->keywords.letters[i] != NULL)
			names[n++] = c->keywords.letters[i];
	}
	while (n < RK_KEYWORDS_MAX && str_split(&more, ' ', &name)) {
		if (keyword_valid(name))
			names[n++] = str_dup(c->mem, name);
	}
	return (struct rk_words){ names, n };
}

static enum rk_status
copy_one(void *context, const struct found *found, struct rk_err *err)
{
	struct copying *c = context;
	struct deliver_source source = {
		.dir = found->dir,
		.file = found->file,
		.size = found->name.size,
		.virtual = found->name.virtual,
		.flags = found->name.flags,
		.keywords = words_of(c, found->name.keywords.bits[0]),
	};

	return deliver_same(&c->deliver, &source, err);
}

/* The copies are there, so the messages may go; one that is gone already is fine. */
static enum rk_status
sources_remove(
    struct finder *f, const struct rk_copy *copy, const uint32_t *uids, struct rk_err *err)
{
	enum rk_status status = RK_OK;

	for (size_t i = 0; i < copy->n && status == RK_OK; i++) {
		if (uids[i] == 0)
			continue;
		status = finder_do(f, &copy->refs[i], finder_unlink, f, err);
		if (status == RK_NOTFOUND)
			status = RK_OK;
	}
	if (status == RK_OK)
		status = finder_sync(f, err);
	if (status == RK_OK)
		extra_forget(f->box, copy->refs, copy->n);
	return status;
}

/* UIDs in the order of the refs; those of messages that were gone are 0. */
static void
uids_spread(struct rk_uids *uids, const bool *there, size_t n, struct rk_arena *mem)
{
	uint32_t *all = rk_arena_array(mem, n + 1, sizeof(*all));
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		all[i] = there[i] ? uids->uids[k++] : 0;
	uids->uids = all;
	uids->n = n;
}

static enum rk_status
copy_all(struct copying *c, const struct rk_copy *copy, struct rk_uids *out, struct rk_err *err)
{
	bool *there = rk_arena_array(c->mem, copy->n + 1, sizeof(*there));
	enum rk_status status = RK_OK;

	for (size_t i = 0; i < copy->n && status == RK_OK; i++) {
		c->uid = copy->refs[i].uid;
		status = finder_do(&c->finder, &copy->refs[i], copy_one, c, err);
		there[i] = status == RK_OK;
		if (status == RK_NOTFOUND)
			status = RK_OK;
	}
	if (status == RK_OK)
		status = deliver_commit(&c->deliver, out, err);
	if (status != RK_OK)
		return status;
	uids_spread(out, there, copy->n, c->mem);
	return copy->move ? sources_remove(&c->finder, copy, out->uids, err) : RK_OK;
}

enum rk_status
maildir_copy(struct rk_box *box, const struct rk_copy *copy, struct rk_arena *mem,
    struct rk_uids *out, struct rk_err *err)
{
	struct copying *c = rk_arena_alloc(mem, sizeof(*c));
	enum rk_status status;

	c->mem = mem;
	c->finder.cur = c->finder.new = -1;
	status = deliver_begin(&c->deliver, copy->to, copy->n, mem, err);
	if (status == RK_OK)
		status = finder_begin(&c->finder, box, mem, err);
	if (status == RK_OK)
		status = keywords_read(box, mem, &c->keywords, err);
	if (status == RK_OK)
		status = copy_all(c, copy, out, err);
	finder_end(&c->finder);
	deliver_end(&c->deliver);
	return status;
}
