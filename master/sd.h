/* systemd's notification protocol (sd_notify(3)): a datagram of KEY=VALUE lines to NOTIFY_SOCKET.
 */
#ifndef MASTER_SD_H
#define MASTER_SD_H

#include <rookery/error.h>

struct sd {
	int fd;              /* connected socket, -1 without systemd */
	int64_t watchdog_ms; /* how often WATCHDOG=1 is due, 0: never */
};

/* Reads NOTIFY_SOCKET ("/path" or "@abstract"), WATCHDOG_USEC and WATCHDOG_PID; without
 * NOTIFY_SOCKET everything below does nothing. `pid`: whom the watchdog has to concern. */
RK_MUST_CHECK enum rk_status sd_open(struct sd *sd, int64_t pid, struct rk_err *err);
void sd_close(struct sd *sd);

/* Never blocks; what can't be sent is logged. */
void sd_ready(const struct sd *sd);
void sd_reloading(const struct sd *sd);
void sd_stopping(const struct sd *sd);
void sd_watchdog(const struct sd *sd);
/* One line for `systemctl status`. */
void sd_status(const struct sd *sd, const char *text);

#endif
