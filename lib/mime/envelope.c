#include "lib/mime/envelope.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/mime/address.h"
#include "lib/wire/writer.h"

/* A field longer than this is cut: an ENVELOPE is a summary, BODY[HEADER] is exact. */
#define FIELD_MAX ((size_t)1024 * 1024)

enum env_field {
	ENV_DATE,
	ENV_SUBJECT,
	ENV_FROM,
	ENV_SENDER,
	ENV_REPLY_TO,
	ENV_TO,
	ENV_CC,
	ENV_BCC,
	ENV_IN_REPLY_TO,
	ENV_MESSAGE_ID,
	ENV_N,
};

static const char *const names[ENV_N] = { "Date", "Subject", "From", "Sender", "Reply-To", "To",
	"Cc", "Bcc", "In-Reply-To", "Message-ID" };

struct env {
	struct buf value[ENV_N];
	bool there[ENV_N];
	int current; /* the field that a folded line goes on with; -1: none that is wanted */
};

static bool
is_address(int field)
{
	return field >= ENV_FROM && field <= ENV_BCC;
}

static void
value_add(struct env *e, struct str text)
{
	struct buf *b = &e->value[e->current];

	if (b->len == 0) {
		while (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t'))
			text = str_of(text.p + 1, text.n - 1);
	}
	if (text.n > 0 && b->len + text.n <= FIELD_MAX)
		buf_add(b, text.p, text.n);
}

/* Several fields of addresses are one list; of the others the last counts. */
static void
field_begin(struct env *e, struct str line)
{
	const char *colon = memchr(line.p, ':', line.n);
	struct str name = str_of(line.p, colon == NULL ? 0 : (size_t)(colon - line.p));

	e->current = -1;
	while (name.n > 0 && (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t'))
		name.n--;
	for (int i = 0; i < ENV_N && name.n > 0; i++) {
		if (!str_iis(name, names[i]))
			continue;
		e->current = i;
		if (e->there[i] && is_address(i))
			buf_adds(&e->value[i], ", ");
		else
			buf_empty(&e->value[i]);
		e->there[i] = true;
		value_add(e, str_of(colon + 1, (size_t)(line.p + line.n - colon - 1)));
	}
}

static void
header_read(struct env *e, struct str header)
{
	struct str rest = header, line;

	e->current = -1;
	while (str_split(&rest, '\n', &line)) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0)
			return;
		if (line.p[0] != ' ' && line.p[0] != '\t')
			field_begin(e, line);
		else if (e->current >= 0)
			value_add(e, line);
	}
}

static void
text_write(const struct env *e, int field, struct buf *out)
{
	struct str s = str_of(e->value[field].data, e->value[field].len);

	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	write_nstring(out, s.n == 0 ? STR_LIT("") : s, !e->there[field], false);
}

static void
addresses_write(const struct env *e, int field, struct buf *out)
{
	size_t start = out->len;

	address_list_write(str_of(e->value[field].data, e->value[field].len), out);
	/* Without a sender of its own the author is the sender (RFC 9051 section 7.5.2). */
	if ((field == ENV_SENDER || field == ENV_REPLY_TO) && out->len - start == 3) {
		out->len = start;
		address_list_write(str_of(e->value[ENV_FROM].data, e->value[ENV_FROM].len), out);
	}
}

void
envelope_write(struct str header, struct buf *out)
{
	struct env e = { .current = -1 };

	header_read(&e, header);
	buf_addc(out, '(');
	for (int i = 0; i < ENV_N; i++) {
		if (i > 0)
			buf_addc(out, ' ');
		if (is_address(i))
			addresses_write(&e, i, out);
		else
			text_write(&e, i, out);
		if (i != ENV_FROM)
			buf_clear(&e.value[i]);
		if (i == ENV_BCC)
			buf_clear(&e.value[ENV_FROM]);
	}
	buf_addc(out, ')');
}
