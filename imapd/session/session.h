/*
 * One logged-in session from its first answer to its end, over descriptors and an opened account:
 * the part of a worker that knows nothing of uids and sandboxes, so that tests run it as it is.
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include "imapd/proto/resp_text.h"
#include "lib/conf/conf.h"
#include "lib/ipc/scoreboard.h"
#include "lib/wire/reader.h"
#include "storage/account/account.h"

/* What is served after the login, and nothing else. */
#define SESSION_CAPABILITIES                                                                       \
	"IMAP4rev1 IMAP4rev2 LITERAL- ID ENABLE IDLE NAMESPACE UNSELECT CHILDREN LIST-EXTENDED "   \
	"LIST-STATUS "                                                                             \
	"STATUS=SIZE UIDPLUS MOVE MULTIAPPEND SPECIAL-USE CREATE-SPECIAL-USE "                     \
	"ESEARCH SEARCHRES WITHIN BINARY"

struct session_limits {
	struct reader_limits reader;
	uint32_t bad_commands; /* so many, then BYE */
	int64_t idle_ms;       /* without a command: BYE */
	int64_t notice_ms;     /* between two "Still here" during IDLE */
	int64_t output_ms;     /* without the client taking anything: the end */
};

/* From the section imapd. */
void session_limits_read(const struct conf *conf, struct session_limits *out);

struct session_start {
	struct account *account;
	const struct session_limits *limits;
	const char *user; /* canonical: the topic at the hub */
	const char *tag;  /* of the login that is still to be answered; NULL: none */
	uint32_t bad_commands;
	int client_fd;       /* non-blocking */
	int spawner_fd;      /* its end is ours; -1 in tests */
	int hub_fd;          /* -1 without a hub; taken */
	struct score *score; /* may be NULL */
};

/*
 * Serves until the client leaves, a limit ends it, the spawner goes or session_stop is called.
 * Everything but hub_fd is borrowed. Blocks SIGTERM outside of its waits and ignores SIGPIPE.
 */
void session_run(const struct session_start *start);

/* Asks the running session to end with BYE at the next boundary of a response: from a signal
 * handler or before session_run. */
void session_stop(void);

/* Answers a login that can't be served: tagged NO with the words for `status`, then BYE. Waits a
 * few seconds at most. */
void session_refuse(int client_fd, const char *tag, enum rk_status status);

#endif
