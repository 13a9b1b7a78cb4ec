/*
 * Pull streams: bytes on demand, nothing held beyond one block. A stream over an LF file gives
 * CRLF.
 */
#ifndef BASE_STREAM_H
#define BASE_STREAM_H

#include <rookery/error.h>

struct stream;

/* `len` bytes of `fd` from `offset` by pread; the descriptor is borrowed. */
struct stream *stream_from_fd(int fd, uint64_t offset, uint64_t len);
/* Borrowed bytes. */
struct stream *stream_from_mem(const void *bytes, size_t len);
/* Turns each bare LF of `inner` into CR LF; a CR LF stays. Takes `inner`. */
struct stream *stream_crlf(struct stream *inner);

void stream_free(struct stream *s);

/* Up to n bytes; *got_out 0 only at the end. A file that became shorter is RK_CORRUPT. */
RK_MUST_CHECK enum rk_status stream_read(
    struct stream *s, void *bytes, size_t n, size_t *got_out, struct rk_err *err);

/* Reads and forgets up to n bytes; *skipped_out < n only at the end. */
RK_MUST_CHECK enum rk_status stream_skip(
    struct stream *s, uint64_t n, uint64_t *skipped_out, struct rk_err *err);

#endif
