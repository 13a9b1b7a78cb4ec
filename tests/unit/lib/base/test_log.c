#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/utf8.h"

static char out[LOG_LINE_MAX];

static const char *
value_of(const char *bytes, size_t n)
{
	log_format(out, RK_LOG_WARN, "test.event", &LOG_B("text", bytes, n), 1);
	return strstr(out, " text=") + 6;
}

START_TEST(values_are_bare_quoted_or_escaped)
{
	ck_assert_str_eq(value_of("plain-1.2_x:/@+,", 16), "plain-1.2_x:/@+,");
	ck_assert_str_eq(value_of("", 0), "\"\"");
	ck_assert_str_eq(value_of("two words", 9), "\"two words\"");
	ck_assert_str_eq(value_of("a\r\nb", 4), "\"a\\x0d\\x0ab\"");
	ck_assert_str_eq(value_of("\"\\", 2), "\"\\x22\\x5c\"");
	ck_assert_str_eq(value_of("x\0y", 3), "\"x\\x00y\"");
	ck_assert_str_eq(value_of("\033[31m", 5), "\"\\x1b[31m\"");
	ck_assert_str_eq(value_of("gr\xc3\xbc\xc3\x9f", 6), "\"gr\xc3\xbc\xc3\x9f\"");
	ck_assert_str_eq(value_of("\xff\xc3", 2), "\"\\xff\\xc3\"");
	ck_assert_str_eq(value_of("\xc2\x85", 2), "\"\\xc2\\x85\"");
	ck_assert_str_eq(value_of("%s%n", 4), "\"%s%n\"");
}
END_TEST

/* Row V16: whatever stands in it, an event is one line of bounded size without control bytes. */
START_TEST(v16_one_event_is_one_line)
{
	static char value[65536];
	struct log_kv kv[8];

	srand(16);
	for (int round = 0; round < 2000; round++) {
		size_t n = (size_t)rand() % (round % 10 == 0 ? sizeof(value) : 600), len;

		for (size_t i = 0; i < n; i++)
			value[i] = (char)rand();
		for (int i = 0; i < 8; i++)
			kv[i] = LOG_B("text", value, n);
		len = log_format(out, RK_LOG_ERROR, "test.event", kv, 8);
		ck_assert_uint_lt(len, LOG_LINE_MAX);
		ck_assert(utf8_valid(out, len));
		for (size_t i = 0; i < len; i++)
			ck_assert_uint_ge((unsigned char)out[i], 0x20);
	}
}
END_TEST

START_TEST(context_stands_in_every_line)
{
	struct rk_err err;

	log_set_session("SID123");
	log_set_user("u ser");
	log_set_remote("::1");
	errno = ENOENT;
	(void)!rk_fail(&err, RK_TEMP, "open %s", "x");
	log_format(out, RK_LOG_ERROR, "test.event", &LOG_ERR(&err), 1);
	ck_assert_ptr_ne(strstr(out, " sid=SID123 "), NULL);
	ck_assert_ptr_ne(strstr(out, " user=\"u ser\" "), NULL);
	ck_assert_ptr_ne(strstr(out, " remote=::1 "), NULL);
	ck_assert_ptr_ne(strstr(out, "err=\"open x: No such file or directory\""), NULL);
}
END_TEST

START_TEST(a_full_socket_loses_lines_and_says_so)
{
	char line[LOG_LINE_MAX + 1];
	int fds[2], lines = 0;
	ssize_t n;
	bool told = false;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
	log_init(fds[1], "test", RK_LOG_INFO);
	while (send(fds[1], "x", 1, MSG_DONTWAIT) == 1)
		continue;
	log_ev(RK_LOG_INFO, "test.lost", LOG_U("n", 1));
	while (recv(fds[0], line, sizeof(line), 0) > 0)
		continue;
	log_ev(RK_LOG_INFO, "test.after", LOG_U("n", 2));
	log_ev(RK_LOG_DEBUG, "test.quiet", LOG_U("n", 3));
	while ((n = recv(fds[0], line, LOG_LINE_MAX, 0)) > 0) {
		line[n] = '\0';
		lines++;
		told = told || strstr(line, " lost=1 ") != NULL;
	}
	ck_assert_int_eq(lines, 1);
	ck_assert(told);
}
END_TEST

UNIT_MAIN("log", values_are_bare_quoted_or_escaped, v16_one_event_is_one_line,
    context_stands_in_every_line, a_full_socket_loses_lines_and_says_so)
