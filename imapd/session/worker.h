/* Where the spawner's fork becomes a worker: one logged-in session, run as its user, then the end.
 */
#ifndef SESSION_WORKER_H
#define SESSION_WORKER_H

#include "lib/conf/conf.h"
#include "lib/ipc/proto.h"
#include "lib/ipc/scoreboard.h"

/* Everything the worker gets from its spawner; descriptors are the worker's own. */
struct worker_start {
	const struct conf *conf;
	struct handoff handoff;
	struct grant grant;
	int client_fd;  /* the client's socket (clear text) or the gate's relay (TLS) */
	int spawner_fd; /* SOCK_SEQPACKET to the spawner: WORKER_RETURN; its end means: say BYE,
	                   exit */
	int hub_fd;     /* SOCK_SEQPACKET to the hub, -1 without one */
	struct score *score;
	const char *index_dir; /* made by the spawner, owned by the user */
};

/* What must be there before any worker locks itself down, once (spawner): charsets. */
void worker_preload(void);

/*
 * Called in the child right after fork, with every other descriptor but the log closed: becomes the
 * user, locks itself down, opens the account, answers the login (tagged OK, or NO with a code) and
 * serves until the end. Never returns.
 */
_Noreturn void worker_run(const struct worker_start *start);

#endif
