#include <linux/capability.h>

#include "imapd/spawner/spawner_impl.h"

/*
 * No system call filter here: a filter is inherited by every worker and by the spawner that
 * executes itself anew, and would have to allow what all of them need to confine themselves. What
 * the spawner gives up is capabilities: it can become a user, make that user's index directory and
 * end workers.
 */
const struct profile spawner_profile = {
	.name = "spawner",
	.keep_caps =
	    (1ULL << CAP_SETUID) | (1ULL << CAP_SETGID) | (1ULL << CAP_CHOWN) | (1ULL << CAP_KILL),
};
