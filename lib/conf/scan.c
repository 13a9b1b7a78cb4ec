#include "lib/conf/conf_impl.h"

#include <string.h>

#include "lib/base/arena.h"

#define VARIABLE_MAX 1024

/* The tokens of libconfuse's lexer.l, as far as needed to find where a statement ends. */
enum token {
	TOKEN_END,
	TOKEN_WORD,   /* bare */
	TOKEN_STRING, /* quoted, or ${VARIABLE} */
	TOKEN_PUNCT,  /* one of { } ( ) = , or += (as '+') */
	TOKEN_BROKEN,
};

struct scanner {
	char *text;
	size_t n;
	size_t at;
	unsigned line;
	enum token token;
	size_t start; /* of the token */
	char punct;
	struct rk_arena *mem;
	struct problems *problems;
	struct scan *out;
	size_t cap;
};

static void
blank(struct scanner *s, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (s->text[i] != '\n')
			s->text[i] = ' ';
	}
}

static size_t
skip_comment(const struct scanner *s)
{
	const char *rest = s->text + s->at;
	const char *end;

	if (rest[0] == '#' || (rest[0] == '/' && rest[1] == '/')) {
		end = strchr(rest, '\n');
		return end == NULL ? s->n : (size_t)(end - s->text);
	}
	if (rest[0] == '/' && rest[1] == '*') {
		end = strstr(rest + 2, "*/");
		return end == NULL ? s->n : (size_t)(end + 2 - s->text);
	}
	return s->at;
}

static void
skip_lines(struct scanner *s, size_t to)
{
	for (; s->at < to; s->at++) {
		if (s->text[s->at] == '\n')
			s->line++;
	}
}

static void
skip_blank(struct scanner *s)
{
	while (s->at < s->n) {
		size_t end = skip_comment(s);

		if (end > s->at) {
			blank(s, s->at, end);
			skip_lines(s, end);
		} else if (strchr(" \t\r\n", s->text[s->at]) != NULL) {
			skip_lines(s, s->at + 1);
		} else {
			return;
		}
	}
}

/* End of ${NAME} at `at`, which may hold anything but its closing brace; 0 if it has none. The
 * bound keeps a text full of opening ones from costing the square of its length. */
static size_t
variable_end(const struct scanner *s, size_t at)
{
	size_t room = s->n - at < VARIABLE_MAX ? s->n - at : VARIABLE_MAX;
	const char *end;

	if (s->text[at] != '$' || s->text[at + 1] != '{')
		return 0;
	end = memchr(s->text + at, '}', room);
	return end == NULL ? 0 : (size_t)(end + 1 - s->text);
}

/* Behind the closing quote; 0 if there is none. */
static size_t
quoted_end(const struct scanner *s)
{
	char quote = s->text[s->at];
	size_t i = s->at + 1;

	while (i < s->n && s->text[i] != quote) {
		size_t variable = quote == '"' ? variable_end(s, i) : 0;

		if (variable > 0)
			i = variable;
		else
			i += s->text[i] == '\\' ? 2 : 1;
	}
	return i < s->n ? i + 1 : 0;
}

static void
next(struct scanner *s)
{
	size_t end;

	skip_blank(s);
	s->start = s->at;
	if (s->at >= s->n) {
		s->token = TOKEN_END;
		return;
	}
	if (strchr("{}()=,", s->text[s->at]) != NULL || strncmp(s->text + s->at, "+=", 2) == 0) {
		s->token = TOKEN_PUNCT;
		s->punct = s->text[s->at];
		s->at += s->punct == '+' ? 2 : 1;
		return;
	}
	if (s->text[s->at] == '"' || s->text[s->at] == '\'') {
		end = quoted_end(s);
		s->token = end == 0 ? TOKEN_BROKEN : TOKEN_STRING;
		skip_lines(s, end);
		return;
	}
	end = variable_end(s, s->at);
	if (end > 0) {
		s->token = TOKEN_STRING;
		skip_lines(s, end);
		return;
	}
	end = s->at + strcspn(s->text + s->at, " #\"'\t\n\r={}()+,*");
	s->token = end == s->at ? TOKEN_BROKEN : TOKEN_WORD;
	s->at = end;
}

static bool
is_string(const struct scanner *s)
{
	return s->token == TOKEN_WORD || s->token == TOKEN_STRING;
}

static bool
is_punct(const struct scanner *s, char c)
{
	return s->token == TOKEN_PUNCT && s->punct == c;
}

static struct str
token_text(const struct scanner *s)
{
	struct str t = str_of(s->text + s->start, s->at - s->start);

	if (s->token == TOKEN_STRING && t.n >= 2 && t.p[0] != '$')
		t = str_of(t.p + 1, t.n - 2);
	return t;
}

/* From an opening bracket to the one that closes it. */
static bool
skip_nested(struct scanner *s, char open, char close)
{
	size_t depth = 1;

	while (depth > 0) {
		next(s);
		if (s->token == TOKEN_END || s->token == TOKEN_BROKEN)
			return false;
		if (is_punct(s, open))
			depth++;
		else if (is_punct(s, close))
			depth--;
	}
	return true;
}

static bool
skip_assignment(struct scanner *s)
{
	next(s);
	if (is_punct(s, '{'))
		return skip_nested(s, '{', '}');
	return is_string(s);
}

/* The rest of a statement whose name is unknown: an assignment, a section or a call. */
static bool
skip_unknown(struct scanner *s)
{
	next(s);
	if (is_punct(s, '=') || is_punct(s, '+'))
		return skip_assignment(s);
	if (is_punct(s, '('))
		return skip_nested(s, '(', ')');
	if (is_string(s))
		next(s);
	return is_punct(s, '{') && skip_nested(s, '{', '}');
}

/* Where an option would be right that is wrong here; NULL if nowhere. */
static const char *
home_of(struct str name)
{
	for (size_t i = 0; i < section_kinds_n; i++) {
		if (option_find(&section_kinds[i], name.p, name.n) != NULL)
			return section_kinds[i].name;
	}
	return NULL;
}

static void
report_unknown(struct scanner *s, const struct section_kind *kind, struct str name, unsigned line)
{
	struct suggestion best = { .wanted = name };
	const char *home = home_of(name);
	bool top = kind->name[0] == '\0';
	const char *place = top ? "" : rk_arena_printf(s->mem, " in section %s", kind->name);
	int len = name.n > 64 ? 64 : (int)name.n;

	for (size_t i = 0; i < kind->n; i++)
		suggest(&best, str_from(kind->options[i].name));
	for (size_t i = 1; top && i < section_kinds_n; i++)
		suggest(&best, str_from(section_kinds[i].name));
	if (best.best.p != NULL)
		problem_add(s->problems, line, "unknown option `%.*s`%s, did you mean `%s`?", len,
		    name.p, place, best.best.p);
	else if (home != NULL && home[0] == '\0')
		problem_add(s->problems, line,
		    "unknown option `%.*s`%s; it belongs outside of all sections", len, name.p,
		    place);
	else if (home != NULL)
		problem_add(s->problems, line,
		    "unknown option `%.*s`%s; it belongs into section `%s`", len, name.p, place,
		    home);
	else
		problem_add(s->problems, line, "unknown option `%.*s`%s", len, name.p, place);
}

static bool
scan_unknown(struct scanner *s, const struct section_kind *kind)
{
	struct str name = token_text(s);
	size_t from = s->start;

	report_unknown(s, kind, name, s->line);
	if (!skip_unknown(s))
		return false;
	blank(s, from, s->at);
	return true;
}

static void
section_note(struct scanner *s, const struct section_kind *kind, struct str title, unsigned line)
{
	for (size_t i = 0; i < s->out->n; i++) {
		const struct scan_section *old = &s->out->sections[i];

		if (old->kind == kind && str_eq(old->title, title)) {
			problem_add(s->problems, line,
			    "section %s%s%.*s stands twice, first in line %u", kind->name,
			    kind->titled ? " " : "", (int)title.n, title.p, old->line);
			return;
		}
	}
	if (s->out->n == s->cap) {
		size_t cap = s->cap == 0 ? 16 : s->cap * 2;
		struct scan_section *wider =
		    rk_arena_array(s->mem, cap, sizeof(struct scan_section));

		if (s->out->n > 0)
			memcpy(wider, s->out->sections, s->out->n * sizeof(*wider));
		s->out->sections = wider;
		s->cap = cap;
	}
	s->out->sections[s->out->n++] = (struct scan_section){ kind, title, line };
}

static bool scan_block(struct scanner *s, const struct section_kind *kind);

static bool
scan_section(struct scanner *s, const struct section_kind *kind)
{
	struct str title = str_from("");
	unsigned line = s->line;

	next(s);
	if (kind->titled) {
		if (!is_string(s))
			return false;
		title = token_text(s);
		if (title.n > 255)
			return false;
		next(s);
	}
	if (!is_punct(s, '{') || s->out->n >= CONF_ITEMS_MAX)
		return false;
	section_note(s, kind, title, line);
	return scan_block(s, kind) && is_punct(s, '}');
}

/* Sections don't nest, so this calls itself once at most. False: not understood. */
static bool
scan_block(struct scanner *s, const struct section_kind *kind)
{
	bool top = kind->name[0] == '\0';
	uint64_t seen = 0;

	for (;;) {
		const struct section_kind *inner = NULL;
		const struct option *option = NULL;

		next(s);
		if (s->token == TOKEN_END || is_punct(s, '}'))
			return true;
		if (s->token == TOKEN_WORD) {
			struct str name = token_text(s);

			inner = top ? section_kind_find(name.p, name.n) : NULL;
			option = option_find(kind, name.p, name.n);
		}
		if (inner != NULL) {
			if (!scan_section(s, inner))
				return false;
		} else if (option != NULL) {
			uint64_t bit = UINT64_C(1) << (option - kind->options);
			unsigned line = s->line;

			next(s);
			if (is_punct(s, '=') && (seen & bit) != 0)
				problem_add(
				    s->problems, line, "option `%s` stands twice", option->name);
			seen |= bit;
			if ((!is_punct(s, '=') && !is_punct(s, '+')) || !skip_assignment(s))
				return false;
		} else if (!is_string(s) || !scan_unknown(s, kind)) {
			return false;
		}
	}
}

void
scan_text(char *text, size_t n, struct rk_arena *mem, struct problems *problems, struct scan *out)
{
	struct scanner s = {
		.text = text, .n = n, .line = 1, .mem = mem, .problems = problems, .out = out
	};

	*out = (struct scan){ 0 };
	/* Behind a surplus brace nothing is looked at: libconfuse refuses that file anyway. */
	(void)scan_block(&s, &section_kinds[0]);
	while (s.token != TOKEN_END && s.token != TOKEN_BROKEN)
		next(&s);
}
