#include "lib/tls/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "lib/base/bug.h"
#include "lib/tls/ticket_keys.h"

struct tls_name {
	char *name;
	SSL_CTX *ctx;
};

struct tls_ctx {
	struct tls_name *names; /* names[0] is the default */
	size_t n;
	struct ticket_keys *keys;
};

struct tls_conn {
	SSL *ssl;
};

/* The text of OpenSSL's oldest waiting error, which is the cause; the rest is thrown away. */
static const char *
openssl_text(char text[160])
{
	unsigned long code = ERR_get_error();
	const char *reason = ERR_reason_error_string(code);

	ERR_clear_error();
	if (code == 0)
		return "unknown error";
	if (ERR_SYSTEM_ERROR(code))
		return strerror(ERR_GET_REASON(code));
	if (reason != NULL)
		return reason;
	ERR_error_string_n(code, text, 160);
	return text;
}

static enum rk_status
file_failed(struct rk_err *err, const char *what, const char *file)
{
	char text[160];

	return rk_fail_plain(err, RK_INVALID, "%s '%s': %s", what, file, openssl_text(text));
}

/* A daemon asks nobody for a passphrase. */
static int
no_passphrase(char *text, int size, int writing, void *arg)
{
	(void)text, (void)size, (void)writing, (void)arg;
	return -1;
}

/*
 * The one place where a private key enters the process. A signer process later gives OpenSSL a key
 * object here whose sign operation is a message; nothing else changes.
 */
static enum rk_status
key_install(SSL_CTX *ctx, const char *file, struct rk_err *err)
{
	if (SSL_CTX_use_PrivateKey_file(ctx, file, SSL_FILETYPE_PEM) != 1)
		return file_failed(err, "private key", file);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return file_failed(err, "the certificate does not belong to the private key", file);
	return RK_OK;
}

/* Only IMAP is spoken here: a client that offers other protocols and not "imap" was led astray
 * (RFC 7301 section 3.2, ALPACA). */
static int
alpn_select(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in,
    unsigned int inlen, void *arg)
{
	static const unsigned char imap[] = "imap";

	(void)ssl, (void)arg;
	for (unsigned int i = 0; i < inlen && in[i] <= inlen - i - 1; i += in[i] + 1u) {
		if (in[i] == sizeof(imap) - 1 && memcmp(in + i + 1, imap, sizeof(imap) - 1) == 0) {
			*out = in + i + 1;
			*outlen = in[i];
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* "*.example.org" stands for exactly one label (RFC 6125 section 6.4.3). */
static bool
name_matches(const char *pattern, const char *host)
{
	const char *dot;

	if (strncmp(pattern, "*.", 2) != 0)
		return strcasecmp(pattern, host) == 0;
	dot = strchr(host, '.');
	return dot != NULL && dot != host && strcasecmp(pattern + 1, dot) == 0;
}

static SSL_CTX *
ctx_for_host(const struct tls_ctx *ctx, const char *host)
{
	for (int wildcard = 0; wildcard < 2; wildcard++) {
		for (size_t i = 0; i < ctx->n; i++) {
			const char *name = ctx->names[i].name;

			if ((strncmp(name, "*.", 2) == 0) == (wildcard == 1) &&
			    name_matches(name, host))
				return ctx->names[i].ctx;
		}
	}
	return ctx->names[0].ctx;
}

static int
sni_select(SSL *ssl, int *alert, void *arg)
{
	const struct tls_ctx *ctx = arg;
	const char *host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	if (host == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_SSL_CTX(ssl, ctx_for_host(ctx, host));
	return SSL_TLSEXT_ERR_OK;
}

static enum rk_status
versions_set(SSL_CTX *ctx, const struct tls_options *o, struct rk_err *err)
{
	int version;

	if (strcmp(o->min_protocol, "TLSv1.2") == 0)
		version = TLS1_2_VERSION;
	else if (strcmp(o->min_protocol, "TLSv1.3") == 0)
		version = TLS1_3_VERSION;
	else
		return rk_fail_plain(
		    err, RK_INVALID, "min_protocol '%s' is not known", o->min_protocol);
	if (SSL_CTX_set_min_proto_version(ctx, version) != 1)
		return file_failed(err, "min_protocol", o->min_protocol);
	if (o->ciphers[0] != '\0' && SSL_CTX_set_cipher_list(ctx, o->ciphers) != 1)
		return file_failed(err, "ciphers", o->ciphers);
	return RK_OK;
}

static enum rk_status
client_ca_set(SSL_CTX *ctx, const char *file, struct rk_err *err)
{
	STACK_OF(X509_NAME) * names;

	if (SSL_CTX_load_verify_locations(ctx, file, NULL) != 1)
		return file_failed(err, "client_ca", file);
	names = SSL_load_client_CA_file(file);
	if (names == NULL)
		return file_failed(err, "client_ca", file);
	SSL_CTX_set_client_CA_list(ctx, names);
	/* Asked for, not demanded: most clients have none and log in with a password. */
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_verify_depth(ctx, 8);
	return RK_OK;
}

static enum rk_status
ctx_fill(SSL_CTX *ctx, const struct tls_options *o, const struct tls_cert *cert, struct rk_err *err)
{
	static const unsigned char service[] = "rookery-imap";
	enum rk_status status;

	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	/* Partial writes: the relay's buffer shrinks as records leave. Released buffers: an idle
	 * connection costs no record buffers. The chain is the file's, nothing is guessed. */
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_alpn_select_cb(ctx, alpn_select, NULL);
	if (SSL_CTX_set_session_id_context(ctx, service, sizeof(service) - 1) != 1)
		return file_failed(err, "session context", cert->name);
	status = versions_set(ctx, o, err);
	if (status == RK_OK && o->client_ca_file[0] != '\0')
		status = client_ca_set(ctx, o->client_ca_file, err);
	if (status != RK_OK)
		return status;
	if (SSL_CTX_use_certificate_chain_file(ctx, cert->cert_file) != 1)
		return file_failed(err, "certificate", cert->cert_file);
	return key_install(ctx, cert->key_file, err);
}

static enum rk_status
name_add(struct tls_ctx *ctx, const struct tls_options *o, const struct tls_cert *cert,
    struct rk_err *err)
{
	struct tls_name *slot = &ctx->names[ctx->n];
	enum rk_status status;

	slot->ctx = SSL_CTX_new(TLS_server_method());
	slot->name = strdup(cert->name);
	if (slot->ctx == NULL || slot->name == NULL)
		rk_out_of_memory(sizeof(*slot));
	ctx->n++; /* from here on tls_ctx_free releases it */
	status = ctx_fill(slot->ctx, o, cert, err);
	if (status != RK_OK)
		return status;
	ticket_keys_use(ctx->keys, slot->ctx);
	SSL_CTX_set_tlsext_servername_callback(slot->ctx, sni_select);
	SSL_CTX_set_tlsext_servername_arg(slot->ctx, ctx);
	return RK_OK;
}

enum rk_status
tls_ctx_new(const struct tls_options *options, struct tls_ctx **out, struct rk_err *err)
{
	struct tls_ctx *ctx;
	enum rk_status status = RK_OK;

	*out = NULL;
	if (options->ncerts == 0)
		return rk_fail_plain(err, RK_INVALID, "no certificate");
	ERR_clear_error();
	ctx = calloc(1, sizeof(*ctx));
	if (ctx == NULL)
		rk_out_of_memory(sizeof(*ctx));
	ctx->names = calloc(options->ncerts, sizeof(*ctx->names));
	ctx->keys = ticket_keys_new();
	if (ctx->names == NULL || ctx->keys == NULL)
		rk_out_of_memory(options->ncerts * sizeof(*ctx->names));
	for (size_t i = 0; i < options->ncerts && status == RK_OK; i++)
		status = name_add(ctx, options, &options->certs[i], err);
	if (status != RK_OK) {
		tls_ctx_free(ctx);
		return status;
	}
	*out = ctx;
	return RK_OK;
}

void
tls_ctx_free(struct tls_ctx *ctx)
{
	if (ctx == NULL)
		return;
	for (size_t i = 0; i < ctx->n; i++) {
		SSL_CTX_free(ctx->names[i].ctx);
		free(ctx->names[i].name);
	}
	free(ctx->names);
	ticket_keys_free(ctx->keys);
	free(ctx);
}

enum rk_status
tls_accept(struct tls_ctx *ctx, int fd, struct tls_conn **out, struct rk_err *err)
{
	struct tls_conn *c;
	char text[160];

	*out = NULL;
	ERR_clear_error();
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		rk_out_of_memory(sizeof(*c));
	c->ssl = SSL_new(ctx->names[0].ctx);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, fd) != 1) {
		tls_conn_free(c);
		return rk_fail_plain(err, RK_TEMP, "TLS session: %s", openssl_text(text));
	}
	SSL_set_accept_state(c->ssl);
	*out = c;
	return RK_OK;
}

void
tls_conn_free(struct tls_conn *c)
{
	if (c == NULL)
		return;
	SSL_free(c->ssl);
	free(c);
}

/* What a call of OpenSSL that returned rc <= 0 means. */
static enum tls_step
step_of(struct tls_conn *c, int rc, const char *what, struct rk_err *err)
{
	int system = errno;
	char text[160];

	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_EOF;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		if (system == 0)
			return TLS_EOF;
		errno = system;
		rk_fail(err, RK_CLOSED, "TLS %s", what);
		return TLS_ERROR;
	default:
		break;
	}
	/* IMAP has its own end (LOGOUT, BYE): a socket that ends without close_notify is an end. */
	if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		ERR_clear_error();
		return TLS_EOF;
	}
	rk_fail_plain(err, RK_CLOSED, "TLS %s: %s", what, openssl_text(text));
	return TLS_ERROR;
}

enum tls_step
tls_handshake(struct tls_conn *c, struct rk_err *err)
{
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_do_handshake(c->ssl);
	return rc == 1 ? TLS_DONE : step_of(c, rc, "handshake", err);
}

enum tls_step
tls_read(struct tls_conn *c, void *bytes, size_t n, size_t *got_out, struct rk_err *err)
{
	int rc;

	*got_out = 0;
	ERR_clear_error();
	errno = 0;
	rc = SSL_read_ex(c->ssl, bytes, n, got_out);
	return rc == 1 ? TLS_DONE : step_of(c, rc, "read", err);
}

enum tls_step
tls_write(struct tls_conn *c, const void *bytes, size_t n, size_t *put_out, struct rk_err *err)
{
	int rc;

	*put_out = 0;
	if (n == 0)
		return TLS_DONE;
	ERR_clear_error();
	errno = 0;
	rc = SSL_write_ex(c->ssl, bytes, n, put_out);
	return rc == 1 ? TLS_DONE : step_of(c, rc, "write", err);
}

void
tls_shutdown(struct tls_conn *c)
{
	ERR_clear_error();
	/* Not allowed after a fatal error or in the middle of a handshake. */
	if (SSL_is_init_finished(c->ssl))
		(void)SSL_shutdown(c->ssl);
	ERR_clear_error();
}

size_t
tls_pending(const struct tls_conn *c)
{
	return (size_t)SSL_pending(c->ssl);
}

const char *
tls_protocol(const struct tls_conn *c)
{
	return SSL_get_version(c->ssl);
}

const char *
tls_cipher(const struct tls_conn *c)
{
	return SSL_get_cipher_name(c->ssl);
}

const char *
tls_server_name(const struct tls_conn *c)
{
	const char *name = SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);

	return name != NULL ? name : "";
}

/* Without the extended master secret of RFC 7627 a TLS 1.2 session's secrets don't name one session
 * (triple handshake), and no binding may be built on them (RFC 9266 section 4). */
static bool
binding_is_safe(SSL *ssl)
{
	return SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) == 1;
}

enum rk_status
tls_exporter(struct tls_conn *c, unsigned char out[32], struct rk_err *err)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	static const unsigned char context[1];
	char text[160];

	if (!binding_is_safe(c->ssl))
		return rk_fail_plain(err, RK_UNSUPPORTED, "no extended master secret");
	ERR_clear_error();
	/* A context of no bytes, which in TLS 1.2 is not the same as none (RFC 9266 section 2). */
	if (SSL_export_keying_material(c->ssl, out, 32, label, sizeof(label) - 1, context, 0, 1) !=
	    1)
		return rk_fail_plain(err, RK_TEMP, "TLS exporter: %s", openssl_text(text));
	return RK_OK;
}

void
tls_unique(struct tls_conn *c, unsigned char out[64], size_t *n_out)
{
	*n_out = 0;
	if (SSL_version(c->ssl) != TLS1_2_VERSION || !binding_is_safe(c->ssl))
		return;
	/* The first Finished message: the client's, in a resumed session the server's. */
	if (SSL_session_reused(c->ssl))
		*n_out = SSL_get_finished(c->ssl, out, 64);
	else
		*n_out = SSL_get_peer_finished(c->ssl, out, 64);
	if (*n_out > 64)
		*n_out = 0;
}

/* A name that holds a NUL or does not fit is none: it would be read as another one. */
static bool
name_copy(const ASN1_STRING *s, char *out, size_t size)
{
	unsigned char *utf8 = NULL;
	int n = s != NULL ? ASN1_STRING_to_UTF8(&utf8, s) : -1;
	bool fits = n > 0 && (size_t)n < size && memchr(utf8, '\0', (size_t)n) == NULL;

	if (fits) {
		memcpy(out, utf8, (size_t)n);
		out[n] = '\0';
	}
	OPENSSL_free(utf8);
	return fits;
}

static bool
common_name(X509 *cert, char *out, size_t size)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (at < 0)
		return false;
	return name_copy(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), out, size);
}

static void
first_mail(X509 *cert, char *out, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_EMAIL && name_copy(name->d.rfc822Name, out, size))
			break;
	}
	GENERAL_NAMES_free(names);
}

void
tls_client_name(struct tls_conn *c, char *out, size_t size)
{
	X509 *cert = SSL_get1_peer_certificate(c->ssl);

	out[0] = '\0';
	if (cert == NULL)
		return;
	if (SSL_get_verify_result(c->ssl) == X509_V_OK && !common_name(cert, out, size))
		first_mail(cert, out, size);
	X509_free(cert);
	ERR_clear_error();
}
