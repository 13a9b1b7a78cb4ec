#include "auth/argon2id.h"

#include <argon2.h>
#include <string.h>

#include "auth/base64.h"

/*
 * We read the text ourselves: argon2id_verify() of the library takes whatever memory a record asks
 * for, and starts a thread for each lane, which the sandbox of a hash child does not allow. The
 * lanes are computed one after the other instead; the result is the same.
 */

static bool
number(struct str part, const char *name, uint64_t max, uint32_t *out)
{
	uint64_t v;
	size_t n = strlen(name);

	if (!str_starts(part, name) || !str_u64(str_of(part.p + n, part.n - n), max, &v) || v == 0)
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool
parameters(struct str text, struct argon2id *out)
{
	struct str part[3];

	for (size_t i = 0; i < 3; i++) {
		if (!str_split(&text, ',', &part[i]))
			return false;
	}
	return text.n == 0 && number(part[0], "m=", UINT32_MAX, &out->kib) &&
	       number(part[1], "t=", UINT32_MAX, &out->passes) &&
	       number(part[2], "p=", UINT32_MAX, &out->lanes);
}

enum rk_status
argon2id_parse(struct str text, struct argon2id *out, struct rk_err *err)
{
	const char *end = text.p + text.n;
	struct str part[6];

	*out = (struct argon2id){ .kib = 0 };
	for (size_t i = 0; i < 6; i++) {
		if (!str_split(&text, '$', &part[i]))
			return rk_fail_plain(err, RK_INVALID,
			    "an argon2id hash is $argon2id$v=19$m=…,t=…,p=…$salt$hash");
	}
	if (part[5].p + part[5].n != end || part[0].n != 0 || !str_is(part[1], "argon2id") ||
	    !str_is(part[2], "v=19") || !parameters(part[3], out))
		return rk_fail_plain(
		    err, RK_INVALID, "an argon2id hash is $argon2id$v=19$m=…,t=…,p=…$salt$hash");
	if (out->lanes > ARGON2_LANES_MAX || out->kib > ARGON2_KIB_MAX ||
	    (uint64_t)out->kib * out->passes > ARGON2_WORK_MAX || out->kib < 8 * out->lanes)
		return rk_fail_plain(err, RK_INVALID,
		    "argon2id parameters: p at most %d, m from 8p to %d, m*t at most %llu",
		    ARGON2_LANES_MAX, ARGON2_KIB_MAX, (unsigned long long)ARGON2_WORK_MAX);
	if (!b64_decode(part[4], true, out->salt, sizeof(out->salt), &out->salt_len) ||
	    !b64_decode(part[5], true, out->hash, sizeof(out->hash), &out->hash_len) ||
	    out->salt_len < 8 || out->hash_len < 16)
		return rk_fail_plain(err, RK_INVALID, "an argon2id salt or hash is no base64");
	return RK_OK;
}

enum verdict
argon2id_check(struct str text, struct str password)
{
	unsigned char got[64];
	struct argon2id a;
	argon2_context work;
	enum verdict verdict;

	if (argon2id_parse(text, &a, NULL) != RK_OK)
		return VERDICT_ERROR;
	work = (argon2_context){
		.out = got,
		.outlen = (uint32_t)a.hash_len,
		.pwd = (uint8_t *)(uintptr_t)password.p, /* only read: FLAG_CLEAR_PASSWORD is off */
		.pwdlen = (uint32_t)password.n,
		.salt = a.salt,
		.saltlen = (uint32_t)a.salt_len,
		.t_cost = a.passes,
		.m_cost = a.kib,
		.lanes = a.lanes,
		.threads = 1,
		.version = ARGON2_VERSION_13,
		.flags = ARGON2_DEFAULT_FLAGS,
	};
	if (argon2_ctx(&work, Argon2_id) != ARGON2_OK)
		return VERDICT_ERROR;
	verdict = str_eq_secret(str_of(got, a.hash_len), str_of(a.hash, a.hash_len)) ? VERDICT_YES
	                                                                             : VERDICT_NO;
	explicit_bzero(got, sizeof(got));
	return verdict;
}
