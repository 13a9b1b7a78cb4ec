#include "tests/unit/imapd/session/harness.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/ipc/sock.h"
#include "tests/unit/imapd/session/store.h"

#define PATIENCE_MS 10000

static pthread_t thread;

void
harness_init(struct harness *h)
{
	memset(h, 0, sizeof(*h));
	store_begin();
	store_limits(&h->limits);
}

static void *
run(void *arg)
{
	struct harness *h = arg;

	session_run(&h->start);
	close(h->start.client_fd);
	return NULL;
}

void
harness_start(struct harness *h)
{
	struct rk_err err = { 0 };
	int client[2], spawner[2], hub[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, client), 0);
	ck_assert(ipc_pair(spawner, &err) == RK_OK && ipc_pair(hub, &err) == RK_OK);
	ck_assert(ipc_nonblock(client[1], true, &err) == RK_OK);
	ck_assert(ipc_nonblock(spawner[1], true, &err) == RK_OK);
	h->start.account = store_open();
	h->client = client[0];
	h->spawner = spawner[0];
	h->hub = hub[0];
	h->start.client_fd = client[1];
	h->start.spawner_fd = spawner[1];
	h->start.hub_fd = hub[1];
	h->start.limits = &h->limits;
	h->start.user = "u";
	h->start.score = &h->score;
	ck_assert_int_eq(pthread_create(&thread, NULL, run, h), 0);
}

static void
shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
harness_end(struct harness *h)
{
	shut(&h->client);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	shut(&h->spawner);
	shut(&h->hub);
	close(h->start.spawner_fd);
	store_end(h->start.account);
}

void
say_bytes(struct harness *h, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t put = send(h->client, p, n, MSG_NOSIGNAL);

		ck_assert_int_gt(put, 0);
		p += put;
		n -= (size_t)put;
	}
}

void
say(struct harness *h, const char *text)
{
	say_bytes(h, text, strlen(text));
}

/* Next byte, or -1 at the end. */
static int
byte(struct harness *h)
{
	struct pollfd pfd = { .fd = h->client, .events = POLLIN };
	ssize_t n;

	if (h->pos == h->len) {
		ck_assert_msg(poll(&pfd, 1, PATIENCE_MS) == 1, "nothing comes");
		n = recv(h->client, h->heard, sizeof(h->heard), 0);
		h->pos = 0;
		h->len = n > 0 ? (size_t)n : 0;
	}
	return h->pos < h->len ? h->heard[h->pos++] : -1;
}

void
hear_bytes(struct harness *h, const void *bytes, size_t n)
{
	const char *wanted = bytes;
	char *got = calloc(1, n + 1);

	ck_assert_ptr_nonnull(got);
	for (size_t i = 0; i < n; i++) {
		int c = byte(h);

		got[i] = (char)c;
		ck_assert_msg(c >= 0 && got[i] == wanted[i], "wanted \"%.*s\", heard \"%s\"",
		    (int)(n < 400 ? n : 400), wanted, i < 400 ? got : got + i - 400);
	}
	free(got);
}

void
hear(struct harness *h, const char *text)
{
	hear_bytes(h, text, strlen(text));
}

void
hear_tagged(struct harness *h, const char *line)
{
	char got[4096];
	size_t n;

	do {
		int c = 0;

		for (n = 0; n + 1 < sizeof(got) && c != '\n'; n++) {
			c = byte(h);
			ck_assert_msg(c >= 0, "the end instead of \"%s\"", line);
			got[n] = (char)c;
		}
		got[n] = '\0';
	} while (got[0] == '*');
	ck_assert_str_eq(got, line);
}

void
hear_end(struct harness *h)
{
	ck_assert_int_eq(byte(h), -1);
}

void
hear_nothing(struct harness *h, int ms)
{
	struct pollfd pfd = { .fd = h->client, .events = POLLIN };

	ck_assert_uint_eq(h->pos, h->len);
	ck_assert_int_eq(poll(&pfd, 1, ms), 0);
}

void
harness_select(struct harness *h)
{
	harness_start(h);
	say(h, "s SELECT INBOX\r\n");
	hear_tagged(h, "s OK [READ-ONLY] SELECT completed\r\n");
}
