/* What the log process may do, as data. */
#ifndef LOG_PROFILE_H
#define LOG_PROFILE_H

#include "lib/ipc/lockdown.h"

extern const struct profile log_profile;

#endif
