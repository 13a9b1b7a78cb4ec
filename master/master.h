/*
 * The running master: one event loop, tables of fixed size. Nothing here grows with what children
 * or administrators do, and nothing ends it when memory is out.
 *
 * Life of a child: child_start makes it STARTING; its CTL_READY makes it READY; CTL_DRAIN makes it
 * DRAINING; SIGKILL makes it DOOMED; its exit frees the place. A slot is a post that has to be
 * filled (hub; gate 0, gate 1 …): when its holder dies the slot starts another one by its back-off.
 * During a reload a slot has two children, `current` and `next`; a draining child has no slot.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include "lib/ipc/service.h"
#include "master/admin.h"
#include "master/backoff.h"
#include "master/listen.h"
#include "master/sd.h"
#include "master/settings.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>

#define CHILDREN_MAX 256
#define INSTANCES_MAX SETTINGS_GATES
#define FIGURES_MAX 24
#define FIGURE_NAME 32

#define START_SECONDS 60 /* from fork to CTL_READY */
#define PING_SECONDS 10
#define PONG_SECONDS 30

struct master;

enum child_state {
	CHILD_NONE,
	CHILD_STARTING,
	CHILD_READY,
	CHILD_DRAINING,
	CHILD_DOOMED, /* killed by us, its exit is awaited */
};

/* One figure of CTL_STATS. */
struct figure {
	char name[FIGURE_NAME];
	uint64_t value;
};

struct child {
	struct master *master;
	enum service_id service;
	uint32_t instance;
	uint32_t generation;
	enum child_state state;
	pid_t pid;
	int control;
	struct event readable;
	int64_t started_ms;
	int64_t ping_ms; /* when the unanswered ping went out; 0: none */
	uint64_t ping_id;
	int64_t ping_next_ms;
	struct figure figures[FIGURES_MAX];
	uint32_t nfigures;
	uint64_t figures_id; /* of the CTL_STATS that is not answered yet; 0: none */
	const char *doom;    /* why it was killed; static text */
};

struct slot {
	struct child *current;
	struct child *next; /* of the reload that is under way */
	struct backoff backoff;
	int64_t restart_ms; /* not before */
	uint64_t restarts;
	bool wanted;
};

enum phase { PHASE_STARTING, PHASE_RUNNING, PHASE_STOPPING };

enum reload_step {
	RELOAD_IDLE,
	RELOAD_READING, /* a fork reads the configuration */
	RELOAD_AUTHD,   /* the new authd starts */
	RELOAD_GATES,   /* the new gates start */
};

struct reload {
	enum reload_step step;
	bool again; /* asked for once more while under way */
	pid_t reader;
	int reader_fd;
	struct event readable;
	int64_t deadline_ms;
	struct settings settings;
	int conf_fd;
	struct listeners listeners;
};

struct master {
	struct event_base *base;
	enum phase phase;
	const char *conf_path; /* absolute */
	const char *program_dir;
	struct settings settings;
	int conf_fd;
	int log_read;
	int log_write;
	int error_fd;       /* our first standard error: the log's, if it writes there */
	int child_error_fd; /* what the others get: the same in the foreground, else /dev/null */
	int reserve_fd;     /* given up for a moment when descriptors run out */
	int ready_fd;       /* tells the foreground parent that all serve; -1 */
	int exit_code;
	const char *oom_normal; /* score of children that are not guarded; NULL: not changed */
	struct sd sd;
	int64_t sd_next_ms;
	struct listeners listeners;
	struct child children[CHILDREN_MAX];
	struct slot slots[SVC_COUNT][INSTANCES_MAX];
	uint32_t generations[SVC_COUNT];
	struct reload reload;
	struct admin admin;
	struct event signals[4];
	struct event tick;
	int64_t tick_ms;
	int64_t stop_deadline_ms;
	unsigned stop_step;
};

/* supervise.c: slots and the loop's heartbeat. */
/* Starts whatever is wanted, due and possible now, and moves start, reload and stop on. */
void supervise(struct master *m);
void supervise_tick(struct master *m, int64_t now);
/* Reaps every process that ended. */
void supervise_reap(struct master *m);
/* Marks as wanted what `settings` asks for. */
void slots_plan(struct master *m, const struct settings *settings);
/* All services of the slot's kind that the settings want serve. */
bool service_ready_all(const struct master *m, enum service_id service);
bool service_running_any(const struct master *m, enum service_id service);

/* child.c: one child. */
/* RK_LIMIT if the table is full. With `next` it belongs to the reload under way. */
RK_MUST_CHECK enum rk_status child_start(struct master *m, enum service_id service,
    uint32_t instance, bool next, struct child **out, struct rk_err *err);
void child_drain(struct child *c);
void child_kill(struct child *c, const char *why);
/* Forgets a child that was reaped. */
void child_release(struct child *c);
struct child *child_of_pid(struct master *m, pid_t pid);
/* Sends on the control socket; a child that does not empty it is killed. */
RK_MUST_CHECK enum rk_status child_send(
    struct child *c, const struct msg_out *out, struct rk_err *err);
/* Pings, and kills what does not answer. */
void child_check(struct child *c, int64_t now);
const char *child_state_name(enum child_state state);
size_t children_running(const struct master *m);

/* links.c */
/* Whether a socket between the two is due now: `client` runs, `provider` serves. */
bool link_wanted(const struct child *client, const struct child *provider);
/* Joins a child that just started with those it asks. */
void links_on_start(struct master *m, struct child *client);
/* Joins a child that just became ready with those that ask it. */
void links_on_ready(struct master *m, struct child *provider);

/* reload.c */
void reload_begin(struct master *m);
/* Moves on when the new generation serves. */
void reload_step(struct master *m);
/* The new generation of a slot died, or time is up: the old one goes on. */
void reload_abandon(struct master *m, const char *why);
void reload_tick(struct master *m, int64_t now);

/* stop.c */
void stop_begin(struct master *m);
void stop_step(struct master *m);

/* run.c */
/* The descriptor to give up when there are no others; -1 if even that is not to be had. */
int reserve_open(void);
RK_MUST_CHECK enum rk_status master_open(struct master *m, struct rk_err *err);
int master_run(struct master *m);

#endif
