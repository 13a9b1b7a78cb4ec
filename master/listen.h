/* The TCP sockets that gates accept on. The master owns them, so they outlive every gate. */
#ifndef MASTER_LISTEN_H
#define MASTER_LISTEN_H

#include "master/settings.h"

struct listeners {
	struct listener {
		struct listener_def def;
		int fd;
	} list[SETTINGS_LISTENERS];
	size_t n;
};

/* One non-blocking listening socket; "*" is one socket for IPv6 and IPv4, IPv4 alone on a machine
 * without IPv6. `address` is numeric. */
RK_MUST_CHECK enum rk_status listen_open(
    const struct listener_def *def, int *fd_out, struct rk_err *err);

/* Fills `next` as `settings` wants it; a socket whose address and port `now` has is shared with it.
 * On failure what was newly opened is closed. */
RK_MUST_CHECK enum rk_status listeners_open(struct listeners *next, const struct listeners *now,
    const struct settings *settings, struct rk_err *err);

/* Closes the sockets of `gone` that `kept` doesn't share, and empties `gone`. */
void listeners_close(struct listeners *gone, const struct listeners *kept);

#endif
