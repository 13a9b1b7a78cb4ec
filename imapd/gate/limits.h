/*
 * How many connections that have not logged in each source holds: per address (IPv4, IPv6 /64) and
 * per network (IPv4 /24, IPv6 /48). Bounded by the connections it was made for; keyed by a random
 * key, so that no sender can choose what collides.
 */
#ifndef GATE_LIMITS_H
#define GATE_LIMITS_H

#include "imapd/gate/addr.h"

struct limits;

/* One connection's place; embedded in it, zero when it holds none. */
struct limit_hold {
	bool held;
	int32_t address; /* counters, indexes into the pool */
	int32_t network;
	struct limit_hold *older; /* in its network, for eviction */
	struct limit_hold *newer;
};

struct limits *limits_new(size_t max_holds, uint32_t per_address, uint32_t per_network);
void limits_free(struct limits *l);

enum limits_answer {
	LIMITS_OK,
	LIMITS_ADDRESS, /* the address has its share */
	LIMITS_NETWORK,
	LIMITS_FULL, /* max_holds are out */
};
enum limits_answer limits_take(struct limits *l, const struct addr *a, struct limit_hold *hold);
/* Fine for one that holds nothing. */
void limits_release(struct limits *l, struct limit_hold *hold);

/* The oldest connection of the network that holds most; NULL if nobody holds any. */
struct limit_hold *limits_victim(const struct limits *l);

#endif
