/*
 * Messages that a client appends, kept in an anonymous file from which the store copies them. Every
 * line gets CR LF on the way in, which is how the store takes a message.
 */
#ifndef WIRE_SPILL_H
#define WIRE_SPILL_H

#include <rookery/error.h>

/* A literal that stands in the file; `position` is where in the command its first byte would be. */
struct spilled {
	size_t position;
	uint64_t offset;
	uint64_t size;
};

struct spill {
	int fd; /* -1: nothing was spilled */
	uint64_t end;
	char last; /* byte of the literal that is coming in */
	struct spilled *list;
	size_t n;
	size_t cap;
};

/* clang-format off */
#define SPILL_INIT { .fd = -1 }
/* clang-format on */

/* A literal begins at this position of the command. */
RK_MUST_CHECK enum rk_status spill_begin(struct spill *s, size_t position, struct rk_err *err);
/* RK_QUOTA, RK_TEMP: the file does not take it. */
RK_MUST_CHECK enum rk_status spill_add(
    struct spill *s, const char *bytes, size_t n, struct rk_err *err);
/* Closes the file and forgets all. */
void spill_clear(struct spill *s);

/* NULL: the literal at this position is in memory. */
const struct spilled *spill_find(const struct spill *s, size_t position);

#endif
