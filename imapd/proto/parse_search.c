/*
 * SEARCH (RFC 9051 section 6.4.4; NEW, OLD and RECENT of RFC 3501; OLDER and YOUNGER of RFC 5032).
 * A stack of the keys that wait for children stands in for recursion.
 */
#include "imapd/proto/parse_impl.h"

enum argument {
	ARG_NONE,
	ARG_FLAG,    /* none; flag says which */
	ARG_UNFLAG,  /* the same below NOT */
	ARG_KEYWORD, /* atom into text */
	ARG_UNKEYWORD,
	ARG_DATE,
	ARG_SIZE,    /* number64 */
	ARG_SECONDS, /* nz-number */
	ARG_STRING,  /* astring into text */
	ARG_FIELD,   /* the same for the field `name` */
	ARG_HEADER,  /* header-fld-name SP astring */
	ARG_UID,     /* sequence-set */
	ARG_NEW,
	ARG_OLD,
	ARG_KEYS, /* NOT, OR: keys follow */
};

/* clang-format off */
static const struct word {
	const char *name;
	enum search_kind kind;
	enum argument argument;
	uint32_t flag;
} words[] = {
	{ "ALL",        SEARCH_ALL,        ARG_NONE,      0 },
	{ "ANSWERED",   SEARCH_FLAG,       ARG_FLAG,      RK_FLAG_ANSWERED },
	{ "BCC",        SEARCH_HEADER,     ARG_FIELD,     0 },
	{ "BEFORE",     SEARCH_BEFORE,     ARG_DATE,      0 },
	{ "BODY",       SEARCH_BODY,       ARG_STRING,    0 },
	{ "CC",         SEARCH_HEADER,     ARG_FIELD,     0 },
	{ "DELETED",    SEARCH_FLAG,       ARG_FLAG,      RK_FLAG_DELETED },
	{ "DRAFT",      SEARCH_FLAG,       ARG_FLAG,      RK_FLAG_DRAFT },
	{ "FLAGGED",    SEARCH_FLAG,       ARG_FLAG,      RK_FLAG_FLAGGED },
	{ "FROM",       SEARCH_HEADER,     ARG_FIELD,     0 },
	{ "HEADER",     SEARCH_HEADER,     ARG_HEADER,    0 },
	{ "KEYWORD",    SEARCH_KEYWORD,    ARG_KEYWORD,   0 },
	{ "LARGER",     SEARCH_LARGER,     ARG_SIZE,      0 },
	{ "NEW",        SEARCH_AND,        ARG_NEW,       0 },
	{ "NOT",        SEARCH_NOT,        ARG_KEYS,      0 },
	{ "OLD",        SEARCH_NOT,        ARG_OLD,       0 },
	{ "OLDER",      SEARCH_OLDER,      ARG_SECONDS,   0 },
	{ "ON",         SEARCH_ON,         ARG_DATE,      0 },
	{ "OR",         SEARCH_OR,         ARG_KEYS,      0 },
	{ "RECENT",     SEARCH_RECENT,     ARG_NONE,      0 },
	{ "SEEN",       SEARCH_FLAG,       ARG_FLAG,      RK_FLAG_SEEN },
	{ "SENTBEFORE", SEARCH_SENTBEFORE, ARG_DATE,      0 },
	{ "SENTON",     SEARCH_SENTON,     ARG_DATE,      0 },
	{ "SENTSINCE",  SEARCH_SENTSINCE,  ARG_DATE,      0 },
	{ "SINCE",      SEARCH_SINCE,      ARG_DATE,      0 },
	{ "SMALLER",    SEARCH_SMALLER,    ARG_SIZE,      0 },
	{ "SUBJECT",    SEARCH_HEADER,     ARG_FIELD,     0 },
	{ "TEXT",       SEARCH_TEXT,       ARG_STRING,    0 },
	{ "TO",         SEARCH_HEADER,     ARG_FIELD,     0 },
	{ "UID",        SEARCH_UID,        ARG_UID,       0 },
	{ "UNANSWERED", SEARCH_FLAG,       ARG_UNFLAG,    RK_FLAG_ANSWERED },
	{ "UNDELETED",  SEARCH_FLAG,       ARG_UNFLAG,    RK_FLAG_DELETED },
	{ "UNDRAFT",    SEARCH_FLAG,       ARG_UNFLAG,    RK_FLAG_DRAFT },
	{ "UNFLAGGED",  SEARCH_FLAG,       ARG_UNFLAG,    RK_FLAG_FLAGGED },
	{ "UNKEYWORD",  SEARCH_KEYWORD,    ARG_UNKEYWORD, 0 },
	{ "UNSEEN",     SEARCH_FLAG,       ARG_UNFLAG,    RK_FLAG_SEEN },
	{ "YOUNGER",    SEARCH_YOUNGER,    ARG_SECONDS,   0 },
};
/* clang-format on */

/* A key that waits for children, and the last of those it has. */
struct frame {
	struct search_key *key;
	struct search_key *last;
	unsigned n;
};

struct program {
	struct lexer *l;
	struct frame stack[SEARCH_DEPTH_MAX + 1]; /* the whole is the lowest */
	size_t depth;                             /* frames above the whole */
	size_t keys;
	const char *why;
};

static bool
program_bad(struct program *p, const char *why)
{
	p->why = why;
	return false;
}

static struct search_key *
key_new(struct program *p, enum search_kind kind)
{
	struct search_key *key = rk_arena_array(p->l->mem, 1, sizeof(*key));

	*key = (struct search_key){ .kind = kind };
	p->keys++;
	return key;
}

static struct search_key *
key_not(struct program *p, struct search_key *child)
{
	struct search_key *key = key_new(p, SEARCH_NOT);

	key->child = child;
	child->parent = key;
	return key;
}

/* NEW = RECENT UNSEEN (RFC 3501 section 6.4.4) */
static struct search_key *
key_recent_unseen(struct program *p)
{
	struct search_key *key = key_new(p, SEARCH_AND);
	struct search_key *seen = key_new(p, SEARCH_FLAG);

	seen->flags = RK_FLAG_SEEN;
	key->child = key_new(p, SEARCH_RECENT);
	key->child->parent = key;
	key->child->next = key_not(p, seen);
	key->child->next->parent = key;
	return key;
}

static void
key_add(struct program *p, struct search_key *key)
{
	struct frame *f = &p->stack[p->depth];

	key->parent = f->key;
	if (f->last == NULL)
		f->key->child = key;
	else
		f->last->next = key;
	f->last = key;
	f->n++;
}

/* The key becomes the one that what follows belongs to. */
static bool
key_push(struct program *p, struct search_key *key)
{
	if (p->depth == SEARCH_DEPTH_MAX)
		return program_bad(p, "The search is nested too deep");
	key_add(p, key);
	p->depth++;
	p->stack[p->depth] = (struct frame){ .key = key };
	return true;
}

/* Leaves NOT and OR that have all their children. */
static void
keys_settle(struct program *p)
{
	while (p->depth > 0) {
		const struct frame *f = &p->stack[p->depth];
		unsigned wanted = f->key->kind == SEARCH_NOT ? 1 : 2;

		if (f->key->kind == SEARCH_AND || f->n < wanted)
			return;
		p->depth--;
	}
}

/* What stands behind the key's word. */
static bool
key_argument(struct lexer *l, const struct word *w, struct search_key *key)
{
	uint32_t seconds;

	if (!lex_space(l))
		return false;
	switch (w->argument) {
	case ARG_KEYWORD:
	case ARG_UNKEYWORD:
		return lex_atom(l, &key->text);
	case ARG_DATE:
		return parse_date(l, &key->day);
	case ARG_SIZE:
		return lex_number64(l, &key->number);
	case ARG_SECONDS:
		if (!lex_nz_number(l, &seconds))
			return false;
		key->number = seconds;
		return true;
	case ARG_FIELD:
		key->name = str_from(w->name);
		return lex_astring(l, &key->text);
	case ARG_HEADER:
		return lex_astring(l, &key->name) && lex_space(l) && lex_astring(l, &key->text);
	case ARG_UID:
		if (lex_char(l, '$')) {
			key->kind = SEARCH_SAVED;
			return true;
		}
		return lex_sequence(l, PARSE_RANGES_MAX, &key->set);
	default:
		return lex_astring(l, &key->text);
	}
}

/* One key that starts with a word; NOT and OR are pushed. */
static bool
key_word(struct program *p, const struct word *w)
{
	struct search_key *key;

	if (w->argument == ARG_NEW) {
		key_add(p, key_recent_unseen(p));
		return true;
	}
	if (w->argument == ARG_OLD) {
		key_add(p, key_not(p, key_new(p, SEARCH_RECENT)));
		return true;
	}
	key = key_new(p, w->kind);
	key->flags = w->flag;
	if (w->argument == ARG_KEYS)
		return key_push(p, key);
	if (w->argument != ARG_NONE && w->argument != ARG_FLAG && w->argument != ARG_UNFLAG &&
	    !key_argument(p->l, w, key))
		return program_bad(p, "Invalid argument of a search key");
	if (w->argument == ARG_UNFLAG || w->argument == ARG_UNKEYWORD)
		key = key_not(p, key);
	key_add(p, key);
	return true;
}

/* sequence-set, `$`, "(" or a word */
static bool
key_lex(struct program *p)
{
	struct search_key *key;
	char c = lex_peek(p->l);

	/* NEW makes four. */
	if (p->keys + 4 > SEARCH_KEYS_MAX)
		return program_bad(p, "Too many search keys");
	if (c == '(') {
		if (!lex_open(p->l))
			return program_bad(p, "The search is nested too deep");
		return key_push(p, key_new(p, SEARCH_AND));
	}
	if (c == '$' || c == '*' || (c >= '0' && c <= '9')) {
		key = key_new(p, c == '$' ? SEARCH_SAVED : SEARCH_SEQUENCE);
		if (c == '$' ? !lex_char(p->l, c)
			     : !lex_sequence(p->l, PARSE_RANGES_MAX, &key->set))
			return program_bad(p, "Invalid message set");
		key_add(p, key);
		return true;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (lex_word(p->l, words[i].name))
			return key_word(p, &words[i]);
	}
	return program_bad(p, "Unknown search key");
}

/* search-key *(SP search-key), up to where no key can go on */
static bool
program_lex(struct program *p)
{
	for (;;) {
		const struct search_key *before = p->stack[p->depth].key, *now;

		if (!key_lex(p))
			return false;
		now = p->stack[p->depth].key;
		if (now != before && now->kind == SEARCH_AND)
			continue; /* right behind "(" the first key stands without a space */
		keys_settle(p);
		while (
		    p->depth > 0 && p->stack[p->depth].key->kind == SEARCH_AND && lex_close(p->l)) {
			p->depth--;
			keys_settle(p);
		}
		if (!lex_space(p->l))
			return p->depth == 0 || program_bad(p, "The search has no end");
	}
}

/* search-return-opts behind its SP: "RETURN" SP "(" [search-return-opt *(SP …)] ")" */
static bool
return_options(struct lexer *l, struct cmd_search *s)
{
	static const char *const names[] = { "MIN", "MAX", "ALL", "COUNT", "SAVE" };
	const size_t n = sizeof(names) / sizeof(names[0]);

	s->extended = true;
	if (!lex_space(l) || !lex_open(l))
		return false;
	if (lex_close(l)) {
		s->ret = SEARCH_RET_ALL;
		return true;
	}
	do {
		size_t i = 0;

		while (i < n && !lex_word(l, names[i]))
			i++;
		if (i == n)
			return false;
		s->ret |= 1u << i; /* enum search_return is in the order of names */
	} while (lex_space(l));
	return lex_close(l);
}

/* search = "SEARCH" [search-return-opts] SP ["CHARSET" SP charset SP] search-key *(SP search-key)
 */
enum parse_result
parse_search(struct lexer *l, struct command *c)
{
	struct cmd_search *s = &c->u.search;
	struct program p = { .l = l };

	if (!lex_space(l))
		return parse_bad(c, "A search key is expected");
	if (lex_word(l, "RETURN")) {
		if (!return_options(l, s))
			return parse_bad(c, "Invalid SEARCH return options");
		if (!lex_space(l))
			return parse_bad(c, "A search key is expected");
	}
	if (lex_word(l, "CHARSET") &&
	    (!lex_space(l) || !lex_astring(l, &s->charset) || !lex_space(l)))
		return parse_bad(c, "A charset and a search key are expected");
	s->key = key_new(&p, SEARCH_AND);
	p.stack[0].key = s->key;
	if (!program_lex(&p))
		return parse_bad(c, p.why);
	return parse_end(l, c);
}
