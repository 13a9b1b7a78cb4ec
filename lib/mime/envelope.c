/*
 * Of a field that comes twice the first one counts; lists of addresses are joined, as Dovecot does.
 * A NUL, which no string of IMAP may hold, becomes 0x80.
 */
#include "lib/mime/envelope.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/mime/address.h"
#include "lib/mime/fields.h"
#include "lib/wire/writer.h"

/* clang-format off */
enum { DATE, SUBJECT, FROM, SENDER, REPLY_TO, TO, CC, BCC, IN_REPLY_TO, MESSAGE_ID, NFIELDS };
static const struct field_want wanted[NFIELDS] = {
	[DATE]        = { "Date",        false },
	[SUBJECT]     = { "Subject",     false },
	[FROM]        = { "From",        true },
	[SENDER]      = { "Sender",      true },
	[REPLY_TO]    = { "Reply-To",    true },
	[TO]          = { "To",          true },
	[CC]          = { "Cc",          true },
	[BCC]         = { "Bcc",         true },
	[IN_REPLY_TO] = { "In-Reply-To", false },
	[MESSAGE_ID]  = { "Message-ID",  false },
};
/* clang-format on */

static void
nstring_write(struct buf *out, struct str s)
{
	write_nstring(out, s, s.n == 0, false);
}

/* A mailbox always has a mailbox and a host: NIL there says that a group begins or ends. */
static void
address_write(struct buf *out, const struct address *a)
{
	buf_addc(out, '(');
	nstring_write(out, a->name);
	buf_addc(out, ' ');
	nstring_write(out, a->route);
	buf_addc(out, ' ');
	if (a->kind == ADDRESS_MAILBOX && a->mailbox.n == 0)
		buf_adds(out, "\"MISSING_MAILBOX\"");
	else if (a->kind == ADDRESS_GROUP)
		write_string(out, a->mailbox, false);
	else
		nstring_write(out, a->mailbox);
	buf_addc(out, ' ');
	if (a->kind == ADDRESS_MAILBOX && a->host.n == 0)
		buf_adds(out, "\"MISSING_DOMAIN\"");
	else
		nstring_write(out, a->host);
	buf_addc(out, ')');
}

static void
addresses_write(struct buf *out, const struct field_value *v)
{
	struct rk_arena *mem;
	struct address *list;
	size_t n = 0;

	if (v->text.len == 0) {
		buf_adds(out, "NIL");
		return;
	}
	mem = arena_new();
	list = address_parse(str_of(v->text.data, v->text.len), mem, &n);
	buf_adds(out, n == 0 ? "NIL" : "(");
	for (size_t i = 0; i < n; i++)
		address_write(out, &list[i]);
	buf_adds(out, n == 0 ? "" : ")");
	arena_free(mem);
}

void
envelope_write(struct str header, struct buf *out)
{
	struct field_value values[NFIELDS] = { 0 };
	size_t from = 0, from_len = 0;

	fields_find(header, wanted, NFIELDS, values);
	buf_addc(out, '(');
	for (size_t i = 0; i < NFIELDS; i++) {
		size_t at;

		if (i > 0)
			buf_addc(out, ' ');
		at = out->len;
		if (wanted[i].joined)
			addresses_write(out, &values[i]);
		else
			write_nstring(out, str_of(values[i].text.data, values[i].text.len),
			    !values[i].present, false);
		if (i == FROM) {
			from = at;
			from_len = out->len - at;
		} else if ((i == SENDER || i == REPLY_TO) && out->len - at == 3 && from_len > 3) {
			/* RFC 9051 section 7.5.2: both default to From. */
			out->len = at;
			buf_reserve(out, from_len);
			buf_add(out, out->data + from, from_len);
		}
	}
	buf_addc(out, ')');
	fields_clear(values, NFIELDS);
}
