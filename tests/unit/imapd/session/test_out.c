#include "tests/unit/unit.h"

#include <rookery/host.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "imapd/session/out.h"

static int pair[2];
static struct buf got;

static struct out *
setup(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
	return out_new(pair[1]);
}

static void
teardown(struct out *o)
{
	out_free(o);
	close(pair[0]);
	close(pair[1]);
	buf_clear(&got);
}

static int
file_of(const char *bytes, size_t n)
{
	int fd = memfd_create("message", 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
	return fd;
}

/* Takes up to n bytes of what was sent; false at the end. */
static bool
take(size_t n)
{
	ssize_t r;

	buf_reserve(&got, n);
	r = read(pair[0], got.data + got.len, n);
	if (r > 0)
		got.len += (size_t)r;
	return r > 0 || (r < 0 && errno == EAGAIN);
}

static void
flush_all(struct out *o, size_t bite)
{
	struct rk_err err = { 0 };
	enum rk_status status;

	do {
		status = out_flush(o, &err);
		ck_assert_msg(status == RK_OK || status == RK_AGAIN, "%s", err.text);
		ck_assert(take(bite));
	} while (status == RK_AGAIN);
	while (got.len < out_sent(o))
		ck_assert(take(bite));
}

/* Runs, ranges and streams leave in order, whatever the client takes at once. */
static void
in_order(size_t bite)
{
	struct out *o = setup();
	struct buf wanted = BUF_INIT;
	static char big[300000];
	int fd;

	memset(big, 'b', sizeof(big));
	ck_assert(out_empty(o));
	for (int i = 0; i < 5; i++) {
		buf_adds(out_buf(o), "first ");
		out_file(o, file_of("xxfilexx", 8), 2, 4);
		out_file(o, file_of("", 0), 0, 0);
		fd = file_of("a\nb\r\nc\n", 7);
		out_stream(o, stream_crlf(stream_from_fd(fd, 0, 7)), fd, 9);
		buf_adds(out_buf(o), "last");
		buf_adds(&wanted, "first filea\r\nb\r\nc\r\nlast");
		buf_add(out_buf(o), big, sizeof(big));
		buf_add(&wanted, big, sizeof(big));
		fd = file_of(big, sizeof(big));
		out_stream(o, stream_from_fd(fd, 0, sizeof(big)), fd, sizeof(big));
		buf_add(&wanted, big, sizeof(big));
		out_file(o, file_of(big, sizeof(big)), 0, sizeof(big));
		buf_add(&wanted, big, sizeof(big));
	}
	ck_assert(!out_empty(o));
	flush_all(o, bite);
	ck_assert(out_empty(o));
	ck_assert_uint_eq(out_held(o), 0);
	ck_assert_uint_eq(got.len, wanted.len);
	ck_assert_mem_eq(got.data, wanted.data, wanted.len);
	buf_clear(&wanted);
	teardown(o);
}

START_TEST(order_for_a_fast_client)
{
	in_order(1 << 20);
}
END_TEST

START_TEST(order_for_a_slow_client)
{
	in_order(777);
}
END_TEST

START_TEST(a_full_queue_says_so)
{
	struct out *o = setup();
	struct rk_err err;
	static char block[65536];
	size_t most = 0;

	memset(block, 'x', sizeof(block));
	while (!out_full(o)) {
		buf_add(out_buf(o), block, sizeof(block));
		most = out_held(o);
	}
	ck_assert(!out_ready(o));
	ck_assert_uint_le(most, 1024 * 1024);
	ck_assert(out_flush(o, &err) == RK_AGAIN);
	while (!out_ready(o)) {
		ck_assert(take(4096));
		ck_assert(out_flush(o, &err) != RK_CLOSED);
	}
	ck_assert(!out_full(o));
	teardown(o);
}
END_TEST

START_TEST(files_are_counted_too)
{
	struct out *o = setup();
	unsigned n = 0;

	while (!out_full(o)) {
		out_file(o, file_of("x", 1), 0, 1);
		n++;
	}
	/* A worker has 128 descriptors. */
	ck_assert_uint_le(n, 64);
	flush_all(o, 100);
	ck_assert(out_ready(o));
	ck_assert_uint_eq(got.len, n);
	teardown(o);
}
END_TEST

START_TEST(a_message_that_became_shorter)
{
	for (int stream = 0; stream < 2; stream++) {
		struct out *o = setup();
		struct rk_err err;
		int fd = file_of("short", 5);

		buf_adds(out_buf(o), "{10}\r\n");
		if (stream)
			out_stream(o, stream_from_fd(fd, 0, 10), fd, 10);
		else
			out_file(o, fd, 0, 10);
		buf_adds(out_buf(o), ")");
		ck_assert(out_flush(o, &err) == RK_CORRUPT);
		while (got.len < out_sent(o))
			ck_assert(take(100));
		/* Nothing behind the hole. */
		ck_assert_uint_eq(got.len, 11);
		teardown(o);
	}
}
END_TEST

START_TEST(a_client_that_is_gone)
{
	struct out *o = setup();
	struct rk_err err;

	close(pair[0]);
	buf_adds(out_buf(o), "x");
	ck_assert(out_flush(o, &err) == RK_CLOSED);
	pair[0] = dup(pair[1]);
	teardown(o);
}
END_TEST

START_TEST(the_clock_of_a_stuck_client)
{
	struct out *o = setup();
	struct rk_err err;
	static char block[1 << 20];
	int64_t before;

	usleep(20000);
	ck_assert_int_ge(out_stuck_since(o), rk_clock_ms() - 5);
	buf_add(out_buf(o), block, sizeof(block));
	ck_assert(out_flush(o, &err) == RK_AGAIN);
	before = rk_clock_ms();
	usleep(50000);
	ck_assert(out_flush(o, &err) == RK_AGAIN);
	ck_assert_int_le(out_stuck_since(o), before);
	ck_assert(take(1 << 19));
	ck_assert(out_flush(o, &err) == RK_AGAIN);
	ck_assert_int_gt(out_stuck_since(o), before);
	teardown(o);
}
END_TEST

UNIT_MAIN("imapd/session out", order_for_a_fast_client, order_for_a_slow_client,
    a_full_queue_says_so, files_are_counted_too, a_message_that_became_shorter,
    a_client_that_is_gone, the_clock_of_a_stuck_client)
