/*
 * The relay of change notices. A worker joins with the uid and account that the spawner vouches
 * for; it may watch and notify that account and no other, and hears only workers of the same uid
 * and account. Nobody waits for anybody: what a worker does not read is merged, then dropped, and
 * it is told once that everything may have changed when it reads again.
 */
#ifndef HUB_RELAY_H
#define HUB_RELAY_H

#include "lib/ipc/proto.h"

struct relay;
struct relay_worker;

/* Notices that wait for one worker beyond what its socket holds. */
#define RELAY_QUEUE 16

/* `writable` is called with on = true when a worker's socket is full and relay_flush is due once it
 * takes more, with false when it has caught up. */
struct relay *relay_new(
    uint32_t max_workers, void (*writable)(struct relay_worker *w, bool on, void *arg), void *arg);
void relay_free(struct relay *relay);

/* Takes `fd` (closed on failure too). RK_LIMIT: there are max_workers already. */
RK_MUST_CHECK enum rk_status relay_join(struct relay *relay, uid_t uid, const char *account, int fd,
    struct relay_worker **out, struct rk_err *err);
/* Forgets a worker and closes its socket. */
void relay_leave(struct relay_worker *w);

/* Handles what a worker sent; anything but RK_OK: it has to leave. Takes the message's descriptors.
 */
RK_MUST_CHECK enum rk_status relay_message(
    struct relay_worker *w, struct msg_in *m, struct rk_err *err);
/* Sends what waits. Not RK_OK: it has to leave. */
RK_MUST_CHECK enum rk_status relay_flush(struct relay_worker *w, struct rk_err *err);

int relay_fd(const struct relay_worker *w);
/* A place for the caller's own data. */
void relay_data_set(struct relay_worker *w, void *data);
void *relay_data(const struct relay_worker *w);

struct relay_figures {
	uint32_t workers;
	uint32_t watching;
	uint64_t notices; /* taken from workers */
	uint64_t relayed; /* given to workers */
	uint64_t dropped; /* merged into "everything changed" */
};

void relay_figures(const struct relay *relay, struct relay_figures *out);

#endif
