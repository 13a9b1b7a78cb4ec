/*
 * The protocol before login, in chunks that the first byte chooses, with authd's part played by the
 * second: whatever is sent, the answers are whole lines, and nothing is taken twice.
 */
#include <stdlib.h>
#include <string.h>

#include "imapd/gate/preauth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gate_settings settings = {
	.limit = { .line = 512,
	    .literal = 64,
	    .bytes = 65536,
	    .sasl = 256,
	    .commands = 50,
	    .bad_commands = 50,
	    .auth_tries = 50 },
	.greeting = "x",
	.mechanisms = { "PLAIN", "SCRAM-SHA-256" },
	.nmechanisms = 2,
};

static enum preauth_action
authd_answer(struct preauth *p, uint8_t choice)
{
	switch (choice % 4) {
	case 0:
		preauth_challenge(p, STR_LIT("challenge"));
		return PREAUTH_MORE;
	case 1:
		preauth_final(p, STR_LIT("v=x"));
		return PREAUTH_MORE;
	default:
		return preauth_rejected(p, (enum auth_failure)(choice / 4 % (AUTH_NEEDS_TLS + 1)));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct offer offer = { .starttls = true,
		.tls = size > 2 && (data[0] & 1) != 0,
		.plaintext = size > 2 && (data[0] & 2) != 0 };
	struct preauth *p = preauth_new(&settings, &offer);
	enum preauth_action action = PREAUTH_MORE;
	size_t at = 2;

	while (at < size && action < PREAUTH_CLOSE && p->state != PREAUTH_OVER) {
		size_t chunk = (data[0] >> 2) + 1u, used = 0;

		action = preauth_feed(p, data + at, chunk < size - at ? chunk : size - at, &used);
		if (used > chunk)
			abort();
		at += used;
		if (action == PREAUTH_STARTTLS)
			preauth_secured(p, &offer);
		else if (action == PREAUTH_HANDOFF)
			action = preauth_handoff_failed(p, RK_LIMIT);
		else if (action == PREAUTH_AUTH || action == PREAUTH_RESPONSE)
			action = authd_answer(p, data[1] ^ (uint8_t)at);
	}
	if (p->out.len > 0 && p->out.data[p->out.len - 1] != '\n')
		abort();
	preauth_free(p);
	return 0;
}
