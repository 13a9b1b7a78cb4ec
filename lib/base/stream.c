#include "lib/base/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/bug.h"

#define BLOCK ((size_t)16384)

enum stream_kind {
	STREAM_FD,
	STREAM_MEM,
	STREAM_CRLF,
};

struct stream {
	enum stream_kind kind;
	/* STREAM_FD */
	int fd;
	uint64_t offset;
	/* STREAM_FD and STREAM_MEM */
	uint64_t left;
	const char *bytes;
	/* STREAM_CRLF: a block of the inner stream, taken from pos to len */
	struct stream *inner;
	char *block;
	size_t pos;
	size_t len;
	bool cr;      /* the byte given before was a CR */
	bool owed_lf; /* a CR was put in for a bare LF; the LF is next */
};

static struct stream *
stream_new(enum stream_kind kind)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		rk_out_of_memory(sizeof(*s));
	s->kind = kind;
	return s;
}

struct stream *
stream_from_fd(int fd, uint64_t offset, uint64_t len)
{
	struct stream *s = stream_new(STREAM_FD);

	s->fd = fd;
	s->offset = offset;
	s->left = len;
	return s;
}

struct stream *
stream_from_mem(const void *bytes, size_t len)
{
	struct stream *s = stream_new(STREAM_MEM);

	s->bytes = bytes;
	s->left = len;
	return s;
}

struct stream *
stream_crlf(struct stream *inner)
{
	struct stream *s = stream_new(STREAM_CRLF);

	s->inner = inner;
	s->block = malloc(BLOCK);
	if (s->block == NULL)
		rk_out_of_memory(BLOCK);
	return s;
}

void
stream_free(struct stream *s)
{
	if (s == NULL)
		return;
	stream_free(s->inner);
	free(s->block);
	free(s);
}

static enum rk_status
fd_read(struct stream *s, void *bytes, size_t n, size_t *got_out, struct rk_err *err)
{
	ssize_t got;

	if (n > s->left)
		n = (size_t)s->left;
	if (n == 0) {
		*got_out = 0;
		return RK_OK;
	}
	do {
		got = pread(s->fd, bytes, n, (off_t)s->offset);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return rk_fail(err, RK_TEMP, "read a message");
	if (got == 0)
		return rk_fail_plain(err, RK_CORRUPT, "a message is %llu bytes shorter than it was",
		    (unsigned long long)s->left);
	s->offset += (uint64_t)got;
	s->left -= (uint64_t)got;
	*got_out = (size_t)got;
	return RK_OK;
}

static enum rk_status
mem_read(struct stream *s, void *bytes, size_t n, size_t *got_out)
{
	if (n > s->left)
		n = (size_t)s->left;
	if (n > 0)
		memcpy(bytes, s->bytes, n);
	s->bytes += n;
	s->left -= n;
	*got_out = n;
	return RK_OK;
}

/* Copies the run up to the next bare LF at once; *done_out says how many bytes were written. */
static size_t
crlf_convert(struct stream *s, char *out, size_t n)
{
	size_t done = 0;

	while (done < n && (s->owed_lf || s->pos < s->len)) {
		const char *from = s->block + s->pos;
		size_t room = n - done, run = s->len - s->pos;
		const char *lf;

		if (s->owed_lf) {
			out[done++] = '\n';
			s->owed_lf = false;
			s->cr = false;
			continue;
		}
		if (run > room)
			run = room;
		lf = memchr(from, '\n', run);
		if (lf != NULL)
			run = (size_t)(lf - from);
		if (run > 0) {
			memcpy(out + done, from, run);
			s->cr = from[run - 1] == '\r';
			done += run;
			s->pos += run;
		} else if (s->cr) {
			out[done++] = '\n';
			s->cr = false;
			s->pos++;
		} else {
			out[done++] = '\r';
			s->owed_lf = true;
			s->pos++;
		}
	}
	return done;
}

static enum rk_status
crlf_read(struct stream *s, void *bytes, size_t n, size_t *got_out, struct rk_err *err)
{
	enum rk_status status;

	if (!s->owed_lf && s->pos == s->len) {
		s->pos = 0;
		s->len = 0;
		status = stream_read(s->inner, s->block, BLOCK, &s->len, err);
		if (status != RK_OK)
			return status;
	}
	*got_out = crlf_convert(s, bytes, n);
	return RK_OK;
}

enum rk_status
stream_read(struct stream *s, void *bytes, size_t n, size_t *got_out, struct rk_err *err)
{
	*got_out = 0;
	switch (s->kind) {
	case STREAM_FD:
		return fd_read(s, bytes, n, got_out, err);
	case STREAM_MEM:
		return mem_read(s, bytes, n, got_out);
	case STREAM_CRLF:
		return crlf_read(s, bytes, n, got_out, err);
	}
	rk_bug("stream: kind %d", (int)s->kind);
}

enum rk_status
stream_skip(struct stream *s, uint64_t n, uint64_t *skipped_out, struct rk_err *err)
{
	char waste[BLOCK];
	uint64_t skipped = 0;
	enum rk_status status = RK_OK;

	*skipped_out = 0;
	if (s->kind != STREAM_CRLF) {
		skipped = n < s->left ? n : s->left;
		s->left -= skipped;
		s->offset += skipped;
		if (s->kind == STREAM_MEM)
			s->bytes += skipped;
		*skipped_out = skipped;
		return RK_OK;
	}
	while (skipped < n) {
		size_t want = n - skipped < BLOCK ? (size_t)(n - skipped) : BLOCK;
		size_t got;

		status = stream_read(s, waste, want, &got, err);
		if (status != RK_OK || got == 0)
			break;
		skipped += got;
	}
	*skipped_out = skipped;
	return status;
}
