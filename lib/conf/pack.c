/*
 * The configuration on its way to the children, and on its way to the administrator's eyes.
 *
 * Packed: "RKCONF1\n", then per section: 1 byte index of the kind + 1, title, per option a 32-bit
 * count and that many strings; a byte 0 ends it. Strings are a 32-bit length and their bytes.
 * Numbers are in the machine's order: it never leaves the machine. Both ends are of one build; what
 * another build wrote is refused because every value is checked again.
 */
#include "lib/conf/conf_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/arena.h"

#define MAGIC "RKCONF1\n"
#define PACKED_MAX (8 * CONF_FILE_MAX)

struct unpacker {
	struct str rest;
	struct conf *conf;
};

static void
pack_u32(struct buf *out, size_t value)
{
	uint32_t number = (uint32_t)value;

	buf_add(out, &number, sizeof(number));
}

static void
pack_string(struct buf *out, const char *text)
{
	pack_u32(out, strlen(text));
	buf_adds(out, text);
}

void
conf_pack(const struct conf *conf, struct buf *out)
{
	buf_adds(out, MAGIC);
	for (const struct conf_section *s = conf->first; s != NULL; s = s->next) {
		buf_addc(out, (char)(s->kind - section_kinds + 1));
		pack_string(out, s->title);
		for (size_t i = 0; i < s->kind->n; i++) {
			pack_u32(out, s->values[i].n);
			for (size_t j = 0; j < s->values[i].n; j++)
				pack_string(out, s->values[i].items[j]);
		}
	}
	buf_addc(out, '\0');
}

static bool
unpack_bytes(struct unpacker *u, void *out, size_t n)
{
	if (u->rest.n < n)
		return false;
	memcpy(out, u->rest.p, n);
	u->rest = str_of(u->rest.p + n, u->rest.n - n);
	return true;
}

static const char *
unpack_string(struct unpacker *u)
{
	const char *text;
	uint32_t n;

	if (!unpack_bytes(u, &n, sizeof(n)) || n > CONF_VALUE_MAX || n > u->rest.n ||
	    memchr(u->rest.p, '\0', n) != NULL)
		return NULL;
	text = rk_arena_dup(u->conf->mem, u->rest.p, n);
	u->rest = str_of(u->rest.p + n, u->rest.n - n);
	return text;
}

static bool
unpack_value(struct unpacker *u, const struct conf_section *section, size_t at)
{
	const struct option *option = &section->kind->options[at];
	struct conf_value *value = &section->values[at];
	uint32_t n;

	if (!unpack_bytes(u, &n, sizeof(n)) || n > CONF_ITEMS_MAX || n > u->rest.n / 4 ||
	    (option->type != OPTION_LIST && n != 1))
		return false;
	value->items = rk_arena_array(u->conf->mem, n == 0 ? 1 : n, sizeof(*value->items));
	value->n = n;
	for (uint32_t i = 0; i < n; i++) {
		value->items[i] = unpack_string(u);
		if (value->items[i] == NULL)
			return false;
	}
	return value_check(section, option, value, NULL);
}

static bool
unpack_section(struct unpacker *u, const struct section_kind *kind)
{
	const char *title = unpack_string(u);
	struct conf_section *section;

	if (title == NULL || (title[0] != '\0') != kind->titled ||
	    (!kind->titled && conf_first(u->conf, kind) != NULL))
		return false;
	section = conf_add(u->conf, kind, title);
	for (size_t i = 0; i < kind->n; i++) {
		if (!unpack_value(u, section, i))
			return false;
	}
	return true;
}

static bool
unpack_all(struct unpacker *u)
{
	char magic[sizeof(MAGIC) - 1];
	unsigned char index = 1;

	if (!unpack_bytes(u, magic, sizeof(magic)) || memcmp(magic, MAGIC, sizeof(magic)) != 0)
		return false;
	while (unpack_bytes(u, &index, 1) && index != 0) {
		if (index > section_kinds_n || !unpack_section(u, &section_kinds[index - 1]))
			return false;
	}
	if (index != 0 || u->rest.n != 0)
		return false;
	for (size_t i = 0; i < section_kinds_n; i++) {
		if (!section_kinds[i].titled && conf_first(u->conf, &section_kinds[i]) == NULL)
			return false;
	}
	return true;
}

enum rk_status
conf_unpack(const void *bytes, size_t n, struct conf **out, struct rk_err *err)
{
	struct unpacker u = { str_of(bytes, n), NULL };

	*out = NULL;
	if (n > PACKED_MAX)
		return rk_fail_plain(err, RK_CORRUPT, "packed configuration of %zu bytes", n);
	u.conf = conf_new();
	if (!unpack_all(&u)) {
		conf_free(u.conf);
		return rk_fail_plain(err, RK_CORRUPT, "packed configuration makes no sense");
	}
	*out = u.conf;
	return RK_OK;
}

static enum rk_status
read_all(int fd, char *bytes, size_t n, struct rk_err *err)
{
	size_t have = 0;

	while (have < n) {
		/* pread: the descriptor, and so its offset, is shared with other children */
		ssize_t got = pread(fd, bytes + have, n - have, (off_t)have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return rk_fail(err, RK_TEMP, "read the packed configuration");
		if (got == 0)
			return rk_fail_plain(err, RK_CORRUPT, "packed configuration is cut");
		have += (size_t)got;
	}
	return RK_OK;
}

enum rk_status
conf_from_fd(int fd, struct conf **out, struct rk_err *err)
{
	struct buf bytes = BUF_INIT;
	enum rk_status status;
	struct stat st;

	*out = NULL;
	if (fstat(fd, &st) < 0)
		return rk_fail(err, RK_TEMP, "stat the packed configuration");
	if (st.st_size <= 0 || st.st_size > PACKED_MAX)
		return rk_fail_plain(
		    err, RK_CORRUPT, "packed configuration of %lld bytes", (long long)st.st_size);
	buf_reserve(&bytes, (size_t)st.st_size);
	status = read_all(fd, bytes.data, (size_t)st.st_size, err);
	if (status == RK_OK)
		status = conf_unpack(bytes.data, (size_t)st.st_size, out, err);
	buf_clear(&bytes);
	return status;
}

/* In double quotes; `$` too is escaped, or ${…} would be read back as a variable. */
static void
print_string(struct buf *out, const char *text)
{
	buf_addc(out, '"');
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\' || *p == '$')
			buf_addc(out, '\\');
		buf_addc(out, *p);
	}
	buf_addc(out, '"');
}

static void
print_value(struct buf *out, const struct option *option, const struct conf_value *value)
{
	switch (option->type) {
	case OPTION_INT:
		buf_addf(out, "%lld", (long long)value->number);
		break;
	case OPTION_BOOL:
		buf_adds(out, value->flag ? "true" : "false");
		break;
	case OPTION_STR:
		print_string(out, value->items[0]);
		break;
	case OPTION_LIST:
		buf_addc(out, '{');
		for (size_t i = 0; i < value->n; i++) {
			buf_adds(out, i == 0 ? " " : ", ");
			print_string(out, value->items[i]);
		}
		buf_adds(out, value->n == 0 ? "}" : " }");
		break;
	}
}

void
conf_print(const struct conf *conf, struct buf *out)
{
	for (const struct conf_section *s = conf->first; s != NULL; s = s->next) {
		const char *indent = s->kind->name[0] == '\0' ? "" : "\t";

		if (indent[0] != '\0') {
			buf_addf(out, "\n%s ", s->kind->name);
			if (s->kind->titled) {
				print_string(out, s->title);
				buf_addc(out, ' ');
			}
			buf_adds(out, "{\n");
		}
		for (size_t i = 0; i < s->kind->n; i++) {
			buf_addf(out, "%s%s = ", indent, s->kind->options[i].name);
			print_value(out, &s->kind->options[i], &s->values[i]);
			buf_addc(out, '\n');
		}
		if (indent[0] != '\0')
			buf_adds(out, "}\n");
	}
}
