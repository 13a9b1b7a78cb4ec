#ifndef AUTH_PROFILE_H
#define AUTH_PROFILE_H

#include "lib/ipc/lockdown.h"

/* authd after its start. Those of the hash children: hash_impl.h. */
extern const struct profile authd_profile;

#endif
