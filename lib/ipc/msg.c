#include "lib/ipc/msg.h"

#include <string.h>
#include <unistd.h>

/* Frame header: type, zero, length of the fields, id; little-endian hosts talk to themselves only,
 * so the fields are copied as they are. */
struct frame_head {
	uint16_t type;
	uint16_t zero;
	uint32_t len;
	uint64_t id;
};

#define HEAD sizeof(struct frame_head)

void
msg_begin(struct msg_out *m, uint16_t type, uint64_t id)
{
	m->type = type;
	m->id = id;
	m->len = 0;
	m->overflow = false;
	m->nfds = 0;
}

static void
put(struct msg_out *m, const void *bytes, size_t n)
{
	if (m->overflow || n > MSG_MAX - HEAD - m->len) {
		m->overflow = true;
		return;
	}
	if (n > 0)
		memcpy(m->bytes + m->len, bytes, n);
	m->len += n;
}

void
msg_put_u8(struct msg_out *m, uint8_t v)
{
	put(m, &v, sizeof(v));
}

void
msg_put_u32(struct msg_out *m, uint32_t v)
{
	put(m, &v, sizeof(v));
}

void
msg_put_u64(struct msg_out *m, uint64_t v)
{
	put(m, &v, sizeof(v));
}

void
msg_put_bytes(struct msg_out *m, const void *bytes, size_t n)
{
	if (n > MSG_MAX) {
		m->overflow = true;
		return;
	}
	msg_put_u32(m, (uint32_t)n);
	put(m, bytes, n);
}

void
msg_put_str(struct msg_out *m, struct str s)
{
	msg_put_bytes(m, s.p, s.n);
}

void
msg_put_text(struct msg_out *m, const char *text)
{
	msg_put_str(m, str_from(text));
}

void
msg_put_fd(struct msg_out *m, int fd)
{
	if (m->nfds == MSG_FDS_MAX)
		m->overflow = true;
	else
		m->fds[m->nfds++] = fd;
}

static const unsigned char *
get(struct msg_in *m, size_t n)
{
	const unsigned char *p = m->bytes + m->pos;

	if (m->bad || n > m->len - m->pos) {
		m->bad = true;
		return NULL;
	}
	m->pos += n;
	return p;
}

uint8_t
msg_get_u8(struct msg_in *m)
{
	const unsigned char *p = get(m, 1);

	return p == NULL ? 0 : *p;
}

uint32_t
msg_get_u32(struct msg_in *m)
{
	const unsigned char *p = get(m, sizeof(uint32_t));
	uint32_t v = 0;

	if (p != NULL)
		memcpy(&v, p, sizeof(v));
	return v;
}

uint64_t
msg_get_u64(struct msg_in *m)
{
	const unsigned char *p = get(m, sizeof(uint64_t));
	uint64_t v = 0;

	if (p != NULL)
		memcpy(&v, p, sizeof(v));
	return v;
}

struct str
msg_get_str(struct msg_in *m, size_t max)
{
	uint32_t n = msg_get_u32(m);
	const unsigned char *p;

	if (n > max)
		m->bad = true;
	p = get(m, n);
	return p == NULL ? str_of("", 0) : str_of(p, n);
}

void
msg_get_text(struct msg_in *m, char *out, size_t size)
{
	struct str s = msg_get_str(m, size - 1);

	if (s.n > 0 && memchr(s.p, '\0', s.n) != NULL)
		m->bad = true;
	if (m->bad)
		s.n = 0;
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
}

int
msg_get_fd(struct msg_in *m)
{
	int fd;

	if (m->bad || m->nfds == 0) {
		m->bad = true;
		return -1;
	}
	fd = m->fds[0];
	memmove(m->fds, m->fds + 1, (m->nfds - 1) * sizeof(m->fds[0]));
	m->nfds--;
	return fd;
}

void
msg_drop(struct msg_in *m)
{
	for (size_t i = 0; i < m->nfds; i++)
		close(m->fds[i]);
	m->nfds = 0;
}

enum rk_status
msg_end(struct msg_in *m, struct rk_err *err)
{
	bool fds_left = m->nfds > 0;

	msg_drop(m);
	if (m->bad)
		return rk_fail_plain(
		    err, RK_CORRUPT, "message %u is too short or malformed", (unsigned)m->type);
	if (m->pos != m->len)
		return rk_fail_plain(err, RK_CORRUPT, "message %u is %zu bytes too long",
		    (unsigned)m->type, m->len - m->pos);
	if (fds_left)
		return rk_fail_plain(
		    err, RK_CORRUPT, "message %u has descriptors too many", (unsigned)m->type);
	return RK_OK;
}

enum rk_status
msg_parse(struct msg_in *m, const void *frame, size_t n, struct rk_err *err)
{
	struct frame_head head;

	m->nfds = 0;
	m->pos = 0;
	m->len = 0;
	m->bad = false;
	if (n < HEAD || n > MSG_MAX)
		return rk_fail_plain(err, RK_CORRUPT, "a frame of %zu bytes", n);
	memcpy(&head, frame, HEAD);
	if (head.zero != 0 || head.len != n - HEAD)
		return rk_fail_plain(err, RK_CORRUPT, "a frame that says %u of %zu bytes",
		    (unsigned)head.len, n - HEAD);
	m->type = head.type;
	m->id = head.id;
	m->len = n - HEAD;
	if (m->len > 0)
		memcpy(m->bytes, (const unsigned char *)frame + HEAD, m->len);
	return RK_OK;
}

enum rk_status
msg_frame(const struct msg_out *m, unsigned char frame[MSG_MAX], size_t *n_out, struct rk_err *err)
{
	struct frame_head head = { .type = m->type, .len = (uint32_t)m->len, .id = m->id };

	if (m->overflow)
		return rk_fail_plain(err, RK_LIMIT, "message %u is too large", (unsigned)m->type);
	memcpy(frame, &head, HEAD);
	memcpy(frame + HEAD, m->bytes, m->len);
	*n_out = HEAD + m->len;
	return RK_OK;
}
