/* Prints JSON (RFC 8259), escaped so that any bytes give valid UTF-8 text. */
#ifndef CTL_JSON_H
#define CTL_JSON_H

#include "lib/base/buf.h"
#include "lib/base/str.h"

/* A string in quotes. Bytes that are not UTF-8 become U+FFFD. */
void json_string(struct buf *out, struct str s);

/* `"key":`, with a comma in front unless `first`. */
void json_key(struct buf *out, const char *key, bool first);

/* `text` as a number if it is one in decimal digits, else as a string. */
void json_number(struct buf *out, struct str text);

#endif
