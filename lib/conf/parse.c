/*
 * rookery.conf through libconfuse 3.3, and around its habits:
 * - It ends at the first name it doesn't know, or (CFGF_IGNORE_UNKNOWN) skips all of them without a
 *   word. So scan.c goes over the text first, reports them all and takes them out.
 * - It counts a comment of several lines wrongly, and one at the very start may crash it: scan.c
 *   takes comments out too.
 * - A value it can't convert ends the parsing. So every option is a CFGT_PTR whose callback takes
 *   any string and keeps its line; types and ranges are checked afterwards, all at once.
 * - It expands ${VARIABLE}: the master clears its environment before it comes here.
 * - A file name with ~ is expanded (with a known overflow): it is given a stream, never a name.
 */
#include "lib/conf/conf_impl.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/bug.h"
#include "lib/base/file.h"

/* One string of the file, owned by libconfuse. */
struct item {
	unsigned line;
	char text[];
};

struct parse {
	struct rk_arena *mem; /* of the parse: tables, scan */
	struct problems *problems;
	struct scan scan;
	struct conf *conf;
};

/* libconfuse gives its error function no argument of ours, and can't run twice at once anyway. */
static struct problems *syntax_problems;

__attribute__((format(printf, 2, 0))) static void
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[256];

	vsnprintf(text, sizeof(text), fmt, ap);
	for (char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
	problem_add(
	    syntax_problems, cfg == NULL || cfg->line < 1 ? 1 : (unsigned)cfg->line, "%s", text);
}

/* Takes any string; the line stays with it. */
static int
on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	size_t n = strlen(value);
	struct item *item = malloc(sizeof(*item) + n + 1);

	(void)opt;
	if (item == NULL)
		return -1;
	item->line = cfg->line < 1 ? 1 : (unsigned)cfg->line;
	memcpy(item->text, value, n + 1);
	*(void **)result = item;
	return 0;
}

/* A default list in libconfuse's syntax, so that `+=` adds to it. */
static char *
list_default(struct rk_arena *mem, const char *words)
{
	char *text = rk_arena_printf(mem, "{%s}", words);

	for (char *p = text; *p != '\0'; p++) {
		if (*p == ' ')
			*p = ',';
	}
	return text;
}

static void
option_fill(cfg_opt_t *out, const struct option *option, struct rk_arena *mem)
{
	out->name = option->name;
	out->type = CFGT_PTR;
	out->parsecb = on_value;
	out->freecb = free;
	out->flags = CFGF_NODEFAULT;
	if (option->type != OPTION_LIST)
		return;
	out->flags = CFGF_LIST;
	if (option->def[0] != '\0')
		out->def.parsed = list_default(mem, option->def);
}

/* Our table in libconfuse's form: the options of `kind`, and all sections if it is the top. */
static cfg_opt_t *
table_make(const struct section_kind *kind, struct rk_arena *mem)
{
	size_t sections = kind == &section_kinds[0] ? section_kinds_n - 1 : 0;
	cfg_opt_t *table = rk_arena_array(mem, kind->n + sections + 1, sizeof(cfg_opt_t));

	for (size_t i = 0; i < kind->n; i++)
		option_fill(&table[i], &kind->options[i], mem);
	for (size_t i = 0; i < sections; i++) {
		const struct section_kind *inner = &section_kinds[i + 1];
		cfg_opt_t *out = &table[kind->n + i];

		out->name = inner->name;
		out->type = CFGT_SEC;
		out->flags = inner->titled ? CFGF_MULTI | CFGF_TITLE : CFGF_NONE;
		out->subopts = table_make(inner, mem);
	}
	return table;
}

static void
value_take(struct parse *p, struct conf_section *section, size_t at, cfg_opt_t *opt)
{
	const struct option *option = &section->kind->options[at];
	struct conf_value *value = &section->values[at];
	unsigned n = cfg_opt_size(opt);
	const char **items;

	if (n == 0 && option->type != OPTION_LIST)
		return;
	if (n > CONF_ITEMS_MAX) {
		problem_add(p->problems, section->line, "%s has more than %d values", option->name,
		    CONF_ITEMS_MAX);
		return;
	}
	items = rk_arena_array(p->mem, n == 0 ? 1 : n, sizeof(*items));
	for (unsigned i = 0; i < n; i++) {
		struct item *item = cfg_opt_getnptr(opt, i);

		items[i] = item->text;
		value->line = item->line;
	}
	conf_set(p->conf, value, items, n);
}

static unsigned
section_line(const struct parse *p, const struct conf_section *section)
{
	for (size_t i = 0; i < p->scan.n; i++) {
		const struct scan_section *s = &p->scan.sections[i];

		if (s->kind == section->kind && str_is(s->title, section->title))
			return s->line;
	}
	return 1;
}

static void
section_take(struct parse *p, const struct section_kind *kind, cfg_t *cfg)
{
	const char *title = kind->titled && cfg_title(cfg) != NULL ? cfg_title(cfg) : "";
	struct conf_section *section = conf_add(p->conf, kind, title);

	section->line = section_line(p, section);
	for (size_t i = 0; i < kind->n; i++) {
		value_take(p, section, i, cfg_getopt(cfg, kind->options[i].name));
		(void)value_check(section, &kind->options[i], &section->values[i], p->problems);
	}
}

static void
conf_take(struct parse *p, cfg_t *root)
{
	section_take(p, &section_kinds[0], root);
	for (size_t i = 1; i < section_kinds_n; i++) {
		cfg_opt_t *opt = cfg_getopt(root, section_kinds[i].name);
		unsigned n = cfg_opt_size(opt);

		for (unsigned j = 0; j < n; j++)
			section_take(p, &section_kinds[i], cfg_opt_getnsec(opt, j));
	}
	conf_check(p->conf, p->problems);
}

/* True when libconfuse has read all of the text; otherwise its one mistake is in p->problems. */
static bool
parse_text(struct parse *p, char *text, size_t n)
{
	cfg_t *root = cfg_init(table_make(&section_kinds[0], p->mem), CFGF_NONE);
	FILE *stream = fmemopen(text, n, "r");
	bool good;

	if (root == NULL || stream == NULL)
		rk_out_of_memory(n);
	cfg_set_error_function(root, on_error);
	syntax_problems = p->problems;
	good = cfg_parse_fp(root, stream) == CFG_SUCCESS;
	syntax_problems = NULL;
	if (good)
		conf_take(p, root);
	else if (p->problems->found.n == 0)
		problem_add(p->problems, root->line < 1 ? 1 : (unsigned)root->line, "syntax error");
	(void)fclose(stream);
	(void)cfg_free(root);
	return good;
}

/* The scanner's mistakes count only in a text whose syntax is right. */
static void
parse_all(struct parse *p, const struct rk_blob *bytes)
{
	struct problems unknown = { .mem = p->problems->mem, .file = p->problems->file };
	char *text = rk_arena_alloc(p->mem, bytes->len + 2);

	if (bytes->len > 0)
		memcpy(text, bytes->data, bytes->len);
	text[bytes->len] = '\n';
	if (memchr(text, '\0', bytes->len) != NULL) {
		problem_add(p->problems, 1, "the file holds a NUL byte: it is no text");
		return;
	}
	scan_text(text, bytes->len + 1, p->mem, &unknown, &p->scan);
	if (!parse_text(p, text, bytes->len + 1))
		return;
	for (size_t i = 0; i < unknown.found.n; i++)
		problem_add(
		    p->problems, unknown.found.list[i].line, "%s", unknown.found.list[i].text);
	p->problems->lost += unknown.lost;
	problems_sort(p->problems);
}

static enum rk_status
read_path(const char *path, struct rk_arena *mem, struct rk_blob *out, struct rk_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	enum rk_status status;
	struct stat st;

	if (fd < 0)
		return rk_fail(err, errno == ENOENT ? RK_NOTFOUND : RK_TEMP, "open %s", path);
	if (fstat(fd, &st) < 0)
		status = rk_fail(err, RK_TEMP, "stat %s", path);
	else if (!S_ISREG(st.st_mode))
		status = rk_fail_plain(err, RK_TEMP, "%s is not a regular file", path);
	else
		status = file_read(fd, CONF_FILE_MAX, mem, out, err);
	(void)close(fd);
	return status;
}

enum rk_status
conf_load(const char *path, struct rk_arena *mem, struct conf **out,
    struct conf_problems *problems_out, struct rk_err *err)
{
	struct problems problems = { .mem = mem, .file = rk_arena_dup(mem, path, strlen(path)) };
	struct parse p = { .mem = arena_new(), .problems = &problems };
	struct rk_blob bytes = { 0 };
	enum rk_status status = read_path(path, p.mem, &bytes, err);

	*out = NULL;
	*problems_out = (struct conf_problems){ 0 };
	if (status == RK_OK || status == RK_LIMIT) {
		p.conf = conf_new();
		if (status == RK_OK)
			parse_all(&p, &bytes);
		else
			problem_add(
			    &problems, 1, "the file is larger than %d bytes", CONF_FILE_MAX);
		*problems_out = problems.found;
		status = problems.found.n == 0
		             ? RK_OK
		             : rk_fail_plain(err, RK_INVALID, "%s has %zu mistakes", path,
				   problems.found.n + problems.lost);
	}
	if (status == RK_OK)
		*out = p.conf;
	else
		conf_free(p.conf);
	arena_free(p.mem);
	return status;
}
