/* For this folder only. */
#ifndef ACCOUNT_ACCOUNT_IMPL_H
#define ACCOUNT_ACCOUNT_IMPL_H

#include "storage/account/account.h"

struct account {
	const struct rk_driver *driver;
	struct rk_account *store;
	struct index *index;
};

#endif
