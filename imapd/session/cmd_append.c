/* APPEND, of one message or several (RFC 9051 section 6.3.12, RFC 3502). */
#include "imapd/session/session_impl.h"

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "imapd/proto/resp_search.h"
#include "lib/base/file.h"

/* The storage contract takes messages as ranges of a file; small ones may have come in memory. */
static enum rk_status
messages_file(const struct cmd_append *a, struct rk_new_msg *msgs, int *fd, struct rk_err *err)
{
	uint64_t at = 0;
	enum rk_status status = RK_OK;

	for (size_t i = 0; i < a->n && status == RK_OK; i++) {
		const struct lex_literal *l = &a->msgs[i].literal;

		msgs[i].fd = l->fd;
		msgs[i].offset = l->offset;
		msgs[i].size = l->size;
		if (l->fd >= 0)
			continue;
		if (*fd < 0)
			*fd = memfd_create("append", MFD_CLOEXEC);
		if (*fd < 0)
			return rk_fail(err, RK_TEMP, "a file in memory");
		msgs[i].fd = *fd;
		msgs[i].offset = at;
		status = file_write(*fd, l->bytes.p, l->bytes.n, err);
		at += l->bytes.n;
	}
	return status;
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
	int fd = -1;

	if (!command_target(s, a->name, &to, &step))
		return step;
	for (size_t i = 0; i < a->n; i++) {
		const struct append_msg *m = &a->msgs[i];

		msgs[i].flags = m->flags.flags;
		msgs[i].keywords = command_words(s, &m->flags);
		msgs[i].internal_date = m->has_date ? m->date : (int64_t)time(NULL);
	}
	status = messages_file(a, msgs, &fd, &err);
	if (status == RK_OK)
		status = mailbox_append(to, msgs, a->n, s->run.mem, &uids, &err);
	if (fd >= 0)
		close(fd);
	if (status == RK_OK)
		links_mailbox_changed(s, to);
	mailbox_close(to);
	if (status != RK_OK)
		return reply_fail(s, status, &err);
	return reply_ok(s, appenduid(s, &uids), "APPEND completed");
}
