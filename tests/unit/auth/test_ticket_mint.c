#include "auth/ticket_mint.h"

#include <string.h>

#include "tests/unit/unit.h"

#define LIFE 30000
#define SID "AAAAAAAAAAAAAAAA"

static struct grant grant = {
	.user = "alice",
	.uid = 1001,
	.gid = 1002,
	.home = "/home/alice",
	.nparams = 1,
	.params = { { "path", "/mail" } },
};
static struct grant got;

static struct mint *
made(uint32_t capacity)
{
	struct mint *m;

	ck_assert_int_eq(mint_new(capacity, 7, LIFE, &m, NULL), RK_OK);
	return m;
}

static struct ticket
issued(struct mint *m, int64_t now)
{
	struct ticket t;

	ck_assert_int_eq(mint_issue(m, SID, &grant, now, &t, NULL), RK_OK);
	return t;
}

START_TEST(once)
{
	struct mint *m = made(4);
	struct ticket t = issued(m, 1000);

	ck_assert_uint_eq(t.generation, 7);
	ck_assert_uint_eq(mint_waiting(m, 1000), 1);
	ck_assert_int_eq(mint_redeem(m, &t, SID, 1001, &got, NULL), RK_OK);
	ck_assert_str_eq(got.user, "alice");
	ck_assert_uint_eq(got.uid, 1001);
	ck_assert_str_eq(got.params[0].value, "/mail");
	ck_assert_int_eq(mint_redeem(m, &t, SID, 1002, &got, NULL), RK_DENIED);
	ck_assert_uint_eq(mint_waiting(m, 1002), 0);
	mint_free(m);
}
END_TEST

START_TEST(wrong_session)
{
	struct mint *m = made(4);
	struct ticket t = issued(m, 1000);

	ck_assert_int_eq(mint_redeem(m, &t, "BBBBBBBBBBBBBBBB", 1001, &got, NULL), RK_DENIED);
	ck_assert_int_eq(mint_redeem(m, &t, SID, 1001, &got, NULL), RK_DENIED);
	mint_free(m);
}
END_TEST

START_TEST(expiry)
{
	struct mint *m = made(4);
	struct ticket first = issued(m, 1000), second = issued(m, 2000);

	ck_assert_int_eq(mint_redeem(m, &first, SID, 1000 + LIFE, &got, NULL), RK_DENIED);
	ck_assert_int_eq(mint_redeem(m, &second, SID, 1999 + LIFE, &got, NULL), RK_OK);
	mint_free(m);
}
END_TEST

/* S09: what nobody was given, in any number, is worth nothing. */
START_TEST(forgeries)
{
	struct mint *m = made(64);
	struct ticket t = issued(m, 1000), forged;

	for (int i = 0; i < 100000; i++) {
		ticket_make(&forged, 7);
		ck_assert_int_eq(mint_redeem(m, &forged, SID, 1001, &got, NULL), RK_DENIED);
	}
	for (size_t i = 0; i < TICKET_LEN; i++) {
		forged = t;
		forged.bytes[i] ^= 1;
		ck_assert_int_eq(mint_redeem(m, &forged, SID, 1001, &got, NULL), RK_DENIED);
	}
	forged = t;
	forged.generation = 8;
	ck_assert_int_eq(mint_redeem(m, &forged, SID, 1001, &got, NULL), RK_DENIED);
	memset(&forged, 0, sizeof(forged));
	ck_assert_int_eq(mint_redeem(m, &forged, SID, 1001, &got, NULL), RK_DENIED);
	ck_assert_int_eq(mint_redeem(m, &t, SID, 1001, &got, NULL), RK_OK);
	mint_free(m);
}
END_TEST

START_TEST(bounded)
{
	struct mint *m = made(3);
	struct ticket t[3], more;

	for (int round = 0; round < 5; round++) {
		int64_t now = 1000 + round * (int64_t)LIFE;

		for (int i = 0; i < 3; i++)
			t[i] = issued(m, now);
		ck_assert_int_eq(mint_issue(m, SID, &grant, now, &more, NULL), RK_LIMIT);
		ck_assert_int_eq(mint_redeem(m, &t[round % 3], SID, now, &got, NULL), RK_OK);
		ck_assert_uint_eq(mint_waiting(m, now), 2);
	}
	mint_free(m);
}
END_TEST

UNIT_MAIN("ticket_mint", once, wrong_session, expiry, forgeries, bounded)
