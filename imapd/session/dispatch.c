/* A command's way: grammar, state, handler, pending updates, tagged reply. */
#include "imapd/session/session_impl.h"

#include "lib/base/arena.h"
#include "lib/base/log.h"

/* A command may leave this much memory to the next one. */
#define KEEP_MEM ((size_t)64 * 1024)

enum cmd_step
reply_ok(struct session *s, const char *code, const char *text)
{
	s->run.cond = RESP_OK;
	s->run.code = code;
	s->run.text = text;
	return CMD_DONE;
}

enum cmd_step
reply_no(struct session *s, const char *code, const char *text)
{
	s->run.cond = RESP_NO;
	s->run.code = code;
	s->run.text = text;
	return CMD_DONE;
}

enum cmd_step
reply_bad(struct session *s, const char *text)
{
	s->run.cond = RESP_BAD;
	s->run.text = text;
	return CMD_DONE;
}

/* Whether a failure is the client's own affair, or something the administrator should see. */
static bool
ordinary(enum rk_status status)
{
	return status == RK_NOTFOUND || status == RK_INVALID || status == RK_EXISTS ||
	       status == RK_UNSUPPORTED || status == RK_EXPIRED;
}

enum cmd_step
reply_fail(struct session *s, enum rk_status status, const struct rk_err *err)
{
	s->run.cond = RESP_NO;
	s->run.failure = status;
	log_ev(ordinary(status) ? RK_LOG_DEBUG : RK_LOG_WARN, "command.failed",
	    LOG_S("command", s->run.verb->name), LOG_S("status", rk_status_name(status)),
	    LOG_ERR(err));
	return CMD_DONE;
}

enum rk_status
command_name(struct session *s, struct str given, const char **name_out, struct rk_err *err)
{
	if (s->run.cmd.bad_name)
		return rk_fail_plain(err, RK_INVALID, "no valid encoding of a name");
	return account_name(given, s->run.mem, name_out, err);
}

static void
reply_send(struct session *s)
{
	struct buf *out = out_buf(s->out);

	if (s->run.failure != RK_OK)
		resp_fail(out, s->run.cmd.tag, s->run.failure);
	else
		resp_tagged(out, s->run.cmd.tag, s->run.cond, s->run.code, s->run.text);
}

void
dispatch_drop(struct session *s)
{
	struct rk_arena *mem = s->run.mem;

	updates_clear(s);
	if (arena_used(mem) > KEEP_MEM) {
		arena_free(mem);
		mem = arena_new();
	} else {
		arena_reset(mem);
	}
	s->run = (struct running){ .mem = mem };
	score_command(s->at.score, "");
}

static void
answered(struct session *s)
{
	bool refused = s->run.verb != NULL && s->run.cond == RESP_BAD;

	dispatch_drop(s);
	reader_next(s->in.reader);
	s->active_ms = rk_clock_ms();
	s->commands++;
	if (s->at.score != NULL)
		s->at.score->commands = s->commands;
	if (refused)
		input_bad(s);
}

static void
bad(struct session *s, const struct command *c, const char *why)
{
	log_ev(RK_LOG_DEBUG, "command.bad", LOG_B("command", c->verb.p, c->verb.n),
	    LOG_S("reason", why));
	resp_tagged(out_buf(s->out), c->tag, RESP_BAD, NULL, why);
	answered(s);
	input_bad(s);
}

/* The command is done: untagged news first, then its own line. */
static enum cmd_step
finish(struct session *s, struct command *c)
{
	(void)c;
	if (updates_step(s) == CMD_WAIT) {
		s->run.next = finish;
		return CMD_WAIT;
	}
	reply_send(s);
	return CMD_DONE;
}

/* From the handler's end to the tagged line, as far as that goes now. */
static bool
handler_done(struct session *s)
{
	const struct verb *verb = s->run.verb;

	/* SELECT just told everything, and behind LOGOUT's BYE nothing may follow but its OK. */
	if (s->state == ST_SELECTED && verb->run != cmd_select && verb->run != cmd_examine) {
		updates_sync(s, false);
		if (s->run.verb == NULL)
			return true; /* the mailbox is gone, and BYE was said */
		updates_begin(s, verb->expunge || s->run.cmd.uid);
		if (s->run.verb == NULL)
			return true;
	}
	if (finish(s, &s->run.cmd) == CMD_WAIT)
		return false;
	answered(s);
	return true;
}

static bool
step_taken(struct session *s, enum cmd_step step)
{
	/* BYE may have been said on the way; then nothing runs any more. */
	if (s->run.verb == NULL)
		return true;
	if (step == CMD_WAIT)
		return false;
	if (s->run.next == finish) {
		answered(s);
		return true;
	}
	return handler_done(s);
}

bool
dispatch_continue(struct session *s)
{
	return step_taken(s, s->run.next(s, &s->run.cmd));
}

static void
run(struct session *s, const struct verb *verb)
{
	s->run.verb = verb;
	s->run.next = verb->run;
	score_command(s->at.score, verb->name);
	step_taken(s, verb->run(s, &s->run.cmd));
}

void
dispatch_command(struct session *s, struct str bytes)
{
	struct command *c = &s->run.cmd;
	const struct verb *verb;
	struct lexer l;

	lexer_init(&l, bytes, s->run.mem);
	lexer_spill(&l, reader_spill(s->in.reader));
	if (parse_command(&l, c) != PARSE_DONE) {
		bad(s, c, c->why);
		return;
	}
	c->utf8 = s->rev2;
	verb = verb_find(c->verb, c->uid);
	if (verb == NULL)
		bad(s, c, "Unknown command");
	else if ((verb->states & s->state) == 0)
		bad(s, c, "Select a mailbox first");
	else if (verb->parse(&l, c) != PARSE_DONE)
		bad(s, c, c->why);
	else
		run(s, verb);
}
