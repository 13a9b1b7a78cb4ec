/*
 * Text to UTF-8 and to the folded form that SEARCH compares. Charsets are opened before the sandbox
 * (decisions.md 28: iconv loads its modules from files): charset_preload in the spawner. One that
 * is not in the table is unknown.
 */
#ifndef MIME_CHARSET_H
#define MIME_CHARSET_H

#include "lib/base/buf.h"
#include "lib/base/str.h"

struct charset;

/* Opens all of docs/charsets.txt's; once, before any other call. Charsets that this system lacks
 * are left out. */
void charset_preload(void);

/* NULL: unknown. "" and US-ASCII and UTF-8 are always there. Names compare without regard to case.
 */
struct charset *charset_find(struct str name);
/* "US-ASCII UTF-8 …" for BADCHARSET. */
const char *charset_names(void);

/*
 * Appends the UTF-8 of `bytes`; what makes no sense becomes U+FFFD. State goes from call to call
 * until charset_reset. With `end` an unfinished character is one that makes no sense.
 */
void charset_decode(struct charset *cs, const void *bytes, size_t n, bool end, struct buf *out);
void charset_reset(struct charset *cs);
/* Back to the initial shift state, with what iconv kept to combine it with the next character. The
 * begin of a character stays. */
void charset_restart(struct charset *cs, struct buf *out);

/*
 * Appends the form in which texts are equal for a search: case folded, canonical decompositions
 * (i;unicode-casemap, RFC 5051), from valid or invalid UTF-8. ASCII is fast.
 */
void text_fold(struct str utf8, struct buf *out);

#endif
