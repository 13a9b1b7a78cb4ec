/*
 * The way down: services drain in the order of their stop_step (gates and spawner, authd, hub,
 * log). All but the log have settings.shutdown_seconds together; what is left then is killed,
 * workers without a spawner too. The log goes last and has a few seconds to write what is queued.
 */
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/log.h"

#define LOG_SECONDS 5
#define STEP_SECONDS 2 /* what a later step has at least */

/* Orphans are children of ours that no table names: workers of a spawner that died. They can't be
 * confused with others, for a pid is not used again before we have reaped it. */
static size_t
orphans_signal(struct master *m, int sig)
{
	char path[64], list[65536], *p = list;
	size_t n = 0;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	got = read(fd, list, sizeof(list) - 1);
	close(fd);
	if (got <= 0)
		return 0;
	list[got] = '\0';
	while (*p != '\0') {
		char *end;
		long pid = strtol(p, &end, 10);

		/* A number that is not ended was cut by the end of the buffer: it names somebody
		 * else. */
		if (end == p || *end != ' ')
			break;
		p = end;
		while (*p == ' ')
			p++;
		if (pid > 0 && child_of_pid(m, (pid_t)pid) == NULL) {
			n++;
			if (sig != 0)
				kill((pid_t)pid, sig);
		}
	}
	return n;
}

static void
step_drain(struct master *m)
{
	/* Gates stand behind the spawner in the table, and stop accepting before it. */
	for (size_t service = SVC_COUNT; service-- > 0;) {
		if (services[service].stop_step != m->stop_step)
			continue;
		for (size_t i = 0; i < CHILDREN_MAX; i++) {
			struct child *c = &m->children[i];

			if (c->state != CHILD_NONE && c->service == (enum service_id)service)
				child_drain(c);
		}
	}
}

static bool
step_over(const struct master *m)
{
	for (size_t service = 0; service < SVC_COUNT; service++) {
		if (services[service].stop_step == m->stop_step &&
		    service_running_any(m, (enum service_id)service))
			return false;
	}
	return true;
}

void
stop_begin(struct master *m)
{
	int64_t now = rk_clock_ms();

	if (m->phase == PHASE_STOPPING)
		return;
	log_ev(RK_LOG_INFO, "master.stopping", LOG_U("children", children_running(m)));
	m->phase = PHASE_STOPPING;
	reload_abandon(m, "the server stops");
	sd_stopping(&m->sd);
	m->stop_step = 0;
	m->stop_deadline_ms = now + (int64_t)m->settings.shutdown_seconds * 1000;
	orphans_signal(m, SIGTERM);
	step_drain(m);
	stop_step(m);
}

/* Those whose turn it was; the others still have theirs. */
static void
stragglers_kill(struct master *m)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		struct child *c = &m->children[i];

		if (c->state != CHILD_NONE && services[c->service].stop_step == m->stop_step)
			child_kill(c, "did not drain in time");
	}
	orphans_signal(m, SIGKILL);
}

static void
step_next(struct master *m, int64_t now)
{
	bool log_only = ++m->stop_step == services[SVC_LOG].stop_step;
	int64_t least = now + (log_only ? LOG_SECONDS : STEP_SECONDS) * 1000;

	if (log_only) {
		orphans_signal(m, SIGKILL);
		log_ev(RK_LOG_INFO, "master.stopped");
	}
	if (m->stop_deadline_ms < least || log_only)
		m->stop_deadline_ms = least;
	step_drain(m);
}

void
stop_step(struct master *m)
{
	int64_t now = rk_clock_ms();

	while (m->stop_step < STOP_STEPS && step_over(m)) {
		/* Workers may still have something to say to the log. */
		if (m->stop_step + 1 == services[SVC_LOG].stop_step && orphans_signal(m, 0) > 0 &&
		    now < m->stop_deadline_ms)
			return;
		step_next(m, now);
	}
	if (m->stop_step == STOP_STEPS && orphans_signal(m, SIGKILL) == 0) {
		event_base_loopbreak(m->base);
		return;
	}
	if (now >= m->stop_deadline_ms)
		stragglers_kill(m);
}
