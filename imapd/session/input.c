#include "imapd/session/session_impl.h"

#include <errno.h>
#include <unistd.h>

#include "lib/base/log.h"

void
input_read(struct session *s)
{
	struct input *in = &s->in;
	ssize_t got;

	do {
		got = read(s->at.client_fd, in->bytes, sizeof(in->bytes));
	} while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN)
		return;
	in->pos = 0;
	in->len = got > 0 ? (size_t)got : 0;
	in->total += in->len;
	/* A connection that was reset and one that was closed are the same to us. */
	in->end = got <= 0;
}

void
input_bad(struct session *s)
{
	s->bad++;
	if (s->bad > s->at.limits->bad_commands && s->state != ST_LOGOUT)
		session_bye(s, NULL, "Too many bad commands", "bad-commands");
}

/* The reader gave up on a command: said once, then the rest is skipped or the session ends. */
static void
refuse(struct session *s, enum reader_step step)
{
	bool too_big = step == READER_TOO_BIG;
	bool fatal = reader_fatal(s->in.reader);
	bool message = too_big && reader_message(s->in.reader);

	if (s->state == ST_IDLE && !fatal) {
		/* Not a command with a tag, and not DONE whatever it was. */
		reader_next(s->in.reader);
		idle_line(s, STR_LIT(""));
		return;
	}
	resp_tagged(out_buf(s->out), reader_tag(s->in.reader), message ? RESP_NO : RESP_BAD,
	    too_big ? "TOOBIG" : NULL,
	    message   ? "The message is too large"
	    : too_big ? "The command is too long"
		      : "The command holds bytes that can't be there");
	reader_next(s->in.reader);
	if (fatal)
		session_bye(s, NULL, "The rest of a refused literal can't be read", "bad-literal");
	else if (!message)
		input_bad(s);
}

static void
command(struct session *s)
{
	struct str bytes = reader_command(s->in.reader);

	s->active_ms = rk_clock_ms();
	if (s->state == ST_IDLE) {
		idle_line(s, bytes);
		/* The reader's bytes of IDLE itself went when it began. */
		reader_next(s->in.reader);
		return;
	}
	dispatch_command(s, bytes);
}

bool
input_step(struct session *s)
{
	struct input *in = &s->in;
	size_t used;

	if (in->pos == in->len)
		return false;
	switch (reader_feed(in->reader, in->bytes + in->pos, in->len - in->pos, &used)) {
	case READER_MORE:
		in->pos += used;
		return in->pos < in->len;
	case READER_CONTINUE:
		in->pos += used;
		resp_continue(out_buf(s->out), "Go on");
		return true;
	case READER_COMMAND:
		in->pos += used;
		command(s);
		return true;
	case READER_TOO_BIG:
		in->pos += used;
		refuse(s, READER_TOO_BIG);
		return true;
	case READER_BAD:
		in->pos += used;
		refuse(s, READER_BAD);
		return true;
	}
	return false;
}
