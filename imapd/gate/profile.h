/* What the gate may still do once it serves. */
#ifndef GATE_PROFILE_H
#define GATE_PROFILE_H

#include "lib/ipc/lockdown.h"

/* Descriptors follow from the number of connections: a relay needs two. */
struct profile gate_profile(size_t connections);

#endif
