#include "tests/unit/unit.h"

#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "lib/base/buf.h"
#include "lib/base/stream.h"

static void
expect_crlf(const char *in, size_t in_len, const char *want, size_t want_len)
{
	/* Every size of read, so that each byte is once the last of a block. */
	for (size_t chunk = 1; chunk <= want_len + 1; chunk++) {
		struct stream *s = stream_crlf(stream_from_mem(in, in_len));
		struct buf out = BUF_INIT;
		struct rk_err err;
		char piece[256];
		size_t got;

		do {
			ck_assert_int_eq(stream_read(s, piece, chunk, &got, &err), RK_OK);
			buf_add(&out, piece, got);
		} while (got > 0);
		ck_assert_uint_eq(out.len, want_len);
		ck_assert_mem_eq(out.data, want, want_len);
		buf_clear(&out);
		stream_free(s);
	}
}

START_TEST(bare_lf_becomes_crlf_and_crlf_stays)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "a\nb\n", "a\r\nb\r\n" },
		{ "a\r\nb\r\n", "a\r\nb\r\n" },
		{ "a\r\nb\nc", "a\r\nb\r\nc" },
		{ "\n\n", "\r\n\r\n" },
		{ "\r\r\n", "\r\r\n" },
		{ "a\rb\n", "a\rb\r\n" },
		{ "no end", "no end" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_crlf(cases[i].in, strlen(cases[i].in), cases[i].want, strlen(cases[i].want));
	expect_crlf("\0\n\0", 3, "\0\r\n\0", 4);
}
END_TEST

START_TEST(a_range_of_a_file_is_read_and_skipped)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	struct stream *s;
	struct rk_err err;
	uint64_t skipped;
	char piece[64];
	size_t got;

	ck_assert_int_eq(write(fd, "0123456789", 10), 10);
	s = stream_from_fd(fd, 2, 6);
	ck_assert_int_eq(stream_skip(s, 3, &skipped, &err), RK_OK);
	ck_assert_uint_eq(skipped, 3);
	ck_assert_int_eq(stream_read(s, piece, sizeof(piece), &got, &err), RK_OK);
	ck_assert_uint_eq(got, 3);
	ck_assert_mem_eq(piece, "567", 3);
	ck_assert_int_eq(stream_read(s, piece, sizeof(piece), &got, &err), RK_OK);
	ck_assert_uint_eq(got, 0);
	ck_assert_int_eq(stream_skip(s, 9, &skipped, &err), RK_OK);
	ck_assert_uint_eq(skipped, 0);
	stream_free(s);
	close(fd);
}
END_TEST

START_TEST(a_file_that_became_shorter_is_said)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	struct stream *s = stream_from_fd(fd, 0, 10);
	struct rk_err err;
	char piece[64];
	size_t got;

	ck_assert_int_eq(write(fd, "01234", 5), 5);
	ck_assert_int_eq(stream_read(s, piece, sizeof(piece), &got, &err), RK_OK);
	ck_assert_uint_eq(got, 5);
	ck_assert_int_eq(stream_read(s, piece, sizeof(piece), &got, &err), RK_CORRUPT);
	stream_free(s);
	close(fd);
}
END_TEST

START_TEST(skipping_counts_converted_bytes)
{
	struct stream *s = stream_crlf(stream_from_mem("a\nb\nc", 5));
	struct rk_err err;
	uint64_t skipped;
	char piece[8];
	size_t got;

	ck_assert_int_eq(stream_skip(s, 2, &skipped, &err), RK_OK);
	ck_assert_uint_eq(skipped, 2);
	ck_assert_int_eq(stream_read(s, piece, 1, &got, &err), RK_OK);
	ck_assert_int_eq(piece[0], '\n');
	ck_assert_int_eq(stream_skip(s, UINT64_MAX, &skipped, &err), RK_OK);
	ck_assert_uint_eq(skipped, 4);
	stream_free(s);
}
END_TEST

UNIT_MAIN("stream", bare_lf_becomes_crlf_and_crlf_stays, a_range_of_a_file_is_read_and_skipped,
    a_file_that_became_shorter_is_said, skipping_counts_converted_bytes)
