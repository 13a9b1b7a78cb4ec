/*
 * Set of numbers 1..2^32-1 (UIDs or sequence numbers) as ascending, disjoint, non-adjacent runs. A
 * mailbox of a million messages with a few holes costs a few runs. Positions count from 1: position
 * n of a view's set is the UID with sequence number n.
 */
#ifndef BASE_UIDSET_H
#define BASE_UIDSET_H

#include <rookery/error.h>

struct uidrun {
	uint32_t first;
	uint32_t last;
};

struct uidset {
	struct uidrun *runs;
	size_t n; /* runs in use */
	size_t cap;
};

/* clang-format off */
#define UIDSET_INIT { NULL, 0, 0 }
/* clang-format on */

void uidset_clear(struct uidset *set); /* frees; usable again */
void uidset_copy(struct uidset *dst, const struct uidset *src);

/* Adds or removes first..last (first <= last, first >= 1). Appending at the end is O(1). */
void uidset_add(struct uidset *set, uint32_t first, uint32_t last);
void uidset_remove(struct uidset *set, uint32_t first, uint32_t last);

bool uidset_has(const struct uidset *set, uint32_t value);
uint32_t uidset_count(const struct uidset *set);

/* Value at `position` (1-based), 0 if there is none; O(log runs) is not promised, O(runs) is. */
uint32_t uidset_at(const struct uidset *set, uint32_t position);
/* Position (1-based) of `value`, 0 if it is not in the set. */
uint32_t uidset_position(const struct uidset *set, uint32_t value);
/* Smallest value >= `from`, 0 if there is none. Walks a set without an array. */
uint32_t uidset_next(const struct uidset *set, uint32_t from);
uint32_t uidset_max(const struct uidset *set); /* 0 when empty */

void uidset_intersect(struct uidset *set, const struct uidset *with);
void uidset_subtract(struct uidset *set, const struct uidset *what);
bool uidset_equal(const struct uidset *a, const struct uidset *b);

#endif
