#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/ipc/proto.h"
#include "lib/ipc/sock.h"
#include "tests/unit/imapd/session/harness.h"

static struct harness h;
static struct fake_box *box;

/* INBOX with n messages, selected. */
static void
begin(unsigned n)
{
	harness_init(&h);
	box = fake_box_find("INBOX");
	for (unsigned i = 0; i < n; i++)
		fake_msg_add(box, 0, "a: b\r\n\r\nc\r\n");
	harness_select(&h);
}

/* Longer than the time in which two commands share one look at the store. */
static void
later(void)
{
	usleep(300000);
}

START_TEST(noop_tells_everything)
{
	begin(4);
	fake_msg_expunge(box, 2);
	fake_msg_expunge(box, 3);
	fake_msg_flags(box, 4, RK_FLAG_SEEN | RK_FLAG_FLAGGED);
	fake_msg_add(box, 0, "n\r\n\r\n");
	say(&h, "a NOOP\r\n");
	hear(&h, "* 3 EXPUNGE\r\n* 2 EXPUNGE\r\n* 3 EXISTS\r\n"
		 "* 2 FETCH (UID 4 FLAGS (\\Seen \\Flagged))\r\na OK NOOP completed\r\n");
	say(&h, "b NOOP\r\n");
	hear(&h, "b OK NOOP completed\r\n");
	say(&h, "c FETCH 1:* UID\r\n");
	hear(&h, "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 4)\r\n* 3 FETCH (UID 5)\r\n"
		 "c OK FETCH completed\r\n");
	harness_end(&h);
}
END_TEST

/* RFC 9051 section 7.5.1: no EXPUNGE while numbers are in use; EXISTS and flags are fine. */
START_TEST(fetch_by_number_tells_no_expunge)
{
	begin(3);
	later();
	fake_msg_expunge(box, 1);
	fake_msg_flags(box, 3, RK_FLAG_ANSWERED);
	fake_msg_add(box, 0, "n\r\n\r\n");
	say(&h, "a FETCH 2 UID\r\n");
	hear(&h, "* 2 FETCH (UID 2)\r\n* 4 EXISTS\r\n* 3 FETCH (UID 3 FLAGS (\\Answered))\r\n"
		 "a OK FETCH completed\r\n");
	later();
	say(&h, "b FETCH 1:4 UID\r\n");
	hear(&h, "* 2 FETCH (UID 2)\r\n* 3 FETCH (UID 3)\r\n* 4 FETCH (UID 4)\r\n"
		 "b NO [EXPUNGEISSUED] Some of the messages were expunged\r\n");
	/* A UID that is gone is no mistake, and UID FETCH may tell it. */
	say(&h, "c UID FETCH 1:2 FLAGS\r\n");
	hear(&h, "* 2 FETCH (UID 2 FLAGS ())\r\n* 1 EXPUNGE\r\nc OK FETCH completed\r\n");
	say(&h, "d FETCH 1:* UID\r\n");
	hear(&h, "* 1 FETCH (UID 2)\r\n* 2 FETCH (UID 3)\r\n* 3 FETCH (UID 4)\r\n"
		 "d OK FETCH completed\r\n");
	harness_end(&h);
}
END_TEST

START_TEST(a_body_that_went_away)
{
	begin(2);
	fake_msg_expunge(box, 1);
	say(&h, "a FETCH 1:2 BODY[TEXT]\r\n");
	hear(&h, "* 2 FETCH (BODY[TEXT] {3}\r\nc\r\n)\r\n"
		 "a NO [EXPUNGEISSUED] Some of the messages were expunged\r\n");
	say(&h, "b NOOP\r\n");
	hear(&h, "* 1 EXPUNGE\r\nb OK NOOP completed\r\n");
	harness_end(&h);
}
END_TEST

START_TEST(other_commands_tell_too)
{
	begin(1);
	later();
	fake_msg_add(box, 0, "n\r\n\r\n");
	say(&h, "a NAMESPACE\r\n");
	hear(
	    &h, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n* 2 EXISTS\r\na OK NAMESPACE completed\r\n");
	fake_msg_expunge(box, 1);
	say(&h, "b CHECK\r\n");
	hear(&h, "* 1 EXPUNGE\r\nb OK CHECK completed\r\n");
	fake_msg_expunge(box, 2);
	say(&h, "c CLOSE\r\nd NOOP\r\n");
	hear(&h, "c OK CLOSE completed\r\nd OK NOOP completed\r\n");
	harness_end(&h);
}
END_TEST

START_TEST(idle_tells_at_once)
{
	begin(1);
	say(&h, "a IDLE\r\n");
	hear(&h, "+ idling\r\n");
	hear_nothing(&h, 150);
	fake_msg_add(box, 0, "n\r\n\r\n");
	hear(&h, "* 2 EXISTS\r\n");
	fake_msg_expunge(box, 1);
	hear(&h, "* 1 EXPUNGE\r\n");
	fake_msg_flags(box, 2, RK_FLAG_SEEN);
	hear(&h, "* 1 FETCH (UID 2 FLAGS (\\Seen))\r\n");
	say(&h, "DONE\r\nb NOOP\r\n");
	hear(&h, "a OK IDLE completed\r\nb OK NOOP completed\r\n");
	harness_end(&h);
}
END_TEST

START_TEST(a_change_before_idle_is_told)
{
	begin(1);
	fake_msg_add(box, 0, "n\r\n\r\n");
	say(&h, "a IDLE\r\n");
	hear(&h, "+ idling\r\n* 2 EXISTS\r\n");
	say(&h, "DONE\r\n");
	hear(&h, "a OK IDLE completed\r\n");
	harness_end(&h);
}
END_TEST

/* More news than the output queue takes, for a client that does not listen at once. */
START_TEST(many_expunges)
{
	enum { N = 4000 };
	char line[64];

	begin(N);
	for (uint32_t uid = 1; uid <= N; uid++)
		fake_msg_expunge(box, uid);
	say(&h, "a NOOP\r\n");
	usleep(100000);
	for (unsigned seq = N; seq > 0; seq--) {
		snprintf(line, sizeof(line), "* %u EXPUNGE\r\n", seq);
		hear(&h, line);
	}
	hear(&h, "a OK NOOP completed\r\n");
	harness_end(&h);
}
END_TEST

START_TEST(many_flags)
{
	enum { N = 30000 };
	static char line[100];

	begin(N);
	for (uint32_t uid = 1; uid <= N; uid++)
		fake_msg_flags(box, uid, RK_FLAG_SEEN | RK_FLAG_ANSWERED);
	say(&h, "a NOOP\r\n");
	usleep(300000);
	for (unsigned uid = 1; uid <= N; uid++) {
		snprintf(line, sizeof(line), "* %u FETCH (UID %u FLAGS (\\Seen \\Answered))\r\n",
		    uid, uid);
		hear(&h, line);
	}
	hear(&h, "a OK NOOP completed\r\n");
	harness_end(&h);
}
END_TEST

START_TEST(a_deleted_mailbox_ends_the_session)
{
	begin(1);
	fake_box_remove("INBOX");
	say(&h, "a NOOP\r\nb NOOP\r\n");
	hear(&h, "* BYE The selected mailbox was deleted or renamed\r\n");
	hear_end(&h);
	harness_end(&h);
}
END_TEST

START_TEST(new_uids_end_the_session)
{
	begin(2);
	fake_box_renumber(box);
	say(&h, "a NOOP\r\n");
	hear(&h, "* BYE The selected mailbox was replaced by another\r\n");
	hear_end(&h);
	harness_end(&h);
}
END_TEST

/* --- the hub --- */

static void
hub_read(struct msg_in *m)
{
	struct rk_err err;

	ck_assert(ipc_recv_until(h.hub, m, rk_clock_ms() + 5000, &err) == RK_OK);
}

static void
hub_tell(const struct hub_notice *notice)
{
	struct msg_out m;
	struct rk_err err;

	msg_begin(&m, HUB_CHANGED, 0);
	put_hub_notice(&m, notice);
	ck_assert(ipc_send(h.hub, &m, &err) == RK_OK);
}

START_TEST(the_hub_is_told_and_tells)
{
	struct hub_topic topic;
	struct hub_notice notice;
	struct msg_in m;
	struct rk_err err;

	begin(1);
	hub_read(&m);
	ck_assert_uint_eq(m.type, HUB_WATCH);
	get_hub_topic(&m, &topic);
	ck_assert(msg_end(&m, &err) == RK_OK);
	ck_assert_str_eq(topic.account, "u");
	/* The first SELECT brought the index up to the store. */
	hub_read(&m);
	ck_assert_uint_eq(m.type, HUB_CHANGED);
	get_hub_notice(&m, &notice);
	ck_assert(msg_end(&m, &err) == RK_OK);
	ck_assert_str_eq(notice.account, "u");
	ck_assert_uint_gt(notice.modseq, 0);

	/* A notice makes the next command look, however short the time. */
	say(&h, "a NOOP\r\n");
	hear(&h, "a OK NOOP completed\r\n");
	fake_msg_add(box, 0, "n\r\n\r\n");
	notice.modseq++; /* more than our index knows */
	hub_tell(&notice);
	usleep(50000);
	say(&h, "b NAMESPACE\r\n");
	hear(
	    &h, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n* 2 EXISTS\r\nb OK NAMESPACE completed\r\n");
	harness_end(&h);
}
END_TEST

START_TEST(a_new_hub_comes_from_the_spawner)
{
	struct msg_out out;
	struct msg_in m;
	struct rk_err err;
	int pair[2];

	begin(1);
	close(h.hub);
	usleep(50000);
	ck_assert(ipc_pair(pair, &err) == RK_OK);
	msg_begin(&out, WORKER_HUB, 0);
	msg_put_fd(&out, pair[1]);
	ck_assert(ipc_send(h.spawner, &out, &err) == RK_OK);
	close(pair[1]);
	h.hub = pair[0];
	hub_read(&m);
	ck_assert_uint_eq(m.type, HUB_WATCH);
	msg_drop(&m);
	say(&h, "a NOOP\r\n");
	hear(&h, "a OK NOOP completed\r\n");
	harness_end(&h);
}
END_TEST

START_TEST(a_hub_that_talks_nonsense_is_left)
{
	begin(1);
	ck_assert_int_eq(write(h.hub, "nonsense", 8), 8);
	say(&h, "a NOOP\r\n");
	hear(&h, "a OK NOOP completed\r\n");
	harness_end(&h);
}
END_TEST

UNIT_MAIN("imapd/session updates", noop_tells_everything, fetch_by_number_tells_no_expunge,
    a_body_that_went_away, other_commands_tell_too, idle_tells_at_once,
    a_change_before_idle_is_told, many_expunges, many_flags, a_deleted_mailbox_ends_the_session,
    new_uids_end_the_session, the_hub_is_told_and_tells, a_new_hub_comes_from_the_spawner,
    a_hub_that_talks_nonsense_is_left)
