/* FETCH (RFC 9051 section 6.4.5, and RFC822 with its parts of RFC 3501). */
#include "imapd/proto/parse_impl.h"

#define PLAIN_KINDS                                                                                \
	(1u << FETCH_FLAGS | 1u << FETCH_UID | 1u << FETCH_INTERNALDATE | 1u << FETCH_SIZE |       \
	    1u << FETCH_ENVELOPE | 1u << FETCH_BODY | 1u << FETCH_BODYSTRUCTURE |                  \
	    1u << FETCH_RFC822 | 1u << FETCH_RFC822_HEADER | 1u << FETCH_RFC822_TEXT)

/* clang-format off */
static const struct word {
	const char *name;
	enum fetch_kind kind;
} words[] = {
	{ "FLAGS",         FETCH_FLAGS },
	{ "UID",           FETCH_UID },
	{ "INTERNALDATE",  FETCH_INTERNALDATE },
	{ "RFC822.SIZE",   FETCH_SIZE },
	{ "ENVELOPE",      FETCH_ENVELOPE },
	{ "BODYSTRUCTURE", FETCH_BODYSTRUCTURE },
	{ "RFC822",        FETCH_RFC822 },
	{ "RFC822.HEADER", FETCH_RFC822_HEADER },
	{ "RFC822.TEXT",   FETCH_RFC822_TEXT },
};

/* What comes before "[". An atom may hold "[", so these are no words. */
static const struct sectioned {
	const char *name;
	enum fetch_kind kind;
	bool peek;
} sectioned[] = {
	{ "BODY[",        FETCH_SECTION,     false },
	{ "BODY.PEEK[",   FETCH_SECTION,     true },
	{ "BINARY[",      FETCH_BINARY,      false },
	{ "BINARY.PEEK[", FETCH_BINARY,      true },
	{ "BINARY.SIZE[", FETCH_BINARY_SIZE, true },
};

/* Macros stand alone, never in a list. */
static const struct macro {
	const char *name;
	enum fetch_kind kinds[6];
	size_t n;
} macros[] = {
	{ "ALL",  { FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_SIZE, FETCH_ENVELOPE }, 4 },
	{ "FAST", { FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_SIZE }, 3 },
	{ "FULL", { FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_SIZE, FETCH_ENVELOPE, FETCH_BODY }, 5 },
};
/* clang-format on */

static bool
item_add(struct lexer *l, struct cmd_fetch *f, const struct fetch_item *item)
{
	uint32_t bit = 1u << item->kind;

	if ((f->kinds & bit & PLAIN_KINDS) != 0)
		return true; /* asked twice, answered once */
	f->items = parse_room(l, f->items, f->n, sizeof(*f->items), PARSE_FETCH_ITEMS_MAX);
	if (f->items == NULL)
		return false;
	f->items[f->n++] = *item;
	f->kinds |= bit;
	f->sets_seen = f->sets_seen || !item->peek;
	return true;
}

static bool
plain_add(struct lexer *l, struct cmd_fetch *f, enum fetch_kind kind)
{
	struct fetch_item item = { .kind = kind };

	item.peek = kind != FETCH_RFC822 && kind != FETCH_RFC822_TEXT;
	return item_add(l, f, &item);
}

/* header-list = "(" header-fld-name *(SP header-fld-name) ")" */
static const char *
header_list(struct lexer *l, struct section *s)
{
	if (!lex_space(l) || !lex_open(l))
		return "A list of header fields is expected";
	do {
		s->fields =
		    parse_room(l, s->fields, s->nfields, sizeof(*s->fields), PARSE_FIELDS_MAX);
		if (s->fields == NULL)
			return "Too many header fields";
		if (!lex_astring(l, &s->fields[s->nfields]))
			return "A header field is expected";
		s->nfields++;
	} while (lex_space(l));
	return lex_close(l) ? NULL : "The list of header fields has no end";
}

/* section-part = nz-number *("." nz-number); the "." before a text is left to the caller. */
static const char *
section_part(struct lexer *l, struct section *s, bool *dot_out)
{
	uint32_t number;

	*dot_out = false;
	while (lex_nz_number(l, &number)) {
		s->part = parse_room(l, s->part, s->nparts, sizeof(*s->part), PARSE_PARTS_MAX);
		if (s->part == NULL)
			return "A part number is too deep";
		s->part[s->nparts++] = number;
		*dot_out = lex_char(l, '.');
		if (!*dot_out)
			break;
	}
	return NULL;
}

/* section-text, or section-msgtext without a part number (then there is no MIME). */
static const char *
section_text(struct lexer *l, struct section *s)
{
	/* The longest first: they are prefixes of each other, and "]" ends them all. */
	if (lex_prefix(l, "HEADER.FIELDS.NOT")) {
		s->text = SECTION_FIELDS_NOT;
		return header_list(l, s);
	}
	if (lex_prefix(l, "HEADER.FIELDS")) {
		s->text = SECTION_FIELDS;
		return header_list(l, s);
	}
	if (lex_prefix(l, "HEADER"))
		s->text = SECTION_HEADER;
	else if (lex_prefix(l, "TEXT"))
		s->text = SECTION_TEXT;
	else if (s->nparts > 0 && lex_prefix(l, "MIME"))
		s->text = SECTION_MIME;
	else
		return "Unknown section";
	return NULL;
}

/* Behind "[" up to "]". */
static const char *
section(struct lexer *l, struct fetch_item *item)
{
	struct section *s = &item->section;
	const char *why;
	bool dot;

	why = section_part(l, s, &dot);
	if (why == NULL && (dot || s->nparts == 0) && lex_peek(l) != ']') {
		if (item->kind != FETCH_SECTION)
			return "BINARY takes part numbers only";
		why = section_text(l, s);
		dot = false;
	}
	if (why == NULL && (dot || !lex_char(l, ']')))
		why = "The section has no end";
	return why;
}

/* partial = "<" number64 "." nz-number64 ">" */
static bool
partial(struct lexer *l, struct fetch_item *item)
{
	item->partial = true;
	return lex_number64(l, &item->offset) && lex_char(l, '.') && lex_peek(l) != '0' &&
	       lex_number64(l, &item->length) && lex_char(l, '>');
}

static const char *
sectioned_item(struct lexer *l, struct cmd_fetch *f, const struct sectioned *form)
{
	struct fetch_item item = { .kind = form->kind, .peek = form->peek };
	const char *why = section(l, &item);

	if (why != NULL)
		return why;
	if (item.kind != FETCH_BINARY_SIZE && lex_char(l, '<') && !partial(l, &item))
		return "Invalid partial range";
	return item_add(l, f, &item) ? NULL : "Too many FETCH items";
}

static const char *
fetch_att(struct lexer *l, struct cmd_fetch *f)
{
	for (size_t i = 0; i < sizeof(sectioned) / sizeof(sectioned[0]); i++) {
		if (lex_prefix(l, sectioned[i].name))
			return sectioned_item(l, f, &sectioned[i]);
	}
	if (lex_word(l, "BODY"))
		return plain_add(l, f, FETCH_BODY) ? NULL : "Too many FETCH items";
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (lex_word(l, words[i].name))
			return plain_add(l, f, words[i].kind) ? NULL : "Too many FETCH items";
	}
	return "Unknown FETCH item";
}

static bool
fetch_macro(struct lexer *l, struct cmd_fetch *f)
{
	for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]); i++) {
		if (!lex_word(l, macros[i].name))
			continue;
		for (size_t k = 0; k < macros[i].n; k++) {
			if (!plain_add(l, f, macros[i].kinds[k]))
				return false;
		}
		return true;
	}
	return false;
}

/* macro / fetch-att / "(" fetch-att *(SP fetch-att) ")" */
static const char *
fetch_what(struct lexer *l, struct cmd_fetch *f)
{
	const char *why;

	if (fetch_macro(l, f))
		return NULL;
	if (!lex_open(l))
		return fetch_att(l, f);
	do {
		why = fetch_att(l, f);
		if (why != NULL)
			return why;
	} while (lex_space(l));
	return lex_close(l) ? NULL : "The list of FETCH items has no end";
}

enum parse_result
parse_fetch(struct lexer *l, struct command *c)
{
	struct cmd_fetch *f = &c->u.fetch;
	const char *why;

	if (!lex_space(l) || !parse_message_set(l, &f->set))
		return parse_bad(c, "Invalid message set");
	if (!lex_space(l))
		return parse_bad(c, "FETCH items are expected");
	/* UID FETCH answers the UID, asked for or not (RFC 9051 section 6.4.9). */
	if (c->uid && !plain_add(l, f, FETCH_UID))
		return parse_bad(c, "Too many FETCH items");
	why = fetch_what(l, f);
	if (why != NULL)
		return parse_bad(c, why);
	return parse_end(l, c);
}
