/* The verb table: what a session serves, in which state, by which grammar and handler. */
#ifndef SESSION_VERBS_H
#define SESSION_VERBS_H

#include "imapd/proto/parse.h"

struct session;

/* A set of states is their sum, in the verb table. */
enum session_state {
	ST_NOT_SELECTED = 1u << 0,
	ST_SELECTED = 1u << 1,
	ST_IDLE = 1u << 2,   /* between IDLE and DONE, with or without a mailbox */
	ST_LOGOUT = 1u << 3, /* nothing is read any more; what is queued goes out */
};
#define ST_ANY (ST_NOT_SELECTED | ST_SELECTED)

enum cmd_step {
	CMD_DONE, /* the reply is set: updates and the tagged line follow */
	CMD_WAIT, /* call run.next again: the client took something, or something happened */
};
typedef enum cmd_step cmd_fn(struct session *s, struct command *c);

struct verb {
	const char *name;
	unsigned states; /* sum of enum session_state in which it is good */
	bool uid;        /* may stand behind UID */
	bool expunge;    /* EXPUNGE may be told at its end (RFC 9051 section 7.5.1) */
	parse_fn *parse;
	cmd_fn *run;
};

/* NULL: unknown, or not good behind UID. */
const struct verb *verb_find(struct str name, bool uid);

cmd_fn cmd_capability, cmd_noop, cmd_check, cmd_logout, cmd_enable, cmd_id, cmd_namespace;
cmd_fn cmd_list, cmd_lsub, cmd_status, cmd_select, cmd_examine, cmd_close, cmd_unselect;
cmd_fn cmd_fetch, cmd_idle, cmd_store, cmd_expunge, cmd_copy, cmd_move, cmd_append;
cmd_fn cmd_search, cmd_create, cmd_delete, cmd_rename, cmd_subscribe, cmd_unsubscribe;

#endif
