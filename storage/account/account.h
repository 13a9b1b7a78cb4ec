/*
 * A user's mail as the session sees it: driver, store and index opened from a grant and the
 * configuration; LIST, subscriptions and the choice of driver live here.
 */
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H

#include "lib/base/str.h"
#include "lib/conf/conf.h"
#include "storage/mailbox/mailbox.h"

struct account;

/* What is known of the user; all borrowed until account_open returns. */
struct account_spec {
	const char *user;
	const char *home;
	const char *storage;           /* title of the storage section, "" = the first */
	const struct rk_param *params; /* of the user's record: they win over the section's */
	size_t nparams;
	const char *index_dir;
};

/*
 * Loads the drivers of all configured storage sections (dlopen; spawner, once, before it forks). A
 * driver file must be owned by root or by us and not writable by others. RK_INVALID names section
 * and file. Missing optional operations are filled in.
 */
RK_MUST_CHECK enum rk_status registry_load(const struct conf *conf, struct rk_err *err);
/* Driver of a storage section; NULL if it was not loaded. */
const struct rk_driver *registry_find(const char *driver_name);
/* Registers a driver without a file (tests). */
void registry_add(const struct rk_driver *driver);

/* Paths the worker's sandbox must allow besides index_dir (driver's account_paths). */
RK_MUST_CHECK enum rk_status account_paths(const struct conf *conf, const struct account_spec *spec,
    struct rk_arena *mem, const char *const **out, struct rk_err *err);

RK_MUST_CHECK enum rk_status account_open(const struct conf *conf, const struct account_spec *spec,
    struct account **out, struct rk_err *err);
void account_close(struct account *account);

/* LIST and LSUB (RFC 9051 section 6.3.9). Patterns in UTF-8 with `/`; linear-space matcher (V08).
 */
struct list_query {
	struct str reference;
	const struct str *patterns;
	size_t npatterns;
	bool subscribed; /* only subscribed names (also ones that are gone: \NonExistent) */
	bool uses;       /* list_row.uses is wanted */
};
enum list_attr {
	LIST_NOSELECT = 1u << 0,
	LIST_NOINFERIORS = 1u << 1,
	LIST_MARKED = 1u << 2,
	LIST_UNMARKED = 1u << 3,
	LIST_HASCHILDREN = 1u << 4,
	LIST_HASNOCHILDREN = 1u << 5,
	LIST_NONEXISTENT = 1u << 6,
	LIST_SUBSCRIBED = 1u << 7,
};
struct list_row {
	const char *name;
	uint32_t attrs; /* enum list_attr bits */
	const char
	    *uses; /* special uses as stored: "\\Sent \\Drafts"; "": none, or not asked for */
};
struct list_result {
	struct list_row *rows; /* INBOX first, then by name */
	size_t n;
};
RK_MUST_CHECK enum rk_status account_list(struct account *account, const struct list_query *query,
    struct rk_arena *mem, struct list_result *out, struct rk_err *err);

/*
 * Canonical mailbox name from what a client sent (already UTF-8): INBOX rule, bounds, no empty
 * parts, no control bytes, no "." or ".." part. RK_INVALID. The result lives in `mem`.
 */
RK_MUST_CHECK enum rk_status account_name(
    struct str given, struct rk_arena *mem, const char **name_out, struct rk_err *err);

/*
 * Changes of the tree. Names are canonical (account_name). `uses` as in list_row, "" or NULL: none.
 * create: RK_EXISTS (also INBOX), RK_INVALID, RK_LIMIT (mailboxes per user). delete: RK_DENIED for
 * INBOX; a mailbox with children leaves a level that can't be selected; RK_NOTFOUND. The index
 * forgets what was deleted, and its name is not unsubscribed (RFC 9051 section 6.3.7). rename takes
 * what is below along, with UIDs and attributes; INBOX instead gives its messages to a new mailbox
 * and stays, empty (section 6.3.6); RK_INVALID for a name below itself.
 */
RK_MUST_CHECK enum rk_status account_create(
    struct account *account, const char *name, const char *uses, struct rk_err *err);
RK_MUST_CHECK enum rk_status account_delete(
    struct account *account, const char *name, struct rk_err *err);
RK_MUST_CHECK enum rk_status account_rename(
    struct account *account, const char *from, const char *to, struct rk_err *err);
/* Subscribing needs no such mailbox (RFC 9051 section 6.3.7 allows to ask for one: we don't). */
RK_MUST_CHECK enum rk_status account_subscribe(
    struct account *account, const char *name, bool subscribed, struct rk_err *err);

/* Opens a mailbox by canonical name (account_name). RK_NOTFOUND. */
RK_MUST_CHECK enum rk_status account_mailbox(
    struct account *account, const char *name, struct mailbox **out, struct rk_err *err);

/* What costs more than a look at the counts. */
enum status_need {
	STATUS_NEED_SIZE = 1u << 0, /* sizes that nobody knows are computed */
	STATUS_NEED_RECENT = 1u << 1,
};
/* Counts for STATUS, synced first. `need`: enum status_need bits. */
RK_MUST_CHECK enum rk_status account_status(struct account *account, const char *name,
    unsigned need, struct rk_arena *mem, struct index_info *out, struct rk_err *err);

#endif
