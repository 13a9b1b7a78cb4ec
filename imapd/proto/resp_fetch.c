#include "imapd/proto/resp_fetch.h"

#include <inttypes.h>

#include "lib/wire/writer.h"

/* clang-format off */
static const char *const labels[] = {
	[FETCH_FLAGS]         = "FLAGS",
	[FETCH_UID]           = "UID",
	[FETCH_INTERNALDATE]  = "INTERNALDATE",
	[FETCH_SIZE]          = "RFC822.SIZE",
	[FETCH_ENVELOPE]      = "ENVELOPE",
	[FETCH_BODY]          = "BODY",
	[FETCH_BODYSTRUCTURE] = "BODYSTRUCTURE",
	[FETCH_RFC822]        = "RFC822",
	[FETCH_RFC822_HEADER] = "RFC822.HEADER",
	[FETCH_RFC822_TEXT]   = "RFC822.TEXT",
	[FETCH_SECTION]       = "BODY",
	[FETCH_BINARY]        = "BINARY",
	[FETCH_BINARY_SIZE]   = "BINARY.SIZE",
};

static const char *const texts[] = {
	[SECTION_WHOLE]      = "",
	[SECTION_HEADER]     = "HEADER",
	[SECTION_FIELDS]     = "HEADER.FIELDS",
	[SECTION_FIELDS_NOT] = "HEADER.FIELDS.NOT",
	[SECTION_TEXT]       = "TEXT",
	[SECTION_MIME]       = "MIME",
};
/* clang-format on */

void
resp_fetch_begin(struct resp_fetch *f, struct buf *out, uint32_t seq)
{
	f->out = out;
	f->more = false;
	buf_addf(out, "* %" PRIu32 " FETCH (", seq);
}

void
resp_fetch_end(struct resp_fetch *f)
{
	buf_adds(f->out, ")\r\n");
}

static void
next_item(struct resp_fetch *f)
{
	if (f->more)
		buf_addc(f->out, ' ');
	f->more = true;
}

void
resp_fetch_uid(struct resp_fetch *f, uint32_t uid)
{
	next_item(f);
	buf_addf(f->out, "UID %" PRIu32, uid);
}

void
resp_fetch_flags(struct resp_fetch *f, const struct resp_flags *flags)
{
	next_item(f);
	buf_adds(f->out, "FLAGS ");
	resp_flag_list(f->out, flags);
}

void
resp_fetch_internaldate(struct resp_fetch *f, int64_t seconds)
{
	next_item(f);
	buf_adds(f->out, "INTERNALDATE ");
	write_date_time(f->out, seconds);
}

void
resp_fetch_size(struct resp_fetch *f, uint64_t size)
{
	next_item(f);
	buf_addf(f->out, "RFC822.SIZE %" PRIu64, size);
}

static void
section_add(struct buf *out, const struct section *s)
{
	buf_addc(out, '[');
	for (size_t i = 0; i < s->nparts; i++)
		buf_addf(out, "%s%" PRIu32, i == 0 ? "" : ".", s->part[i]);
	if (s->nparts > 0 && s->text != SECTION_WHOLE)
		buf_addc(out, '.');
	buf_adds(out, texts[s->text]);
	if (s->text == SECTION_FIELDS || s->text == SECTION_FIELDS_NOT) {
		/* The names come from the client: as astrings they cannot break out (V29). */
		for (size_t i = 0; i < s->nfields; i++) {
			buf_adds(out, i == 0 ? " (" : " ");
			write_astring(out, s->fields[i], false);
		}
		buf_addc(out, ')');
	}
	buf_addc(out, ']');
}

void
resp_fetch_label(struct resp_fetch *f, const struct fetch_item *item)
{
	next_item(f);
	buf_adds(f->out, labels[item->kind]);
	if (item->kind < FETCH_SECTION)
		return;
	section_add(f->out, &item->section);
	if (item->partial)
		buf_addf(f->out, "<%" PRIu64 ">", item->offset);
}

void
resp_fetch_literal(
    struct resp_fetch *f, const struct fetch_item *item, uint64_t size, bool literal8)
{
	resp_fetch_label(f, item);
	buf_addf(f->out, " %s{%" PRIu64 "}\r\n", literal8 ? "~" : "", size);
}

void
resp_fetch_nil(struct resp_fetch *f, const struct fetch_item *item)
{
	resp_fetch_label(f, item);
	buf_adds(f->out, " NIL");
}

void
resp_fetch_string(struct resp_fetch *f, const struct fetch_item *item, struct str value)
{
	resp_fetch_label(f, item);
	buf_addc(f->out, ' ');
	write_string(f->out, value, false);
}

void
resp_fetch_bytes(struct resp_fetch *f, const struct fetch_item *item, struct rk_blob bytes)
{
	resp_fetch_label(f, item);
	buf_addc(f->out, ' ');
	buf_add(f->out, bytes.data, bytes.len);
}

struct resp_range
resp_fetch_range(const struct fetch_item *item, uint64_t total)
{
	struct resp_range r = { 0, total };

	if (!item->partial)
		return r;
	r.offset = item->offset < total ? item->offset : total;
	r.size = item->length < total - r.offset ? item->length : total - r.offset;
	return r;
}
