/* Clients' messages through all SASL mechanisms: the first byte chooses, LF parts the messages. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/mech/mech.h"
#include "auth/username.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = { "PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS",
	"SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "EXTERNAL" };
static const struct scram_keys keys = { .iterations = 4096, .salt_len = 4, .salt = "salt" };
static const char zeros[SCRAM_HASH_MAX];

/* What authd does about an event, with the keys of nobody. */
static enum mech_event
go_on(struct mech *m, enum mech_event event, struct buf *out)
{
	size_t n = mech_is_scram(m) ? scram_hash_len(mech_hash(m)) : 0;

	if (event == MECH_LOOKUP) {
		mech_scram_salt(m, &keys, false);
		event = mech_resume(m, out);
	}
	if (event != MECH_KEYS || mech_scram(m)->iterations != keys.iterations)
		return event;
	mech_scram_keys(m, str_of(zeros, n), str_of(zeros, n));
	return mech_resume(m, out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct username_rule rule = { .default_domain = "d", .lower = true };
	static struct mech_lib *lib;
	struct mech_setup setup = { .cb_exporter = STR_LIT("exporter"), .plus_offered = true };
	struct str rest, message;
	struct username name;
	struct buf out = BUF_INIT;
	struct mech *m;

	if (size < 1 || (lib == NULL && mech_lib_new(&lib, NULL) != RK_OK))
		return 0;
	setup.name = names[data[0] % (sizeof(names) / sizeof(names[0]))];
	if (mech_start(lib, &setup, &m, NULL) != RK_OK)
		abort();
	rest = str_of(data + 1, size - 1);
	while (str_split(&rest, '\n', &message)) {
		if (go_on(m, mech_step(m, &message, &out), &out) != MECH_CHALLENGE)
			break;
	}
	if (username_make(mech_user(m), &rule, &name) == USERNAME_OK &&
	    (strlen(name.text) != name.len || strpbrk(name.text, "/:") != NULL))
		abort();
	if (mech_authzid(m).n > size || mech_password(m).n > 20 * size) /* SASLprep can grow it */
		abort();
	buf_wipe(&out);
	mech_free(m);
	return 0;
}
