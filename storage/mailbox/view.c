#include "storage/mailbox/view.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/bug.h"
#include "lib/base/checked.h"

void
view_clear(struct view *v)
{
	uidset_clear(&v->uids);
	uidset_clear(&v->expunged);
	free(v->before);
	memset(v, 0, sizeof(*v));
}

/* Counts what stands before each run, so that a number is found by halving. */
static void
view_count(struct view *v)
{
	uint32_t sum = 0;
	size_t bytes;

	if (!size_mul(v->uids.n + 1, sizeof(*v->before), &bytes))
		rk_bug("view: %zu runs", v->uids.n);
	v->before = realloc(v->before, bytes);
	if (v->before == NULL)
		rk_out_of_memory(bytes);
	for (size_t i = 0; i < v->uids.n; i++) {
		v->before[i] = sum;
		sum += v->uids.runs[i].last - v->uids.runs[i].first + 1;
	}
	v->exists = sum;
}

enum rk_status
view_load(struct view *v, struct mailbox *mb, struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	struct index_info info;
	enum rk_status status = mailbox_info(mb, mem, &info, err);

	view_clear(v);
	/* Counts first: what comes between the two reads is told once more, not missed. */
	if (status == RK_OK)
		status = mailbox_uids(mb, &v->uids, err);
	if (status == RK_OK) {
		v->modseq = info.highest_modseq;
		v->uidvalidity = info.uidvalidity;
		memcpy(v->guid, info.guid, RK_GUID_LEN);
		view_count(v);
	}
	arena_free(mem);
	return status;
}

static enum rk_status
sets_compare(const struct view *v, struct mailbox *mb, struct view_diff *out, struct rk_err *err)
{
	struct uidset now = UIDSET_INIT;
	uint32_t max = uidset_max(&v->uids);
	enum rk_status status = mailbox_uids(mb, &now, err);

	if (status == RK_OK)
		status = mailbox_changed(mb, v->modseq, &out->flags, err);
	if (status == RK_OK) {
		uidset_intersect(&out->flags, &v->uids);
		uidset_intersect(&out->flags, &now);
		uidset_copy(&out->expunged, &v->uids);
		uidset_subtract(&out->expunged, &now);
		/* A UID that came back in the middle has no number to give it: next SELECT. */
		uidset_copy(&out->arrived, &now);
		if (max > 0)
			uidset_remove(&out->arrived, 1, max);
	}
	uidset_clear(&now);
	return status;
}

enum rk_status
view_compare(const struct view *v, struct mailbox *mb, struct view_diff *out, struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	struct index_info info;
	enum rk_status status = mailbox_info(mb, mem, &info, err);

	memset(out, 0, sizeof(*out));
	if (status != RK_OK)
		goto out;
	if (info.uidvalidity != v->uidvalidity || memcmp(info.guid, v->guid, RK_GUID_LEN) != 0) {
		status =
		    rk_fail_plain(err, RK_EXPIRED, "%s is another mailbox now", mailbox_name(mb));
		goto out;
	}
	out->modseq = info.highest_modseq;
	if (info.highest_modseq == v->modseq)
		uidset_copy(&out->expunged, &v->expunged);
	else
		status = sets_compare(v, mb, out, err);
out:
	if (status != RK_OK)
		view_diff_clear(out);
	arena_free(mem);
	return status;
}

void
view_diff_clear(struct view_diff *d)
{
	uidset_clear(&d->expunged);
	uidset_clear(&d->arrived);
	uidset_clear(&d->flags);
	d->modseq = 0;
}

bool
view_diff_empty(const struct view_diff *d)
{
	return d->expunged.n == 0 && d->arrived.n == 0 && d->flags.n == 0;
}

void
view_advance(struct view *v, const struct view_diff *d, bool expunges_told)
{
	bool counts = d->arrived.n > 0 || (expunges_told && d->expunged.n > 0);

	if (expunges_told) {
		uidset_subtract(&v->uids, &d->expunged);
		uidset_clear(&v->expunged);
	} else {
		uidset_copy(&v->expunged, &d->expunged);
	}
	for (size_t i = 0; i < d->arrived.n; i++)
		uidset_add(&v->uids, d->arrived.runs[i].first, d->arrived.runs[i].last);
	v->modseq = d->modseq;
	if (counts)
		view_count(v);
}

uint32_t
view_exists(const struct view *v)
{
	return v->exists;
}

uint32_t
view_uid(const struct view *v, uint32_t seq)
{
	size_t low = 0, high = v->uids.n;

	if (seq == 0 || seq > v->exists)
		return 0;
	/* The last run with fewer than seq UIDs before it. */
	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (v->before[mid] < seq)
			low = mid;
		else
			high = mid;
	}
	return v->uids.runs[low].first + (seq - v->before[low] - 1);
}

uint32_t
view_seq(const struct view *v, uint32_t uid)
{
	size_t low = 0, high = v->uids.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (v->uids.runs[mid].last < uid)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == v->uids.n || v->uids.runs[low].first > uid)
		return 0;
	return v->before[low] + (uid - v->uids.runs[low].first) + 1;
}
