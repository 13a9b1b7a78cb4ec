#include "master/master.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "master/spawn.h"

/* Messages taken from one child before the others have their turn. */
#define BURST 64

static const char *const state_names[] = {
	[CHILD_NONE] = "none",
	[CHILD_STARTING] = "starting",
	[CHILD_READY] = "ready",
	[CHILD_DRAINING] = "draining",
	[CHILD_DOOMED] = "killed",
};

const char *
child_state_name(enum child_state state)
{
	return state_names[state];
}

struct child *
child_of_pid(struct master *m, pid_t pid)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		if (m->children[i].state != CHILD_NONE && m->children[i].pid == pid)
			return &m->children[i];
	}
	return NULL;
}

size_t
children_running(const struct master *m)
{
	size_t n = 0;

	for (size_t i = 0; i < CHILDREN_MAX; i++)
		n += m->children[i].state != CHILD_NONE;
	return n;
}

void
child_kill(struct child *c, const char *why)
{
	if (c->state == CHILD_NONE || c->state == CHILD_DOOMED)
		return;
	log_ev(RK_LOG_ERROR, "master.kill", LOG_S("service", services[c->service].name),
	    LOG_U("generation", c->generation), LOG_I("child", c->pid), LOG_S("reason", why));
	c->state = CHILD_DOOMED;
	c->doom = why;
	event_del(&c->readable);
	kill(c->pid, SIGKILL);
}

void
child_release(struct child *c)
{
	if (c->state != CHILD_DOOMED)
		event_del(&c->readable);
	close(c->control);
	c->state = CHILD_NONE;
	c->pid = 0;
}

enum rk_status
child_send(struct child *c, const struct msg_out *out, struct rk_err *err)
{
	enum rk_status status = ipc_send(c->control, out, err);

	if (status == RK_AGAIN)
		child_kill(c, "does not read its control socket");
	return status;
}

void
child_drain(struct child *c)
{
	struct msg_out m;
	struct rk_err err;

	if (c->state != CHILD_READY && c->state != CHILD_STARTING)
		return;
	log_ev(RK_LOG_INFO, "master.drain", LOG_S("service", services[c->service].name),
	    LOG_U("generation", c->generation), LOG_I("child", c->pid));
	c->state = CHILD_DRAINING;
	msg_begin(&m, CTL_DRAIN, 0);
	/* A child whose socket is closed is dying: its exit is on the way. */
	if (child_send(c, &m, &err) != RK_OK && err.status != RK_CLOSED)
		child_kill(c, "could not be told to drain");
}

void
child_check(struct child *c, int64_t now)
{
	struct msg_out m;
	struct rk_err err;

	if (c->state == CHILD_STARTING) {
		if (now - c->started_ms > START_SECONDS * 1000)
			child_kill(c, "did not become ready in time");
		return;
	}
	if (c->state != CHILD_READY && c->state != CHILD_DRAINING)
		return;
	if (c->ping_ms != 0) {
		if (now - c->ping_ms > PONG_SECONDS * 1000)
			child_kill(c, "does not answer");
		return;
	}
	if (now < c->ping_next_ms)
		return;
	c->ping_ms = now;
	msg_begin(&m, CTL_PING, ++c->ping_id);
	if (child_send(c, &m, &err) != RK_OK && c->state != CHILD_DOOMED)
		log_ev(RK_LOG_DEBUG, "master.ping", LOG_S("service", services[c->service].name),
		    LOG_ERR(&err));
}

static void
child_ready(struct child *c)
{
	if (c->state != CHILD_STARTING)
		return; /* said twice: the spawner does when it has executed itself anew */
	c->state = CHILD_READY;
	if (c->service == SVC_LOG)
		log_init(c->master->log_write, "rookery", c->master->settings.level);
	c->ping_next_ms = rk_clock_ms() + PING_SECONDS * 1000;
	log_ev(RK_LOG_INFO, "master.ready", LOG_S("service", services[c->service].name),
	    LOG_U("generation", c->generation), LOG_I("child", c->pid));
	links_on_ready(c->master, c);
	supervise(c->master);
}

static bool
figure_take(struct child *c, struct msg_in *m)
{
	struct figure figure;
	struct rk_err err;

	msg_get_text(m, figure.name, sizeof(figure.name));
	figure.value = msg_get_u64(m);
	if (msg_end(m, &err) != RK_OK || c->figures_id == 0 || m->id != c->figures_id)
		return false;
	/* More than we keep is no crime. */
	if (c->nfigures < FIGURES_MAX)
		c->figures[c->nfigures++] = figure;
	return true;
}

static bool
done_take(struct child *c, struct msg_in *m)
{
	struct rk_err err;
	uint32_t n = 0;

	/* Some answers have nothing to count. */
	if (m->len > 0)
		n = msg_get_u32(m);
	if (msg_end(m, &err) != RK_OK)
		return false;
	return admin_done(&c->master->admin, c, m->id, n);
}

static bool
pong_take(struct child *c, struct msg_in *m)
{
	struct rk_err err;

	if (c->ping_ms == 0 || m->id != c->ping_id || msg_end(m, &err) != RK_OK)
		return false;
	c->ping_ms = 0;
	c->ping_next_ms = rk_clock_ms() + PING_SECONDS * 1000;
	return true;
}

/* False: this is nothing that a child of ours says. */
static bool
child_message(struct child *c, struct msg_in *m)
{
	struct who_row row;
	struct rk_err err;

	switch (m->type) {
	case CTL_READY:
		if (msg_end(m, &err) != RK_OK)
			return false;
		child_ready(c);
		return true;
	case CTL_PONG:
		return pong_take(c, m);
	case CTL_WHO_ROW:
		get_who_row(m, &row);
		if (msg_end(m, &err) != RK_OK)
			return false;
		return admin_who_row(&c->master->admin, c, m->id, &row);
	case CTL_STATS_ROW:
		return figure_take(c, m);
	case CTL_DONE:
		return done_take(c, m);
	default:
		return false;
	}
}

static void
control_readable(evutil_socket_t fd, short what, void *arg)
{
	static struct msg_in m;
	struct child *c = arg;
	struct rk_err err;

	(void)what;
	for (int i = 0; i < BURST && c->state != CHILD_NONE && c->state != CHILD_DOOMED; i++) {
		switch (ipc_recv((int)fd, &m, &err)) {
		case RK_OK:
			if (!child_message(c, &m)) {
				msg_drop(&m);
				child_kill(c, "sent a message that makes no sense");
			}
			break;
		case RK_AGAIN:
			return;
		case RK_CORRUPT:
			child_kill(c, "sent garbage");
			return;
		default:
			/* Closed: its exit follows, or the next ping finds it out. */
			event_del(&c->readable);
			return;
		}
	}
}

static struct child *
child_place(struct master *m)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		if (m->children[i].state == CHILD_NONE)
			return &m->children[i];
	}
	return NULL;
}

static enum rk_status
extras_add(struct spawn_plan *plan, const struct master *m, enum service_id service, bool next,
    struct rk_err *err)
{
	const struct listeners *l = next ? &m->reload.listeners : &m->listeners;
	enum rk_status status = RK_OK;
	char name[48];

	if (services[service].extra == EXTRA_LOG_READ)
		return spawn_add(plan, "read", m->log_read, err);
	if (services[service].extra != EXTRA_LISTENERS)
		return RK_OK;
	for (size_t i = 0; i < l->n && status == RK_OK; i++) {
		snprintf(name, sizeof(name), "listen/%s", l->list[i].def.title);
		status = spawn_add(plan, name, l->list[i].fd, err);
	}
	return status;
}

static enum rk_status
child_spawn(struct master *m, struct child *c, bool next, int control, struct rk_err *err)
{
	const struct service_def *def = &services[c->service];
	static struct spawn_plan plan;
	enum rk_status status;
	char path[1024];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", m->program_dir, def->binary) >=
	    sizeof(path))
		return rk_fail_plain(err, RK_INVALID, "the path of %s is too long", def->binary);
	plan = (struct spawn_plan){
		.path = path,
		.generation = c->generation,
		.control = control,
		.conf = next ? m->reload.conf_fd : m->conf_fd,
		.log = m->log_write,
		.error_fd = c->service == SVC_LOG && m->settings.log_stderr ? m->error_fd
		                                                            : m->child_error_fd,
		.oom_score = def->guarded ? NULL : m->oom_normal,
	};
	status = extras_add(&plan, m, c->service, next, err);
	if (status == RK_OK)
		status = spawn_start(&plan, &c->pid, err);
	return status;
}

enum rk_status
child_start(struct master *m, enum service_id service, uint32_t instance, bool next,
    struct child **out, struct rk_err *err)
{
	struct child *c = child_place(m);
	enum rk_status status;
	int pair[2];

	if (c == NULL)
		return rk_fail_plain(err, RK_LIMIT, "%d children run already", CHILDREN_MAX);
	status = ipc_pair(pair, err);
	if (status != RK_OK)
		return status;
	*c = (struct child){
		.master = m,
		.service = service,
		.instance = instance,
		.generation = ++m->generations[service],
		.control = pair[0],
		.started_ms = rk_clock_ms(),
	};
	event_assign(&c->readable, m->base, pair[0], EV_READ | EV_PERSIST, control_readable, c);
	status = ipc_nonblock(pair[0], true, err);
	if (status == RK_OK && event_add(&c->readable, NULL) < 0)
		status = rk_fail_plain(err, RK_TEMP, "watching a control socket");
	if (status == RK_OK) {
		status = child_spawn(m, c, next, pair[1], err);
		if (status != RK_OK)
			event_del(&c->readable);
	}
	close(pair[1]);
	if (status != RK_OK) {
		close(pair[0]);
		return status;
	}
	c->state = CHILD_STARTING;
	*out = c;
	log_ev(RK_LOG_INFO, "master.start", LOG_S("service", services[service].name),
	    LOG_U("generation", c->generation), LOG_I("child", c->pid));
	links_on_start(m, c);
	return RK_OK;
}
