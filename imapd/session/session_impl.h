/* The session from the inside: for the files of this folder only. */
#ifndef SESSION_SESSION_IMPL_H
#define SESSION_SESSION_IMPL_H

#include "imapd/proto/parse.h"
#include "imapd/proto/resp_status.h"
#include "imapd/session/body.h"
#include "imapd/session/commands.h"
#include "imapd/session/out.h"
#include "imapd/session/session.h"
#include "imapd/session/verbs.h"
#include "storage/mailbox/view.h"

struct session;

/* --- state.c: the only place that changes the state --- */

/* Checks the edge, logs it at debug level. */
void session_enter(struct session *s, enum session_state new);
/* "selected" and so on. Static. */
const char *session_state_name(enum session_state state);

/* The client's line during IDLE, which it ends; any but DONE as a bad command. */
void idle_line(struct session *s, struct str line);

/* --- what a session holds, by lifetime --- */

/* The command that runs; everything goes when it was answered. */
struct running {
	const struct verb *verb; /* NULL: nothing runs */
	struct command cmd;
	struct rk_arena *mem; /* kept and emptied from command to command */
	cmd_fn *next;         /* after CMD_WAIT */
	void *state;          /* the handler's own, in mem */
	bool inside;          /* a response is written in part: a BYE now would break it */
	enum resp_cond cond;
	const char *code;
	const char *text;
	enum rk_status failure; /* not RK_OK: the table's words instead */
};

/* The selected mailbox, from SELECT to its end. */
struct selected {
	struct mailbox *box; /* NULL: none */
	struct view view;
	uint32_t uidvalidity;
	unsigned char guid[RK_GUID_LEN];
	bool readonly;        /* EXAMINE, or a store that can't be changed */
	struct uidset recent; /* \Recent in this session (rev1) */
	uint32_t recent_told; /* how many of them are in the view */
	struct uidset saved;  /* `$` (RFC 9051 section 6.4.4.1) */
	uint64_t keywords;    /* hash of the keyword table that FLAGS told */
	int64_t synced_ms;
	struct rk_watch watch; /* during IDLE */
	struct body body;      /* the message read last: clients fetch large ones in pieces */
};

/* Differences on their way to the client (updates.c). */
enum updates_phase {
	UPDATES_NONE,
	UPDATES_EXPUNGE,
	UPDATES_FLAGS,
};
struct updates {
	enum updates_phase phase;
	struct view_diff diff;
	uint32_t next; /* UID to go on from, downwards for expunges */
	/* Of the running STORE: flags to be told whether or not they changed, and ones not to be
	 * told although they did. */
	struct uidset loud;
	struct uidset silent;
};

/* While it waits in IDLE the store is asked at most this often, however often it changes. */
#define SYNC_SETTLE_MS 50

/* Bytes from the client. */
#define INPUT_BLOCK 16384
struct input {
	struct reader *reader;
	size_t pos;
	size_t len;
	bool end; /* the client closed its side */
	uint64_t total;
	char bytes[INPUT_BLOCK];
};

struct session {
	struct session_start at;
	enum session_state state;
	bool rev2;     /* ENABLE IMAP4rev2 */
	bool idle_bad; /* the last IDLE did not end with DONE */
	uint32_t bad;  /* bad commands so far */
	uint64_t commands;
	struct input in;
	struct out *out;
	struct running run;
	struct selected sel;
	struct updates updates;
	int64_t active_ms;  /* the client's last whole line */
	int64_t told_ms;    /* something was last queued during IDLE */
	int64_t sync_at_ms; /* a change was announced: sync then; 0: none was */
	bool noticed;       /* the index was changed by another session */
	int64_t stop_at_ms; /* the server wants to end: not later than this; 0: it does not */
	int64_t end_at_ms;  /* ST_LOGOUT: not later than this */
	const char *reason; /* of the end; NULL: it goes on */
};

/* --- session.c --- */

/* Queues "* BYE" and goes to ST_LOGOUT; what ran is dropped. `reason` is one word for the log. */
void session_bye(struct session *s, const char *code, const char *text, const char *reason);
/* The end without a word: the connection or a response is broken. */
void session_break(struct session *s, const char *reason);

/* --- input.c --- */

/* Takes what the socket has. */
void input_read(struct session *s);
/* Feeds the reader up to the next step and acts on it; false: more bytes are needed. */
bool input_step(struct session *s);
/* A bad command was answered: BYE when there were too many. */
void input_bad(struct session *s);

/* --- dispatch.c --- */

/* Parses a whole command, answers or starts it. */
void dispatch_command(struct session *s, struct str bytes);
/* Runs the waiting command on; false: it waits for the client or an event. */
bool dispatch_continue(struct session *s);
/* Drops the running command and its memory. */
void dispatch_drop(struct session *s);

/* --- links.c: hub and spawner --- */

/* Tells the hub what we want to hear of. */
void links_watch(struct session *s);
/* Tells the hub, and so the other sessions of the user, that a mailbox changed. */
void links_changed(struct session *s, const unsigned char guid[RK_GUID_LEN], uint64_t modseq);
/* The same for a mailbox as the index has it now. */
void links_mailbox_changed(struct session *s, struct mailbox *mb);
void links_hub_readable(struct session *s);
void links_spawner_readable(struct session *s);

/* --- updates.c: the one place where EXPUNGE, EXISTS and unasked FETCH are told --- */

/* Brings the index up to the store; `force`: whether or not that was done a moment ago. May end the
 * session (the mailbox is gone). */
void updates_sync(struct session *s, bool force);
/* Whether the index still holds the mailbox that was selected: another UIDVALIDITY means that its
 * UIDs name other messages. */
bool updates_same_mailbox(const struct session *s, const struct index_info *info);
/* Compares view and index; what is different is told by updates_step. `expunge`: as verb.expunge.
 */
void updates_begin(struct session *s, bool expunge);
enum cmd_step updates_step(struct session *s);
void updates_clear(struct session *s);
/* Counts and keywords of the selected mailbox in `mem`; tells FLAGS when keywords were added. */
RK_MUST_CHECK enum rk_status updates_info(
    struct session *s, struct rk_arena *mem, struct index_info *out, struct rk_err *err);
/* Flags of a record for a response. */
struct resp_flags updates_flags(
    const struct session *s, const struct index_record *r, const struct index_info *info);
/* UIDs of the view whose flags another one changed since they were told. */
RK_MUST_CHECK enum rk_status updates_others(
    struct session *s, struct uidset *out, struct rk_err *err);
/* \Recent of what is new in the view (UIDs of `arrived`), told if there are more or fewer of them
 * than before, or `always`; nothing in rev2. */
void updates_recent(struct session *s, const struct uidset *arrived, bool always);

/* --- cmd_select.c, cmd_idle.c --- */

/* Forgets the selected mailbox, if there is one. */
void session_unselect(struct session *s);
/* The watch of IDLE became readable. */
void idle_watch_readable(struct session *s);
void idle_watch_close(struct session *s);

#endif
