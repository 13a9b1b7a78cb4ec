/*
 * The spawner: a loop over small framed messages. It redeems tickets at authd, forks a worker for
 * each and watches it live and die; it never reads a byte of a client. Everything it knows stands
 * in plain tables, so that it can be carried over its own re-execution.
 */
#ifndef SPAWNER_IMPL_H
#define SPAWNER_IMPL_H

#include "imapd/session/worker.h"
#include "lib/conf/conf.h"
#include "lib/ipc/scoreboard.h"
#include "lib/ipc/service.h"

#define LINKS_MAX 64    /* gates and authds of all generations, the hub */
#define PENDING_MAX 512 /* tickets being redeemed */
#define CRASHED_MAX 256 /* users whose workers died lately */

/* A joined peer; fd -1: free. */
struct peer {
	int fd;
	uint32_t generation;
	char name[16];
};

/* A live worker; pid 0: free. The spawner's own word, not the worker's. */
struct worker {
	pid_t pid;
	int control;
	uid_t uid;
	gid_t gid;
	uint64_t since;
	bool tls;
	bool returned; /* gave its session back to the gate */
	bool ending;   /* was told to end: its death by SIGTERM or SIGKILL is no crash */
	char sid[SID_LEN + 1];
	char user[USER_MAX + 1];
	char address[48];
};

/* A hand-off whose ticket is being redeemed; client_fd -1: free. */
struct pending {
	int client_fd;
	uint32_t
	    gate; /* index of the gate's peer, and its generation to notice another one there */
	uint32_t gate_generation;
	uint32_t authd;
	uint64_t gate_id;
	uint64_t redeem_id; /* never used twice: a late answer must not meet another login */
	int64_t deadline_ms;
	struct handoff handoff;
	struct grant *granted; /* redeemed, waits for its turn to be forked; NULL before */
};

struct crashed {
	char user[USER_MAX + 1];
	int64_t times_ms[3]; /* the latest crashes, newest first */
	int64_t until_ms;    /* no new worker before */
	uint32_t rounds;     /* how often the user was held off: the delay doubles */
};

struct spawner {
	struct service service;
	struct conf *conf;
	struct scoreboard *board;
	uint32_t nworkers_max;
	uint32_t nworkers;
	struct worker *workers; /* nworkers_max */
	uint32_t *user_hashes;  /* of workers[i].user, for a quick look */
	struct peer peers[LINKS_MAX];
	struct pending *pending; /* PENDING_MAX */
	struct crashed *crashed; /* CRASHED_MAX */
	int epoll;
	int signals;
	uint32_t nwaiting; /* of the pending: those that are granted */
	bool draining;
	bool unprivileged;
	bool renew;             /* a worker crashed: re-execute for a fresh address layout */
	int64_t fork_window_ms; /* start of the second in which `forks` were made */
	uint32_t forks;
	uint64_t redeems;
	uint64_t total_forks;
	uint64_t total_crashes;
};

/* What an epoll event concerns; the index stands beside it. */
enum source {
	SOURCE_CONTROL,
	SOURCE_SIGNALS,
	SOURCE_PEER,
	SOURCE_WORKER,
};

RK_MUST_CHECK enum rk_status source_add(
    struct spawner *s, int fd, enum source source, uint32_t index, struct rk_err *err);

/* Takes `fd` out of the loop and closes it: a fork that is just starting may still hold a copy. */
void source_close(struct spawner *s, int fd);

/* peers.c: links from the master, and what comes over them. */
void peers_init(struct spawner *s);
void peer_join(struct spawner *s, struct msg_in *m);
void peer_readable(struct spawner *s, uint32_t index);
/* Newest live peer of that name (generation 0), or the one of that generation; -1 if none. */
int peer_find(const struct spawner *s, const char *name, uint32_t generation);
/* Sends; a message that has no room even after a moment is lost (its sender times out), the link
 * stays: nobody would join it again. */
void peer_send(struct spawner *s, uint32_t index, const struct msg_out *m);

/* handoff.c: from a ticket to a worker. */
void handoff_begin(struct spawner *s, uint32_t gate, struct msg_in *m);
void handoff_granted(struct spawner *s, uint32_t authd, struct msg_in *m);
void handoff_refused(struct spawner *s, uint32_t authd, struct msg_in *m);
/* Fails all that wait: no session begins after the drain. */
void handoff_drain(struct spawner *s);
/* Fails what waited for a peer that is gone. */
void handoff_authd_gone(struct spawner *s, uint32_t authd);
/* Forks whose turn it is; fails what waited for too long. */
void handoff_tick(struct spawner *s, int64_t now_ms);

/* spawn.c: index directory and fork. RK_LIMIT, RK_TEMP. */
RK_MUST_CHECK enum rk_status worker_spawn(struct spawner *s, const struct handoff *handoff,
    const struct grant *grant, int client_fd, struct rk_err *err);
/* Path of the user's index directory, into `out`; RK_INVALID if it does not fit. */
RK_MUST_CHECK enum rk_status index_path(
    const char *state_dir, const char *user, char *out, size_t size, struct rk_err *err);
RK_MUST_CHECK enum rk_status index_make(
    const char *state_dir, const char *user, uid_t uid, gid_t gid, struct rk_err *err);

/* workers.c: the table, limits, kick and who. */
uint32_t user_hash(const char *user);
uint32_t workers_of_user(const struct spawner *s, const char *user, const char *address);
int worker_slot_free(const struct spawner *s);
void worker_control_readable(struct spawner *s, uint32_t index);
uint32_t workers_kick(struct spawner *s, const char *user, const char *sid);
void workers_who(struct spawner *s, uint64_t id);
void workers_stats(struct spawner *s, uint64_t id);
/* A socket to the hub for a worker; *fd_out -1 without a hub. */
void hub_join(struct spawner *s, uid_t uid, const char *user, int *fd_out);
/* The hub was started anew: every worker gets a new socket to it. */
void workers_hub_renew(struct spawner *s);
void worker_forget(struct spawner *s, uint32_t index);

/* reap.c: the ends of workers. */
void workers_reap(struct spawner *s);
/* Milliseconds that this user has to wait after crashes; 0: none. */
int64_t crashed_wait(struct spawner *s, const char *user, int64_t now_ms);

/* reexec.c: carries the tables over an exec of the same program. */
void spawner_renew(struct spawner *s);
RK_MUST_CHECK enum rk_status spawner_restore(struct spawner *s, int fd, struct rk_err *err);

extern const struct profile spawner_profile;

#endif
