/* What the parts of authd share: settings and the objects that live as long as the process. */
#ifndef AUTH_AUTHD_H
#define AUTH_AUTHD_H

#include "auth/db/db.h"
#include "auth/hash_pool.h"
#include "auth/mech/mech.h"
#include "auth/penalty.h"
#include "auth/scram_salt.h"
#include "auth/siphash.h"
#include "auth/ticket_mint.h"
#include "lib/ipc/service.h"

#define DATABASES_MAX 8
#define MECHANISMS_MAX 16

struct event_base;
struct links;
struct requests;

struct database {
	const struct db_driver *driver;
	struct db *db;
};

struct auth_settings {
	struct username_rule names;
	const char *mechanisms[MECHANISMS_MAX]; /* offered ones */
	size_t nmechanisms;
	bool plus_offered; /* one of them is a -PLUS */
	int64_t grid_ms;   /* failures are answered on multiples of it; 0: at once */
	uint32_t scram_iterations;
	uint32_t requests_per_peer;
};

struct auth_stats {
	uint64_t accepted, rejected, malformed, unavailable;
	uint64_t redeemed, refused;
};

struct authd {
	struct event_base *base;
	struct auth_settings set;
	struct auth_stats stats;
	struct database databases[DATABASES_MAX];
	size_t ndatabases;
	struct scram_salt_key salt_key;
	unsigned char attempt_key[SIPHASH_KEY_LEN]; /* for hashes of wrong passwords */
	struct mech_lib *mechs;
	struct hash_pool *pool;
	struct penalty *penalty;
	struct mint *mint;
	struct links *links;
	struct requests *requests;
};

#endif
