/* APPEND, of one message or several (RFC 9051 section 6.3.12, RFC 3502). */
#include "imapd/session/session_impl.h"

#include <time.h>

#include "imapd/proto/resp_search.h"

/* As the storage contract takes them; false: one is not in the reader's file, which has all
 * messages that a session is sent. */
static bool
messages_fill(struct session *s, const struct cmd_append *a, struct rk_new_msg *msgs)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct append_msg *m = &a->msgs[i];

		if (m->literal.fd < 0)
			return false;
		msgs[i] = (struct rk_new_msg){
			.fd = m->literal.fd,
			.offset = m->literal.offset,
			.size = m->literal.size,
			.flags = m->flags.flags,
			.keywords = command_words(s, &m->flags),
			.internal_date = m->has_date ? m->date : (int64_t)time(NULL),
		};
	}
	return true;
}

static const char *
appenduid(struct session *s, const struct rk_uids *uids)
{
	struct buf code = BUF_INIT;
	const char *text;

	resp_appenduid(&code, uids->uidvalidity, uids->uids, uids->n);
	text = rk_arena_dup(s->run.mem, code.data, code.len);
	buf_clear(&code);
	return text;
}

enum cmd_step
cmd_append(struct session *s, struct command *c)
{
	const struct cmd_append *a = &c->u.append;
	struct rk_new_msg *msgs = rk_arena_array(s->run.mem, a->n, sizeof(*msgs));
	struct mailbox *to;
	struct rk_uids uids;
	enum cmd_step step;
	struct rk_err err;
	enum rk_status status;

	if (!messages_fill(s, a, msgs))
		return reply_bad(s, "A message is expected");
	if (!command_target(s, a->name, &to, &step))
		return step;
	status = mailbox_append(to, msgs, a->n, s->run.mem, &uids, &err);
	if (status == RK_OK)
		links_mailbox_changed(s, to);
	mailbox_close(to);
	if (status != RK_OK)
		return reply_fail(s, status, &err);
	return reply_ok(s, appenduid(s, &uids), "APPEND completed");
}
