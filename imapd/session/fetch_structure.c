/*
 * ENVELOPE, BODY and BODYSTRUCTURE: a message is opened and parsed only for what the index does not
 * keep of it; what is made here is kept for all later sessions.
 */
#include "imapd/session/fetch.h"

#include "lib/base/log.h"
#include "lib/mime/envelope.h"

enum index_cached_kind
fetch_structure_kind(enum fetch_kind kind)
{
	switch (kind) {
	case FETCH_ENVELOPE:
		return INDEX_CACHED_ENVELOPE;
	case FETCH_BODY:
		return INDEX_CACHED_BODY;
	default:
		return INDEX_CACHED_STRUCTURE;
	}
}

static struct index_cached_query
query_of(const struct fetch_structure *fs)
{
	return (struct index_cached_query){
		.uidvalidity = fs->uidvalidity, .uids = fs->uids, .n = fs->n
	};
}

void
fetch_structure_load(struct fetch_structure *fs, struct mailbox *mb,
    const struct index_records *records, struct rk_arena *mem)
{
	struct index_cached_query query;
	struct rk_err err = { 0 };

	fs->n = records->n;
	fs->fresh = false;
	fs->msgs = rk_arena_array(mem, fs->n, sizeof(*fs->msgs));
	fs->uids = rk_arena_array(mem, fs->n, sizeof(*fs->uids));
	for (size_t i = 0; i < fs->n; i++)
		fs->uids[i] = records->list[i].uid;
	query = query_of(fs);
	if (mailbox_cached(mb, &query, mem, fs->msgs, &err) == RK_OK)
		return;
	log_ev(RK_LOG_WARN, "fetch.cached", LOG_ERR(&err));
	for (size_t i = 0; i < fs->n; i++)
		fs->msgs[i] = (struct index_cached_msg){ .uid = fs->uids[i] };
}

static bool
lacks(const struct fetch_structure *fs, size_t i, uint32_t kinds, enum fetch_kind kind)
{
	return (kinds & FETCH_KIND(kind)) != 0 &&
	       fs->msgs[i].bytes[fetch_structure_kind(kind)].data == NULL;
}

bool
fetch_structure_lacks(const struct fetch_structure *fs, size_t i, uint32_t kinds)
{
	return lacks(fs, i, kinds, FETCH_ENVELOPE) || lacks(fs, i, kinds, FETCH_BODY) ||
	       lacks(fs, i, kinds, FETCH_BODYSTRUCTURE);
}

static enum rk_status
envelope_make(struct body *b, struct buf *out, struct rk_err *err)
{
	struct buf header = BUF_INIT;
	uint64_t size;
	enum rk_status status = body_header(b, &size, err);

	if (status == RK_OK)
		status = body_header_text(b, 0, size, &header, err);
	if (status == RK_OK)
		envelope_write(str_of(header.data, header.len), out);
	buf_clear(&header);
	return status;
}

static enum rk_status
source_open(void *from, uint64_t offset, struct stream **out, struct rk_err *err)
{
	return body_stream(from, offset, out, err);
}

static enum rk_status
structure_make(struct body *b, bool extended, struct buf *out, struct rk_err *err)
{
	struct structure_source source = { source_open, b };
	const struct mime_part *root;
	enum rk_status status = body_parts(b, &root, err);

	return status == RK_OK ? bodystructure_write(root, &source, extended, out, err) : status;
}

enum rk_status
fetch_structure_make(struct fetch_structure *fs, size_t i, uint32_t kinds, struct rk_arena *mem,
    struct body *b, struct rk_err *err)
{
	static const enum fetch_kind all[] = { FETCH_ENVELOPE, FETCH_BODY, FETCH_BODYSTRUCTURE };
	enum rk_status status = RK_OK;

	for (size_t k = 0; status == RK_OK && k < sizeof(all) / sizeof(all[0]); k++) {
		struct buf text = BUF_INIT;

		if (!lacks(fs, i, kinds, all[k]))
			continue;
		status = all[k] == FETCH_ENVELOPE
		             ? envelope_make(b, &text, err)
		             : structure_make(b, all[k] == FETCH_BODYSTRUCTURE, &text, err);
		if (status == RK_OK) {
			fs->msgs[i].bytes[fetch_structure_kind(all[k])] =
			    (struct rk_blob){ rk_arena_dup(mem, text.data, text.len), text.len };
			fs->fresh = true;
		}
		buf_clear(&text);
	}
	return status;
}

void
fetch_structure_keep(struct fetch_structure *fs, struct mailbox *mb)
{
	struct index_cached_query query = query_of(fs);

	if (fs->fresh)
		mailbox_cache_keep(mb, &query, fs->msgs);
	fs->fresh = false;
}
