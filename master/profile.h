/* What the running master may still do, as data. */
#ifndef MASTER_PROFILE_H
#define MASTER_PROFILE_H

#include "lib/ipc/lockdown.h"

extern const struct profile master_profile;

/* System calls that neither the master nor any process below it may ever make. */
extern const char *const master_denied[];
extern const size_t master_ndenied;

#endif
