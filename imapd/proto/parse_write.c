/* The verbs that change mailboxes and messages. */
#include <string.h>

#include "imapd/proto/parse_impl.h"

static const struct name_bit {
	const char *name;
	uint32_t bit;
} system_flags[] = {
	{ "\\Answered", RK_FLAG_ANSWERED },
	{ "\\Flagged", RK_FLAG_FLAGGED },
	{ "\\Deleted", RK_FLAG_DELETED },
	{ "\\Seen", RK_FLAG_SEEN },
	{ "\\Draft", RK_FLAG_DRAFT },
	{ NULL, 0 },
};

static const struct name_bit special_uses[] = {
	{ "\\All", USE_ALL },
	{ "\\Archive", USE_ARCHIVE },
	{ "\\Drafts", USE_DRAFTS },
	{ "\\Flagged", USE_FLAGGED },
	{ "\\Junk", USE_JUNK },
	{ "\\Sent", USE_SENT },
	{ "\\Trash", USE_TRASH },
	{ "\\Important", USE_IMPORTANT },
	{ NULL, 0 },
};

/* 0: none of them */
static uint32_t
bit_of(const struct name_bit *names, struct str word)
{
	for (; names->name != NULL; names++) {
		if (str_iis(word, names->name))
			return names->bit;
	}
	return 0;
}

bool
parse_message_set(struct lexer *l, struct message_set *out)
{
	if (lex_char(l, '$')) {
		out->saved = true;
		return true;
	}
	return lex_sequence(l, PARSE_RANGES_MAX, &out->set);
}

/* SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")" (RFC 6154 section 6) */
static bool
create_use(struct lexer *l, struct cmd_create *create)
{
	struct str use;

	if (!lex_open(l) || !lex_word(l, "USE") || !lex_space(l) || !lex_open(l))
		return false;
	if (!lex_close(l)) {
		do {
			uint32_t bit;

			if (lex_peek(l) != '\\' || !lex_flag(l, &use))
				return false;
			bit = bit_of(special_uses, use);
			create->special_use |= bit;
			create->unknown_use = create->unknown_use || bit == 0;
		} while (lex_space(l));
		if (!lex_close(l))
			return false;
	}
	return lex_close(l);
}

enum parse_result
parse_create(struct lexer *l, struct command *c)
{
	struct cmd_create *create = &c->u.create;

	if (!lex_space(l) || !parse_name(l, c, &create->name))
		return parse_bad(c, "A mailbox name is expected");
	if (create->name.n > 1 && create->name.p[create->name.n - 1] == '/')
		create->name.n--;
	if (lex_space(l) && !create_use(l, create))
		return parse_bad(c, "Invalid CREATE parameters");
	return parse_end(l, c);
}

enum parse_result
parse_rename(struct lexer *l, struct command *c)
{
	if (!lex_space(l) || !parse_name(l, c, &c->u.rename.from) || !lex_space(l) ||
	    !parse_name(l, c, &c->u.rename.to))
		return parse_bad(c, "Two mailbox names are expected");
	return parse_end(l, c);
}

static bool
has_word(const struct flag_words *f, struct str word)
{
	for (size_t i = 0; i < f->nwords; i++) {
		if (str_ieq(f->words[i], word))
			return true;
	}
	return false;
}

/*
 * flag; NULL or what is wrong. flag-extension is for future standards, and no client may set
 * \Recent: neither is a flag that this server could keep.
 */
static const char *
flag_lex(struct lexer *l, struct flag_words *f)
{
	struct str word;
	uint32_t bit;

	if (!lex_flag(l, &word))
		return "A flag is expected";
	if (word.p[0] == '\\') {
		bit = bit_of(system_flags, word);
		f->flags |= bit;
		return bit != 0 ? NULL : "Unknown system flag";
	}
	if (word.n > RK_KEYWORD_LEN)
		return "A keyword is too long";
	if (has_word(f, word))
		return NULL;
	f->words = parse_room(l, f->words, f->nwords, sizeof(*f->words), PARSE_FLAGS_MAX);
	if (f->words == NULL)
		return "Too many keywords";
	f->words[f->nwords++] = word;
	return NULL;
}

static const char *
flags_lex(struct lexer *l, struct flag_words *f)
{
	const char *why;

	do
		why = flag_lex(l, f);
	while (why == NULL && lex_space(l));
	return why;
}

/* flag-list = "(" [flag *(SP flag)] ")"; the "(" is there */
static const char *
flag_list(struct lexer *l, struct flag_words *f)
{
	const char *why = NULL;

	if (!lex_open(l))
		return "A list of flags is expected";
	if (lex_close(l))
		return NULL;
	why = flags_lex(l, f);
	if (why == NULL && !lex_close(l))
		why = "The list of flags has no end";
	return why;
}

/* store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag))) */
enum parse_result
parse_store(struct lexer *l, struct command *c)
{
	static const char *const names[] = { "FLAGS", "+FLAGS", "-FLAGS", "FLAGS.SILENT",
		"+FLAGS.SILENT", "-FLAGS.SILENT" };
	struct cmd_store *store = &c->u.store;
	const char *why;
	size_t i = 0;

	if (!lex_space(l) || !parse_message_set(l, &store->set))
		return parse_bad(c, "Invalid message set");
	if (!lex_space(l))
		return parse_bad(c, "STORE needs flags");
	while (i < 6 && !lex_word(l, names[i]))
		i++;
	if (i == 6 || !lex_space(l))
		return parse_bad(c, "Unknown STORE item");
	store->mode = (enum store_mode)(i % 3); /* in the order of names */
	store->silent = i >= 3;
	why = lex_peek(l) == '(' ? flag_list(l, &store->flags) : flags_lex(l, &store->flags);
	return why != NULL ? parse_bad(c, why) : parse_end(l, c);
}

enum parse_result
parse_copy(struct lexer *l, struct command *c)
{
	if (!lex_space(l) || !parse_message_set(l, &c->u.copy.set))
		return parse_bad(c, "Invalid message set");
	if (!lex_space(l) || !parse_name(l, c, &c->u.copy.to))
		return parse_bad(c, "A mailbox name is expected");
	return parse_end(l, c);
}

enum parse_result
parse_expunge(struct lexer *l, struct command *c)
{
	if (!c->uid)
		return parse_nothing(l, c);
	if (!lex_space(l) || !parse_message_set(l, &c->u.expunge.set))
		return parse_bad(c, "Invalid message set");
	return parse_end(l, c);
}

/* Every LF gets a CR before it: clients send bare ones, and the store keeps lines with CR LF. */
static struct str
with_crlf(struct lexer *l, struct str text)
{
	size_t bare = 0, n = 0;
	char *out;

	for (size_t i = 0; i < text.n; i++)
		bare += text.p[i] == '\n' && (i == 0 || text.p[i - 1] != '\r');
	if (bare == 0)
		return text;
	out = rk_arena_alloc(l->mem, text.n + bare);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\n' && (i == 0 || text.p[i - 1] != '\r'))
			out[n++] = '\r';
		out[n++] = text.p[i];
	}
	return str_of(out, n);
}

/* [SP flag-list] [SP date-time] SP literal, behind the first SP (RFC 3502) */
static const char *
append_message(struct lexer *l, struct append_msg *msg)
{
	const char *why;

	if (lex_peek(l) == '(') {
		why = flag_list(l, &msg->flags);
		if (why != NULL)
			return why;
		if (!lex_space(l))
			return "A message is expected";
	}
	if (lex_peek(l) == '"') {
		msg->has_date = true;
		if (!parse_date_time(l, &msg->date))
			return "Invalid date and time";
		if (!lex_space(l))
			return "A message is expected";
	}
	if (!lex_message(l, &msg->literal))
		return "A message is expected";
	if (msg->literal.fd < 0) {
		msg->literal.bytes = with_crlf(l, msg->literal.bytes);
		msg->literal.size = msg->literal.bytes.n;
	}
	return NULL;
}

enum parse_result
parse_append(struct lexer *l, struct command *c)
{
	struct cmd_append *a = &c->u.append;

	if (!lex_space(l) || !parse_name(l, c, &a->name))
		return parse_bad(c, "A mailbox name is expected");
	if (!lex_space(l))
		return parse_bad(c, "A message is expected");
	do {
		const char *why;

		a->msgs = parse_room(l, a->msgs, a->n, sizeof(*a->msgs), PARSE_APPEND_MAX);
		if (a->msgs == NULL)
			return parse_bad(c, "Too many messages");
		a->msgs[a->n] = (struct append_msg){ .literal = { .fd = -1 } };
		why = append_message(l, &a->msgs[a->n++]);
		if (why != NULL)
			return parse_bad(c, why);
	} while (lex_space(l));
	return parse_end(l, c);
}
