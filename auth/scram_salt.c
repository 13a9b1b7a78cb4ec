#include "auth/scram_salt.h"

#include <gsasl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/bug.h"
#include "lib/base/file.h"
#include "lib/base/os_linux.h"

#define KEY_DIR "auth"
#define KEY_FILE "scram.key"
#define NAME_MAX_BYTES 1100 /* of a name that the canonicaliser refused for its length, cut */

void
scram_salt_key_random(struct scram_salt_key *out)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char bytes[SCRAM_SALT_KEY_LEN];

	os_random(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		out->hex[2 * i] = hex[bytes[i] >> 4];
		out->hex[2 * i + 1] = hex[bytes[i] & 15];
	}
	out->hex[2 * sizeof(bytes)] = '\0';
	explicit_bzero(bytes, sizeof(bytes));
}

static enum rk_status
key_read(int dirfd, struct scram_salt_key *out, struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	struct rk_blob text = { 0 };
	enum rk_status status;
	struct stat st;
	int fd;

	status = file_open_regular(dirfd, KEY_FILE, O_RDONLY, &fd, &st, err);
	if (status != RK_OK)
		goto out;
	status = file_read(fd, sizeof(out->hex), mem, &text, err);
	close(fd);
	if (status == RK_OK && text.len < sizeof(out->hex) - 1)
		status = rk_fail_plain(err, RK_CORRUPT, "%s/%s is too short", KEY_DIR, KEY_FILE);
	if (status != RK_OK)
		goto out;
	memcpy(out->hex, text.data, sizeof(out->hex) - 1);
	out->hex[sizeof(out->hex) - 1] = '\0';
	/* It goes through SASLprep as a password below: printable ASCII stays what it is. */
	if (strspn(out->hex, "0123456789abcdef") != sizeof(out->hex) - 1)
		status = rk_fail_plain(err, RK_CORRUPT, "%s/%s is no key", KEY_DIR, KEY_FILE);
out:
	arena_free(mem);
	return status;
}

enum rk_status
scram_salt_key_load(const char *state_dir, struct scram_salt_key *out, struct rk_err *err)
{
	int state, dir;
	enum rk_status status;

	status = file_open_dir(AT_FDCWD, state_dir, &state, err);
	if (status != RK_OK)
		return status;
	status = file_make_dir(state, KEY_DIR, 0700, err);
	if (status == RK_OK)
		status = file_open_dir(state, KEY_DIR, &dir, err);
	close(state);
	if (status != RK_OK)
		return status;
	status = key_read(dir, out, err);
	if (status == RK_NOTFOUND) {
		scram_salt_key_random(out);
		status = file_replace(dir, KEY_FILE, out->hex, sizeof(out->hex) - 1, 0600, err);
		/* Two starts at once: whoever came last has written the key that counts. */
		if (status == RK_OK)
			status = key_read(dir, out, err);
	}
	close(dir);
	return status;
}

/*
 * The first block of PBKDF2 with one iteration is HMAC-SHA-256(key, name || 1): the keyed function
 * that we need, out of the library that we have.
 */
void
scram_salt_of(const struct scram_salt_key *key, enum scram_hash hash, struct str name,
    unsigned char salt[SCRAM_SALT_LEN])
{
	char input[1 + NAME_MAX_BYTES], out[SCRAM_HASH_MAX], unused[3][SCRAM_HASH_MAX];
	size_t n = name.n < NAME_MAX_BYTES ? name.n : NAME_MAX_BYTES;

	input[0] = (char)hash;
	memcpy(input + 1, name.p, n);
	if (gsasl_scram_secrets_from_password(GSASL_HASH_SHA256, key->hex, 1, input, 1 + n, out,
		unused[0], unused[1], unused[2]) != GSASL_OK)
		rk_bug("no keyed hash");
	memcpy(salt, out, SCRAM_SALT_LEN);
}
