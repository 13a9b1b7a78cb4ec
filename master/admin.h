/*
 * The control socket RUN/control and what rookeryctl may ask there. Only root and the master's own
 * uid are answered. A client that does not read its answer loses it; nobody waits for it.
 */
#ifndef MASTER_ADMIN_H
#define MASTER_ADMIN_H

#include "lib/ipc/proto.h"

#include <event2/event_struct.h>

#define ADMIN_CLIENTS 16
#define ADMIN_QUEUE_MAX (16u << 20) /* bytes of answers that wait for one client */

struct master;
struct child;

enum admin_wait {
	ADMIN_IDLE,   /* no request yet */
	ADMIN_STATS,  /* figures of the children */
	ADMIN_CHILD,  /* CTL_WHO or CTL_KICK at the spawner */
	ADMIN_RELOAD, /* the end of the reload */
	ADMIN_STOP,   /* the end of everything */
	ADMIN_FINISH, /* the answer is complete, its last bytes go out */
};

struct admin_client {
	struct admin *admin;
	int fd; /* -1: free */
	enum admin_wait wait;
	uint64_t id;         /* of the CTL_ message that it waits for */
	int64_t deadline_ms; /* for the request, then for the answer to be read */
	struct admin_request request;
	bool as_user; /* a kick: no session has that id, now it is tried as a user's name */
	struct event readable;
	struct event writable;
	/* Frames that did not fit into the socket, each behind its length. */
	unsigned char *queue;
	size_t len;
	size_t pos;
	size_t cap;
};

struct admin {
	struct master *master;
	int fd;
	struct event acceptable;
	struct admin_client clients[ADMIN_CLIENTS];
	uint64_t last_id;
	int64_t started_ms;
};

/* Makes the socket. RK_INUSE: another master answers there. */
RK_MUST_CHECK enum rk_status admin_open(struct admin *admin, struct master *m, struct rk_err *err);
/* Closes all and removes the socket. */
void admin_close(struct admin *admin);
void admin_tick(struct admin *admin, int64_t now);

/* What children answered. False: nobody waits for it, and the child has no business sending it. */
bool admin_who_row(struct admin *admin, struct child *c, uint64_t id, const struct who_row *row);
bool admin_done(struct admin *admin, struct child *c, uint64_t id, uint32_t n);
void admin_child_gone(struct admin *admin, const struct child *c);
/* The reload is over. */
void admin_reloaded(struct admin *admin, enum rk_status status, const char *text);

/* Whether `text` has the form of a session id. */
bool admin_is_sid(const char *text);
/* Whether a request names a verb we have and the arguments it takes; the complaint otherwise. */
RK_MUST_CHECK enum rk_status admin_check(const struct admin_request *request, struct rk_err *err);

#endif
