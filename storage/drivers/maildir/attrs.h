/*
 * Attributes that Maildir has no place for: a file beside the messages, checksummed, replaced as a
 * whole under its own lock. A mailbox keeps its own and its messages' in `rookery-attributes`, the
 * account its own in the root's `rookery-account`.
 *
 *	rookery-attributes 1 <CRC32C of what follows, 8 hex digits>
 *	<UID, 0 for the mailbox> <length of name> <length of value>
 *	<name><value>
 *	…
 */
#ifndef MAILDIR_ATTRS_H
#define MAILDIR_ATTRS_H

#include "lib/base/buf.h"
#include "storage/drivers/maildir/maildir_impl.h"

#define ATTRS_FILE "rookery-attributes"
#define ATTRS_ACCOUNT_FILE "rookery-account"
/* Beyond it no attribute is added: RK_LIMIT. */
#define ATTRS_MAX ((size_t)16 << 20)

struct attr {
	uint32_t uid;
	struct str name;
	struct str value;
};

struct attrs {
	struct attr *list;
	size_t n;
};

/* Everything borrowed from `bytes`. False: damaged; then `out` is empty. */
bool attrs_parse(struct str bytes, struct rk_arena *mem, struct attrs *out);

/* Adds one to the bytes behind the first line; the whole file of such bytes. */
void attrs_write(struct buf *out, const struct attr *a);
void attrs_seal(const struct buf *body, struct buf *out);

/* Empty if there is no such file, or a damaged one (logged). */
RK_MUST_CHECK enum rk_status attrs_read(
    int dir, const char *file, struct rk_arena *mem, struct attrs *out, struct rk_err *err);

/* Appends all that shall stand in the file (attrs_write), given what stands there. */
typedef enum rk_status attrs_edit_fn(
    void *context, const struct attrs *attrs, struct buf *out, struct rk_err *err);
RK_MUST_CHECK enum rk_status attrs_edit(struct rk_account *account, int dir, const char *file,
    attrs_edit_fn *edit, void *context, struct rk_err *err);

/* One change: value.p NULL removes. */
RK_MUST_CHECK enum rk_status attrs_change(struct rk_account *account, int dir, const char *file,
    const struct attr *change, struct rk_err *err);

#endif
