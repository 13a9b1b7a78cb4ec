/* What the hub may do, as data. */
#ifndef HUB_PROFILE_H
#define HUB_PROFILE_H

#include "lib/ipc/lockdown.h"

extern const struct profile hub_profile;

#endif
