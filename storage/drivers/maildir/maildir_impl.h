/*
 * The Maildir driver. The truth is the files in cur/ and new/; UIDs stand in `dovecot-uidlist`, in
 * Dovecot's own format, so that a store can change hands between the two servers and no client
 * notices.
 */
#ifndef MAILDIR_IMPL_H
#define MAILDIR_IMPL_H

#include <rookery/storage.h>

#include "lib/base/str.h"

#include <sys/stat.h>

/* Largest control files that are read; beyond that RK_LIMIT. */
#define UIDLIST_MAX ((size_t)512 << 20)
#define SUBSCRIPTIONS_MAX ((size_t)8 << 20)
#define MAILBOXES_MAX 10000

/* Keywords that a file name can hold: letters a to z. */
#define LETTERS 26

struct rk_account {
	int root;
	char *root_path;
	char separator; /* '/' (dots in names are escaped) or '.' */
	uint32_t lock_timeout_ms;
	bool readonly;
	bool skipped_told; /* a directory that is no mailbox was logged */
};

struct rk_box {
	struct rk_account *account;
	int dir;
	uid_t owner; /* of the directory: its messages belong to it, or to us */
	char *name;
	bool duplicate_told;
};

/* --- name.c: names of files and mailboxes, pure --- */

/* Parts of a message's file name; all borrowed from it. */
struct maildir_name {
	struct str base;  /* up to the first ':': the identity */
	uint64_t size;    /* S=, RK_SIZE_UNKNOWN without */
	uint64_t virtual; /* W= */
	uint32_t flags;
	struct rk_keywords keywords; /* by letter */
	uint64_t seconds;            /* delivery time in the name, for the order of new messages */
	uint64_t micros;
};

/* False: not a message (dot file, control bytes, empty or over-long base). */
bool maildir_name_parse(struct str file, struct maildir_name *out);

/* Name of the same file with other flags and keyword letters, for cur/; in `mem`. Letters of other
 * programs stay. */
const char *maildir_file_name(
    struct str file, uint32_t flags, uint64_t letters, struct rk_arena *mem);

/* "a/b" to ".a.b" ("." for INBOX), in `mem`. RK_INVALID: the store can't hold it. */
RK_MUST_CHECK enum rk_status maildir_dir_of(const char *name, char separator, struct rk_arena *mem,
    const char **dir_out, struct rk_err *err);
/* The other spelling that such a directory may have: backslash and `~` unescaped. Looked for after
 * the first, never made. */
RK_MUST_CHECK enum rk_status maildir_dir_raw(const char *name, char separator, struct rk_arena *mem,
    const char **dir_out, struct rk_err *err);
/* ".a.b" to "a/b"; false unless it is the one name of that directory. */
bool maildir_name_of(const char *dir, char separator, struct rk_arena *mem, const char **name_out);

/* UIDs above are not given: the list starts anew, long before the numbers wrap. */
#define UID_CEILING (UINT32_MAX - (1u << 20))

/* --- uidlist.c --- */

struct uid_entry {
	uint32_t uid;
	struct str base;
	struct str fields; /* what stands between UID and ` :`, kept as it is */
	uint64_t virtual;  /* W, RK_SIZE_UNKNOWN without */
	uint64_t size;     /* S */
	bool used;         /* a file was seen (sync.c) */
};

struct uidlist {
	uint32_t uidvalidity;  /* 0: there is no usable list */
	uint32_t old_validity; /* as it was read, even if it can't be kept */
	uint32_t uidnext;
	unsigned char guid[RK_GUID_LEN];
	bool has_guid;
	size_t bad_lines; /* left out */
	bool rewrite;     /* appending is not enough: torn, old version, no GUID, bad lines */
	struct str extra; /* unknown header fields with a space before each */
	struct uid_entry *entries; /* ascending by UID */
	size_t n;
	uint32_t *table;   /* hash by base: index + 1 */
	size_t table_size; /* power of two */
};

/* From bytes that must live as long as the list; never fails: what is bad is left out. */
void uidlist_parse(struct str bytes, struct rk_arena *mem, struct uidlist *out);
/* NULL if the base is not in the list. The later of two lines wins. */
struct uid_entry *uidlist_find(const struct uidlist *list, struct str base);
/* Reads `dovecot-uidlist`; uidvalidity 0 if there is none. */
RK_MUST_CHECK enum rk_status uidlist_read(
    struct rk_box *box, struct rk_arena *mem, struct uidlist *out, struct rk_err *err);
struct dotlock;
/* The lock over a mailbox's UIDs and keyword table; dotlock_drop ends it. RK_INUSE, RK_DENIED. */
RK_MUST_CHECK enum rk_status uidlist_lock(
    struct rk_box *box, struct dotlock *lock, struct rk_err *err);
/* Gives UIDs to the bases (in this order), durably; the lock is held. Makes the list, its
 * UIDVALIDITY and GUID where missing. RK_LIMIT. */
struct bases {
	const struct str *list;
	size_t n;
};
RK_MUST_CHECK enum rk_status uidlist_give(struct rk_box *box, struct dotlock *lock,
    const struct bases *bases, struct rk_arena *mem, struct rk_uids *out, struct rk_err *err);
/*
 * Gives UIDs to the n bases (in this order), durably, under the list's lock, and reads the list
 * anew into *out (which then knows them all). Makes the list, its UIDVALIDITY and GUID where
 * missing.
 */
RK_MUST_CHECK enum rk_status uidlist_assign(struct rk_box *box, const struct str *bases, size_t n,
    struct rk_arena *mem, struct uidlist *out, struct rk_err *err);

/* --- uidvalidity.c: a UIDVALIDITY above `above` and all that this store ever gave. ---
 */
RK_MUST_CHECK enum rk_status uidvalidity_next(
    struct rk_account *account, uint32_t above, uint32_t *out, struct rk_err *err);

/* --- body.c --- */

/* "cur/NAME" or "new/NAME" as sync.c made it, with a NUL, in `mem`. RK_CORRUPT. */
RK_MUST_CHECK enum rk_status locator_path(
    struct rk_blob locator, struct rk_arena *mem, const char **path_out, struct rk_err *err);

/* --- driver.c --- */

/* Directory of a mailbox, in whichever spelling; the caller's. RK_NOTFOUND. */
RK_MUST_CHECK enum rk_status maildir_box_dir(
    struct rk_account *account, const char *name, int *dir_out, struct rk_err *err);

/* --- list.c: a real directory (no link) beneath the root, with a real cur/ in it. --- */
bool maildir_is_mailbox(int root, const char *dir);

/* --- the operations --- */
enum rk_status maildir_append(struct rk_box *box, const struct rk_new_msg *msgs, size_t n,
    struct rk_arena *mem, struct rk_uids *out, struct rk_err *err);
enum rk_status maildir_copy(struct rk_box *box, const struct rk_copy *copy, struct rk_arena *mem,
    struct rk_uids *out, struct rk_err *err);
enum rk_status maildir_store(struct rk_box *box, const struct rk_ref *refs, size_t n,
    const struct rk_store_change *change, struct rk_err *err);
enum rk_status maildir_expunge(
    struct rk_box *box, const struct rk_ref *refs, size_t n, struct rk_err *err);
enum rk_status maildir_list(
    struct rk_account *account, struct rk_arena *mem, struct rk_list *out, struct rk_err *err);
enum rk_status maildir_sync(struct rk_box *box, struct rk_blob state, struct rk_arena *mem,
    struct rk_delta *delta_out, struct rk_err *err);
enum rk_status maildir_body_open(
    struct rk_box *box, const struct rk_ref *ref, struct rk_body *out, struct rk_err *err);
enum rk_status maildir_watch(struct rk_box *box, struct rk_watch *out, struct rk_err *err);
enum rk_status maildir_box_create(struct rk_account *account, const char *name, struct rk_err *err);
enum rk_status maildir_box_delete(struct rk_account *account, const char *name, struct rk_err *err);
enum rk_status maildir_box_rename(
    struct rk_account *account, const char *from, const char *to, struct rk_err *err);
enum rk_status maildir_attr_set(struct rk_account *account, const struct rk_attr_at *at,
    const char *name, const struct rk_blob *value, struct rk_err *err);
enum rk_status maildir_attr_get(struct rk_account *account, const struct rk_attr_at *at,
    const char *name, struct rk_arena *mem, struct rk_blob *value_out, struct rk_err *err);
enum rk_status maildir_attr_list(struct rk_account *account, const struct rk_attr_at *at,
    const char *prefix, struct rk_arena *mem, struct rk_attr_list *out, struct rk_err *err);
#endif
