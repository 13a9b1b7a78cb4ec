/* For this folder only. */
#ifndef SEARCH_SEARCH_IMPL_H
#define SEARCH_SEARCH_IMPL_H

#include "lib/mime/transfer.h"
#include "storage/search/search.h"

/* A key with what is known of the message at hand. Children stand before their parents. */
struct node {
	const struct search_key *key;
	size_t parent; /* SIZE_MAX: the whole */
	enum search_answer value;
	unsigned no, yes, open; /* children with that value */
	struct uidset set;      /* UIDs, for keys about sets */
	struct str text;        /* folded */
};

#define SEARCH_BLOCK ((size_t)32 * 1024)

/* How far the body of the message at hand was read (body.c). */
struct reading {
	const struct mime_part *part; /* NULL: not begun */
	uint64_t at;                  /* octets read of the message */
	bool inside;                  /* in the text of the part: */
	struct transfer transfer;
	struct charset *cs;
	char block[SEARCH_BLOCK];
};

struct search {
	struct node *nodes;
	size_t n;
	int64_t now;
	bool needs_size;
	size_t ntexts;   /* BODY and TEXT among the keys */
	size_t text_max; /* the longest folded text of BODY and TEXT */
	struct buf line; /* kept from message to message */
	struct buf folded;
	struct buf raw;
	struct reading reading;
};

/* --- plan.c --- */

/* Combines the values of all keys from the leaves up. */
enum search_answer search_value(struct search *s);
/* Leaves that are not answered yet become `no`. */
void search_settle(struct search *s, bool text_too);

/* --- match.c --- */

bool text_has(struct str folded, struct str text);

#endif
