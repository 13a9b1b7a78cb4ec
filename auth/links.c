#include "auth/links.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/request.h"
#include "lib/base/log.h"

#define QUEUE_MAX 4096 /* answers that wait for a slow peer */
#define BURST 64       /* messages of one peer before the others have their turn */

enum peer {
	PEER_GATE,
	PEER_SPAWNER,
};

struct waiting {
	struct waiting *next;
	uint16_t type;
	uint64_t id;
	size_t len;
	unsigned char bytes[];
};

struct link {
	struct link *next;
	struct authd *authd;
	enum peer peer;
	uint32_t generation;
	uint64_t number;
	uint32_t requests;
	int fd;
	bool dropped;
	struct event *readable, *writable;
	struct waiting *first, **last;
	size_t queued;
};

struct links {
	struct link *first;
	uint64_t numbers;
	struct event *reap; /* ends dropped links from the loop */
};

static struct msg_in in;
static struct msg_out out;

static void
link_free(struct link *link)
{
	requests_of_link_end(link->authd->requests, link);
	while (link->first != NULL) {
		struct waiting *w = link->first;

		link->first = w->next;
		explicit_bzero(w->bytes, w->len);
		free(w);
	}
	if (link->readable != NULL)
		event_free(link->readable);
	if (link->writable != NULL)
		event_free(link->writable);
	close(link->fd);
	free(link);
}

static void
reap_due(evutil_socket_t fd, short what, void *arg)
{
	struct links *links = arg;

	(void)fd;
	(void)what;
	for (struct link **at = &links->first; *at != NULL;) {
		struct link *link = *at;

		if (!link->dropped) {
			at = &link->next;
			continue;
		}
		*at = link->next;
		link_free(link);
	}
}

enum rk_status
links_new(struct authd *a, struct links **out_links, struct rk_err *err)
{
	struct links *links = calloc(1, sizeof(*links));

	if (links != NULL)
		links->reap = evtimer_new(a->base, reap_due, links);
	if (links == NULL || links->reap == NULL) {
		free(links);
		return rk_fail(err, RK_TEMP, "the list of links");
	}
	*out_links = links;
	return RK_OK;
}

void
links_free(struct links *links)
{
	if (links == NULL)
		return;
	for (struct link *link = links->first; link != NULL; link = link->next)
		link->dropped = true;
	reap_due(-1, 0, links);
	event_free(links->reap);
	free(links);
}

static const char *
peer_name(const struct link *link)
{
	return link->peer == PEER_GATE ? "gate" : "imapd";
}

void
link_drop(struct link *link, const char *reason, const struct rk_err *err)
{
	struct rk_err none = { .status = RK_OK };

	if (link->dropped)
		return;
	link->dropped = true;
	log_ev(strcmp(reason, "closed") == 0 ? RK_LOG_INFO : RK_LOG_WARN, "auth.link_closed",
	    LOG_S("peer", peer_name(link)), LOG_U("generation", link->generation),
	    LOG_S("reason", reason), LOG_ERR(err == NULL ? &none : err));
	event_del(link->readable);
	event_del(link->writable);
	event_active(link->authd->links->reap, EV_TIMEOUT, 0);
}

static bool
queue_add(struct link *link, const struct msg_out *m)
{
	struct waiting *w;

	if (link->queued >= QUEUE_MAX || (w = malloc(sizeof(*w) + m->len)) == NULL)
		return false;
	*w = (struct waiting){ .type = m->type, .id = m->id, .len = m->len };
	memcpy(w->bytes, m->bytes, m->len);
	*link->last = w;
	link->last = &w->next;
	link->queued++;
	event_add(link->writable, NULL);
	return true;
}

void
link_send(struct link *link, const struct msg_out *m)
{
	enum rk_status status = RK_AGAIN;
	struct rk_err err;

	if (link->dropped)
		return;
	if (link->first == NULL)
		status = ipc_send(link->fd, m, &err);
	if (status == RK_OK)
		return;
	if (status != RK_AGAIN)
		link_drop(link, status == RK_CLOSED ? "closed" : "send", &err);
	else if (!queue_add(link, m))
		link_drop(link, "slow", NULL);
}

static void
link_writable(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;
	enum rk_status status;
	struct rk_err err;

	(void)what;
	while (link->first != NULL) {
		struct waiting *w = link->first;

		msg_begin(&out, w->type, w->id);
		memcpy(out.bytes, w->bytes, w->len);
		out.len = w->len;
		status = ipc_send((int)fd, &out, &err);
		if (status == RK_AGAIN)
			return;
		if (status != RK_OK) {
			link_drop(link, "send", &err);
			return;
		}
		link->first = w->next;
		if (link->first == NULL)
			link->last = &link->first;
		link->queued--;
		explicit_bzero(w->bytes, w->len);
		free(w);
	}
	event_del(link->writable);
}

static enum rk_status
redeem(struct link *link, struct msg_in *m, struct rk_err *err)
{
	static struct grant grant;
	struct authd *a = link->authd;
	char sid[SID_LEN + 1];
	struct ticket ticket;
	enum rk_status status;
	uint64_t id = m->id;

	get_ticket(m, &ticket);
	msg_get_text(m, sid, sizeof(sid));
	status = msg_end(m, err);
	if (status != RK_OK)
		return status;
	status = mint_redeem(a->mint, &ticket, sid, rk_clock_ms(), &grant, err);
	if (status == RK_OK) {
		a->stats.redeemed++;
		msg_begin(&out, GRANT, id);
		put_grant(&out, &grant);
	} else {
		a->stats.refused++;
		log_set_session(sid);
		log_ev(RK_LOG_WARN, "auth.ticket_refused", LOG_ERR(err));
		log_set_session(NULL);
		msg_begin(&out, GRANT_REFUSED, id);
		msg_put_u32(&out, status == RK_DENIED ? RK_DENIED : RK_TEMP);
	}
	explicit_bzero(&ticket, sizeof(ticket));
	link_send(link, &out);
	return RK_OK;
}

static enum rk_status
message_handle(struct link *link, struct msg_in *m, struct rk_err *err)
{
	bool gate = link->peer == PEER_GATE;

	switch (m->type) {
	case AUTH_START:
		return gate ? request_start(link, m, err) : RK_CORRUPT;
	case AUTH_CONTINUE:
		return gate ? request_continue(link, m, err) : RK_CORRUPT;
	case AUTH_CANCEL:
		return gate ? request_cancel(link, m, err) : RK_CORRUPT;
	case REDEEM:
		return gate ? RK_CORRUPT : redeem(link, m, err);
	default:
		return RK_CORRUPT;
	}
}

static void
link_readable(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;
	struct rk_err err;

	(void)what;
	for (int i = 0; i < BURST && !link->dropped; i++) {
		enum rk_status status = ipc_recv((int)fd, &in, &err);

		if (status == RK_AGAIN)
			return;
		if (status == RK_OK) {
			(void)rk_fail_plain(
			    &err, RK_CORRUPT, "message %u is not for this peer", (unsigned)in.type);
			status = message_handle(link, &in, &err);
			msg_drop(&in);
			explicit_bzero(in.bytes, in.len);
		}
		if (status != RK_OK)
			link_drop(link, status == RK_CLOSED ? "closed" : "garbage", &err);
	}
}

enum rk_status
link_add(struct authd *a, const struct link_info *info, int fd, struct rk_err *err)
{
	bool gate = strcmp(info->peer, "gate") == 0;
	enum rk_status status;
	struct link *link;

	if (!gate && strcmp(info->peer, "imapd") != 0 && strcmp(info->peer, "spawner") != 0) {
		close(fd);
		return rk_fail_plain(err, RK_DENIED, "a link to '%s'", info->peer);
	}
	status = ipc_nonblock(fd, true, err);
	link = status == RK_OK ? calloc(1, sizeof(*link)) : NULL;
	if (link == NULL) {
		close(fd);
		return status != RK_OK ? status : rk_fail(err, RK_TEMP, "a link");
	}
	*link = (struct link){
		.authd = a,
		.peer = gate ? PEER_GATE : PEER_SPAWNER,
		.generation = info->generation,
		.number = ++a->links->numbers,
		.fd = fd,
		.last = &link->first,
	};
	link->readable = event_new(a->base, fd, EV_READ | EV_PERSIST, link_readable, link);
	link->writable = event_new(a->base, fd, EV_WRITE | EV_PERSIST, link_writable, link);
	if (link->readable == NULL || link->writable == NULL ||
	    event_add(link->readable, NULL) < 0) {
		link_free(link);
		return rk_fail_plain(err, RK_TEMP, "the events of a link");
	}
	link->next = a->links->first;
	a->links->first = link;
	return RK_OK;
}

struct authd *
link_authd(const struct link *link)
{
	return link->authd;
}

uint64_t
link_number(const struct link *link)
{
	return link->number;
}

uint32_t *
link_requests(struct link *link)
{
	return &link->requests;
}
