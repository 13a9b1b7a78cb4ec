/*
 * A SEARCH program as plain data (RFC 9051 section 6.4.4): what the grammar makes of it and what
 * match.c and plan.c read. Everything lives in the command's arena. No recursion is needed: a key
 * has its parent, its first child and its next sibling.
 */
#ifndef SEARCH_QUERY_H
#define SEARCH_QUERY_H

#include <rookery/types.h>

#include "lib/base/str.h"
#include "lib/wire/lexer.h"

#define SEARCH_KEYS_MAX 1000
#define SEARCH_DEPTH_MAX 64

enum search_kind {
	SEARCH_AND, /* all children; without any: ALL */
	SEARCH_OR,  /* two children */
	SEARCH_NOT, /* one child */
	SEARCH_ALL,
	SEARCH_FLAG,     /* flags: all of these enum rk_flag bits are set (one as parsed) */
	SEARCH_KEYWORD,  /* text: a keyword's name */
	SEARCH_RECENT,   /* rev1; NEW is AND(RECENT, NOT Seen), OLD is NOT RECENT */
	SEARCH_SEQUENCE, /* set: sequence numbers */
	SEARCH_UID,      /* set: UIDs */
	SEARCH_SAVED,    /* `$` */
	SEARCH_BEFORE,   /* day: INTERNALDATE's day is earlier */
	SEARCH_ON,
	SEARCH_SINCE,
	SEARCH_SENTBEFORE, /* day: the Date field's, without its time and zone */
	SEARCH_SENTON,
	SEARCH_SENTSINCE,
	SEARCH_LARGER, /* number: octets */
	SEARCH_SMALLER,
	SEARCH_OLDER, /* number: seconds (WITHIN) */
	SEARCH_YOUNGER,
	SEARCH_HEADER, /* name, text: FROM, SUBJECT … are HEADER with a name; an empty text: the
	                  field is there */
	SEARCH_BODY,   /* text */
	SEARCH_TEXT,   /* text: header or body */
};

struct search_key {
	enum search_kind kind;
	struct search_key *parent; /* NULL: the whole */
	struct search_key *child;
	struct search_key *next;
	uint32_t flags;
	struct str name; /* of a header field, as sent */
	struct str text; /* as sent, in the program's charset */
	uint64_t number;
	int32_t day; /* days since 1970-01-01 */
	struct sequence set;
};

#endif
