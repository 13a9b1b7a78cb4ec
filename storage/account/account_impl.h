/* For this folder only. */
#ifndef ACCOUNT_ACCOUNT_IMPL_H
#define ACCOUNT_ACCOUNT_IMPL_H

#include "storage/account/account.h"

struct account {
	const struct rk_driver *driver;
	struct rk_account *store;
	struct index *index;
};

/* Opens a mailbox and brings the index up to it; the caller closes it. RK_NOTFOUND. */
RK_MUST_CHECK enum rk_status account_synced(
    struct account *account, const char *name, struct mailbox **out, struct rk_err *err);

#endif
