#include "auth/request.h"

#include <event2/event.h>
#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/os_linux.h"
#include "tests/unit/unit.h"

/* authd without its main(): a gate and a spawner on socket pairs, a passwd-file, real children. */

#define SID "AAAAAAAAAAAAAAAA"
#define GRID_MS 100
#define SHA512                                                                                     \
	"$6$rounds=1000$saltsalt$FiBN5PCSQz7PpTOT7vwGSzY2QH528hJHj.FtyQdehiyRbdxPIZydG7z9a4mOh."   \
	"ZWHCU17ZsaRhe.JmCaRFZjY."

static struct authd a;
static int gate, spawner;
static char dir[32], path[64];
static struct msg_in got;
static struct msg_out m;

static void
passwd_write(void)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs("alice:" SHA512 ":1001:1001::/home/alice\n"
	      "bob:{PLAIN}pass:1002:1002::/home/bob\n"
	      "carol:!" SHA512 ":1003:1003::/home/carol\n"
	      "dave::1004:1004::/home/dave\n"
	      "erin:{SCRAM-SHA-256}4096,MDEyMzQ1Njc4OWFiY2RlZg==,"
	      "uqUSh1GvuL8i83JY1mnVrH+TL9VHnef3HuBQHNGpvQU=,"
	      "1kywqmWCQH9HLTUAdcM4kiWQfXMVXmFBjj5U3NJiSu8=:1005:1005::/home/erin\n",
	    f);
	fclose(f);
}

static int
linked(const char *peer)
{
	struct link_info info = { .generation = 1 };
	int pair[2];

	ck_assert_int_eq(ipc_pair(pair, NULL), RK_OK);
	ck_assert_int_eq(ipc_nonblock(pair[1], true, NULL), RK_OK);
	snprintf(info.peer, sizeof(info.peer), "%s", peer);
	ck_assert_int_eq(link_add(&a, &info, pair[0], NULL), RK_OK);
	return pair[1];
}

static void
pool_make(uint32_t queue)
{
	struct lockdown how = {
		.mode = SANDBOX_BEST_EFFORT,
		.uid = geteuid() == 0 ? 61102 : geteuid(),
		.gid = geteuid() == 0 ? 61102 : getegid(),
		.empty_dir = "/",
	};
	struct hash_setup hash = {
		.children = 2, .queue = queue, .done = request_hash_done, .arg = &a
	};

	ck_assert_int_eq(hash_forker_start(&how, &hash.forker_fd, NULL), RK_OK);
	ck_assert_int_eq(hash_pool_new(a.base, &hash, &a.pool, NULL), RK_OK);
}

static void
setup_with(uint32_t queue, int64_t max_penalty)
{
	static const char *const mechanisms[] = { "PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256",
		"SCRAM-SHA-256-PLUS", "EXTERNAL" };
	static struct db_settings settings;

	a = (struct authd){ .set = { .names = { .default_domain = "", .lower = true } } };
	log_init(-1, "test", RK_LOG_ERROR);
	strcpy(dir, "/tmp/rk-request-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/passwd", dir);
	passwd_write();
	a.base = event_base_new();
	pool_make(queue);
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
		a.set.mechanisms[a.set.nmechanisms++] = mechanisms[i];
	a.set.plus_offered = true;
	a.set.grid_ms = GRID_MS;
	a.set.scram_iterations = 4096;
	a.set.requests_per_peer = 64;
	scram_salt_key_random(&a.salt_key);
	settings = (struct db_settings){ .title = "t",
		.path = path,
		.uid = "",
		.gid = "",
		.home = "",
		.storage = "",
		.names = a.set.names };
	a.databases[0].driver = &passwdfile_driver;
	ck_assert_int_eq(passwdfile_driver.open(&settings, &a.databases[0].db, NULL), RK_OK);
	a.ndatabases = 1;
	ck_assert_int_eq(mech_lib_new(&a.mechs, NULL), RK_OK);
	ck_assert_int_eq(penalty_new(64, max_penalty, 60000, &a.penalty, NULL), RK_OK);
	ck_assert_int_eq(mint_new(16, 3, 5000, &a.mint, NULL), RK_OK);
	ck_assert_int_eq(requests_new(&a, &a.requests, NULL), RK_OK);
	ck_assert_int_eq(links_new(&a, &a.links, NULL), RK_OK);
	gate = linked("gate");
	spawner = linked("imapd");
}

static void
setup(void)
{
	setup_with(16, 0);
}

static void
teardown(void)
{
	links_free(a.links);
	ck_assert_uint_eq(requests_count(a.requests), 0);
	requests_free(a.requests);
	hash_pool_free(a.pool);
	mint_free(a.mint);
	penalty_free(a.penalty);
	mech_lib_free(a.mechs);
	passwdfile_driver.close(a.databases[0].db);
	event_base_free(a.base);
	close(gate);
	close(spawner);
	unlink(path);
	rmdir(dir);
}

/* Runs authd until something comes for `fd`, at most `ms`. */
static enum rk_status
received(int fd, int ms)
{
	int64_t end = rk_clock_ms() + ms;
	enum rk_status status;

	do {
		struct timeval step = { .tv_usec = 2000 };

		event_base_loopexit(a.base, &step);
		event_base_dispatch(a.base);
		status = ipc_recv(fd, &got, NULL);
	} while (status == RK_AGAIN && rk_clock_ms() < end);
	return status;
}

struct start {
	const char *mechanism;
	const char *initial;
	size_t n;
	bool clear;
	const char *cert, *exporter, *remote;
};

static void
start(uint64_t id, const struct start *s)
{
	struct auth_start as = {
		.sid = SID,
		.tls = !s->clear,
		.has_initial = s->initial != NULL,
		.initial = str_of(s->initial, s->n),
		.remote = { .address = "192.0.2.1" },
		.cb_exporter = str_from(s->exporter),
	};

	snprintf(as.mechanism, sizeof(as.mechanism), "%s", s->mechanism);
	if (s->remote != NULL)
		snprintf(as.remote.address, sizeof(as.remote.address), "%s", s->remote);
	if (s->cert != NULL)
		snprintf(as.cert_user, sizeof(as.cert_user), "%s", s->cert);
	msg_begin(&m, AUTH_START, id);
	put_auth_start(&m, &as);
	ck_assert_int_eq(ipc_send(gate, &m, NULL), RK_OK);
}

static void
plain(uint64_t id, const char *user, const char *password)
{
	char text[128];
	size_t n = 0;
	struct start s = { .mechanism = "PLAIN", .initial = text };

	text[n++] = '\0';
	n += (size_t)sprintf(text + n, "%s", user);
	text[n++] = '\0';
	n += (size_t)sprintf(text + n, "%s", password);
	s.n = n;
	start(id, &s);
}

/* The answer is AUTH_OK; its ticket. */
static struct ticket
accepted(uint64_t id, const char *user)
{
	struct auth_ok ok;

	ck_assert_int_eq(received(gate, 10000), RK_OK);
	ck_assert_uint_eq(got.type, AUTH_OK);
	ck_assert_uint_eq(got.id, id);
	get_auth_ok(&got, &ok);
	ck_assert_int_eq(msg_end(&got, NULL), RK_OK);
	ck_assert_str_eq(ok.user, user);
	return ok.ticket;
}

static void
failed(uint64_t id, enum auth_failure reason)
{
	struct auth_fail fail;

	ck_assert_int_eq(received(gate, 10000), RK_OK);
	ck_assert_uint_eq(got.type, AUTH_FAIL);
	ck_assert_uint_eq(got.id, id);
	get_auth_fail(&got, &fail);
	ck_assert_int_eq(msg_end(&got, NULL), RK_OK);
	ck_assert_int_eq(fail.reason, reason);
}

static uint16_t
redeemed(const struct ticket *t, const char *sid)
{
	msg_begin(&m, REDEEM, 9);
	put_ticket(&m, t);
	msg_put_text(&m, sid);
	ck_assert_int_eq(ipc_send(spawner, &m, NULL), RK_OK);
	ck_assert_int_eq(received(spawner, 5000), RK_OK);
	ck_assert_uint_eq(got.id, 9);
	return got.type;
}

START_TEST(good)
{
	struct ticket t;
	struct grant grant;

	setup();
	plain(1, "Alice", "pass");
	t = accepted(1, "alice");
	ck_assert_uint_eq(t.generation, 3);
	ck_assert_uint_eq(redeemed(&t, SID), GRANT);
	get_grant(&got, &grant);
	ck_assert_int_eq(msg_end(&got, NULL), RK_OK);
	ck_assert_uint_eq(grant.uid, 1001);
	ck_assert_str_eq(grant.home, "/home/alice");
	ck_assert_uint_eq(redeemed(&t, SID), GRANT_REFUSED);
	plain(2, "bob", "pass");
	t = accepted(2, "bob");
	ck_assert_uint_eq(redeemed(&t, "BBBBBBBBBBBBBBBB"), GRANT_REFUSED);
	plain(3, "erin", "pass");
	accepted(3, "erin");
	teardown();
}
END_TEST

/* V17: the same bytes, and a time on the grid, whatever was wrong. */
START_TEST(refused_alike)
{
	static const char *const tries[][2] = { { "alice", "wrong" }, { "nobody", "pass" },
		{ "carol", "pass" }, { "dave", "pass" }, { "dave", "" }, { "a/b", "pass" },
		{ "bob", "wrong" }, { "erin", "wrong" }, { "", "pass" } };
	unsigned char first[MSG_MAX];
	size_t first_len = 0;

	setup();
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		int64_t off;

		plain(7, tries[i][0], tries[i][1]);
		ck_assert_int_eq(received(gate, 10000), RK_OK);
		off = rk_clock_ms() % GRID_MS;
		ck_assert_msg(
		    off < GRID_MS * 3 / 4, "%s: %d ms off the grid", tries[i][0], (int)off);
		ck_assert_uint_eq(got.type, AUTH_FAIL);
		if (i == 0) {
			first_len = got.len;
			memcpy(first, got.bytes, got.len);
		}
		ck_assert_uint_eq(got.len, first_len);
		ck_assert_mem_eq(got.bytes, first, first_len);
	}
	teardown();
}
END_TEST

START_TEST(authorization)
{
	struct start other = { .mechanism = "PLAIN", .initial = "bob\0alice\0pass", .n = 14 };
	struct start same = { .mechanism = "PLAIN", .initial = "ALICE\0alice\0pass", .n = 16 };

	setup();
	start(1, &other);
	failed(1, AUTH_REJECTED);
	start(2, &same);
	accepted(2, "alice");
	teardown();
}
END_TEST

START_TEST(which_mechanisms)
{
	struct start cram = { .mechanism = "CRAM-MD5" };
	struct start plus1 = { .mechanism = "SCRAM-SHA-1-PLUS", .exporter = "x" };
	struct start plus = { .mechanism = "SCRAM-SHA-256-PLUS" };
	struct start plus_clear = {
		.mechanism = "SCRAM-SHA-256-PLUS", .exporter = "x", .clear = true
	};
	struct start external = { .mechanism = "EXTERNAL", .initial = "", .cert = "alice" };
	struct start no_cert = { .mechanism = "EXTERNAL", .initial = "" };
	struct start as_bob = {
		.mechanism = "EXTERNAL", .initial = "bob", .n = 3, .cert = "alice"
	};
	struct start locked = { .mechanism = "EXTERNAL", .initial = "", .cert = "carol" };

	setup();
	start(1, &cram);
	failed(1, AUTH_NO_MECHANISM);
	start(2, &plus1); /* known, and not in the list */
	failed(2, AUTH_NO_MECHANISM);
	start(3, &plus); /* no binding */
	failed(3, AUTH_NO_MECHANISM);
	start(4, &plus_clear);
	failed(4, AUTH_NEEDS_TLS);
	start(5, &external);
	accepted(5, "alice");
	start(6, &no_cert);
	failed(6, AUTH_NO_MECHANISM);
	start(7, &as_bob);
	failed(7, AUTH_REJECTED);
	start(8, &locked);
	failed(8, AUTH_REJECTED);
	teardown();
}
END_TEST

static void
answer(uint64_t id, const char *bytes, size_t n)
{
	msg_begin(&m, AUTH_CONTINUE, id);
	msg_put_bytes(&m, bytes, n);
	ck_assert_int_eq(ipc_send(gate, &m, NULL), RK_OK);
}

static struct str
challenged(uint64_t id)
{
	struct str s;

	ck_assert_int_eq(received(gate, 10000), RK_OK);
	ck_assert_uint_eq(got.type, AUTH_CHALLENGE);
	ck_assert_uint_eq(got.id, id);
	s = msg_get_str(&got, AUTH_DATA_MAX);
	ck_assert_int_eq(msg_end(&got, NULL), RK_OK);
	return s;
}

static int
client_callback(Gsasl *ctx, Gsasl_session *session, Gsasl_property prop)
{
	const char **who = gsasl_callback_hook_get(ctx);

	if (prop == GSASL_AUTHID)
		return gsasl_property_set(session, prop, who[0]);
	if (prop == GSASL_PASSWORD)
		return gsasl_property_set(session, prop, who[1]);
	return GSASL_NO_CALLBACK;
}

/* SCRAM from end to end; the server's first message is copied to `first`. */
static void
scram(uint64_t id, const char *mechanism, const char *user, const char *password, char *first)
{
	const char *who[2] = { user, password };
	struct start s = { .mechanism = mechanism };
	Gsasl_session *session;
	struct str challenge;
	Gsasl *ctx;
	char *text;
	size_t n;

	ck_assert_int_eq(gsasl_init(&ctx), GSASL_OK);
	gsasl_callback_hook_set(ctx, (void *)who);
	gsasl_callback_set(ctx, client_callback);
	ck_assert_int_eq(gsasl_client_start(ctx, mechanism, &session), GSASL_OK);
	ck_assert_int_eq(gsasl_step(session, NULL, 0, &text, &n), GSASL_NEEDS_MORE);
	s.initial = text;
	s.n = n;
	start(id, &s);
	gsasl_free(text);
	challenge = challenged(id);
	snprintf(first, 512, "%.*s", (int)challenge.n, challenge.p);
	ck_assert_int_eq(
	    gsasl_step(session, challenge.p, challenge.n, &text, &n), GSASL_NEEDS_MORE);
	answer(id, text, n);
	gsasl_free(text);
	gsasl_finish(session);
	gsasl_done(ctx);
}

START_TEST(scram_logins)
{
	char first[512];

	setup();
	scram(1, "SCRAM-SHA-256", "erin", "pass", first); /* stored keys */
	accepted(1, "erin");
	scram(2, "SCRAM-SHA-256", "erin", "wrong", first);
	failed(2, AUTH_REJECTED);
	scram(3, "SCRAM-SHA-1", "bob", "pass", first); /* derived */
	accepted(3, "bob");
	scram(4, "SCRAM-SHA-1", "bob", "wrong", first);
	failed(4, AUTH_REJECTED);
	scram(5, "SCRAM-SHA-1", "erin", "pass", first); /* keys of the other hash */
	failed(5, AUTH_REJECTED);
	scram(6, "SCRAM-SHA-1", "alice", "pass", first); /* a hash that SCRAM can't use */
	failed(6, AUTH_REJECTED);
	scram(7, "SCRAM-SHA-1", "nobody", "pass", first);
	failed(7, AUTH_REJECTED);
	teardown();
}
END_TEST

/* The salt of a name is always the same, known or not, in any spelling; names have different ones.
 */
START_TEST(stable_salts)
{
	static const char *const names[] = { "nobody", "NOBODY", "alice", "bob", "a/b" };
	char first[512], salts[5][64];

	setup();
	for (size_t round = 0; round < 2; round++) {
		for (size_t i = 0; i < 5; i++) {
			const char *at;

			scram(i, "SCRAM-SHA-1", names[i], "x", first);
			failed(i, AUTH_REJECTED);
			at = strstr(first, ",s=");
			ck_assert_ptr_nonnull(at);
			ck_assert_ptr_nonnull(strstr(at, ",i=4096"));
			if (round == 0)
				snprintf(salts[i], sizeof(salts[i]), "%.30s", at);
			ck_assert_int_eq(strncmp(salts[i], at, strlen(salts[i])), 0);
		}
	}
	ck_assert_str_eq(salts[0], salts[1]);
	ck_assert_str_ne(salts[0], salts[2]);
	ck_assert_str_ne(salts[2], salts[3]);
	teardown();
}
END_TEST

START_TEST(login)
{
	struct start s = { .mechanism = "LOGIN" };

	setup();
	start(1, &s);
	ck_assert(str_is(challenged(1), "User Name"));
	answer(1, "alice", 5);
	ck_assert(str_is(challenged(1), "Password"));
	answer(1, "pass", 4);
	accepted(1, "alice");
	teardown();
}
END_TEST

/* V09: what is no SASL fails its request and nothing else. */
START_TEST(malformed)
{
	static const char *const mechanisms[] = { "PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256" };

	setup();
	for (uint64_t id = 0; id < 30; id++) {
		struct start s = { .mechanism = mechanisms[id % 3], .initial = "garbage", .n = 7 };

		start(id, &s);
		failed(id, AUTH_BAD);
	}
	plain(99, "alice", "pass");
	accepted(99, "alice");
	teardown();
}
END_TEST

START_TEST(cancel)
{
	struct start s = { .mechanism = "LOGIN" };

	setup();
	start(1, &s);
	challenged(1);
	msg_begin(&m, AUTH_CANCEL, 1);
	ck_assert_int_eq(ipc_send(gate, &m, NULL), RK_OK);
	plain(2, "alice", "pass"); /* in the hands of a child */
	msg_begin(&m, AUTH_CANCEL, 2);
	ck_assert_int_eq(ipc_send(gate, &m, NULL), RK_OK);
	answer(1, "late", 4);
	plain(3, "alice", "pass");
	accepted(3, "alice");
	ck_assert_uint_eq(requests_count(a.requests), 0);
	start(1, &s); /* the id is free again */
	challenged(1);
	teardown();
}
END_TEST

/* V21, S09: peers that say what is not theirs are dropped; the rest goes on. */
START_TEST(garbage)
{
	static const uint16_t types[] = { 0, CTL_LINK, AUTH_OK, REDEEM, GRANT, HANDOFF, 999 };
	struct ticket t;

	setup();
	ticket_make(&t, 3);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		int evil = linked("gate");

		msg_begin(&m, types[i], 1);
		put_ticket(&m, &t);
		msg_put_text(&m, SID);
		ck_assert_int_eq(ipc_send(evil, &m, NULL), RK_OK);
		ck_assert_int_eq(received(evil, 2000), RK_CLOSED);
		close(evil);
	}
	for (size_t i = 0; i < 40; i++) {
		unsigned char frame[40];
		int evil = linked(i % 2 == 0 ? "gate" : "imapd");

		os_random(frame, sizeof(frame));
		ck_assert_int_eq(write(evil, frame, i + 1), (ssize_t)i + 1);
		ck_assert_int_eq(received(evil, 2000), RK_CLOSED);
		close(evil);
	}
	plain(1, "alice", "pass");
	t = accepted(1, "alice");
	ck_assert_uint_eq(redeemed(&t, SID), GRANT);
	teardown();
}
END_TEST

START_TEST(strange_peer)
{
	struct link_info info = { .peer = "hub" };
	int pair[2];

	setup();
	ck_assert_int_eq(ipc_pair(pair, NULL), RK_OK);
	ck_assert_int_eq(link_add(&a, &info, pair[0], NULL), RK_DENIED);
	ck_assert_int_eq(received(pair[1], 100), RK_CLOSED);
	close(pair[1]);
	teardown();
}
END_TEST

START_TEST(quota)
{
	struct start s = { .mechanism = "LOGIN" };

	setup();
	for (uint64_t id = 0; id < 64; id++) {
		start(id, &s);
		challenged(id);
	}
	start(64, &s);
	failed(64, AUTH_UNAVAILABLE);
	msg_begin(&m, AUTH_CANCEL, 5);
	ck_assert_int_eq(ipc_send(gate, &m, NULL), RK_OK);
	start(65, &s);
	challenged(65);
	teardown();
}
END_TEST

/* A penalty holds back the answers of its address, good ones too, and nobody else's. */
START_TEST(penalty)
{
	struct start other = {
		.mechanism = "PLAIN", .initial = "\0bob\0pass", .n = 9, .remote = "192.0.2.2"
	};
	int64_t began;

	setup_with(16, 1000);
	plain(1, "alice", "wrong");
	failed(1, AUTH_REJECTED);
	began = rk_clock_ms();
	plain(2, "alice", "pass");
	start(3, &other);
	accepted(3, "bob");
	ck_assert_int_lt(rk_clock_ms() - began, 800);
	accepted(2, "alice");
	ck_assert_int_ge(rk_clock_ms() - began, 990);
	began = rk_clock_ms();
	plain(4, "alice", "pass"); /* forgiven */
	accepted(4, "alice");
	ck_assert_int_lt(rk_clock_ms() - began, 800);
	teardown();
}
END_TEST

START_TEST(queue_full)
{
	unsigned ok = 0, unavailable = 0;

	setup_with(0, 0);
	received(gate, 200); /* the children come; nothing may wait for them */
	for (uint64_t id = 0; id < 20; id++)
		plain(id, "alice", "pass");
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(received(gate, 5000), RK_OK);
		ok += got.type == AUTH_OK;
		unavailable += got.type == AUTH_FAIL;
	}
	ck_assert_uint_eq(ok + unavailable, 20);
	ck_assert_uint_gt(ok, 0);
	ck_assert_uint_gt(unavailable, 0);
	teardown();
}
END_TEST

START_TEST(database_down)
{
	setup();
	passwdfile_driver.close(a.databases[0].db);
	unlink(path);
	a.databases[0].db = NULL;
	{
		static struct db_settings settings;

		settings = (struct db_settings){ .title = "t",
			.path = path,
			.uid = "",
			.gid = "",
			.home = "",
			.storage = "",
			.names = a.set.names };
		ck_assert_int_eq(
		    passwdfile_driver.open(&settings, &a.databases[0].db, NULL), RK_OK);
	}
	plain(1, "alice", "pass");
	failed(1, AUTH_UNAVAILABLE);
	teardown();
}
END_TEST

/* A gate that goes away takes its requests along, wherever they are. */
START_TEST(gate_gone)
{
	struct start s = { .mechanism = "LOGIN" };

	setup();
	start(1, &s);
	challenged(1);
	plain(2, "alice", "pass");
	plain(3, "alice", "wrong");
	close(gate);
	gate = linked("gate");
	plain(2, "alice", "pass");
	accepted(2, "alice");
	ck_assert_uint_eq(requests_count(a.requests), 0);
	teardown();
}
END_TEST

UNIT_MAIN("request", good, refused_alike, authorization, which_mechanisms, scram_logins,
    stable_salts, login, malformed, cancel, garbage, strange_peer, quota, penalty, queue_full,
    database_down, gate_gone)
