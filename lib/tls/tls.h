/*
 * OpenSSL 3 behind one small type: server side, TLS 1.2 and 1.3, SNI, stateless tickets, ALPN
 * "imap". All calls are non-blocking on a non-blocking descriptor.
 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include <rookery/error.h>

#include <sys/types.h>

struct tls_ctx;
struct tls_conn;

struct tls_cert {
	const char *name;      /* SNI host ("" = default; "*.example.org" matches one label) */
	const char *cert_file; /* PEM chain */
	const char *key_file;
};

struct tls_options {
	const struct tls_cert *certs; /* certs[0] is the default */
	size_t ncerts;
	const char *min_protocol;   /* "TLSv1.2" or "TLSv1.3" */
	const char *ciphers;        /* "" = OpenSSL's default (TLS 1.2 list) */
	const char *client_ca_file; /* "" = client certificates are not asked for */
};

/* Reads certificates and keys (while still privileged). RK_INVALID says which file and why. */
RK_MUST_CHECK enum rk_status tls_ctx_new(
    const struct tls_options *options, struct tls_ctx **out, struct rk_err *err);
void tls_ctx_free(struct tls_ctx *ctx);

enum tls_step {
	TLS_DONE,
	TLS_WANT_READ,
	TLS_WANT_WRITE,
	TLS_EOF,   /* close_notify or end of the socket */
	TLS_ERROR, /* the connection is lost; text in err */
};

/* A connection over `fd` (borrowed; close it after tls_conn_free). */
RK_MUST_CHECK enum rk_status tls_accept(
    struct tls_ctx *ctx, int fd, struct tls_conn **out, struct rk_err *err);
void tls_conn_free(struct tls_conn *c);

enum tls_step tls_handshake(struct tls_conn *c, struct rk_err *err);
enum tls_step tls_read(
    struct tls_conn *c, void *bytes, size_t n, size_t *got_out, struct rk_err *err);
enum tls_step tls_write(
    struct tls_conn *c, const void *bytes, size_t n, size_t *put_out, struct rk_err *err);
/* Sends close_notify if that is possible at once. */
void tls_shutdown(struct tls_conn *c);
/* Bytes that tls_read would give without touching the socket. */
size_t tls_pending(const struct tls_conn *c);

/* After the handshake. Channel bindings: RFC 9266 tls-exporter (32 bytes), RFC 5929 tls-unique
 * (TLS 1.2 only; *n_out 0 when there is none). */
const char *tls_protocol(const struct tls_conn *c); /* "TLSv1.3" */
const char *tls_cipher(const struct tls_conn *c);
const char *tls_server_name(const struct tls_conn *c); /* SNI or "" */
RK_MUST_CHECK enum rk_status tls_exporter(
    struct tls_conn *c, unsigned char out[32], struct rk_err *err);
void tls_unique(struct tls_conn *c, unsigned char out[64], size_t *n_out);
/* Subject common name or first e-mail address of a verified client certificate, "" if none. */
void tls_client_name(struct tls_conn *c, char *out, size_t size);

#endif
