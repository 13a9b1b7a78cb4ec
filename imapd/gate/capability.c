#include "imapd/gate/capability.h"

#include <string.h>

/* LITERAL-: before login the bound is lower still, and a longer literal ends the connection. */
static const char always[] =
    "IMAP4rev1 IMAP4rev2 LITERAL- SASL-IR ID ENABLE IDLE NAMESPACE UNSELECT";

static bool
configured(const struct gate_settings *s, const char *name)
{
	for (size_t i = 0; i < s->nmechanisms; i++) {
		if (strcmp(s->mechanisms[i], name) == 0)
			return true;
	}
	return false;
}

static bool
binds_channel(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && strcmp(name + n - 5, "-PLUS") == 0;
}

static enum mechanism_answer
mechanism_allowed(const struct offer *offer, const char *name)
{
	if (strcmp(name, "PLAIN") == 0 || strcmp(name, "LOGIN") == 0)
		return offer->plaintext ? MECHANISM_OFFERED : MECHANISM_NEEDS_TLS;
	if (binds_channel(name)) {
		if (!offer->tls)
			return MECHANISM_NEEDS_TLS;
		return offer->binding ? MECHANISM_OFFERED : MECHANISM_UNKNOWN;
	}
	if (strcmp(name, "EXTERNAL") == 0) {
		if (!offer->tls)
			return MECHANISM_NEEDS_TLS;
		return offer->cert ? MECHANISM_OFFERED : MECHANISM_UNKNOWN;
	}
	return MECHANISM_OFFERED;
}

enum mechanism_answer
capability_mechanism(const struct gate_settings *s, const struct offer *offer, const char *name)
{
	if (!configured(s, name))
		return MECHANISM_UNKNOWN;
	return mechanism_allowed(offer, name);
}

enum mechanism_answer
capability_login(const struct gate_settings *s, const struct offer *offer)
{
	return capability_mechanism(s, offer, "PLAIN");
}

void
capability_write(struct buf *out, const struct gate_settings *s, const struct offer *offer)
{
	buf_adds(out, always);
	if (offer->starttls && !offer->tls)
		buf_adds(out, " STARTTLS");
	if (capability_login(s, offer) != MECHANISM_OFFERED)
		buf_adds(out, " LOGINDISABLED");
	for (size_t i = 0; i < s->nmechanisms; i++) {
		if (mechanism_allowed(offer, s->mechanisms[i]) == MECHANISM_OFFERED)
			buf_addf(out, " AUTH=%s", s->mechanisms[i]);
	}
}
