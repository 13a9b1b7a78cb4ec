#include "imapd/proto/resp_list.h"

#include "lib/wire/writer.h"

/* clang-format off */
static const struct attr {
	uint32_t bit;
	const char *name;
} attrs[] = {
	{ RESP_LIST_NONEXISTENT,   "\\NonExistent" },
	{ RESP_LIST_NOSELECT,      "\\Noselect" },
	{ RESP_LIST_NOINFERIORS,   "\\Noinferiors" },
	{ RESP_LIST_MARKED,        "\\Marked" },
	{ RESP_LIST_UNMARKED,      "\\Unmarked" },
	{ RESP_LIST_HASCHILDREN,   "\\HasChildren" },
	{ RESP_LIST_HASNOCHILDREN, "\\HasNoChildren" },
	{ RESP_LIST_SUBSCRIBED,    "\\Subscribed" },
	{ RESP_LIST_REMOTE,        "\\Remote" },
};
/* clang-format on */

/* mbx-list-sflag: at most one of these, the one that says most (RFC 9051 section 9). */
static uint32_t
one_selectability(uint32_t bits)
{
	static const uint32_t order[] = { RESP_LIST_NONEXISTENT, RESP_LIST_NOSELECT,
		RESP_LIST_MARKED, RESP_LIST_UNMARKED };
	uint32_t all = 0, first = 0;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		all |= order[i];
		if (first == 0)
			first = bits & order[i];
	}
	return (bits & ~all) | first;
}

static void
attr_list(struct buf *out, uint32_t bits, const char *special_use)
{
	bool more = false;

	bits = one_selectability(bits);
	buf_addc(out, '(');
	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
		if ((bits & attrs[i].bit) == 0)
			continue;
		buf_addf(out, "%s%s", more ? " " : "", attrs[i].name);
		more = true;
	}
	if (special_use != NULL && special_use[0] != '\0')
		buf_addf(out, "%s%s", more ? " " : "", special_use);
	buf_addc(out, ')');
}

static void
separator_add(struct buf *out, char separator)
{
	char text[1] = { separator };

	write_nstring(out, str_of(text, 1), separator == '\0', false);
}

static void
extended_add(struct buf *out, const struct resp_list *row)
{
	bool old = row->old_name.p != NULL;

	if (!row->child_subscribed && !old)
		return;
	buf_adds(out, " (");
	if (row->child_subscribed)
		buf_addf(out, "\"CHILDINFO\" (\"SUBSCRIBED\")%s", old ? " " : "");
	if (old) {
		buf_adds(out, "\"OLDNAME\" (");
		write_mailbox(out, row->old_name, row->utf8);
		buf_addc(out, ')');
	}
	buf_addc(out, ')');
}

void
resp_list(struct buf *out, const struct resp_list *row)
{
	buf_adds(out, row->lsub ? "* LSUB " : "* LIST ");
	attr_list(out, row->attrs, row->special_use);
	buf_addc(out, ' ');
	separator_add(out, row->separator);
	buf_addc(out, ' ');
	write_mailbox(out, row->name, row->utf8);
	extended_add(out, row);
	buf_adds(out, "\r\n");
}

void
resp_namespace(struct buf *out, char separator)
{
	buf_adds(out, "* NAMESPACE ((\"\" ");
	separator_add(out, separator);
	buf_adds(out, ")) NIL NIL\r\n");
}
