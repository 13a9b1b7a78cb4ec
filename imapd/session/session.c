/*
 * The loop of one session: one thread, one poll. A turn does a bounded piece of work (a step of the
 * running command, or a command from the bytes that are there), sends what the client takes, and
 * waits only when nothing can be done at once. So output that a client does not read stops its own
 * commands and nothing else, and a request to end is seen between two responses.
 */
#include "imapd/session/session_impl.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/bug.h"
#include "lib/base/log.h"

/* After BYE a client has this long to take what is queued when the server wants to end. */
#define GRACE_MS 10000
#define REFUSE_MS 5000
/* A store that cannot tell of changes is asked at least this often during IDLE. */
#define POLL_MAX_MS 60000

static volatile sig_atomic_t stop_asked;

void
session_stop(void)
{
	stop_asked = 1;
}

static void
on_term(int sig)
{
	(void)sig;
	session_stop();
}

void
session_limits_read(const struct conf *conf, struct session_limits *out)
{
	*out = (struct session_limits){
		.reader = {
			.line = (size_t)conf_int(conf, NULL, "imapd.max_line"),
			.literal = (size_t)conf_int(conf, NULL, "imapd.max_literal"),
			.nonsync = (size_t)conf_int(conf, NULL, "imapd.max_nonsync"),
			.command = (size_t)conf_int(conf, NULL, "imapd.max_command"),
			.message = (uint64_t)conf_int(conf, NULL, "imapd.max_message"),
		},
		.bad_commands = (uint32_t)conf_int(conf, NULL, "imapd.max_bad_commands"),
		.idle_ms = conf_int(conf, NULL, "imapd.idle_seconds") * 1000,
		.notice_ms = conf_int(conf, NULL, "imapd.idle_notice_seconds") * 1000,
		.output_ms = conf_int(conf, NULL, "imapd.output_seconds") * 1000,
	};
}

void
session_break(struct session *s, const char *reason)
{
	if (s->run.verb != NULL)
		dispatch_drop(s);
	session_unselect(s);
	if (s->state != ST_LOGOUT)
		session_enter(s, ST_LOGOUT);
	if (s->reason == NULL)
		s->reason = reason;
	s->end_at_ms = rk_clock_ms();
}

void
session_bye(struct session *s, const char *code, const char *text, const char *reason)
{
	if (s->run.verb != NULL)
		dispatch_drop(s);
	resp_untagged(out_buf(s->out), RESP_BYE, code, text);
	session_unselect(s);
	session_enter(s, ST_LOGOUT);
	s->reason = reason;
	s->end_at_ms = rk_clock_ms() + GRACE_MS;
}

static bool
reads_input(const struct session *s)
{
	return s->state == ST_IDLE || (s->state != ST_LOGOUT && s->run.verb == NULL);
}

/* One piece of work; false: there is nothing to do before something happens outside. */
static bool
turn(struct session *s)
{
	if (stop_asked && s->stop_at_ms == 0)
		s->stop_at_ms = rk_clock_ms() + GRACE_MS;
	if (stop_asked && s->state != ST_LOGOUT && !s->run.inside) {
		session_bye(s, "UNAVAILABLE", "The server ends this session", "stopped");
		return true;
	}
	if (s->state == ST_LOGOUT && s->run.verb == NULL)
		return false;
	/* Whoever does not read the answers is not asked for more commands. */
	if (reads_input(s) && out_ready(s->out) && input_step(s))
		return true;
	if (reads_input(s) && s->in.end && s->in.pos == s->in.len) {
		/* The client closed its side: what it asked for is answered, then we close too. */
		session_break(s, "closed");
		s->end_at_ms += s->at.limits->output_ms;
		return false;
	}
	return s->run.verb != NULL && out_ready(s->out) && dispatch_continue(s);
}

static void
flush(struct session *s)
{
	struct rk_err err;

	if (out_empty(s->out))
		return;
	switch (out_flush(s->out, &err)) {
	case RK_OK:
	case RK_AGAIN:
		return;
	case RK_CLOSED:
		session_break(s, "closed");
		break;
	default:
		/* A message that was promised can't be sent: no byte may follow. */
		log_ev(RK_LOG_WARN, "session.output", LOG_ERR(&err));
		session_break(s, "output");
		break;
	}
	s->end_at_ms = 0;
}

/* Acts on the clocks; returns how long nothing of them is due. */
static int64_t
clocks(struct session *s)
{
	int64_t now = rk_clock_ms(), due = now + POLL_MAX_MS, at;

	if (!out_empty(s->out)) {
		at = out_stuck_since(s->out) + s->at.limits->output_ms;
		if (now >= at)
			session_break(s, "stuck");
		due = at < due ? at : due;
	}
	if (s->stop_at_ms != 0) {
		if (now >= s->stop_at_ms)
			session_break(s, "stopped");
		due = s->stop_at_ms < due ? s->stop_at_ms : due;
	}
	if (s->state == ST_LOGOUT)
		return (s->end_at_ms < due ? s->end_at_ms : due) - now;
	if (reads_input(s)) {
		at = s->active_ms + s->at.limits->idle_ms;
		if (now >= at) {
			session_bye(s, NULL, "Nothing was heard for too long", "idle");
			return 0;
		}
		due = at < due ? at : due;
	}
	if (s->state == ST_IDLE) {
		at = s->told_ms + s->at.limits->notice_ms;
		if (now >= at && out_empty(s->out)) {
			resp_untagged(out_buf(s->out), RESP_OK, NULL, "Still here");
			s->told_ms = now;
			at = now + s->at.limits->notice_ms;
		}
		/* What waits for the client to read is woken by POLLOUT, not by the clock. */
		if (out_empty(s->out))
			due = at < due ? at : due;
		if (s->sel.box != NULL && s->sel.watch.fd < 0) {
			at = s->sel.synced_ms + s->sel.watch.poll_ms;
			if (s->sync_at_ms == 0 || at < s->sync_at_ms)
				s->sync_at_ms = at;
		}
		if (s->sel.box != NULL && s->noticed && out_ready(s->out))
			due = now;
		if (s->sel.box != NULL && s->sync_at_ms != 0 && out_ready(s->out) &&
		    s->sync_at_ms < due)
			due = s->sync_at_ms;
	}
	return due > now ? due - now : 0;
}

enum {
	POLL_CLIENT,
	POLL_SPAWNER,
	POLL_HUB,
	POLL_WATCH,
	POLL_N,
};

static void
poll_fill(const struct session *s, struct pollfd pfds[POLL_N])
{
	bool settled = rk_clock_ms() - s->sel.synced_ms >= SYNC_SETTLE_MS;

	for (int i = 0; i < POLL_N; i++)
		pfds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	pfds[POLL_CLIENT].fd = s->at.client_fd;
	pfds[POLL_CLIENT].events = 0;
	if (reads_input(s) && s->in.pos == s->in.len && !s->in.end && out_ready(s->out))
		pfds[POLL_CLIENT].events |= POLLIN;
	if (!out_empty(s->out))
		pfds[POLL_CLIENT].events |= POLLOUT;
	pfds[POLL_SPAWNER].fd = s->at.spawner_fd;
	if (s->state == ST_LOGOUT)
		return;
	pfds[POLL_HUB].fd = s->at.hub_fd;
	if (s->state == ST_IDLE && s->sel.box != NULL && settled)
		pfds[POLL_WATCH].fd = s->sel.watch.fd;
}

/* Waits for something, at most timeout_ms, and takes in what came. */
static void
wait_for(struct session *s, int64_t timeout_ms, const sigset_t *unblocked)
{
	struct timespec ts = { .tv_sec = timeout_ms / 1000,
		.tv_nsec = (long)(timeout_ms % 1000) * 1000000 };
	struct pollfd pfds[POLL_N];

	poll_fill(s, pfds);
	if (ppoll(pfds, POLL_N, &ts, unblocked) < 0) {
		if (errno != EINTR)
			rk_bug("ppoll: errno %d", errno);
		return;
	}
	if (pfds[POLL_SPAWNER].revents != 0)
		links_spawner_readable(s);
	if (pfds[POLL_HUB].revents != 0 && pfds[POLL_HUB].fd == s->at.hub_fd)
		links_hub_readable(s);
	if (pfds[POLL_WATCH].revents != 0)
		idle_watch_readable(s);
	if ((pfds[POLL_CLIENT].revents & (POLLIN | POLLHUP | POLLERR)) == 0)
		return;
	if ((pfds[POLL_CLIENT].events & POLLIN) != 0)
		input_read(s);
	else if ((pfds[POLL_CLIENT].revents & (POLLHUP | POLLERR)) != 0)
		session_break(s, "closed");
}

static bool
over(const struct session *s)
{
	return s->state == ST_LOGOUT && (out_empty(s->out) || rk_clock_ms() >= s->end_at_ms);
}

/* During IDLE a watch that is not looked at yet (SYNC_SETTLE_MS) must be looked at soon. */
static int64_t
settle(const struct session *s, int64_t timeout_ms)
{
	int64_t left = s->sel.synced_ms + SYNC_SETTLE_MS - rk_clock_ms();

	if (s->state == ST_IDLE && s->sel.box != NULL && left > 0 && left < timeout_ms)
		return left;
	return timeout_ms;
}

/* Whether the running command only waits for room that there is now. */
static bool
can_go_on(const struct session *s)
{
	if (!out_ready(s->out))
		return false;
	if (reads_input(s) && s->in.pos < s->in.len)
		return true;
	return s->run.verb != NULL && (s->state != ST_IDLE || s->updates.phase != UPDATES_NONE);
}

static void
loop(struct session *s, const sigset_t *unblocked)
{
	while (!over(s)) {
		bool more = turn(s);
		int64_t timeout_ms;

		flush(s);
		if (over(s))
			return;
		timeout_ms = clocks(s);
		if (more || can_go_on(s) || timeout_ms < 0)
			timeout_ms = 0;
		wait_for(s, settle(s, timeout_ms), unblocked);
	}
}

static void
signals_set(sigset_t *unblocked)
{
	struct sigaction term = { .sa_handler = on_term }, ignore = { .sa_handler = SIG_IGN };
	sigset_t block;

	sigemptyset(&term.sa_mask);
	sigemptyset(&ignore.sa_mask);
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &block, unblocked) < 0 || sigaction(SIGTERM, &term, NULL) < 0 ||
	    sigaction(SIGPIPE, &ignore, NULL) < 0)
		rk_bug("signals: errno %d", errno);
	sigdelset(unblocked, SIGTERM);
}

static void
login_answer(struct session *s)
{
	if (s->at.tag == NULL)
		return;
	resp_tagged(out_buf(s->out), str_from(s->at.tag), RESP_OK,
	    "CAPABILITY " SESSION_CAPABILITIES, "Logged in");
}

static void
end_log(const struct session *s)
{
	log_ev(RK_LOG_INFO, "session.end", LOG_S("reason", s->reason),
	    LOG_U("commands", s->commands), LOG_U("in", s->in.total),
	    LOG_U("out", out_sent(s->out)));
}

void
session_run(const struct session_start *start)
{
	struct session *s = calloc(1, sizeof(*s));
	sigset_t unblocked;

	if (s == NULL)
		rk_out_of_memory(sizeof(*s));
	s->at = *start;
	s->state = ST_NOT_SELECTED;
	s->bad = start->bad_commands;
	s->in.reader = reader_new(&start->limits->reader);
	s->out = out_new(start->client_fd);
	s->run.mem = arena_new();
	s->sel.watch.fd = -1;
	s->active_ms = rk_clock_ms();
	signals_set(&unblocked);
	links_watch(s);
	login_answer(s);
	loop(s, &unblocked);
	end_log(s);
	session_unselect(s);
	updates_clear(s);
	if (s->at.hub_fd >= 0)
		close(s->at.hub_fd);
	arena_free(s->run.mem);
	out_free(s->out);
	reader_free(s->in.reader);
	free(s);
	stop_asked = 0;
}

void
session_refuse(int client_fd, const char *tag, enum rk_status status)
{
	int64_t until_ms = rk_clock_ms() + REFUSE_MS;
	struct out *out = out_new(client_fd);
	struct rk_err err;

	resp_fail(out_buf(out), str_from(tag), status);
	resp_untagged(out_buf(out), RESP_BYE, resp_words(status)->code, "No session is possible");
	while (out_flush(out, &err) == RK_AGAIN && rk_clock_ms() < until_ms) {
		struct pollfd pfd = { .fd = client_fd, .events = POLLOUT };

		(void)poll(&pfd, 1, 1000);
	}
	out_free(out);
}
