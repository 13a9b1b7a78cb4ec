#include "lib/mime/header.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BLOCK ((size_t)16384)

enum rk_status
header_size(struct stream *message, uint64_t *size_out, struct rk_err *err)
{
	char block[BLOCK];
	uint64_t size = 0, line_start = 0;
	char before = '\0'; /* the byte before this one */

	for (;;) {
		size_t got;
		enum rk_status status = stream_read(message, block, sizeof(block), &got, err);

		if (status != RK_OK)
			return status;
		if (got == 0)
			break;
		for (size_t i = 0; i < got; i++) {
			uint64_t at = size + i;

			if (block[i] == '\n') {
				if (at == line_start || (at == line_start + 1 && before == '\r')) {
					*size_out = at + 1;
					return RK_OK;
				}
				line_start = at + 1;
			}
			before = block[i];
		}
		size += got;
	}
	*size_out = size;
	return RK_OK;
}

/* Name of a field line without trailing blanks before the colon; n 0 if the line is no field. */
static struct str
field_name(const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	size_t len = colon == NULL ? 0 : (size_t)(colon - line);

	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	for (size_t i = 0; i < len; i++) {
		if (line[i] <= 0x20 || line[i] == 0x7f)
			return str_of(line, 0);
	}
	return str_of(line, len);
}

/* By length, then by bytes without regard to case. */
static int
name_compare(const void *left, const void *right)
{
	const struct str *a = left, *b = right;

	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	return a->n == 0 ? 0 : strncasecmp(a->p, b->p, a->n);
}

static bool
is_empty_line(const char *line, size_t n)
{
	return (n == 1 && line[0] == '\n') || (n == 2 && line[0] == '\r' && line[1] == '\n');
}

void
header_select(struct str header, const struct str *names, size_t n, bool invert, struct buf *out)
{
	const char *p = header.p, *end = header.p + header.n;
	struct buf sorted = BUF_INIT; /* n names against a million lines: no walk for each (V06) */
	bool wanted = invert;

	buf_add(&sorted, names, n * sizeof(*names));
	qsort(sorted.data, n, sizeof(*names), name_compare);
	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		size_t len = lf == NULL ? (size_t)(end - p) : (size_t)(lf - p) + 1;

		if (is_empty_line(p, len)) {
			/* A message without body and empty line gets none (RFC 9051 6.4.5.1). */
			buf_adds(out, "\r\n");
			break;
		}
		if (p[0] != ' ' && p[0] != '\t') {
			struct str name = field_name(p, len);

			if (name.n > 0)
				wanted = (bsearch(&name, sorted.data, n, sizeof(name),
					      name_compare) != NULL) != invert;
		}
		if (wanted)
			buf_add(out, p, len);
		p += len;
	}
	buf_clear(&sorted);
}
