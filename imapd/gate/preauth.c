#include "imapd/gate/preauth.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/bug.h"
#include "lib/base/log.h"
#include "lib/wire/base64.h"
#include "lib/wire/lexer.h"
#include "lib/wire/writer.h"

#define ID_PAIRS_MAX 30 /* RFC 2971 section 3.3 */
#define ID_KEY_MAX 30
#define ID_VALUE_MAX 1024

struct verb {
	const char *name;
	bool literals; /* an argument may be one */
	enum preauth_action (*run)(struct preauth *p, struct lexer *l);
};

struct preauth *
preauth_new(const struct gate_settings *settings, const struct offer *offer)
{
	/* AUTHENTICATE carries base64 of its own bound; other lines are held to theirs in
	 * command_bound(). */
	size_t sasl = settings->limit.sasl + HANDOFF_TAG_MAX + 64;
	size_t line = settings->limit.line;
	struct reader_limits limits = {
		.line = sasl > line ? sasl : line,
		.literal = settings->limit.literal,
		.nonsync = settings->limit.literal,
		.command = (sasl > line ? sasl : line) + 4 * settings->limit.literal,
	};
	struct preauth *p = calloc(1, sizeof(*p));

	if (p == NULL)
		rk_out_of_memory(sizeof(*p));
	p->settings = settings;
	p->offer = *offer;
	p->reader = reader_new(&limits);
	p->mem = arena_new();
	return p;
}

void
preauth_free(struct preauth *p)
{
	if (p == NULL)
		return;
	reader_free(p->reader);
	arena_free(p->mem);
	buf_clear(&p->out);
	buf_wipe(&p->data);
	buf_wipe(&p->line);
	free(p);
}

void
preauth_greet(struct preauth *p)
{
	buf_adds(&p->out, "* OK [CAPABILITY ");
	capability_write(&p->out, p->settings, &p->offer);
	buf_adds(&p->out, "] ");
	write_text(&p->out, str_from(p->settings->greeting));
	buf_adds(&p->out, "\r\n");
}

void
preauth_bye(struct preauth *p, const char *text)
{
	buf_addf(&p->out, "* BYE %s\r\n", text);
	p->closing = true;
	p->state = PREAUTH_OVER;
}

/* The word an action has when a limit may have ended the conversation meanwhile. */
static enum preauth_action
more_or_close(const struct preauth *p)
{
	return p->closing ? PREAUTH_CLOSE : PREAUTH_MORE;
}

static enum preauth_action
answer(struct preauth *p, const char *text)
{
	buf_addf(&p->out, "%s %s\r\n", p->tag, text);
	return PREAUTH_MORE;
}

static enum preauth_action
bad(struct preauth *p, const char *text)
{
	buf_addf(&p->out, "%s BAD %s\r\n", p->tag, text);
	if (++p->bad_commands > p->settings->limit.bad_commands)
		preauth_bye(p, "Too many bad commands");
	return more_or_close(p);
}

/* What cannot be followed any further: said once, then closed. */
static enum preauth_action
fatal(struct preauth *p, const char *text)
{
	buf_addf(&p->out, "%s BAD %s\r\n", p->tag, text);
	preauth_bye(p, "Closing this connection");
	return PREAUTH_CLOSE;
}

static enum preauth_action
verb_capability(struct preauth *p, struct lexer *l)
{
	if (!lex_end(l))
		return bad(p, "CAPABILITY takes no arguments");
	buf_adds(&p->out, "* CAPABILITY ");
	capability_write(&p->out, p->settings, &p->offer);
	buf_adds(&p->out, "\r\n");
	return answer(p, "OK Capability completed");
}

static enum preauth_action
verb_noop(struct preauth *p, struct lexer *l)
{
	if (!lex_end(l))
		return bad(p, "NOOP takes no arguments");
	return answer(p, "OK Nothing done");
}

static enum preauth_action
verb_logout(struct preauth *p, struct lexer *l)
{
	if (!lex_end(l))
		return bad(p, "LOGOUT takes no arguments");
	preauth_bye(p, "Logging out");
	answer(p, "OK Logout completed");
	return PREAUTH_CLOSE;
}

struct client_id {
	struct str name;
	struct str version;
};

static bool
id_pair(struct lexer *l, struct client_id *id)
{
	struct str key, value;
	bool nil;

	if (!lex_string(l, &key) || !lex_space(l) || !lex_nstring(l, &value, &nil) ||
	    key.n > ID_KEY_MAX || (!nil && value.n > ID_VALUE_MAX))
		return false;
	if (!nil && str_iis(key, "name"))
		id->name = value;
	else if (!nil && str_iis(key, "version"))
		id->version = value;
	return true;
}

static bool
id_arguments(struct lexer *l, struct client_id *id)
{
	if (!lex_space(l))
		return false;
	if (lex_word(l, "NIL"))
		return lex_end(l);
	if (!lex_open(l))
		return false;
	for (int pairs = 0; !lex_close(l); pairs++) {
		if (pairs == ID_PAIRS_MAX || (pairs > 0 && !lex_space(l)) || !id_pair(l, id))
			return false;
	}
	return lex_end(l);
}

static enum preauth_action
verb_id(struct preauth *p, struct lexer *l)
{
	struct client_id id = { .name = { "", 0 }, .version = { "", 0 } };

	if (!id_arguments(l, &id))
		return bad(p, "ID takes a list of strings or NIL");
	log_ev(RK_LOG_DEBUG, "gate.id", LOG_B("client", id.name.p, id.name.n),
	    LOG_B("version", id.version.p, id.version.n));
	buf_adds(&p->out, "* ID (\"name\" \"Rookery\")\r\n");
	return answer(p, "OK ID completed");
}

static enum preauth_action
verb_starttls(struct preauth *p, struct lexer *l)
{
	if (!lex_end(l))
		return bad(p, "STARTTLS takes no arguments");
	if (p->offer.tls)
		return bad(p, "TLS is active already");
	if (!p->offer.starttls)
		return answer(p, "NO TLS is not available");
	answer(p, "OK Begin TLS negotiation now");
	p->state = PREAUTH_WAIT;
	return PREAUTH_STARTTLS;
}

static enum preauth_action
mechanism_refused(struct preauth *p, enum mechanism_answer why)
{
	if (why == MECHANISM_NEEDS_TLS)
		return answer(p, "NO [PRIVACYREQUIRED] Use STARTTLS first");
	return answer(p, "NO [CANNOT] This mechanism is not offered here");
}

static enum preauth_action
auth_begin(struct preauth *p, enum handoff_reply reply)
{
	p->reply = reply;
	p->state = PREAUTH_WAIT;
	return PREAUTH_AUTH;
}

/* The rest of the line up to its end. */
static struct str
rest_of_line(const struct lexer *l)
{
	struct str rest = str_of(l->p, (size_t)(l->end - l->p));

	if (rest.n > 0 && rest.p[rest.n - 1] == '\n')
		rest.n--;
	if (rest.n > 0 && rest.p[rest.n - 1] == '\r')
		rest.n--;
	return rest;
}

/* Into p->data; false for anything but strict base64 of at most AUTH_DATA_MAX bytes. */
static bool
data_decode(struct preauth *p, struct str text)
{
	struct rk_err err;

	buf_wipe(&p->data);
	p->has_data = true;
	if (text.n > p->settings->limit.sasl)
		return false;
	buf_reserve(&p->data, text.n + 4);
	return base64_decode(text, &p->data, &err) == RK_OK && p->data.len <= AUTH_DATA_MAX;
}

static enum preauth_action
verb_authenticate(struct preauth *p, struct lexer *l)
{
	enum mechanism_answer offered;
	struct str name, initial;

	if (!lex_space(l) || !lex_atom(l, &name))
		return bad(p, "AUTHENTICATE takes a mechanism and an initial response");
	p->has_data = false;
	buf_wipe(&p->data);
	if (!lex_end(l)) {
		if (!lex_space(l))
			return bad(p, "AUTHENTICATE takes a mechanism and an initial response");
		initial = rest_of_line(l);
		/* "=" stands for a response of no bytes (RFC 4959). */
		if (initial.n == 0 || !data_decode(p, str_is(initial, "=") ? STR_LIT("") : initial))
			return bad(p, "The initial response is no base64");
	}
	if (name.n > MECHANISM_MAX)
		return mechanism_refused(p, MECHANISM_UNKNOWN);
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		p->mechanism[i] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
	}
	p->mechanism[name.n] = '\0';
	offered = capability_mechanism(p->settings, &p->offer, p->mechanism);
	if (offered != MECHANISM_OFFERED)
		return mechanism_refused(p, offered);
	return auth_begin(p, HANDOFF_AUTHENTICATE);
}

static enum preauth_action
verb_login(struct preauth *p, struct lexer *l)
{
	enum mechanism_answer offered = capability_login(p->settings, &p->offer);
	struct str user, password;

	if (!lex_space(l) || !lex_astring(l, &user) || !lex_space(l) ||
	    !lex_astring(l, &password) || !lex_end(l))
		return bad(p, "LOGIN takes a user and a password");
	if (offered != MECHANISM_OFFERED)
		return mechanism_refused(p, offered);
	/* PLAIN's fields end at NUL (RFC 4616): a NUL inside would move a border. */
	if (memchr(user.p, '\0', user.n) != NULL || memchr(password.p, '\0', password.n) != NULL)
		return bad(p, "LOGIN takes no NUL");
	buf_wipe(&p->data);
	buf_reserve(&p->data, user.n + password.n + 4);
	buf_addc(&p->data, '\0');
	buf_add(&p->data, user.p, user.n);
	buf_addc(&p->data, '\0');
	buf_add(&p->data, password.p, password.n);
	p->has_data = true;
	if (p->data.len > AUTH_DATA_MAX)
		return fatal(p, "[TOOBIG] The password is too long");
	memcpy(p->mechanism, "PLAIN", sizeof("PLAIN"));
	return auth_begin(p, HANDOFF_LOGIN);
}

/* clang-format off */
static const struct verb verbs[] = {
	{ "CAPABILITY",   false, verb_capability },
	{ "NOOP",         false, verb_noop },
	{ "LOGOUT",       false, verb_logout },
	{ "ID",           true,  verb_id },
	{ "STARTTLS",     false, verb_starttls },
	{ "AUTHENTICATE", false, verb_authenticate },
	{ "LOGIN",        true,  verb_login },
};
/* clang-format on */

static const struct verb *
verb_find(struct str name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (str_iis(name, verbs[i].name))
			return &verbs[i];
	}
	return NULL;
}

static void
tag_set(struct preauth *p, struct str tag)
{
	if (tag.n == 0 || tag.n > HANDOFF_TAG_MAX)
		tag = STR_LIT("*");
	memcpy(p->tag, tag.p, tag.n);
	p->tag[tag.n] = '\0';
}

/* The verb of a command that is still coming in. */
static const struct verb *
head_verb(const struct preauth *p)
{
	struct str rest = str_of(p->head, p->nhead);
	struct str word;

	if (!str_split(&rest, ' ', &word) || !str_split(&rest, ' ', &word))
		return NULL;
	while (word.n > 0 && (word.p[word.n - 1] == '\n' || word.p[word.n - 1] == '\r'))
		word.n--;
	return verb_find(word);
}

/* A web browser was led here by somebody who wants our answers to be read as a page (ALPACA, V28):
 * it gets none. */
static bool
head_is_http(const struct preauth *p)
{
	static const char *const words[] = { "GET ", "POST ", "HEAD ", "PUT ", "OPTIONS ",
		"CONNECT ", "TRACE ", "DELETE ", "PATCH ", "PRI " };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i]);

		if (p->nhead >= n && memcmp(p->head, words[i], n) == 0)
			return true;
	}
	return false;
}

static void
head_add(struct preauth *p, const char *bytes, size_t n)
{
	size_t room = sizeof(p->head) - p->nhead;

	memcpy(p->head + p->nhead, bytes, n < room ? n : room);
	p->nhead += n < room ? n : room;
}

static void
head_forget(struct preauth *p)
{
	explicit_bzero(p->head, sizeof(p->head));
	p->nhead = 0;
	p->command_bytes = 0;
}

static enum preauth_action
command_dispatch(struct preauth *p, struct str command)
{
	const struct verb *verb;
	struct str tag, name;
	struct lexer l;

	lexer_init(&l, command, p->mem);
	if (!lex_tag(&l, &tag) || !lex_space(&l)) {
		tag_set(p, STR_LIT("*"));
		return bad(p, "A command is a tag, a space and a verb");
	}
	tag_set(p, tag);
	if (tag.n > HANDOFF_TAG_MAX)
		return bad(p, "The tag is too long");
	verb = lex_atom(&l, &name) ? verb_find(name) : NULL;
	if (verb == NULL)
		return bad(p, "Unknown command, or not allowed before login");
	return verb->run(p, &l);
}

static enum preauth_action
command_run(struct preauth *p)
{
	enum preauth_action action;

	if (++p->commands > p->settings->limit.commands) {
		preauth_bye(p, "Too many commands before login");
		action = PREAUTH_CLOSE;
	} else {
		action = command_dispatch(p, reader_command(p->reader));
	}
	reader_next(p->reader);
	arena_reset(p->mem);
	head_forget(p);
	return action;
}

/* Control bytes have no place in anything a client says before login (V02). */
static bool
has_control(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if ((c < 0x20 && c != '\r' && c != '\n' && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

/* Whether the client has sent more than it may; then it was told. */
static bool
bytes_exceeded(struct preauth *p, size_t used)
{
	p->bytes += used;
	if (p->bytes <= p->settings->limit.bytes)
		return false;
	preauth_bye(p, "Too much was sent before login");
	return true;
}

static bool
command_exceeded(struct preauth *p, size_t used)
{
	const struct verb *verb;

	p->command_bytes += used;
	if (p->command_bytes <= p->settings->limit.line)
		return false;
	verb = head_verb(p);
	return verb == NULL || verb->run != verb_authenticate;
}

static enum preauth_action
literal_asked(struct preauth *p)
{
	const struct verb *verb = head_verb(p);

	if (verb != NULL && verb->literals) {
		buf_adds(&p->out, "+ Ready\r\n");
		return PREAUTH_MORE;
	}
	tag_set(p, reader_tag(p->reader));
	reader_reset(p->reader); /* refused: the client does not send it */
	head_forget(p);
	return bad(p, "No literal is taken here");
}

static enum preauth_action
command_feed(struct preauth *p, const char *bytes, size_t n, size_t *used_out)
{
	enum reader_step step = reader_feed(p->reader, bytes, n, used_out);
	size_t used = *used_out;

	head_add(p, bytes, used);
	if (head_is_http(p))
		return PREAUTH_DROP;
	tag_set(p, reader_tag(p->reader));
	if (step == READER_BAD || has_control(bytes, used))
		return fatal(p, "Malformed input");
	if (step == READER_TOO_BIG || command_exceeded(p, used))
		return fatal(p, "[TOOBIG] The command is too long");
	if (bytes_exceeded(p, used))
		return PREAUTH_CLOSE;
	switch (step) {
	case READER_CONTINUE:
		return literal_asked(p);
	case READER_COMMAND:
		return command_run(p);
	default:
		return PREAUTH_MORE;
	}
}

/* Back to commands; `exchanging`: authd still waits for this client. */
static enum preauth_action
exchange_end(struct preauth *p, bool exchanging)
{
	buf_wipe(&p->line);
	buf_wipe(&p->data);
	if (!p->closing)
		p->state = PREAUTH_COMMAND;
	return exchanging ? PREAUTH_CANCEL : more_or_close(p);
}

static enum preauth_action
sasl_line(struct preauth *p)
{
	bool exchanging = p->state == PREAUTH_SASL;
	struct str line = str_of(p->line.data, p->line.len - 1);

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (str_is(line, "*")) {
		bad(p, "Authentication cancelled");
		return exchange_end(p, exchanging);
	}
	if (!data_decode(p, line) || (!exchanging && p->data.len > 0)) {
		bad(p, "The response is no base64, or not expected");
		return exchange_end(p, exchanging);
	}
	buf_wipe(&p->line);
	p->state = PREAUTH_WAIT;
	return exchanging ? PREAUTH_RESPONSE : PREAUTH_HANDOFF;
}

static enum preauth_action
sasl_fatal(struct preauth *p, const char *text)
{
	bool exchanging = p->state == PREAUTH_SASL;

	fatal(p, text);
	return exchange_end(p, exchanging);
}

static enum preauth_action
sasl_feed(struct preauth *p, const char *bytes, size_t n, size_t *used_out)
{
	const char *lf = memchr(bytes, '\n', n);
	size_t used = lf != NULL ? (size_t)(lf - bytes) + 1 : n;
	size_t body;

	*used_out = used;
	body = used - (lf != NULL);
	if (lf != NULL && body > 0 && bytes[body - 1] == '\r')
		body--;
	/* A CR may only stand before LF; at the end of what came so far it still may. */
	if (lf == NULL && body > 0 && bytes[body - 1] == '\r')
		body--;
	if (has_control(bytes, body) || memchr(bytes, '\r', body) != NULL ||
	    (bytes[0] != '\n' && p->line.len > 0 && p->line.data[p->line.len - 1] == '\r'))
		return sasl_fatal(p, "Malformed input");
	if (p->line.len + used > p->settings->limit.sasl + 2)
		return sasl_fatal(p, "[TOOBIG] The response is too long");
	if (p->line.cap == 0)
		buf_reserve(&p->line, p->settings->limit.sasl + 3); /* a secret never moves */
	if (bytes_exceeded(p, used))
		return exchange_end(p, p->state != PREAUTH_FINAL);
	buf_add(&p->line, bytes, used);
	return lf != NULL ? sasl_line(p) : PREAUTH_MORE;
}

enum preauth_action
preauth_feed(struct preauth *p, const void *bytes, size_t n, size_t *used_out)
{
	*used_out = 0;
	if (n == 0)
		return PREAUTH_MORE;
	switch (p->state) {
	case PREAUTH_COMMAND:
		return command_feed(p, bytes, n, used_out);
	case PREAUTH_SASL:
	case PREAUTH_FINAL:
		return sasl_feed(p, bytes, n, used_out);
	default:
		rk_bug("preauth: bytes in state %d", (int)p->state);
	}
}

void
preauth_secured(struct preauth *p, const struct offer *offer)
{
	p->offer = *offer;
	p->state = PREAUTH_COMMAND;
	p->tag[0] = '\0';
	reader_reset(p->reader);
	head_forget(p);
	buf_wipe(&p->line);
	buf_wipe(&p->data);
	buf_clear(&p->out);
}

static void
challenge_write(struct preauth *p, struct str data)
{
	buf_wipe(&p->data);
	buf_adds(&p->out, "+ ");
	base64_encode(data, &p->out);
	buf_adds(&p->out, "\r\n");
}

void
preauth_challenge(struct preauth *p, struct str data)
{
	challenge_write(p, data);
	p->state = PREAUTH_SASL;
}

void
preauth_final(struct preauth *p, struct str data)
{
	challenge_write(p, data);
	p->state = PREAUTH_FINAL;
}

enum preauth_action
preauth_rejected(struct preauth *p, enum auth_failure reason)
{
	p->state = PREAUTH_COMMAND;
	buf_wipe(&p->data);
	switch (reason) {
	case AUTH_REJECTED:
		answer(p, "NO [AUTHENTICATIONFAILED] Authentication failed");
		break;
	case AUTH_UNAVAILABLE:
		return answer(p, "NO [UNAVAILABLE] Authentication is not possible now");
	case AUTH_BAD:
		bad(p, "Malformed authentication message");
		break;
	case AUTH_NO_MECHANISM:
		return mechanism_refused(p, MECHANISM_UNKNOWN);
	case AUTH_NEEDS_TLS:
		return mechanism_refused(p, MECHANISM_NEEDS_TLS);
	}
	if (++p->auth_tries >= p->settings->limit.auth_tries && !p->closing)
		preauth_bye(p, "Too many failed logins");
	return more_or_close(p);
}

enum preauth_action
preauth_handoff_failed(struct preauth *p, enum rk_status why)
{
	p->state = PREAUTH_COMMAND;
	buf_wipe(&p->data);
	if (why == RK_LIMIT)
		return answer(p, "NO [LIMIT] Too many sessions");
	return answer(p, "NO [UNAVAILABLE] No session can be opened now");
}
