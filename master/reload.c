/*
 * SIGHUP: a new generation beside the old one.
 *
 * A fork reads the configuration (settings.h says why). If it is bad, all its mistakes stand in one
 * log line and nothing changes. If it is good, new sockets are opened and a new authd is started,
 * then, when that serves, new gates, which have links to both authds and use the newest. Only when
 * all of them serve, the old ones are told to drain: a certificate that the gate can't load, or a
 * password file that authd can't read, costs nothing but the reload. Between the two, old and new
 * gates accept on the same sockets.
 *
 * log, hub and spawner go on with what they were started with: sessions hang on the spawner. If the
 * new configuration differs in what they use, the log says that a restart is needed.
 */
#include "master/master.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"

#define READ_SECONDS 30

/* Draining gates may live for days; enough places stay free for those that have to be restarted. */
#define PLACES_KEPT (SETTINGS_GATES + SVC_COUNT)

static void
reload_end(struct master *m, enum rk_status status, const char *text)
{
	m->reload.step = RELOAD_IDLE;
	sd_ready(&m->sd);
	admin_reloaded(&m->admin, status, text);
	if (m->reload.again) {
		m->reload.again = false;
		reload_begin(m);
	}
}

static void
reader_close(struct reload *r)
{
	event_del(&r->readable);
	close(r->reader_fd);
	r->reader_fd = -1;
}

void
reload_abandon(struct master *m, const char *why)
{
	struct reload *r = &m->reload;

	if (r->step == RELOAD_IDLE)
		return;
	log_ev(RK_LOG_ERROR, "reload.failed", LOG_S("reason", why));
	if (r->step == RELOAD_READING) {
		kill(r->reader, SIGKILL);
		reader_close(r);
		reload_end(m, RK_TEMP, why);
		return;
	}
	for (size_t service = 0; service < SVC_COUNT; service++) {
		for (size_t i = 0; i < INSTANCES_MAX; i++) {
			struct slot *slot = &m->slots[service][i];

			if (slot->next != NULL)
				child_kill(slot->next, "the reload was given up");
			slot->next = NULL;
		}
	}
	slots_plan(m, &m->settings);
	listeners_close(&r->listeners, &m->listeners);
	close(r->conf_fd);
	reload_end(m, RK_TEMP, why);
}

static void
restart_needed(const struct master *m, const struct settings *new)
{
	char text[128] = "";
	size_t n = 0;

	for (size_t i = 0; i < SVC_COUNT; i++) {
		if (services[i].reload == RELOAD_KEEPS && new->kept[i] != m->settings.kept[i])
			n += (size_t)snprintf(
			    text + n, sizeof(text) - n, "%s%s", n > 0 ? " " : "", services[i].name);
	}
	if (n > 0)
		log_ev(RK_LOG_WARN, "reload.restart-needed", LOG_S("services", text));
	if (strcmp(new->run_dir, m->settings.run_dir) != 0 ||
	    strcmp(new->state_dir, m->settings.state_dir) != 0)
		log_ev(RK_LOG_WARN, "reload.restart-needed", LOG_S("services", "all"),
		    LOG_S("reason", "run_dir or state_dir changed"));
}

/* False: the reload was given up. */
static bool
generation_start(struct master *m, enum service_id service, uint32_t instances)
{
	for (uint32_t i = 0; i < instances; i++) {
		struct rk_err err;

		if (child_start(m, service, i, true, &m->slots[service][i].next, &err) == RK_OK)
			continue;
		m->slots[service][i].next = NULL;
		reload_abandon(m, err.text);
		return false;
	}
	return true;
}

static void
settings_arrived(struct master *m)
{
	static struct report report;
	struct reload *r = &m->reload;
	enum rk_status status;
	struct rk_err err;

	status = settings_take(r->reader_fd, &r->settings, &r->conf_fd, &report, &err);
	reader_close(r);
	if (status != RK_OK) {
		log_ev(
		    RK_LOG_ERROR, "reload.rejected", LOG_S("problems", report.text), LOG_ERR(&err));
		reload_end(m, status, report.text[0] != '\0' ? report.text : err.text);
		return;
	}
	status = listeners_open(&r->listeners, &m->listeners, &r->settings, &err);
	if (status != RK_OK) {
		char text[400];

		log_ev(RK_LOG_ERROR, "reload.rejected", LOG_ERR(&err));
		close(r->conf_fd);
		snprintf(text, sizeof(text), "%s: %s", err.text, strerror(err.sys_errno));
		reload_end(m, status, text);
		return;
	}
	restart_needed(m, &r->settings);
	r->step = RELOAD_AUTHD;
	r->deadline_ms = rk_clock_ms() + (START_SECONDS + 10) * 1000;
	generation_start(m, SVC_AUTHD, 1);
}

static void
reader_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	settings_arrived(arg);
}

static size_t
generation_size(const struct master *m)
{
	return 1 + (size_t)m->settings.gate_processes;
}

void
reload_begin(struct master *m)
{
	struct reload *r = &m->reload;
	struct rk_err err;

	if (m->phase != PHASE_RUNNING || r->step != RELOAD_IDLE) {
		r->again = true;
		return;
	}
	log_ev(RK_LOG_INFO, "reload.begin");
	sd_reloading(&m->sd);
	if (children_running(m) + generation_size(m) + PLACES_KEPT > CHILDREN_MAX) {
		rk_fail_plain(&err, RK_LIMIT, "too many old generations still drain");
	} else if (settings_fork(m->conf_path, &r->reader, &r->reader_fd, &err) == RK_OK) {
		event_assign(&r->readable, m->base, r->reader_fd, EV_READ, reader_readable, m);
		r->step = RELOAD_READING;
		r->deadline_ms = rk_clock_ms() + READ_SECONDS * 1000;
		if (event_add(&r->readable, NULL) < 0)
			reload_abandon(m, "watching the reader failed");
		return;
	}
	log_ev(RK_LOG_ERROR, "reload.failed", LOG_ERR(&err));
	reload_end(m, err.status, err.text);
}

static bool
next_ready(const struct master *m, enum service_id service)
{
	for (size_t i = 0; i < INSTANCES_MAX; i++) {
		const struct slot *slot = &m->slots[service][i];

		if (slot->next != NULL && slot->next->state != CHILD_READY)
			return false;
	}
	return true;
}

static void
generation_swap(struct master *m, enum service_id service)
{
	for (size_t i = 0; i < INSTANCES_MAX; i++) {
		struct slot *slot = &m->slots[service][i];

		if (services[service].reload != RELOAD_GENERATION)
			continue;
		if (slot->current != NULL)
			child_drain(slot->current);
		slot->current = slot->next;
		slot->next = NULL;
		slot->backoff = (struct backoff){ .n = 0 };
		slot->restart_ms = 0;
	}
}

/* The point of no return: gates first, so that nobody comes to the old authd any more. */
static void
reload_commit(struct master *m)
{
	struct reload *r = &m->reload;
	static struct listeners old;
	uint64_t kept[SVC_COUNT];
	char run_dir[sizeof(m->settings.run_dir)], state_dir[sizeof(m->settings.state_dir)];

	generation_swap(m, SVC_GATE);
	generation_swap(m, SVC_AUTHD);
	/* What runs on as it was is compared with what it was started with, next time too. */
	memcpy(kept, m->settings.kept, sizeof(kept));
	memcpy(run_dir, m->settings.run_dir, sizeof(run_dir));
	memcpy(state_dir, m->settings.state_dir, sizeof(state_dir));
	m->settings = r->settings;
	memcpy(m->settings.kept, kept, sizeof(kept));
	memcpy(m->settings.run_dir, run_dir, sizeof(run_dir));
	memcpy(m->settings.state_dir, state_dir, sizeof(state_dir));
	old = m->listeners;
	m->listeners = r->listeners;
	r->listeners.n = 0;
	listeners_close(&old, &m->listeners);
	close(m->conf_fd);
	m->conf_fd = r->conf_fd;
	slots_plan(m, &m->settings);
	log_ev(RK_LOG_INFO, "reload.done", LOG_U("listeners", m->listeners.n));
	reload_end(m, RK_OK, "reloaded");
}

void
reload_step(struct master *m)
{
	struct reload *r = &m->reload;

	if (r->step == RELOAD_AUTHD && next_ready(m, SVC_AUTHD)) {
		r->step = RELOAD_GATES;
		if (!generation_start(m, SVC_GATE, r->settings.gate_processes))
			return;
	}
	if (r->step == RELOAD_GATES && next_ready(m, SVC_GATE))
		reload_commit(m);
}

void
reload_tick(struct master *m, int64_t now)
{
	if (m->reload.step != RELOAD_IDLE && now > m->reload.deadline_ms)
		reload_abandon(m, m->reload.step == RELOAD_READING
				      ? "reading the configuration takes too long"
				      : "the new generation takes too long to start");
	else if (m->reload.again && m->phase == PHASE_RUNNING && m->reload.step == RELOAD_IDLE) {
		m->reload.again = false;
		reload_begin(m);
	}
}
