#include "auth/mech/mech.h"

#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

/* Our side against the client of the same library, and against messages that no client sends. */

static struct mech_lib *lib;
static struct buf out;

static struct mech *
started(const char *name, const char *exporter, const char *unique, bool plus_offered)
{
	struct mech_setup setup = {
		.name = name,
		.cb_exporter = str_from(exporter),
		.cb_unique = str_from(unique),
		.plus_offered = plus_offered,
	};
	struct mech *m;

	if (lib == NULL)
		ck_assert_int_eq(mech_lib_new(&lib, NULL), RK_OK);
	ck_assert_int_eq(mech_start(lib, &setup, &m, NULL), RK_OK);
	return m;
}

static void
ended(struct mech *m)
{
	mech_free(m);
	buf_wipe(&out);
	mech_lib_free(lib);
	lib = NULL;
}

static enum mech_event
said(struct mech *m, const char *bytes, size_t n)
{
	struct str s = str_of(bytes, n);

	return mech_step(m, &s, &out);
}

static bool
is(struct str s, const char *text)
{
	return str_is(s, text);
}

START_TEST(plain)
{
	struct mech *m = started("PLAIN", "", "", true);

	ck_assert_int_eq(mech_step(m, NULL, &out), MECH_CHALLENGE);
	ck_assert_uint_eq(out.len, 0);
	ck_assert_int_eq(said(m, "\0alice\0secret", 13), MECH_VERIFY);
	ck_assert(is(mech_user(m), "alice"));
	ck_assert(is(mech_authzid(m), "alice"));
	ck_assert(is(mech_password(m), "secret"));
	ended(m);
	m = started("PLAIN", "", "", true);
	ck_assert_int_eq(said(m, "bob\0alice\0secret", 16), MECH_VERIFY);
	ck_assert(is(mech_authzid(m), "bob"));
	ended(m);
}
END_TEST

START_TEST(plain_bad)
{
	/* clang-format off */
	static const struct {
		const char *bytes;
		size_t n;
		enum mech_event event;
	} cases[] = {
		{ "alice", 5, MECH_MALFORMED },
		{ "\0alice", 6, MECH_MALFORMED },
		{ "\0", 1, MECH_MALFORMED },
		{ "\0alice\0sec\0ret", 14, MECH_MALFORMED },
		{ "\0\0\0\0", 4, MECH_MALFORMED },
		{ "\0al\xc3\0x", 6, MECH_REJECT },
		{ "\0alice\0\x01", 8, MECH_REJECT },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mech *m = started("PLAIN", "", "", false);
		enum mech_event got = said(m, cases[i].bytes, cases[i].n);

		ck_assert_msg(got == cases[i].event, "case %zu: %d", i, (int)got);
		ended(m);
	}
}
END_TEST

START_TEST(empty_for_ever)
{
	static const char *const names[] = { "PLAIN", "SCRAM-SHA-1", "EXTERNAL" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct mech *m = started(names[i], "", "", false);

		ck_assert_int_eq(mech_step(m, NULL, &out), MECH_CHALLENGE);
		ck_assert_int_eq(mech_step(m, NULL, &out), MECH_MALFORMED);
		ended(m);
	}
}
END_TEST

START_TEST(login)
{
	struct mech *m = started("LOGIN", "", "", false);

	ck_assert_int_eq(mech_step(m, NULL, &out), MECH_CHALLENGE);
	ck_assert_str_eq(out.data, "User Name");
	ck_assert_int_eq(said(m, "alice", 5), MECH_CHALLENGE);
	ck_assert_str_eq(out.data, "Password");
	ck_assert_int_eq(said(m, "se\xc2\xadret", 7), MECH_VERIFY);
	ck_assert(is(mech_user(m), "alice"));
	ck_assert(is(mech_authzid(m), ""));
	ck_assert(is(mech_password(m), "seret")); /* prepared as in PLAIN */
	ended(m);
	m = started("LOGIN", "", "", false);
	ck_assert_int_eq(said(m, "alice", 5), MECH_CHALLENGE);
	ck_assert_str_eq(out.data, "Password");
	ck_assert_int_eq(said(m, "a\0b", 3), MECH_MALFORMED);
	ended(m);
}
END_TEST

START_TEST(external)
{
	struct mech *m = started("EXTERNAL", "", "", false);

	ck_assert_int_eq(mech_step(m, NULL, &out), MECH_CHALLENGE);
	ck_assert_int_eq(said(m, "", 0), MECH_VERIFY);
	ck_assert(is(mech_authzid(m), ""));
	ended(m);
	m = started("EXTERNAL", "", "", false);
	ck_assert_int_eq(said(m, "bob", 3), MECH_VERIFY);
	ck_assert(is(mech_authzid(m), "bob"));
	ended(m);
	m = started("EXTERNAL", "", "", false);
	ck_assert_int_eq(said(m, "b\0b", 3), MECH_MALFORMED);
	ended(m);
}
END_TEST

/* What the client of a test knows. */
static struct {
	const char *user, *password, *authzid, *exporter, *unique;
} client;

static int
client_callback(Gsasl *ctx, Gsasl_session *session, Gsasl_property prop)
{
	const char *text = NULL;

	(void)ctx;
	switch (prop) {
	case GSASL_AUTHID:
		text = client.user;
		break;
	case GSASL_AUTHZID:
		text = client.authzid;
		break;
	case GSASL_PASSWORD:
		text = client.password;
		break;
	case GSASL_CB_TLS_EXPORTER:
		text = client.exporter;
		break;
	case GSASL_CB_TLS_UNIQUE:
		text = client.unique;
		break;
	default:
		break;
	}
	return text == NULL ? GSASL_NO_CALLBACK : gsasl_property_set(session, prop, text);
}

/* The whole exchange; the server knows `password`, with keys at once or derived late. */
static enum mech_event
exchange(struct mech *m, const char *name, const char *password, bool late)
{
	struct scram_keys keys = { .iterations = 4096, .salt_len = 16 };
	enum mech_event event = MECH_CHALLENGE;
	Gsasl_session *session;
	char *text = NULL;
	size_t n = 0;
	Gsasl *ctx;
	int rc;

	memcpy(keys.salt, "0123456789abcdef", 16);
	ck_assert(scram_derive(mech_hash(m), str_from(password), &keys));
	ck_assert_int_eq(gsasl_init(&ctx), GSASL_OK);
	gsasl_callback_set(ctx, client_callback);
	ck_assert_int_eq(gsasl_client_start(ctx, name, &session), GSASL_OK);
	for (int i = 0; i < 3 && event == MECH_CHALLENGE; i++) {
		rc = gsasl_step(session, out.data, out.len, &text, &n);
		if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE) {
			event = MECH_REJECT;
			break;
		}
		event = said(m, text, n);
		gsasl_free(text);
		if (event == MECH_LOOKUP) {
			ck_assert(is(mech_user(m), client.user));
			mech_scram_salt(m, &keys, !late);
			event = mech_resume(m, &out);
		}
		if (event == MECH_KEYS) {
			size_t len = scram_hash_len(mech_hash(m));

			ck_assert(late);
			mech_scram_keys(
			    m, str_of(keys.stored_key, len), str_of(keys.server_key, len));
			event = mech_resume(m, &out);
		}
	}
	if (event == MECH_ACCEPT) { /* the server proves itself too */
		rc = gsasl_step(session, out.data, out.len, &text, &n);
		ck_assert_int_eq(rc, GSASL_OK);
		gsasl_free(text);
	}
	gsasl_finish(session);
	gsasl_done(ctx);
	return event;
}

static const char *const scrams[] = { "SCRAM-SHA-1", "SCRAM-SHA-256" };

START_TEST(scram)
{
	for (size_t i = 0; i < 4; i++) {
		const char *name = scrams[i % 2];
		struct mech *m = started(name, "", "", false);

		client.user = "us,er=";
		client.password = "secret";
		ck_assert(mech_is_scram(m));
		ck_assert_int_eq(exchange(m, name, "secret", i >= 2), MECH_ACCEPT);
		ended(m);
		m = started(name, "", "", false);
		ck_assert_int_eq(exchange(m, name, "other", i >= 2), MECH_REJECT);
		ended(m);
		m = started(name, "", "", false);
		client.authzid = "b=b";
		ck_assert_int_eq(exchange(m, name, "secret", i >= 2), MECH_ACCEPT);
		ck_assert(is(mech_authzid(m), "b=b"));
		client.authzid = NULL;
		ended(m);
	}
}
END_TEST

#define BINDING "0123456789abcdef0123456789abcdef"
#define BINDING_64 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define OTHER_64 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWU="

START_TEST(scram_plus)
{
	static const char *const names[] = { "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS" };

	client.user = "user";
	client.password = "secret";
	for (size_t i = 0; i < 2; i++) {
		struct mech *m = started(names[i], BINDING, "", true);

		client.exporter = BINDING_64;
		client.unique = NULL;
		ck_assert_int_eq(exchange(m, names[i], "secret", false), MECH_ACCEPT);
		ended(m);
		client.exporter = OTHER_64; /* a man in the middle */
		m = started(names[i], BINDING, "", true);
		ck_assert_int_eq(exchange(m, names[i], "secret", false), MECH_REJECT);
		ended(m);
		client.exporter = NULL;
		client.unique = BINDING_64;
		m = started(names[i], "", BINDING, true);
		ck_assert_int_eq(exchange(m, names[i], "secret", true), MECH_ACCEPT);
		ended(m);
		/* A kind of binding that this connection does not have. */
		m = started(names[i], BINDING, "", true);
		ck_assert_int_eq(exchange(m, names[i], "secret", false), MECH_REJECT);
		ended(m);
	}
}
END_TEST

static const struct scram_keys some = { .iterations = 4096, .salt_len = 3, .salt = { 1, 2, 3 } };

/* RFC 5802 section 6: a client that could bind, and was told that we could not, tells us. */
START_TEST(downgrade)
{
	static const struct {
		bool offered;
		const char *exporter;
		enum mech_event event;
	} cases[] = {
		{ true, BINDING, MECH_REJECT },
		{ false, BINDING, MECH_CHALLENGE },
		{ true, "", MECH_CHALLENGE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mech *m = started("SCRAM-SHA-256", cases[i].exporter, "", cases[i].offered);

		ck_assert_int_eq(said(m, "y,,n=user,r=abcdef", 18), MECH_LOOKUP);
		mech_scram_salt(m, &some, true);
		ck_assert_int_eq(mech_resume(m, &out), cases[i].event);
		ended(m);
	}
}
END_TEST

START_TEST(scram_bad)
{
	static const char *const firsts[] = { "n", "n,,", "n,,n=", "n,,n=,r=abc", "n,x,n=u,r=abc",
		"n,,m=ext,n=u,r=abc", "x", ",,,,", "n,,r=abc,n=user" };
	static const char *const lasts[] = { "x", "c=biws,r=abc",
		"c=biws,r=abc,p=", "c=biws,r=abc,p=!!!!" };

	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		struct mech *m = started("SCRAM-SHA-1", "", "", false);

		ck_assert_msg(
		    said(m, firsts[i], strlen(firsts[i])) == MECH_MALFORMED, "%s", firsts[i]);
		ended(m);
	}
	for (size_t i = 0; i < sizeof(lasts) / sizeof(lasts[0]); i++) {
		struct mech *m = started("SCRAM-SHA-1", "", "", false);
		enum mech_event event;

		ck_assert_int_eq(said(m, "n,,n=user,r=abcdef", 18), MECH_LOOKUP);
		mech_scram_salt(m, &some, true);
		ck_assert_int_eq(mech_resume(m, &out), MECH_CHALLENGE);
		event = said(m, lasts[i], strlen(lasts[i]));
		ck_assert_msg(event == MECH_MALFORMED || event == MECH_REJECT, "%s", lasts[i]);
		ended(m);
	}
}
END_TEST

START_TEST(unknown)
{
	struct mech_setup setup = { .name = "CRAM-MD5" };
	struct mech *m;

	ck_assert_int_eq(mech_needs("CRAM-MD5"), MECH_UNKNOWN);
	ck_assert_int_eq(mech_needs("plain"), MECH_UNKNOWN);
	ck_assert_int_eq(mech_needs("SCRAM-SHA-1-PLUS"), MECH_NEEDS_BINDING);
	ck_assert_int_eq(mech_needs("EXTERNAL"), MECH_NEEDS_CERTIFICATE);
	ck_assert_int_eq(mech_lib_new(&lib, NULL), RK_OK);
	ck_assert_int_eq(mech_start(lib, &setup, &m, NULL), RK_NOTFOUND);
	mech_lib_free(lib);
	lib = NULL;
}
END_TEST

UNIT_MAIN("gsasl", plain, plain_bad, empty_for_ever, login, external, scram, scram_plus, downgrade,
    scram_bad, unknown)
