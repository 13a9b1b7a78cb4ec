#include "tests/unit/unit.h"

#include <string.h>

#include "lib/base/uidset.h"

/* A set over 1..N as an array of bools: slow and obviously right. */
#define N 200

struct model {
	bool in[N + 1];
};

static void
same(const struct uidset *set, const struct model *m)
{
	uint32_t count = 0;

	for (uint32_t v = 1; v <= N; v++) {
		ck_assert_int_eq(uidset_has(set, v), m->in[v]);
		if (m->in[v]) {
			count++;
			ck_assert_uint_eq(uidset_at(set, count), v);
			ck_assert_uint_eq(uidset_position(set, v), count);
			ck_assert_uint_eq(uidset_next(set, v), v);
		} else {
			ck_assert_uint_eq(uidset_position(set, v), 0);
		}
	}
	ck_assert_uint_eq(uidset_count(set), count);
	ck_assert_uint_eq(uidset_at(set, count + 1), 0);
	ck_assert_uint_eq(uidset_at(set, 0), 0);
	for (size_t i = 0; i < set->n; i++) {
		ck_assert_uint_le(set->runs[i].first, set->runs[i].last);
		if (i > 0)
			ck_assert_uint_gt(set->runs[i].first, set->runs[i - 1].last + 1);
	}
}

static void
pick(uint32_t *first, uint32_t *last)
{
	*first = 1 + (uint32_t)rand() % N;
	*last = *first + (uint32_t)rand() % 20;
	if (*last > N)
		*last = N;
}

static void
fill(struct uidset *set, struct model *m, int steps)
{
	for (int i = 0; i < steps; i++) {
		uint32_t first, last;
		bool add = rand() % 3 != 0;

		pick(&first, &last);
		if (add)
			uidset_add(set, first, last);
		else
			uidset_remove(set, first, last);
		for (uint32_t v = first; v <= last; v++)
			m->in[v] = add;
	}
}

START_TEST(adding_and_removing_follows_the_model)
{
	srand(1);
	for (int round = 0; round < 300; round++) {
		struct uidset set = UIDSET_INIT;
		struct model m = { 0 };

		fill(&set, &m, 1 + round % 40);
		same(&set, &m);
		uidset_clear(&set);
	}
}
END_TEST

START_TEST(set_operations_follow_the_model)
{
	srand(2);
	for (int round = 0; round < 300; round++) {
		struct uidset a = UIDSET_INIT, b = UIDSET_INIT, c = UIDSET_INIT;
		struct model ma = { 0 }, mb = { 0 }, mi, ms;

		fill(&a, &ma, 12);
		fill(&b, &mb, 12);
		mi = ma;
		ms = ma;
		for (uint32_t v = 1; v <= N; v++) {
			mi.in[v] = ma.in[v] && mb.in[v];
			ms.in[v] = ma.in[v] && !mb.in[v];
		}
		uidset_copy(&c, &a);
		ck_assert(uidset_equal(&a, &c));
		uidset_intersect(&c, &b);
		same(&c, &mi);
		uidset_copy(&c, &a);
		uidset_subtract(&c, &b);
		same(&c, &ms);
		uidset_clear(&a);
		uidset_clear(&b);
		uidset_clear(&c);
	}
}
END_TEST

START_TEST(the_largest_numbers_do_not_overflow)
{
	struct uidset set = UIDSET_INIT, what = UIDSET_INIT;

	uidset_add(&set, 1, UINT32_MAX);
	ck_assert_uint_eq(uidset_count(&set), UINT32_MAX);
	ck_assert_uint_eq(uidset_at(&set, UINT32_MAX), UINT32_MAX);
	ck_assert_uint_eq(uidset_position(&set, UINT32_MAX), UINT32_MAX);
	uidset_remove(&set, UINT32_MAX, UINT32_MAX);
	ck_assert_uint_eq(uidset_max(&set), UINT32_MAX - 1);
	uidset_add(&set, UINT32_MAX, UINT32_MAX);
	ck_assert_uint_eq(set.n, 1);
	uidset_add(&what, UINT32_MAX - 5, UINT32_MAX);
	uidset_subtract(&set, &what);
	ck_assert_uint_eq(uidset_max(&set), UINT32_MAX - 6);
	ck_assert_uint_eq(uidset_next(&set, UINT32_MAX), 0);
	uidset_clear(&set);
	uidset_clear(&what);
}
END_TEST

START_TEST(neighbours_become_one_run)
{
	struct uidset set = UIDSET_INIT;

	for (uint32_t v = 1; v <= 100000; v++)
		uidset_add(&set, v, v);
	ck_assert_uint_eq(set.n, 1);
	uidset_remove(&set, 500, 600);
	ck_assert_uint_eq(set.n, 2);
	uidset_add(&set, 500, 600);
	ck_assert_uint_eq(set.n, 1);
	uidset_clear(&set);
	ck_assert_uint_eq(uidset_count(&set), 0);
	ck_assert_uint_eq(uidset_max(&set), 0);
}
END_TEST

UNIT_MAIN("uidset", adding_and_removing_follows_the_model, set_operations_follow_the_model,
    the_largest_numbers_do_not_overflow, neighbours_become_one_run)
