#include "auth/hash_pool.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/hash_impl.h"
#include "lib/base/bug.h"
#include "lib/base/log.h"

/*
 * Why children, and why a forker.
 *
 * One good password hash costs a tenth of a second of processor and megabytes of memory: in the
 * main loop it would stop every other login. So hashes are computed in as many child processes as
 * there are cores, each with one job at a time, and what waits beyond a bound is refused as
 * unavailable. A child has no file, no socket but ours, no way to make another process
 * (hash_child_profile): a hole in a hash function that a hostile password could reach ends there.
 *
 * A child may die: of memory, of a job that never ends, of such a hole. Its job fails as
 * unavailable, its socket closes, and it must be replaced. The main process can't fork: it gave
 * that up before it read the first byte of a stranger. Threads were no choice (one crash would be
 * everybody's), nor was exec (the sandbox has none). So before the lock-down one more process is
 * forked, the forker, which never sees a password: it forks a child and sends its socket when
 * asked, and can do nothing else. Should the forker itself die, the children that live go on; when
 * the last is gone too the pool is broken, and the main process ends for the master to start it
 * anew.
 */

/* A child that dies at once must not become a fork loop. */
#define REPLACE_MS 500

struct job {
	struct job *next;
	uint64_t id;
	uint16_t type;
	size_t len;
	unsigned char bytes[];
};

struct child {
	struct hash_pool *pool;
	int fd; /* -1: not there */
	struct event *ev;
	bool busy;
	uint64_t id; /* of the job, if busy */
};

struct hash_pool {
	struct event_base *base;
	hash_done done;
	void *arg;
	int forker;
	struct event *forker_ev;
	struct event *replace_ev;
	struct job *first, **last;
	uint32_t queued, queue_max;
	uint32_t nchildren, living, wanted;
	uint64_t jobs, lost;
	struct child children[];
};

/* One of each is enough: nothing here is entered twice. */
static struct msg_out out;
static struct msg_in in;

static void
job_free(struct job *job)
{
	explicit_bzero(job->bytes, job->len);
	free(job);
}

static void
answer_give(struct hash_pool *pool, uint64_t id, const struct hash_answer *answer)
{
	if (id != 0)
		pool->done(pool->arg, id, answer);
}

static void
child_lost(struct child *child, const struct rk_err *why)
{
	struct hash_answer failed = { .verdict = VERDICT_ERROR };
	struct hash_pool *pool = child->pool;
	uint64_t id = child->busy ? child->id : 0;
	struct timeval soon = { .tv_usec = REPLACE_MS * 1000 };

	log_ev(RK_LOG_ERROR, "auth.hash_lost", LOG_U("busy", child->busy), LOG_ERR(why));
	event_free(child->ev);
	close(child->fd);
	child->ev = NULL;
	child->fd = -1;
	child->busy = false;
	pool->living--;
	pool->lost++;
	event_add(pool->replace_ev, &soon);
	answer_give(pool, id, &failed);
}

static struct child *
child_idle(struct hash_pool *pool)
{
	for (uint32_t i = 0; i < pool->nchildren; i++) {
		if (pool->children[i].fd >= 0 && !pool->children[i].busy)
			return &pool->children[i];
	}
	return NULL;
}

/* Gives waiting jobs to idle children. */
static void
queue_run(struct hash_pool *pool)
{
	struct child *child;
	struct rk_err err;

	while (pool->first != NULL && (child = child_idle(pool)) != NULL) {
		struct job *job = pool->first;
		enum rk_status status;

		msg_begin(&out, job->type, job->id);
		memcpy(out.bytes, job->bytes, job->len);
		out.len = job->len;
		status = ipc_send(child->fd, &out, &err);
		explicit_bzero(out.bytes, out.len);
		if (status != RK_OK) {
			child_lost(child, &err); /* not over this job: the next child takes it */
			continue;
		}
		child->busy = true;
		child->id = job->id;
		pool->first = job->next;
		if (pool->first == NULL)
			pool->last = &pool->first;
		pool->queued--;
		job_free(job);
	}
}

static void
child_readable(evutil_socket_t fd, short what, void *arg)
{
	struct child *child = arg;
	struct hash_pool *pool = child->pool;
	struct hash_answer answer = { .verdict = VERDICT_ERROR };
	enum rk_status status;
	struct rk_err err;
	uint64_t id;

	(void)what;
	status = ipc_recv((int)fd, &in, &err);
	if (status == RK_AGAIN)
		return;
	if (status == RK_OK) {
		answer.verdict = (enum verdict)msg_get_u32(&in);
		answer.stored_key = msg_get_str(&in, SCRAM_HASH_MAX);
		answer.server_key = msg_get_str(&in, SCRAM_HASH_MAX);
		status = msg_end(&in, &err);
	}
	/* A child is not believed more than it must be: it saw hostile passwords. */
	if (status == RK_OK && (in.type != HASH_ANSWER || !child->busy || in.id != child->id ||
				   answer.verdict > VERDICT_ERROR))
		status = rk_fail_plain(&err, RK_CORRUPT, "a hash child answered nonsense");
	if (status != RK_OK) {
		child_lost(child, &err);
	} else {
		child->busy = false;
		id = child->id;
		pool->jobs++;
		answer_give(pool, id, &answer);
		explicit_bzero(in.bytes, in.len);
	}
	queue_run(pool);
}

static void
children_want(struct hash_pool *pool)
{
	struct rk_err err;

	while (pool->forker >= 0 && pool->living + pool->wanted < pool->nchildren) {
		msg_begin(&out, HASH_WANT, 0);
		if (ipc_send(pool->forker, &out, &err) != RK_OK) {
			log_ev(RK_LOG_ERROR, "auth.hash_fork", LOG_ERR(&err));
			return;
		}
		pool->wanted++;
	}
}

static void
replace_due(evutil_socket_t fd, short what, void *arg)
{
	struct hash_pool *pool = arg;

	(void)fd;
	(void)what;
	/* A child that was asked for and never came (fork failed) is asked for again. */
	pool->wanted = 0;
	children_want(pool);
	if (pool->forker >= 0 && pool->living < pool->nchildren) {
		struct timeval later = { .tv_sec = 2 };

		event_add(pool->replace_ev, &later);
	}
}

static void
child_join(struct hash_pool *pool, int fd)
{
	struct child *child = NULL;
	struct rk_err err;

	for (uint32_t i = 0; i < pool->nchildren && child == NULL; i++) {
		if (pool->children[i].fd < 0)
			child = &pool->children[i];
	}
	if (pool->wanted > 0)
		pool->wanted--;
	if (child == NULL || ipc_nonblock(fd, true, &err) != RK_OK) {
		close(fd);
		return;
	}
	child->ev = event_new(pool->base, fd, EV_READ | EV_PERSIST, child_readable, child);
	if (child->ev == NULL || event_add(child->ev, NULL) < 0)
		rk_out_of_memory(sizeof(*child));
	child->fd = fd;
	child->busy = false;
	pool->living++;
	queue_run(pool);
}

static void
forker_readable(evutil_socket_t fd, short what, void *arg)
{
	struct hash_pool *pool = arg;
	enum rk_status status;
	struct rk_err err;

	(void)what;
	status = ipc_recv((int)fd, &in, &err);
	if (status == RK_AGAIN)
		return;
	if (status == RK_OK && in.type == HASH_CHILD) {
		int child = msg_get_fd(&in);

		if (msg_end(&in, &err) == RK_OK)
			child_join(pool, child);
		else if (child >= 0)
			close(child);
		return;
	}
	if (status == RK_OK) {
		msg_drop(&in);
		return;
	}
	log_ev(RK_LOG_ERROR, "auth.hash_forker", LOG_ERR(&err));
	event_free(pool->forker_ev);
	pool->forker_ev = NULL;
	close(pool->forker);
	pool->forker = -1;
}

/* Waits for the forker's word that it is locked down. */
static enum rk_status
forker_await(int fd, struct rk_err *err)
{
	enum rk_status status = ipc_recv_until(fd, &in, rk_clock_ms() + 10000, err);

	if (status != RK_OK)
		return rk_fail_plain(err, RK_TEMP, "the hash forker did not start");
	msg_drop(&in);
	return RK_OK;
}

enum rk_status
hash_forker_start(const struct lockdown *how, int *fd_out, struct rk_err *err)
{
	enum rk_status status;
	int pair[2];
	pid_t pid;

	status = ipc_pair(pair, err);
	if (status != RK_OK)
		return status;
	pid = fork();
	if (pid < 0) {
		status = rk_fail(err, RK_TEMP, "fork");
		close(pair[0]);
		close(pair[1]);
		return status;
	}
	if (pid == 0) {
		close(pair[0]);
		hash_forker_run(pair[1], how);
	}
	close(pair[1]);
	status = forker_await(pair[0], err);
	if (status == RK_OK)
		status = ipc_nonblock(pair[0], true, err);
	if (status != RK_OK) {
		close(pair[0]);
		return status;
	}
	*fd_out = pair[0];
	return RK_OK;
}

enum rk_status
hash_pool_new(struct event_base *base, const struct hash_setup *setup, struct hash_pool **out_pool,
    struct rk_err *err)
{
	uint32_t n = setup->children;
	struct hash_pool *pool = calloc(1, sizeof(*pool) + n * sizeof(pool->children[0]));

	if (pool != NULL) {
		pool->forker_ev =
		    event_new(base, setup->forker_fd, EV_READ | EV_PERSIST, forker_readable, pool);
		pool->replace_ev = evtimer_new(base, replace_due, pool);
	}
	if (pool == NULL || pool->forker_ev == NULL || pool->replace_ev == NULL) {
		free(pool);
		close(setup->forker_fd);
		return rk_fail(err, RK_TEMP, "a pool of %u hash children", (unsigned)n);
	}
	pool->base = base;
	pool->done = setup->done;
	pool->arg = setup->arg;
	pool->forker = setup->forker_fd;
	pool->last = &pool->first;
	pool->queue_max = setup->queue;
	pool->nchildren = n;
	for (uint32_t i = 0; i < n; i++)
		pool->children[i] = (struct child){ .pool = pool, .fd = -1 };
	event_add(pool->forker_ev, NULL);
	replace_due(-1, 0, pool);
	*out_pool = pool;
	return RK_OK;
}

void
hash_pool_free(struct hash_pool *pool)
{
	if (pool == NULL)
		return;
	for (uint32_t i = 0; i < pool->nchildren; i++) {
		if (pool->children[i].fd < 0)
			continue;
		event_free(pool->children[i].ev);
		close(pool->children[i].fd);
	}
	while (pool->first != NULL) {
		struct job *job = pool->first;

		pool->first = job->next;
		job_free(job);
	}
	if (pool->forker >= 0) {
		event_free(pool->forker_ev);
		close(pool->forker);
	}
	event_free(pool->replace_ev);
	free(pool);
}

/* Queues the job that was put into `out`. */
static enum rk_status
job_add(struct hash_pool *pool, struct rk_err *err)
{
	enum rk_status status = RK_OK;
	struct job *job = NULL;

	if (out.overflow)
		status = rk_fail_plain(err, RK_LIMIT, "a hash job is too large");
	else if (pool->queued >= pool->queue_max && child_idle(pool) == NULL)
		status = rk_fail_plain(err, RK_LIMIT, "the hash queue is full");
	else if ((job = malloc(sizeof(*job) + out.len)) == NULL)
		status = rk_fail(err, RK_LIMIT, "a hash job");
	if (status == RK_OK) {
		job->next = NULL;
		job->id = out.id;
		job->type = out.type;
		job->len = out.len;
		memcpy(job->bytes, out.bytes, out.len);
		*pool->last = job;
		pool->last = &job->next;
		pool->queued++;
	}
	explicit_bzero(out.bytes, out.len);
	return status;
}

enum rk_status
hash_pool_verify(struct hash_pool *pool, uint64_t id, const struct stored *stored,
    struct str password, struct rk_err *err)
{
	enum rk_status status;

	msg_begin(&out, HASH_VERIFY, id);
	msg_put_u32(&out, stored->scheme);
	msg_put_str(&out, stored->data);
	msg_put_str(&out, password);
	status = job_add(pool, err);
	if (status == RK_OK)
		queue_run(pool);
	return status;
}

enum rk_status
hash_pool_derive(struct hash_pool *pool, uint64_t id, enum scram_hash hash,
    const struct scram_keys *keys, struct str password, struct rk_err *err)
{
	enum rk_status status;

	msg_begin(&out, HASH_DERIVE, id);
	msg_put_u32(&out, hash);
	msg_put_u32(&out, keys->iterations);
	msg_put_bytes(&out, keys->salt, keys->salt_len);
	msg_put_str(&out, password);
	status = job_add(pool, err);
	if (status == RK_OK)
		queue_run(pool);
	return status;
}

void
hash_pool_cancel(struct hash_pool *pool, uint64_t id)
{
	for (uint32_t i = 0; i < pool->nchildren; i++) {
		if (pool->children[i].busy && pool->children[i].id == id)
			return; /* it comes to an end, and nobody knows the id */
	}
	for (struct job **at = &pool->first; *at != NULL; at = &(*at)->next) {
		struct job *job = *at;

		if (job->id != id)
			continue;
		*at = job->next;
		if (job->next == NULL)
			pool->last = at;
		pool->queued--;
		job_free(job);
		return;
	}
}

void
hash_pool_stats(const struct hash_pool *pool, struct hash_stats *stats)
{
	*stats = (struct hash_stats){
		.children = pool->living,
		.queued = pool->queued,
		.jobs = pool->jobs,
		.lost = pool->lost,
	};
}

bool
hash_pool_broken(const struct hash_pool *pool)
{
	return pool->forker < 0 && pool->living == 0;
}
