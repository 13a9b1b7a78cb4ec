/*
 * All messages between our processes: who sends them, what is in them, in which order. Everything
 * that crosses is a struct here with one put and one get function, so that both ends share one
 * reading. Strings are bounded by the arrays they land in.
 */
#ifndef IPC_PROTO_H
#define IPC_PROTO_H

#include "lib/ipc/edges.h"
#include "lib/ipc/msg.h"

#include <sys/types.h>

#define SID_LEN 16          /* characters of a session id */
#define TICKET_LEN 32       /* random bytes of a ticket */
#define USER_MAX 255        /* canonical user name in bytes */
#define AUTH_DATA_MAX 12288 /* decoded SASL message; 16 KiB of base64 */
#define HANDOFF_TAG_MAX 128
#define GRANT_GROUPS_MAX 32
#define GRANT_PARAMS_MAX 16

struct ticket {
	uint32_t generation; /* of the authd that minted it: it can be redeemed only there */
	unsigned char bytes[TICKET_LEN];
};

/* Makes a ticket nobody can guess. */
void ticket_make(struct ticket *t, uint32_t generation);
bool ticket_equal(const struct ticket *a, const struct ticket *b); /* constant time */
/* Session id: SID_LEN characters of [A-Z2-7] and a NUL. */
void sid_make(char sid[SID_LEN + 1]);

/* An IP address and port in text: "192.0.2.1" or "2001:db8::1". */
struct endpoint {
	char address[48];
	uint16_t port;
};

struct link_info {
	char peer[16];       /* service name of the other end: "authd" */
	uint32_t generation; /* of the other end */
	pid_t pid;
};

struct auth_start {
	char sid[SID_LEN + 1];
	char mechanism[24]; /* upper case */
	bool tls;
	bool has_initial;   /* initial response given (may be empty) */
	struct str initial; /* decoded; borrowed */
	struct endpoint remote;
	struct endpoint local;
	char cert_user[USER_MAX +
		       1];      /* EXTERNAL: identity of a verified client certificate, or "" */
	struct str cb_exporter; /* tls-exporter bytes, may be empty; borrowed */
	struct str cb_unique;   /* tls-unique bytes, may be empty; borrowed */
};

struct auth_ok {
	struct ticket ticket;
	char user[USER_MAX + 1]; /* canonical, for the log line of the gate */
	struct str final;        /* server's last SASL data (SCRAM v=…), may be empty; borrowed */
	bool has_final;          /* send it as a challenge and await the empty answer first */
};

enum auth_failure {
	AUTH_REJECTED,     /* [AUTHENTICATIONFAILED]: one wording for every reason */
	AUTH_UNAVAILABLE,  /* [UNAVAILABLE]: a database or the hash queue is down; no penalty */
	AUTH_BAD,          /* BAD: malformed SASL message */
	AUTH_NO_MECHANISM, /* NO [CANNOT]: mechanism not offered here */
	AUTH_NEEDS_TLS,    /* NO [PRIVACYREQUIRED] */
};

struct auth_fail {
	enum auth_failure reason;
};

struct grant_param {
	char key[32];
	char value[256];
};

/* Everything about a user that a worker may know. */
struct grant {
	char user[USER_MAX + 1];
	uid_t uid;
	gid_t gid;
	gid_t groups[GRANT_GROUPS_MAX];
	uint32_t ngroups;
	char home[256];
	char storage[32];             /* title of a storage section; "" = the first one */
	uint32_t max_sessions;        /* per user; 0 = the configured default */
	uint32_t max_sessions_per_ip; /* per user and address; 0 = the configured default */
	struct grant_param params[GRANT_PARAMS_MAX]; /* for the storage driver ("path") */
	uint32_t nparams;
};

enum handoff_reply {
	HANDOFF_LOGIN,        /* tagged OK of LOGIN is due */
	HANDOFF_AUTHENTICATE, /* tagged OK of AUTHENTICATE is due */
};

struct handoff {
	char sid[SID_LEN + 1];
	struct ticket ticket;
	char tag[HANDOFF_TAG_MAX + 1];
	enum handoff_reply reply;
	struct endpoint remote;
	struct endpoint local;
	bool tls; /* the client's side is encrypted; the descriptor is the relay's socket */
	uint32_t bad_commands;
};

struct who_row {
	char sid[SID_LEN + 1];
	char user[USER_MAX + 1];
	char remote[48];
	char command[24];
	pid_t pid;
	uint64_t since; /* seconds since 1970 */
	bool tls;
};

struct hub_topic {
	char account[USER_MAX +
		     1]; /* canonical user name; the hub checks it against the worker's uid */
};

struct hub_notice {
	char account[USER_MAX + 1];
	unsigned char box[RK_GUID_LEN]; /* zero: the mailbox list changed */
	uint64_t modseq;
};

#define ADMIN_ARGS_MAX 4
struct admin_request {
	char verb[16]; /* status who kick reload stop */
	char args[ADMIN_ARGS_MAX][USER_MAX + 1];
	uint32_t nargs;
};

/* put: fills the message after msg_begin. get: reads it; the result counts only if msg_end is OK.
 */
void put_ticket(struct msg_out *m, const struct ticket *t);
void get_ticket(struct msg_in *m, struct ticket *t);
void put_link_info(struct msg_out *m, const struct link_info *l);
void get_link_info(struct msg_in *m, struct link_info *l);
void put_auth_start(struct msg_out *m, const struct auth_start *a);
void get_auth_start(struct msg_in *m, struct auth_start *a);
void put_auth_ok(struct msg_out *m, const struct auth_ok *a);
void get_auth_ok(struct msg_in *m, struct auth_ok *a);
void put_auth_fail(struct msg_out *m, const struct auth_fail *a);
void get_auth_fail(struct msg_in *m, struct auth_fail *a);
void put_grant(struct msg_out *m, const struct grant *g);
void get_grant(struct msg_in *m, struct grant *g);
void put_handoff(struct msg_out *m, const struct handoff *h);
void get_handoff(struct msg_in *m, struct handoff *h);
void put_who_row(struct msg_out *m, const struct who_row *w);
void get_who_row(struct msg_in *m, struct who_row *w);
void put_hub_topic(struct msg_out *m, const struct hub_topic *t);
void get_hub_topic(struct msg_in *m, struct hub_topic *t);
void put_hub_notice(struct msg_out *m, const struct hub_notice *n);
void get_hub_notice(struct msg_in *m, struct hub_notice *n);
void put_admin_request(struct msg_out *m, const struct admin_request *a);
void get_admin_request(struct msg_in *m, struct admin_request *a);

#endif
