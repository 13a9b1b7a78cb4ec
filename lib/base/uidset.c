#include "lib/base/uidset.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/bug.h"
#include "lib/base/checked.h"

void
uidset_clear(struct uidset *set)
{
	free(set->runs);
	*set = (struct uidset)UIDSET_INIT;
}

static void
runs_reserve(struct uidset *set, size_t n)
{
	struct uidrun *runs;
	size_t cap = set->cap == 0 ? 8 : set->cap;
	size_t bytes;

	if (n <= set->cap)
		return;
	while (cap < n) {
		if (!size_mul(cap, 2, &cap))
			rk_bug("uidset: %zu runs", n);
	}
	if (!size_mul(cap, sizeof(*runs), &bytes))
		rk_bug("uidset: %zu runs", cap);
	runs = realloc(set->runs, bytes);
	if (runs == NULL)
		rk_out_of_memory(bytes);
	set->runs = runs;
	set->cap = cap;
}

void
uidset_copy(struct uidset *dst, const struct uidset *src)
{
	runs_reserve(dst, src->n);
	if (src->n > 0)
		memcpy(dst->runs, src->runs, src->n * sizeof(*src->runs));
	dst->n = src->n;
}

/* First run whose last is >= value; set->n if there is none. */
static size_t
run_find(const struct uidset *set, uint32_t value)
{
	size_t lo = 0, hi = set->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (set->runs[mid].last < value)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Replaces the runs [from, to) by the n in `with`. */
static void
runs_replace(struct uidset *set, size_t from, size_t to, const struct uidrun *with, size_t n)
{
	size_t tail = set->n - to;

	runs_reserve(set, from + n + tail);
	memmove(set->runs + from + n, set->runs + to, tail * sizeof(*set->runs));
	if (n > 0)
		memcpy(set->runs + from, with, n * sizeof(*with));
	set->n = from + n + tail;
}

void
uidset_add(struct uidset *set, uint32_t first, uint32_t last)
{
	struct uidrun run = { first, last };
	size_t from, to;

	if (first == 0 || first > last)
		rk_bug("uidset: add %u..%u", first, last);
	/* A run that ends right before ours is joined too. */
	from = run_find(set, first - 1 == 0 ? first : first - 1);
	to = from;
	while (to < set->n && (last == UINT32_MAX || set->runs[to].first <= last + 1)) {
		if (set->runs[to].first < run.first)
			run.first = set->runs[to].first;
		if (set->runs[to].last > run.last)
			run.last = set->runs[to].last;
		to++;
	}
	runs_replace(set, from, to, &run, 1);
}

void
uidset_remove(struct uidset *set, uint32_t first, uint32_t last)
{
	struct uidrun keep[2];
	size_t from, to, n = 0;

	if (first == 0 || first > last)
		rk_bug("uidset: remove %u..%u", first, last);
	from = run_find(set, first);
	to = from;
	while (to < set->n && set->runs[to].first <= last) {
		const struct uidrun *r = &set->runs[to++];

		if (r->first < first)
			keep[n++] = (struct uidrun){ r->first, first - 1 };
		if (r->last > last)
			keep[n++] = (struct uidrun){ last + 1, r->last };
	}
	if (to > from)
		runs_replace(set, from, to, keep, n);
}

bool
uidset_has(const struct uidset *set, uint32_t value)
{
	size_t i = run_find(set, value);

	return i < set->n && set->runs[i].first <= value;
}

uint32_t
uidset_count(const struct uidset *set)
{
	uint32_t count = 0;

	for (size_t i = 0; i < set->n; i++)
		count += set->runs[i].last - set->runs[i].first + 1;
	return count;
}

uint32_t
uidset_at(const struct uidset *set, uint32_t position)
{
	if (position == 0)
		return 0;
	for (size_t i = 0; i < set->n; i++) {
		uint32_t len = set->runs[i].last - set->runs[i].first + 1;

		if (position <= len)
			return set->runs[i].first + position - 1;
		position -= len;
	}
	return 0;
}

uint32_t
uidset_position(const struct uidset *set, uint32_t value)
{
	uint32_t before = 0;

	for (size_t i = 0; i < set->n && set->runs[i].first <= value; i++) {
		if (value <= set->runs[i].last)
			return before + value - set->runs[i].first + 1;
		before += set->runs[i].last - set->runs[i].first + 1;
	}
	return 0;
}

uint32_t
uidset_next(const struct uidset *set, uint32_t from)
{
	size_t i = run_find(set, from);

	if (i == set->n)
		return 0;
	return set->runs[i].first > from ? set->runs[i].first : from;
}

uint32_t
uidset_max(const struct uidset *set)
{
	return set->n == 0 ? 0 : set->runs[set->n - 1].last;
}

void
uidset_intersect(struct uidset *set, const struct uidset *with)
{
	struct uidset out = UIDSET_INIT;
	size_t a = 0, b = 0;

	while (a < set->n && b < with->n) {
		const struct uidrun *x = &set->runs[a], *y = &with->runs[b];
		uint32_t first = x->first > y->first ? x->first : y->first;
		uint32_t last = x->last < y->last ? x->last : y->last;

		if (first <= last)
			uidset_add(&out, first, last);
		if (x->last < y->last)
			a++;
		else
			b++;
	}
	uidset_clear(set);
	*set = out;
}

void
uidset_subtract(struct uidset *set, const struct uidset *what)
{
	struct uidset out = UIDSET_INIT;
	size_t b = 0;

	for (size_t a = 0; a < set->n; a++) {
		uint64_t first = set->runs[a].first;
		uint32_t last = set->runs[a].last;

		while (b < what->n && what->runs[b].last < first)
			b++;
		for (size_t i = b; i < what->n && what->runs[i].first <= last; i++) {
			if (what->runs[i].first > first)
				uidset_add(&out, (uint32_t)first, what->runs[i].first - 1);
			first = (uint64_t)what->runs[i].last + 1;
		}
		if (first <= last)
			uidset_add(&out, (uint32_t)first, last);
	}
	uidset_clear(set);
	*set = out;
}

bool
uidset_equal(const struct uidset *a, const struct uidset *b)
{
	return a->n == b->n &&
	       (a->n == 0 || memcmp(a->runs, b->runs, a->n * sizeof(*a->runs)) == 0);
}
