/*
 * What leaves the session: byte runs that the response writers fill, ranges of message files behind
 * them, in order. Nothing here blocks; whoever produces asks out_full() and waits.
 */
#ifndef SESSION_OUT_H
#define SESSION_OUT_H

#include "lib/base/buf.h"
#include "lib/base/stream.h"

struct out;

/* A byte run is sealed at this size; a reader of the index copies at most this much at once. */
#define OUT_RUN ((size_t)256 * 1024)

/* The client's socket is borrowed and must be non-blocking. */
struct out *out_new(int fd);
/* Forgets what was not sent and closes the files. NULL is fine. */
void out_free(struct out *o);

/* The run to write into; valid until the next call on `o`. */
struct buf *out_buf(struct out *o);
/* Appends `len` bytes of `fd` from `offset`, sent as they stand. Takes fd. */
void out_file(struct out *o, int fd, uint64_t offset, uint64_t len);
/* Appends `len` bytes of `stream`, which reads from `fd`. Takes both. */
void out_stream(struct out *o, struct stream *stream, int fd, uint64_t len);

/* Enough is waiting: produce no more until out_ready(). */
bool out_full(const struct out *o);
/* There is room again: well below the mark, so that production runs in batches. */
bool out_ready(const struct out *o);
bool out_empty(const struct out *o);
/* Bytes held in memory. */
size_t out_held(const struct out *o);
/* Bytes the client's socket took since the start. */
uint64_t out_sent(const struct out *o);
/* rk_clock_ms() since which the client has taken nothing of what waits; now if nothing waits. */
int64_t out_stuck_since(const struct out *o);

/*
 * Sends what the socket takes. RK_OK: nothing is left. RK_AGAIN: wait for room. RK_CLOSED: the
 * client is gone. Anything else: a message could not be read to the end that was announced, and the
 * stream to the client can't be kept in step any more.
 */
RK_MUST_CHECK enum rk_status out_flush(struct out *o, struct rk_err *err);

#endif
