/*
 * Stored passwords: `{SCHEME}data` of a database, and what a password is worth against them. All
 * functions that cost processor time run in the hash children (hash_child.c), never in the main
 * loop.
 */
#ifndef AUTH_SCHEME_H
#define AUTH_SCHEME_H

#include "lib/base/str.h"

#define PASSWORD_MAX 512  /* bytes; also libxcrypt's limit */
#define STORED_MAX 1024   /* bytes of `data` */
#define SCRAM_SALT_MAX 64 /* bytes */
#define SCRAM_HASH_MAX 32 /* bytes of SHA-256 */
#define SCRAM_ITER_MAX 1000000

enum scheme {
	SCHEME_NONE,  /* no password at all: matches nothing */
	SCHEME_PLAIN, /* the password itself */
	SCHEME_CRYPT, /* yescrypt, bcrypt, sha512, sha256 through libxcrypt */
	SCHEME_ARGON2ID,
	SCHEME_SCRAM_SHA_1, /* iterations,salt,StoredKey,ServerKey */
	SCHEME_SCRAM_SHA_256,
	SCHEMES,
};

enum scram_hash {
	SCRAM_SHA_1,
	SCRAM_SHA_256,
	SCRAM_HASHES,
};

struct stored {
	enum scheme scheme;
	struct str data; /* borrowed */
};

/* What a server needs for SCRAM (RFC 5802 section 5.1). */
struct scram_keys {
	uint32_t iterations;
	size_t salt_len;
	unsigned char salt[SCRAM_SALT_MAX];
	unsigned char stored_key[SCRAM_HASH_MAX];
	unsigned char server_key[SCRAM_HASH_MAX];
};

enum verdict {
	VERDICT_NO,
	VERDICT_YES,
	VERDICT_ERROR, /* could not be computed: no memory, or a library's failure */
};

/*
 * Reads the password field of a record; *out borrows from it. Without `{SCHEME}` it is a crypt
 * hash; "", "x", "*" and "!…" are SCHEME_NONE. RK_INVALID: an unknown scheme, data that is none of
 * its scheme, or parameters that would let one login keep a processor or the memory busy.
 */
RK_MUST_CHECK enum rk_status stored_parse(struct str field, struct stored *out, struct rk_err *err);

/* The part of the data that decides the cost of a verification ("$6$rounds=9999$"): records with
 * equal scheme and class cost the same. Borrowed. */
struct str stored_class(const struct stored *stored);

/* Whether `password` (prepared, no NUL) is the one. Slow. */
enum verdict stored_verify(const struct stored *stored, struct str password);

/* Bytes of the hash: 20 or 32. */
size_t scram_hash_len(enum scram_hash hash);

/* "iterations,salt,StoredKey,ServerKey", base64 but for the number. RK_INVALID. */
RK_MUST_CHECK enum rk_status scram_keys_parse(
    struct str text, enum scram_hash hash, struct scram_keys *out, struct rk_err *err);

/* Fills stored_key and server_key from the password and the salt and iterations in *keys. Slow.
 * False: the library failed or the password can't be prepared. */
bool scram_derive(enum scram_hash hash, struct str password, struct scram_keys *keys);

#endif
