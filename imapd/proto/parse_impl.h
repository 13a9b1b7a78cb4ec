/* What the grammar functions share; only for this folder. */
#ifndef PROTO_PARSE_IMPL_H
#define PROTO_PARSE_IMPL_H

#include "imapd/proto/parse.h"

/* Sets why (static text) and returns PARSE_BAD. */
enum parse_result parse_bad(struct command *c, const char *why);
/* The CRLF, or PARSE_BAD. */
enum parse_result parse_end(struct lexer *l, struct command *c);

/*
 * Room for one more element behind the n in `array` (doubled in the arena when n is a power of
 * two); NULL if there are max already.
 */
void *parse_room(struct lexer *l, void *array, size_t n, size_t size, size_t max);

/* A mailbox name, converted to UTF-8; one that cannot be sets c->bad_name and leaves *out empty. */
bool parse_name(struct lexer *l, struct command *c, struct str *out);
/* The same for what lex_list_mailbox takes. */
bool parse_pattern(struct lexer *l, struct command *c, struct str *out);

/* SP "(" status-att *(SP status-att) ")" into enum status_item bits; false with c->why set. */
bool parse_status_items(struct lexer *l, struct command *c, uint32_t *items_out);

/* sequence-set or `$` */
bool parse_message_set(struct lexer *l, struct message_set *out);
/* date: days since 1970-01-01. False also for a day that the month does not have. */
bool parse_date(struct lexer *l, int32_t *days_out);
/* date-time: seconds since 1970 */
bool parse_date_time(struct lexer *l, int64_t *seconds_out);

#endif
