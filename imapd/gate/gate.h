/* The gate process: what all its connections share. */
#ifndef GATE_GATE_H
#define GATE_GATE_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "imapd/gate/limits.h"
#include "imapd/gate/links.h"
#include "imapd/gate/settings.h"
#include "lib/ipc/service.h"
#include "lib/tls/tls.h"

struct conn;

enum listener_tls {
	LISTENER_STARTTLS,
	LISTENER_IMPLICIT,
	LISTENER_NONE,
};

struct listener {
	struct gate *gate;
	int fd;
	enum listener_tls tls;
	bool proxy_protocol;
	struct event ev;
};

struct gate_stats {
	uint64_t relays; /* running now */
	uint64_t logins_ok;
	uint64_t logins_failed;
	uint64_t refused;
};

struct gate {
	struct service *service;
	struct gate_settings settings;
	struct tls_ctx *tls; /* NULL without certificates */
	struct event_base *base;
	struct limits *limits;
	struct links links;
	struct listener listeners[SERVICE_FDS_MAX];
	size_t nlisteners;
	bool listening;
	bool draining;
	bool drain_over; /* the grace has passed: who has not logged in is sent away */
	struct conn **slots;
	size_t nslots;
	uint32_t *free_slots;
	size_t nfree;
	size_t live;   /* at most settings.connections */
	size_t nconns; /* with those that have ended and wait to be freed */
	uint32_t serial;
	struct conn *dead; /* freed by the reaper, when nobody stands on their stack */
	struct event reaper;
	struct event control;
	struct event resume; /* accepting again after descriptors ran out */
	struct event drain_timer;
	struct event sigterm;
	struct gate_stats stats;
	int64_t refusal_logged_ms; /* a flood of refusals is one line a second */
	uint64_t refusals_unlogged;
};

/* gate.c: the loop around connections. */
RK_MUST_CHECK enum rk_status gate_open(
    struct gate *g, struct service *service, const struct conf *conf, struct rk_err *err);
/* After the lock-down: accepts and serves until drained. */
RK_MUST_CHECK enum rk_status gate_serve(struct gate *g, struct rk_err *err);
void gate_close(struct gate *g);

/* Takes nothing new; returns from gate_serve once the last connection is gone. */
void gate_drain(struct gate *g);
void gate_pause(struct gate *g, bool descriptors_out);
void gate_resume(struct gate *g);
void gate_refused(struct gate *g, const struct addr *who, const char *reason);

/* control.c: the master's messages. */
void control_watch(struct gate *g);

#endif
