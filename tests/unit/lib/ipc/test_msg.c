#include "tests/unit/unit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/ipc/proto.h"
#include "lib/ipc/sock.h"

static struct msg_out out;
static struct msg_in in;
static struct rk_err err;

/* Frame and back, without a socket. */
static void
cross(void)
{
	unsigned char frame[MSG_MAX];
	size_t n;

	ck_assert_int_eq(msg_frame(&out, frame, &n, &err), RK_OK);
	ck_assert_int_eq(msg_parse(&in, frame, n, &err), RK_OK);
}

static struct handoff
sample_handoff(void)
{
	struct handoff h = { .reply = HANDOFF_AUTHENTICATE, .tls = true, .bad_commands = 2 };

	sid_make(h.sid);
	ticket_make(&h.ticket, 9);
	strcpy(h.tag, "a001");
	strcpy(h.remote.address, "2001:db8::1");
	h.remote.port = 65535;
	strcpy(h.local.address, "192.0.2.1");
	return h;
}

START_TEST(a_record_comes_back_as_it_went)
{
	struct handoff h = sample_handoff(), got;

	msg_begin(&out, HANDOFF, 7);
	put_handoff(&out, &h);
	cross();
	ck_assert_uint_eq(in.type, HANDOFF);
	ck_assert_uint_eq(in.id, 7);
	get_handoff(&in, &got);
	ck_assert_int_eq(msg_end(&in, &err), RK_OK);
	ck_assert_str_eq(got.sid, h.sid);
	ck_assert(ticket_equal(&got.ticket, &h.ticket));
	ck_assert_str_eq(got.tag, "a001");
	ck_assert_uint_eq(got.reply, HANDOFF_AUTHENTICATE);
	ck_assert_str_eq(got.remote.address, "2001:db8::1");
	ck_assert_uint_eq(got.remote.port, 65535);
	ck_assert(got.tls);
}
END_TEST

/* Row V21: a message cut at any byte, or longer than it should be, is refused. */
START_TEST(v21_cut_and_long_messages_are_refused)
{
	struct handoff h = sample_handoff(), got;
	size_t full;

	msg_begin(&out, HANDOFF, 7);
	put_handoff(&out, &h);
	full = out.len;
	for (size_t n = 0; n < full; n++) {
		out.len = n;
		cross();
		get_handoff(&in, &got);
		ck_assert_int_eq(msg_end(&in, &err), RK_CORRUPT);
	}
	out.len = full;
	msg_put_u8(&out, 0);
	cross();
	get_handoff(&in, &got);
	ck_assert_int_eq(msg_end(&in, &err), RK_CORRUPT);
}
END_TEST

START_TEST(v21_frames_that_lie_are_refused)
{
	unsigned char frame[MSG_MAX + 1] = { 0 };
	size_t n;

	msg_begin(&out, CTL_PING, 1);
	msg_put_text(&out, "abc");
	ck_assert_int_eq(msg_frame(&out, frame, &n, &err), RK_OK);
	for (size_t len = 0; len < n; len++)
		ck_assert_int_eq(msg_parse(&in, frame, len, &err), RK_CORRUPT);
	ck_assert_int_eq(msg_parse(&in, frame, n + 1, &err), RK_CORRUPT);
	ck_assert_int_eq(msg_parse(&in, frame, sizeof(frame), &err), RK_CORRUPT);
	frame[2] = 1;
	ck_assert_int_eq(msg_parse(&in, frame, n, &err), RK_CORRUPT);
}
END_TEST

START_TEST(values_out_of_bounds_are_bad)
{
	char small[4];
	struct auth_fail fail;

	msg_begin(&out, AUTH_FAIL, 0);
	msg_put_u32(&out, 99);
	cross();
	get_auth_fail(&in, &fail);
	ck_assert_int_eq(msg_end(&in, &err), RK_CORRUPT);
	msg_begin(&out, AUTH_FAIL, 0);
	msg_put_text(&out, "long");
	cross();
	msg_get_text(&in, small, sizeof(small));
	ck_assert_str_eq(small, "");
	ck_assert_int_eq(msg_end(&in, &err), RK_CORRUPT);
	msg_begin(&out, AUTH_FAIL, 0);
	msg_put_bytes(&out, "a\0b", 3);
	cross();
	msg_get_text(&in, small, sizeof(small));
	ck_assert_int_eq(msg_end(&in, &err), RK_CORRUPT);
}
END_TEST

START_TEST(a_message_too_large_is_never_sent)
{
	static char big[MSG_MAX];
	int fds[2];

	ck_assert_int_eq(ipc_pair(fds, &err), RK_OK);
	msg_begin(&out, AUTH_CONTINUE, 0);
	msg_put_bytes(&out, big, sizeof(big));
	ck_assert_int_eq(ipc_send(fds[0], &out, &err), RK_LIMIT);
	msg_begin(&out, AUTH_CONTINUE, 0);
	for (int i = 0; i < MSG_FDS_MAX + 1; i++)
		msg_put_fd(&out, 0);
	ck_assert_int_eq(ipc_send(fds[0], &out, &err), RK_LIMIT);
}
END_TEST

START_TEST(descriptors_travel_and_never_leak)
{
	int fds[2], got, before, after;

	ck_assert_int_eq(ipc_pair(fds, &err), RK_OK);
	ck_assert_int_eq(ipc_nonblock(fds[1], true, &err), RK_OK);
	ck_assert_int_eq(ipc_recv(fds[1], &in, &err), RK_AGAIN);
	before = dup(0);
	close(before);
	msg_begin(&out, HANDOFF, 1);
	msg_put_fd(&out, fds[0]);
	ck_assert_int_eq(ipc_send(fds[0], &out, &err), RK_OK);
	ck_assert_int_eq(ipc_send(fds[0], &out, &err), RK_OK);
	ck_assert_int_eq(ipc_recv(fds[1], &in, &err), RK_OK);
	got = msg_get_fd(&in);
	ck_assert_int_ge(got, 0);
	ck_assert_int_eq(fcntl(got, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(msg_end(&in, &err), RK_OK);
	close(got);
	/* Not taken: refused, and closed. */
	ck_assert_int_eq(ipc_recv(fds[1], &in, &err), RK_OK);
	ck_assert_int_eq(msg_end(&in, &err), RK_CORRUPT);
	after = dup(0);
	ck_assert_int_eq(after, before);
	close(fds[0]);
	ck_assert_int_eq(ipc_recv(fds[1], &in, &err), RK_CLOSED);
}
END_TEST

START_TEST(garbage_from_a_peer_is_corrupt_and_nothing_more)
{
	char garbage[MSG_MAX * 2];
	int fds[2];

	ck_assert_int_eq(ipc_pair(fds, &err), RK_OK);
	srand(21);
	for (int i = 0; i < 500; i++) {
		size_t n = 1 + (size_t)rand() % (sizeof(garbage) - 1);

		for (size_t k = 0; k < n; k++)
			garbage[k] = (char)rand();
		ck_assert_int_eq(send(fds[0], garbage, n, 0), (ssize_t)n);
		ck_assert_int_eq(ipc_recv(fds[1], &in, &err), RK_CORRUPT);
	}
}
END_TEST

START_TEST(waiting_for_an_answer_has_an_end)
{
	int fds[2];

	ck_assert_int_eq(ipc_pair(fds, &err), RK_OK);
	ck_assert_int_eq(ipc_recv_until(fds[1], &in, rk_clock_ms() + 30, &err), RK_TEMP);
	msg_begin(&out, CTL_PING, 5);
	ck_assert_int_eq(ipc_send(fds[0], &out, &err), RK_OK);
	ck_assert_int_eq(ipc_recv_until(fds[1], &in, rk_clock_ms() + 1000, &err), RK_OK);
	ck_assert_uint_eq(in.id, 5);
}
END_TEST

START_TEST(sessions_and_tickets_are_not_repeated)
{
	struct ticket a, b;
	char x[SID_LEN + 1], y[SID_LEN + 1];

	ticket_make(&a, 1);
	ticket_make(&b, 1);
	ck_assert(!ticket_equal(&a, &b) && ticket_equal(&a, &a));
	b = a;
	b.generation = 2;
	ck_assert(!ticket_equal(&a, &b));
	sid_make(x);
	sid_make(y);
	ck_assert_uint_eq(strlen(x), SID_LEN);
	ck_assert_str_ne(x, y);
}
END_TEST

UNIT_MAIN("msg", a_record_comes_back_as_it_went, v21_cut_and_long_messages_are_refused,
    v21_frames_that_lie_are_refused, values_out_of_bounds_are_bad,
    a_message_too_large_is_never_sent, descriptors_travel_and_never_leak,
    garbage_from_a_peer_is_corrupt_and_nothing_more, waiting_for_an_answer_has_an_end,
    sessions_and_tickets_are_not_repeated)
