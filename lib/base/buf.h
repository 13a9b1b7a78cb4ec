/*
 * Growing bytes with a bound. Zero-initialise with BUF_INIT; `data` is always NUL-terminated once
 * anything was added, so that a text can be printed, but it may hold NULs of its own.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <rookery/error.h>

struct buf {
	char *data;
	size_t len;
	size_t cap;
};

/* clang-format off */
#define BUF_INIT { NULL, 0, 0 }
/* clang-format on */

/* Frees; usable again afterwards. */
void buf_clear(struct buf *b);

/* Overwrites the bytes, then frees: for secrets. A secret never grows through buf_add (which may
 * leave a copy behind): reserve its room first. */
void buf_wipe(struct buf *b);

/* Makes room for `more` bytes beyond len; the process ends when memory is out. */
void buf_reserve(struct buf *b, size_t more);

void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_addc(struct buf *b, char c);
void buf_adds(struct buf *b, const char *text);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Removes n bytes from the front. */
void buf_drop(struct buf *b, size_t n);

/* Forgets the bytes and keeps the memory. */
void buf_empty(struct buf *b);

#endif
