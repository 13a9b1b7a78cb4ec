#include "auth/ticket_mint.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

/*
 * All tickets live equally long, so the slots are a ring in the order of their expiry: `first` is
 * the oldest. A redeemed slot is emptied at once and leaves the ring when its time is up. The
 * user's data waits in its wire form, a few hundred bytes instead of a whole struct grant.
 */
struct slot {
	struct ticket ticket;
	char sid[SID_LEN + 1];
	int64_t expires;
	void *packed; /* NULL: redeemed */
	size_t packed_len;
	uint32_t chain;
};

struct mint {
	uint32_t capacity, generation;
	int64_t life_ms;
	uint32_t first, used; /* the ring: slots in use, redeemed ones included */
	uint32_t waiting;
	uint32_t *buckets;
	struct slot *slots;
};

enum rk_status
mint_new(
    uint32_t capacity, uint32_t generation, int64_t life_ms, struct mint **out, struct rk_err *err)
{
	struct mint *m = calloc(1, sizeof(*m));

	if (m != NULL) {
		m->buckets = malloc((size_t)capacity * sizeof(*m->buckets));
		m->slots = calloc(capacity, sizeof(*m->slots));
	}
	if (m == NULL || m->buckets == NULL || m->slots == NULL) {
		if (m != NULL) {
			free(m->buckets);
			free(m->slots);
		}
		free(m);
		return rk_fail(err, RK_TEMP, "a table of %u tickets", (unsigned)capacity);
	}
	m->capacity = capacity;
	m->generation = generation;
	m->life_ms = life_ms;
	for (uint32_t i = 0; i < capacity; i++)
		m->buckets[i] = NONE;
	*out = m;
	return RK_OK;
}

/* The bytes are random, and only we choose them: no keyed hash is needed. */
static uint32_t *
bucket_of(struct mint *m, const struct ticket *ticket)
{
	uint32_t part;

	memcpy(&part, ticket->bytes, sizeof(part));
	return &m->buckets[part % m->capacity];
}

static void
slot_empty(struct mint *m, struct slot *s)
{
	uint32_t i = (uint32_t)(s - m->slots);
	uint32_t *at;

	if (s->packed == NULL)
		return;
	for (at = bucket_of(m, &s->ticket); *at != i; at = &m->slots[*at].chain)
		;
	*at = s->chain;
	explicit_bzero(s->packed, s->packed_len);
	free(s->packed);
	s->packed = NULL;
	explicit_bzero(&s->ticket, sizeof(s->ticket));
	m->waiting--;
}

static void
expire(struct mint *m, int64_t now)
{
	while (m->used > 0 && m->slots[m->first].expires <= now) {
		slot_empty(m, &m->slots[m->first]);
		m->first = (m->first + 1) % m->capacity;
		m->used--;
	}
}

void
mint_free(struct mint *m)
{
	if (m == NULL)
		return;
	expire(m, INT64_MAX);
	free(m->buckets);
	free(m->slots);
	free(m);
}

static enum rk_status
grant_pack(const struct grant *grant, struct slot *s, struct rk_err *err)
{
	static struct msg_out m;

	msg_begin(&m, GRANT, 0);
	put_grant(&m, grant);
	if (m.overflow)
		return rk_fail_plain(err, RK_LIMIT, "the data of %s is too large", grant->user);
	s->packed = malloc(m.len);
	if (s->packed == NULL)
		return rk_fail(err, RK_TEMP, "a ticket");
	memcpy(s->packed, m.bytes, m.len);
	s->packed_len = m.len;
	return RK_OK;
}

static enum rk_status
grant_unpack(const struct slot *s, struct grant *grant_out, struct rk_err *err)
{
	static struct msg_in m;

	m = (struct msg_in){ .type = GRANT, .len = s->packed_len };
	memcpy(m.bytes, s->packed, s->packed_len);
	get_grant(&m, grant_out);
	return msg_end(&m, err);
}

enum rk_status
mint_issue(struct mint *m, const char *sid, const struct grant *grant, int64_t now,
    struct ticket *ticket_out, struct rk_err *err)
{
	uint32_t i = 0, *bucket;
	struct slot *s;
	enum rk_status status;

	expire(m, now);
	if (m->used == m->capacity)
		return rk_fail_plain(err, RK_LIMIT, "%u tickets wait", (unsigned)m->used);
	i = (uint32_t)(((uint64_t)m->first + m->used) % m->capacity);
	s = &m->slots[i];
	*s = (struct slot){ .expires = now + m->life_ms };
	status = grant_pack(grant, s, err);
	if (status != RK_OK)
		return status;
	ticket_make(&s->ticket, m->generation);
	memcpy(s->sid, sid, strnlen(sid, SID_LEN));
	bucket = bucket_of(m, &s->ticket);
	s->chain = *bucket;
	*bucket = i;
	m->used++;
	m->waiting++;
	*ticket_out = s->ticket;
	return RK_OK;
}

enum rk_status
mint_redeem(struct mint *m, const struct ticket *ticket, const char *sid, int64_t now,
    struct grant *grant_out, struct rk_err *err)
{
	enum rk_status status;
	struct slot *s;
	uint32_t i;

	expire(m, now);
	if (ticket->generation != m->generation)
		return rk_fail_plain(
		    err, RK_DENIED, "a ticket of generation %u", (unsigned)ticket->generation);
	i = *bucket_of(m, ticket);
	while (i != NONE && !ticket_equal(&m->slots[i].ticket, ticket))
		i = m->slots[i].chain;
	if (i == NONE)
		return rk_fail_plain(err, RK_DENIED, "an unknown, used or expired ticket");
	s = &m->slots[i];
	if (strcmp(s->sid, sid) != 0)
		status = rk_fail_plain(err, RK_DENIED, "a ticket of another session");
	else
		status = grant_unpack(s, grant_out, err);
	slot_empty(m, s);
	return status;
}

uint32_t
mint_waiting(struct mint *m, int64_t now)
{
	expire(m, now);
	return m->waiting;
}
