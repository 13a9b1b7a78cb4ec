#include "auth/penalty.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "auth/siphash.h"
#include "lib/base/os_linux.h"

#define FIRST_MS 2000
#define NONE UINT32_MAX

struct prefix {
	unsigned char bytes[16];
};

struct entry {
	struct prefix prefix;
	int64_t last; /* time of the last failure */
	uint64_t attempt;
	uint32_t failures;
	uint32_t chain; /* next in the bucket, or in the list of free entries */
	uint32_t older, newer;
};

struct penalty {
	int64_t max_ms, forget_ms;
	unsigned char key[SIPHASH_KEY_LEN];
	uint32_t capacity, count;
	uint32_t free; /* entries given back */
	uint32_t used; /* entries ever touched: memory beyond is never written */
	uint32_t oldest, newest;
	uint32_t *buckets; /* capacity of them */
	struct entry *entries;
};

enum rk_status
penalty_new(
    uint32_t capacity, int64_t max_ms, int64_t forget_ms, struct penalty **out, struct rk_err *err)
{
	struct penalty *p = calloc(1, sizeof(*p));

	if (p != NULL) {
		p->buckets = malloc((size_t)capacity * sizeof(*p->buckets));
		p->entries = calloc(capacity, sizeof(*p->entries));
	}
	if (p == NULL || p->buckets == NULL || p->entries == NULL) {
		penalty_free(p);
		return rk_fail(err, RK_TEMP, "a table of %u addresses", (unsigned)capacity);
	}
	p->capacity = capacity;
	p->max_ms = max_ms;
	p->forget_ms = forget_ms;
	p->free = p->oldest = p->newest = NONE;
	os_random(p->key, sizeof(p->key));
	for (uint32_t i = 0; i < capacity; i++)
		p->buckets[i] = NONE;
	*out = p;
	return RK_OK;
}

void
penalty_free(struct penalty *p)
{
	if (p == NULL)
		return;
	free(p->buckets);
	free(p->entries);
	free(p);
}

/* All of IPv4 (mapped or not), the first 48 bits of IPv6; what is no address shares one counter. */
static void
prefix_of(const char *address, struct prefix *out)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct in6_addr a6;
	struct in_addr a4;

	*out = (struct prefix){ { 0 } };
	if (inet_pton(AF_INET, address, &a4) == 1) {
		memcpy(out->bytes, mapped, 12);
		memcpy(out->bytes + 12, &a4, 4);
	} else if (inet_pton(AF_INET6, address, &a6) == 1) {
		memcpy(out->bytes, &a6, memcmp(&a6, mapped, 12) == 0 ? 16 : 6);
	}
}

static uint32_t *
bucket_of(struct penalty *p, const struct prefix *prefix)
{
	return &p->buckets[siphash(p->key, prefix->bytes, sizeof(prefix->bytes)) % p->capacity];
}

static void
age_unlink(struct penalty *p, uint32_t i)
{
	struct entry *e = &p->entries[i];

	if (e->older != NONE)
		p->entries[e->older].newer = e->newer;
	else
		p->oldest = e->newer;
	if (e->newer != NONE)
		p->entries[e->newer].older = e->older;
	else
		p->newest = e->older;
}

static void
age_append(struct penalty *p, uint32_t i)
{
	struct entry *e = &p->entries[i];

	e->older = p->newest;
	e->newer = NONE;
	if (p->newest != NONE)
		p->entries[p->newest].newer = i;
	else
		p->oldest = i;
	p->newest = i;
}

static void
entry_remove(struct penalty *p, uint32_t i)
{
	uint32_t *at = bucket_of(p, &p->entries[i].prefix);

	while (*at != i)
		at = &p->entries[*at].chain;
	*at = p->entries[i].chain;
	age_unlink(p, i);
	p->entries[i].chain = p->free;
	p->free = i;
	p->count--;
}

static void
forget(struct penalty *p, int64_t now)
{
	while (p->oldest != NONE && now - p->entries[p->oldest].last >= p->forget_ms)
		entry_remove(p, p->oldest);
}

static uint32_t
entry_find(struct penalty *p, const struct prefix *prefix)
{
	uint32_t i = *bucket_of(p, prefix);

	while (i != NONE && memcmp(&p->entries[i].prefix, prefix, sizeof(*prefix)) != 0)
		i = p->entries[i].chain;
	return i;
}

static uint32_t
entry_add(struct penalty *p, const struct prefix *prefix)
{
	uint32_t *bucket = bucket_of(p, prefix);
	uint32_t i;

	if (p->count == p->capacity)
		entry_remove(p, p->oldest);
	if (p->free != NONE) {
		i = p->free;
		p->free = p->entries[i].chain;
	} else {
		i = p->used++;
	}
	p->entries[i] = (struct entry){ .prefix = *prefix, .chain = *bucket };
	*bucket = i;
	age_append(p, i);
	p->count++;
	return i;
}

int64_t
penalty_wait(struct penalty *p, const char *address, int64_t now)
{
	struct prefix prefix;
	int64_t wait = FIRST_MS;
	uint32_t i;

	forget(p, now);
	prefix_of(address, &prefix);
	i = entry_find(p, &prefix);
	if (i == NONE)
		return 0;
	for (uint32_t n = 1; n < p->entries[i].failures && wait < p->max_ms; n++)
		wait *= 2;
	return wait < p->max_ms ? wait : p->max_ms;
}

void
penalty_fail(struct penalty *p, const char *address, uint64_t attempt, int64_t now)
{
	struct prefix prefix;
	struct entry *e;
	uint32_t i;

	forget(p, now);
	prefix_of(address, &prefix);
	i = entry_find(p, &prefix);
	if (i == NONE)
		i = entry_add(p, &prefix);
	e = &p->entries[i];
	if (e->failures == 0 || attempt == 0 || attempt != e->attempt)
		e->failures++;
	e->attempt = attempt;
	e->last = now;
	age_unlink(p, i);
	age_append(p, i);
}

void
penalty_success(struct penalty *p, const char *address)
{
	struct prefix prefix;
	uint32_t i;

	prefix_of(address, &prefix);
	i = entry_find(p, &prefix);
	if (i != NONE)
		entry_remove(p, i);
}

uint32_t
penalty_count(const struct penalty *p)
{
	return p->count;
}
