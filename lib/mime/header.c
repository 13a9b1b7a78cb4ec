#include "lib/mime/header.h"

#include <string.h>

#define BLOCK ((size_t)16384)

enum rk_status
header_size(struct stream *message, uint64_t *size_out, struct rk_err *err)
{
	char block[BLOCK];
	uint64_t size = 0;
	bool line_empty = true; /* nothing but CRs in this line so far */

	for (;;) {
		size_t got;
		enum rk_status status = stream_read(message, block, sizeof(block), &got, err);

		if (status != RK_OK)
			return status;
		if (got == 0)
			break;
		for (size_t i = 0; i < got; i++) {
			if (block[i] == '\n') {
				if (line_empty) {
					*size_out = size + i + 1;
					return RK_OK;
				}
				line_empty = true;
			} else if (block[i] != '\r') {
				line_empty = false;
			}
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

static bool
named(struct str name, const struct str *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_ieq(name, names[i]))
			return true;
	}
	return false;
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
	bool wanted = invert;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		size_t len = lf == NULL ? (size_t)(end - p) : (size_t)(lf - p) + 1;

		if (is_empty_line(p, len))
			break;
		if (p[0] != ' ' && p[0] != '\t') {
			struct str name = field_name(p, len);

			if (name.n > 0)
				wanted = named(name, names, n) != invert;
		}
		if (wanted)
			buf_add(out, p, len);
		p += len;
	}
	buf_adds(out, "\r\n");
}
