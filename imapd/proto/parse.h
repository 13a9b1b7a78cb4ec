/*
 * The grammar of RFC 9051 section 9 (and RFC 3501 for older clients) over a whole command. No
 * recursion on input, every list bounded (command.h); the session, its state and the verb table
 * stay outside: each function knows the arguments of one verb.
 *
 * Use: lexer_init, parse_command (tag and verb), find the verb's row, call its function with the
 * same lexer. Each function reads from right behind the verb through the CRLF.
 */
#ifndef PROTO_PARSE_H
#define PROTO_PARSE_H

#include "imapd/proto/command.h"

enum parse_result {
	PARSE_DONE,
	PARSE_BAD, /* command.why says what is wrong */
};

/* A verb's grammar. */
typedef enum parse_result parse_fn(struct lexer *l, struct command *c);

/* Clears all of `c`, then reads tag SP verb ["UID" SP verb]. After PARSE_BAD the tag is set, "*" if
 * there is no valid one. Set c->utf8 behind it. */
enum parse_result parse_command(struct lexer *l, struct command *c);

/* Without arguments: CAPABILITY NOOP LOGOUT NAMESPACE CLOSE UNSELECT IDLE CHECK STARTTLS EXPUNGE */
parse_fn parse_nothing;
parse_fn parse_enable;
parse_fn parse_id;
parse_fn parse_mailbox; /* one mailbox: SELECT EXAMINE DELETE SUBSCRIBE UNSUBSCRIBE */
parse_fn parse_create;
parse_fn parse_rename;
parse_fn parse_append;
parse_fn parse_store;
parse_fn parse_copy;    /* COPY MOVE */
parse_fn parse_expunge; /* behind UID with a set, else nothing */
parse_fn parse_search;
parse_fn parse_status;
parse_fn parse_list;
parse_fn parse_lsub;  /* fills u.list */
parse_fn parse_fetch; /* FETCH and UID FETCH */
parse_fn parse_login;
parse_fn parse_authenticate;

/* The line that ends IDLE: "DONE" without a tag. */
bool parse_done(struct str line);

#endif
