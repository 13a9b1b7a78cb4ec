/* Words of structured header fields (RFC 5322 section 3.2, RFC 2045 section 5.1) over an unfolded
 * value. Positions only go forward; nothing recurses. */
#ifndef MIME_TOKEN_H
#define MIME_TOKEN_H

#include "lib/base/str.h"

struct token_reader {
	const char *p;
	const char *end;
	struct rk_arena *mem; /* unescaped strings live here */
};

/* White space and comments, nested ones too. The text of the last comment goes to *comment_out
 * (may be NULL; untouched if there is none). */
void token_skip(struct token_reader *r, struct str *comment_out);
/* 1*<any byte but white space, control bytes and those of `stop`>; false if none stands there. */
bool token_word(struct token_reader *r, const char *stop, struct str *out);
/* A quoted string without its quotes and escapes; one without an end goes to the end. */
bool token_quoted(struct token_reader *r, struct str *out);
bool token_char(struct token_reader *r, char c);

#endif
