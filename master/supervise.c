#include "master/master.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "master/spawn.h"

/* A heartbeat that comes this late means that the machine or we were stopped: then no child had a
 * fair chance to answer. */
#define STALL_MS 5000

static uint32_t
instances_of(const struct settings *settings, enum service_id service)
{
	return service == SVC_GATE ? settings->gate_processes : 1;
}

void
slots_plan(struct master *m, const struct settings *settings)
{
	for (size_t service = 0; service < SVC_COUNT; service++) {
		for (uint32_t i = 0; i < INSTANCES_MAX; i++)
			m->slots[service][i].wanted =
			    i < instances_of(settings, (enum service_id)service);
	}
}

bool
service_ready_all(const struct master *m, enum service_id service)
{
	for (size_t i = 0; i < INSTANCES_MAX; i++) {
		const struct slot *slot = &m->slots[service][i];

		if (slot->wanted && (slot->current == NULL || slot->current->state != CHILD_READY))
			return false;
	}
	return true;
}

bool
service_running_any(const struct master *m, enum service_id service)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		if (m->children[i].state != CHILD_NONE && m->children[i].service == service)
			return true;
	}
	return false;
}

/* At the first start a service waits for the log and for those it asks, so that the first client
 * finds everything in its place. Later on each comes back as fast as it can. */
static bool
start_allowed(const struct master *m, enum service_id service)
{
	if (m->phase != PHASE_STARTING || service == SVC_LOG)
		return true;
	if (!service_ready_all(m, SVC_LOG))
		return false;
	for (size_t to = 0; to < SVC_COUNT; to++) {
		if (services_asks(service, (enum service_id)to) &&
		    !service_ready_all(m, (enum service_id)to))
			return false;
	}
	return true;
}

/* Before all have served once nothing is retried: the administrator is waiting for an answer. */
static void
start_fail(struct master *m, enum service_id service, const char *why)
{
	dprintf(m->error_fd, "rookery: %s could not be started: %s\n", services[service].name, why);
	log_ev(RK_LOG_ERROR, "master.fail", LOG_S("service", services[service].name),
	    LOG_S("reason", why));
	m->exit_code = 1;
	stop_begin(m);
}

static void
slot_failed(struct master *m, struct slot *slot, enum service_id service, int64_t lived_ms)
{
	int64_t now = rk_clock_ms(), delay = backoff_exit(&slot->backoff, now, lived_ms);

	(void)m;
	slot->restart_ms = now + delay;
	slot->restarts++;
	if (delay > 0)
		log_ev(RK_LOG_WARN, "master.backoff", LOG_S("service", services[service].name),
		    LOG_I("delay_ms", delay));
}

static void
slot_fill(struct master *m, enum service_id service, uint32_t instance)
{
	struct slot *slot = &m->slots[service][instance];
	struct rk_err err;

	if (child_start(m, service, instance, false, &slot->current, &err) == RK_OK)
		return;
	slot->current = NULL;
	if (m->phase == PHASE_STARTING) {
		char why[400];

		snprintf(why, sizeof(why), "%s%s%s", err.text, err.sys_errno != 0 ? ": " : "",
		    err.sys_errno != 0 ? strerror(err.sys_errno) : "");
		start_fail(m, service, why);
		return;
	}
	log_ev(
	    RK_LOG_ERROR, "master.fail", LOG_S("service", services[service].name), LOG_ERR(&err));
	slot_failed(m, slot, service, 0);
	/* What could not even be started is not tried in a loop. */
	if (slot->restart_ms < rk_clock_ms() + BACKOFF_FIRST_MS)
		slot->restart_ms = rk_clock_ms() + BACKOFF_FIRST_MS;
}

static void
slots_fill(struct master *m)
{
	int64_t now = rk_clock_ms();

	for (size_t service = 0; service < SVC_COUNT && m->phase != PHASE_STOPPING; service++) {
		if (!start_allowed(m, (enum service_id)service))
			continue;
		for (uint32_t i = 0; i < INSTANCES_MAX && m->phase != PHASE_STOPPING; i++) {
			struct slot *slot = &m->slots[service][i];

			if (slot->wanted && slot->current == NULL && slot->next == NULL &&
			    slot->restart_ms <= now)
				slot_fill(m, (enum service_id)service, i);
		}
	}
}

/* From here on the daemon has nothing to do with whoever started it. */
static void
terminal_leave(struct master *m)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (dup2(m->child_error_fd, fd) < 0)
			log_ev(RK_LOG_WARN, "master.daemon");
	}
	if (!m->settings.log_stderr && dup2(m->child_error_fd, m->error_fd) < 0)
		log_ev(RK_LOG_WARN, "master.daemon");
	if (write(m->ready_fd, "1", 1) != 1)
		log_ev(RK_LOG_WARN, "master.daemon");
	close(m->ready_fd);
	m->ready_fd = -1;
}

static void
serving_begin(struct master *m)
{
	for (size_t service = 0; service < SVC_COUNT; service++) {
		if (!service_ready_all(m, (enum service_id)service))
			return;
	}
	m->phase = PHASE_RUNNING;
	log_ev(RK_LOG_INFO, "master.serving", LOG_U("listeners", m->listeners.n));
	sd_ready(&m->sd);
	if (m->ready_fd >= 0)
		terminal_leave(m);
}

void
supervise(struct master *m)
{
	if (m->phase == PHASE_STOPPING) {
		stop_step(m);
		return;
	}
	reload_step(m);
	slots_fill(m);
	if (m->phase == PHASE_STARTING)
		serving_begin(m);
}

static const char *
exit_describe(char *text, size_t size, int status)
{
	if (WIFSIGNALED(status))
		snprintf(text, size, "signal %d (%s)", WTERMSIG(status),
		    sigabbrev_np(WTERMSIG(status)) == NULL ? "?" : sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == SPAWN_EXIT_EXEC)
		snprintf(text, size, "its program could not be executed");
	else
		snprintf(text, size, "exit %d", WEXITSTATUS(status));
	return text;
}

static void
child_ended(struct master *m, struct child *c, int status)
{
	enum service_id service = c->service;
	struct slot *slot = &m->slots[service][c->instance];
	bool expected = c->state == CHILD_DRAINING && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	int64_t lived = rk_clock_ms() - c->started_ms;
	char text[64], why[160];

	exit_describe(text, sizeof(text), status);
	log_ev(expected ? RK_LOG_INFO : RK_LOG_ERROR, "master.exit",
	    LOG_S("service", services[service].name), LOG_U("generation", c->generation),
	    LOG_I("child", c->pid), LOG_S("status", text),
	    LOG_S("reason", c->doom == NULL ? "" : c->doom));
	snprintf(why, sizeof(why), "%s%s%s", text, c->doom == NULL ? "" : ", ",
	    c->doom == NULL ? "" : c->doom);
	admin_child_gone(&m->admin, c);
	child_release(c);
	if (slot->next == c) {
		slot->next = NULL;
		snprintf(text, sizeof(text), "the new %s ended", services[service].name);
		reload_abandon(m, text);
	} else if (slot->current == c) {
		slot->current = NULL;
		if (m->phase == PHASE_STARTING)
			start_fail(m, service, why);
		else if (m->phase == PHASE_RUNNING)
			slot_failed(m, slot, service, lived);
	}
}

void
supervise_reap(struct master *m)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);
		struct child *c;

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid <= 0)
			break;
		c = child_of_pid(m, pid);
		/* Others: the reader of a reload, workers whose spawner died. */
		if (c != NULL)
			child_ended(m, c, status);
	}
	supervise(m);
}

void
supervise_tick(struct master *m, int64_t now)
{
	bool stalled = now - m->tick_ms > STALL_MS;

	m->tick_ms = now;
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		struct child *c = &m->children[i];

		if (c->state == CHILD_NONE)
			continue;
		if (stalled && c->ping_ms != 0)
			c->ping_ms = now;
		child_check(c, now);
	}
	if (m->sd.watchdog_ms != 0 && now >= m->sd_next_ms) {
		m->sd_next_ms = now + m->sd.watchdog_ms;
		sd_watchdog(&m->sd);
	}
	admin_tick(&m->admin, now);
	reload_tick(m, now);
	supervise(m);
}
