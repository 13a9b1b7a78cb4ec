/*
 * One client's connection, from accept to the end of its session or the hand-off.
 *
 * In clear text the worker gets the client's own socket, so nothing may be read that the gate does
 * not use itself: bytes are peeked at, and taken only up to the end of a line that is handled here.
 * Under TLS the gate stays in between as a relay (tls_relay.c).
 */
#ifndef GATE_CONN_H
#define GATE_CONN_H

#include "imapd/gate/gate.h"
#include "imapd/gate/preauth.h"

enum conn_state {
	CONN_NEW,
	CONN_PROXY,     /* the balancer's header is awaited */
	CONN_HANDSHAKE, /* TLS */
	CONN_TALK,      /* commands, or lines of a SASL exchange */
	CONN_STARTTLS,  /* the OK is on its way out, then CONN_HANDSHAKE */
	CONN_AUTH,      /* authd has the word */
	CONN_HANDOFF,   /* the spawner has it */
	CONN_RELAY,
	CONN_FLUSH,  /* last words are going out */
	CONN_LINGER, /* the client still sends: read away, or it loses the last words */
	CONN_DEAD,
	CONN_STATES
};

struct relay;

struct conn {
	struct gate *gate;
	struct conn *next_dead;
	uint32_t slot;
	enum conn_state state;
	int fd; /* -1: gone to a worker */
	bool implicit_tls;
	bool starttls;
	bool proxied;
	struct event io;
	short wanted; /* EV_READ, EV_WRITE as armed in io */
	struct event timer;
	int64_t login_deadline;
	struct addr remote;
	struct addr local;
	struct limit_hold hold;
	char sid[SID_LEN + 1];
	struct buf in; /* PROXY header so far; under TLS: decrypted and not used yet */
	struct tls_conn *tls;
	struct preauth *pre; /* NULL before the greeting and in a relay */
	struct link *link;   /* who owes an answer; NULL: nobody */
	uint64_t request;
	struct ticket ticket;
	char user[USER_MAX + 1]; /* for the log */
	struct relay *relay;
};

/* Takes `fd`, a client that was just accepted. */
void conn_accept(struct listener *listener, int fd, const struct addr *remote);

/* Changes the state by the table of allowed edges; anything else is our bug. */
void conn_enter(struct conn *c, enum conn_state state);
/* Goes on after something else than the client's socket moved. */
void conn_run(struct conn *c);
/* Ends it: closes, cancels, counts; freed a moment later. */
void conn_end(struct conn *c, const char *reason);
/* Says BYE with what is in the output, then ends. */
void conn_bye(struct conn *c, const char *text);
/* Arms the client's socket. */
void conn_want(struct conn *c, short events);
void conn_deadline(struct conn *c, int64_t deadline_ms);
/* Puts session and address into every log line from here on; NULL takes them out. */
void conn_context(const struct conn *c);
/* The end of what we say: closes our direction and reads away what the client still sends. */
void conn_linger(struct conn *c);
/* After an answer from authd or the spawner: the client has the word again. */
void conn_resume(struct conn *c, enum preauth_action action);
/* Does what the protocol asks for. */
void conn_action(struct conn *c, enum preauth_action action);

/* Sends away who has not logged in and waits for no answer (end of the drain's grace). */
void conn_drain_all(struct gate *g);
/* Ends everything at once. */
void conn_end_all(struct gate *g);
/* A message of authd or the spawner. */
void conn_message(struct gate *g, struct link *link, struct msg_in *m);
/* Answers that will never come. */
void conn_link_lost(struct gate *g, const struct link *link);

/* sasl_relay.c: between the client's lines and authd. */
void sasl_start(struct conn *c);
void sasl_response(struct conn *c);
void sasl_cancel(struct conn *c);
void sasl_message(struct conn *c, struct msg_in *m);
void sasl_unavailable(struct conn *c);

/* handoff.c: from a ticket to a worker. */
void handoff_start(struct conn *c);
void handoff_message(struct conn *c, struct msg_in *m);
void handoff_unavailable(struct conn *c);
/* A new number for a request of this connection. */
uint64_t conn_request(struct conn *c);

/* tls_relay.c */
struct relay *relay_new(struct conn *c, int fd); /* takes fd, the gate's end */
void relay_free(struct relay *r);
void relay_start(struct conn *c);
void relay_run(struct conn *c);

#endif
