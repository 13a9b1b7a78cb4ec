/*
 * What this client was told of the selected mailbox: UIDs as runs, so that sequence numbers follow.
 * A million messages with few holes cost kilobytes. The difference to the index becomes untagged
 * responses in one place (imapd/session/updates.c).
 */
#ifndef MAILBOX_VIEW_H
#define MAILBOX_VIEW_H

#include "storage/mailbox/mailbox.h"

struct view {
	struct uidset uids;     /* position = sequence number */
	uint64_t modseq;        /* flags were told up to here */
	struct uidset expunged; /* gone from the index, not yet told */
	uint32_t *before;       /* for each run of uids: how many UIDs stand before it */
	uint32_t exists;
	uint32_t uidvalidity;
	unsigned char guid[RK_GUID_LEN];
};

/* What is to be told. Owns its sets. */
struct view_diff {
	struct uidset expunged; /* UIDs in the view that are gone (only if told) */
	struct uidset arrived;  /* UIDs to be appended */
	struct uidset flags;    /* UIDs in the view whose flags changed */
	uint64_t modseq;
};

/* Zero-initialise. Only the functions below change a view. */
void view_clear(struct view *v);

/* From empty to all of the mailbox (SELECT). */
RK_MUST_CHECK enum rk_status view_load(struct view *v, struct mailbox *mb, struct rk_err *err);

/*
 * Difference between view and index; the view stays as it is. RK_EXPIRED: the mailbox is another
 * one by now (UIDVALIDITY changed, or deleted and made anew): the view can't be continued.
 */
RK_MUST_CHECK enum rk_status view_compare(
    const struct view *v, struct mailbox *mb, struct view_diff *out, struct rk_err *err);
void view_diff_clear(struct view_diff *d);
bool view_diff_empty(const struct view_diff *d);

/* Takes over what was told: expunges only if `expunges_told`; arrivals and flags always. */
void view_advance(struct view *v, const struct view_diff *d, bool expunges_told);

uint32_t view_exists(const struct view *v);
/* UID at a sequence number (0: none) and back, in O(log runs). */
uint32_t view_uid(const struct view *v, uint32_t seq);
uint32_t view_seq(const struct view *v, uint32_t uid);

#endif
