#include "lib/conf/conf_impl.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/utf8.h"

#define SUGGEST_MAX 40 /* names longer than this get no suggestion */
#define RUN_DIR_MAX 90 /* RUN/control must fit into sockaddr_un */
#define TITLE_MAX 31   /* struct grant.storage */
#define ACCOUNT_MAX 64
#define GREETING_MAX 200 /* one response line */

void
problem_add(struct problems *p, unsigned line, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (p == NULL)
		return;
	if (p->found.n == CONF_PROBLEMS_MAX) {
		p->lost++;
		return;
	}
	if (p->found.n == p->cap) {
		size_t cap = p->cap == 0 ? 8 : p->cap * 2;
		struct conf_problem *wider =
		    rk_arena_array(p->mem, cap, sizeof(struct conf_problem));

		if (p->found.n > 0)
			memcpy(wider, p->found.list, p->found.n * sizeof(*wider));
		p->found.list = wider;
		p->cap = cap;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->found.list[p->found.n++] = (struct conf_problem){
		.file = p->file, .line = line, .text = rk_arena_dup(p->mem, text, strlen(text))
	};
}

/* Insertion keeps the order of mistakes in the same line. */
void
problems_sort(struct problems *p)
{
	struct conf_problem *list = p->found.list;

	for (size_t i = 1; i < p->found.n; i++) {
		struct conf_problem moved = list[i];
		size_t at = i;

		for (; at > 0 && list[at - 1].line > moved.line; at--)
			list[at] = list[at - 1];
		list[at] = moved;
	}
	if (p->lost > 0 && p->found.n > 0)
		list[p->found.n - 1].text = rk_arena_printf(
		    p->mem, "%s (and %zu more mistakes)", list[p->found.n - 1].text, p->lost);
}

static unsigned
min2(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, changes and swaps of neighbours that lead from a to b, without regard to
 * case; SIZE_MAX if either is too long. */
static size_t
distance(struct str a, struct str b)
{
	unsigned d[SUGGEST_MAX + 1][SUGGEST_MAX + 1];

	if (a.n > SUGGEST_MAX || b.n > SUGGEST_MAX)
		return SIZE_MAX;
	for (size_t i = 0; i <= a.n; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= b.n; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a.n; i++) {
		for (size_t j = 1; j <= b.n; j++) {
			unsigned change = strncasecmp(a.p + i - 1, b.p + j - 1, 1) != 0;

			d[i][j] = min2(d[i - 1][j], d[i][j - 1]) + 1;
			d[i][j] = min2(d[i][j], d[i - 1][j - 1] + change);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
				d[i][j] = min2(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[a.n][b.n];
}

void
suggest(struct suggestion *s, struct str candidate)
{
	size_t d = distance(s->wanted, candidate);
	size_t near = (candidate.n + 2) / 3;

	if (candidate.n == 0 || d > near || (s->best.p != NULL && d >= s->distance))
		return;
	s->best = candidate;
	s->distance = d;
}

/* What a mistake is said about. */
struct subject {
	const struct option *option;
	const struct conf_value *value;
	struct problems *problems;
};

/* Adds the mistake and returns false, so that a check can end with it. */
static bool
refuse(const struct subject *s, const char *text, const char *what)
{
	problem_add(s->problems, s->value->line, "%s `%.100s` %s", s->option->name, text, what);
	return false;
}

static bool
is_word_of(const char *text, const char *words, struct suggestion *best)
{
	struct str rest = str_from(words);
	struct str one;

	while (str_split(&rest, ' ', &one)) {
		if (str_is(one, text))
			return true;
		suggest(best, one);
	}
	return false;
}

static bool
check_words(const struct subject *s, const char *text)
{
	struct suggestion best = { .wanted = str_from(text) };

	if (is_word_of(text, s->option->words, &best))
		return true;
	if (best.best.p == NULL)
		problem_add(s->problems, s->value->line, "%s `%.100s` is none of: %s",
		    s->option->name, text, s->option->words);
	else
		problem_add(s->problems, s->value->line,
		    "%s `%.100s` is none of: %s; did you mean `%.*s`?", s->option->name, text,
		    s->option->words, (int)best.best.n, best.best.p);
	return false;
}

static bool
check_absolute(const struct subject *s, const char *text)
{
	if (text[0] != '/')
		return refuse(s, text, "is not an absolute path");
	return true;
}

static bool
check_target(const struct subject *s, const char *text)
{
	return text[0] == '/' || check_words(s, text);
}

static bool
check_mail_path(const struct subject *s, const char *text)
{
	if (text[0] != '/' && strcmp(text, "~") != 0 && strncmp(text, "~/", 2) != 0)
		return refuse(s, text, "is neither an absolute path nor one that begins with ~/");
	return true;
}

static bool
check_home(const struct subject *s, const char *text)
{
	static const char *const known[] = { "%{user}", "%{localpart}", "%{domain}" };
	const char *p = text;

	while ((p = strchr(p, '%')) != NULL) {
		size_t i = 0;

		while (i < 3 && strncmp(p, known[i], strlen(known[i])) != 0)
			i++;
		if (i == 3)
			return refuse(
			    s, text, "has a % that is none of %{user}, %{localpart}, %{domain}");
		p += strlen(known[i]);
	}
	return check_absolute(s, text);
}

/* 32 or 128, the bits of an address; 0 if it is none. */
static unsigned
address_bits(const char *text)
{
	unsigned char bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1)
		return 32;
	return inet_pton(AF_INET6, text, bytes) == 1 ? 128 : 0;
}

static bool
check_address(const struct subject *s, const char *text)
{
	if (strcmp(text, "*") != 0 && address_bits(text) == 0)
		return refuse(s, text, "is no IP address");
	return true;
}

static bool
check_network(const struct subject *s, const char *text)
{
	const char *slash = strchr(text, '/');
	char address[64];
	uint64_t prefix;
	unsigned bits;

	snprintf(address, sizeof(address), "%.*s",
	    (int)(slash == NULL ? strlen(text) : (size_t)(slash - text)), text);
	bits = address_bits(address);
	if (bits == 0 || (slash != NULL && !str_u64(str_from(slash + 1), bits, &prefix)))
		return refuse(s, text, "is no network such as 192.0.2.0/24");
	return true;
}

static bool
check_param(const struct subject *s, const char *text)
{
	size_t key = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	if (key == 0 || key > 31 || text[key] != '=' || strlen(text + key + 1) > 255)
		return refuse(s, text, "is not of the form key=value");
	return true;
}

static bool
is_printable(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = strlen(text);

	if (!utf8_valid(text, n))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < 0x20 || p[i] == 0x7f)
			return false;
	}
	return true;
}

static bool
check_string(const struct subject *s, const char *text)
{
	static bool (*const checks[])(const struct subject *, const char *) = {
		[CHECK_TEXT] = NULL,
		[CHECK_WORDS] = check_words,
		[CHECK_ABSOLUTE] = check_absolute,
		[CHECK_TARGET] = check_target,
		[CHECK_MAIL_PATH] = check_mail_path,
		[CHECK_HOME] = check_home,
		[CHECK_ADDRESS] = check_address,
		[CHECK_NETWORK] = check_network,
		[CHECK_PARAM] = check_param,
	};

	if (!is_printable(text)) {
		problem_add(s->problems, s->value->line,
		    "%s holds a control character or bytes that are not UTF-8", s->option->name);
		return false;
	}
	if (strlen(text) > CONF_VALUE_MAX) {
		problem_add(s->problems, s->value->line, "%s is longer than %d bytes",
		    s->option->name, CONF_VALUE_MAX);
		return false;
	}
	return checks[s->option->check] == NULL || checks[s->option->check](s, text);
}

static bool
check_int(const struct subject *s, const char *text, int64_t *out)
{
	const struct option *o = s->option;
	bool minus = text[0] == '-';
	uint64_t number = 0;

	if (!is_printable(text) || text[minus] == '\0' ||
	    text[minus + strspn(text + minus, "0123456789")] != '\0') {
		problem_add(s->problems, s->value->line, "%s must be a whole number", o->name);
		return false;
	}
	if (minus || !str_u64(str_from(text), (uint64_t)o->max, &number) ||
	    (int64_t)number < o->min) {
		problem_add(s->problems, s->value->line, "%s %.40s is out of range %lld..%lld",
		    o->name, text, (long long)o->min, (long long)o->max);
		return false;
	}
	*out = (int64_t)number;
	return true;
}

static bool
check_bool(const struct subject *s, const char *text, bool *out)
{
	static const char *const yes[] = { "true", "yes", "on" };
	static const char *const no[] = { "false", "no", "off" };

	for (size_t i = 0; i < 3; i++) {
		if (strcasecmp(text, yes[i]) != 0 && strcasecmp(text, no[i]) != 0)
			continue;
		*out = strcasecmp(text, yes[i]) == 0;
		return true;
	}
	problem_add(s->problems, s->value->line, "%s must be true or false", s->option->name);
	return false;
}

static bool
check_list(const struct subject *s)
{
	bool good = true;

	for (size_t i = 0; i < s->value->n; i++)
		good = check_string(s, s->value->items[i]) && good;
	return good;
}

bool
value_check(const struct conf_section *section, const struct option *option,
    struct conf_value *value, struct problems *problems)
{
	struct subject s = { option, value, problems };
	const char *text = value->n > 0 ? value->items[0] : "";
	bool titled = section->kind->titled;

	if (option->type == OPTION_LIST)
		return check_list(&s);
	if (text[0] == '\0') {
		if (option->required || option->type != OPTION_STR)
			problem_add(problems, value->line > 0 ? value->line : section->line,
			    "option `%s`%s%s%s%s%s must be set", option->name,
			    section->kind->name[0] == '\0' ? "" : " of ", section->kind->name,
			    titled ? " \"" : "", titled ? section->title : "", titled ? "\"" : "");
		return !option->required && option->type == OPTION_STR;
	}
	switch (option->type) {
	case OPTION_INT:
		return check_int(&s, text, &value->number);
	case OPTION_BOOL:
		return check_bool(&s, text, &value->flag);
	case OPTION_STR:
	case OPTION_LIST:
		break;
	}
	return check_string(&s, text);
}

/* Line of an option, or of its section if it stands at its default. */
static unsigned
line_of(const struct conf_section *section, const char *name)
{
	const struct conf_value *value = section_value(section, name);

	return value->line > 0 ? value->line : section->line;
}

static const char *
text_of(const struct conf_section *section, const char *name)
{
	return section_value(section, name)->items[0];
}

static void
check_title(const struct conf_section *section, struct problems *problems)
{
	size_t n = strlen(section->title);
	size_t max = strcmp(section->kind->name, "tls_name") == 0 ? 253 : TITLE_MAX;

	if (n == 0 || n > max ||
	    strspn(section->title, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789-_.*") != n)
		problem_add(problems, section->line,
		    "title \"%.64s\" of %s must have 1 to %zu letters, digits or - _ .",
		    section->title, section->kind->name, max);
}

static void
check_listen(const struct conf *conf, const struct conf_section *listen, struct problems *problems)
{
	const struct conf_section *tls = conf_next(conf, "tls", NULL);
	const struct conf_section *other = NULL;
	int64_t port = section_value(listen, "port")->number;

	if (strcmp(text_of(listen, "tls"), "implicit") == 0 && text_of(tls, "cert")[0] == '\0')
		problem_add(problems, line_of(listen, "tls"),
		    "listen \"%s\" has tls = \"implicit\", but there is no certificate: "
		    "set tls { cert = … key = … }",
		    listen->title);
	if (section_value(listen, "proxy_protocol")->flag &&
	    conf_list_len(conf, NULL, "gate.proxy_networks") == 0)
		problem_add(problems, line_of(listen, "proxy_protocol"),
		    "listen \"%s\" has proxy_protocol, but gate.proxy_networks is empty: "
		    "nobody could connect",
		    listen->title);
	while ((other = conf_next(conf, "listen", other)) != listen) {
		if (port != 0 && section_value(other, "port")->number == port &&
		    strcmp(text_of(other, "address"), text_of(listen, "address")) == 0)
			problem_add(problems, line_of(listen, "port"),
			    "listen \"%s\" has the address and port of listen \"%s\"",
			    listen->title, other->title);
	}
}

static void
check_tls(const struct conf_section *tls, struct problems *problems)
{
	const char *cert = text_of(tls, "cert");
	const char *key = text_of(tls, "key");

	if (cert[0] != '\0' && key[0] == '\0')
		problem_add(problems, line_of(tls, "cert"), "tls has a cert, but no key");
	if (cert[0] == '\0' && key[0] != '\0')
		problem_add(problems, line_of(tls, "key"), "tls has a key, but no cert");
}

static void
check_database(
    const struct conf *conf, const struct conf_section *database, struct problems *problems)
{
	const char *wanted = text_of(database, "storage");
	struct suggestion best = { .wanted = str_from(wanted) };
	const struct conf_section *storage = NULL;

	if (wanted[0] == '\0' || conf_find(conf, "storage", wanted) != NULL)
		return;
	while ((storage = conf_next(conf, "storage", storage)) != NULL)
		suggest(&best, str_from(storage->title));
	problem_add(problems, line_of(database, "storage"),
	    "database \"%s\" names the storage `%.64s`, which is not there%s%s%s", database->title,
	    wanted, best.best.p == NULL ? "" : ", did you mean `",
	    best.best.p == NULL ? "" : best.best.p, best.best.p == NULL ? "" : "`?");
}

static void
check_limits(const struct conf *conf, struct problems *problems)
{
	const struct conf_section *top = conf_next(conf, "", NULL);
	const struct conf_section *gate = conf_next(conf, "gate", NULL);
	const struct conf_section *imapd = conf_next(conf, "imapd", NULL);

	if (strlen(text_of(top, "run_dir")) > RUN_DIR_MAX)
		problem_add(problems, line_of(top, "run_dir"),
		    "run_dir is longer than %d bytes: a socket in it could have no name",
		    RUN_DIR_MAX);
	if (strlen(text_of(gate, "greeting")) > GREETING_MAX)
		problem_add(problems, line_of(gate, "greeting"), "greeting is longer than %d bytes",
		    GREETING_MAX);
	if (section_value(imapd, "max_literal")->number >
	    section_value(imapd, "max_command")->number)
		problem_add(problems, line_of(imapd, "max_literal"),
		    "imapd.max_literal is larger than imapd.max_command");
}

static void
check_accounts(const struct conf *conf, struct problems *problems)
{
	static const char *const kinds[] = { "log", "gate", "auth", "hub" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct conf_section *section = conf_next(conf, kinds[i], NULL);
		const char *user = text_of(section, "user");

		if (strlen(user) > ACCOUNT_MAX || strpbrk(user, " \t/") != NULL)
			problem_add(problems, line_of(section, "user"),
			    "user `%.64s` of %s can't be the name of an account", user, kinds[i]);
	}
}

void
conf_check(const struct conf *conf, struct problems *problems)
{
	for (const struct conf_section *s = conf->first; s != NULL; s = s->next) {
		if (s->kind->titled)
			check_title(s, problems);
		if (strcmp(s->kind->name, "listen") == 0)
			check_listen(conf, s, problems);
		if (strcmp(s->kind->name, "tls") == 0)
			check_tls(s, problems);
		if (strcmp(s->kind->name, "database") == 0)
			check_database(conf, s, problems);
	}
	check_limits(conf, problems);
	check_accounts(conf, problems);
}
