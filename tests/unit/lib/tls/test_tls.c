#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "lib/tls/tls.h"

static char dir[] = "/tmp/test_tls.XXXXXX";
static char files[4][3][64]; /* certificate, key, per name */

/* A self-signed certificate for `name`, written to `cert` and `key`. */
static void
certificate_make(const char *name, const char *mail, const char *cert, const char *key)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_NAME *subject = X509_get_subject_name(x);
	FILE *f;

	ck_assert_ptr_nonnull(pkey);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, pkey);
	if (name[0] != '\0')
		X509_NAME_add_entry_by_txt(
		    subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, subject);
	if (mail != NULL) {
		X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, mail);

		X509_add_ext(x, ext, -1);
		X509_EXTENSION_free(ext);
	}
	ck_assert_int_gt(X509_sign(x, pkey, EVP_sha256()), 0);
	f = fopen(cert, "w");
	PEM_write_X509(f, x);
	fclose(f);
	f = fopen(key, "w");
	PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	X509_free(x);
	EVP_PKEY_free(pkey);
}

static void
setup(void)
{
	static const char *const names[] = { "default.test", "mail.example.org", "*.example.org",
		"" };
	static const char *const mails[] = { NULL, NULL, NULL, "email:amy@example.org" };

	signal(SIGPIPE, SIG_IGN);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	for (int i = 0; i < 4; i++) {
		snprintf(files[i][0], 64, "%s/%d.crt", dir, i);
		snprintf(files[i][1], 64, "%s/%d.key", dir, i);
		certificate_make(names[i], mails[i], files[i][0], files[i][1]);
	}
}

static void
teardown(void)
{
	for (int i = 0; i < 4; i++) {
		unlink(files[i][0]);
		unlink(files[i][1]);
	}
	rmdir(dir);
}

static struct tls_ctx *
server_new(const char *min_protocol, const char *client_ca)
{
	struct tls_cert certs[] = {
		{ .name = "", .cert_file = files[0][0], .key_file = files[0][1] },
		{ .name = "*.example.org", .cert_file = files[2][0], .key_file = files[2][1] },
		{ .name = "mail.example.org", .cert_file = files[1][0], .key_file = files[1][1] },
	};
	struct tls_options options = {
		.certs = certs,
		.ncerts = 3,
		.min_protocol = min_protocol,
		.ciphers = "",
		.client_ca_file = client_ca,
	};
	struct tls_ctx *ctx;
	struct rk_err err;

	ck_assert_msg(tls_ctx_new(&options, &ctx, &err) == RK_OK, "%s", err.text);
	return ctx;
}

struct pair {
	int fds[2];
	SSL_CTX *client_ctx;
	SSL *client;
	struct tls_conn *server;
	enum tls_step step;
	int client_error;
	struct rk_err err;
};

/* TLS 1.3 tickets come with the first bytes after the handshake. */
static SSL_SESSION *session;

static int
session_keep(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	SSL_SESSION_free(session);
	session = s;
	return 1;
}

static void
pair_open(struct pair *p, struct tls_ctx *ctx, int version)
{
	memset(p, 0, sizeof(*p));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fds), 0);
	p->client_ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(p->client_ctx, version);
	SSL_CTX_set_session_cache_mode(
	    p->client_ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(p->client_ctx, session_keep);
	p->client = SSL_new(p->client_ctx);
	SSL_set_fd(p->client, p->fds[1]);
	SSL_set_connect_state(p->client);
	ck_assert_int_eq(tls_accept(ctx, p->fds[0], &p->server, &p->err), RK_OK);
}

static bool
step_waits(enum tls_step step)
{
	return step == TLS_WANT_READ || step == TLS_WANT_WRITE;
}

/* Runs both sides until each is done or has failed. */
static void
pair_handshake(struct pair *p)
{
	int rc = 0;

	p->step = TLS_WANT_READ;
	for (int i = 0; i < 50; i++) {
		if (rc != 1) {
			ERR_clear_error();
			rc = SSL_do_handshake(p->client);
			if (ERR_peek_error() != 0)
				p->client_error = ERR_GET_REASON(ERR_peek_error());
		}
		if (step_waits(p->step))
			p->step = tls_handshake(p->server, &p->err);
		if (rc == 1 && !step_waits(p->step))
			return;
	}
}

static void
pair_close(struct pair *p)
{
	SSL_free(p->client);
	SSL_CTX_free(p->client_ctx);
	tls_conn_free(p->server);
	close(p->fds[0]);
	close(p->fds[1]);
}

static void
text_exchange(struct pair *p)
{
	char bytes[16];
	size_t n;

	ck_assert_int_eq(tls_write(p->server, "* OK", 4, &n, &p->err), TLS_DONE);
	ck_assert_uint_eq(n, 4);
	ck_assert_int_eq(SSL_read(p->client, bytes, sizeof(bytes)), 4);
	ck_assert_int_eq(tls_read(p->server, bytes, sizeof(bytes), &n, &p->err), TLS_WANT_READ);
	ck_assert_int_eq(SSL_write(p->client, "a NOOP", 6), 6);
	ck_assert_int_eq(tls_read(p->server, bytes, 2, &n, &p->err), TLS_DONE);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(tls_pending(p->server), 4);
	ck_assert_int_eq(tls_read(p->server, bytes, sizeof(bytes), &n, &p->err), TLS_DONE);
	ck_assert_uint_eq(n, 4);
	ck_assert_mem_eq(bytes, "NOOP", 4);
}

START_TEST(both_versions_shake_hands_and_carry_bytes)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	static const char *const names[] = { "TLSv1.2", "TLSv1.3" };
	struct tls_ctx *ctx;

	setup();
	ctx = server_new("TLSv1.2", "");
	for (int i = 0; i < 2; i++) {
		struct pair p;

		pair_open(&p, ctx, versions[i]);
		pair_handshake(&p);
		ck_assert_int_eq(p.step, TLS_DONE);
		ck_assert_str_eq(tls_protocol(p.server), names[i]);
		ck_assert_str_ne(tls_cipher(p.server), "(NONE)");
		ck_assert_str_eq(tls_server_name(p.server), "");
		text_exchange(&p);
		pair_close(&p);
	}
	tls_ctx_free(ctx);
	teardown();
}
END_TEST

START_TEST(an_old_version_is_refused)
{
	struct tls_ctx *ctx;
	struct pair p;

	setup();
	ctx = server_new("TLSv1.3", "");
	pair_open(&p, ctx, TLS1_2_VERSION);
	pair_handshake(&p);
	ck_assert_int_eq(p.step, TLS_ERROR);
	pair_close(&p);
	tls_ctx_free(ctx);
	teardown();
}
END_TEST

START_TEST(the_name_chooses_the_certificate)
{
	/* clang-format off */
	static const char *const cases[][2] = {
		{ "mail.example.org", "mail.example.org" },
		{ "MAIL.Example.ORG", "mail.example.org" },
		{ "imap.example.org", "*.example.org" },
		{ "a.b.example.org",  "default.test" },
		{ "example.org",      "default.test" },
		{ "other.test",       "default.test" },
		{ "",                 "default.test" },
	};
	/* clang-format on */
	struct tls_ctx *ctx;

	setup();
	ctx = server_new("TLSv1.2", "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pair p;
		X509 *cert;
		char name[64] = "";

		pair_open(&p, ctx, i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION);
		if (cases[i][0][0] != '\0')
			SSL_set_tlsext_host_name(p.client, cases[i][0]);
		pair_handshake(&p);
		ck_assert_int_eq(p.step, TLS_DONE);
		ck_assert_str_eq(tls_server_name(p.server), cases[i][0]);
		cert = SSL_get1_peer_certificate(p.client);
		X509_NAME_get_text_by_NID(
		    X509_get_subject_name(cert), NID_commonName, name, sizeof(name));
		ck_assert_str_eq(name, cases[i][1]);
		X509_free(cert);
		pair_close(&p);
	}
	tls_ctx_free(ctx);
	teardown();
}
END_TEST

START_TEST(alpn_takes_imap_or_nothing)
{
	/* clang-format off */
	static const struct { const char *offer; size_t n; bool taken; } cases[] = {
		{ "\x04imap", 5, true },
		{ "\x08http/1.1\x04imap", 14, true },
		{ "\x02h2\x08http/1.1", 12, false },
		{ "\x05imapx", 6, false },
	};
	/* clang-format on */
	struct tls_ctx *ctx;

	setup();
	ctx = server_new("TLSv1.2", "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const unsigned char *chosen;
		unsigned int n;
		struct pair p;

		pair_open(&p, ctx, TLS1_3_VERSION);
		SSL_set_alpn_protos(
		    p.client, (const unsigned char *)cases[i].offer, (unsigned int)cases[i].n);
		pair_handshake(&p);
		ck_assert_int_eq(p.step, cases[i].taken ? TLS_DONE : TLS_ERROR);
		if (cases[i].taken) {
			SSL_get0_alpn_selected(p.client, &chosen, &n);
			ck_assert_uint_eq(n, 4);
			ck_assert_mem_eq(chosen, "imap", 4);
		} else {
			ck_assert_int_eq(p.client_error, SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
		}
		pair_close(&p);
	}
	tls_ctx_free(ctx);
	teardown();
}
END_TEST

START_TEST(a_ticket_resumes_a_session)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_ctx *ctx, *other;

	setup();
	ctx = server_new("TLSv1.2", "");
	other = server_new("TLSv1.2", "");
	for (int i = 0; i < 2; i++) {
		struct pair first, second, third;
		SSL_SESSION *kept;

		pair_open(&first, ctx, versions[i]);
		pair_handshake(&first);
		text_exchange(&first);
		ck_assert_int_eq(SSL_session_reused(first.client), 0);
		ck_assert_ptr_nonnull(session);
		ck_assert_uint_le(SSL_SESSION_get_ticket_lifetime_hint(session), 7200);
		kept = session;
		session = NULL;
		pair_open(&second, ctx, versions[i]);
		SSL_set_session(second.client, kept);
		pair_handshake(&second);
		ck_assert_int_eq(second.step, TLS_DONE);
		ck_assert_int_eq(SSL_session_reused(second.client), 1);
		text_exchange(&second);
		/* A server with other keys does not know the ticket and shakes hands in full. */
		pair_open(&third, other, versions[i]);
		SSL_set_session(third.client, kept);
		pair_handshake(&third);
		ck_assert_int_eq(third.step, TLS_DONE);
		ck_assert_int_eq(SSL_session_reused(third.client), 0);
		pair_close(&first);
		pair_close(&second);
		pair_close(&third);
		SSL_SESSION_free(kept);
	}
	SSL_SESSION_free(session);
	tls_ctx_free(ctx);
	tls_ctx_free(other);
	teardown();
}
END_TEST

START_TEST(bindings_are_those_of_the_client)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_ctx *ctx;

	setup();
	ctx = server_new("TLSv1.2", "");
	for (int i = 0; i < 2; i++) {
		unsigned char ours[64], theirs[64];
		struct pair p;
		size_t n;

		pair_open(&p, ctx, versions[i]);
		pair_handshake(&p);
		ck_assert_int_eq(tls_exporter(p.server, ours, &p.err), RK_OK);
		ck_assert_int_eq(SSL_export_keying_material(p.client, theirs, 32, label,
				     strlen(label), (const unsigned char *)"", 0, 1),
		    1);
		ck_assert_mem_eq(ours, theirs, 32);
		tls_unique(p.server, ours, &n);
		ck_assert_uint_eq(n, versions[i] == TLS1_2_VERSION ? 12 : 0);
		ck_assert_uint_eq(n == 0 ? 0 : SSL_get_finished(p.client, theirs, 64), n);
		ck_assert_mem_eq(ours, theirs, n);
		pair_close(&p);
	}
	tls_ctx_free(ctx);
	teardown();
}
END_TEST

START_TEST(no_binding_without_extended_master_secret)
{
	unsigned char out[64];
	struct tls_ctx *ctx;
	struct pair p;
	size_t n;

	setup();
	ctx = server_new("TLSv1.2", "");
	pair_open(&p, ctx, TLS1_2_VERSION);
	SSL_set_options(p.client, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	pair_handshake(&p);
	ck_assert_int_eq(p.step, TLS_DONE);
	ck_assert_int_eq(tls_exporter(p.server, out, &p.err), RK_UNSUPPORTED);
	tls_unique(p.server, out, &n);
	ck_assert_uint_eq(n, 0);
	pair_close(&p);
	tls_ctx_free(ctx);
	teardown();
}
END_TEST

START_TEST(an_end_is_told_from_an_error)
{
	struct tls_ctx *ctx;
	struct pair p;
	char bytes[8];
	size_t n;

	setup();
	ctx = server_new("TLSv1.2", "");
	pair_open(&p, ctx, TLS1_3_VERSION); /* close_notify */
	pair_handshake(&p);
	SSL_shutdown(p.client);
	ck_assert_int_eq(tls_read(p.server, bytes, sizeof(bytes), &n, &p.err), TLS_EOF);
	pair_close(&p);
	pair_open(&p, ctx, TLS1_3_VERSION); /* the socket just ends */
	pair_handshake(&p);
	shutdown(p.fds[1], SHUT_WR);
	ck_assert_int_eq(tls_read(p.server, bytes, sizeof(bytes), &n, &p.err), TLS_EOF);
	pair_close(&p);
	pair_open(&p, ctx, TLS1_3_VERSION); /* in the middle of the handshake */
	SSL_do_handshake(p.client);
	ck_assert_int_eq(tls_handshake(p.server, &p.err), TLS_WANT_READ);
	shutdown(p.fds[1], SHUT_RDWR);
	ck_assert_int_ne(tls_handshake(p.server, &p.err), TLS_DONE);
	pair_close(&p);
	pair_open(&p, ctx, TLS1_3_VERSION); /* no TLS at all */
	ck_assert_int_eq(write(p.fds[1], "a LOGIN x y\r\n", 13), 13);
	ck_assert_int_eq(tls_handshake(p.server, &p.err), TLS_ERROR);
	ck_assert_str_ne(p.err.text, "");
	pair_close(&p);
	tls_ctx_free(ctx);
	teardown();
}
END_TEST

START_TEST(our_close_is_seen)
{
	struct tls_ctx *ctx;
	struct pair p;
	char bytes[8];

	setup();
	ctx = server_new("TLSv1.2", "");
	pair_open(&p, ctx, TLS1_3_VERSION);
	pair_handshake(&p);
	tls_shutdown(p.server);
	ck_assert_int_le(SSL_read(p.client, bytes, sizeof(bytes)), 0);
	ck_assert_int_eq(SSL_get_shutdown(p.client) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
	pair_close(&p);
	tls_ctx_free(ctx);
	teardown();
}
END_TEST

START_TEST(a_reader_that_stops_makes_us_wait)
{
	static char block[16384];
	struct tls_ctx *ctx;
	struct pair p;
	enum tls_step step = TLS_DONE;
	size_t n, sent = 0, got = 0;

	setup();
	ctx = server_new("TLSv1.2", "");
	pair_open(&p, ctx, TLS1_3_VERSION);
	pair_handshake(&p);
	while (step == TLS_DONE && sent < (64u << 20)) {
		step = tls_write(p.server, block, sizeof(block), &n, &p.err);
		sent += n;
	}
	ck_assert_int_eq(step, TLS_WANT_WRITE);
	while (SSL_read_ex(p.client, block, sizeof(block), &n) == 1)
		got += n;
	memset(block, 0, sizeof(block));
	ck_assert_int_eq(tls_write(p.server, block, sizeof(block), &n, &p.err), TLS_DONE);
	ck_assert_uint_ge(sent, got);
	pair_close(&p);
	tls_ctx_free(ctx);
	teardown();
}
END_TEST

static void
client_name_expect(struct tls_ctx *ctx, int certificate, bool fine, const char *expected)
{
	char name[64], tiny[4];
	struct pair p;

	pair_open(&p, ctx, TLS1_2_VERSION);
	if (certificate >= 0) {
		SSL_use_certificate_file(p.client, files[certificate][0], SSL_FILETYPE_PEM);
		SSL_use_PrivateKey_file(p.client, files[certificate][1], SSL_FILETYPE_PEM);
	}
	pair_handshake(&p);
	ck_assert_int_eq(p.step == TLS_DONE, fine);
	if (fine) {
		tls_client_name(p.server, name, sizeof(name));
		ck_assert_str_eq(name, expected);
		tls_client_name(p.server, tiny, sizeof(tiny));
		ck_assert_str_eq(tiny, "");
	}
	pair_close(&p);
}

START_TEST(a_client_certificate_is_optional_and_verified)
{
	struct tls_ctx *ctx;

	setup();
	ctx = server_new("TLSv1.2", files[1][0]);
	client_name_expect(ctx, -1, true, "");
	client_name_expect(ctx, 1, true, "mail.example.org");
	client_name_expect(ctx, 2, false, NULL); /* another issuer */
	tls_ctx_free(ctx);
	ctx = server_new("TLSv1.2", files[3][0]);
	client_name_expect(ctx, 3, true, "amy@example.org");
	tls_ctx_free(ctx);
	ctx = server_new("TLSv1.2", "");
	client_name_expect(ctx, 1, true, ""); /* not asked for */
	tls_ctx_free(ctx);
	teardown();
}
END_TEST

static void
files_refuse(const char *cert, const char *key, const char *ca, const char *named)
{
	struct tls_cert one = { .name = "", .cert_file = cert, .key_file = key };
	struct tls_options options = { .certs = &one,
		.ncerts = 1,
		.min_protocol = "TLSv1.2",
		.ciphers = "",
		.client_ca_file = ca };
	struct tls_ctx *ctx;
	struct rk_err err;

	ck_assert_int_eq(tls_ctx_new(&options, &ctx, &err), RK_INVALID);
	ck_assert_ptr_null(ctx);
	ck_assert_msg(strstr(err.text, named) != NULL, "%s", err.text);
}

START_TEST(bad_files_are_named)
{
	setup();
	files_refuse("/nonexistent.crt", files[0][1], "", "/nonexistent.crt");
	files_refuse(files[0][0], "/nonexistent.key", "", "/nonexistent.key");
	files_refuse(files[0][0], files[1][1], "", files[1][1]); /* key of another one */
	files_refuse(files[0][0], files[0][0], "", files[0][0]); /* no key in it */
	files_refuse(files[0][0], files[0][1], files[0][1], files[0][1]);
	teardown();
}
END_TEST

UNIT_MAIN("tls", both_versions_shake_hands_and_carry_bytes, an_old_version_is_refused,
    the_name_chooses_the_certificate, alpn_takes_imap_or_nothing, a_ticket_resumes_a_session,
    bindings_are_those_of_the_client, no_binding_without_extended_master_secret,
    an_end_is_told_from_an_error, our_close_is_seen, a_reader_that_stops_makes_us_wait,
    a_client_certificate_is_optional_and_verified, bad_files_are_named)
