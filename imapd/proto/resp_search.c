#include "imapd/proto/resp_search.h"

#include <inttypes.h>

#include "imapd/proto/command.h"
#include "lib/wire/writer.h"

void
resp_search(struct buf *out, const struct uidset *found)
{
	buf_adds(out, "* SEARCH");
	for (size_t i = 0; i < found->n; i++) {
		/* 64 bits: last may be the largest UID there is. */
		for (uint64_t uid = found->runs[i].first; uid <= found->runs[i].last; uid++)
			buf_addf(out, " %" PRIu64, uid);
	}
	buf_adds(out, "\r\n");
}

void
resp_esearch(struct buf *out, const struct resp_esearch *e)
{
	if (e->ret == SEARCH_RET_SAVE)
		return;
	buf_adds(out, "* ESEARCH (TAG ");
	write_string(out, e->tag, false);
	buf_adds(out, e->uid ? ") UID" : ")");
	if (e->found->n > 0) {
		if ((e->ret & SEARCH_RET_MIN) != 0)
			buf_addf(out, " MIN %" PRIu32, e->found->runs[0].first);
		if ((e->ret & SEARCH_RET_MAX) != 0)
			buf_addf(out, " MAX %" PRIu32, uidset_max(e->found));
		if ((e->ret & SEARCH_RET_ALL) != 0) {
			buf_adds(out, " ALL ");
			write_uidset(out, e->found);
		}
	}
	if ((e->ret & SEARCH_RET_COUNT) != 0)
		buf_addf(out, " COUNT %" PRIu32, uidset_count(e->found));
	buf_adds(out, "\r\n");
}

static void
uids_write(struct buf *out, const uint32_t *uids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t first = i;

		while (i + 1 < n && uids[i] < UINT32_MAX && uids[i + 1] == uids[i] + 1)
			i++;
		buf_addf(out, "%s%" PRIu32, first > 0 ? "," : "", uids[first]);
		if (i > first)
			buf_addf(out, ":%" PRIu32, uids[i]);
	}
}

void
resp_appenduid(struct buf *out, uint32_t uidvalidity, const uint32_t *uids, size_t n)
{
	buf_addf(out, "APPENDUID %" PRIu32 " ", uidvalidity);
	uids_write(out, uids, n);
}

void
resp_copyuid(
    struct buf *out, uint32_t uidvalidity, const uint32_t *from, const uint32_t *to, size_t n)
{
	buf_addf(out, "COPYUID %" PRIu32 " ", uidvalidity);
	uids_write(out, from, n);
	buf_addc(out, ' ');
	uids_write(out, to, n);
}
