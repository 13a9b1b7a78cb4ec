/*
 * Tokens of RFC 9051 section 9 over a whole command from reader.h. No recursion, no allocation
 * beyond the arena; positions only go forward. Each function returns false and leaves the position
 * alone when the wanted token does not stand there.
 */
#ifndef WIRE_LEXER_H
#define WIRE_LEXER_H

#include "lib/base/str.h"
#include "lib/base/uidset.h"
#include "lib/wire/spill.h"

/*
 * A literal that is taken as a whole: bytes of the command, or a range of the file that the reader
 * put it in (reader_spill), with CR LF line ends.
 */
struct lex_literal {
	struct str bytes; /* fd -1 */
	int fd;           /* borrowed from the reader until reader_next */
	uint64_t offset;
	uint64_t size;
	bool literal8;
};

struct lexer {
	const char *p;
	const char *end;
	struct rk_arena *mem; /* unescaped quoted strings live here */
	unsigned depth;       /* open parentheses */
	const char *start;
	const struct spill *spill; /* literals that are not in the bytes, or NULL */
};

#define LEXER_DEPTH_MAX 64

void lexer_init(struct lexer *l, struct str command, struct rk_arena *mem);

/* The command has literals in a file, which lex_message finds there. */
void lexer_spill(struct lexer *l, const struct spill *spill);

bool lex_tag(struct lexer *l, struct str *out); /* 1*<ASTRING-CHAR except "+"> */
bool lex_atom(struct lexer *l, struct str *out);
bool lex_astring(struct lexer *l, struct str *out); /* ASTRING-CHARs, quoted or literal */
bool lex_string(struct lexer *l, struct str *out);  /* quoted or literal */
/* literal or literal8 as a whole: what APPEND takes. A NUL may stand in literal8 only. */
bool lex_message(struct lexer *l, struct lex_literal *out);
bool lex_nstring(struct lexer *l, struct str *out, bool *nil_out);
bool lex_list_mailbox(struct lexer *l, struct str *out); /* list-mailbox: wildcards allowed */
bool lex_number(struct lexer *l, uint32_t *out);
bool lex_number64(struct lexer *l, uint64_t *out); /* up to 2^63 - 1 */
bool lex_nz_number(struct lexer *l, uint32_t *out);
bool lex_flag(struct lexer *l, struct str *out); /* \Seen, keyword */
bool lex_space(struct lexer *l);                 /* exactly one SP */
bool lex_char(struct lexer *l, char c);
bool lex_open(struct lexer *l); /* "(", counted */
bool lex_close(struct lexer *l);
bool lex_word(struct lexer *l, const char *word); /* ASCII case ignored; whole atom */
bool lex_prefix(
    struct lexer *l, const char *bytes); /* ASCII case ignored; any bytes, e.g. "BODY[" */
bool lex_end(struct lexer *l);           /* CRLF (or LF) and nothing behind it */
char lex_peek(const struct lexer *l);    /* next byte, '\0' at the end */

/*
 * sequence-set. `*` is written as 0 in the run's last and first; resolve with lex_sequence_resolve.
 * At most `max_ranges` ranges (hardening.md section 4; 1,2,3 count as one), else false. "$" is not
 * taken here.
 */
struct sequence_range {
	uint32_t first; /* 0: `*` */
	uint32_t last;  /* 0: `*` */
};
struct sequence {
	struct sequence_range *ranges; /* in the arena, in the order written */
	size_t n;
};
bool lex_sequence(struct lexer *l, size_t max_ranges, struct sequence *out);
/* Adds the numbers to `out` with `*` = star (0: nothing to add for it). */
void sequence_resolve(const struct sequence *seq, uint32_t star, struct uidset *out);

#endif
