/*
 * The storage contract: what a driver owns and must do. A driver holds the truth (messages, UIDs,
 * flags, mailbox names, attributes); everything that can be computed from it lives in the server's
 * index, which the driver never sees and which may vanish at any moment.
 *
 * Rules for all operations
 * - Arguments are borrowed until the call returns. Results live in the arena that was passed, until
 *   the caller resets it. Nothing else crosses: no callbacks, no pointers kept, so every call can
 * be carried over a socket to a process of the mailbox's owner (handles become numbers there).
 * - A driver runs in a worker of one user, as that user, in one thread, and may be one of many
 *   processes on the same store, beside foreign programs that know nothing of us.
 * - Names are valid UTF-8 with `/` between the parts, RK_NAME_* bounded, no empty part; "INBOX" is
 *   always written so. Which of them the store can hold is the driver's to say (RK_INVALID).
 * - No operation waits longer than rk_account_conf.lock_timeout_ms for a lock: RK_INUSE.
 * - RK_OK of an operation that changes something means: durable, on disk or committed.
 * - Data found in the store is hostile: bounded, checked, never trusted as a size or a path.
 * - Operations marked "may be absent" can be left NULL; the server then answers RK_UNSUPPORTED.
 */
#ifndef ROOKERY_STORAGE_H
#define ROOKERY_STORAGE_H

#include <rookery/host.h>
#include <rookery/records.h>

/* Grows with every change that a driver must be compiled for. */
#define RK_DRIVER_ABI 2u

/* Every driver exports this symbol: extern const struct rk_driver rookery_driver; */
#define RK_DRIVER_SYMBOL "rookery_driver"

struct rk_account; /* the driver's own: one user's store, opened */
struct rk_box;     /* the driver's own: one mailbox, opened */

struct rk_driver {
	uint32_t abi;     /* RK_DRIVER_ABI of the driver's build */
	const char *name; /* the word in rookery.conf */

	/* --- account --- */

	/*
	 * Opens the store. A store that is not there yet is made (unless readonly: RK_NOTFOUND),
	 * with an INBOX. RK_INVALID: a parameter is missing or makes no sense, named in err.
	 * Required.
	 */
	enum rk_status (*account_open)(
	    const struct rk_account_conf *conf, struct rk_account **out, struct rk_err *err);
	/* Frees the account; its mailboxes were closed before. Required. */
	void (*account_close)(struct rk_account *account);
	/*
	 * Paths (absolute, existing, NUL-terminated, in `mem`, the list ends with NULL) that a
	 * process needs to work on this store: the sandbox is built from them before a user's data
	 * is touched. Runs as the user, before account_open. May make the store's root. Required.
	 */
	enum rk_status (*account_paths)(const struct rk_account_conf *conf, struct rk_arena *mem,
	    const char *const **out, struct rk_err *err);

	/* --- mailboxes --- */

	/* All mailboxes and the levels between them, INBOX always among them. Required. */
	enum rk_status (*list)(struct rk_account *account, struct rk_arena *mem,
	    struct rk_list *out, struct rk_err *err);
	/* RK_EXISTS, RK_INVALID. Missing levels are made as the format needs. May be absent. */
	enum rk_status (*box_create)(
	    struct rk_account *account, const char *name, struct rk_err *err);
	/* RK_NOTFOUND. Children stay. May be absent. */
	enum rk_status (*box_delete)(
	    struct rk_account *account, const char *name, struct rk_err *err);
	/* With children; guid, UIDs and attributes stay. RK_NOTFOUND, RK_EXISTS. May be absent. */
	enum rk_status (*box_rename)(
	    struct rk_account *account, const char *from, const char *to, struct rk_err *err);

	/* RK_NOTFOUND: no such mailbox (also one that can't hold messages). Required. */
	enum rk_status (*box_open)(
	    struct rk_account *account, const char *name, struct rk_box **out, struct rk_err *err);
	void (*box_close)(struct rk_box *box); /* Required. */

	/*
	 * Lists what changed since `state` (empty: everything). Gives each new message its UID,
	 * durably, before it is told (a readonly account that must give UIDs: RK_DENIED). Costs no
	 * walk over the messages when nothing changed. A message that is being renamed by another
	 * program is never reported as gone. RK_NOTFOUND: the mailbox was deleted. Required.
	 */
	enum rk_status (*sync)(struct rk_box *box, struct rk_blob state, struct rk_arena *mem,
	    struct rk_delta *delta_out, struct rk_err *err);

	/* --- messages --- */

	/*
	 * Opens a message's bytes, exact. The locator may be stale (flags changed, file renamed):
	 * the driver looks further before it says RK_EXPIRED. Required.
	 */
	enum rk_status (*body_open)(
	    struct rk_box *box, const struct rk_ref *ref, struct rk_body *out, struct rk_err *err);
	/* All or none. RK_QUOTA; RK_LIMIT (keywords, UIDs). May be absent. */
	enum rk_status (*append)(struct rk_box *box, const struct rk_new_msg *msgs, size_t n,
	    struct rk_arena *mem, struct rk_uids *out, struct rk_err *err);
	/*
	 * To another mailbox of the account (or the same), flags, keywords and dates kept; all of
	 * those that are still there, or none. With `move` a message is never in neither place and
	 * the source's UIDs are gone on return. May be absent.
	 */
	enum rk_status (*copy)(struct rk_box *box, const struct rk_copy *copy, struct rk_arena *mem,
	    struct rk_uids *out, struct rk_err *err);
	/* Changes flags; messages that are gone are left out silently. RK_LIMIT: no room for
	 * another keyword; then nothing is changed. May be absent. */
	enum rk_status (*store)(struct rk_box *box, const struct rk_ref *refs, size_t n,
	    const struct rk_store_change *change, struct rk_err *err);
	/* Removes messages, those already gone too. Must work on a full disk. May be absent. */
	enum rk_status (*expunge)(
	    struct rk_box *box, const struct rk_ref *refs, size_t n, struct rk_err *err);

	/* --- change and attributes --- */

	/* Required; a store that cannot tell answers fd -1 and a poll interval. */
	enum rk_status (*watch)(struct rk_box *box, struct rk_watch *out, struct rk_err *err);

	/* RK_NOTFOUND. May be absent. */
	enum rk_status (*attr_get)(struct rk_account *account, const struct rk_attr_at *at,
	    const char *name, struct rk_arena *mem, struct rk_blob *value_out, struct rk_err *err);
	/* value NULL removes. May be absent. */
	enum rk_status (*attr_set)(struct rk_account *account, const struct rk_attr_at *at,
	    const char *name, const struct rk_blob *value, struct rk_err *err);
	/* All attributes of one place whose names start with `prefix`; with RK_ATTR_MAILBOX and box
	 * NULL those of all mailboxes. May be absent. */
	enum rk_status (*attr_list)(struct rk_account *account, const struct rk_attr_at *at,
	    const char *prefix, struct rk_arena *mem, struct rk_attr_list *out, struct rk_err *err);
};

#endif
