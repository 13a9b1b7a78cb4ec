#include "auth/request.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "auth/request_impl.h"
#include "lib/base/log.h"
#include "lib/base/os_linux.h"

#define BUCKETS 4096
#define PATIENCE_SECONDS 60

struct requests {
	struct authd *authd;
	unsigned char key[SIPHASH_KEY_LEN]; /* a gate chooses its ids */
	uint64_t numbers;
	uint32_t count;
	struct request *by_number[BUCKETS];
	struct request *by_id[BUCKETS];
};

static struct msg_out out;

enum rk_status
requests_new(struct authd *a, struct requests **out_requests, struct rk_err *err)
{
	struct requests *requests = calloc(1, sizeof(*requests));

	if (requests == NULL)
		return rk_fail(err, RK_TEMP, "a table of requests");
	requests->authd = a;
	os_random(requests->key, sizeof(requests->key));
	*out_requests = requests;
	return RK_OK;
}

static struct request **
id_bucket(struct requests *requests, const struct link *link, uint64_t id)
{
	uint64_t key[2] = { link_number(link), id };

	return &requests->by_id[siphash(requests->key, key, sizeof(key)) % BUCKETS];
}

static struct request *
request_of(struct requests *requests, const struct link *link, uint64_t id)
{
	struct request *r = *id_bucket(requests, link, id);

	while (r != NULL && (r->link != link || r->id != id))
		r = r->next_id;
	return r;
}

struct request *
request_find(struct requests *requests, uint64_t number)
{
	struct request *r = requests->by_number[number % BUCKETS];

	while (r != NULL && r->number != number)
		r = r->next_number;
	return r;
}

static void
request_link(struct requests *requests, struct request *r)
{
	struct request **bucket = id_bucket(requests, r->link, r->id);

	r->number = ++requests->numbers;
	r->next_id = *bucket;
	*bucket = r;
	r->next_number = requests->by_number[r->number % BUCKETS];
	requests->by_number[r->number % BUCKETS] = r;
	requests->count++;
	++*link_requests(r->link);
}

static void
request_unlink(struct requests *requests, struct request *r)
{
	struct request **at = id_bucket(requests, r->link, r->id);

	while (*at != r)
		at = &(*at)->next_id;
	*at = r->next_id;
	at = &requests->by_number[r->number % BUCKETS];
	while (*at != r)
		at = &(*at)->next_number;
	*at = r->next_number;
	requests->count--;
	--*link_requests(r->link);
}

static void
request_free(struct request *r)
{
	if (r->timer != NULL)
		event_free(r->timer);
	mech_free(r->mech);
	buf_wipe(&r->stored);
	buf_wipe(&r->final);
	explicit_bzero(r, sizeof(*r));
	free(r);
}

void
request_end(struct request *r)
{
	struct authd *a = r->authd;

	if (r->state == REQUEST_HASH)
		hash_pool_cancel(a->pool, r->number);
	request_unlink(a->requests, r);
	request_free(r);
}

void
requests_of_link_end(struct requests *requests, struct link *link)
{
	for (size_t i = 0; i<BUCKETS && * link_requests(link)> 0; i++) {
		struct request *next;

		for (struct request *r = requests->by_number[i]; r != NULL; r = next) {
			next = r->next_number;
			if (r->link == link)
				request_end(r);
		}
	}
}

void
requests_free(struct requests *requests)
{
	free(requests); /* the links have taken theirs along */
}

uint32_t
requests_count(const struct requests *requests)
{
	return requests->count;
}

static void
patience_over(evutil_socket_t fd, short what, void *arg)
{
	struct request *r = arg;

	(void)fd;
	(void)what;
	if (r->state == REQUEST_HASH)
		hash_pool_cancel(r->authd->pool, r->number);
	request_reject(r, AUTH_UNAVAILABLE, "timeout");
}

void
request_challenge(struct request *r, const struct buf *bytes)
{
	msg_begin(&out, AUTH_CHALLENGE, r->id);
	msg_put_bytes(&out, bytes->data, bytes->len);
	if (out.overflow) {
		request_reject(r, AUTH_UNAVAILABLE, "challenge");
		return;
	}
	r->state = REQUEST_CLIENT;
	link_send(r->link, &out);
}

/* A refusal before there is a request. */
static enum rk_status
refuse(struct link *link, uint64_t id, const struct auth_start *start, enum auth_failure failure,
    const char *reason)
{
	struct auth_fail fail = { .reason = failure };

	log_set_session(start->sid);
	log_set_remote(start->remote.address);
	log_ev(RK_LOG_INFO, "auth.refused", LOG_S("mechanism", start->mechanism),
	    LOG_S("reason", reason));
	log_set_session(NULL);
	log_set_remote(NULL);
	msg_begin(&out, AUTH_FAIL, id);
	put_auth_fail(&out, &fail);
	link_send(link, &out);
	return RK_OK;
}

static bool
mechanism_offered(const struct auth_settings *set, const char *name)
{
	for (size_t i = 0; i < set->nmechanisms; i++) {
		if (strcmp(set->mechanisms[i], name) == 0)
			return true;
	}
	return false;
}

/* NULL if this mechanism can be used here, else why not. */
static const char *
mechanism_refused(const struct authd *a, const struct auth_start *s, enum auth_failure *failure_out)
{
	*failure_out = AUTH_NO_MECHANISM;
	if (!mechanism_offered(&a->set, s->mechanism))
		return "mechanism";
	switch (mech_needs(s->mechanism)) {
	case MECH_NEEDS_BINDING:
		if (!s->tls)
			*failure_out = AUTH_NEEDS_TLS;
		if (s->cb_exporter.n == 0 && s->cb_unique.n == 0)
			return "binding";
		return s->tls ? NULL : "clear text";
	case MECH_NEEDS_CERTIFICATE:
		if (!s->tls)
			*failure_out = AUTH_NEEDS_TLS;
		return s->cert_user[0] == '\0' || !s->tls ? "certificate" : NULL;
	case MECH_NEEDS_NOTHING:
		return NULL;
	default:
		return "mechanism";
	}
}

static struct request *
request_new(struct link *link, uint64_t id, const struct auth_start *s)
{
	struct authd *a = link_authd(link);
	struct mech_setup setup = {
		.name = s->mechanism,
		.cb_exporter = s->tls ? s->cb_exporter : STR_LIT(""),
		.cb_unique = s->tls ? s->cb_unique : STR_LIT(""),
		.plus_offered = a->set.plus_offered,
	};
	struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
	struct request *r = calloc(1, sizeof(*r));
	struct rk_err err;

	if (r == NULL)
		return NULL;
	r->authd = a;
	r->link = link;
	r->id = id;
	r->tls = s->tls;
	memcpy(r->sid, s->sid, sizeof(r->sid));
	memcpy(r->mechanism, s->mechanism, sizeof(r->mechanism));
	memcpy(r->remote, s->remote.address, sizeof(r->remote));
	memcpy(r->cert_user, s->cert_user, sizeof(r->cert_user));
	r->timer = evtimer_new(a->base, patience_over, r);
	if (r->timer == NULL || event_add(r->timer, &patience) < 0 ||
	    mech_start(a->mechs, &setup, &r->mech, &err) != RK_OK) {
		request_free(r);
		return NULL;
	}
	request_link(a->requests, r);
	return r;
}

static void
client_speaks(struct request *r, const struct str *input)
{
	struct buf answer = BUF_INIT;

	request_event(r, mech_step(r->mech, input, &answer), &answer);
	buf_wipe(&answer);
}

enum rk_status
request_start(struct link *link, struct msg_in *m, struct rk_err *err)
{
	struct authd *a = link_authd(link);
	enum auth_failure failure;
	struct auth_start start;
	enum rk_status status;
	struct request *r;
	const char *why;

	get_auth_start(m, &start);
	status = msg_end(m, err);
	if (status != RK_OK)
		return status;
	if (request_of(a->requests, link, m->id) != NULL)
		return rk_fail_plain(
		    err, RK_CORRUPT, "request %llu stands twice", (unsigned long long)m->id);
	if (*link_requests(link) >= a->set.requests_per_peer)
		return refuse(link, m->id, &start, AUTH_UNAVAILABLE, "requests");
	why = mechanism_refused(a, &start, &failure);
	if (why != NULL)
		return refuse(link, m->id, &start, failure, why);
	r = request_new(link, m->id, &start);
	if (r == NULL)
		return refuse(link, m->id, &start, AUTH_UNAVAILABLE, "memory");
	client_speaks(r, start.has_initial ? &start.initial : NULL);
	return RK_OK;
}

enum rk_status
request_continue(struct link *link, struct msg_in *m, struct rk_err *err)
{
	struct authd *a = link_authd(link);
	struct str input = msg_get_str(m, AUTH_DATA_MAX);
	enum rk_status status = msg_end(m, err);
	struct request *r;

	if (status != RK_OK)
		return status;
	r = request_of(a->requests, link, m->id);
	if (r == NULL)
		return RK_OK; /* it ended while this was on its way */
	if (r->state == REQUEST_CLIENT)
		client_speaks(r, &input);
	else if (r->state != REQUEST_HELD)
		return rk_fail_plain(
		    err, RK_CORRUPT, "request %llu goes on too early", (unsigned long long)m->id);
	return RK_OK;
}

enum rk_status
request_cancel(struct link *link, struct msg_in *m, struct rk_err *err)
{
	struct request *r = request_of(link_authd(link)->requests, link, m->id);
	enum rk_status status = msg_end(m, err);

	if (status == RK_OK && r != NULL)
		request_end(r);
	return status;
}
