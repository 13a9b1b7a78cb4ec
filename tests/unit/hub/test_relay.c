#include "tests/unit/unit.h"

#include "hub/relay.h"
#include "lib/ipc/sock.h"

#include <string.h>
#include <unistd.h>

static unsigned full, caught_up;

static void
writable(struct relay_worker *w, bool on, void *arg)
{
	(void)w;
	(void)arg;
	if (on)
		full++;
	else
		caught_up++;
}

/* A worker as the hub sees it, and the end that the worker itself would hold. */
struct peer {
	struct relay_worker *w;
	int fd;
};

static struct peer
join(struct relay *relay, uid_t uid, const char *account)
{
	struct peer p;
	struct rk_err err;
	int pair[2];

	ck_assert_int_eq(ipc_pair(pair, &err), RK_OK);
	ck_assert_int_eq(ipc_nonblock(pair[1], true, &err), RK_OK);
	ck_assert_int_eq(relay_join(relay, uid, account, pair[0], &p.w, &err), RK_OK);
	p.fd = pair[1];
	return p;
}

/* What the worker would send, as it arrives at the hub. */
static enum rk_status
deliver(struct peer *p, const struct msg_out *out)
{
	static struct msg_in in;
	struct rk_err err;

	ck_assert_int_eq(ipc_send(p->fd, out, &err), RK_OK);
	ck_assert_int_eq(ipc_recv(relay_fd(p->w), &in, &err), RK_OK);
	return relay_message(p->w, &in, &err);
}

static enum rk_status
watch(struct peer *p, const char *account)
{
	struct hub_topic t;
	struct msg_out m;

	strcpy(t.account, account);
	msg_begin(&m, HUB_WATCH, 0);
	put_hub_topic(&m, &t);
	return deliver(p, &m);
}

static enum rk_status
notify(struct peer *p, const char *account, unsigned char box, uint64_t modseq)
{
	struct hub_notice n = { .modseq = modseq };
	struct msg_out m;

	strcpy(n.account, account);
	memset(n.box, box, sizeof(n.box));
	msg_begin(&m, HUB_CHANGED, 0);
	put_hub_notice(&m, &n);
	return deliver(p, &m);
}

static bool
heard(struct peer *p, struct hub_notice *n)
{
	static struct msg_in m;
	struct rk_err err;
	enum rk_status status = ipc_recv(p->fd, &m, &err);

	if (status == RK_AGAIN)
		return false;
	ck_assert_int_eq(status, RK_OK);
	ck_assert_int_eq(m.type, HUB_CHANGED);
	get_hub_notice(&m, n);
	ck_assert_int_eq(msg_end(&m, &err), RK_OK);
	return true;
}

START_TEST(others_of_the_account_hear_it_and_nobody_else)
{
	struct relay *relay = relay_new(10, writable, NULL);
	struct peer a = join(relay, 1, "u1"), b = join(relay, 1, "u1"), deaf = join(relay, 1, "u1"),
		    other = join(relay, 1, "u2"), uid = join(relay, 2, "u1");
	struct hub_notice n;

	ck_assert_int_eq(watch(&a, "u1"), RK_OK);
	ck_assert_int_eq(watch(&b, "u1"), RK_OK);
	ck_assert_int_eq(watch(&other, "u2"), RK_OK);
	ck_assert_int_eq(watch(&uid, "u1"), RK_OK);
	ck_assert_int_eq(notify(&a, "u1", 7, 99), RK_OK);
	ck_assert(heard(&b, &n));
	ck_assert_str_eq(n.account, "u1");
	ck_assert_uint_eq(n.box[0], 7);
	ck_assert_uint_eq(n.modseq, 99);
	ck_assert(!heard(&a, &n));
	ck_assert(!heard(&b, &n));
	ck_assert(!heard(&deaf, &n));
	ck_assert(!heard(&other, &n));
	ck_assert(!heard(&uid, &n));
	relay_free(relay);
}
END_TEST

START_TEST(a_foreign_account_is_refused)
{
	struct relay *relay = relay_new(10, writable, NULL);
	struct peer evil = join(relay, 1, "u1"), victim = join(relay, 1, "u2");
	struct hub_notice n;
	struct msg_out m;

	ck_assert_int_eq(watch(&victim, "u2"), RK_OK);
	ck_assert_int_eq(watch(&evil, "u2"), RK_DENIED);
	ck_assert_int_eq(notify(&evil, "u2", 1, 1), RK_DENIED);
	ck_assert(!heard(&victim, &n));
	msg_begin(&m, HUB_JOIN, 0);
	ck_assert_int_eq(deliver(&evil, &m), RK_CORRUPT);
	msg_begin(&m, HUB_CHANGED, 0);
	msg_put_text(&m, "u1");
	ck_assert_int_eq(deliver(&evil, &m), RK_CORRUPT);
	relay_free(relay);
}
END_TEST

START_TEST(who_does_not_read_loses_notices_and_blocks_nobody)
{
	struct relay *relay = relay_new(10, writable, NULL);
	struct peer a = join(relay, 1, "u1"), b = join(relay, 1, "u1");
	struct relay_figures f;
	struct hub_notice n;
	struct rk_err err;
	static const unsigned char zero[RK_GUID_LEN];
	unsigned got = 0;
	bool everything = false;

	full = caught_up = 0;
	ck_assert_int_eq(watch(&b, "u1"), RK_OK);
	for (unsigned i = 0; i < 20000; i++)
		ck_assert_int_eq(notify(&a, "u1", (unsigned char)(1 + i % 200), i), RK_OK);
	ck_assert_uint_eq(full, 1);
	relay_figures(relay, &f);
	ck_assert_uint_gt(f.dropped, 10000);
	for (int round = 0; round < 100 && caught_up == 0; round++) {
		while (heard(&b, &n)) {
			got++;
			if (memcmp(n.box, zero, sizeof(zero)) == 0) {
				ck_assert(!everything);
				everything = true;
			}
		}
		ck_assert_int_eq(relay_flush(b.w, &err), RK_OK);
	}
	while (heard(&b, &n)) {
		got++;
		if (memcmp(n.box, zero, sizeof(zero)) == 0)
			everything = true;
	}
	ck_assert(everything);
	ck_assert_uint_eq(caught_up, 1);
	ck_assert_uint_lt(got, 1000);
	ck_assert_int_eq(notify(&a, "u1", 5, 30000), RK_OK);
	ck_assert(heard(&b, &n));
	ck_assert_uint_eq(n.modseq, 30000);
	relay_free(relay);
}
END_TEST

START_TEST(waiting_notices_of_one_mailbox_become_one)
{
	struct relay *relay = relay_new(10, writable, NULL);
	struct peer a = join(relay, 1, "u1"), b = join(relay, 1, "u1");
	struct relay_figures f;
	struct hub_notice n;
	struct rk_err err;
	uint64_t last = 0;

	full = caught_up = 0;
	ck_assert_int_eq(watch(&b, "u1"), RK_OK);
	for (unsigned i = 1; i <= 5000; i++)
		ck_assert_int_eq(notify(&a, "u1", 9, i), RK_OK);
	relay_figures(relay, &f);
	ck_assert_uint_eq(f.dropped, 0);
	while (caught_up == 0) {
		while (heard(&b, &n))
			last = n.modseq;
		ck_assert_int_eq(relay_flush(b.w, &err), RK_OK);
	}
	while (heard(&b, &n))
		last = n.modseq;
	ck_assert_uint_eq(last, 5000);
	relay_free(relay);
}
END_TEST

START_TEST(there_is_a_limit_and_places_come_free)
{
	struct relay *relay = relay_new(2, writable, NULL);
	struct peer a = join(relay, 1, "u1");
	struct relay_worker *w;
	struct rk_err err;
	int pair[2];

	join(relay, 1, "u1");
	ck_assert_int_eq(ipc_pair(pair, &err), RK_OK);
	ck_assert_int_eq(relay_join(relay, 1, "u1", pair[0], &w, &err), RK_LIMIT);
	ck_assert_int_lt(read(pair[1], &w, 1), 1); /* closed, so the worker knows */
	relay_leave(a.w);
	ck_assert_int_eq(ipc_pair(pair, &err), RK_OK);
	ck_assert_int_eq(relay_join(relay, 1, "", pair[0], &w, &err), RK_INVALID);
	join(relay, 1, "u1");
	relay_free(relay);
}
END_TEST

UNIT_MAIN("relay", others_of_the_account_hear_it_and_nobody_else, a_foreign_account_is_refused,
    who_does_not_read_loses_notices_and_blocks_nobody, waiting_notices_of_one_mailbox_become_one,
    there_is_a_limit_and_places_come_free)
