#include "imapd/session/out.h"

#include <rookery/host.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/base/bug.h"

/* Producers stop at HIGH and go on at LOW. With one more value of a run's size on top, the queue
 * stays below 1 MiB. Each file range holds a descriptor of the 128 that a worker has. */
#define HELD_HIGH ((size_t)512 * 1024)
#define HELD_LOW ((size_t)256 * 1024)
#define FILES_HIGH 16
#define FILES_LOW 8
#define IOV_MAX_USED 16
#define SEND_AT_ONCE ((uint64_t)1024 * 1024)
#define BLOCK ((size_t)64 * 1024)

enum item_kind {
	ITEM_BYTES,
	ITEM_FILE,
	ITEM_STREAM,
};

struct item {
	struct item *next;
	enum item_kind kind;
	struct buf bytes; /* ITEM_BYTES: the run; ITEM_STREAM: a block that was read ahead */
	size_t pos;       /* sent of `bytes` */
	int fd;
	uint64_t offset;
	uint64_t left; /* ITEM_FILE: to be sent; ITEM_STREAM: to be read */
	struct stream *stream;
};

struct out {
	int fd;
	struct item *head;
	struct item *tail;
	size_t sealed; /* bytes of all runs but the tail's */
	unsigned files;
	uint64_t sent;
	int64_t moved_ms; /* when the client last took something, or the queue began to fill */
};

struct out *
out_new(int fd)
{
	struct out *o = calloc(1, sizeof(*o));

	if (o == NULL)
		rk_out_of_memory(sizeof(*o));
	o->fd = fd;
	o->moved_ms = rk_clock_ms();
	return o;
}

static size_t
item_held(const struct item *i)
{
	return i->bytes.len - i->pos;
}

static void
item_free(struct item *i)
{
	stream_free(i->stream);
	if (i->fd >= 0)
		close(i->fd);
	buf_clear(&i->bytes);
	free(i);
}

void
out_free(struct out *o)
{
	if (o == NULL)
		return;
	while (o->head != NULL) {
		struct item *i = o->head;

		o->head = i->next;
		item_free(i);
	}
	free(o);
}

static struct item *
item_add(struct out *o, enum item_kind kind)
{
	struct item *i = calloc(1, sizeof(*i));

	if (i == NULL)
		rk_out_of_memory(sizeof(*i));
	i->kind = kind;
	i->fd = -1;
	if (o->tail != NULL) {
		o->sealed += item_held(o->tail);
		o->tail->next = i;
	} else {
		o->head = i;
		o->moved_ms = rk_clock_ms();
	}
	o->tail = i;
	if (kind != ITEM_BYTES)
		o->files++;
	return i;
}

struct buf *
out_buf(struct out *o)
{
	if (o->tail == NULL || o->tail->kind != ITEM_BYTES || o->tail->bytes.len >= OUT_RUN)
		item_add(o, ITEM_BYTES);
	return &o->tail->bytes;
}

void
out_file(struct out *o, int fd, uint64_t offset, uint64_t len)
{
	struct item *i;

	if (len == 0) {
		close(fd);
		return;
	}
	i = item_add(o, ITEM_FILE);
	i->fd = fd;
	i->offset = offset;
	i->left = len;
}

void
out_stream(struct out *o, struct stream *stream, int fd, uint64_t len)
{
	struct item *i;

	if (len == 0) {
		stream_free(stream);
		close(fd);
		return;
	}
	i = item_add(o, ITEM_STREAM);
	i->fd = fd;
	i->stream = stream;
	i->left = len;
}

size_t
out_held(const struct out *o)
{
	return o->sealed + (o->tail != NULL ? item_held(o->tail) : 0);
}

bool
out_full(const struct out *o)
{
	return out_held(o) >= HELD_HIGH || o->files >= FILES_HIGH;
}

bool
out_ready(const struct out *o)
{
	return out_held(o) <= HELD_LOW && o->files <= FILES_LOW;
}

bool
out_empty(const struct out *o)
{
	return o->head == NULL ||
	       (o->head == o->tail && o->head->kind == ITEM_BYTES && item_held(o->head) == 0);
}

uint64_t
out_sent(const struct out *o)
{
	return o->sent;
}

int64_t
out_stuck_since(const struct out *o)
{
	return out_empty(o) ? rk_clock_ms() : o->moved_ms;
}

/* Takes `n` bytes off the item at the head, in memory. */
static void
head_took(struct out *o, struct item *i, size_t n)
{
	i->pos += n;
	if (i != o->tail)
		o->sealed -= n;
}

static void
head_drop(struct out *o)
{
	struct item *i = o->head;

	if (i->kind != ITEM_BYTES)
		o->files--;
	o->head = i->next;
	if (o->head == NULL)
		o->tail = NULL;
	else if (o->head == o->tail)
		o->sealed = 0;
	item_free(i);
}

static enum rk_status
socket_failed(struct rk_err *err)
{
	switch (errno) {
	case EAGAIN:
		return rk_fail(err, RK_AGAIN, "send to the client");
	case EPIPE:
	case ECONNRESET:
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENOTCONN:
		return rk_fail(err, RK_CLOSED, "send to the client");
	default:
		return rk_fail(err, RK_TEMP, "send to the client");
	}
}

static void
moved(struct out *o, uint64_t n)
{
	o->sent += n;
	o->moved_ms = rk_clock_ms();
}

/* Sends the runs at the head in one call; more of the same answer may follow in a file. */
static enum rk_status
bytes_send(struct out *o, struct rk_err *err)
{
	struct iovec iov[IOV_MAX_USED];
	struct msghdr head = { .msg_iov = iov };
	struct item *i;
	bool more;
	ssize_t put;
	size_t n;

	for (i = o->head; i != NULL && head.msg_iovlen < IOV_MAX_USED; i = i->next) {
		if (i->kind == ITEM_FILE || (i->kind == ITEM_STREAM && item_held(i) == 0))
			break;
		iov[head.msg_iovlen].iov_base = i->bytes.data + i->pos;
		iov[head.msg_iovlen++].iov_len = item_held(i);
		if (i->kind == ITEM_STREAM)
			break;
	}
	more = i != NULL && (item_held(i) == 0 || i->left > 0 || i->next != NULL);
	do {
		put = sendmsg(o->fd, &head, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
	} while (put < 0 && errno == EINTR);
	if (put < 0)
		return socket_failed(err);
	moved(o, (uint64_t)put);
	for (n = (size_t)put; n > 0;) {
		size_t part = item_held(o->head) < n ? item_held(o->head) : n;

		head_took(o, o->head, part);
		n -= part;
		if (n > 0)
			head_drop(o);
	}
	return RK_OK;
}

static enum rk_status
file_send(struct out *o, struct rk_err *err)
{
	struct item *i = o->head;
	off_t offset = (off_t)i->offset;
	ssize_t put;

	do {
		put = sendfile(
		    o->fd, i->fd, &offset, i->left < SEND_AT_ONCE ? i->left : SEND_AT_ONCE);
	} while (put < 0 && errno == EINTR);
	if (put < 0)
		return socket_failed(err);
	if (put == 0)
		return rk_fail_plain(err, RK_CORRUPT, "a message is %llu bytes shorter than it was",
		    (unsigned long long)i->left);
	i->offset += (uint64_t)put;
	i->left -= (uint64_t)put;
	moved(o, (uint64_t)put);
	return RK_OK;
}

/* Reads the next block of a stream into its item. */
static enum rk_status
stream_fill(struct out *o, struct item *i, struct rk_err *err)
{
	size_t want = i->left < BLOCK ? (size_t)i->left : BLOCK;
	enum rk_status status;
	size_t got;

	buf_empty(&i->bytes);
	i->pos = 0;
	buf_reserve(&i->bytes, want);
	status = stream_read(i->stream, i->bytes.data, want, &got, err);
	if (status != RK_OK)
		return status;
	if (got == 0)
		return rk_fail_plain(err, RK_CORRUPT, "a message is %llu bytes shorter than it was",
		    (unsigned long long)i->left);
	i->bytes.len = got;
	i->left -= got;
	if (i != o->tail)
		o->sealed += got;
	return RK_OK;
}

static bool
item_done(const struct item *i)
{
	return item_held(i) == 0 && i->left == 0;
}

enum rk_status
out_flush(struct out *o, struct rk_err *err)
{
	while (o->head != NULL) {
		struct item *i = o->head;
		enum rk_status status = RK_OK;

		if (item_done(i)) {
			head_drop(o);
			continue;
		}
		if (i->kind == ITEM_STREAM && item_held(i) == 0)
			status = stream_fill(o, i, err);
		if (status == RK_OK)
			status = i->kind == ITEM_FILE ? file_send(o, err) : bytes_send(o, err);
		if (status != RK_OK)
			return status;
	}
	return RK_OK;
}
