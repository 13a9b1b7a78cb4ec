/* What this connection is offered before login: one place for the CAPABILITY text and the check. */
#ifndef GATE_CAPABILITY_H
#define GATE_CAPABILITY_H

#include "imapd/gate/settings.h"
#include "lib/base/buf.h"

/* What the connection is; changes with STARTTLS. */
struct offer {
	bool tls;
	bool starttls;  /* may be asked for */
	bool plaintext; /* passwords may pass: encrypted, or allowed in clear */
	bool binding;   /* the TLS session gives a channel binding */
	bool cert;      /* a verified client certificate with a name */
};

enum mechanism_answer {
	MECHANISM_OFFERED,
	MECHANISM_UNKNOWN,
	MECHANISM_NEEDS_TLS,
};

/* IMAP4rev1 IMAP4rev2 … AUTH=…, without "CAPABILITY " before it. */
void capability_write(struct buf *out, const struct gate_settings *s, const struct offer *offer);

/* `name` in upper case. */
enum mechanism_answer capability_mechanism(
    const struct gate_settings *s, const struct offer *offer, const char *name);

/* LOGIN is PLAIN in other words. */
enum mechanism_answer capability_login(const struct gate_settings *s, const struct offer *offer);

#endif
