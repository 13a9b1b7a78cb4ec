/* The sockets to the hub (change notices) and to the spawner (life and death). */
#include "imapd/session/session_impl.h"

#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "lib/ipc/proto.h"
#include "lib/ipc/sock.h"

static void
hub_lost(struct session *s, const struct rk_err *err)
{
	/* The spawner sends a new socket when the hub is back; until then our own eyes serve. */
	log_ev(RK_LOG_INFO, "session.hub", LOG_ERR(err));
	close(s->at.hub_fd);
	s->at.hub_fd = -1;
}

static void
hub_send(struct session *s, const struct msg_out *m)
{
	struct rk_err err;
	enum rk_status status = ipc_send(s->at.hub_fd, m, &err);

	/* A hub that does not keep up loses notices: they are hints, everybody looks anyway. */
	if (status != RK_OK && status != RK_AGAIN)
		hub_lost(s, &err);
}

void
links_watch(struct session *s)
{
	struct hub_topic topic = { .account = "" };
	struct msg_out m;
	struct rk_err err;

	if (s->at.hub_fd < 0)
		return;
	if (strlen(s->at.user) >= sizeof(topic.account) ||
	    ipc_nonblock(s->at.hub_fd, true, &err) != RK_OK)
		return;
	memcpy(topic.account, s->at.user, strlen(s->at.user) + 1);
	msg_begin(&m, HUB_WATCH, 0);
	put_hub_topic(&m, &topic);
	hub_send(s, &m);
}

void
links_changed(struct session *s, const unsigned char guid[RK_GUID_LEN], uint64_t modseq)
{
	struct hub_notice notice = { .modseq = modseq };
	struct msg_out m;

	if (s->at.hub_fd < 0 || strlen(s->at.user) >= sizeof(notice.account))
		return;
	memcpy(notice.account, s->at.user, strlen(s->at.user) + 1);
	memcpy(notice.box, guid, RK_GUID_LEN);
	msg_begin(&m, HUB_CHANGED, 0);
	put_hub_notice(&m, &notice);
	hub_send(s, &m);
}

void
links_mailbox_changed(struct session *s, struct mailbox *mb)
{
	struct rk_arena *mem;
	struct index_info info;
	struct rk_err err;

	if (s->at.hub_fd < 0)
		return;
	mem = arena_new();
	if (mailbox_info(mb, mem, &info, &err) == RK_OK)
		links_changed(s, info.guid, info.highest_modseq);
	arena_free(mem);
}

/* Whoever sends it has brought its index up to the change. That is ours too, unless it runs on
 * another machine: then the store is asked. */
static void
notice_take(struct session *s, const struct hub_notice *notice)
{
	struct rk_arena *mem;
	struct index_info info;
	struct rk_err err;

	if (s->sel.box == NULL || strcmp(notice->account, s->at.user) != 0 ||
	    memcmp(notice->box, s->sel.guid, RK_GUID_LEN) != 0)
		return;
	mem = arena_new();
	s->noticed = true;
	if (mailbox_info(s->sel.box, mem, &info, &err) != RK_OK ||
	    info.highest_modseq < notice->modseq)
		s->sync_at_ms = rk_clock_ms();
	arena_free(mem);
}

void
links_hub_readable(struct session *s)
{
	/* A flood of notices must not keep us from the client: the rest waits for the next turn. */
	for (int i = 0; i < 64 && s->at.hub_fd >= 0; i++) {
		struct hub_notice notice;
		struct msg_in m;
		struct rk_err err;
		enum rk_status status = ipc_recv(s->at.hub_fd, &m, &err);

		if (status == RK_AGAIN)
			return;
		if (status == RK_OK && m.type == HUB_CHANGED) {
			get_hub_notice(&m, &notice);
			status = msg_end(&m, &err);
			if (status == RK_OK)
				notice_take(s, &notice);
		} else if (status == RK_OK) {
			status = rk_fail_plain(&err, RK_CORRUPT, "message %u from the hub", m.type);
			msg_drop(&m);
		}
		if (status != RK_OK)
			hub_lost(s, &err);
	}
}

void
links_spawner_readable(struct session *s)
{
	struct msg_in m;
	struct rk_err err;
	enum rk_status status = ipc_recv(s->at.spawner_fd, &m, &err);

	if (status == RK_AGAIN)
		return;
	if (status == RK_OK && m.type == WORKER_HUB) {
		int fd = msg_get_fd(&m);

		status = msg_end(&m, &err);
		if (status == RK_OK) {
			if (s->at.hub_fd >= 0)
				close(s->at.hub_fd);
			s->at.hub_fd = fd;
			links_watch(s);
			return;
		}
		if (fd >= 0)
			close(fd);
	} else if (status == RK_OK) {
		status = rk_fail_plain(&err, RK_CORRUPT, "message %u from the spawner", m.type);
		msg_drop(&m);
	}
	if (status != RK_CLOSED)
		log_ev(RK_LOG_WARN, "session.spawner", LOG_ERR(&err));
	s->at.spawner_fd = -1;
	session_stop();
}
