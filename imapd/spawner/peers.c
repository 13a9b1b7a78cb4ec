#include "imapd/spawner/spawner_impl.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"

#define SEND_WAIT_MS 50

void
peers_init(struct spawner *s)
{
	for (size_t i = 0; i < LINKS_MAX; i++)
		s->peers[i].fd = -1;
}

static void
peer_close(struct spawner *s, uint32_t index)
{
	struct peer *p = &s->peers[index];
	bool authd = strcmp(p->name, "authd") == 0;

	source_close(s, p->fd);
	p->fd = -1;
	if (authd)
		handoff_authd_gone(s, index);
}

int
peer_find(const struct spawner *s, const char *name, uint32_t generation)
{
	int best = -1;

	for (int i = 0; i < LINKS_MAX; i++) {
		const struct peer *p = &s->peers[i];

		if (p->fd < 0 || strcmp(p->name, name) != 0)
			continue;
		if (generation != 0 && p->generation != generation)
			continue;
		if (best < 0 || p->generation > s->peers[best].generation)
			best = i;
	}
	return best;
}

void
peer_send(struct spawner *s, uint32_t index, const struct msg_out *m)
{
	struct peer *p = &s->peers[index];
	struct pollfd pfd = { .fd = p->fd, .events = POLLOUT };
	enum rk_status status;
	struct rk_err err;

	if (p->fd < 0)
		return;
	status = ipc_send(p->fd, m, &err);
	if (status == RK_AGAIN && poll(&pfd, 1, SEND_WAIT_MS) > 0)
		status = ipc_send(p->fd, m, &err);
	if (status == RK_OK)
		return;
	log_ev(RK_LOG_WARN, "spawner.peer", LOG_S("peer", p->name), LOG_ERR(&err));
	if (status != RK_AGAIN)
		peer_close(s, index);
}

static int
peer_slot(const struct spawner *s)
{
	for (int i = 0; i < LINKS_MAX; i++) {
		if (s->peers[i].fd < 0)
			return i;
	}
	return -1;
}

void
peer_join(struct spawner *s, struct msg_in *m)
{
	struct link_info info;
	struct rk_err err;
	int slot = peer_slot(s);
	int fd;

	get_link_info(m, &info);
	fd = msg_get_fd(m);
	if (msg_end(m, &err) != RK_OK || slot < 0)
		goto failed;
	if (ipc_nonblock(fd, true, &err) != RK_OK ||
	    source_add(s, fd, SOURCE_PEER, (uint32_t)slot, &err) != RK_OK)
		goto failed;
	s->peers[slot] = (struct peer){ .fd = fd, .generation = info.generation };
	memcpy(s->peers[slot].name, info.peer, sizeof(info.peer));
	if (strcmp(info.peer, "hub") == 0)
		workers_hub_renew(s);
	return;
failed:
	if (slot < 0)
		rk_fail_plain(&err, RK_LIMIT, "more than %d links", LINKS_MAX);
	log_ev(RK_LOG_ERROR, "spawner.link", LOG_ERR(&err));
	if (fd >= 0)
		close(fd);
}

/* Which messages a peer may send follows from its name, which the master vouches for. */
static void
peer_message(struct spawner *s, uint32_t index, struct msg_in *m)
{
	const char *name = s->peers[index].name;

	if (strcmp(name, "gate") == 0 && m->type == HANDOFF)
		handoff_begin(s, index, m);
	else if (strcmp(name, "authd") == 0 && m->type == GRANT)
		handoff_granted(s, index, m);
	else if (strcmp(name, "authd") == 0 && m->type == GRANT_REFUSED)
		handoff_refused(s, index, m);
	else {
		log_ev(RK_LOG_WARN, "spawner.peer", LOG_S("peer", name), LOG_U("type", m->type));
		peer_close(s, index);
	}
	explicit_bzero(m->bytes, m->len);
	msg_drop(m);
}

void
peer_readable(struct spawner *s, uint32_t index)
{
	static struct msg_in m;
	struct rk_err err;

	/* A bounded number at a time, so that one busy gate does not starve the others. */
	for (int i = 0; i < 16 && s->peers[index].fd >= 0; i++) {
		enum rk_status status = ipc_recv(s->peers[index].fd, &m, &err);

		if (status == RK_AGAIN)
			return;
		if (status == RK_OK) {
			peer_message(s, index, &m);
			continue;
		}
		if (status != RK_CLOSED)
			log_ev(RK_LOG_WARN, "spawner.peer", LOG_S("peer", s->peers[index].name),
			    LOG_ERR(&err));
		peer_close(s, index);
	}
}
