#include "auth/mech/mech.h"

#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/base64.h"
#include "lib/base/bug.h"

/*
 * libgsasl calls back for what it needs and wants the answer at once; a lookup or a hash takes
 * longer. So the exchange is cut at the two places where that happens:
 *
 *	PLAIN, LOGIN	the callback "validate" only writes down who with what password; the
 *			verdict is given by our caller later.
 *	SCRAM		the user's name is read out of the first message before libgsasl sees it
 *			(scram_peek), the caller provides salt and iterations, then libgsasl runs
 *			and finds them. The keys are needed at the second message: if they still
 *			have to be derived, that happens before libgsasl sees it.
 *
 * Names are read leniently here and judged in username.c; libgsasl itself refuses what SASLprep
 * refuses.
 */

#define BINDING_MAX 64
#define NAME_MAX_BYTES 4096

enum kind {
	KIND_PLAIN,
	KIND_LOGIN,
	KIND_SCRAM,
	KIND_EXTERNAL,
};

static const struct mech_kind {
	const char *name;
	enum kind kind;
	enum scram_hash hash;
	enum mech_needs needs;
} kinds[] = {
	{ "PLAIN", KIND_PLAIN, SCRAM_HASHES, MECH_NEEDS_NOTHING },
	{ "LOGIN", KIND_LOGIN, SCRAM_HASHES, MECH_NEEDS_NOTHING },
	{ "SCRAM-SHA-1", KIND_SCRAM, SCRAM_SHA_1, MECH_NEEDS_NOTHING },
	{ "SCRAM-SHA-1-PLUS", KIND_SCRAM, SCRAM_SHA_1, MECH_NEEDS_BINDING },
	{ "SCRAM-SHA-256", KIND_SCRAM, SCRAM_SHA_256, MECH_NEEDS_NOTHING },
	{ "SCRAM-SHA-256-PLUS", KIND_SCRAM, SCRAM_SHA_256, MECH_NEEDS_BINDING },
	{ "EXTERNAL", KIND_EXTERNAL, SCRAM_HASHES, MECH_NEEDS_CERTIFICATE },
};

struct mech_lib {
	Gsasl *gsasl;
};

struct mech {
	const struct mech_kind *kind;
	Gsasl_session *session;
	unsigned steps; /* messages of the client that libgsasl has taken */
	bool asked;     /* an empty challenge went out: a second one would be a loop */
	bool plus_offered;
	bool keys_complete;
	bool user_differs; /* libgsasl read another name than scram_peek */
	bool pending;      /* `input` waits for mech_resume */
	struct buf input, user, authzid, password;
	struct scram_keys keys;
	char exporter[B64_SIZE(BINDING_MAX)];
	char unique[B64_SIZE(BINDING_MAX)];
};

/* A copy that will be wiped; room first, so that no smaller block with the secret is left. */
static void
secret_set(struct buf *b, const void *bytes, size_t n)
{
	buf_wipe(b);
	buf_reserve(b, n + 1);
	buf_add(b, bytes, n);
}

static void
secret_text(struct buf *b, const char *text)
{
	secret_set(b, text == NULL ? "" : text, text == NULL ? 0 : strlen(text));
}

static int
validate_simple(struct mech *m, Gsasl_session *session)
{
	const char *password = gsasl_property_fast(session, GSASL_PASSWORD);
	char *prepared = NULL;

	secret_text(&m->user, gsasl_property_fast(session, GSASL_AUTHID));
	if (m->kind->kind == KIND_PLAIN) {
		secret_text(&m->authzid, gsasl_property_fast(session, GSASL_AUTHZID));
		secret_text(&m->password, password); /* prepared already */
		return GSASL_OK;
	}
	if (password == NULL ||
	    gsasl_saslprep(password, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) != GSASL_OK)
		return GSASL_AUTHENTICATION_ERROR;
	secret_text(&m->password, prepared);
	explicit_bzero(prepared, strlen(prepared));
	gsasl_free(prepared);
	return GSASL_OK;
}

static int
property_text(Gsasl_session *session, Gsasl_property prop, const char *text)
{
	return gsasl_property_set(session, prop, text);
}

static int
property_key(Gsasl_session *session, Gsasl_property prop, const struct mech *m)
{
	char text[B64_SIZE(SCRAM_HASH_MAX)];
	int rc;

	b64_encode(prop == GSASL_SCRAM_STOREDKEY ? m->keys.stored_key : m->keys.server_key,
	    scram_hash_len(m->kind->hash), text, sizeof(text));
	rc = property_text(session, prop, text);
	explicit_bzero(text, sizeof(text));
	return rc;
}

/* Salt or iterations, for the user of scram_peek and no other. */
static int
property_salt(Gsasl_session *session, Gsasl_property prop, struct mech *m)
{
	const char *user = gsasl_property_fast(session, GSASL_AUTHID);
	char text[B64_SIZE(SCRAM_SALT_MAX)];

	if (user == NULL || !str_eq(str_from(user), str_of(m->user.data, m->user.len)))
		m->user_differs = true;
	if (prop == GSASL_SCRAM_ITER)
		snprintf(text, sizeof(text), "%u", (unsigned)m->keys.iterations);
	else
		b64_encode(m->keys.salt, m->keys.salt_len, text, sizeof(text));
	return property_text(session, prop, text);
}

static int
property_binding(Gsasl_session *session, Gsasl_property prop, const struct mech *m)
{
	const char *text = prop == GSASL_CB_TLS_EXPORTER ? m->exporter : m->unique;

	/* Without -PLUS the question means: did this client see -PLUS, and claim it did not (a man
	 * in the middle took it out of the list)? */
	if (text[0] == '\0' || (m->kind->needs != MECH_NEEDS_BINDING && !m->plus_offered))
		return GSASL_NO_CALLBACK;
	return property_text(session, prop, text);
}

static int
callback(Gsasl *gsasl, Gsasl_session *session, Gsasl_property prop)
{
	struct mech *m = gsasl_session_hook_get(session);

	(void)gsasl;
	switch (prop) {
	case GSASL_VALIDATE_SIMPLE:
		return validate_simple(m, session);
	case GSASL_VALIDATE_EXTERNAL:
		secret_text(&m->authzid, gsasl_property_fast(session, GSASL_AUTHZID));
		return GSASL_OK;
	case GSASL_CB_TLS_EXPORTER:
	case GSASL_CB_TLS_UNIQUE:
		return property_binding(session, prop, m);
	case GSASL_SCRAM_ITER:
	case GSASL_SCRAM_SALT:
		return property_salt(session, prop, m);
	case GSASL_SCRAM_SERVERKEY:
	case GSASL_SCRAM_STOREDKEY:
		return property_key(session, prop, m);
	default:
		return GSASL_NO_CALLBACK;
	}
}

enum rk_status
mech_lib_new(struct mech_lib **out, struct rk_err *err)
{
	struct mech_lib *lib = calloc(1, sizeof(*lib));

	if (lib == NULL || gsasl_init(&lib->gsasl) != GSASL_OK) {
		free(lib);
		return rk_fail_plain(err, RK_TEMP, "the SASL library does not start");
	}
	gsasl_callback_set(lib->gsasl, callback);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (gsasl_server_support_p(lib->gsasl, kinds[i].name))
			continue;
		mech_lib_free(lib);
		return rk_fail_plain(
		    err, RK_UNSUPPORTED, "the SASL library lacks %s", kinds[i].name);
	}
	*out = lib;
	return RK_OK;
}

void
mech_lib_free(struct mech_lib *lib)
{
	if (lib == NULL)
		return;
	gsasl_done(lib->gsasl);
	free(lib);
}

static const struct mech_kind *
kind_find(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	return NULL;
}

enum mech_needs
mech_needs(const char *name)
{
	const struct mech_kind *kind = kind_find(name);

	return kind == NULL ? MECH_UNKNOWN : kind->needs;
}

enum rk_status
mech_start(
    struct mech_lib *lib, const struct mech_setup *setup, struct mech **out, struct rk_err *err)
{
	const struct mech_kind *kind = kind_find(setup->name);
	struct mech *m;

	if (kind == NULL)
		return rk_fail_plain(err, RK_NOTFOUND, "no mechanism %s", setup->name);
	if (setup->cb_exporter.n > BINDING_MAX || setup->cb_unique.n > BINDING_MAX)
		return rk_fail_plain(err, RK_INVALID, "a channel binding is too long");
	m = calloc(1, sizeof(*m));
	if (m == NULL || gsasl_server_start(lib->gsasl, kind->name, &m->session) != GSASL_OK) {
		free(m);
		return rk_fail_plain(err, RK_TEMP, "%s does not start", kind->name);
	}
	m->kind = kind;
	m->plus_offered = setup->plus_offered;
	b64_encode(setup->cb_exporter.p, setup->cb_exporter.n, m->exporter, sizeof(m->exporter));
	b64_encode(setup->cb_unique.p, setup->cb_unique.n, m->unique, sizeof(m->unique));
	gsasl_session_hook_set(m->session, m);
	*out = m;
	return RK_OK;
}

/* libgsasl frees what it holds without wiping it. */
static void
property_wipe(Gsasl_session *session, Gsasl_property prop)
{
	const char *text = gsasl_property_fast(session, prop);

	if (text != NULL)
		explicit_bzero((char *)(uintptr_t)text, strlen(text));
}

void
mech_free(struct mech *m)
{
	if (m == NULL)
		return;
	property_wipe(m->session, GSASL_PASSWORD);
	property_wipe(m->session, GSASL_SCRAM_STOREDKEY);
	property_wipe(m->session, GSASL_SCRAM_SERVERKEY);
	gsasl_finish(m->session);
	buf_wipe(&m->input);
	buf_wipe(&m->user);
	buf_wipe(&m->authzid);
	buf_wipe(&m->password);
	explicit_bzero(m, sizeof(*m));
	free(m);
}

static enum mech_event
failure_of(int rc)
{
	switch (rc) {
	case GSASL_MALLOC_ERROR:
	case GSASL_CRYPTO_ERROR:
		return MECH_FAILED;
	case GSASL_MECHANISM_PARSE_ERROR:
	case GSASL_BASE64_ERROR:
	case GSASL_MECHANISM_CALLED_TOO_MANY_TIMES:
		return MECH_MALFORMED;
	default:
		return MECH_REJECT;
	}
}

/* One step of libgsasl; `input` NULL for none. */
static enum mech_event
library_step(struct mech *m, const char *input, size_t n, struct buf *out)
{
	char *output = NULL;
	size_t output_len = 0;
	int rc;

	rc = gsasl_step(m->session, input, n, &output, &output_len);
	m->steps++;
	if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE) {
		/* The content of `output` is undefined then; libgsasl leaves it NULL. */
		return failure_of(rc);
	}
	if (output_len > 0)
		buf_add(out, output, output_len);
	gsasl_free(output);
	if (m->user_differs)
		return MECH_MALFORMED;
	if (rc == GSASL_NEEDS_MORE)
		return MECH_CHALLENGE;
	return m->kind->kind == KIND_SCRAM ? MECH_ACCEPT : MECH_VERIFY;
}

/* An empty challenge, once. */
static enum mech_event
ask(struct mech *m)
{
	if (m->asked)
		return MECH_MALFORMED;
	m->asked = true;
	return MECH_CHALLENGE;
}

static void
saslname_decode(struct str s, struct buf *out)
{
	buf_reserve(out, s.n + 1);
	for (size_t i = 0; i < s.n; i++) {
		if (s.n - i >= 3 && memcmp(s.p + i, "=2C", 3) == 0) {
			buf_addc(out, ',');
			i += 2;
		} else if (s.n - i >= 3 && memcmp(s.p + i, "=3D", 3) == 0) {
			buf_addc(out, '=');
			i += 2;
		} else {
			buf_addc(out, s.p[i]);
		}
	}
}

/*
 * RFC 5802 section 7: client-first-message = gs2-cbind-flag "," [authzid] "," "n=" saslname ",r="
 * …; an extension "m=" in the place of "n=" is one that we don't know and must refuse.
 */
static bool
scram_peek(struct mech *m, struct str message)
{
	struct str flag, authzid, user;

	if (memchr(message.p, '\0', message.n) != NULL || !str_split(&message, ',', &flag) ||
	    !str_split(&message, ',', &authzid) || !str_split(&message, ',', &user))
		return false;
	if (!str_starts(user, "n=") || user.n <= 2 || user.n > NAME_MAX_BYTES ||
	    authzid.n > NAME_MAX_BYTES)
		return false;
	if (authzid.n > 0 && !str_starts(authzid, "a="))
		return false;
	saslname_decode(str_of(user.p + 2, user.n - 2), &m->user);
	if (authzid.n > 2)
		saslname_decode(str_of(authzid.p + 2, authzid.n - 2), &m->authzid);
	return true;
}

static enum mech_event
scram_step(struct mech *m, const struct str *input)
{
	if (m->steps == 0 && (input == NULL || input->n == 0))
		return ask(m);
	if (input == NULL || input->n == 0 || m->steps > 1)
		return MECH_MALFORMED;
	if (m->steps == 0 && !scram_peek(m, *input))
		return MECH_MALFORMED;
	secret_set(&m->input, input->p, input->n);
	m->pending = true;
	if (m->steps == 0)
		return MECH_LOOKUP;
	return m->keys_complete ? MECH_ACCEPT : MECH_KEYS; /* MECH_ACCEPT: go on, see mech_step */
}

/* The user name may come as initial response, though LOGIN has no place for one: clients do it. */
static enum mech_event
login_step(struct mech *m, const struct str *input, struct buf *out)
{
	enum mech_event event = MECH_CHALLENGE;

	if (m->steps == 0) {
		event = library_step(m, NULL, 0, out);
		if (event != MECH_CHALLENGE || input == NULL || input->n == 0)
			return event;
		buf_empty(out);
	}
	if (input == NULL)
		return MECH_MALFORMED;
	secret_set(&m->input, input->p, input->n);
	return library_step(m, m->input.data, m->input.len, out);
}

enum mech_event
mech_step(struct mech *m, const struct str *input, struct buf *out)
{
	enum mech_event event;

	buf_empty(out);
	m->pending = false;
	switch (m->kind->kind) {
	case KIND_SCRAM:
		event = scram_step(m, input);
		return event == MECH_ACCEPT ? mech_resume(m, out) : event;
	case KIND_LOGIN:
		return login_step(m, input, out);
	case KIND_PLAIN:
		if (input == NULL || input->n == 0)
			return ask(m);
		break;
	case KIND_EXTERNAL:
		if (input == NULL)
			return ask(m);
		break;
	}
	secret_set(&m->input, input->p, input->n);
	return library_step(m, m->input.data, m->input.len, out);
}

enum mech_event
mech_resume(struct mech *m, struct buf *out)
{
	if (!m->pending)
		rk_bug("a SASL exchange went on without a message");
	m->pending = false;
	buf_empty(out);
	return library_step(m, m->input.data, m->input.len, out);
}

static struct str
text_of(const struct buf *b)
{
	return b->data == NULL ? STR_LIT("") : str_of(b->data, b->len);
}

struct str
mech_user(const struct mech *m)
{
	return text_of(&m->user);
}

struct str
mech_authzid(const struct mech *m)
{
	return text_of(&m->authzid);
}

struct str
mech_password(const struct mech *m)
{
	return text_of(&m->password);
}

bool
mech_is_scram(const struct mech *m)
{
	return m->kind->kind == KIND_SCRAM;
}

enum scram_hash
mech_hash(const struct mech *m)
{
	return m->kind->hash;
}

void
mech_scram_salt(struct mech *m, const struct scram_keys *keys, bool complete)
{
	m->keys = *keys;
	m->keys_complete = complete;
}

void
mech_scram_keys(struct mech *m, struct str stored_key, struct str server_key)
{
	size_t n = scram_hash_len(m->kind->hash);

	if (stored_key.n != n || server_key.n != n)
		rk_bug("SCRAM keys of %zu and %zu bytes", stored_key.n, server_key.n);
	memcpy(m->keys.stored_key, stored_key.p, n);
	memcpy(m->keys.server_key, server_key.p, n);
	m->keys_complete = true;
}

const struct scram_keys *
mech_scram(const struct mech *m)
{
	return &m->keys;
}
