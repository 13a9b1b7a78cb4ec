/* Maildir++'s `subscriptions`: a mailbox's name on each line, in Dovecot's two versions. */
#ifndef MAILDIR_SUBSCRIPTIONS_H
#define MAILDIR_SUBSCRIPTIONS_H

#include "storage/drivers/maildir/maildir_impl.h"

/* Lines of `subscriptions` (version 1 and 2) as mailbox names, in `mem`. */
size_t subscriptions_parse(
    struct str bytes, char separator, struct rk_arena *mem, const char ***names_out);

/* All subscribed names; none if there is no file. */
RK_MUST_CHECK enum rk_status subscriptions_read(struct rk_account *account, struct rk_arena *mem,
    const char ***names_out, size_t *n_out, struct rk_err *err);
/* "1", static. RK_NOTFOUND: not subscribed. */
RK_MUST_CHECK enum rk_status subscriptions_get(
    struct rk_account *account, const char *name, struct rk_blob *value_out, struct rk_err *err);
/* Adds or removes; either is fine if it is so already. RK_LIMIT, RK_INVALID. */
RK_MUST_CHECK enum rk_status subscriptions_set(
    struct rk_account *account, const char *name, bool subscribed, struct rk_err *err);

#endif
