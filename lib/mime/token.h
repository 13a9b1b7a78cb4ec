/*
 * Tokens of structured header fields (RFC 5322 section 3.2, RFC 2045 section 5.1) over a field's
 * value, folded or not. Positions only go forward; comments nest without recursion.
 */
#ifndef MIME_TOKEN_H
#define MIME_TOKEN_H

#include "lib/base/buf.h"
#include "lib/mime/part.h"

struct token {
	const char *p;
	const char *end;
};

/* White space, line ends and comments. `comment`, unless NULL, becomes the last one's text without
 * its outer parentheses, quoted pairs and line ends. */
void token_cfws(struct token *t, struct buf *comment);
/* MIME token (any byte but blanks, controls and tspecials) into *out, as it stands. */
bool token_word(struct token *t, struct str *out);
/* Quoted string whose opening quote is at t->p; appends the text without quotes, backslashes and
 * line ends. One without end goes to the end. */
void token_quoted(struct token *t, struct buf *out);

/* A field's value as "word[/word] ; name=value …"; strings in `mem`. False: there is no first word,
 * or `slashed` and no second one. At most MIME_PARAMS_MAX parameters are taken. */
struct token_content {
	struct str type;
	struct str subtype;
	const struct mime_param *params;
	size_t nparams;
};
bool token_content(struct str value, bool slashed, struct rk_arena *mem, struct token_content *out);

#endif
