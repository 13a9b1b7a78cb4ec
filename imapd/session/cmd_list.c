/* LIST with selection and return options (RFC 9051 section 6.3.9), and rev1's LSUB. */
#include "imapd/session/session_impl.h"

#include <stdlib.h>
#include <string.h>

#include "imapd/proto/resp_list.h"
#include "lib/base/log.h"
#include "storage/account/match.h"

/* A line of the answer. */
struct line {
	const char *name;
	uint32_t attrs; /* enum list_attr bits */
	const char *uses;
	bool child; /* a name below it is subscribed */
};

struct list_run {
	struct line *lines;
	size_t n;
	size_t i;
	bool lsub;
};

/* --- names above subscribed ones --- */

/* A level above a subscribed name. */
struct level {
	const char *name;
	bool
	    hidden; /* that name does not match the patterns, so only this level can speak for it */
};

struct levels {
	struct level *list; /* by name, each once */
	size_t n;
};

static int
level_order(const void *a, const void *b)
{
	return strcmp(((const struct level *)a)->name, ((const struct level *)b)->name);
}

static bool
matches(struct match *const *patterns, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (match_name(patterns[i], str_from(name)))
			return true;
	}
	return false;
}

static size_t
depth(const char *name)
{
	size_t n = 0;

	for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/'))
		n++;
	return n;
}

static void
levels_find(const struct list_result *subscribed, struct match *const *patterns, size_t npatterns,
    struct rk_arena *mem, struct levels *out)
{
	size_t total = 0, last = 0;

	for (size_t i = 0; i < subscribed->n; i++)
		total += depth(subscribed->rows[i].name);
	out->list = rk_arena_array(mem, total, sizeof(*out->list));
	out->n = 0;
	for (size_t i = 0; i < subscribed->n; i++) {
		const char *name = subscribed->rows[i].name;
		bool hidden = !matches(patterns, npatterns, name);

		for (const char *slash = strchr(name, '/'); slash != NULL;
		     slash = strchr(slash + 1, '/'))
			out->list[out->n++] =
			    (struct level){ rk_arena_dup(mem, name, (size_t)(slash - name)),
				    hidden };
	}
	if (out->n == 0)
		return;
	qsort(out->list, out->n, sizeof(*out->list), level_order);
	for (size_t i = 1; i < out->n; i++) {
		if (strcmp(out->list[last].name, out->list[i].name) == 0)
			out->list[last].hidden |= out->list[i].hidden;
		else
			out->list[++last] = out->list[i];
	}
	out->n = last + 1;
}

static struct level *
level_of(const struct levels *levels, const char *name)
{
	struct level wanted = { name, false };

	return levels->n == 0
	           ? NULL
	           : bsearch(&wanted, levels->list, levels->n, sizeof(wanted), level_order);
}

/* --- what is to be told --- */

static enum rk_status
rows_find(struct session *s, const struct cmd_list *list, bool subscribed, struct list_result *out,
    struct rk_err *err)
{
	struct list_query query = {
		.reference = list->reference,
		.patterns = list->patterns,
		.npatterns = list->npatterns,
		.subscribed = subscribed,
		.uses = ((list->select & LIST_SEL_SPECIAL_USE) |
			    (list->ret & LIST_RET_SPECIAL_USE)) != 0,
	};

	return account_list(s->at.account, &query, s->run.mem, out, err);
}

static void
line_add(struct list_run *run, const struct list_row *row, bool child)
{
	run->lines[run->n++] = (struct line){ row->name, row->attrs, row->uses, child };
}

static enum rk_status
lines_plain(struct session *s, const struct cmd_list *list, bool subscribed, struct list_run *run,
    struct rk_err *err)
{
	struct list_result rows;
	enum rk_status status = rows_find(s, list, subscribed, &rows, err);

	if (status != RK_OK)
		return status;
	run->lines = rk_arena_array(s->run.mem, rows.n, sizeof(*run->lines));
	for (size_t i = 0; i < rows.n; i++)
		line_add(run, &rows.rows[i], false);
	return RK_OK;
}

/*
 * Subscribed names, and levels above such as the patterns hide: RECURSIVEMATCH (section 6.3.9.3,
 * rule 2B), and LSUB with `%` (RFC 3501 section 6.3.9).
 */
static enum rk_status
lines_recursive(
    struct session *s, const struct cmd_list *list, struct list_run *run, struct rk_err *err)
{
	static const struct str everything = { "*", 1 };
	struct cmd_list all = { .patterns = (struct str *)&everything, .npatterns = 1 };
	struct list_result rows, subscribed;
	struct match **patterns;
	struct levels levels;
	enum rk_status status = rows_find(s, list, false, &rows, err);

	if (status == RK_OK)
		status = rows_find(s, &all, true, &subscribed, err);
	if (status != RK_OK)
		return status;
	patterns = rk_arena_array(s->run.mem, list->npatterns, sizeof(struct match *));
	for (size_t i = 0; i < list->npatterns; i++)
		patterns[i] = match_new(list->reference, list->patterns[i], s->run.mem);
	levels_find(&subscribed, patterns, list->npatterns, s->run.mem, &levels);
	run->lines =
	    rk_arena_array(s->run.mem, rows.n + subscribed.n + levels.n, sizeof(*run->lines));
	for (size_t i = 0; i < rows.n; i++) {
		struct level *level = level_of(&levels, rows.rows[i].name);

		if ((rows.rows[i].attrs & LIST_SUBSCRIBED) != 0 || (level != NULL && level->hidden))
			line_add(run, &rows.rows[i], level != NULL);
		if (level != NULL)
			level->hidden = false; /* spoken for */
	}
	for (size_t i = 0; i < subscribed.n; i++) {
		struct level *level = level_of(&levels, subscribed.rows[i].name);

		if ((subscribed.rows[i].attrs & LIST_NONEXISTENT) == 0 ||
		    !matches(patterns, list->npatterns, subscribed.rows[i].name))
			continue;
		line_add(run, &subscribed.rows[i], level != NULL);
		if (level != NULL)
			level->hidden = false;
	}
	for (size_t i = 0; i < levels.n; i++) {
		if (levels.list[i].hidden &&
		    matches(patterns, list->npatterns, levels.list[i].name))
			line_add(run,
			    &(struct list_row){ levels.list[i].name, LIST_NONEXISTENT, "" }, true);
	}
	return RK_OK;
}

/* --- telling --- */

uint32_t
list_resp_attrs(uint32_t attrs)
{
	static const struct {
		uint32_t ours;
		uint32_t resp;
	} map[] = {
		{ LIST_NOSELECT, RESP_LIST_NOSELECT },
		{ LIST_NOINFERIORS, RESP_LIST_NOINFERIORS },
		{ LIST_MARKED, RESP_LIST_MARKED },
		{ LIST_UNMARKED, RESP_LIST_UNMARKED },
		{ LIST_HASCHILDREN, RESP_LIST_HASCHILDREN },
		{ LIST_HASNOCHILDREN, RESP_LIST_HASNOCHILDREN },
		{ LIST_NONEXISTENT, RESP_LIST_NONEXISTENT },
		{ LIST_SUBSCRIBED, RESP_LIST_SUBSCRIBED },
	};
	uint32_t resp = 0;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		resp |= (attrs & map[i].ours) != 0 ? map[i].resp : 0;
	return resp;
}

/* The STATUS that goes with a line. A mailbox that can't be selected after all is told so in the
 * line; other failures only cost the STATUS (section 6.3.9.2). */
static bool
line_status(
    struct session *s, const struct cmd_list *list, struct line *line, struct resp_status *out)
{
	struct index_info info;
	struct rk_err err;
	enum rk_status status;

	if ((line->attrs & (LIST_NOSELECT | LIST_NONEXISTENT)) != 0)
		return false;
	status = status_read(s, line->name, list->status_items, &info, &err);
	if (status == RK_NOTFOUND || status == RK_DENIED)
		line->attrs |= LIST_NOSELECT;
	else if (status != RK_OK)
		log_ev(RK_LOG_WARN, "list.status", LOG_S("box", line->name), LOG_ERR(&err));
	if (status == RK_OK)
		*out = status_resp(s, line->name, list->status_items, &info);
	return status == RK_OK;
}

static enum cmd_step
list_step(struct session *s, struct command *c)
{
	const struct cmd_list *list = &c->u.list;
	struct list_run *run = s->run.state;
	uint32_t told = ~0u;

	if (run->lsub)
		told = LIST_NOSELECT | LIST_NONEXISTENT;
	else if (((list->select & LIST_SEL_SUBSCRIBED) | (list->ret & LIST_RET_SUBSCRIBED)) == 0)
		told &= ~(uint32_t)LIST_SUBSCRIBED;
	for (; run->i < run->n; run->i++) {
		struct line *line = &run->lines[run->i];
		struct resp_status st;
		bool status;

		if (out_full(s->out))
			return CMD_WAIT;
		status = (list->ret & LIST_RET_STATUS) != 0 && line_status(s, list, line, &st);
		/* LSUB has one word for what can't be selected, or is not itself subscribed. */
		if (run->lsub &&
		    ((line->attrs & LIST_NONEXISTENT) != 0 || (line->attrs & LIST_SUBSCRIBED) == 0))
			line->attrs = LIST_NOSELECT;
		resp_list(out_buf(s->out), &(struct resp_list){
					       .name = str_from(line->name),
					       .attrs = list_resp_attrs(line->attrs & told),
					       .special_use = line->uses,
					       .separator = '/',
					       .lsub = run->lsub,
					       .utf8 = s->rev2,
					       .child_subscribed = line->child,
					   });
		if (status)
			resp_status(out_buf(s->out), &st);
	}
	return reply_ok(s, NULL, run->lsub ? "LSUB completed" : "LIST completed");
}

static enum cmd_step
list_begin(struct session *s, struct command *c, struct list_run *run, enum rk_status status,
    const struct rk_err *err)
{
	if (status != RK_OK)
		return reply_fail(s, status, err);
	s->run.state = run;
	s->run.next = list_step;
	return list_step(s, c);
}

/* Extended syntax gives no meaning to an empty pattern: it matches nothing. */
static void
patterns_drop_empty(struct cmd_list *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->npatterns; i++) {
		if (list->patterns[i].n > 0)
			list->patterns[n++] = list->patterns[i];
	}
	list->npatterns = n;
}

static void
lines_keep_special(struct list_run *run)
{
	size_t n = 0;

	for (size_t i = 0; i < run->n; i++) {
		if (run->lines[i].uses[0] != '\0')
			run->lines[n++] = run->lines[i];
	}
	run->n = n;
}

enum cmd_step
cmd_list(struct session *s, struct command *c)
{
	struct list_run *run = rk_arena_alloc(s->run.mem, sizeof(*run));
	struct cmd_list *list = &c->u.list;
	bool subscribed = (list->select & LIST_SEL_SUBSCRIBED) != 0;
	enum rk_status status;
	struct rk_err err;

	/* A pattern that no name can match is none to complain about. */
	if (c->bad_name)
		return reply_ok(s, NULL, "LIST completed");
	if (!list->extended && list->patterns[0].n == 0) {
		resp_list(out_buf(s->out),
		    &(struct resp_list){
			.name = STR_LIT(""), .attrs = RESP_LIST_NOSELECT, .separator = '/' });
		return reply_ok(s, NULL, "LIST completed");
	}
	patterns_drop_empty(list);
	/* RECURSIVEMATCH looks at all names, the special ones are picked from what it found. */
	if ((list->select & LIST_SEL_RECURSIVEMATCH) != 0)
		status = lines_recursive(s, list, run, &err);
	else
		status = lines_plain(s, list, subscribed, run, &err);
	if (status == RK_OK && (list->select & LIST_SEL_SPECIAL_USE) != 0)
		lines_keep_special(run);
	return list_begin(s, c, run, status, &err);
}

enum cmd_step
cmd_lsub(struct session *s, struct command *c)
{
	struct list_run *run = rk_arena_alloc(s->run.mem, sizeof(*run));
	const struct cmd_list *list = &c->u.list;
	struct str pattern = list->patterns[0];
	enum rk_status status;
	struct rk_err err;

	if (c->bad_name)
		return reply_ok(s, NULL, "LSUB completed");
	run->lsub = true;
	if (memchr(pattern.p, '%', pattern.n) != NULL)
		status = lines_recursive(s, list, run, &err);
	else
		status = lines_plain(s, list, true, run, &err);
	for (size_t i = 0; i < run->n; i++)
		run->lines[i].child = false; /* LSUB has no such word */
	return list_begin(s, c, run, status, &err);
}
