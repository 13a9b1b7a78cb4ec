#include "imapd/spawner/spawner_impl.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"

#define CONTROL_WAIT_MS 2000

/* FNV-1a: it only spares string compares in our own table; users cannot choose what it costs. */
uint32_t
user_hash(const char *user)
{
	uint32_t h = 2166136261u;

	for (; *user != '\0'; user++)
		h = (h ^ (unsigned char)*user) * 16777619u;
	return h;
}

uint32_t
workers_of_user(const struct spawner *s, const char *user, const char *address)
{
	uint32_t hash = user_hash(user), n = 0;

	for (uint32_t i = 0; i < s->nworkers_max; i++) {
		const struct worker *w = &s->workers[i];

		if (s->user_hashes[i] == hash && w->pid != 0 && strcmp(w->user, user) == 0 &&
		    (address == NULL || strcmp(w->address, address) == 0))
			n++;
	}
	return n;
}

int
worker_slot_free(const struct spawner *s)
{
	if (s->nworkers == s->nworkers_max)
		return -1;
	for (uint32_t i = 0; i < s->nworkers_max; i++) {
		if (s->workers[i].pid == 0)
			return (int)i;
	}
	return -1;
}

void
worker_forget(struct spawner *s, uint32_t index)
{
	struct worker *w = &s->workers[index];

	if (w->control >= 0)
		source_close(s, w->control);
	*w = (struct worker){ .control = -1 };
	s->user_hashes[index] = 0;
	s->nworkers--;
	scoreboard_wipe(s->board, index);
}

/* A session that its worker gives back goes to the newest gate (RFC 8437). */
static void
worker_returned(struct spawner *s, uint32_t index, struct msg_in *m)
{
	struct worker *w = &s->workers[index];
	char sid[SID_LEN + 1];
	struct msg_out forward;
	struct rk_err err;
	int gate = peer_find(s, "gate", 0);
	int fd;

	msg_get_text(m, sid, sizeof(sid));
	fd = msg_get_fd(m);
	if (msg_end(m, &err) == RK_OK && strcmp(sid, w->sid) == 0 && gate >= 0 && !w->returned) {
		w->returned = true; /* a session comes back once */
		msg_begin(&forward, HANDOFF_RETURN, 0);
		msg_put_text(&forward, sid);
		msg_put_fd(&forward, fd);
		peer_send(s, (uint32_t)gate, &forward);
	} else {
		log_ev(RK_LOG_WARN, "spawner.return", LOG_S("session", w->sid));
	}
	if (fd >= 0)
		close(fd);
}

void
worker_control_readable(struct spawner *s, uint32_t index)
{
	static struct msg_in m;
	struct worker *w = &s->workers[index];
	struct rk_err err;
	enum rk_status status;

	if (w->control < 0)
		return;
	status = ipc_recv(w->control, &m, &err);
	if (status == RK_AGAIN)
		return;
	if (status == RK_OK && m.type == WORKER_RETURN) {
		worker_returned(s, index, &m);
		msg_drop(&m);
		return;
	}
	if (status == RK_OK) {
		log_ev(
		    RK_LOG_WARN, "spawner.worker", LOG_S("session", w->sid), LOG_U("type", m.type));
		msg_drop(&m);
	}
	/* It ends, or it talks nonsense: its death is seen by waitpid. */
	source_close(s, w->control);
	w->control = -1;
}

uint32_t
workers_kick(struct spawner *s, const char *user, const char *sid)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->nworkers_max; i++) {
		struct worker *w = &s->workers[i];

		if (w->pid == 0 || (user[0] != '\0' && strcmp(w->user, user) != 0) ||
		    (sid[0] != '\0' && strcmp(w->sid, sid) != 0))
			continue;
		w->ending = true;
		if (kill(w->pid, SIGTERM) == 0)
			n++;
	}
	return n;
}

static void
control_send(const struct spawner *s, const struct msg_out *m)
{
	struct pollfd pfd = { .fd = s->service.control, .events = POLLOUT };
	struct rk_err err;
	enum rk_status status = ipc_send(s->service.control, m, &err);

	/* Thousands of rows do not fit a socket's buffer at once; the master reads on. */
	while (status == RK_AGAIN && poll(&pfd, 1, CONTROL_WAIT_MS) > 0)
		status = ipc_send(s->service.control, m, &err);
	if (status != RK_OK)
		log_ev(RK_LOG_WARN, "spawner.control", LOG_ERR(&err));
}

void
workers_who(struct spawner *s, uint64_t id)
{
	struct msg_out m;
	uint32_t rows = 0;

	for (uint32_t i = 0; i < s->nworkers_max; i++) {
		const struct worker *w = &s->workers[i];
		struct score score;
		struct who_row row = { .pid = w->pid, .since = w->since, .tls = w->tls };

		if (w->pid == 0)
			continue;
		scoreboard_read(s->board, i, &score);
		memcpy(row.sid, w->sid, sizeof(row.sid));
		memcpy(row.user, w->user, sizeof(row.user));
		memcpy(row.remote, w->address, sizeof(row.remote));
		memcpy(row.command, score.command, sizeof(row.command));
		msg_begin(&m, CTL_WHO_ROW, id);
		put_who_row(&m, &row);
		control_send(s, &m);
		rows++;
	}
	msg_begin(&m, CTL_DONE, id);
	msg_put_u32(&m, rows);
	control_send(s, &m);
}

static void
stat_send(const struct spawner *s, uint64_t id, const char *name, uint64_t value)
{
	struct msg_out m;

	msg_begin(&m, CTL_STATS_ROW, id);
	msg_put_text(&m, name);
	msg_put_u64(&m, value);
	control_send(s, &m);
}

void
workers_stats(struct spawner *s, uint64_t id)
{
	struct msg_out m;

	stat_send(s, id, "workers", s->nworkers);
	stat_send(s, id, "forks", s->total_forks);
	stat_send(s, id, "crashes", s->total_crashes);
	msg_begin(&m, CTL_DONE, id);
	msg_put_u32(&m, 3);
	control_send(s, &m);
}

void
hub_join(struct spawner *s, uid_t uid, const char *user, int *fd_out)
{
	int hub = peer_find(s, "hub", 0);
	struct msg_out m;
	struct rk_err err;
	int pair[2];

	*fd_out = -1;
	if (hub < 0)
		return;
	if (ipc_pair(pair, &err) != RK_OK) {
		log_ev(RK_LOG_WARN, "spawner.hub", LOG_ERR(&err));
		return;
	}
	msg_begin(&m, HUB_JOIN, 0);
	msg_put_u32(&m, uid);
	msg_put_text(&m, user);
	msg_put_fd(&m, pair[1]);
	peer_send(s, (uint32_t)hub, &m);
	close(pair[1]);
	*fd_out = pair[0];
}

void
workers_hub_renew(struct spawner *s)
{
	struct msg_out m;
	struct rk_err err;

	for (uint32_t i = 0; i < s->nworkers_max; i++) {
		const struct worker *w = &s->workers[i];
		int fd;

		if (w->pid == 0 || w->control < 0)
			continue;
		hub_join(s, w->uid, w->user, &fd);
		if (fd < 0)
			return;
		msg_begin(&m, WORKER_HUB, 0);
		msg_put_fd(&m, fd);
		/* A worker that does not listen now keeps its own eyes (inotify). */
		if (ipc_send(w->control, &m, &err) != RK_OK)
			log_ev(RK_LOG_INFO, "spawner.hub", LOG_S("session", w->sid), LOG_ERR(&err));
		close(fd);
	}
}
