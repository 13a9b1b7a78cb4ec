/* What the running master may still do, as data. */
#ifndef MASTER_PROFILE_H
#define MASTER_PROFILE_H

#include "lib/ipc/lockdown.h"

extern const struct profile master_profile;

#endif
