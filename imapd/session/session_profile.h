/* What a worker may still do once it serves its user. */
#ifndef SESSION_SESSION_PROFILE_H
#define SESSION_SESSION_PROFILE_H

#include "lib/ipc/lockdown.h"

/* `memory`: imapd.memory, bytes of RLIMIT_DATA. */
struct profile session_profile(uint64_t memory);

#endif
