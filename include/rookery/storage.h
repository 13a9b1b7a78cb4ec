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

/* Grows with every change that a driver must be compiled for. */
#define RK_DRIVER_ABI 1u

/* Every driver exports this symbol: extern const struct rk_driver rookery_driver; */
#define RK_DRIVER_SYMBOL "rookery_driver"

struct rk_account; /* the driver's own: one user's store, opened */
struct rk_box;     /* the driver's own: one mailbox, opened */

struct rk_param {
	const char *key;
	const char *value;
};

/* Where and whose the store is. */
struct rk_account_conf {
	const char *user;
	const char *home;              /* absolute, or "" */
	const struct rk_param *params; /* of the storage section, then of the user's record */
	size_t nparams;
	char separator; /* in stored names where the format leaves a choice */
	uint32_t lock_timeout_ms;
	bool readonly; /* write nothing at all, not even bookkeeping files */
};

/* Attributes of a listed mailbox (RFC 9051 section 7.3.1); children are derived by the server. */
enum rk_list_flag {
	RK_LIST_NOSELECT = 1u << 0,    /* a level that holds no messages */
	RK_LIST_NOINFERIORS = 1u << 1, /* cannot have children in this format */
	RK_LIST_MARKED = 1u << 2,      /* the store knows cheaply that mail arrived */
	RK_LIST_UNMARKED = 1u << 3,
};

struct rk_list_entry {
	const char *name;
	uint32_t flags; /* enum rk_list_flag bits */
};

struct rk_list {
	const struct rk_list_entry *entries; /* in no order; each name once */
	size_t n;
};

/* One message as it is now. */
struct rk_msg {
	uint32_t uid;
	uint32_t flags; /* enum rk_flag bits */
	struct rk_keywords keywords;
	int64_t internal_date;  /* seconds since 1970 */
	uint64_t size;          /* RFC822.SIZE: octets with CRLF line ends, or RK_SIZE_UNKNOWN */
	struct rk_blob locator; /* at most RK_LOCATOR_MAX bytes; opaque: how to find it again */
};
#define RK_LOCATOR_MAX 512
#define RK_STATE_MAX 4096

enum rk_delta_kind {
	RK_DELTA_NONE,    /* nothing changed since `state`; msgs is empty */
	RK_DELTA_CHANGES, /* msgs: new or changed messages; expunged: UIDs that are gone */
	RK_DELTA_FULL,    /* msgs: all messages there are; any other UID is gone */
};

struct rk_delta {
	enum rk_delta_kind kind;
	struct rk_blob state; /* at most RK_STATE_MAX bytes: hand back on the next sync */
	unsigned char guid[RK_GUID_LEN]; /* of the mailbox; stays over a rename */
	uint32_t uidvalidity;            /* not 0; another than before: forget everything */
	uint32_t uidnext;                /* above every UID ever given; never goes back */
	const struct rk_msg *msgs;       /* ascending by UID */
	size_t nmsgs;
	const uint32_t *expunged; /* ascending */
	size_t nexpunged;
	const char *const *keywords; /* the mailbox's whole table; NULL: unused position */
	size_t nkeywords;            /* at most RK_KEYWORDS_MAX */
};

/* Where a message's bytes are: a range of a descriptor that the caller closes. */
struct rk_body {
	int fd;
	uint64_t offset;
	uint64_t size; /* stored bytes */
	enum rk_eol eol;
};

/* A message to be stored: a range of a descriptor (line ends CRLF), its flags and date. */
struct rk_new_msg {
	int fd;
	uint64_t offset;
	uint64_t size;
	uint32_t flags;
	struct rk_keywords keywords;
	int64_t internal_date;
};

enum rk_store_mode {
	RK_STORE_REPLACE,
	RK_STORE_ADD,
	RK_STORE_REMOVE,
};

/* Messages that an operation concerns: UID with the locator that the last sync gave. */
struct rk_ref {
	uint32_t uid;
	struct rk_blob locator;
};

struct rk_store_change {
	enum rk_store_mode mode;
	uint32_t flags;
	struct rk_keywords keywords;
	const char *const *names; /* of the set keyword positions, so that a new one can be made */
	size_t nnames;
};

/* UIDs given by append or copy, in the order of the messages. */
struct rk_uids {
	uint32_t uidvalidity;
	const uint32_t *uids;
	size_t n;
};

/* How to learn of foreign changes without asking: poll `fd` (the caller's) for reading, then sync.
 * fd -1: the store cannot tell; sync every poll_ms. */
struct rk_watch {
	int fd;
	uint32_t poll_ms;
};

/* What an attribute belongs to. */
enum rk_attr_scope {
	RK_ATTR_ACCOUNT, /* box and uid unused */
	RK_ATTR_MAILBOX, /* box */
	RK_ATTR_MESSAGE, /* box and uid */
};

struct rk_attr_at {
	enum rk_attr_scope scope;
	const char *box;
	uint32_t uid;
};
#define RK_ATTR_NAME_MAX 255
#define RK_ATTR_VALUE_MAX 65536

/* Attribute names of the server itself. Formats that have a place of their own for one use it:
 * "subscribed" (mailbox; value "1") is Maildir++'s `subscriptions` file. */
#define RK_ATTR_SUBSCRIBED "subscribed"
#define RK_ATTR_SPECIAL_USE "special-use"

struct rk_attr {
	const char *name;
	const char *box; /* mailbox name for RK_ATTR_MAILBOX listings over all mailboxes, else "" */
	struct rk_blob value;
};

struct rk_attr_list {
	const struct rk_attr *attrs;
	size_t n;
};

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
	/* All or none. RK_QUOTA, RK_LIMIT. May be absent. */
	enum rk_status (*append)(struct rk_box *box, const struct rk_new_msg *msgs, size_t n,
	    struct rk_arena *mem, struct rk_uids *out, struct rk_err *err);
	/* To another mailbox of the account, flags and dates kept; all or none. May be absent. */
	enum rk_status (*copy)(struct rk_box *box, const struct rk_ref *refs, size_t n,
	    struct rk_box *to, bool move, struct rk_arena *mem, struct rk_uids *out,
	    struct rk_err *err);
	/* Changes flags; messages that are gone are left out silently. May be absent. */
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
