#include "master/services.h"

/* clang-format off */
const struct service_def services[SVC_COUNT] = {
	[SVC_LOG]     = { "log",     "rookery-log",   "log.user",  .chroots = false, .guarded = false,
	                  RELOAD_KEEPS,      EXTRA_LOG_READ,  .stop_step = 3 },
	[SVC_HUB]     = { "hub",     "rookery-hub",   "hub.user",  .chroots = true,  .guarded = false,
	                  RELOAD_KEEPS,      EXTRA_NONE,      .stop_step = 2 },
	[SVC_AUTHD]   = { "authd",   "rookery-authd", "auth.user", .chroots = false, .guarded = true,
	                  RELOAD_GENERATION, EXTRA_NONE,      .stop_step = 1 },
	[SVC_SPAWNER] = { "spawner", "rookery-imapd", NULL,        .chroots = false, .guarded = false,
	                  RELOAD_KEEPS,      EXTRA_NONE,      .stop_step = 0 },
	[SVC_GATE]    = { "gate",    "rookery-gate",  "gate.user", .chroots = true,  .guarded = false,
	                  RELOAD_GENERATION, EXTRA_LISTENERS, .stop_step = 0 },
};

/* The whole of who may talk to whom; besides it every child has the control socket of the master
 * and the one-way log socket, and the spawner's workers get their sockets from the spawner. */
const struct service_edge service_edges[] = {
	{ SVC_GATE,    SVC_AUTHD },   /* credentials in, ticket out */
	{ SVC_GATE,    SVC_SPAWNER }, /* ticket and client socket in */
	{ SVC_SPAWNER, SVC_AUTHD },   /* ticket in, user out */
	{ SVC_SPAWNER, SVC_HUB },     /* a new worker's socket */
};
/* clang-format on */

const size_t service_nedges = sizeof(service_edges) / sizeof(service_edges[0]);

bool
services_asks(enum service_id from, enum service_id to)
{
	for (size_t i = 0; i < service_nedges; i++) {
		if (service_edges[i].from == from && service_edges[i].to == to)
			return true;
	}
	return false;
}

bool
services_may_talk(enum service_id a, enum service_id b)
{
	return services_asks(a, b) || services_asks(b, a);
}
