#include "imapd/proto/resp_text.h"

#include "lib/base/bug.h"
#include "lib/wire/writer.h"

/* clang-format off */
static const struct resp_words words[] = {
	[RK_NOTFOUND]    = { "NONEXISTENT",   "There is no such mailbox or message" },
	[RK_EXISTS]      = { "ALREADYEXISTS", "It exists already" },
	[RK_INVALID]     = { "CANNOT",        "This can never work in this form" },
	[RK_UNSUPPORTED] = { "CANNOT",        "This store does not support the operation" },
	[RK_DENIED]      = { "NOPERM",        "Permission denied" },
	[RK_LIMIT]       = { "LIMIT",         "A limit is reached" },
	[RK_QUOTA]       = { "OVERQUOTA",     "There is no room left" },
	[RK_INUSE]       = { "INUSE",         "In use by another session or program, try again later" },
	[RK_CORRUPT]     = { "CORRUPTION",    "Stored data is damaged, the administrator was told" },
	[RK_TEMP]        = { "UNAVAILABLE",   "Temporary failure, try again later" },
	/* RFC 5530's EXPIRED speaks of passphrases; a message that went away is this one. */
	[RK_EXPIRED]     = { "EXPUNGEISSUED", "Some of the messages are gone" },
	/* These two are never shown to a client; if one is, the mistake is ours. */
	[RK_AGAIN]       = { "SERVERBUG",     "Internal error" },
	[RK_CLOSED]      = { "SERVERBUG",     "Internal error" },
};
/* clang-format on */

static const char *const conds[] = {
	[RESP_OK] = "OK",
	[RESP_NO] = "NO",
	[RESP_BAD] = "BAD",
	[RESP_PREAUTH] = "PREAUTH",
	[RESP_BYE] = "BYE",
};

const struct resp_words *
resp_words(enum rk_status status)
{
	if (status <= RK_OK || (size_t)status >= sizeof(words) / sizeof(words[0]))
		rk_bug("no words for status %d", (int)status);
	return &words[status];
}

static void
text_line(struct buf *out, const char *code, const char *text)
{
	struct str s = str_from(text);

	if (code != NULL)
		buf_addf(out, "[%s] ", code);
	/* A text that starts with "[" would be read as a code. */
	if (s.n == 0 || (code == NULL && s.p[0] == '['))
		buf_addc(out, '-');
	write_text(out, s);
	buf_adds(out, "\r\n");
}

void
resp_tagged(
    struct buf *out, struct str tag, enum resp_cond cond, const char *code, const char *text)
{
	buf_add(out, tag.p, tag.n);
	buf_addf(out, " %s ", conds[cond]);
	text_line(out, code, text);
}

void
resp_untagged(struct buf *out, enum resp_cond cond, const char *code, const char *text)
{
	resp_tagged(out, STR_LIT("*"), cond, code, text);
}

void
resp_fail(struct buf *out, struct str tag, enum rk_status status)
{
	const struct resp_words *w = resp_words(status);

	resp_tagged(out, tag, RESP_NO, w->code, w->sentence);
}

void
resp_continue(struct buf *out, const char *text)
{
	buf_adds(out, "+ ");
	text_line(out, NULL, text);
}

void
resp_capability(struct buf *out, const char *capabilities)
{
	buf_addf(out, "* CAPABILITY %s\r\n", capabilities);
}

void
resp_enabled(struct buf *out, const char *capabilities)
{
	buf_adds(out, "* ENABLED");
	if (capabilities[0] != '\0')
		buf_addf(out, " %s", capabilities);
	buf_adds(out, "\r\n");
}

void
resp_id(struct buf *out, const struct resp_id_pair *pairs, size_t n)
{
	buf_adds(out, "* ID ");
	for (size_t i = 0; i < n; i++) {
		buf_addc(out, i == 0 ? '(' : ' ');
		write_string(out, str_from(pairs[i].key), false);
		buf_addc(out, ' ');
		write_nstring(out, str_from(pairs[i].value), pairs[i].value == NULL, false);
	}
	buf_adds(out, n == 0 ? "NIL\r\n" : ")\r\n");
}
