#include "tests/unit/unit.h"

#include "master/master.h"

#include <stdio.h>
#include <string.h>

START_TEST(every_service_is_described)
{
	for (size_t i = 0; i < SVC_COUNT; i++) {
		ck_assert_ptr_nonnull(services[i].name);
		ck_assert_int_eq(strncmp(services[i].binary, "rookery-", 8), 0);
		ck_assert_uint_lt(strlen(services[i].name), sizeof(((struct link_info *)0)->peer));
		ck_assert_uint_lt(services[i].stop_step, STOP_STEPS);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(services[i].name, services[k].name);
	}
}
END_TEST

START_TEST(edges_name_services_once_and_never_the_log)
{
	for (size_t i = 0; i < service_nedges; i++) {
		const struct service_edge *e = &service_edges[i];

		ck_assert_int_lt(e->from, SVC_COUNT);
		ck_assert_int_lt(e->to, SVC_COUNT);
		ck_assert_int_ne(e->from, e->to);
		ck_assert_int_ne(e->from, SVC_LOG);
		ck_assert_int_ne(e->to, SVC_LOG);
		/* One way only, or nobody could be started first. */
		ck_assert(!services_asks(e->to, e->from));
		/* Who asks is drained no later than who answers. */
		ck_assert_uint_le(services[e->from].stop_step, services[e->to].stop_step);
	}
}
END_TEST

START_TEST(the_picture_of_who_may_talk_to_whom)
{
	ck_assert(services_asks(SVC_GATE, SVC_AUTHD));
	ck_assert(services_may_talk(SVC_SPAWNER, SVC_GATE));
	ck_assert(!services_may_talk(SVC_GATE, SVC_HUB));
	ck_assert(!services_may_talk(SVC_AUTHD, SVC_HUB));
	ck_assert(!services_may_talk(SVC_GATE, SVC_GATE));
	ck_assert_uint_eq(service_nedges, 4);
}
END_TEST

START_TEST(only_the_spawner_stays_root_and_the_log_goes_last)
{
	for (size_t i = 0; i < SVC_COUNT; i++) {
		ck_assert_int_eq(services[i].user_option == NULL, i == SVC_SPAWNER);
		if (i != SVC_LOG)
			ck_assert_uint_lt(services[i].stop_step, services[SVC_LOG].stop_step);
	}
}
END_TEST

START_TEST(links_follow_the_states)
{
	/* clang-format off */
	static const struct {
		enum service_id client, provider;
		enum child_state cs, ps;
		bool wanted;
	} cases[] = {
		{ SVC_GATE,    SVC_AUTHD,   CHILD_STARTING, CHILD_READY,    true },
		{ SVC_GATE,    SVC_AUTHD,   CHILD_READY,    CHILD_READY,    true },
		{ SVC_GATE,    SVC_AUTHD,   CHILD_DRAINING, CHILD_READY,    true },
		{ SVC_GATE,    SVC_AUTHD,   CHILD_READY,    CHILD_STARTING, false },
		{ SVC_GATE,    SVC_AUTHD,   CHILD_READY,    CHILD_DRAINING, false },
		{ SVC_SPAWNER, SVC_AUTHD,   CHILD_READY,    CHILD_DRAINING, true },
		{ SVC_SPAWNER, SVC_AUTHD,   CHILD_DOOMED,   CHILD_READY,    false },
		{ SVC_GATE,    SVC_SPAWNER, CHILD_READY,    CHILD_DOOMED,   false },
		{ SVC_GATE,    SVC_SPAWNER, CHILD_NONE,     CHILD_READY,    false },
		{ SVC_AUTHD,   SVC_GATE,    CHILD_READY,    CHILD_READY,    false },
		{ SVC_GATE,    SVC_HUB,     CHILD_READY,    CHILD_READY,    false },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct child client = { .service = cases[i].client, .state = cases[i].cs };
		struct child provider = { .service = cases[i].provider, .state = cases[i].ps };

		ck_assert_msg(link_wanted(&client, &provider) == cases[i].wanted, "case %zu", i);
	}
}
END_TEST

START_TEST(a_request_is_checked_before_anything_is_done)
{
	struct admin_request r = { .verb = "kick", .nargs = 1 };
	struct rk_err err;

	snprintf(r.args[0], sizeof(r.args[0]), "u1");
	ck_assert_int_eq(admin_check(&r, &err), RK_OK);
	r.args[0][0] = '\0'; /* would be everybody */
	ck_assert_int_eq(admin_check(&r, &err), RK_INVALID);
	r.nargs = 0;
	ck_assert_int_eq(admin_check(&r, &err), RK_INVALID);
	snprintf(r.verb, sizeof(r.verb), "status");
	ck_assert_int_eq(admin_check(&r, &err), RK_OK);
	r.nargs = 2;
	ck_assert_int_eq(admin_check(&r, &err), RK_INVALID);
	snprintf(r.verb, sizeof(r.verb), "shell");
	ck_assert_int_eq(admin_check(&r, &err), RK_UNSUPPORTED);
}
END_TEST

START_TEST(session_ids_are_told_from_users)
{
	char sid[SID_LEN + 1];

	sid_make(sid);
	ck_assert(admin_is_sid(sid));
	ck_assert(!admin_is_sid("user1"));
	ck_assert(!admin_is_sid(""));
	ck_assert(!admin_is_sid("abcdefghijklmnop"));
	ck_assert(!admin_is_sid("ABCDEFGHIJKLMNOP2"));
	ck_assert(!admin_is_sid("ABCDEFGHIJKLMNO1"));
}
END_TEST

UNIT_MAIN("services", every_service_is_described, edges_name_services_once_and_never_the_log,
    the_picture_of_who_may_talk_to_whom, only_the_spawner_stays_root_and_the_log_goes_last,
    links_follow_the_states, a_request_is_checked_before_anything_is_done,
    session_ids_are_told_from_users)
