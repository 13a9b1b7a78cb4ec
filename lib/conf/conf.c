#include "lib/conf/conf_impl.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/bug.h"

struct conf *
conf_new(void)
{
	struct rk_arena *mem = arena_new();
	struct conf *conf = rk_arena_alloc(mem, sizeof(*conf));

	conf->mem = mem;
	conf->tail = &conf->first;
	return conf;
}

void
conf_free(struct conf *conf)
{
	if (conf != NULL)
		arena_free(conf->mem);
}

void
conf_set(struct conf *conf, struct conf_value *value, const char *const *items, size_t n)
{
	value->items = rk_arena_array(conf->mem, n == 0 ? 1 : n, sizeof(*value->items));
	for (size_t i = 0; i < n; i++)
		value->items[i] = rk_arena_dup(conf->mem, items[i], strlen(items[i]));
	value->n = n;
}

static void
set_default(struct conf *conf, const struct conf_section *section, const struct option *option,
    struct conf_value *value)
{
	char buf[CONF_VALUE_MAX];
	const char *text = option_default(section->kind, option, buf, sizeof(buf));
	struct str rest = str_from(text);
	const char *items[16];
	size_t n = 0;
	struct str one;

	if (option->type != OPTION_LIST) {
		conf_set(conf, value, &text, 1);
		return;
	}
	while (n < 16 && str_split(&rest, ' ', &one))
		items[n++] = str_dup(conf->mem, one);
	conf_set(conf, value, items, n);
}

struct conf_section *
conf_add(struct conf *conf, const struct section_kind *kind, const char *title)
{
	struct conf_section *section = rk_arena_alloc(conf->mem, sizeof(*section));

	section->kind = kind;
	section->title = rk_arena_dup(conf->mem, title, strlen(title));
	section->values = rk_arena_array(conf->mem, kind->n, sizeof(*section->values));
	for (size_t i = 0; i < kind->n; i++)
		set_default(conf, section, &kind->options[i], &section->values[i]);
	*conf->tail = section;
	conf->tail = &section->next;
	return section;
}

struct conf_section *
conf_first(const struct conf *conf, const struct section_kind *kind)
{
	struct conf_section *section = conf->first;

	while (section != NULL && section->kind != kind)
		section = section->next;
	return section;
}

static const struct section_kind *
kind_of(const char *name, size_t len)
{
	const struct section_kind *kind = section_kind_find(name, len);

	if (kind == NULL)
		rk_bug("no configuration section %.*s", (int)len, name);
	return kind;
}

struct conf_value *
section_value(const struct conf_section *section, const char *name)
{
	const struct option *option = option_find(section->kind, name, strlen(name));

	if (option == NULL)
		rk_bug("no configuration option %s in section %s", name, section->kind->name);
	return &section->values[option - section->kind->options];
}

static const struct conf_value *
value_of(
    const struct conf *conf, const struct conf_section *in, const char *name, enum option_type type)
{
	const char *dot = in == NULL ? strchr(name, '.') : NULL;
	const char *option = dot == NULL ? name : dot + 1;

	if (in == NULL)
		in = conf_first(conf, kind_of(name, dot == NULL ? 0 : (size_t)(dot - name)));
	if (in == NULL)
		rk_bug("configuration option %s needs its section", name);
	if (section_value(in, option) != NULL &&
	    option_find(in->kind, option, strlen(option))->type != type)
		rk_bug("configuration option %s has another type", name);
	return section_value(in, option);
}

const char *
conf_str(const struct conf *conf, const struct conf_section *in, const char *name)
{
	return value_of(conf, in, name, OPTION_STR)->items[0];
}

int64_t
conf_int(const struct conf *conf, const struct conf_section *in, const char *name)
{
	return value_of(conf, in, name, OPTION_INT)->number;
}

bool
conf_bool(const struct conf *conf, const struct conf_section *in, const char *name)
{
	return value_of(conf, in, name, OPTION_BOOL)->flag;
}

size_t
conf_list_len(const struct conf *conf, const struct conf_section *in, const char *name)
{
	return value_of(conf, in, name, OPTION_LIST)->n;
}

const char *
conf_list_at(const struct conf *conf, const struct conf_section *in, const char *name, size_t i)
{
	const struct conf_value *value = value_of(conf, in, name, OPTION_LIST);

	if (i >= value->n)
		rk_bug("configuration list %s has no %zu", name, i);
	return value->items[i];
}

const struct conf_section *
conf_next(const struct conf *conf, const char *kind, const struct conf_section *after)
{
	const struct section_kind *wanted = kind_of(kind, strlen(kind));
	const struct conf_section *section = after == NULL ? conf->first : after->next;

	while (section != NULL && section->kind != wanted)
		section = section->next;
	return section;
}

const struct conf_section *
conf_find(const struct conf *conf, const char *kind, const char *title)
{
	const struct conf_section *section = NULL;

	while ((section = conf_next(conf, kind, section)) != NULL) {
		if (strcmp(section->title, title) == 0)
			return section;
	}
	return NULL;
}

const char *
conf_title(const struct conf_section *section)
{
	return section->title;
}
