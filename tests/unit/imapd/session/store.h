/* An account over the fake driver, for everything that runs a session in its own process. */
#ifndef TESTS_SESSION_STORE_H
#define TESTS_SESSION_STORE_H

#include "imapd/session/session.h"
#include "tests/unit/storage/fake_driver.h"

/* Fresh fake store with an empty INBOX and a temporary directory; a failure aborts. */
void store_begin(void);
/* Opens the account over it. */
struct account *store_open(void);
/* Limits of the default configuration. */
void store_limits(struct session_limits *out);
/* Closes the account and removes all of it. */
void store_end(struct account *account);

#endif
