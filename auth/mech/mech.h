/*
 * One SASL exchange, without the knowledge of any user. libgsasl reads the messages and does the
 * arithmetic of SCRAM; whoever drives the exchange looks users up and has passwords verified, which
 * takes time, so nothing here waits: mech_step returns what is needed, and goes on afterwards.
 */
#ifndef AUTH_MECH_MECH_H
#define AUTH_MECH_MECH_H

#include "auth/scheme.h"
#include "lib/base/buf.h"

struct mech_lib;
struct mech;

/* The library; one per process. */
RK_MUST_CHECK enum rk_status mech_lib_new(struct mech_lib **out, struct rk_err *err);
void mech_lib_free(struct mech_lib *lib);

/* Whether there is a mechanism of this name, and what it needs. */
enum mech_needs {
	MECH_UNKNOWN,
	MECH_NEEDS_NOTHING,
	MECH_NEEDS_BINDING,     /* -PLUS: a channel binding */
	MECH_NEEDS_CERTIFICATE, /* EXTERNAL */
};
enum mech_needs mech_needs(const char *name);

struct mech_setup {
	const char *name;       /* upper case */
	struct str cb_exporter; /* RFC 9266; may be empty; copied */
	struct str cb_unique;   /* RFC 5929; may be empty; copied */
	bool plus_offered;      /* a -PLUS mechanism was announced to this client */
};

/* RK_NOTFOUND: no such mechanism. *out is the caller's. */
RK_MUST_CHECK enum rk_status mech_start(
    struct mech_lib *lib, const struct mech_setup *setup, struct mech **out, struct rk_err *err);
/* Wipes. NULL is fine. */
void mech_free(struct mech *m);

enum mech_event {
	MECH_CHALLENGE, /* send `out`, come back with the answer */
	MECH_LOOKUP,    /* SCRAM: mech_user is known; mech_scram_salt, then mech_resume */
	MECH_KEYS,      /* SCRAM: mech_scram_keys, then mech_resume */
	MECH_VERIFY,    /* PLAIN, LOGIN: mech_password of mech_user; EXTERNAL: mech_authzid. The end
	                   of the exchange: what comes of it is the caller's decision */
	MECH_ACCEPT,    /* SCRAM: the proof was right; `out` is the server's last message */
	MECH_REJECT,    /* the credentials are wrong */
	MECH_MALFORMED, /* not a message of this mechanism */
	MECH_FAILED,    /* no memory */
};

/* Takes the client's next message; NULL: none was given yet (no initial response). After any event
 * but MECH_CHALLENGE, MECH_LOOKUP and MECH_KEYS the exchange is over. `out` is emptied first. */
enum mech_event mech_step(struct mech *m, const struct str *input, struct buf *out);
enum mech_event mech_resume(struct mech *m, struct buf *out);

/* What the client said; empty if it said nothing of the kind. Borrowed, until mech_free. */
struct str mech_user(const struct mech *m);
struct str mech_authzid(const struct mech *m);
struct str mech_password(const struct mech *m); /* prepared (RFC 4013), without NUL */

/* SCRAM only. */
bool mech_is_scram(const struct mech *m);
enum scram_hash mech_hash(const struct mech *m);
/* Salt and iterations of *keys go to the client; with `complete` also stored_key and server_key are
 * right, and MECH_KEYS will not come. */
void mech_scram_salt(struct mech *m, const struct scram_keys *keys, bool complete);
void mech_scram_keys(struct mech *m, struct str stored_key, struct str server_key);
const struct scram_keys *mech_scram(const struct mech *m);

#endif
