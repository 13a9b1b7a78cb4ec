/* `$argon2id$v=19$m=65536,t=3,p=1$salt$hash` (RFC 9106 as libargon2 writes it). */
#ifndef AUTH_ARGON2ID_H
#define AUTH_ARGON2ID_H

#include "auth/scheme.h"

/* One login may not take more than this: 256 MiB, and about as long as 3 passes over that. */
#define ARGON2_KIB_MAX 262144
#define ARGON2_LANES_MAX 64
#define ARGON2_WORK_MAX (4ULL * ARGON2_KIB_MAX) /* memory times passes */

struct argon2id {
	uint32_t kib, passes, lanes;
	size_t salt_len, hash_len;
	unsigned char salt[64];
	unsigned char hash[64];
};

/* RK_INVALID: not of this form, or parameters beyond the limits above. */
RK_MUST_CHECK enum rk_status argon2id_parse(
    struct str text, struct argon2id *out, struct rk_err *err);

enum verdict argon2id_check(struct str text, struct str password);

#endif
