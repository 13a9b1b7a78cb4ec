/* What the parts of lib/conf share. */
#ifndef CONF_CONF_IMPL_H
#define CONF_CONF_IMPL_H

#include "lib/conf/conf.h"
#include "lib/conf/options.h"

#define CONF_FILE_MAX (1024 * 1024) /* bytes of rookery.conf */
#define CONF_VALUE_MAX 4096         /* bytes of one string */
#define CONF_ITEMS_MAX 4096         /* strings of a list, sections of a kind */
#define CONF_PROBLEMS_MAX 200       /* more are counted in one last line */

/* Strings as they stand in the file; one, unless it is a list. */
struct conf_value {
	const char **items;
	size_t n;
	unsigned line; /* 0: the default */
	int64_t number;
	bool flag;
};

struct conf_section {
	const struct section_kind *kind;
	const char *title; /* "" for a section without */
	unsigned line;
	struct conf_value *values; /* parallel to kind->options */
	struct conf_section *next;
};

struct conf {
	struct rk_arena *mem;
	struct conf_section *first;
	struct conf_section **tail;
};

/* Collects mistakes in the order they are found; problems_sort puts them in order of lines. */
struct problems {
	struct rk_arena *mem;
	const char *file;
	struct conf_problems found;
	size_t cap;
	size_t lost;
};

void problem_add(struct problems *p, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void problems_sort(struct problems *p);

/* A known section as it stands in the file. */
struct scan_section {
	const struct section_kind *kind;
	struct str title;
	unsigned line;
};

struct scan {
	struct scan_section *sections;
	size_t n;
};

/*
 * Goes through the text before libconfuse does, because that ends at the first unknown name (or
 * skips them in silence): reports every unknown option and section with its line, options and
 * sections that stand twice, and overwrites comments and what is unknown by blanks. Where the text
 * isn't understood it stops without a word: libconfuse will say what is wrong. `mem` keeps the
 * sections; `text` must live as long.
 */
void scan_text(
    char *text, size_t n, struct rk_arena *mem, struct problems *problems, struct scan *out);

/* An empty configuration; sections are added in order of the kinds, then of the file. */
struct conf *conf_new(void);
/* With all values at their defaults. */
struct conf_section *conf_add(
    struct conf *conf, const struct section_kind *kind, const char *title);
/* Replaces the value by n strings, copied. */
void conf_set(struct conf *conf, struct conf_value *value, const char *const *items, size_t n);
struct conf_section *conf_first(const struct conf *conf, const struct section_kind *kind);

/*
 * Checks the strings of one value against its row and fills number and flag. Each mistake gives a
 * line in *problems, which may be NULL. False if there was one.
 */
bool value_check(const struct conf_section *section, const struct option *option,
    struct conf_value *value, struct problems *problems);
/* What no single value can show. */
void conf_check(const struct conf *conf, struct problems *problems);

/* The nearest of the candidates that is near enough to be a slip. */
struct suggestion {
	struct str wanted;
	struct str best; /* borrowed from the candidates; p is NULL if none is near */
	size_t distance;
};
void suggest(struct suggestion *s, struct str candidate);

/* The value of an option that the table has. */
struct conf_value *section_value(const struct conf_section *section, const char *name);

#endif
