#include "imapd/session/session_impl.h"

enum rk_status
status_read(
    struct session *s, const char *name, uint32_t items, struct index_info *out, struct rk_err *err)
{
	unsigned need = 0;

	if ((items & STATUS_SIZE) != 0)
		need |= STATUS_NEED_SIZE;
	if ((items & STATUS_RECENT) != 0)
		need |= STATUS_NEED_RECENT;
	return account_status(s->at.account, name, need, s->run.mem, out, err);
}

struct resp_status
status_resp(
    const struct session *s, const char *name, uint32_t items, const struct index_info *info)
{
	return (struct resp_status){
		.name = str_from(name),
		.utf8 = s->rev2,
		.items = items,
		.messages = info->messages,
		.uidnext = info->uidnext,
		.uidvalidity = info->uidvalidity,
		.unseen = info->unseen,
		.deleted = info->deleted,
		.recent = info->recent,
		.size = info->size,
	};
}

enum cmd_step
cmd_status(struct session *s, struct command *c)
{
	const struct cmd_status *cs = &c->u.status;
	struct resp_status st;
	struct index_info info;
	struct rk_err err;
	enum rk_status status;
	const char *name;

	status = command_name(s, cs->name, &name, &err);
	if (status == RK_OK)
		status = status_read(s, name, cs->items, &info, &err);
	if (status != RK_OK)
		return reply_fail(s, status, &err);
	st = status_resp(s, name, cs->items, &info);
	resp_status(out_buf(s->out), &st);
	return reply_ok(s, NULL, "STATUS completed");
}
