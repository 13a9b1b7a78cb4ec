/* Password hashing in child processes: the pool's side of it, in the main loop. */
#ifndef AUTH_HASH_POOL_H
#define AUTH_HASH_POOL_H

#include "auth/scheme.h"
#include "lib/ipc/lockdown.h"

struct event_base;
struct hash_pool;

struct hash_answer {
	enum verdict verdict;              /* VERDICT_ERROR also when the child died at it */
	struct str stored_key, server_key; /* of hash_pool_derive; borrowed */
};

/* Called once per job, never from within hash_pool_verify or hash_pool_derive. */
typedef void (*hash_done)(void *arg, uint64_t id, const struct hash_answer *answer);

/*
 * Forks the process that makes the children, before the caller locks itself down (afterwards it
 * can't fork). *fd_out is the caller's, for hash_pool_new. `how` is the sandbox of the forker.
 */
RK_MUST_CHECK enum rk_status hash_forker_start(
    const struct lockdown *how, int *fd_out, struct rk_err *err);

struct hash_setup {
	int forker_fd;     /* of hash_forker_start; taken */
	uint32_t children; /* how many */
	uint32_t queue;    /* jobs that may wait for one */
	hash_done done;
	void *arg;
};

/* A pool in the loop `base`. */
RK_MUST_CHECK enum rk_status hash_pool_new(struct event_base *base, const struct hash_setup *setup,
    struct hash_pool **out, struct rk_err *err);
void hash_pool_free(struct hash_pool *pool);

/* Whether `password` matches `stored`; both are copied. RK_LIMIT: the queue is full. */
RK_MUST_CHECK enum rk_status hash_pool_verify(struct hash_pool *pool, uint64_t id,
    const struct stored *stored, struct str password, struct rk_err *err);

/* The SCRAM keys of a password with the salt and iterations of *keys. RK_LIMIT. */
RK_MUST_CHECK enum rk_status hash_pool_derive(struct hash_pool *pool, uint64_t id,
    enum scram_hash hash, const struct scram_keys *keys, struct str password, struct rk_err *err);

/* Nobody waits for `id` any more: it is taken out of the queue, or its answer is thrown away. */
void hash_pool_cancel(struct hash_pool *pool, uint64_t id);

struct hash_stats {
	uint32_t children;
	uint32_t queued;
	uint64_t jobs;
	uint64_t lost; /* children that died */
};
void hash_pool_stats(const struct hash_pool *pool, struct hash_stats *out);

/* No child lives and none can be made: the process should end and be started anew. */
bool hash_pool_broken(const struct hash_pool *pool);

#endif
