#include "lib/mime/fields.h"

#include <string.h>

static void
value_add(struct buf *b, const char *p, size_t n)
{
	if (b->len + n > FIELD_VALUE_MAX)
		n = FIELD_VALUE_MAX - b->len;
	if (n == 0)
		return;
	buf_add(b, p, n);
	for (char *c = b->data + b->len - n; (c = memchr(c, '\0', (size_t)(b->data + b->len - c)));)
		*c = (char)0x80;
}

/* Where the line's value begins if it is a field that is wanted and still open; else NULL. */
static const char *
field_match(const char *line, size_t len, const struct field_want *wanted, size_t n,
    struct field_value *values, size_t *which)
{
	const char *colon = memchr(line, ':', len);
	size_t name = colon == NULL ? 0 : (size_t)(colon - line);

	while (name > 0 && (line[name - 1] == ' ' || line[name - 1] == '\t'))
		name--;
	for (size_t i = 0; name > 0 && i < n; i++) {
		if (!str_iis(str_of(line, name), wanted[i].name))
			continue;
		if (values[i].present && !wanted[i].joined)
			return NULL;
		if (values[i].present && values[i].text.len < FIELD_VALUE_MAX)
			buf_addc(&values[i].text, ',');
		values[i].present = true;
		*which = i;
		return colon + 1;
	}
	return NULL;
}

void
fields_find(
    struct str header, const struct field_want *wanted, size_t n, struct field_value *values)
{
	const char *p = header.p, *end = header.p + header.n;
	size_t which = n;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		size_t len = lf == NULL ? (size_t)(end - p) : (size_t)(lf - p);
		const char *next = lf == NULL ? end : lf + 1, *value = p;

		if (lf != NULL && len > 0 && p[len - 1] == '\r')
			len--;
		if (len == 0)
			return;
		if (*p != ' ' && *p != '\t') {
			which = n;
			value = field_match(p, len, wanted, n, values, &which);
			while (which < n && value < p + len && (*value == ' ' || *value == '\t'))
				value++;
		}
		if (which < n)
			value_add(&values[which].text, value, (size_t)(p + len - value));
		p = next;
	}
}

void
fields_clear(struct field_value *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_clear(&values[i].text);
}
