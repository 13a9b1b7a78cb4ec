/* Sockets to authd and the spawner, pushed by the master whenever one of them starts. */
#ifndef GATE_LINKS_H
#define GATE_LINKS_H

#include <event2/event_struct.h>

#include "lib/ipc/proto.h"

#define LINKS_MAX 16 /* generations that drain while a new one serves */
#define CANCELS_MAX 256

struct gate;

struct link {
	struct gate *gate;
	int fd; /* -1: a free place */
	struct link_info info;
	struct event readable;
	struct event writable;
	uint64_t cancels[CANCELS_MAX]; /* requests to forget that found the socket full */
	size_t ncancels;
};

struct links {
	struct link list[LINKS_MAX];
};

void links_init(struct gate *g);
void links_close(struct gate *g);
/* Takes `fd`. */
void links_add(struct gate *g, const struct link_info *info, int fd);

/* The newest generation of `peer`; NULL while there is none. */
struct link *links_newest(struct gate *g, const char *peer);

/* False: not delivered; the request is unavailable. */
bool link_send(struct link *link, const struct msg_out *m);
/* AUTH_CANCEL, now or as soon as there is room: authd must not keep what nobody waits for. */
void link_cancel(struct link *link, uint64_t id);

#endif
