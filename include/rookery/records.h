/*
 * Plain data of the storage contract (storage.h): what is handed to a driver and what it gives
 * back. Everything here can be written into a message and read back in another process.
 */
#ifndef ROOKERY_RECORDS_H
#define ROOKERY_RECORDS_H

#include <rookery/types.h>

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

/* Keywords to be set, by name: the driver finds or makes their positions. Each is a valid atom of
 * at most RK_KEYWORD_LEN bytes, named once (without regard to ASCII case, as they compare
 * everywhere).
 */
struct rk_words {
	const char *const *names;
	size_t n;
};

/* A message to be stored: a range of a descriptor (every line ends with CR LF), its flags and date.
 */
struct rk_new_msg {
	int fd;
	uint64_t offset;
	uint64_t size;
	uint32_t flags;
	struct rk_words keywords;
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

struct rk_box; /* storage.h */

/* A copy or move of `n` messages to another mailbox of the account. */
struct rk_copy {
	const struct rk_ref *refs;
	size_t n;
	struct rk_box *to;
	bool move;
};

struct rk_store_change {
	enum rk_store_mode mode;
	uint32_t flags;
	struct rk_words keywords; /* RK_STORE_REMOVE of one that the mailbox lacks is nothing */
};

/* UIDs given by append or copy, in the order of the messages; 0: that one was gone already and was
 * left out (copy only). */
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

#endif
