#include "auth/scheme.h"

#include <argon2.h>
#include <string.h>

#include "auth/base64.h"
#include "tests/unit/unit.h"

/* clang-format off */
#define SCRAM_1 "4096,MDEyMzQ1Njc4OWFiY2RlZg==,9Nq8JPBpBuvlikztbH13Z+81LjY=,7UfBAH/y4/kmwJgK0JrhpWxuD6Q="
#define SCRAM_256 \
	"4096,MDEyMzQ1Njc4OWFiY2RlZg==,uqUSh1GvuL8i83JY1mnVrH+TL9VHnef3HuBQHNGpvQU=," \
	"1kywqmWCQH9HLTUAdcM4kiWQfXMVXmFBjj5U3NJiSu8="
#define SHA512 "$6$rounds=1000$saltsalt$FiBN5PCSQz7PpTOT7vwGSzY2QH528hJHj.FtyQdehiyRbdxPIZydG7z9a4mOh." \
	"ZWHCU17ZsaRhe.JmCaRFZjY."
#define YESCRYPT "$y$j75$abcdefgh$X8GMXMDcy1Gm4ECi62YN3gYJL4qXnVr50W/4aFlg214"
#define BCRYPT "$2b$04$abcdefghijklmnopqrstuufznL8bkzdtHwLhca4To/v9Lo9bA7fR6"
#define ARGON2 "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

static const struct {
	const char *field;
	enum scheme scheme;
	const char *password;
	const char *class;
} good[] = {
	{ "{PLAIN}pass", SCHEME_PLAIN, "pass", "" },
	{ "{plain}pass", SCHEME_PLAIN, "pass", "" },
	{ "{CLEARTEXT}pass", SCHEME_PLAIN, "pass", "" },
	{ "{PLAIN}I\xc2\xadX", SCHEME_PLAIN, "IX", "" }, /* prepared on both sides */
	{ SHA512, SCHEME_CRYPT, "pass", "$6$rounds=1000$" },
	{ "{CRYPT}" SHA512, SCHEME_CRYPT, "pass", "$6$rounds=1000$" },
	{ "{SHA512-CRYPT}" SHA512, SCHEME_CRYPT, "pass", "$6$rounds=1000$" },
	{ "{CRYPT}$5$saltsalt$9k0iflfLhuazVMAUTm0egnVlpP5ays5xBLqSJuoPfB9", SCHEME_CRYPT, "pass", "$5$" },
	{ "{CRYPT}" YESCRYPT, SCHEME_CRYPT, "pass", "$y$j75$" },
	{ "{YESCRYPT}" YESCRYPT, SCHEME_CRYPT, "pass", "$y$j75$" },
	{ "{BLF-CRYPT}" BCRYPT, SCHEME_CRYPT, "pass", "$2b$04$" },
	{ "{ARGON2ID}" ARGON2, SCHEME_ARGON2ID, "password", "$argon2id$v=19$m=65536,t=2,p=1$" },
	{ "{SCRAM-SHA-1}" SCRAM_1, SCHEME_SCRAM_SHA_1, "pass", "4096" },
	{ "{SCRAM-SHA-256}" SCRAM_256, SCHEME_SCRAM_SHA_256, "pass", "4096" },
};

static const char *const bad[] = {
	"pass", "{PLAIN", "{PLAIN}", "{MD5}abc", "{NOSUCH}abc", "{}", "{", "{CRYPT}", "{CRYPT}pass",
	"$1$salt$qJH7.N4xYta3aEG/dfqo/0", "{CRYPT}ab01FAX.bQRSU", "{SHA512-CRYPT}" YESCRYPT,
	"{YESCRYPT}" SHA512, "$6$rounds=99999999$salt$x", "$2b$31$abcdefghijklmnopqrstuu",
	"$6$salt$\x01", "{ARGON2ID}pass", "{ARGON2ID}$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAA",
	"{ARGON2ID}$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	"{ARGON2ID}$argon2id$v=19$m=65536,t=1000,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	"{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1000$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	"{ARGON2ID}$argon2id$v=16$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	"{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhF", "{ARGON2ID}" ARGON2 "$",
	"{SCRAM-SHA-1}" SCRAM_256, "{SCRAM-SHA-256}" SCRAM_1, "{SCRAM-SHA-1}", "{SCRAM-SHA-1}4096",
	"{SCRAM-SHA-1}0,MDEy,9Nq8JPBpBuvlikztbH13Z+81LjY=,7UfBAH/y4/kmwJgK0JrhpWxuD6Q=",
	"{SCRAM-SHA-1}9999999,MDEy,9Nq8JPBpBuvlikztbH13Z+81LjY=,7UfBAH/y4/kmwJgK0JrhpWxuD6Q=",
	"{SCRAM-SHA-1}4096,,9Nq8JPBpBuvlikztbH13Z+81LjY=,7UfBAH/y4/kmwJgK0JrhpWxuD6Q=",
	"{SCRAM-SHA-1}" SCRAM_1 ",",
	"{SCRAM-SHA-1}" SCRAM_1 ",x",
};
/* clang-format on */

START_TEST(vectors)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct stored stored;
		struct rk_err err = { 0 };
		struct str class;

		ck_assert_msg(stored_parse(str_from(good[i].field), &stored, &err) == RK_OK,
		    "%s: %s", good[i].field, err.text);
		ck_assert_int_eq(stored.scheme, good[i].scheme);
		class = stored_class(&stored);
		ck_assert_msg(str_is(class, good[i].class), "%.*s", (int)class.n, class.p);
		ck_assert_msg(stored_verify(&stored, str_from(good[i].password)) == VERDICT_YES,
		    "%s", good[i].field);
		ck_assert_int_eq(stored_verify(&stored, str_from("Pass")), VERDICT_NO);
		ck_assert_int_eq(stored_verify(&stored, str_from("")), VERDICT_NO);
		ck_assert_int_eq(stored_verify(&stored, str_from("pass ")), VERDICT_NO);
	}
}
END_TEST

START_TEST(refused)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct stored stored;
		struct rk_err err = { 0 };

		ck_assert_msg(
		    stored_parse(str_from(bad[i]), &stored, &err) == RK_INVALID, "%s", bad[i]);
		ck_assert_str_ne(err.text, "");
	}
}
END_TEST

START_TEST(none)
{
	static const char *const fields[] = { "", "x", "*", "!", "!" SHA512 };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct stored stored;

		ck_assert_int_eq(stored_parse(str_from(fields[i]), &stored, NULL), RK_OK);
		ck_assert_int_eq(stored.scheme, SCHEME_NONE);
		ck_assert_int_eq(stored_verify(&stored, str_from("")), VERDICT_NO);
		ck_assert_int_eq(stored_verify(&stored, str_from("x")), VERDICT_NO);
	}
}
END_TEST

/* Lanes are computed one after the other, and give what the library gives with threads. */
START_TEST(argon2_lanes)
{
	for (uint32_t lanes = 1; lanes <= 4; lanes++) {
		char field[256] = "{ARGON2ID}";
		struct stored stored;

		ck_assert_int_eq(argon2id_hash_encoded(2, 64, lanes, "pass", 4, "saltsalt", 8, 32,
				     field + 10, sizeof(field) - 10),
		    ARGON2_OK);
		ck_assert_int_eq(stored_parse(str_from(field), &stored, NULL), RK_OK);
		ck_assert_int_eq(stored_verify(&stored, str_from("pass")), VERDICT_YES);
		ck_assert_int_eq(stored_verify(&stored, str_from("fail")), VERDICT_NO);
	}
}
END_TEST

START_TEST(derived)
{
	struct scram_keys want, got;

	ck_assert_int_eq(scram_keys_parse(str_from(SCRAM_1), SCRAM_SHA_1, &want, NULL), RK_OK);
	got = want;
	memset(got.stored_key, 0, sizeof(got.stored_key));
	memset(got.server_key, 0, sizeof(got.server_key));
	ck_assert(scram_derive(SCRAM_SHA_1, str_from("pass"), &got));
	ck_assert_mem_eq(got.stored_key, want.stored_key, 20);
	ck_assert_mem_eq(got.server_key, want.server_key, 20);
	ck_assert(!scram_derive(SCRAM_SHA_1, str_from("pa\xc2\x85ss"), &got));
}
END_TEST

START_TEST(long_passwords)
{
	static char text[PASSWORD_MAX + 2];
	struct stored stored;

	memset(text, 'a', sizeof(text));
	ck_assert_int_eq(stored_parse(str_from("{PLAIN}pass"), &stored, NULL), RK_OK);
	ck_assert_int_eq(stored_verify(&stored, str_of(text, PASSWORD_MAX + 1)), VERDICT_NO);
	ck_assert_int_eq(stored_parse(str_from(SHA512), &stored, NULL), RK_OK);
	ck_assert_int_ne(stored_verify(&stored, str_of(text, PASSWORD_MAX)), VERDICT_YES);
}
END_TEST

START_TEST(base64)
{
	static const struct {
		const char *text;
		bool bare, ok;
		const char *bytes;
	} cases[] = {
		{ "", false, true, "" }, { "Zg==", false, true, "f" },
		{ "Zm8=", false, true, "fo" }, { "Zm9v", false, true, "foo" },
		{ "Zm9vYmFy", false, true, "foobar" }, { "Zg", true, true, "f" },
		{ "Zg", false, false, NULL }, { "Zg==", true, false, NULL },
		{ "Zh==", false, false, NULL }, /* left-over bits */
		{ "Z", true, false, NULL }, { "Zg=", false, false, NULL },
		{ "====", false, false, NULL }, { "Zm9v====", false, false, NULL },
		{ "Zm 9v", false, false, NULL }, { "Zm-v", false, false, NULL },
		{ "Zm9vYmFyZm9vYmFyZm9v", false, false, NULL }, /* does not fit */
	};
	unsigned char out[12];
	char text[B64_SIZE(12)];
	size_t n;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool ok = b64_decode(str_from(cases[i].text), cases[i].bare, out, sizeof(out), &n);

		ck_assert_msg(ok == cases[i].ok, "%s", cases[i].text);
		if (!ok)
			continue;
		ck_assert(str_is(str_of(out, n), cases[i].bytes));
		b64_encode(out, n, text, sizeof(text));
		if (!cases[i].bare)
			ck_assert_str_eq(text, cases[i].text);
	}
}
END_TEST

UNIT_MAIN("scheme", vectors, refused, none, argon2_lanes, derived, long_passwords, base64)
