/*
 * IMAP's bytes on the way in: command lines with their literals, gathered from chunks of any size
 * until a command is whole. Knows lines, literal headers and limits; nothing of verbs.
 *
 * A command is kept as one run of bytes: the lines with their CRLF, each literal's bytes right
 * behind the CRLF of its `{n}`. The lexer reads the same run. Memory grows with bytes received,
 * never with a size that was only declared (V03).
 */
#ifndef WIRE_READER_H
#define WIRE_READER_H

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/wire/spill.h"

struct reader_limits {
	size_t line;    /* bytes of all lines of a command without literals */
	size_t literal; /* one literal */
	size_t nonsync; /* one non-synchronising literal `{n+}`; 0: none taken */
	size_t command; /* lines and literals together */
	bool nul_ok;    /* only after login, inside literal8 */
	/* All messages of one APPEND; they go into a file and don't count above. 0: APPEND is as
	 * any other command. */
	uint64_t message;
};

enum reader_step {
	READER_MORE,     /* take more bytes */
	READER_CONTINUE, /* a synchronising literal is declared: send "+ ", then go on */
	READER_COMMAND,  /* a whole command: reader_command() */
	READER_TOO_BIG, /* a limit was passed: answer BAD or NO [TOOBIG] with reader_tag(), then see
	                   reader_fatal() */
	READER_BAD,     /* NUL, bare CR, malformed literal header: BAD; see reader_fatal() */
};

struct reader;

struct reader *reader_new(const struct reader_limits *limits);
void reader_free(struct reader *r);

/* Feeds up to n bytes and stops at each step; *used_out tells how many were taken (the rest belongs
 * to the next step, command or TLS handshake). A line may end with LF alone. */
enum reader_step reader_feed(struct reader *r, const void *bytes, size_t n, size_t *used_out);

/* The whole command with all CRLFs and literals; valid until reader_next. */
struct str reader_command(const struct reader *r);
/* What of it stands in a file (lexer_spill). Valid until reader_next. */
const struct spill *reader_spill(const struct reader *r);
/* After READER_TOO_BIG: it was a message, so that the answer is NO (RFC 7889 section 4). */
bool reader_message(const struct reader *r);
/* Tag of the command so far if it is a valid one, else "*"; for BAD answers. Borrowed. */
struct str reader_tag(const struct reader *r);
/* After READER_TOO_BIG or READER_BAD: true if the stream cannot be followed any more (a
 * non-synchronising literal that will not be read): BYE. Otherwise the rest of the line is skipped
 * and the next command is read; if its end then announces such a literal, a fatal READER_BAD
 * follows. */
bool reader_fatal(const struct reader *r);
/* Ready for the next command; memory beyond a small block is given back. */
void reader_next(struct reader *r);
/* Whether any byte of an unfinished command is held. */
bool reader_busy(const struct reader *r);
/* Forgets everything (STARTTLS, V01). */
void reader_reset(struct reader *r);

#endif
