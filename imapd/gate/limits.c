#include "imapd/gate/limits.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/bug.h"
#include "lib/base/checked.h"
#include "lib/base/os_linux.h"

#define NONE (-1)

struct counter {
	unsigned char prefix[16];
	unsigned bits; /* of the prefix; tells networks from addresses */
	uint32_t count;
	int32_t next;              /* in its bucket or in the list of free ones */
	struct limit_hold *oldest; /* networks only */
	struct limit_hold *newest;
};

struct limits {
	uint64_t key[2];
	uint32_t per_address;
	uint32_t per_network;
	size_t npool;
	size_t nbuckets; /* power of two */
	int32_t free;
	int32_t *buckets;
	struct counter *pool;
};

static uint64_t
rotate(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 of three words: the prefix and its length. */
static uint64_t
prefix_hash(const uint64_t key[2], const unsigned char prefix[16], unsigned bits)
{
	uint64_t words[4] = { 0, 0, bits, UINT64_C(24) << 56 };
	uint64_t v[4] = {
		key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573),
	};

	memcpy(words, prefix, 16);
	for (int i = 0; i < 4; i++) {
		v[3] ^= words[i];
		sip_round(v);
		sip_round(v);
		v[0] ^= words[i];
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct limits *
limits_new(size_t max_holds, uint32_t per_address, uint32_t per_network)
{
	struct limits *l = calloc(1, sizeof(*l));
	size_t n;

	/* Each hold needs at most two counters of its own. */
	if (l == NULL || !size_mul(max_holds, 2, &n) || n > INT32_MAX / 2)
		rk_out_of_memory(max_holds);
	l->per_address = per_address;
	l->per_network = per_network;
	l->npool = n;
	for (l->nbuckets = 16; l->nbuckets < n; l->nbuckets *= 2)
		;
	l->buckets = calloc(l->nbuckets, sizeof(*l->buckets));
	l->pool = calloc(n + 1, sizeof(*l->pool));
	if (l->buckets == NULL || l->pool == NULL)
		rk_out_of_memory(n * sizeof(*l->pool));
	os_random(l->key, sizeof(l->key));
	for (size_t i = 0; i < l->nbuckets; i++)
		l->buckets[i] = NONE;
	for (size_t i = 0; i < n; i++)
		l->pool[i].next = i + 1 < n ? (int32_t)i + 1 : NONE;
	l->free = n > 0 ? 0 : NONE;
	return l;
}

void
limits_free(struct limits *l)
{
	if (l == NULL)
		return;
	free(l->buckets);
	free(l->pool);
	free(l);
}

static int32_t *
bucket_of(const struct limits *l, const unsigned char prefix[16], unsigned bits)
{
	return &l->buckets[prefix_hash(l->key, prefix, bits) & (l->nbuckets - 1)];
}

static int32_t
counter_find(const struct limits *l, const struct addr *a, unsigned bits)
{
	int32_t at = *bucket_of(l, a->bytes, bits);

	while (at != NONE && (l->pool[at].bits != bits ||
				 memcmp(l->pool[at].prefix, a->bytes, sizeof(a->bytes)) != 0))
		at = l->pool[at].next;
	return at;
}

/* The pool has two counters for every hold: there is always a free one for a hold that may be. */
static int32_t
counter_add(struct limits *l, const struct addr *a, unsigned bits)
{
	int32_t *bucket = bucket_of(l, a->bytes, bits);
	int32_t at = l->free;
	struct counter *c = &l->pool[at];

	l->free = c->next;
	*c = (struct counter){ .bits = bits, .next = *bucket };
	memcpy(c->prefix, a->bytes, sizeof(c->prefix));
	*bucket = at;
	return at;
}

static void
counter_drop(struct limits *l, int32_t at)
{
	struct counter *c = &l->pool[at];
	int32_t *link;

	if (--c->count > 0)
		return;
	link = bucket_of(l, c->prefix, c->bits);
	while (*link != at)
		link = &l->pool[*link].next;
	*link = c->next;
	c->next = l->free;
	l->free = at;
}

static uint32_t
counter_value(const struct limits *l, int32_t at)
{
	return at == NONE ? 0 : l->pool[at].count;
}

static void
hold_append(struct counter *c, struct limit_hold *hold)
{
	hold->older = c->newest;
	hold->newer = NULL;
	if (c->newest != NULL)
		c->newest->newer = hold;
	else
		c->oldest = hold;
	c->newest = hold;
}

enum limits_answer
limits_take(struct limits *l, const struct addr *a, struct limit_hold *hold)
{
	bool v4 = addr_is_ipv4(a);
	unsigned address_bits = v4 ? 128 : 64;
	unsigned network_bits = v4 ? 96 + 24 : 48;
	struct addr address = *a, network = *a;

	addr_mask(&address, address_bits);
	addr_mask(&network, network_bits);
	hold->address = counter_find(l, &address, address_bits);
	hold->network = counter_find(l, &network, network_bits);
	if (counter_value(l, hold->address) >= l->per_address)
		return LIMITS_ADDRESS;
	if (counter_value(l, hold->network) >= l->per_network)
		return LIMITS_NETWORK;
	if (l->free == NONE || l->pool[l->free].next == NONE)
		return LIMITS_FULL;
	if (hold->address == NONE)
		hold->address = counter_add(l, &address, address_bits);
	if (hold->network == NONE)
		hold->network = counter_add(l, &network, network_bits);
	l->pool[hold->address].count++;
	l->pool[hold->network].count++;
	hold_append(&l->pool[hold->network], hold);
	hold->held = true;
	return LIMITS_OK;
}

void
limits_release(struct limits *l, struct limit_hold *hold)
{
	struct counter *network;

	if (!hold->held)
		return;
	network = &l->pool[hold->network];
	if (hold->older != NULL)
		hold->older->newer = hold->newer;
	else
		network->oldest = hold->newer;
	if (hold->newer != NULL)
		hold->newer->older = hold->older;
	else
		network->newest = hold->older;
	counter_drop(l, hold->network);
	counter_drop(l, hold->address);
	*hold = (struct limit_hold){ .held = false };
}

struct limit_hold *
limits_victim(const struct limits *l)
{
	const struct counter *busiest = NULL;

	for (size_t i = 0; i < l->npool; i++) {
		const struct counter *c = &l->pool[i];

		if (c->oldest != NULL && c->count > 0 &&
		    (busiest == NULL || c->count > busiest->count))
			busiest = c;
	}
	return busiest != NULL ? busiest->oldest : NULL;
}
