#include "imapd/spawner/spawner_impl.h"

#include <sys/epoll.h>
#include <unistd.h>

enum rk_status
source_add(struct spawner *s, int fd, enum source source, uint32_t index, struct rk_err *err)
{
	struct epoll_event ev = {
		.events = EPOLLIN,
		.data.u64 = (uint64_t)source << 32 | index,
	};

	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		return rk_fail(err, RK_TEMP, "epoll_ctl");
	return RK_OK;
}

void
source_close(struct spawner *s, int fd)
{
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, fd, NULL);
	close(fd);
}
