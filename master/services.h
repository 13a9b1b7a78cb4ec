/*
 * The services of the house as data: what each one is, and who may talk to whom. Everything else in
 * master/ follows this table; nothing is joined that it does not name.
 */
#ifndef MASTER_SERVICES_H
#define MASTER_SERVICES_H

#include <rookery/error.h>

enum service_id { SVC_LOG, SVC_HUB, SVC_AUTHD, SVC_SPAWNER, SVC_GATE, SVC_COUNT };

enum service_reload {
	RELOAD_KEEPS,      /* goes on with the configuration it was started with */
	RELOAD_GENERATION, /* a new one is started beside it, then it is drained */
};

/* Descriptors beyond control, configuration and log. */
enum service_extra {
	EXTRA_NONE,
	EXTRA_LISTENERS, /* every "listen" socket as listen/TITLE */
	EXTRA_LOG_READ,  /* the read end of the log socket as "read" */
};

struct service_def {
	const char *name;        /* as links and rookeryctl show it */
	const char *binary;      /* in ROOKERY_LIBEXECDIR */
	const char *user_option; /* account it changes to; NULL: stays root, it forks as users */
	bool chroots;            /* into RUN/empty, by itself */
	bool guarded;            /* the kernel's out-of-memory killer takes others first */
	enum service_reload reload;
	enum service_extra extra;
	unsigned stop_step; /* drained when all services of lower steps are gone */
};

/* `from` asks, `to` answers: a link is pushed when `to` serves and `from` runs. */
struct service_edge {
	enum service_id from;
	enum service_id to;
};

#define STOP_STEPS 4

extern const struct service_def services[SVC_COUNT];
extern const struct service_edge service_edges[];
extern const size_t service_nedges;

/* True if there is an edge between the two, whichever way. */
bool services_may_talk(enum service_id a, enum service_id b);
/* True if `from` has an edge to `to`. */
bool services_asks(enum service_id from, enum service_id to);

#endif
