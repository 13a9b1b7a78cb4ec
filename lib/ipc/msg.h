/*
 * One framed message: a 16 byte header and typed fields, at most MSG_MAX bytes and MSG_FDS_MAX
 * descriptors, over a Unix SOCK_SEQPACKET socket. A peer that sends anything else is dropped; its
 * garbage never ends the receiver. Fields carry no names: sender and receiver read them in the one
 * order that lib/ipc/proto.h gives, and a message that is too short or too long is RK_CORRUPT.
 */
#ifndef IPC_MSG_H
#define IPC_MSG_H

#include "lib/base/str.h"

#define MSG_MAX 16384
#define MSG_FDS_MAX 4

struct msg_out {
	uint16_t type;
	uint64_t id;
	size_t len;
	bool overflow; /* a field did not fit: ipc_send answers RK_LIMIT */
	int fds[MSG_FDS_MAX];
	size_t nfds;
	unsigned char bytes[MSG_MAX];
};

struct msg_in {
	uint16_t type;
	uint64_t id;
	size_t len;
	size_t pos;
	bool bad; /* a field was missing or out of bounds */
	int fds[MSG_FDS_MAX];
	size_t nfds;
	unsigned char bytes[MSG_MAX];
};

/* Starts a message; `type` from enum msg_type (proto.h), `id` joins an answer to its request. */
void msg_begin(struct msg_out *m, uint16_t type, uint64_t id);
void msg_put_u8(struct msg_out *m, uint8_t v);
void msg_put_u32(struct msg_out *m, uint32_t v);
void msg_put_u64(struct msg_out *m, uint64_t v);
void msg_put_bytes(struct msg_out *m, const void *bytes, size_t n); /* 32 bit length, bytes */
void msg_put_str(struct msg_out *m, struct str s);
void msg_put_text(struct msg_out *m, const char *text); /* NULL is sent as "" */
void msg_put_fd(struct msg_out *m, int fd);             /* borrowed until sent */

/* After a bad field all later gets give 0 or empty; ask once, at msg_end(). */
uint8_t msg_get_u8(struct msg_in *m);
uint32_t msg_get_u32(struct msg_in *m);
uint64_t msg_get_u64(struct msg_in *m);
/* At most `max` bytes, else bad. Borrowed from the message. */
struct str msg_get_str(struct msg_in *m, size_t max);
/* Into `out` with a NUL; a value that holds a NUL or does not fit is bad. */
void msg_get_text(struct msg_in *m, char *out, size_t size);
/* The next descriptor, now the caller's; -1 and bad if there is none. */
int msg_get_fd(struct msg_in *m);

/* RK_CORRUPT if a field was bad, bytes are left over, or a descriptor was not taken (then closed).
 */
RK_MUST_CHECK enum rk_status msg_end(struct msg_in *m, struct rk_err *err);
/* Closes descriptors that were not taken. */
void msg_drop(struct msg_in *m);

/* Reads a frame from memory (tests, fuzzing) as ipc_recv does from a socket. */
RK_MUST_CHECK enum rk_status msg_parse(
    struct msg_in *m, const void *frame, size_t n, struct rk_err *err);
/* Bytes of the frame as they go over the socket; *n_out <= MSG_MAX. */
RK_MUST_CHECK enum rk_status msg_frame(
    const struct msg_out *m, unsigned char frame[MSG_MAX], size_t *n_out, struct rk_err *err);

#endif
