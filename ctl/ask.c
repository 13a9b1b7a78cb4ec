#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/ipc/sock.h"

/* More sessions than a server of ours can have. */
#define ROWS_MAX (1u << 20)
#define TEXT_MAX MSG_MAX

static void
say(const struct rk_err *err)
{
	fprintf(stderr, "rookeryctl: %s%s%s\n", err->text, err->sys_errno != 0 ? ": " : "",
	    err->sys_errno != 0 ? strerror(err->sys_errno) : "");
}

static enum ctl_exit
connect_master(const struct ctl *ctl, int *fd_out)
{
	struct rk_err err;
	enum rk_status status = ipc_connect(ctl->socket_path, fd_out, &err);

	if (status == RK_OK)
		return CTL_OK;
	if (status == RK_NOTFOUND) {
		fprintf(stderr, "rookeryctl: Rookery is not running (nobody answers at %s)\n",
		    ctl->socket_path);
		return CTL_NOT_RUNNING;
	}
	say(&err);
	return CTL_FAILED;
}

static enum rk_status
request_send(int fd, const char *verb, const char *arg, struct rk_err *err)
{
	struct admin_request request = { .nargs = 0 };
	struct msg_out m;

	snprintf(request.verb, sizeof(request.verb), "%s", verb);
	if (arg != NULL) {
		if (strlen(arg) >= sizeof(request.args[0]))
			return rk_fail_plain(
			    err, RK_INVALID, "'%.40s…' is too long for a name", arg);
		snprintf(request.args[0], sizeof(request.args[0]), "%s", arg);
		request.nargs = 1;
	}
	msg_begin(&m, ADMIN_REQUEST, 0);
	put_admin_request(&m, &request);
	return ipc_send(fd, &m, err);
}

static char *
text_take(struct msg_in *m, struct rk_arena *mem)
{
	struct str s = msg_get_str(m, TEXT_MAX);

	return str_dup(mem, s);
}

static enum rk_status
row_take(struct msg_in *m, struct rk_arena *mem, struct ctl_row *row, struct rk_err *err)
{
	uint32_t n = msg_get_u32(m);

	if (n > CTL_FIELDS_MAX)
		return rk_fail_plain(err, RK_CORRUPT, "a row with %u fields", n);
	row->n = n;
	row->fields = rk_arena_array(mem, n, sizeof(row->fields[0]));
	for (uint32_t i = 0; i < n; i++) {
		row->fields[i].key = text_take(m, mem);
		row->fields[i].value = text_take(m, mem);
		row->fields[i].number = msg_get_u8(m) != 0;
	}
	return msg_end(m, err);
}

/* The room doubles; the arena keeps what was outgrown until the end of this short program. */
static struct ctl_row *
row_new(struct ctl_answer *out, size_t *room, struct rk_arena *mem)
{
	if (out->n == *room) {
		size_t more = *room == 0 ? 64 : *room * 2;
		struct ctl_row *rows = rk_arena_array(mem, more, sizeof(rows[0]));

		if (out->n > 0)
			memcpy(rows, out->rows, out->n * sizeof(rows[0]));
		out->rows = rows;
		*room = more;
	}
	return &out->rows[out->n++];
}

static enum rk_status
answer_collect(
    int fd, struct rk_arena *mem, int seconds, struct ctl_answer *out, struct rk_err *err)
{
	static struct msg_in m;
	size_t room = 0;

	for (;;) {
		enum rk_status status =
		    ipc_recv_until(fd, &m, rk_clock_ms() + (int64_t)seconds * 1000, err);

		if (status != RK_OK)
			return status;
		if (m.type == ADMIN_DONE) {
			out->status = (enum rk_status)msg_get_u32(&m);
			out->text = text_take(&m, mem);
			return msg_end(&m, err);
		}
		if (m.type != ADMIN_ROW || out->n == ROWS_MAX) {
			msg_drop(&m);
			return rk_fail_plain(
			    err, RK_CORRUPT, "the master answered with message %u", m.type);
		}
		status = row_take(&m, mem, row_new(out, &room, mem), err);
		if (status != RK_OK)
			return status;
	}
}

enum ctl_exit
ctl_ask(
    const struct ctl *ctl, const char *verb, const char *arg, int seconds, struct ctl_answer *out)
{
	struct rk_err err;
	enum rk_status status;
	enum ctl_exit code;
	int fd;

	*out = (struct ctl_answer){ .text = "" };
	code = connect_master(ctl, &fd);
	if (code != CTL_OK)
		return code;
	status = request_send(fd, verb, arg, &err);
	if (status == RK_OK)
		status = answer_collect(fd, ctl->mem, seconds, out, &err);
	close(fd);
	/* The end of the master is the answer to stop. */
	if (status == RK_CLOSED && strcmp(verb, "stop") == 0)
		return CTL_OK;
	if (status == RK_CLOSED)
		rk_fail_plain(&err, RK_CLOSED,
		    "the master closed the connection: only root and its "
		    "own user may ask it");
	if (status != RK_OK) {
		say(&err);
		return CTL_FAILED;
	}
	return CTL_OK;
}
