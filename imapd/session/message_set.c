/* Which messages a command is about: numbers, UIDs or `$` to UIDs of the view. */
#include "imapd/session/session_impl.h"

/* Numbers to UIDs; false if one of them is no message (RFC 9051 section 9, seq-number). */
static bool
uids_of_numbers(const struct view *v, const struct sequence *set, struct uidset *out)
{
	uint32_t exists = view_exists(v);
	struct uidset numbers = UIDSET_INIT;
	size_t run = 0;

	for (size_t i = 0; i < set->n; i++) {
		if (exists == 0 || set->ranges[i].first > exists || set->ranges[i].last > exists)
			return false;
	}
	sequence_resolve(set, exists, &numbers);
	for (size_t i = 0; i < numbers.n; i++) {
		uint32_t seq = numbers.runs[i].first, left = numbers.runs[i].last - seq + 1;

		while (left > 0) {
			uint32_t uid = view_uid(v, seq), part;

			while (v->uids.runs[run].last < uid)
				run++;
			part = v->uids.runs[run].last - uid + 1;
			part = part < left ? part : left;
			uidset_add(out, uid, uid + part - 1);
			seq += part;
			left -= part;
		}
	}
	uidset_clear(&numbers);
	return true;
}

bool
message_set_uids(
    const struct session *s, const struct message_set *set, bool uid, struct uidset *out)
{
	const struct view *view = &s->sel.view;

	if (set->saved) {
		uidset_copy(out, &s->sel.saved);
		uidset_intersect(out, &view->uids);
		return true;
	}
	if (!uid)
		return uids_of_numbers(view, &set->set, out);
	/* UIDs that are not there are no mistake. */
	sequence_resolve(&set->set, uidset_max(&view->uids), out);
	uidset_intersect(out, &view->uids);
	return true;
}

enum rk_status
message_set_missing(
    struct session *s, const struct uidset *uids, bool *missing_out, struct rk_err *err)
{
	struct uidset there = UIDSET_INIT;
	enum rk_status status = mailbox_uids(s->sel.box, &there, err);

	if (status == RK_OK) {
		uidset_intersect(&there, uids);
		*missing_out = !uidset_equal(&there, uids);
	}
	uidset_clear(&there);
	return status;
}
