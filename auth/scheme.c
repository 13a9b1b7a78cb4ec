#include "auth/scheme.h"

#include <crypt.h>
#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

#include "auth/argon2id.h"
#include "auth/base64.h"

#define BCRYPT_COST_MAX 15
#define SHA_ROUNDS_MAX 5000000

static const struct {
	const char *name;
	enum scheme scheme;
	const char *start; /* how the data of a crypt alias has to begin; NULL: any that we know */
} schemes[] = {
	{ "PLAIN", SCHEME_PLAIN, NULL },
	{ "CLEARTEXT", SCHEME_PLAIN, NULL },
	{ "CRYPT", SCHEME_CRYPT, NULL },
	{ "SHA512-CRYPT", SCHEME_CRYPT, "$6$" },
	{ "SHA256-CRYPT", SCHEME_CRYPT, "$5$" },
	{ "BLF-CRYPT", SCHEME_CRYPT, "$2" },
	{ "YESCRYPT", SCHEME_CRYPT, "$y$" },
	{ "ARGON2ID", SCHEME_ARGON2ID, NULL },
	{ "SCRAM-SHA-1", SCHEME_SCRAM_SHA_1, NULL },
	{ "SCRAM-SHA-256", SCHEME_SCRAM_SHA_256, NULL },
};

static const char *const crypt_starts[] = { "$y$", "$2a$", "$2b$", "$2y$", "$6$", "$5$" };

static bool
crypt_known(struct str data)
{
	for (size_t i = 0; i < sizeof(crypt_starts) / sizeof(crypt_starts[0]); i++) {
		if (str_starts(data, crypt_starts[i]))
			return true;
	}
	return false;
}

/* The number of "rounds=" in a SHA hash, the cost of a bcrypt one; 0 where there is none. */
static uint64_t
crypt_cost(struct str data)
{
	static const char rounds[] = "rounds=";
	uint64_t cost = 0;
	size_t at = data.p[1] == '2' ? 4 : 3;

	if (data.p[1] == 'y')
		return 0;
	if (data.p[1] != '2') {
		if (data.n < at + sizeof(rounds) ||
		    memcmp(data.p + at, rounds, sizeof(rounds) - 1) != 0)
			return 0;
		at += sizeof(rounds) - 1;
	}
	for (; at < data.n && data.p[at] >= '0' && data.p[at] <= '9'; at++) {
		if (cost > UINT32_MAX)
			break;
		cost = cost * 10 + (uint64_t)(data.p[at] - '0');
	}
	return cost;
}

static enum rk_status
crypt_check(struct str data, struct rk_err *err)
{
	uint64_t max;

	if (!crypt_known(data))
		return rk_fail_plain(
		    err, RK_INVALID, "a crypt hash of an unknown or too weak kind");
	if (data.n >= CRYPT_OUTPUT_SIZE)
		return rk_fail_plain(err, RK_INVALID, "a crypt hash of %zu bytes", data.n);
	for (size_t i = 0; i < data.n; i++) {
		char c = data.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			(c != '\0' && strchr("./$=,-+", c) != NULL)))
			return rk_fail_plain(err, RK_INVALID, "a strange byte in a crypt hash");
	}
	max = data.p[1] == '2' ? BCRYPT_COST_MAX : SHA_ROUNDS_MAX;
	if (crypt_cost(data) > max)
		return rk_fail_plain(err, RK_INVALID, "a crypt hash with a cost above %llu",
		    (unsigned long long)max);
	return RK_OK;
}

static enum rk_status
stored_check(const struct stored *stored, struct rk_err *err)
{
	struct scram_keys keys;
	struct argon2id parsed;
	enum rk_status status = RK_OK;

	switch (stored->scheme) {
	case SCHEME_CRYPT:
		return crypt_check(stored->data, err);
	case SCHEME_ARGON2ID:
		return argon2id_parse(stored->data, &parsed, err);
	case SCHEME_SCRAM_SHA_1:
	case SCHEME_SCRAM_SHA_256:
		status = scram_keys_parse(stored->data,
		    stored->scheme == SCHEME_SCRAM_SHA_1 ? SCRAM_SHA_1 : SCRAM_SHA_256, &keys, err);
		explicit_bzero(&keys, sizeof(keys));
		return status;
	default:
		if (stored->data.n == 0 || stored->data.n > PASSWORD_MAX ||
		    memchr(stored->data.p, '\0', stored->data.n) != NULL)
			return rk_fail_plain(
			    err, RK_INVALID, "a password has 1 to %d bytes", PASSWORD_MAX);
		return RK_OK;
	}
}

/* `{NAME}` at the front of *field. */
static enum rk_status
scheme_take(struct str *field, struct stored *out, struct rk_err *err)
{
	const char *end = memchr(field->p, '}', field->n);
	struct str name, data;

	if (end == NULL)
		return rk_fail_plain(err, RK_INVALID, "a password scheme without '}'");
	name = str_of(field->p + 1, (size_t)(end - field->p) - 1);
	data = str_of(end + 1, field->n - name.n - 2);
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (!str_iis(name, schemes[i].name))
			continue;
		if (schemes[i].start != NULL && !str_starts(data, schemes[i].start))
			return rk_fail_plain(
			    err, RK_INVALID, "the hash is none of {%s}", schemes[i].name);
		out->scheme = schemes[i].scheme;
		out->data = data;
		return RK_OK;
	}
	return rk_fail_plain(err, RK_INVALID, "unknown password scheme {%.*s}",
	    (int)(name.n < 32 ? name.n : 32), name.p);
}

enum rk_status
stored_parse(struct str field, struct stored *out, struct rk_err *err)
{
	enum rk_status status = RK_OK;

	*out = (struct stored){ .scheme = SCHEME_NONE, .data = STR_LIT("") };
	if (field.n == 0 || str_is(field, "x") || str_is(field, "*") || field.p[0] == '!')
		return RK_OK;
	if (field.n > STORED_MAX)
		return rk_fail_plain(err, RK_INVALID, "a password field of %zu bytes", field.n);
	if (field.p[0] == '{')
		status = scheme_take(&field, out, err);
	else
		*out = (struct stored){ .scheme = SCHEME_CRYPT, .data = field };
	return status == RK_OK ? stored_check(out, err) : status;
}

struct str
stored_class(const struct stored *stored)
{
	struct str data = stored->data;
	size_t dollars = 0, wanted = 0;

	switch (stored->scheme) {
	case SCHEME_CRYPT:
		/* $y$params$… $2b$12$… $6$rounds=N$… $6$salt */
		wanted = data.p[1] == 'y' || data.p[1] == '2' || crypt_cost(data) != 0 ? 3 : 2;
		break;
	case SCHEME_ARGON2ID:
		wanted = 4;
		break;
	case SCHEME_SCRAM_SHA_1:
	case SCHEME_SCRAM_SHA_256:
		return str_of(data.p, (size_t)((const char *)memchr(data.p, ',', data.n) - data.p));
	default:
		return STR_LIT("");
	}
	for (size_t i = 0; i < data.n; i++) {
		dollars += data.p[i] == '$';
		if (dollars == wanted)
			return str_of(data.p, i + 1);
	}
	return data;
}

static enum verdict
crypt_verify(struct str data, const char *password)
{
	struct crypt_data *work = calloc(1, sizeof(*work));
	char setting[CRYPT_OUTPUT_SIZE];
	enum verdict verdict = VERDICT_ERROR;
	const char *got;

	if (work == NULL)
		return VERDICT_ERROR;
	memcpy(setting, data.p, data.n);
	setting[data.n] = '\0';
	got = crypt_rn(password, setting, work, (int)sizeof(*work));
	if (got != NULL)
		verdict = str_eq_secret(str_from(got), data) ? VERDICT_YES : VERDICT_NO;
	explicit_bzero(work, sizeof(*work));
	free(work);
	return verdict;
}

static enum verdict
plain_verify(struct str data, struct str password)
{
	char stored[PASSWORD_MAX + 1];
	char *prepared = NULL;
	enum verdict verdict = VERDICT_NO;

	memcpy(stored, data.p, data.n);
	stored[data.n] = '\0';
	if (gsasl_saslprep(stored, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) == GSASL_OK &&
	    str_eq_secret(str_from(prepared), password))
		verdict = VERDICT_YES;
	if (prepared != NULL)
		explicit_bzero(prepared, strlen(prepared));
	gsasl_free(prepared);
	explicit_bzero(stored, sizeof(stored));
	return verdict;
}

static enum verdict
scram_verify(struct str data, enum scram_hash hash, struct str password)
{
	struct scram_keys stored, derived;
	enum verdict verdict = VERDICT_ERROR;
	size_t n = scram_hash_len(hash);

	if (scram_keys_parse(data, hash, &stored, NULL) != RK_OK)
		return VERDICT_ERROR;
	derived = stored;
	if (scram_derive(hash, password, &derived))
		verdict = str_eq_secret(str_of(derived.stored_key, n), str_of(stored.stored_key, n))
		              ? VERDICT_YES
		              : VERDICT_NO;
	explicit_bzero(&stored, sizeof(stored));
	explicit_bzero(&derived, sizeof(derived));
	return verdict;
}

enum verdict
stored_verify(const struct stored *stored, struct str password)
{
	char text[PASSWORD_MAX + 1];
	enum verdict verdict = VERDICT_NO;

	if (password.n > PASSWORD_MAX || stored->data.n > STORED_MAX)
		return VERDICT_NO;
	memcpy(text, password.p, password.n);
	text[password.n] = '\0';
	switch (stored->scheme) {
	case SCHEME_PLAIN:
		verdict = plain_verify(stored->data, password);
		break;
	case SCHEME_CRYPT:
		verdict = crypt_verify(stored->data, text);
		break;
	case SCHEME_ARGON2ID:
		verdict = argon2id_check(stored->data, password);
		break;
	case SCHEME_SCRAM_SHA_1:
		verdict = scram_verify(stored->data, SCRAM_SHA_1, password);
		break;
	case SCHEME_SCRAM_SHA_256:
		verdict = scram_verify(stored->data, SCRAM_SHA_256, password);
		break;
	default:
		break;
	}
	explicit_bzero(text, sizeof(text));
	return verdict;
}

size_t
scram_hash_len(enum scram_hash hash)
{
	return hash == SCRAM_SHA_1 ? 20 : 32;
}

enum rk_status
scram_keys_parse(struct str text, enum scram_hash hash, struct scram_keys *out, struct rk_err *err)
{
	struct str part[4], rest = text;
	size_t want = scram_hash_len(hash), stored_len, server_len;
	uint64_t iterations;

	*out = (struct scram_keys){ .iterations = 0 };
	for (size_t i = 0; i < 4; i++) {
		if (!str_split(&rest, ',', &part[i]))
			return rk_fail_plain(
			    err, RK_INVALID, "SCRAM keys are iterations,salt,StoredKey,ServerKey");
	}
	if (!str_u64(part[0], SCRAM_ITER_MAX, &iterations) || iterations == 0)
		return rk_fail_plain(
		    err, RK_INVALID, "SCRAM iterations are 1 to %d", SCRAM_ITER_MAX);
	out->iterations = (uint32_t)iterations;
	if (!b64_decode(part[1], false, out->salt, sizeof(out->salt), &out->salt_len) ||
	    out->salt_len == 0)
		return rk_fail_plain(err, RK_INVALID, "the SCRAM salt is no base64");
	if (part[3].p + part[3].n != text.p + text.n ||
	    !b64_decode(part[2], false, out->stored_key, want, &stored_len) ||
	    !b64_decode(part[3], false, out->server_key, want, &server_len) || stored_len != want ||
	    server_len != want)
		return rk_fail_plain(
		    err, RK_INVALID, "the SCRAM keys are no base64 of %zu bytes", want);
	return RK_OK;
}

bool
scram_derive(enum scram_hash hash, struct str password, struct scram_keys *keys)
{
	char text[PASSWORD_MAX + 1], salted[SCRAM_HASH_MAX], client[SCRAM_HASH_MAX];
	int rc;

	if (password.n > PASSWORD_MAX)
		return false;
	memcpy(text, password.p, password.n);
	text[password.n] = '\0';
	rc = gsasl_scram_secrets_from_password(
	    hash == SCRAM_SHA_1 ? GSASL_HASH_SHA1 : GSASL_HASH_SHA256, text, keys->iterations,
	    (const char *)keys->salt, keys->salt_len, salted, client, (char *)keys->server_key,
	    (char *)keys->stored_key);
	explicit_bzero(text, sizeof(text));
	explicit_bzero(salted, sizeof(salted));
	explicit_bzero(client, sizeof(client));
	return rc == GSASL_OK;
}
