/* What a client says after the login, all at once, to a session over the fake driver. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "tests/unit/imapd/session/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct account *account;

static void
store_drop(void)
{
	store_end(account);
}

static void
store_fill(void)
{
	log_init(-1, "fuzz", RK_LOG_ERROR);
	store_begin();
	fake_msg_add(fake_box_find("INBOX"), RK_FLAG_SEEN, "Subject: a\r\n\r\nb\r\n");
	fake_msg_add_as(fake_box_find("INBOX"), 0, "X: y\n z\n\nbody\n", RK_EOL_LF, false);
	fake_msg_add(fake_box_add("Gr\xc3\xbc\xc3\x9f/x"), 0, "a\n");
	fake_subscribe("Gone/x");
	account = store_open();
	atexit(store_drop);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct session_limits limits = { { 1000, 500, 100, 2000, false, 3000 }, 20,
		5000, 1000, 50 };
	struct session_start start = {
		.limits = &limits, .user = "u", .spawner_fd = -1, .hub_fd = -1
	};
	int pair[2];

	if (account == NULL)
		store_fill();
	if (size > 8192 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0 ||
	    write(pair[0], data, size) != (ssize_t)size || shutdown(pair[0], SHUT_WR) < 0)
		return -1;
	start.account = account;
	start.client_fd = pair[1];
	session_run(&start);
	close(pair[0]);
	close(pair[1]);
	return 0;
}
