#include "storage/drivers/maildir/maildir_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#define POLL_MS 60000

static bool limit_told;

/* Per-user limits of inotify are small; without it the mailbox is looked at once a minute. */
static enum rk_status
watch_poll(struct rk_box *box, struct rk_watch *out)
{
	if (!limit_told)
		rk_log(RK_LOG_WARN, "maildir.watch",
		    "no inotify for %s (errno %d): looking every %d s; see "
		    "fs.inotify.max_user_instances",
		    box->name, errno, POLL_MS / 1000);
	limit_told = true;
	*out = (struct rk_watch){ -1, POLL_MS };
	return RK_OK;
}

enum rk_status
maildir_watch(struct rk_box *box, struct rk_watch *out, struct rk_err *err)
{
	static const char *const subs[] = { "cur", "new" };
	char path[64];
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	(void)err;
	if (fd < 0)
		return watch_poll(box, out);
	for (size_t i = 0; i < 2; i++) {
		/* By descriptor: the path above may have been moved by another session. */
		int sub = openat(box->dir, subs[i], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int watch = -1;

		if (sub >= 0) {
			snprintf(path, sizeof(path), "/proc/self/fd/%d", sub);
			watch = inotify_add_watch(fd, path,
			    IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF);
			close(sub);
		}
		if (watch < 0) {
			close(fd);
			return watch_poll(box, out);
		}
	}
	*out = (struct rk_watch){ fd, POLL_MS };
	return RK_OK;
}
