/*
 * SEARCH and UID SEARCH (RFC 9051 section 6.4.4), with saved results. Messages are looked at in
 * batches and turns, as in FETCH: a search over bodies may take long, and neither the server's end
 * nor the clocks wait for it.
 */
#include "imapd/session/session_impl.h"

#include <time.h>

#include "imapd/proto/resp_search.h"
#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "storage/search/search.h"

#define BATCH 256
/* One turn; then the client, the spawner and the clocks are looked at. */
#define TURN_MS 50
/* A search that takes more of the processor is refused. */
#define CPU_MAX_MS 60000

struct search_run {
	struct search *search;
	struct uidset uids; /* of the view */
	struct uidset found;
	struct index_info info;
	struct rk_arena *mem; /* of the batch */
	struct index_record *records;
	size_t n;
	size_t i;
	uint32_t next; /* UID from which the next batch is read, 0: none is left */
	int64_t cpu_ms;
	struct buf header;
	/* While the body of records[i] is looked at: */
	struct stream *stream; /* NULL: it is not */
	const struct mime_part *parts;
};

static void
search_free(void *ptr)
{
	struct search_run *r = ptr;

	uidset_clear(&r->uids);
	uidset_clear(&r->found);
	buf_clear(&r->header);
	if (r->stream != NULL)
		stream_free(r->stream);
	arena_free(r->mem);
}

static int64_t
cpu_ms(void)
{
	return (int64_t)clock() * 1000 / CLOCKS_PER_SEC;
}

/* --- one message --- */

static enum rk_status
header_look(struct session *s, struct search_run *r, struct index_record *record,
    enum search_answer *answer, struct rk_err *err)
{
	uint64_t size;
	enum rk_status status = body_load(&s->sel.body, s->sel.box, record, err);

	if (status == RK_OK)
		status = body_header(&s->sel.body, &size, err);
	buf_empty(&r->header);
	if (status == RK_OK)
		status = body_header_text(&s->sel.body, 0, size, &r->header, err);
	if (status == RK_OK)
		*answer = search_header(r->search, str_of(r->header.data, r->header.len));
	return status;
}

static enum rk_status
body_open(struct session *s, struct search_run *r, struct rk_err *err)
{
	enum rk_status status = body_parts(&s->sel.body, &r->parts, err);
	struct stream *stream;

	if (status == RK_OK)
		status = body_stream(&s->sel.body, 0, &stream, err);
	if (status == RK_OK)
		r->stream = stream;
	return status;
}

/* All but the body, which is got ready if the answer is still open. */
static enum rk_status
message_look(struct session *s, struct search_run *r, struct index_record *record,
    enum search_answer *answer, struct rk_err *err)
{
	enum rk_status status = RK_OK;

	if (search_needs_size(r->search))
		status = mailbox_size(s->sel.box, record, err);
	if (status == RK_OK) {
		*answer = search_record(r->search, record, &r->info);
		if (*answer == SEARCH_ANSWER_OPEN)
			status = header_look(s, r, record, answer, err);
	}
	if (status == RK_OK && *answer == SEARCH_ANSWER_OPEN)
		status = body_open(s, r, err);
	return status;
}

/* Goes on with the message at hand. One that went away meanwhile matches nothing. */
static enum rk_status
message_step(struct session *s, struct search_run *r, struct rk_err *err)
{
	struct index_record *record = &r->records[r->i];
	enum search_answer answer = SEARCH_ANSWER_OPEN;
	enum rk_status status;

	if (r->stream == NULL)
		status = message_look(s, r, record, &answer, err);
	else
		status = search_body(r->search, r->parts, r->stream, &answer, err);
	if (status == RK_EXPIRED) {
		answer = SEARCH_ANSWER_NO;
		status = RK_OK;
	}
	if (status != RK_OK || answer == SEARCH_ANSWER_OPEN)
		return status;
	if (r->stream != NULL)
		stream_free(r->stream);
	r->stream = NULL;
	if (answer == SEARCH_ANSWER_YES)
		uidset_add(&r->found, record->uid, record->uid);
	r->i++;
	return RK_OK;
}

/* --- the answer --- */

/* `$` becomes what was found, or with MIN and MAX alone just those (RFC 9051 section 6.4.4.1). */
static void
result_save(struct session *s, const struct search_run *r, uint32_t ret)
{
	struct uidset *saved = &s->sel.saved;

	uidset_clear(saved);
	if ((ret & SEARCH_RET_SAVE) == 0 || r->found.n == 0)
		return;
	if ((ret & (SEARCH_RET_ALL | SEARCH_RET_COUNT)) != 0 ||
	    (ret & (SEARCH_RET_MIN | SEARCH_RET_MAX)) == 0) {
		uidset_copy(saved, &r->found);
		return;
	}
	if ((ret & SEARCH_RET_MIN) != 0)
		uidset_add(saved, r->found.runs[0].first, r->found.runs[0].first);
	if ((ret & SEARCH_RET_MAX) != 0)
		uidset_add(saved, uidset_max(&r->found), uidset_max(&r->found));
}

/* Numbers of the messages, by runs of neighbours. */
static void
numbers_of(const struct view *v, const struct uidset *uids, struct uidset *out)
{
	for (size_t i = 0; i < uids->n; i++)
		uidset_add(out, view_seq(v, uids->runs[i].first), view_seq(v, uids->runs[i].last));
}

static enum cmd_step
search_end(struct session *s, struct command *c, struct search_run *r)
{
	const struct cmd_search *cs = &c->u.search;
	uint32_t ret = cs->extended ? cs->ret : SEARCH_RET_ALL;
	struct uidset numbers = UIDSET_INIT;
	const struct uidset *told = &r->found;

	if ((ret & SEARCH_RET_SAVE) != 0)
		result_save(s, r, ret);
	if (!c->uid) {
		numbers_of(&s->sel.view, &r->found, &numbers);
		told = &numbers;
	}
	if (!cs->extended && !s->rev2)
		resp_search(out_buf(s->out), told);
	else
		resp_esearch(
		    out_buf(s->out), &(struct resp_esearch){
					 .tag = c->tag, .uid = c->uid, .ret = ret, .found = told });
	uidset_clear(&numbers);
	return reply_ok(s, NULL, "SEARCH completed");
}

/* A search that saves and fails leaves nothing saved. */
static enum cmd_step
search_failed(struct session *s, struct command *c, enum rk_status status, const struct rk_err *err)
{
	if ((c->u.search.ret & SEARCH_RET_SAVE) != 0)
		uidset_clear(&s->sel.saved);
	return reply_fail(s, status, err);
}

/* --- all messages --- */

static enum rk_status
batch_read(struct session *s, struct search_run *r, struct rk_err *err)
{
	struct index_query query = { .uids = &r->uids, .from = r->next, .max = BATCH };
	struct index_records got;
	enum rk_status status;

	arena_reset(r->mem);
	r->i = 0;
	r->n = 0;
	status = mailbox_records(s->sel.box, &query, r->mem, &got, err);
	if (status == RK_OK)
		status = mailbox_info(s->sel.box, r->mem, &r->info, err);
	if (status != RK_OK)
		return status;
	if (!updates_same_mailbox(s, &r->info)) {
		session_bye(
		    s, NULL, "The selected mailbox was replaced by another", "mailbox-replaced");
		return RK_OK;
	}
	r->records = got.list;
	r->n = got.n;
	r->next =
	    got.n == 0 || got.list[got.n - 1].uid == UINT32_MAX ? 0 : got.list[got.n - 1].uid + 1;
	return RK_OK;
}

static enum cmd_step
search_step(struct session *s, struct command *c)
{
	struct search_run *r = s->run.state;
	int64_t until_ms = rk_clock_ms() + TURN_MS, began = cpu_ms();
	enum rk_status status = RK_OK;
	struct rk_err err;

	while (status == RK_OK && (r->i < r->n || r->next != 0)) {
		if (s->stop_at_ms != 0 || rk_clock_ms() >= until_ms) {
			r->cpu_ms += cpu_ms() - began;
			if (r->cpu_ms <= CPU_MAX_MS)
				return CMD_WAIT;
			status =
			    rk_fail_plain(&err, RK_LIMIT, "a search of %d s", CPU_MAX_MS / 1000);
		} else if (r->i < r->n) {
			status = message_step(s, r, &err);
		} else {
			status = batch_read(s, r, &err);
			if (s->run.verb == NULL)
				return CMD_DONE; /* the mailbox is gone, and BYE was said */
		}
	}
	if (status != RK_OK)
		return search_failed(s, c, status, &err);
	return search_end(s, c, r);
}

enum cmd_step
cmd_search(struct session *s, struct command *c)
{
	struct search_run *r = rk_arena_alloc(s->run.mem, sizeof(*r));
	struct search_scope scope = {
		.view = &s->sel.view,
		.recent = &s->sel.recent,
		.saved = &s->sel.saved,
		.now = (int64_t)time(NULL),
		.charset = charset_find(c->u.search.charset),
	};

	if (scope.charset == NULL) {
		if ((c->u.search.ret & SEARCH_RET_SAVE) != 0)
			uidset_clear(&s->sel.saved);
		return reply_no(s, rk_arena_printf(s->run.mem, "BADCHARSET (%s)", charset_names()),
		    "This charset is not known");
	}
	r->mem = arena_new();
	arena_cleanup(s->run.mem, search_free, r);
	uidset_copy(&r->uids, &s->sel.view.uids);
	r->next = 1;
	r->search = search_new(c->u.search.key, &scope, s->run.mem);
	s->run.state = r;
	s->run.next = search_step;
	return search_step(s, c);
}
