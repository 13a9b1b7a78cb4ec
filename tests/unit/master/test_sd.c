#include "tests/unit/unit.h"

#include "master/sd.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Plays systemd at `name` ("/path" or "@name"). */
static int
manager_open(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	memcpy(a.sun_path, name, strlen(name));
	if (name[0] == '@')
		a.sun_path[0] = '\0';
	else
		len++;
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, len), 0);
	return fd;
}

static void
expect(int fd, const char *start)
{
	char text[256];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_msg(strncmp(text, start, strlen(start)) == 0, "%s", text);
}

static void
conversation(const char *name)
{
	int fd = manager_open(name);
	struct rk_err err;
	struct sd sd;

	setenv("NOTIFY_SOCKET", name, 1);
	ck_assert_int_eq(sd_open(&sd, getpid(), &err), RK_OK);
	sd_ready(&sd);
	expect(fd, "READY=1\n");
	sd_reloading(&sd);
	expect(fd, "RELOADING=1\nMONOTONIC_USEC=");
	sd_watchdog(&sd);
	expect(fd, "WATCHDOG=1\n");
	sd_status(&sd, "hello");
	expect(fd, "STATUS=hello\n");
	sd_stopping(&sd);
	expect(fd, "STOPPING=1\n");
	sd_close(&sd);
	close(fd);
}

START_TEST(it_speaks_to_a_path_and_to_an_abstract_name)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/rk-test-sd.%d", (int)getpid());
	unlink(path);
	conversation(path);
	unlink(path);
	snprintf(path, sizeof(path), "@rk-test-sd.%d", (int)getpid());
	conversation(path);
}
END_TEST

START_TEST(without_systemd_nothing_is_said)
{
	struct rk_err err;
	struct sd sd;

	unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(sd_open(&sd, getpid(), &err), RK_OK);
	ck_assert_int_eq(sd.fd, -1);
	ck_assert_int_eq(sd.watchdog_ms, 0);
	sd_ready(&sd);
	sd_close(&sd);
}
END_TEST

START_TEST(a_name_that_is_no_socket_is_refused)
{
	static const char *const names[] = { "relative", "/", "@", "/nonexistent/rk" };
	char longest[200];
	struct rk_err err;
	struct sd sd;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		setenv("NOTIFY_SOCKET", names[i], 1);
		ck_assert_int_ne(sd_open(&sd, getpid(), &err), RK_OK);
		ck_assert_int_eq(sd.fd, -1);
	}
	memset(longest, 'a', sizeof(longest) - 1);
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	setenv("NOTIFY_SOCKET", longest, 1);
	ck_assert_int_eq(sd_open(&sd, getpid(), &err), RK_INVALID);
}
END_TEST

static int64_t
interval(const char *usec, const char *pid)
{
	char name[64];
	struct rk_err err;
	struct sd sd;
	int fd;

	snprintf(name, sizeof(name), "@rk-test-wd.%d", (int)getpid());
	fd = manager_open(name);
	setenv("NOTIFY_SOCKET", name, 1);
	setenv("WATCHDOG_USEC", usec, 1);
	if (pid != NULL)
		setenv("WATCHDOG_PID", pid, 1);
	else
		unsetenv("WATCHDOG_PID");
	ck_assert_int_eq(sd_open(&sd, 42, &err), RK_OK);
	sd_close(&sd);
	close(fd);
	return sd.watchdog_ms;
}

START_TEST(the_watchdog_is_fed_twice_as_often_as_asked)
{
	ck_assert_int_eq(interval("30000000", NULL), 15000);
	ck_assert_int_eq(interval("30000000", "42"), 15000);
	ck_assert_int_eq(interval("30000000", "43"), 0);
	ck_assert_int_eq(interval("nonsense", NULL), 0);
	ck_assert_int_eq(interval("1", NULL), 1);
}
END_TEST

UNIT_MAIN("sd", it_speaks_to_a_path_and_to_an_abstract_name, without_systemd_nothing_is_said,
    a_name_that_is_no_socket_is_refused, the_watchdog_is_fed_twice_as_often_as_asked)
