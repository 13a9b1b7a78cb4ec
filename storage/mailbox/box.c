#include "storage/mailbox/box.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/log.h"

static enum rk_status
absent(const char *what, struct rk_err *err)
{
	return rk_fail_plain(err, RK_UNSUPPORTED, "the driver has no %s", what);
}

static enum rk_status
no_box_create(struct rk_account *account, const char *name, struct rk_err *err)
{
	(void)account, (void)name;
	return absent("box_create", err);
}

static enum rk_status
no_box_delete(struct rk_account *account, const char *name, struct rk_err *err)
{
	(void)account, (void)name;
	return absent("box_delete", err);
}

static enum rk_status
no_box_rename(struct rk_account *account, const char *from, const char *to, struct rk_err *err)
{
	(void)account, (void)from, (void)to;
	return absent("box_rename", err);
}

static enum rk_status
no_append(struct rk_box *box, const struct rk_new_msg *msgs, size_t n, struct rk_arena *mem,
    struct rk_uids *out, struct rk_err *err)
{
	(void)box, (void)msgs, (void)n, (void)mem, (void)out;
	return absent("append", err);
}

static enum rk_status
no_copy(struct rk_box *box, const struct rk_copy *copy, struct rk_arena *mem, struct rk_uids *out,
    struct rk_err *err)
{
	(void)box, (void)copy, (void)mem, (void)out;
	return absent("copy", err);
}

static enum rk_status
no_store(struct rk_box *box, const struct rk_ref *refs, size_t n,
    const struct rk_store_change *change, struct rk_err *err)
{
	(void)box, (void)refs, (void)n, (void)change;
	return absent("store", err);
}

static enum rk_status
no_expunge(struct rk_box *box, const struct rk_ref *refs, size_t n, struct rk_err *err)
{
	(void)box, (void)refs, (void)n;
	return absent("expunge", err);
}

static enum rk_status
no_attr_get(struct rk_account *account, const struct rk_attr_at *at, const char *name,
    struct rk_arena *mem, struct rk_blob *value_out, struct rk_err *err)
{
	(void)account, (void)at, (void)name, (void)mem, (void)value_out;
	return absent("attr_get", err);
}

static enum rk_status
no_attr_set(struct rk_account *account, const struct rk_attr_at *at, const char *name,
    const struct rk_blob *value, struct rk_err *err)
{
	(void)account, (void)at, (void)name, (void)value;
	return absent("attr_set", err);
}

static enum rk_status
no_attr_list(struct rk_account *account, const struct rk_attr_at *at, const char *prefix,
    struct rk_arena *mem, struct rk_attr_list *out, struct rk_err *err)
{
	(void)account, (void)at, (void)prefix, (void)mem, (void)out;
	return absent("attr_list", err);
}

void
box_defaults(struct rk_driver *d)
{
	d->box_create = d->box_create != NULL ? d->box_create : no_box_create;
	d->box_delete = d->box_delete != NULL ? d->box_delete : no_box_delete;
	d->box_rename = d->box_rename != NULL ? d->box_rename : no_box_rename;
	d->append = d->append != NULL ? d->append : no_append;
	d->copy = d->copy != NULL ? d->copy : no_copy;
	d->store = d->store != NULL ? d->store : no_store;
	d->expunge = d->expunge != NULL ? d->expunge : no_expunge;
	d->attr_get = d->attr_get != NULL ? d->attr_get : no_attr_get;
	d->attr_set = d->attr_set != NULL ? d->attr_set : no_attr_set;
	d->attr_list = d->attr_list != NULL ? d->attr_list : no_attr_list;
}

enum rk_status
box_driver_check(const struct rk_driver *d, struct rk_err *err)
{
	if (d->abi != RK_DRIVER_ABI)
		return rk_fail_plain(err, RK_INVALID, "made for interface %u, this server has %u",
		    d->abi, RK_DRIVER_ABI);
	if (d->name == NULL || d->account_open == NULL || d->account_close == NULL ||
	    d->account_paths == NULL || d->list == NULL || d->box_open == NULL ||
	    d->box_close == NULL || d->sync == NULL || d->body_open == NULL || d->watch == NULL)
		return rk_fail_plain(err, RK_INVALID, "a required operation is missing");
	return RK_OK;
}

bool
box_can_change(const struct rk_driver *d)
{
	return d->store != NULL && d->store != no_store && d->expunge != NULL &&
	       d->expunge != no_expunge;
}

/* A keyword goes to clients as an atom (RFC 9051 section 9, flag-keyword). */
static bool
keyword_good(const char *word)
{
	size_t len = strnlen(word, RK_KEYWORD_LEN + 1);

	if (len == 0 || len > RK_KEYWORD_LEN)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)word[i];

		if (c <= 0x20 || c >= 0x7f || strchr("(){%*\"\\]", c) != NULL)
			return false;
	}
	return true;
}

static const char *
keywords_wrong(const struct rk_delta *d)
{
	if (d->nkeywords > RK_KEYWORDS_MAX)
		return "too many keywords";
	for (size_t i = 0; i < d->nkeywords; i++)
		if (d->keywords[i] != NULL && !keyword_good(d->keywords[i]))
			return "a keyword that is no atom";
	return NULL;
}

static const char *
msg_wrong(const struct rk_delta *d, const struct rk_msg *m, const struct rk_keywords *used)
{
	if (m->uid >= d->uidnext)
		return "a UID not below UIDNEXT";
	if ((m->flags & ~RK_FLAGS_ALL) != 0)
		return "an unknown flag";
	if (m->locator.len > RK_LOCATOR_MAX || (m->locator.len > 0 && m->locator.data == NULL))
		return "a locator out of bounds";
	for (size_t w = 0; w < RK_KEYWORDS_MAX / 64; w++)
		if ((m->keywords.bits[w] & ~used->bits[w]) != 0)
			return "a keyword without a name";
	return NULL;
}

static const char *
msgs_wrong(const struct rk_delta *d)
{
	struct rk_keywords used = { { 0 } };
	uint32_t last = 0;
	size_t g = 0;

	for (size_t i = 0; i < d->nkeywords; i++)
		if (d->keywords[i] != NULL)
			used.bits[i / 64] |= (uint64_t)1 << (i % 64);
	for (size_t i = 0; i < d->nexpunged; i++) {
		if (d->expunged[i] <= last)
			return "expunged UIDs out of order";
		last = d->expunged[i];
	}
	last = 0;
	for (size_t i = 0; i < d->nmsgs; i++) {
		const char *wrong = msg_wrong(d, &d->msgs[i], &used);

		if (wrong != NULL)
			return wrong;
		if (d->msgs[i].uid <= last)
			return "UIDs out of order";
		last = d->msgs[i].uid;
		while (g < d->nexpunged && d->expunged[g] < last)
			g++;
		if (g < d->nexpunged && d->expunged[g] == last)
			return "a UID both there and expunged";
	}
	return NULL;
}

/* What is wrong with a delta; NULL: nothing. */
static const char *
delta_wrong(const struct rk_delta *d, const struct box_before *before)
{
	const char *wrong;

	if (d->kind > RK_DELTA_FULL)
		return "an unknown kind of delta";
	if (d->kind == RK_DELTA_NONE && (d->nmsgs > 0 || d->nexpunged > 0))
		return "changes in a delta without changes";
	if (before->state.len == 0 && d->kind != RK_DELTA_FULL)
		return "no full list for an empty state";
	if ((d->nmsgs > 0 && d->msgs == NULL) || (d->nexpunged > 0 && d->expunged == NULL) ||
	    (d->nkeywords > 0 && d->keywords == NULL))
		return "a list that is not there";
	if (d->state.len > RK_STATE_MAX || (d->state.len > 0 && d->state.data == NULL))
		return "a state out of bounds";
	if (d->uidvalidity == 0 || d->uidnext == 0)
		return "UIDVALIDITY or UIDNEXT of 0";
	if (before->uidvalidity == d->uidvalidity && d->uidnext < before->uidnext &&
	    memcmp(before->guid, d->guid, RK_GUID_LEN) == 0)
		return "UIDNEXT that went back";
	wrong = keywords_wrong(d);
	return wrong != NULL ? wrong : msgs_wrong(d);
}

static enum rk_status
contract_broken(
    const struct box *box, const char *operation, const char *reason, struct rk_err *err)
{
	log_ev(RK_LOG_ERROR, "driver.contract", LOG_S("driver", box->driver->name),
	    LOG_S("operation", operation), LOG_S("reason", reason));
	return rk_fail_plain(err, RK_CORRUPT, "driver %s: %s", box->driver->name, reason);
}

enum rk_status
box_sync(const struct box *box, const struct box_before *before, struct rk_arena *mem,
    struct rk_delta *delta_out, struct rk_err *err)
{
	const char *wrong;
	enum rk_status status;

	memset(delta_out, 0, sizeof(*delta_out));
	status = box->driver->sync(box->handle, before->state, mem, delta_out, err);
	if (status != RK_OK)
		return status;
	wrong = delta_wrong(delta_out, before);
	if (wrong == NULL)
		return RK_OK;
	return contract_broken(box, "sync", wrong, err);
}

/* UIDs that a driver gave: as many as messages, ascending; 0 only where one may be gone. */
static const char *
uids_wrong(const struct rk_uids *uids, size_t n, bool gaps)
{
	uint32_t last = 0;

	if (uids->n != n || (n > 0 && uids->uids == NULL))
		return "another number of UIDs than of messages";
	if (uids->uidvalidity == 0)
		return "UIDVALIDITY of 0";
	for (size_t i = 0; i < n; i++) {
		if (uids->uids[i] == 0 && gaps)
			continue;
		if (uids->uids[i] <= last)
			return "UIDs out of order";
		last = uids->uids[i];
	}
	return NULL;
}

enum rk_status
box_append(const struct box *box, const struct rk_new_msg *msgs, size_t n, struct rk_arena *mem,
    struct rk_uids *out, struct rk_err *err)
{
	const char *wrong;
	enum rk_status status;

	memset(out, 0, sizeof(*out));
	status = box->driver->append(box->handle, msgs, n, mem, out, err);
	if (status != RK_OK)
		return status;
	wrong = uids_wrong(out, n, false);
	return wrong == NULL ? RK_OK : contract_broken(box, "append", wrong, err);
}

enum rk_status
box_copy(const struct box *box, const struct rk_copy *copy, struct rk_arena *mem,
    struct rk_uids *out, struct rk_err *err)
{
	const char *wrong;
	enum rk_status status;

	memset(out, 0, sizeof(*out));
	status = box->driver->copy(box->handle, copy, mem, out, err);
	if (status != RK_OK)
		return status;
	wrong = uids_wrong(out, copy->n, true);
	return wrong == NULL ? RK_OK : contract_broken(box, "copy", wrong, err);
}

enum rk_status
box_body(const struct box *box, const struct rk_ref *ref, struct rk_body *out, struct rk_err *err)
{
	const char *wrong = NULL;
	struct stat st;
	enum rk_status status;

	memset(out, 0, sizeof(*out));
	out->fd = -1;
	status = box->driver->body_open(box->handle, ref, out, err);
	if (status != RK_OK)
		return status;
	if (out->fd < 0 || fstat(out->fd, &st) < 0 || !S_ISREG(st.st_mode))
		wrong = "a body that is no file";
	else if (out->offset > (uint64_t)st.st_size ||
		 out->size > (uint64_t)st.st_size - out->offset)
		wrong = "a body beyond its file";
	else if (out->eol > RK_EOL_LF)
		wrong = "an unknown line end";
	if (wrong == NULL)
		return RK_OK;
	if (out->fd >= 0)
		close(out->fd);
	out->fd = -1;
	return contract_broken(box, "body_open", wrong, err);
}
