/* Some fields of a header, unfolded, in one walk. */
#ifndef MIME_FIELDS_H
#define MIME_FIELDS_H

#include "lib/base/buf.h"
#include "lib/base/str.h"

/* Of one field no more is kept. */
#define FIELD_VALUE_MAX ((size_t)1024 * 1024)

struct field_want {
	const char *name;
	bool joined; /* all fields of that name, with commas between; else the first one */
};

struct field_value {
	bool present;
	struct buf text; /* without the blanks before it, line ends taken out, NUL made 0x80 */
};

/* Zero-initialised values, one per wanted field. At most 31 of them. */
void fields_find(
    struct str header, const struct field_want *wanted, size_t n, struct field_value *values);
void fields_clear(struct field_value *values, size_t n);

#endif
