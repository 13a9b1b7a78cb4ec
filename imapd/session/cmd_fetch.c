/*
 * FETCH and UID FETCH. Records come from the index in batches, bodies from the store one at a time;
 * the whole can stop before any item when the client does not take what is queued. What can fail is
 * done before a message's response begins, or before the length of a literal is told.
 *
 * \Seen that BODY[] implies is set for many messages at once, when their bodies were sent: each
 * setting makes the store look at the whole mailbox, so the next one waits until as many messages
 * again are due. A client that leaves early keeps the last ones unseen.
 */
#include "imapd/session/session_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "imapd/proto/resp_fetch.h"
#include "imapd/session/fetch.h"
#include "lib/base/arena.h"
#include "lib/base/log.h"

#define BATCH 256
#define SEEN_MIN 1024

/* One turn of a long FETCH; then the client, the spawner and the clocks are looked at. */
#define TURN_MS 50

#define KIND FETCH_KIND
#define KINDS_BODY                                                                                 \
	(KIND(FETCH_RFC822) | KIND(FETCH_RFC822_HEADER) | KIND(FETCH_RFC822_TEXT) |                \
	    KIND(FETCH_SECTION) | KIND(FETCH_BINARY) | KIND(FETCH_BINARY_SIZE))

struct fetch_run {
	struct uidset uids;
	uint32_t next;          /* UID from which the next batch is read, 0: none is left */
	struct index_info info; /* for the names of keywords */
	struct rk_arena *mem;   /* of the batch */
	struct index_record *records;
	size_t n;
	size_t i;
	uint32_t found;
	size_t item; /* of the message that is being written */
	struct resp_fetch resp;
	struct body_piece piece;
	struct fetch_structure structure;
	struct uidset unseen;   /* sent, and to become \Seen */
	uint32_t seen;          /* so many became it so far */
	bool sets_seen;         /* the mailbox can be changed, and the command does */
	bool unread;            /* the message at hand could not be read whole */
	bool expired;           /* a message went away meanwhile */
	bool unknown_cte;       /* a part has an encoding that nobody knows */
	enum rk_status failure; /* the first one */
};

static void
fetch_free(void *ptr)
{
	struct fetch_run *f = ptr;

	uidset_clear(&f->uids);
	uidset_clear(&f->unseen);
	buf_clear(&f->piece.text);
	arena_free(f->mem);
}

/* --- one message --- */

static void
message_failed(struct fetch_run *f, uint32_t uid, enum rk_status status, const struct rk_err *err)
{
	f->unread = true;
	if (status == RK_EXPIRED) {
		f->expired = true;
		return;
	}
	/* A broken disk breaks many messages: the first one is said. */
	if (f->failure == RK_OK)
		log_ev(RK_LOG_WARN, "fetch.failed", LOG_U("message", uid),
		    LOG_S("status", rk_status_name(status)), LOG_ERR(err));
	f->failure = status;
}

/* What the file name said of a size and what is read can differ: then the reader is right, but
 * RFC822.SIZE may have been told already. */
static void
size_check(const struct index_record *r, const struct body *b)
{
	if (r->size != RK_SIZE_UNKNOWN && r->size != b->size)
		log_ev(RK_LOG_WARN, "fetch.size", LOG_U("message", r->uid), LOG_U("told", r->size),
		    LOG_U("size", b->size));
}

/* Everything that may fail, then the begin of the response. */
static void
message_begin(
    struct session *s, const struct cmd_fetch *cf, struct fetch_run *f, struct index_record *r)
{
	bool parse = (cf->kinds & FETCH_KINDS_STRUCTURE) != 0 &&
	             fetch_structure_lacks(&f->structure, f->i, cf->kinds);
	enum rk_status status = RK_OK;
	struct rk_err err;

	if ((cf->kinds & KINDS_BODY) != 0 || parse) {
		status = body_load(&s->sel.body, s->sel.box, r, &err);
		if (status == RK_OK)
			size_check(r, &s->sel.body);
	}
	if (status == RK_OK && parse)
		status = fetch_structure_make(
		    &f->structure, f->i, cf->kinds, f->mem, &s->sel.body, &err);
	if (status == RK_OK && (cf->kinds & KIND(FETCH_SIZE)) != 0)
		status = mailbox_size(s->sel.box, r, &err);
	if (status != RK_OK) {
		message_failed(f, r->uid, status, &err);
		f->i++;
		return;
	}
	f->item = 0;
	f->unread = false;
	s->run.inside = true;
	resp_fetch_begin(&f->resp, out_buf(s->out), view_seq(&s->sel.view, r->uid));
}

static void
section_write(struct session *s, struct fetch_run *f, const struct fetch_item *item, uint32_t uid)
{
	struct rk_err err;
	bool nul = false;
	enum rk_status status = item->kind == FETCH_BINARY
	                            ? fetch_binary_take(&s->sel.body, item, &f->piece, &nul, &err)
	                            : fetch_section_take(&s->sel.body, item, &f->piece, &err);

	/* A part that is not there is empty, as other servers say. */
	if (status == RK_NOTFOUND) {
		resp_fetch_string(&f->resp, item, STR_LIT(""));
	} else if (status == RK_UNSUPPORTED) {
		f->unknown_cte = true;
		resp_fetch_nil(&f->resp, item);
	} else if (status != RK_OK) {
		message_failed(f, uid, status, &err);
		resp_fetch_nil(&f->resp, item);
	} else if (f->piece.len == 0) {
		resp_fetch_string(&f->resp, item, STR_LIT(""));
	} else {
		resp_fetch_literal(&f->resp, item, f->piece.len, nul);
		body_queue(&f->piece, s->out);
	}
}

static void
binary_size_write(
    struct session *s, struct fetch_run *f, const struct fetch_item *item, uint32_t uid)
{
	uint64_t size = 0;
	char text[24];
	struct rk_err err;
	enum rk_status status = fetch_binary_size(&s->sel.body, item, &size, &err);

	if (status == RK_UNSUPPORTED)
		f->unknown_cte = true;
	else if (status != RK_OK && status != RK_NOTFOUND)
		message_failed(f, uid, status, &err);
	if (status != RK_OK)
		size = 0;
	snprintf(text, sizeof(text), "%" PRIu64, size);
	resp_fetch_bytes(&f->resp, item, (struct rk_blob){ text, strlen(text) });
}

static void
item_write(struct session *s, struct fetch_run *f, const struct fetch_item *item)
{
	const struct index_record *r = &f->records[f->i];
	struct resp_flags flags;

	f->resp.out = out_buf(s->out);
	switch (item->kind) {
	case FETCH_FLAGS:
		flags = updates_flags(s, r, &f->info);
		/* It is set when the bodies are through; nothing can be told of it twice. */
		if (f->sets_seen)
			flags.flags |= RK_FLAG_SEEN;
		resp_fetch_flags(&f->resp, &flags);
		break;
	case FETCH_UID:
		resp_fetch_uid(&f->resp, r->uid);
		break;
	case FETCH_INTERNALDATE:
		resp_fetch_internaldate(&f->resp, r->internal_date);
		break;
	case FETCH_SIZE:
		resp_fetch_size(&f->resp, r->size);
		break;
	case FETCH_ENVELOPE:
	case FETCH_BODY:
	case FETCH_BODYSTRUCTURE:
		resp_fetch_bytes(&f->resp, item,
		    f->structure.msgs[f->i].bytes[fetch_structure_kind(item->kind)]);
		break;
	case FETCH_BINARY_SIZE:
		binary_size_write(s, f, item, r->uid);
		break;
	default:
		section_write(s, f, item, r->uid);
		break;
	}
}

/* --- \Seen --- */

/* A failure leaves them unseen, which is no reason to refuse what was read. */
static void
seen_store(struct session *s, struct fetch_run *f)
{
	const struct rk_store_change change = { .mode = RK_STORE_ADD, .flags = RK_FLAG_SEEN };
	struct rk_err err = { 0 };
	uint32_t missing;

	if (f->unseen.n == 0)
		return;
	f->seen += uidset_count(&f->unseen);
	if (mailbox_store(s->sel.box, &f->unseen, &change, &missing, &err) == RK_OK)
		links_mailbox_changed(s, s->sel.box);
	else
		log_ev(RK_LOG_WARN, "fetch.seen", LOG_ERR(&err));
	uidset_clear(&f->unseen);
}

/* --- all of them --- */

/* Reads the next batch; false when there is none. */
static bool
batch_read(struct session *s, const struct cmd_fetch *cf, struct fetch_run *f)
{
	struct index_query query = { .uids = &f->uids, .from = f->next, .max = BATCH };
	struct index_records got;
	enum rk_status status;
	struct rk_err err;

	fetch_structure_keep(&f->structure, s->sel.box);
	if (uidset_count(&f->unseen) >= (f->seen > SEEN_MIN ? f->seen : SEEN_MIN))
		seen_store(s, f);
	if (f->next == 0)
		return false;
	arena_reset(f->mem);
	f->i = 0;
	f->n = 0;
	status = mailbox_records(s->sel.box, &query, f->mem, &got, &err);
	if (status != RK_OK) {
		f->next = 0;
		message_failed(f, 0, status, &err);
		return false;
	}
	f->records = got.list;
	f->n = got.n;
	f->found += (uint32_t)f->n;
	if ((cf->kinds & FETCH_KINDS_STRUCTURE) != 0)
		fetch_structure_load(&f->structure, s->sel.box, &got, f->mem);
	f->next =
	    f->n == 0 || f->records[f->n - 1].uid == UINT32_MAX ? 0 : f->records[f->n - 1].uid + 1;
	return f->n > 0;
}

static enum cmd_step
fetch_end(struct session *s, struct command *c, struct fetch_run *f)
{
	/* The numbers of messages that are gone are still good for the client until EXPUNGE is
	 * told; a UID that is gone is none. */
	bool gone = f->expired || (!c->uid && f->found < uidset_count(&f->uids));

	seen_store(s, f);

	if (f->failure != RK_OK) {
		s->run.failure = f->failure; /* logged where it happened */
		return CMD_DONE;
	}
	if (f->unknown_cte)
		return reply_no(s, "UNKNOWN-CTE", "A part has an unknown transfer encoding");
	if (gone)
		return reply_no(s, "EXPUNGEISSUED", "Some of the messages were expunged");
	return reply_ok(s, NULL, "FETCH completed");
}

static enum cmd_step
fetch_step(struct session *s, struct command *c)
{
	const struct cmd_fetch *cf = &c->u.fetch;
	struct fetch_run *f = s->run.state;
	int64_t until_ms = rk_clock_ms() + TURN_MS;

	while (s->run.inside || f->i < f->n || batch_read(s, cf, f)) {
		/* Between two responses the server may end the session. */
		if (out_full(s->out) ||
		    (!s->run.inside && (s->stop_at_ms != 0 || rk_clock_ms() >= until_ms)))
			return CMD_WAIT;
		if (!s->run.inside) {
			message_begin(s, cf, f, &f->records[f->i]);
		} else if (f->item < cf->n) {
			item_write(s, f, &cf->items[f->item++]);
		} else {
			f->resp.out = out_buf(s->out);
			resp_fetch_end(&f->resp);
			s->run.inside = false;
			if (f->sets_seen && !f->unread &&
			    (f->records[f->i].flags & RK_FLAG_SEEN) == 0)
				uidset_add(&f->unseen, f->records[f->i].uid, f->records[f->i].uid);
			f->i++;
		}
	}
	return fetch_end(s, c, f);
}

enum cmd_step
cmd_fetch(struct session *s, struct command *c)
{
	struct fetch_run *f = rk_arena_alloc(s->run.mem, sizeof(*f));
	enum rk_status status;
	struct rk_err err;

	f->mem = arena_new();
	arena_cleanup(s->run.mem, fetch_free, f);
	f->next = 1;
	if (!message_set_uids(s, &c->u.fetch.set, c->uid, &f->uids))
		return reply_bad(s, "There is no message with one of these numbers");
	f->structure.uidvalidity = s->sel.uidvalidity;
	f->sets_seen = c->u.fetch.sets_seen && !s->sel.readonly;
	status = updates_info(s, s->run.mem, &f->info, &err);
	if (status != RK_OK)
		return reply_fail(s, status, &err);
	if (!updates_same_mailbox(s, &f->info)) {
		session_bye(
		    s, NULL, "The selected mailbox was replaced by another", "mailbox-replaced");
		return CMD_DONE;
	}
	s->run.state = f;
	s->run.next = fetch_step;
	return fetch_step(s, c);
}
