#include "imapd/proto/resp_status.h"

#include <inttypes.h>

#include "imapd/proto/command.h"
#include "lib/wire/writer.h"

void
resp_status(struct buf *out, const struct resp_status *st)
{
	/* clang-format off */
	const struct {
		uint32_t item;
		const char *name;
		uint64_t value;
	} values[] = {
		{ STATUS_MESSAGES,    "MESSAGES",    st->messages },
		{ STATUS_UIDNEXT,     "UIDNEXT",     st->uidnext },
		{ STATUS_UIDVALIDITY, "UIDVALIDITY", st->uidvalidity },
		{ STATUS_UNSEEN,      "UNSEEN",      st->unseen },
		{ STATUS_DELETED,     "DELETED",     st->deleted },
		{ STATUS_SIZE,        "SIZE",        st->size },
		{ STATUS_RECENT,      "RECENT",      st->recent },
	};
	/* clang-format on */
	bool more = false;

	buf_adds(out, "* STATUS ");
	write_mailbox(out, st->name, st->utf8);
	buf_adds(out, " (");
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if ((st->items & values[i].item) == 0)
			continue;
		buf_addf(out, "%s%s %" PRIu64, more ? " " : "", values[i].name, values[i].value);
		more = true;
	}
	buf_adds(out, ")\r\n");
}

/* A keyword comes from the store, where others write too: only a whole atom may go out. */
static bool
is_keyword(const char *name)
{
	struct lexer l;
	struct str atom;

	if (name == NULL)
		return false;
	lexer_init(&l, str_from(name), NULL);
	return lex_atom(&l, &atom) && l.p == l.end;
}

static void
flag_add(struct buf *out, const char *name, bool *more)
{
	if (*more)
		buf_addc(out, ' ');
	buf_adds(out, name);
	*more = true;
}

void
resp_flag_list(struct buf *out, const struct resp_flags *f)
{
	static const char *const system[] = { "\\Seen", "\\Answered", "\\Flagged", "\\Deleted",
		"\\Draft" }; /* in the order of enum rk_flag */
	bool more = false;

	buf_addc(out, '(');
	for (size_t i = 0; i < sizeof(system) / sizeof(system[0]); i++) {
		if ((f->flags & 1u << i) != 0)
			flag_add(out, system[i], &more);
	}
	for (size_t i = 0; i < f->nnames && i < RK_KEYWORDS_MAX; i++) {
		if ((f->keywords.bits[i / 64] >> i % 64 & 1) != 0 && is_keyword(f->names[i]))
			flag_add(out, f->names[i], &more);
	}
	if (f->recent)
		flag_add(out, "\\Recent", &more);
	if (f->star)
		flag_add(out, "\\*", &more);
	buf_addc(out, ')');
}

void
resp_flags(struct buf *out, const struct resp_flags *flags)
{
	buf_adds(out, "* FLAGS ");
	resp_flag_list(out, flags);
	buf_adds(out, "\r\n");
}

void
resp_permanentflags(struct buf *out, const struct resp_flags *flags)
{
	buf_adds(out, "* OK [PERMANENTFLAGS ");
	resp_flag_list(out, flags);
	buf_adds(out, "] Flags that are kept\r\n");
}

void
resp_exists(struct buf *out, uint32_t n)
{
	buf_addf(out, "* %" PRIu32 " EXISTS\r\n", n);
}

void
resp_recent(struct buf *out, uint32_t n)
{
	buf_addf(out, "* %" PRIu32 " RECENT\r\n", n);
}

void
resp_expunge(struct buf *out, uint32_t seq)
{
	buf_addf(out, "* %" PRIu32 " EXPUNGE\r\n", seq);
}

void
resp_uidvalidity(struct buf *out, uint32_t uidvalidity)
{
	buf_addf(out, "* OK [UIDVALIDITY %" PRIu32 "] UIDs are valid\r\n", uidvalidity);
}

void
resp_uidnext(struct buf *out, uint32_t uidnext)
{
	buf_addf(out, "* OK [UIDNEXT %" PRIu32 "] Predicted next UID\r\n", uidnext);
}

void
resp_unseen(struct buf *out, uint32_t seq)
{
	buf_addf(out, "* OK [UNSEEN %" PRIu32 "] First unseen message\r\n", seq);
}

void
resp_closed(struct buf *out)
{
	buf_adds(out, "* OK [CLOSED] Previous mailbox closed\r\n");
}
