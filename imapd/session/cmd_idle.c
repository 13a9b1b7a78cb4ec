/*
 * IDLE (RFC 9051 section 6.3.13). It waits in its own state, which is the only one where client,
 * hub and store are all listened to. The watch stands before the store is asked, so that no change
 * falls between the two; it is held only meanwhile, because a user has 128 of them (decisions.md
 * 20).
 */
#include "imapd/session/session_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/base/log.h"

#define POLL_MAX_MS 60000

void
idle_watch_close(struct session *s)
{
	if (s->sel.watch.fd >= 0)
		close(s->sel.watch.fd);
	s->sel.watch = (struct rk_watch){ .fd = -1, .poll_ms = POLL_MAX_MS };
}

static void
watch_open(struct session *s)
{
	struct rk_watch watch;
	struct rk_err err;
	int flags;

	idle_watch_close(s);
	if (s->sel.box == NULL)
		return;
	if (mailbox_watch(s->sel.box, &watch, &err) != RK_OK) {
		log_ev(RK_LOG_WARN, "session.watch", LOG_ERR(&err));
		return;
	}
	if (watch.poll_ms == 0 || watch.poll_ms > POLL_MAX_MS)
		watch.poll_ms = POLL_MAX_MS;
	s->sel.watch = watch;
	if (watch.fd < 0)
		return;
	flags = fcntl(watch.fd, F_GETFL);
	if (flags < 0 || fcntl(watch.fd, F_SETFL, flags | O_NONBLOCK) < 0)
		idle_watch_close(s);
}

void
idle_watch_readable(struct session *s)
{
	char events[4096];
	ssize_t got;

	do {
		got = read(s->sel.watch.fd, events, sizeof(events));
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got == 0 || errno != EAGAIN)
		idle_watch_close(s); /* it tells nothing any more: ask now and then */
	s->sync_at_ms = rk_clock_ms();
}

static enum cmd_step
idle_step(struct session *s, struct command *c)
{
	(void)c;
	if (updates_step(s) == CMD_WAIT)
		return CMD_WAIT;
	if (s->state != ST_IDLE)
		return s->idle_bad ? reply_bad(s, "DONE was expected")
		                   : reply_ok(s, NULL, "IDLE completed");
	if (s->sel.box == NULL)
		return CMD_WAIT;
	if (s->sync_at_ms != 0 && rk_clock_ms() >= s->sync_at_ms)
		updates_sync(s, true);
	else if (!s->noticed)
		return CMD_WAIT;
	s->noticed = false;
	updates_begin(s, true);
	(void)updates_step(s); /* what does not fit now is told on the next step */
	if (!out_empty(s->out))
		s->told_ms = rk_clock_ms();
	return CMD_WAIT;
}

void
idle_line(struct session *s, struct str line)
{
	s->idle_bad = !parse_done(line);
	idle_watch_close(s);
	session_enter(s, s->sel.box != NULL ? ST_SELECTED : ST_NOT_SELECTED);
}

enum cmd_step
cmd_idle(struct session *s, struct command *c)
{
	/* The reader goes on to DONE; the tag has to stay. */
	c->tag = str_of(rk_arena_dup(s->run.mem, c->tag.p, c->tag.n), c->tag.n);
	reader_next(s->in.reader);
	resp_continue(out_buf(s->out), "idling");
	session_enter(s, ST_IDLE);
	body_clear(&s->sel.body);
	watch_open(s);
	s->sync_at_ms = s->sel.box != NULL ? rk_clock_ms() : 0;
	s->told_ms = rk_clock_ms();
	s->run.next = idle_step;
	return CMD_WAIT;
}
