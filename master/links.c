#include "master/master.h"

#include <stdio.h>
#include <unistd.h>

#include "lib/base/log.h"

bool
link_wanted(const struct child *client, const struct child *provider)
{
	if (!services_asks(client->service, provider->service))
		return false;
	if (client->state != CHILD_STARTING && client->state != CHILD_READY &&
	    client->state != CHILD_DRAINING)
		return false;
	/* An authd on its way out still redeems the tickets it minted, but mints no more. */
	if (provider->state == CHILD_DRAINING)
		return client->service != SVC_GATE;
	return provider->state == CHILD_READY;
}

static enum rk_status
link_push(struct child *to, const struct child *peer, int fd, struct rk_err *err)
{
	struct link_info info = { .generation = peer->generation, .pid = peer->pid };
	struct msg_out m;

	snprintf(info.peer, sizeof(info.peer), "%s", services[peer->service].name);
	msg_begin(&m, CTL_LINK, 0);
	put_link_info(&m, &info);
	msg_put_fd(&m, fd);
	return child_send(to, &m, err);
}

static void
link_join(struct child *client, struct child *provider)
{
	struct rk_err err;
	enum rk_status status;
	int pair[2];

	status = ipc_pair(pair, &err);
	if (status == RK_OK) {
		status = link_push(provider, client, pair[0], &err);
		if (status == RK_OK)
			status = link_push(client, provider, pair[1], &err);
		close(pair[0]);
		close(pair[1]);
	}
	/* Closed: one of the two is dying, and its successor is joined anew. */
	if (status == RK_OK || status == RK_CLOSED)
		return;
	/* Without the link the client is of no use, and it can't ask for another one. */
	log_ev(RK_LOG_ERROR, "master.link", LOG_S("service", services[client->service].name),
	    LOG_S("peer", services[provider->service].name), LOG_ERR(&err));
	child_kill(client, "no link to its peer");
}

void
links_on_start(struct master *m, struct child *client)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		if (&m->children[i] != client && link_wanted(client, &m->children[i]))
			link_join(client, &m->children[i]);
	}
}

void
links_on_ready(struct master *m, struct child *provider)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		if (&m->children[i] != provider && link_wanted(&m->children[i], provider))
			link_join(&m->children[i], provider);
	}
}
