/*
 * The protocol before login: bytes in, answers and actions out. No sockets, no processes; the
 * connection (conn.c) moves the bytes and does what an action asks for.
 */
#ifndef GATE_PREAUTH_H
#define GATE_PREAUTH_H

#include "imapd/gate/capability.h"
#include "lib/ipc/proto.h"
#include "lib/wire/reader.h"

enum preauth_action {
	PREAUTH_MORE,     /* send what is in `out`, take more bytes */
	PREAUTH_STARTTLS, /* send, throw away what the client sent behind it, shake hands */
	PREAUTH_AUTH,     /* ask authd: `mechanism`, `has_data`, `data` */
	PREAUTH_RESPONSE, /* pass `data` on to authd */
	PREAUTH_CANCEL,   /* tell authd to forget the exchange; then as `closing` says */
	PREAUTH_HANDOFF,  /* the client has taken authd's last word: give it to the spawner */
	PREAUTH_CLOSE,    /* send, then close */
	PREAUTH_DROP,     /* close without a word */
};

enum preauth_state {
	PREAUTH_COMMAND,
	PREAUTH_SASL,  /* a challenge is out: a line of base64 comes */
	PREAUTH_FINAL, /* authd has said yes; the client's empty answer comes */
	PREAUTH_WAIT,  /* somebody else has the word: nothing is taken from the client */
	PREAUTH_OVER,
};

struct preauth {
	const struct gate_settings *settings;
	struct offer offer;
	enum preauth_state state;
	bool closing; /* a limit was passed: close once `out` is sent */
	struct buf out;
	/* The command being answered. */
	char tag[HANDOFF_TAG_MAX + 1];
	enum handoff_reply reply;
	char mechanism[MECHANISM_MAX + 1];
	bool has_data;
	struct buf data; /* decoded; a secret */
	/* How far input has come. */
	struct reader *reader;
	struct rk_arena *mem;
	struct buf line; /* of base64, a secret */
	char head[HANDOFF_TAG_MAX + 32];
	size_t nhead;
	size_t command_bytes;
	size_t bytes;
	unsigned commands;
	unsigned bad_commands;
	unsigned auth_tries;
};

struct preauth *preauth_new(const struct gate_settings *settings, const struct offer *offer);
void preauth_free(struct preauth *p);

void preauth_greet(struct preauth *p);

/* Takes bytes up to the next action; *used_out tells how many. Never beyond the LF of a line that
 * gives an action: what follows belongs to whoever comes next. */
enum preauth_action preauth_feed(struct preauth *p, const void *bytes, size_t n, size_t *used_out);

/* TLS stands: everything that was said before is forgotten (RFC 9051 section 6.2.1, V01). */
void preauth_secured(struct preauth *p, const struct offer *offer);

/* Answers to PREAUTH_AUTH, _RESPONSE and _HANDOFF. */
void preauth_challenge(struct preauth *p, struct str data);
void preauth_final(struct preauth *p, struct str data);
enum preauth_action preauth_rejected(struct preauth *p, enum auth_failure reason);
enum preauth_action preauth_handoff_failed(struct preauth *p, enum rk_status why);

/* "* BYE text"; code may be "". Ends the conversation. */
void preauth_bye(struct preauth *p, const char *text);

#endif
