/* CREATE, DELETE, RENAME and subscriptions: INBOX's own rules, limits, special uses. */
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "storage/account/account_impl.h"

/* Mailboxes of one user (hardening.md section 4). */
#define MAILBOXES_MAX 5000

static bool
is_inbox(const char *name)
{
	return strcmp(name, "INBOX") == 0;
}

static enum rk_status
room_check(struct account *account, struct rk_arena *mem, struct rk_err *err)
{
	struct rk_list list;
	size_t n = 0;
	enum rk_status status = account->driver->list(account->store, mem, &list, err);

	for (size_t i = 0; status == RK_OK && i < list.n; i++)
		n += (list.entries[i].flags & RK_LIST_NOSELECT) == 0;
	if (status == RK_OK && n >= MAILBOXES_MAX)
		status = rk_fail_plain(err, RK_LIMIT, "%zu mailboxes", n);
	return status;
}

/* A mailbox without the use that it was made for would be found by no client: it goes again. */
static enum rk_status
uses_set(struct account *account, const char *name, const char *uses, struct rk_err *err)
{
	struct rk_attr_at at = { .scope = RK_ATTR_MAILBOX, .box = name };
	struct rk_blob value = { uses, strlen(uses) };
	struct rk_err why = { 0 };
	enum rk_status status =
	    account->driver->attr_set(account->store, &at, RK_ATTR_SPECIAL_USE, &value, err);

	if (status != RK_OK && account->driver->box_delete(account->store, name, &why) != RK_OK)
		log_ev(RK_LOG_WARN, "mailbox.undo", LOG_S("box", name), LOG_ERR(&why));
	return status;
}

enum rk_status
account_create(struct account *account, const char *name, const char *uses, struct rk_err *err)
{
	struct rk_arena *mem;
	enum rk_status status;

	if (is_inbox(name))
		return rk_fail_plain(err, RK_EXISTS, "INBOX is always there");
	mem = arena_new();
	status = room_check(account, mem, err);
	arena_free(mem);
	if (status == RK_OK)
		status = account->driver->box_create(account->store, name, err);
	if (status == RK_OK && uses != NULL && uses[0] != '\0')
		status = uses_set(account, name, uses, err);
	return status;
}

/* Of the mailbox that has the name now: the index knows who had it last, which may be another one
 * that was renamed since. */
static enum rk_status
guid_find(
    struct account *account, const char *name, unsigned char guid[RK_GUID_LEN], struct rk_err *err)
{
	struct mailbox *mb;
	enum rk_status status = account_synced(account, name, &mb, err);

	if (status != RK_OK)
		return status;
	memcpy(guid, mailbox_guid(mb), RK_GUID_LEN);
	mailbox_close(mb);
	return RK_OK;
}

enum rk_status
account_delete(struct account *account, const char *name, struct rk_err *err)
{
	unsigned char guid[RK_GUID_LEN];
	struct rk_err why = { 0 };
	enum rk_status status, forgotten;

	if (is_inbox(name))
		return rk_fail_plain(err, RK_DENIED, "INBOX stays");
	forgotten = guid_find(account, name, guid, &why);
	status = account->driver->box_delete(account->store, name, err);
	if (status != RK_OK)
		return status;
	/* What the index keeps of it is only room. */
	if (forgotten == RK_OK)
		forgotten = index_forget(account->index, guid, &why);
	if (forgotten != RK_OK && forgotten != RK_NOTFOUND)
		log_ev(RK_LOG_WARN, "mailbox.forget", LOG_S("box", name), LOG_ERR(&why));
	return RK_OK;
}

static enum rk_status
messages_move(struct mailbox *from, struct mailbox *to, struct rk_arena *mem, struct rk_err *err)
{
	struct uidset uids = UIDSET_INIT;
	struct mailbox_copy what = { .uids = &uids, .to = to, .move = true };
	struct mailbox_copied copied;
	enum rk_status status = mailbox_uids(from, &uids, err);

	if (status == RK_OK)
		status = mailbox_copy(from, &what, mem, &copied, err);
	uidset_clear(&uids);
	return status;
}

/* INBOX stays, its messages go to a new mailbox (RFC 9051 section 6.3.6). */
static enum rk_status
inbox_rename(struct account *account, const char *to, struct rk_err *err)
{
	struct mailbox *inbox, *box;
	struct rk_arena *mem;
	struct index_info info;
	struct rk_err why = { 0 };
	bool empty = false;
	enum rk_status status = account_create(account, to, NULL, err);

	if (status == RK_OK)
		status = account_synced(account, "INBOX", &inbox, err);
	if (status != RK_OK)
		return status;
	mem = arena_new();
	status = account_mailbox(account, to, &box, err);
	if (status == RK_OK) {
		status = messages_move(inbox, box, mem, err);
		empty = status != RK_OK && mailbox_info(box, mem, &info, &why) == RK_OK &&
		        info.messages == 0;
		mailbox_close(box);
	}
	/* Nothing came: another try must not find the name taken. */
	if (empty && account->driver->box_delete(account->store, to, &why) != RK_OK)
		log_ev(RK_LOG_WARN, "mailbox.undo", LOG_S("box", to), LOG_ERR(&why));
	mailbox_close(inbox);
	arena_free(mem);
	return status;
}

enum rk_status
account_rename(struct account *account, const char *from, const char *to, struct rk_err *err)
{
	size_t len = strlen(from);

	if (is_inbox(to) || strcmp(from, to) == 0)
		return rk_fail_plain(err, RK_EXISTS, "%s is there", to);
	if (is_inbox(from))
		return inbox_rename(account, to, err);
	if (strncmp(to, from, len) == 0 && to[len] == '/')
		return rk_fail_plain(err, RK_INVALID, "a mailbox below itself");
	return account->driver->box_rename(account->store, from, to, err);
}

enum rk_status
account_subscribe(struct account *account, const char *name, bool subscribed, struct rk_err *err)
{
	struct rk_attr_at at = { .scope = RK_ATTR_MAILBOX, .box = name };
	struct rk_blob value = { "1", 1 };
	enum rk_status status = account->driver->attr_set(
	    account->store, &at, RK_ATTR_SUBSCRIBED, subscribed ? &value : NULL, err);

	/* Unsubscribing from what is not subscribed is done already. */
	return status == RK_NOTFOUND && !subscribed ? RK_OK : status;
}
