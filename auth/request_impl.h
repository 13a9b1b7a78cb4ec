/* A request from the inside: request.c (its life), credential.c (who is it), decide.c (the end). */
#ifndef AUTH_REQUEST_IMPL_H
#define AUTH_REQUEST_IMPL_H

#include "auth/request.h"

struct event;

enum request_state {
	REQUEST_CLIENT, /* the client has the word */
	REQUEST_LOOKUP, /* a database has it */
	REQUEST_HASH,   /* a hash child has it */
	REQUEST_HELD,   /* decided; the answer waits for its time */
};

/* Why a credential is no good: for the log, never for the client. NULL: it is good. */
struct request {
	struct request *next_number, *next_id; /* chains of the two tables */
	struct authd *authd;
	struct link *link;
	uint64_t id;     /* the gate's */
	uint64_t number; /* ours, never used twice */
	enum request_state state;
	struct mech *mech;
	struct event *timer; /* the time of the answer, or the end of patience */

	/* Who asks. */
	char sid[SID_LEN + 1];
	char mechanism[24];
	char remote[48];
	bool tls;
	char cert_user[USER_MAX + 1];

	/* Who it says it is. */
	char said[USER_MAX + 1]; /* for the log: the name as it came, cut */
	struct username name;
	size_t database;    /* the next one to ask */
	const char *refuse; /* a reason to refuse, whatever the password */
	bool known;         /* a database has the user, and a password to compare with */
	struct grant grant;
	struct buf stored; /* data of the stored password */
	enum scheme scheme;

	/* What comes of it. */
	bool accepted;
	int64_t due; /* of the answer, on rk_clock_ms() */
	enum auth_failure failure;
	const char *reason;
	struct buf final; /* SCRAM's last message */
};

/* credential.c: what to do about an event of the mechanism. `out` is a challenge or last message.
 */
void request_event(struct request *r, enum mech_event event, struct buf *out);
void request_lookup_done(
    void *authd, uint64_t number, enum rk_status status, const struct db_user *user);

/* decide.c: the request is settled; the answer goes out when its time has come. */
void request_accept(struct request *r);
void request_reject(struct request *r, enum auth_failure failure, const char *reason);

/* request.c */
struct request *request_find(struct requests *requests, uint64_t number);
void request_challenge(struct request *r, const struct buf *bytes);
void request_end(struct request *r);

#endif
