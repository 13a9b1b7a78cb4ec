#include "imapd/gate/links.h"

#include <string.h>
#include <unistd.h>

#include "imapd/gate/conn.h"
#include "imapd/gate/gate.h"
#include "lib/base/log.h"
#include "lib/ipc/sock.h"

#define MESSAGES_A_TURN 64 /* then the clients get theirs */

void
links_init(struct gate *g)
{
	for (size_t i = 0; i < LINKS_MAX; i++)
		g->links.list[i] = (struct link){ .gate = g, .fd = -1 };
}

static void
link_drop(struct link *link, const char *reason)
{
	int fd = link->fd;

	log_ev(RK_LOG_INFO, "gate.link_lost", LOG_S("peer", link->info.peer),
	    LOG_U("generation", link->info.generation), LOG_S("reason", reason));
	event_del(&link->readable);
	event_del(&link->writable);
	link->fd = -1;
	link->ncancels = 0;
	close(fd);
	conn_link_lost(link->gate, link);
}

void
links_close(struct gate *g)
{
	for (size_t i = 0; i < LINKS_MAX; i++) {
		if (g->links.list[i].fd >= 0)
			link_drop(&g->links.list[i], "the gate ends");
	}
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;

	(void)what;
	for (int i = 0; i < MESSAGES_A_TURN && link->fd == fd; i++) {
		struct rk_err err;
		struct msg_in m;
		enum rk_status status = ipc_recv(link->fd, &m, &err);

		if (status == RK_AGAIN)
			return;
		if (status != RK_OK) {
			link_drop(link, err.text);
			return;
		}
		conn_message(link->gate, link, &m);
		explicit_bzero(m.bytes, m.len); /* a ticket may have been in it */
	}
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;

	(void)fd, (void)what;
	while (link->ncancels > 0) {
		struct rk_err err;
		struct msg_out m;

		msg_begin(&m, AUTH_CANCEL, link->cancels[link->ncancels - 1]);
		if (ipc_send(link->fd, &m, &err) == RK_AGAIN)
			return;
		link->ncancels--;
	}
	event_del(&link->writable);
}

void
links_add(struct gate *g, const struct link_info *info, int fd)
{
	struct link *link = NULL;
	struct rk_err err;

	for (size_t i = 0; i < LINKS_MAX && link == NULL; i++) {
		if (g->links.list[i].fd < 0)
			link = &g->links.list[i];
	}
	if (link == NULL || ipc_nonblock(fd, true, &err) != RK_OK) {
		log_ev(RK_LOG_ERROR, "gate.link_refused", LOG_S("peer", info->peer));
		close(fd);
		return;
	}
	*link = (struct link){ .gate = g, .fd = fd, .info = *info };
	event_assign(&link->readable, g->base, fd, EV_READ | EV_PERSIST, on_readable, link);
	event_assign(&link->writable, g->base, fd, EV_WRITE | EV_PERSIST, on_writable, link);
	event_add(&link->readable, NULL);
	log_ev(RK_LOG_DEBUG, "gate.link", LOG_S("peer", info->peer),
	    LOG_U("generation", info->generation));
}

struct link *
links_newest(struct gate *g, const char *peer)
{
	struct link *best = NULL;

	for (size_t i = 0; i < LINKS_MAX; i++) {
		struct link *link = &g->links.list[i];

		if (link->fd >= 0 && strcmp(link->info.peer, peer) == 0 &&
		    (best == NULL || link->info.generation > best->info.generation))
			best = link;
	}
	return best;
}

bool
link_send(struct link *link, const struct msg_out *m)
{
	struct rk_err err;

	if (ipc_send(link->fd, m, &err) == RK_OK)
		return true;
	log_ev(RK_LOG_WARN, "gate.link_full", LOG_S("peer", link->info.peer), LOG_ERR(&err));
	return false;
}

void
link_cancel(struct link *link, uint64_t id)
{
	struct rk_err err;
	struct msg_out m;

	msg_begin(&m, AUTH_CANCEL, id);
	if (ipc_send(link->fd, &m, &err) != RK_AGAIN || link->ncancels == CANCELS_MAX)
		return;
	link->cancels[link->ncancels++] = id;
	event_add(&link->writable, NULL);
}
