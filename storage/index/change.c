/*
 * MODSEQ and what is gone. The log of expunged UIDs is a bounded list of runs. When it is full its
 * older half becomes one set with the youngest MODSEQ among them (a client is then told of some
 * UIDs once more, which RFC 7162 allows); if that doesn't make it short either, the older half is
 * dropped and log_floor says so.
 */
#include "storage/index/index_impl.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/bug.h"

#define EPOCH_2020 1577836800

/* Microseconds since 2020, the seconds in the upper bits: more than any index that was built
 * earlier can have reached, since each transaction takes longer than a microsecond. */
static uint64_t
modseq_of_clock(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_REALTIME, &ts) < 0 || ts.tv_sec < EPOCH_2020)
		return 1;
	return ((uint64_t)(ts.tv_sec - EPOCH_2020) << 20) | ((uint64_t)ts.tv_nsec / 1000);
}

enum rk_status
modseq_start(struct index *index, struct kv_txn *txn, uint64_t *out, struct rk_err *err)
{
	struct rk_blob value;
	uint64_t forgotten = 0;
	enum rk_status status = kv_get(txn, (struct rk_blob){ "H", 1 }, &value, err);

	if (status != RK_OK && status != RK_NOTFOUND)
		return status;
	if (status == RK_OK) {
		if (value.len != sizeof(forgotten))
			return rk_fail_plain(err, RK_CORRUPT, "index: bad high-water mark");
		memcpy(&forgotten, value.data, sizeof(forgotten));
	}
	*out = modseq_of_clock();
	if (*out <= forgotten)
		*out = forgotten + 1;
	if (*out <= index->modseq_floor)
		*out = index->modseq_floor + 1;
	return RK_OK;
}

enum rk_status
log_get(struct kv_txn *txn, const unsigned char *guid, const struct meta *meta,
    struct rk_arena *mem, struct log_runs *out, struct rk_err *err)
{
	struct index_key key;
	struct rk_blob value;
	uint64_t gen;
	enum rk_status status;

	memset(out, 0, sizeof(*out));
	if (meta->log_gen == 0)
		return RK_OK;
	status = must_be_there(
	    kv_get(txn, index_key_box(&key, 'x', guid), &value, err), "log of expunged UIDs", err);
	if (status != RK_OK)
		return status;
	if (value.len < sizeof(gen) || (value.len - sizeof(gen)) % sizeof(*out->entries) != 0)
		return rk_fail_plain(err, RK_CORRUPT, "index: log of %zu bytes", value.len);
	memcpy(&gen, value.data, sizeof(gen));
	if (gen != meta->log_gen)
		return rk_fail_plain(err, RK_CORRUPT, "index: stale log of expunged UIDs");
	out->n = (value.len - sizeof(gen)) / sizeof(*out->entries);
	out->entries = rk_arena_array(mem, out->n, sizeof(*out->entries));
	memcpy(out->entries, (const char *)value.data + sizeof(gen), value.len - sizeof(gen));
	for (size_t i = 0; i < out->n; i++)
		if (out->entries[i].first == 0 || out->entries[i].last < out->entries[i].first)
			return rk_fail_plain(err, RK_CORRUPT, "index: bad run of expunged UIDs");
	return RK_OK;
}

static void
runs_add(struct buf *b, const struct uidset *set, uint64_t modseq)
{
	for (size_t i = 0; i < set->n; i++) {
		struct log_entry e = { set->runs[i].first, set->runs[i].last, modseq };

		buf_add(b, &e, sizeof(e));
	}
}

/* Writes the older `half` entries shorter, or leaves them out; returns the new floor. */
static void
log_shorten(struct buf *b, const struct log_runs *log, size_t half, struct meta *meta)
{
	struct uidset older = UIDSET_INIT;
	uint64_t modseq = log->entries[half - 1].modseq;

	for (size_t i = 0; i < half; i++)
		uidset_add(&older, log->entries[i].first, log->entries[i].last);
	if (older.n <= LOG_MAX / 4)
		runs_add(b, &older, modseq);
	else
		meta->log_floor = modseq;
	uidset_clear(&older);
}

enum rk_status
log_add(struct kv_txn *txn, const unsigned char *guid, struct meta *meta, const struct uidset *gone,
    struct rk_err *err)
{
	struct rk_arena *mem;
	struct log_runs log;
	struct index_key key;
	struct buf b = BUF_INIT;
	size_t skip = 0;
	enum rk_status status;

	if (gone->n == 0)
		return RK_OK;
	mem = arena_new();
	status = log_get(txn, guid, meta, mem, &log, err);
	if (status != RK_OK)
		goto out;
	meta->log_gen = meta->gen;
	buf_add(&b, &meta->gen, sizeof(meta->gen));
	if (gone->n > LOG_MAX / 2) {
		/* One expunge of many holes: only an inexact answer stays within the bound. */
		meta->log_floor = meta->highest;
	} else {
		if (log.n + gone->n > LOG_MAX && log.n > 0) {
			skip = log.n > LOG_MAX / 2 ? log.n - LOG_MAX / 4 : log.n;
			log_shorten(&b, &log, skip, meta);
		}
		if (log.n > skip)
			buf_add(&b, log.entries + skip, (log.n - skip) * sizeof(*log.entries));
		runs_add(&b, gone, meta->highest);
	}
	status =
	    kv_put(txn, index_key_box(&key, 'x', guid), (struct rk_blob){ b.data, b.len }, err);
out:
	buf_clear(&b);
	arena_free(mem);
	return status;
}
