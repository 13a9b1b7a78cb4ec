#include "tests/unit/storage/fake_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BOXES 64
#define GONE 4096
#define ATTRS 32

struct fake_msg {
	uint32_t uid;
	uint32_t flags;
	int64_t date;
	char *text;
	enum rk_eol eol;
	bool size_known;
	uint64_t version; /* of the last change */
};

struct fake_box {
	char *name;
	uint32_t list_flags;
	unsigned char guid[RK_GUID_LEN];
	uint32_t uidvalidity;
	uint32_t uidnext;
	struct fake_msg *msgs;
	size_t n;
	uint64_t version;
	struct {
		uint32_t uid;
		uint64_t version;
	} gone[GONE];
	size_t ngone;
};

struct rk_account {
	int unused;
};

struct rk_box {
	char *name;
};

struct fake_value {
	char box[RK_NAME_MAX + 1];
	char name[RK_ATTR_NAME_MAX + 1];
	char value[64];
};

static struct fake_box *boxes[BOXES];
static size_t nboxes;
static char *subscribed[BOXES];
static size_t nsubscribed;
static struct fake_value attrs[ATTRS];
static size_t nattrs;
static bool attrs_on;
static uint32_t next_uidvalidity;
static enum fake_mode mode;
static void (*sync_hook)(void);
static unsigned syncs;

static void
box_free(struct fake_box *box)
{
	for (size_t i = 0; i < box->n; i++)
		free(box->msgs[i].text);
	free(box->msgs);
	free(box->name);
	free(box);
}

void
fake_reset(void)
{
	while (nboxes > 0)
		box_free(boxes[--nboxes]);
	while (nsubscribed > 0)
		free(subscribed[--nsubscribed]);
	nattrs = 0;
	attrs_on = false;
	next_uidvalidity = 1;
	mode = FAKE_GOOD;
	sync_hook = NULL;
	syncs = 0;
	fake_box_add("INBOX");
}

struct fake_box *
fake_box_add(const char *name)
{
	struct fake_box *box = calloc(1, sizeof(*box));

	if (box == NULL || nboxes == BOXES || (box->name = strdup(name)) == NULL)
		abort();
	box->uidvalidity = next_uidvalidity++;
	box->uidnext = 1;
	box->version = 1;
	memcpy(box->guid, "fake-guid-00", 12);
	memcpy(box->guid + 12, &box->uidvalidity, 4);
	boxes[nboxes++] = box;
	return box;
}

struct fake_box *
fake_box_find(const char *name)
{
	for (size_t i = 0; i < nboxes; i++)
		if (strcmp(boxes[i]->name, name) == 0)
			return boxes[i];
	return NULL;
}

void
fake_box_remove(const char *name)
{
	for (size_t i = 0; i < nboxes; i++) {
		if (strcmp(boxes[i]->name, name) != 0)
			continue;
		box_free(boxes[i]);
		boxes[i] = boxes[--nboxes];
		return;
	}
}

void
fake_level_add(const char *name)
{
	fake_box_add(name)->list_flags = RK_LIST_NOSELECT;
}

void
fake_subscribe(const char *name)
{
	if (nsubscribed == BOXES || (subscribed[nsubscribed++] = strdup(name)) == NULL)
		abort();
}

uint32_t
fake_msg_add_as(
    struct fake_box *box, uint32_t flags, const char *text, enum rk_eol eol, bool size_known)
{
	struct fake_msg *m;

	box->msgs = realloc(box->msgs, (box->n + 1) * sizeof(*box->msgs));
	if (box->msgs == NULL)
		abort();
	m = &box->msgs[box->n++];
	memset(m, 0, sizeof(*m));
	m->uid = box->uidnext++;
	m->flags = flags;
	m->date = 1700000000 + m->uid;
	m->text = strdup(text);
	m->eol = eol;
	m->size_known = size_known;
	m->version = ++box->version;
	return m->uid;
}

uint32_t
fake_msg_add(struct fake_box *box, uint32_t flags, const char *text)
{
	return fake_msg_add_as(box, flags, text, RK_EOL_CRLF, true);
}

static struct fake_msg *
msg_find(struct fake_box *box, uint32_t uid)
{
	for (size_t i = 0; i < box->n; i++)
		if (box->msgs[i].uid == uid)
			return &box->msgs[i];
	return NULL;
}

void
fake_msg_flags(struct fake_box *box, uint32_t uid, uint32_t flags)
{
	struct fake_msg *m = msg_find(box, uid);

	if (m == NULL)
		abort();
	m->flags = flags;
	m->version = ++box->version;
}

void
fake_msg_expunge(struct fake_box *box, uint32_t uid)
{
	struct fake_msg *m = msg_find(box, uid);
	size_t i;

	if (m == NULL || box->ngone == GONE)
		abort();
	i = (size_t)(m - box->msgs);
	free(m->text);
	memmove(m, m + 1, (box->n - i - 1) * sizeof(*m));
	box->n--;
	box->gone[box->ngone].uid = uid;
	box->gone[box->ngone++].version = ++box->version;
}

void
fake_box_renumber(struct fake_box *box)
{
	box->uidvalidity = next_uidvalidity++;
	box->uidnext = 1;
	box->ngone = 0;
	for (size_t i = 0; i < box->n; i++)
		box->msgs[i].uid = box->uidnext++;
	box->version++;
}

void
fake_mode_set(enum fake_mode m)
{
	mode = m;
}

void
fake_sync_hook_set(void (*hook)(void))
{
	sync_hook = hook;
}

unsigned
fake_syncs(void)
{
	return syncs;
}

void
fake_attrs_on(void)
{
	attrs_on = true;
}

static struct fake_value *
attr_find(const char *box, const char *name)
{
	for (size_t i = 0; i < nattrs; i++)
		if (strcmp(attrs[i].box, box) == 0 && strcmp(attrs[i].name, name) == 0)
			return &attrs[i];
	return NULL;
}

const char *
fake_attr(const char *box, const char *name)
{
	struct fake_value *v = attr_find(box, name);

	return v != NULL ? v->value : NULL;
}

/* --- the driver --- */

static enum rk_status
account_open(const struct rk_account_conf *conf, struct rk_account **out, struct rk_err *err)
{
	(void)conf;
	*out = calloc(1, sizeof(**out));
	return *out != NULL ? RK_OK : rk_fail(err, RK_TEMP, "fake");
}

static void
account_close(struct rk_account *account)
{
	free(account);
}

static enum rk_status
account_paths(const struct rk_account_conf *conf, struct rk_arena *mem, const char *const **out,
    struct rk_err *err)
{
	const char **paths = rk_arena_array(mem, 2, sizeof(*paths));

	(void)err;
	/* The last "path" wins, as for a real driver. */
	for (size_t i = 0; i < conf->nparams; i++)
		if (strcmp(conf->params[i].key, "path") == 0)
			paths[0] = rk_arena_printf(mem, "%s", conf->params[i].value);
	*out = paths;
	return RK_OK;
}

static enum rk_status
list(struct rk_account *account, struct rk_arena *mem, struct rk_list *out, struct rk_err *err)
{
	struct rk_list_entry *entries = rk_arena_array(mem, nboxes, sizeof(*entries));

	(void)account, (void)err;
	for (size_t i = 0; i < nboxes; i++) {
		entries[i].name = rk_arena_printf(mem, "%s", boxes[i]->name);
		entries[i].flags = boxes[i]->list_flags;
	}
	out->entries = entries;
	out->n = nboxes;
	return RK_OK;
}

static enum rk_status
box_open(struct rk_account *account, const char *name, struct rk_box **out, struct rk_err *err)
{
	struct fake_box *box = fake_box_find(name);

	(void)account;
	if (box == NULL || (box->list_flags & RK_LIST_NOSELECT) != 0)
		return rk_fail_plain(err, RK_NOTFOUND, "no %s", name);
	*out = calloc(1, sizeof(**out));
	(*out)->name = strdup(name);
	return RK_OK;
}

static void
box_close(struct rk_box *box)
{
	free(box->name);
	free(box);
}

static struct rk_msg
msg_tell(const struct fake_msg *m, struct rk_arena *mem)
{
	const char *locator = rk_arena_printf(mem, "L%u", m->uid);
	struct rk_msg out = { .uid = m->uid,
		.flags = m->flags,
		.internal_date = m->date,
		.size = m->size_known ? strlen(m->text) : RK_SIZE_UNKNOWN,
		.locator = { locator, strlen(locator) } };

	return out;
}

static void
delta_break(struct rk_delta *d, struct rk_msg *msgs)
{
	static const char *const bad[] = { "not an atom" };
	static char big[RK_STATE_MAX + 1];

	if (d->nmsgs < 2)
		return;
	switch (mode) {
	case FAKE_UID_ORDER:
		msgs[1].uid = msgs[0].uid;
		break;
	case FAKE_UID_ABOVE:
		msgs[d->nmsgs - 1].uid = d->uidnext;
		break;
	case FAKE_UIDVALIDITY_0:
		d->uidvalidity = 0;
		break;
	case FAKE_UIDNEXT_BACK:
		d->nmsgs = 0;
		d->uidnext = 1;
		break;
	case FAKE_FLAG_UNKNOWN:
		msgs[0].flags = 0x20;
		break;
	case FAKE_KEYWORD_UNNAMED:
		msgs[0].keywords.bits[0] = 1;
		break;
	case FAKE_KEYWORD_BAD:
		d->keywords = bad;
		d->nkeywords = 1;
		break;
	case FAKE_LOCATOR_LONG:
		msgs[0].locator = (struct rk_blob){ big, RK_LOCATOR_MAX + 1 };
		break;
	case FAKE_STATE_LONG:
		d->state = (struct rk_blob){ big, sizeof(big) };
		break;
	case FAKE_NONE_FOR_EMPTY:
		d->kind = RK_DELTA_NONE;
		d->nmsgs = 0;
		break;
	default:
		break;
	}
}

static void
delta_fill(const struct fake_box *b, uint64_t since, struct rk_arena *mem, struct rk_delta *d)
{
	struct rk_msg *msgs = rk_arena_array(mem, b->n, sizeof(*msgs));
	uint32_t *gone = rk_arena_array(mem, b->ngone, sizeof(*gone));

	for (size_t i = 0; i < b->n; i++)
		if (d->kind == RK_DELTA_FULL || b->msgs[i].version > since)
			msgs[d->nmsgs++] = msg_tell(&b->msgs[i], mem);
	for (uint32_t uid = 1; uid < b->uidnext && d->kind == RK_DELTA_CHANGES; uid++)
		for (size_t i = 0; i < b->ngone; i++)
			if (b->gone[i].uid == uid && b->gone[i].version > since)
				gone[d->nexpunged++] = uid;
	d->msgs = msgs;
	d->expunged = gone;
	delta_break(d, msgs);
}

struct fake_state {
	uint64_t version;
	uint32_t uidvalidity;
	uint32_t zero;
};

static enum rk_status
sync_box(struct rk_box *box, struct rk_blob state, struct rk_arena *mem, struct rk_delta *d,
    struct rk_err *err)
{
	struct fake_box *b = fake_box_find(box->name);
	struct fake_state then = { 0 }, now = { 0 };

	syncs++;
	if (b == NULL)
		return rk_fail_plain(err, RK_NOTFOUND, "no %s", box->name);
	now.version = b->version;
	now.uidvalidity = b->uidvalidity;
	if (state.len == sizeof(then))
		memcpy(&then, state.data, sizeof(then));
	d->kind = RK_DELTA_CHANGES;
	if (then.version == 0 || then.uidvalidity != now.uidvalidity || mode == FAKE_ALWAYS_FULL)
		d->kind = RK_DELTA_FULL;
	else if (then.version == now.version && mode == FAKE_GOOD)
		d->kind = RK_DELTA_NONE;
	d->state = (struct rk_blob){ rk_arena_dup(mem, &now, sizeof(now)), sizeof(now) };
	memcpy(d->guid, b->guid, RK_GUID_LEN);
	d->uidvalidity = b->uidvalidity;
	d->uidnext = b->uidnext;
	if (mode > FAKE_ALWAYS_FULL)
		d->kind = RK_DELTA_FULL;
	if (d->kind != RK_DELTA_NONE)
		delta_fill(b, then.version, mem, d);
	if (sync_hook != NULL)
		sync_hook();
	return RK_OK;
}

static enum rk_status
body_open(struct rk_box *box, const struct rk_ref *ref, struct rk_body *out, struct rk_err *err)
{
	struct fake_box *b = fake_box_find(box->name);
	struct fake_msg *m = b != NULL ? msg_find(b, ref->uid) : NULL;
	size_t len;
	int fd;

	if (m == NULL)
		return rk_fail_plain(err, RK_EXPIRED, "no UID %u", ref->uid);
	fd = memfd_create("fake", MFD_CLOEXEC);
	len = strlen(m->text);
	if (fd < 0 || write(fd, m->text, len) != (ssize_t)len)
		return rk_fail(err, RK_TEMP, "memfd");
	*out = (struct rk_body){ .fd = fd, .size = len, .eol = m->eol };
	if (mode == FAKE_BODY_BEYOND)
		out->size++;
	return RK_OK;
}

static enum rk_status
watch(struct rk_box *box, struct rk_watch *out, struct rk_err *err)
{
	(void)box, (void)err;
	*out = (struct rk_watch){ -1, 100 };
	return RK_OK;
}

static enum rk_status
attr_get(struct rk_account *account, const struct rk_attr_at *at, const char *name,
    struct rk_arena *mem, struct rk_blob *value_out, struct rk_err *err)
{
	struct fake_value *v;

	(void)account;
	if (!attrs_on)
		return rk_fail_plain(err, RK_UNSUPPORTED, "no attributes");
	v = attr_find(at->box, name);
	if (v == NULL)
		return rk_fail_plain(err, RK_NOTFOUND, "no %s", name);
	value_out->data = rk_arena_dup(mem, v->value, strlen(v->value));
	value_out->len = strlen(v->value);
	return RK_OK;
}

static enum rk_status
attr_set(struct rk_account *account, const struct rk_attr_at *at, const char *name,
    const struct rk_blob *value, struct rk_err *err)
{
	struct fake_value *v;

	(void)account;
	if (!attrs_on)
		return rk_fail_plain(err, RK_UNSUPPORTED, "no attributes");
	v = attr_find(at->box, name);
	if (v == NULL) {
		if (nattrs == ATTRS)
			abort();
		v = &attrs[nattrs++];
		snprintf(v->box, sizeof(v->box), "%s", at->box);
		snprintf(v->name, sizeof(v->name), "%s", name);
	}
	snprintf(v->value, sizeof(v->value), "%.*s", (int)value->len, (const char *)value->data);
	return RK_OK;
}

static enum rk_status
attr_list(struct rk_account *account, const struct rk_attr_at *at, const char *prefix,
    struct rk_arena *mem, struct rk_attr_list *out, struct rk_err *err)
{
	struct rk_attr *found = rk_arena_array(mem, nsubscribed, sizeof(*found));

	(void)account, (void)err, (void)prefix;
	for (size_t i = 0; i < nsubscribed; i++)
		if (at->box == NULL || strcmp(at->box, subscribed[i]) == 0)
			found[out->n++] = (struct rk_attr){ RK_ATTR_SUBSCRIBED,
				rk_arena_printf(mem, "%s", subscribed[i]), { "1", 1 } };
	out->attrs = found;
	return RK_OK;
}

const struct rk_driver fake_driver = {
	.abi = RK_DRIVER_ABI,
	.name = "fake",
	.account_open = account_open,
	.account_close = account_close,
	.account_paths = account_paths,
	.list = list,
	.box_open = box_open,
	.box_close = box_close,
	.sync = sync_box,
	.body_open = body_open,
	.watch = watch,
	.attr_get = attr_get,
	.attr_set = attr_set,
	.attr_list = attr_list,
};
