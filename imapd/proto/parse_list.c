/* LIST in all its forms (RFC 9051 section 6.3.9, several patterns of RFC 5258), and LSUB. */
#include "imapd/proto/parse_impl.h"

struct option {
	const char *name;
	uint32_t bit;
};

static const struct option select_options[] = {
	{ "SUBSCRIBED", LIST_SEL_SUBSCRIBED },
	{ "REMOTE", LIST_SEL_REMOTE },
	{ "RECURSIVEMATCH", LIST_SEL_RECURSIVEMATCH },
	{ "SPECIAL-USE", LIST_SEL_SPECIAL_USE },
	{ NULL, 0 },
};

static const struct option return_options[] = {
	{ "SUBSCRIBED", LIST_RET_SUBSCRIBED },
	{ "CHILDREN", LIST_RET_CHILDREN },
	{ "STATUS", LIST_RET_STATUS },
	{ "SPECIAL-USE", LIST_RET_SPECIAL_USE },
	{ NULL, 0 },
};

/* 0: none of them */
static uint32_t
option_lex(struct lexer *l, const struct option *options)
{
	for (; options->name != NULL; options++) {
		if (lex_word(l, options->name))
			return options->bit;
	}
	return 0;
}

/* Behind "(": options of the table up to ")". A server answers BAD to options it does not know. */
static const char *
select_list(struct lexer *l, struct cmd_list *list)
{
	if (!lex_close(l)) {
		do {
			uint32_t bit = option_lex(l, select_options);

			if (bit == 0)
				return "Unknown LIST selection option";
			list->select |= bit;
		} while (lex_space(l));
		if (!lex_close(l))
			return "The LIST selection options have no end";
	}
	/* list-select-mod-opt needs a list-select-base-opt (RFC 9051 section 6.3.9.1) */
	if ((list->select & LIST_SEL_RECURSIVEMATCH) != 0 &&
	    (list->select & LIST_SEL_SUBSCRIBED) == 0)
		return "RECURSIVEMATCH needs another selection option";
	return NULL;
}

static const char *
return_list(struct lexer *l, struct command *c)
{
	struct cmd_list *list = &c->u.list;

	if (!lex_word(l, "RETURN") || !lex_space(l) || !lex_open(l))
		return "LIST return options are expected";
	if (lex_close(l))
		return NULL;
	do {
		uint32_t bit = option_lex(l, return_options);

		if (bit == 0)
			return "Unknown LIST return option";
		list->ret |= bit;
		if (bit == LIST_RET_STATUS && !parse_status_items(l, c, &list->status_items))
			return c->why;
	} while (lex_space(l));
	return lex_close(l) ? NULL : "The LIST return options have no end";
}

static bool
pattern_add(struct lexer *l, struct command *c)
{
	struct cmd_list *list = &c->u.list;

	list->patterns = parse_room(
	    l, list->patterns, list->npatterns, sizeof(*list->patterns), PARSE_PATTERNS_MAX);
	return list->patterns != NULL && parse_pattern(l, c, &list->patterns[list->npatterns++]);
}

/* mbox-or-pat = list-mailbox / "(" list-mailbox *(SP list-mailbox) ")" */
static const char *
patterns(struct lexer *l, struct command *c)
{
	if (!lex_open(l))
		return pattern_add(l, c) ? NULL : "A mailbox pattern is expected";
	c->u.list.extended = true;
	do {
		if (!pattern_add(l, c))
			return c->u.list.patterns == NULL ? "Too many mailbox patterns"
			                                  : "A mailbox pattern is expected";
	} while (lex_space(l));
	return lex_close(l) ? NULL : "The list of patterns has no end";
}

/* list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts] */
enum parse_result
parse_list(struct lexer *l, struct command *c)
{
	struct cmd_list *list = &c->u.list;
	const char *why;

	if (!lex_space(l))
		return parse_bad(c, "LIST needs a reference and a pattern");
	if (lex_open(l)) {
		list->extended = true;
		why = select_list(l, list);
		if (why != NULL)
			return parse_bad(c, why);
		if (!lex_space(l))
			return parse_bad(c, "LIST needs a reference and a pattern");
	}
	if (!parse_name(l, c, &list->reference) || !lex_space(l))
		return parse_bad(c, "LIST needs a reference and a pattern");
	why = patterns(l, c);
	if (why != NULL)
		return parse_bad(c, why);
	if (lex_space(l)) {
		list->extended = true;
		why = return_list(l, c);
		if (why != NULL)
			return parse_bad(c, why);
	}
	return parse_end(l, c);
}

/* lsub = "LSUB" SP mailbox SP list-mailbox (RFC 3501) */
enum parse_result
parse_lsub(struct lexer *l, struct command *c)
{
	if (!lex_space(l) || !parse_name(l, c, &c->u.list.reference) || !lex_space(l) ||
	    !pattern_add(l, c))
		return parse_bad(c, "LSUB needs a reference and a pattern");
	return parse_end(l, c);
}
