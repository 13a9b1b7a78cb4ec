#include "master/sd.h"

#include "lib/base/log.h"
#include "lib/base/str.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static enum rk_status
notify_connect(const char *name, int *fd_out, struct rk_err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	enum rk_status status;
	socklen_t len;
	int fd;

	if ((name[0] != '/' && name[0] != '@') || n < 2 || n >= sizeof(address.sun_path))
		return rk_fail_plain(err, RK_INVALID, "NOTIFY_SOCKET '%s' is no socket", name);
	memcpy(address.sun_path, name, n);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	/* An abstract name starts with a NUL and is not ended by one. */
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	else
		len++;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return rk_fail(err, RK_TEMP, "socket for NOTIFY_SOCKET");
	if (connect(fd, (struct sockaddr *)&address, len) < 0) {
		status = rk_fail(err, RK_TEMP, "connect to NOTIFY_SOCKET '%s'", name);
		close(fd);
		return status;
	}
	*fd_out = fd;
	return RK_OK;
}

static int64_t
watchdog_interval(int64_t pid)
{
	const char *usec = getenv("WATCHDOG_USEC"), *whom = getenv("WATCHDOG_PID");
	uint64_t value;

	if (usec == NULL || !str_u64(str_from(usec), INT64_MAX, &value))
		return 0;
	if (whom != NULL) {
		uint64_t other;

		if (!str_u64(str_from(whom), INT64_MAX, &other) || (int64_t)other != pid)
			return 0;
	}
	/* Twice as often as asked for: one late tick is not the end. */
	return value / 2000 == 0 ? 1 : (int64_t)(value / 2000);
}

enum rk_status
sd_open(struct sd *sd, int64_t pid, struct rk_err *err)
{
	const char *name = getenv("NOTIFY_SOCKET");
	enum rk_status status;

	*sd = (struct sd){ .fd = -1 };
	if (name == NULL || name[0] == '\0')
		return RK_OK;
	status = notify_connect(name, &sd->fd, err);
	if (status == RK_OK)
		sd->watchdog_ms = watchdog_interval(pid);
	return status;
}

void
sd_close(struct sd *sd)
{
	if (sd->fd >= 0)
		close(sd->fd);
	sd->fd = -1;
}

static void
notify(const struct sd *sd, const char *text)
{
	struct rk_err err;

	if (sd->fd < 0)
		return;
	if (send(sd->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		rk_fail(&err, RK_TEMP, "send to NOTIFY_SOCKET");
		log_ev(RK_LOG_WARN, "systemd.notify", LOG_ERR(&err));
	}
}

void
sd_ready(const struct sd *sd)
{
	notify(sd, "READY=1\nSTATUS=serving\n");
}

void
sd_reloading(const struct sd *sd)
{
	struct timespec now;
	char text[96];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading\n",
	    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	notify(sd, text);
}

void
sd_stopping(const struct sd *sd)
{
	notify(sd, "STOPPING=1\nSTATUS=draining\n");
}

void
sd_watchdog(const struct sd *sd)
{
	notify(sd, "WATCHDOG=1\n");
}

void
sd_status(const struct sd *sd, const char *text)
{
	char line[256];

	snprintf(line, sizeof(line), "STATUS=%s\n", text);
	notify(sd, line);
}
