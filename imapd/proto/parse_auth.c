/* LOGIN and AUTHENTICATE, for a session that gave up its user; the gate reads its own. */
#include "imapd/proto/parse_impl.h"

enum parse_result
parse_login(struct lexer *l, struct command *c)
{
	if (!lex_space(l) || !lex_astring(l, &c->u.login.user) || !lex_space(l) ||
	    !lex_astring(l, &c->u.login.password))
		return parse_bad(c, "LOGIN needs a user name and a password");
	return parse_end(l, c);
}

static bool
is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '+' || c == '/' || c == '=';
}

/* initial-resp = base64 / "="; whether the base64 is good shows when it is decoded. */
static bool
initial_response(struct lexer *l, struct str *out)
{
	const char *p = l->p;

	while (p < l->end && is_base64(*p))
		p++;
	if (p == l->p)
		return false;
	*out = str_of(l->p, (size_t)(p - l->p));
	if (str_is(*out, "="))
		out->n = 0;
	l->p = p;
	return true;
}

/* authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp] */
enum parse_result
parse_authenticate(struct lexer *l, struct command *c)
{
	struct cmd_authenticate *a = &c->u.authenticate;

	if (!lex_space(l) || !lex_atom(l, &a->mechanism))
		return parse_bad(c, "AUTHENTICATE needs a mechanism");
	if (lex_space(l)) {
		a->has_initial = true;
		if (!initial_response(l, &a->initial))
			return parse_bad(c, "The initial response is not base64");
	}
	return parse_end(l, c);
}
