/* Salts for names that have none of their own (decisions.md 30, kept in docs/architecture.md). */
#ifndef AUTH_SCRAM_SALT_H
#define AUTH_SCRAM_SALT_H

#include "auth/scheme.h"

#define SCRAM_SALT_KEY_LEN 32
#define SCRAM_SALT_LEN 16

struct scram_salt_key {
	char hex[2 * SCRAM_SALT_KEY_LEN + 1];
};

/*
 * Reads STATE/auth/scram.key, or makes it (0600 in a directory 0700); before the lock-down, for
 * nobody but the one who starts us may read it. With a key of this start only, every restart would
 * change the salts of the names that do not exist and of no others: so it is kept in a file.
 */
RK_MUST_CHECK enum rk_status scram_salt_key_load(
    const char *state_dir, struct scram_salt_key *out, struct rk_err *err);

/* A key for this process only. */
void scram_salt_key_random(struct scram_salt_key *out);

/* The salt of `name`: always the same, and different for each name, hash and key. */
void scram_salt_of(const struct scram_salt_key *key, enum scram_hash hash, struct str name,
    unsigned char salt[SCRAM_SALT_LEN]);

#endif
