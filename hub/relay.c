#include "hub/relay.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/bug.h"
#include "lib/base/os_linux.h"
#include "lib/ipc/sock.h"

#define BUCKETS 4096 /* a power of two */

/* Kernel memory behind one worker that never reads. */
#define SOCKET_BUFFER 8192

struct pending {
	unsigned char box[RK_GUID_LEN];
	uint64_t modseq;
};

struct relay_worker {
	struct relay *relay;
	struct relay_worker *next; /* in its bucket */
	char *account;
	uid_t uid;
	int fd;
	bool watching;
	bool blocked;    /* the socket was full */
	bool everything; /* more happened than could be kept */
	uint8_t npending;
	struct pending pending[RELAY_QUEUE];
	void *data;
};

struct relay {
	struct relay_worker *buckets[BUCKETS];
	uint64_t seed;
	uint32_t max_workers;
	struct relay_figures figures;
	void (*writable)(struct relay_worker *w, bool on, void *arg);
	void *arg;
};

struct relay *
relay_new(
    uint32_t max_workers, void (*writable)(struct relay_worker *w, bool on, void *arg), void *arg)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (relay == NULL)
		rk_out_of_memory(sizeof(*relay));
	os_random(&relay->seed, sizeof(relay->seed));
	relay->max_workers = max_workers;
	relay->writable = writable;
	relay->arg = arg;
	return relay;
}

void
relay_free(struct relay *relay)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		while (relay->buckets[i] != NULL)
			relay_leave(relay->buckets[i]);
	}
	free(relay);
}

/* Seeded anew at each start, so that nobody can choose names that share a bucket. */
static struct relay_worker **
bucket_of(struct relay *relay, uid_t uid, const char *account)
{
	uint64_t h = relay->seed ^ uid;

	for (const char *p = account; *p != '\0'; p++) {
		h = (h ^ (unsigned char)*p) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 29;
	}
	return &relay->buckets[(h ^ h >> 32) & (BUCKETS - 1)];
}

enum rk_status
relay_join(struct relay *relay, uid_t uid, const char *account, int fd, struct relay_worker **out,
    struct rk_err *err)
{
	struct relay_worker *w, **bucket = bucket_of(relay, uid, account);
	enum rk_status status = RK_OK;
	int size = SOCKET_BUFFER;

	if (relay->figures.workers >= relay->max_workers)
		status = rk_fail_plain(
		    err, RK_LIMIT, "there are %u workers already", relay->figures.workers);
	else if (account[0] == '\0')
		status = rk_fail_plain(err, RK_INVALID, "a worker without an account");
	else
		status = ipc_nonblock(fd, true, err);
	if (status == RK_OK && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
		status = rk_fail(err, RK_TEMP, "a worker's socket");
	if (status != RK_OK) {
		close(fd);
		return status;
	}
	w = calloc(1, sizeof(*w));
	if (w == NULL || (w->account = strdup(account)) == NULL)
		rk_out_of_memory(sizeof(*w));
	w->relay = relay;
	w->uid = uid;
	w->fd = fd;
	w->next = *bucket;
	*bucket = w;
	relay->figures.workers++;
	*out = w;
	return RK_OK;
}

void
relay_leave(struct relay_worker *w)
{
	struct relay_worker **p = bucket_of(w->relay, w->uid, w->account);

	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	w->relay->figures.workers--;
	if (w->watching)
		w->relay->figures.watching--;
	close(w->fd);
	free(w->account);
	free(w);
}

static enum rk_status
notice_send(struct relay_worker *w, const struct pending *p, struct rk_err *err)
{
	struct hub_notice notice = { .modseq = p->modseq };
	struct msg_out m;
	enum rk_status status;

	memcpy(notice.account, w->account, strlen(w->account) + 1);
	memcpy(notice.box, p->box, sizeof(notice.box));
	msg_begin(&m, HUB_CHANGED, 0);
	put_hub_notice(&m, &notice);
	status = ipc_send(w->fd, &m, err);
	if (status == RK_OK)
		w->relay->figures.relayed++;
	return status;
}

/* A later change of the same mailbox says all that an earlier one said. */
static void
pending_add(struct relay_worker *w, const struct pending *p)
{
	for (size_t i = 0; i < w->npending; i++) {
		if (memcmp(w->pending[i].box, p->box, RK_GUID_LEN) == 0) {
			if (p->modseq > w->pending[i].modseq)
				w->pending[i].modseq = p->modseq;
			return;
		}
	}
	if (w->everything) {
		w->relay->figures.dropped++;
	} else if (w->npending == RELAY_QUEUE) {
		w->relay->figures.dropped += RELAY_QUEUE + 1;
		w->npending = 0;
		w->everything = true;
	} else {
		w->pending[w->npending++] = *p;
	}
}

static void
blocked_set(struct relay_worker *w, bool blocked)
{
	if (w->blocked == blocked)
		return;
	w->blocked = blocked;
	w->relay->writable(w, blocked, w->relay->arg);
}

/* A peer whose socket is broken is found out by its reader. */
static void
notice_give(struct relay_worker *w, const struct pending *p)
{
	struct rk_err err;

	if (!w->blocked && notice_send(w, p, &err) != RK_AGAIN)
		return;
	pending_add(w, p);
	blocked_set(w, true);
}

enum rk_status
relay_flush(struct relay_worker *w, struct rk_err *err)
{
	static const struct pending everything;
	enum rk_status status = RK_OK;
	size_t sent = 0;

	if (w->everything) {
		status = notice_send(w, &everything, err);
		if (status == RK_OK)
			w->everything = false;
	}
	while (status == RK_OK && sent < w->npending) {
		status = notice_send(w, &w->pending[sent], err);
		if (status == RK_OK)
			sent++;
	}
	memmove(w->pending, w->pending + sent, (w->npending - sent) * sizeof(w->pending[0]));
	w->npending -= (uint8_t)sent;
	if (status == RK_AGAIN)
		return RK_OK;
	if (status == RK_OK)
		blocked_set(w, false);
	return status;
}

static enum rk_status
changed(struct relay_worker *from, const struct hub_notice *notice, struct rk_err *err)
{
	struct relay *relay = from->relay;
	struct pending p = { .modseq = notice->modseq };
	struct relay_worker *w;

	if (strcmp(notice->account, from->account) != 0)
		return rk_fail_plain(
		    err, RK_DENIED, "a worker of %s notified another account", from->account);
	relay->figures.notices++;
	memcpy(p.box, notice->box, sizeof(p.box));
	for (w = *bucket_of(relay, from->uid, from->account); w != NULL; w = w->next) {
		if (w != from && w->watching && w->uid == from->uid &&
		    strcmp(w->account, from->account) == 0)
			notice_give(w, &p);
	}
	return RK_OK;
}

static enum rk_status
watch(struct relay_worker *w, const struct hub_topic *topic, struct rk_err *err)
{
	if (strcmp(topic->account, w->account) != 0)
		return rk_fail_plain(
		    err, RK_DENIED, "a worker of %s watched another account", w->account);
	if (!w->watching)
		w->relay->figures.watching++;
	w->watching = true;
	return RK_OK;
}

enum rk_status
relay_message(struct relay_worker *w, struct msg_in *m, struct rk_err *err)
{
	struct hub_notice notice;
	struct hub_topic topic;
	enum rk_status status;

	switch (m->type) {
	case HUB_WATCH:
		get_hub_topic(m, &topic);
		status = msg_end(m, err);
		return status == RK_OK ? watch(w, &topic, err) : status;
	case HUB_CHANGED:
		get_hub_notice(m, &notice);
		status = msg_end(m, err);
		return status == RK_OK ? changed(w, &notice, err) : status;
	default:
		msg_drop(m);
		return rk_fail_plain(
		    err, RK_CORRUPT, "message %u from a worker", (unsigned)m->type);
	}
}

int
relay_fd(const struct relay_worker *w)
{
	return w->fd;
}

void
relay_data_set(struct relay_worker *w, void *data)
{
	w->data = data;
}

void *
relay_data(const struct relay_worker *w)
{
	return w->data;
}

void
relay_figures(const struct relay *relay, struct relay_figures *out)
{
	*out = relay->figures;
}
