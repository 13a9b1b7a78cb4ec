#include "lib/mime/transfer.h"

#include "lib/wire/base64.h"

void
transfer_init(struct transfer *t, enum mime_encoding encoding)
{
	*t = (struct transfer){ .encoding = encoding };
}

/* Bytes outside of the alphabet are passed over, what follows padding too (RFC 2045 section 6.8).
 */
static void
base64_add(struct transfer *t, const char *p, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n && !t->ended; i++) {
		int value = base64_value(p[i]);

		if (p[i] == '=') {
			t->ended = true;
		} else if (value >= 0) {
			t->bits = t->bits << 6 | (uint32_t)value;
			t->nbits += 6;
			if (t->nbits >= 8) {
				t->nbits -= 8;
				buf_addc(out, (char)(t->bits >> t->nbits));
			}
		}
	}
}

static int
hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void
held_flush(struct transfer *t, struct buf *out)
{
	buf_add(out, t->held, t->nheld);
	t->nheld = 0;
}

/*
 * Whether `c` goes on with what is held: "=" with hex digits, or with blanks and a line end behind
 * it; blanks, or a CR, that a line end may follow.
 */
static bool
held_goes_on(const struct transfer *t, char c)
{
	char last = t->held[t->nheld - 1];

	if (t->nheld == sizeof(t->held) || last == '\r')
		return false;
	if (t->held[0] == '=' && t->nheld == 1 && hex_value((unsigned char)c) >= 0)
		return true;
	return (is_blank(c) || c == '\r') && hex_value((unsigned char)last) < 0;
}

/* What is held is decided by `c`; false: `c` itself is still to be looked at. */
static bool
held_end(struct transfer *t, char c, struct buf *out)
{
	bool escape = t->held[0] == '=';
	char last = t->held[t->nheld - 1];
	int high = escape && t->nheld == 2 ? hex_value((unsigned char)last) : -1;
	int low = hex_value((unsigned char)c);

	if (high >= 0 && low >= 0) {
		t->nheld = 0;
		buf_addc(out, (char)(high << 4 | low));
		return true;
	}
	if (c == '\n' && high < 0) {
		/* A soft line end is nothing; blanks before a hard one go (section 6.7, rule 3). */
		if (!escape)
			buf_adds(out, last == '\r' ? "\r\n" : "\n");
		t->nheld = 0;
		return true;
	}
	held_flush(t, out);
	return false;
}

static void
qp_add(struct transfer *t, const char *p, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (t->nheld > 0 && held_goes_on(t, p[i])) {
			t->held[t->nheld++] = p[i];
			continue;
		}
		if (t->nheld > 0 && held_end(t, p[i], out))
			continue;
		if (p[i] == '=' || p[i] == '\r' || is_blank(p[i]))
			t->held[t->nheld++] = p[i];
		else
			buf_addc(out, p[i]);
	}
}

void
transfer_add(struct transfer *t, const void *bytes, size_t n, struct buf *out)
{
	if (t->encoding == MIME_BASE64)
		base64_add(t, bytes, n, out);
	else if (t->encoding == MIME_QP)
		qp_add(t, bytes, n, out);
	else if (n > 0)
		buf_add(out, bytes, n);
}

void
transfer_end(struct transfer *t, struct buf *out)
{
	/* Blanks at the very end stand at the end of a line, and a lone "=" is a soft line end. */
	if (t->nheld > 0 && (t->held[0] != '=' || t->nheld > 1) && !is_blank(t->held[0]))
		held_flush(t, out);
	t->nheld = 0;
}
