/* etc/rookery.conf and the man page say all that the option table says, and nothing else. */
#include "tests/unit/unit.h"
#include "tests/unit/lib/conf/support.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/file.h"

/* The build may happen outside of the source: `make check` names that. */
static char *
read_source(struct rk_arena *mem, const char *name)
{
	const char *dir = getenv("srcdir") == NULL ? "." : getenv("srcdir");
	int fd = open(rk_arena_printf(mem, "%s/%s", dir, name), O_RDONLY | O_CLOEXEC);
	struct rk_err err = { 0 };
	struct rk_blob bytes;

	ck_assert_msg(fd >= 0, "no %s/%s", dir, name);
	ck_assert_int_eq(file_read(fd, CONF_FILE_MAX, mem, &bytes, &err), RK_OK);
	close(fd);
	return rk_arena_dup(mem, bytes.data, bytes.len);
}

/* Takes the "#" from every line that shows a default: it stands right before a name or a brace. */
static void
uncomment(char *text)
{
	for (char *line = text; line != NULL && *line != '\0';) {
		char *hash = line + strspn(line, "\t");

		if (hash[0] == '#' && (islower((unsigned char)hash[1]) || hash[1] == '}'))
			*hash = ' ';
		line = strchr(line, '\n');
		if (line != NULL)
			line++;
	}
}

static void
same_values(const struct conf_section *a, const struct conf_section *b)
{
	for (size_t i = 0; i < a->kind->n; i++) {
		/* these depend on the user and on the prefix of the build */
		if (a->kind->name[0] == '\0' && strstr(a->kind->options[i].name, "_dir") != NULL)
			continue;
		ck_assert_uint_eq(a->values[i].n, b->values[i].n);
		for (size_t j = 0; j < a->values[i].n; j++)
			ck_assert_msg(strcmp(a->values[i].items[j], b->values[i].items[j]) == 0,
			    "%s.%s: %s is not the default %s", a->kind->name,
			    a->kind->options[i].name, b->values[i].items[j], a->values[i].items[j]);
	}
}

START_TEST(the_defaults_of_the_file_are_the_defaults)
{
	struct rk_arena *mem = arena_new();
	char *text = read_source(mem, "etc/rookery.conf");
	struct loaded plain = load_text(text);
	struct loaded all;

	uncomment(text);
	all = load_text(text);
	if (all.problems.n > 0)
		ck_abort_msg("line %u: %s", all.problems.list[0].line, all.problems.list[0].text);
	ck_assert_int_eq(plain.status, RK_OK);
	for (const struct conf_section *s = plain.conf->first; s != NULL; s = s->next)
		same_values(s, conf_find(all.conf, s->kind->name, s->title));
	loaded_free(&plain);
	loaded_free(&all);
	arena_free(mem);
}
END_TEST

START_TEST(every_option_stands_in_the_file)
{
	struct rk_arena *mem = arena_new();
	char *text = read_source(mem, "etc/rookery.conf");
	struct loaded all;

	uncomment(text);
	all = load_text(text);
	ck_assert_int_eq(all.status, RK_OK);
	for (size_t k = 0; k < section_kinds_n; k++) {
		const struct conf_section *s = conf_first(all.conf, &section_kinds[k]);

		ck_assert_msg(s != NULL, "no section %s", section_kinds[k].name);
		for (size_t i = 0; i < section_kinds[k].n; i++)
			ck_assert_msg(s->values[i].line > 0 ||
					  section_kinds[k].options[i].type == OPTION_LIST,
			    "%s.%s is missing", section_kinds[k].name,
			    section_kinds[k].options[i].name);
	}
	loaded_free(&all);
	/* an empty list has no line of its own */
	ck_assert_ptr_nonnull(strstr(text, "proxy_networks = {}"));
	ck_assert_ptr_nonnull(strstr(text, "params = {}"));
	ck_assert_ptr_nonnull(strstr(text, " mechanisms = {"));
	arena_free(mem);
}
END_TEST

/* Section of a line `.SS "name ...`, NULL if it is no such line. */
static const struct section_kind *
man_section(struct str line)
{
	size_t n;

	if (str_is(line, ".SS \"Top level\""))
		return &section_kinds[0];
	if (!str_starts(line, ".SS \""))
		return NULL;
	n = strspn(line.p + 5, "abcdefghijklmnopqrstuvwxyz_");
	ck_assert_msg(
	    section_kind_find(line.p + 5, n) != NULL, "unknown section: %.*s", (int)line.n, line.p);
	return section_kind_find(line.p + 5, n);
}

START_TEST(the_man_page_has_the_options_of_the_table)
{
	struct rk_arena *mem = arena_new();
	const char *text = strstr(read_source(mem, "docs/man/rookery.conf.5"), ".SH OPTIONS\n");
	const struct section_kind *kind = NULL;
	struct str rest = str_from(text), line;
	bool entry = false;
	size_t seen = 0, found = 0, wanted = 0;

	while (str_split(&rest, '\n', &line) && !str_is(line, ".SH EXAMPLES")) {
		if (man_section(line) != NULL)
			kind = man_section(line);
		if (entry) {
			ck_assert(kind != NULL && str_starts(line, ".B "));
			ck_assert_msg(
			    option_find(kind, line.p + 3, line.n - 3) == &kind->options[seen],
			    "%.*s of %s is not the next option of the table", (int)line.n, line.p,
			    kind->name);
			seen = seen + 1 == kind->n ? 0 : seen + 1;
			found++;
		}
		entry = str_is(line, ".TP");
	}
	for (size_t k = 0; k < section_kinds_n; k++)
		wanted += section_kinds[k].n;
	ck_assert_uint_eq(found, wanted);
	arena_free(mem);
}
END_TEST

START_TEST(every_option_is_explained)
{
	for (size_t k = 0; k < section_kinds_n; k++) {
		/* scan.c keeps the options it saw in 64 bits */
		ck_assert(section_kinds[k].doc[0] != '\0' && section_kinds[k].n <= 64);
		for (size_t i = 0; i < section_kinds[k].n; i++)
			ck_assert(section_kinds[k].options[i].doc[0] != '\0');
	}
}
END_TEST

UNIT_MAIN("docs", the_defaults_of_the_file_are_the_defaults, every_option_stands_in_the_file,
    the_man_page_has_the_options_of_the_table, every_option_is_explained)
