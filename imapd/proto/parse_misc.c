/* The shape of every command, and the verbs with few arguments. */
#include "imapd/proto/parse_impl.h"

#include <string.h>

#include "lib/base/utf8.h"
#include "lib/wire/mutf7.h"

enum parse_result
parse_bad(struct command *c, const char *why)
{
	c->why = why;
	return PARSE_BAD;
}

enum parse_result
parse_end(struct lexer *l, struct command *c)
{
	return lex_end(l) ? PARSE_DONE : parse_bad(c, "Unexpected text behind the command");
}

void *
parse_room(struct lexer *l, void *array, size_t n, size_t size, size_t max)
{
	void *larger;

	if (n >= max)
		return NULL;
	if (n > 0 && (n & (n - 1)) != 0)
		return array;
	larger = rk_arena_array(l->mem, n == 0 ? 1 : n * 2, size);
	if (n > 0)
		memcpy(larger, array, n * size);
	return larger;
}

enum parse_result
parse_command(struct lexer *l, struct command *c)
{
	struct str tag;

	*c = (struct command){ .tag = STR_LIT("*") };
	if (!lex_tag(l, &tag) || tag.n > PARSE_TAG_MAX || !lex_space(l))
		return parse_bad(c, "Invalid tag");
	c->tag = tag;
	if (!lex_atom(l, &c->verb))
		return parse_bad(c, "No command");
	if (!str_iis(c->verb, "UID"))
		return PARSE_DONE;
	c->uid = true;
	if (!lex_space(l) || !lex_atom(l, &c->verb))
		return parse_bad(c, "No command behind UID");
	return PARSE_DONE;
}

static void
name_convert(struct lexer *l, struct command *c, struct str raw, struct str *out)
{
	struct buf utf8 = BUF_INIT;

	*out = raw;
	if (c->utf8) {
		c->bad_name = c->bad_name || !utf8_valid(raw.p, raw.n);
	} else if (raw.n > 0 && memchr(raw.p, '&', raw.n) != NULL) {
		if (mutf7_decode(raw, &utf8, NULL) == RK_OK)
			*out = str_of(rk_arena_dup(l->mem, utf8.data, utf8.len), utf8.len);
		else
			c->bad_name = true;
		buf_clear(&utf8);
	} else {
		/* Without a shift only what stands for itself is left to check. */
		for (size_t i = 0; i < raw.n; i++)
			c->bad_name = c->bad_name || raw.p[i] < 0x20 || raw.p[i] > 0x7e;
	}
	if (c->bad_name)
		*out = STR_LIT("");
}

bool
parse_name(struct lexer *l, struct command *c, struct str *out)
{
	struct str raw;

	if (!lex_astring(l, &raw))
		return false;
	name_convert(l, c, raw, out);
	return true;
}

bool
parse_pattern(struct lexer *l, struct command *c, struct str *out)
{
	struct str raw;

	if (!lex_list_mailbox(l, &raw))
		return false;
	name_convert(l, c, raw, out);
	return true;
}

enum parse_result
parse_nothing(struct lexer *l, struct command *c)
{
	return lex_end(l) ? PARSE_DONE : parse_bad(c, "The command takes no arguments");
}

bool
parse_done(struct str line)
{
	struct lexer l;

	lexer_init(&l, line, NULL);
	return lex_word(&l, "DONE") && lex_end(&l);
}

enum parse_result
parse_mailbox(struct lexer *l, struct command *c)
{
	if (!lex_space(l) || !parse_name(l, c, &c->u.mailbox.name))
		return parse_bad(c, "A mailbox name is expected");
	return parse_end(l, c);
}

/* enable = "ENABLE" 1*(SP capability) */
enum parse_result
parse_enable(struct lexer *l, struct command *c)
{
	struct cmd_words *e = &c->u.enable;

	while (lex_space(l)) {
		e->words = parse_room(l, e->words, e->n, sizeof(*e->words), PARSE_ENABLE_MAX);
		if (e->words == NULL)
			return parse_bad(c, "Too many capabilities");
		if (!lex_atom(l, &e->words[e->n]))
			return parse_bad(c, "A capability is expected");
		e->n++;
	}
	if (e->n == 0)
		return parse_bad(c, "A capability is expected");
	return parse_end(l, c);
}

static bool
id_has(const struct cmd_id *id, struct str key)
{
	for (size_t i = 0; i < id->n; i++) {
		if (str_ieq(id->pairs[i].key, key))
			return true;
	}
	return false;
}

/* string SP nstring, within the bounds of RFC 2971 section 3.3 */
static const char *
id_pair(struct lexer *l, struct cmd_id *id)
{
	struct id_pair *pair;

	id->pairs = parse_room(l, id->pairs, id->n, sizeof(*id->pairs), PARSE_ID_MAX);
	if (id->pairs == NULL)
		return "Too many ID fields";
	pair = &id->pairs[id->n];
	if (!lex_string(l, &pair->key) || !lex_space(l) ||
	    !lex_nstring(l, &pair->value, &pair->nil))
		return "An ID field and its value are expected";
	if (pair->key.n > PARSE_ID_KEY_MAX || pair->value.n > PARSE_ID_VALUE_MAX)
		return "An ID field is too long";
	if (id_has(id, pair->key))
		return "An ID field is repeated";
	id->n++;
	return NULL;
}

/* id_params_list ::= "(" #(string SPACE nstring) ")" / nil (RFC 2971; "()" by its # rule) */
enum parse_result
parse_id(struct lexer *l, struct command *c)
{
	const char *why;

	if (!lex_space(l))
		return parse_bad(c, "ID needs a list or NIL");
	if (lex_word(l, "NIL"))
		return parse_end(l, c);
	if (!lex_open(l))
		return parse_bad(c, "ID needs a list or NIL");
	if (!lex_close(l)) {
		do {
			why = id_pair(l, &c->u.id);
			if (why != NULL)
				return parse_bad(c, why);
		} while (lex_space(l));
		if (!lex_close(l))
			return parse_bad(c, "The ID list has no end");
	}
	return parse_end(l, c);
}

bool
parse_status_items(struct lexer *l, struct command *c, uint32_t *items_out)
{
	static const char *const names[] = { "MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN",
		"DELETED", "SIZE", "RECENT" };
	const size_t n = sizeof(names) / sizeof(names[0]);

	*items_out = 0;
	c->why = "A list of STATUS items is expected";
	if (!lex_space(l) || !lex_open(l))
		return false;
	do {
		size_t i = 0;

		while (i < n && !lex_word(l, names[i]))
			i++;
		if (i == n) {
			c->why = "Unknown STATUS item";
			return false;
		}
		*items_out |= 1u << i; /* enum status_item is in the order of names */
	} while (lex_space(l));
	if (!lex_close(l))
		return false;
	c->why = NULL;
	return true;
}

enum parse_result
parse_status(struct lexer *l, struct command *c)
{
	if (!lex_space(l) || !parse_name(l, c, &c->u.status.name))
		return parse_bad(c, "A mailbox name is expected");
	if (!parse_status_items(l, c, &c->u.status.items))
		return PARSE_BAD;
	return parse_end(l, c);
}
