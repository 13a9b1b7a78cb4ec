#include "auth/username.h"

#include <gsasl.h>
#include <string.h>

#include "lib/base/utf8.h"

/* SASLprep may shorten (it maps some characters to nothing), but nobody has a name that begins
 * longer than this; and nobody's megabyte is normalised to find out. */
#define RAW_MAX (4 * USER_MAX)

static bool
is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

static bool
has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (is_control((unsigned char)s.p[i]))
			return true;
	}
	return false;
}

static bool
is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	}
	return true;
}

/* SASLprep of `raw` as a query (RFC 4013 section 2.5: unassigned code points pass; they can't match
 * a name of the database, where this is one and the same function). Printable ASCII is its own
 * preparation. */
static enum username_bin
prepare(struct str raw, struct username *out)
{
	char text[RAW_MAX + 1];
	char *prepared = NULL;
	size_t n;

	memcpy(text, raw.p, raw.n);
	text[raw.n] = '\0';
	if (!is_ascii(raw)) {
		if (gsasl_saslprep(text, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) != GSASL_OK)
			return USERNAME_PREP;
	}
	n = strlen(prepared != NULL ? prepared : text);
	if (n <= USER_MAX)
		memcpy(out->text, prepared != NULL ? prepared : text, n + 1);
	out->len = n;
	gsasl_free(prepared);
	if (n > USER_MAX)
		return USERNAME_LONG;
	return n == 0 ? USERNAME_EMPTY : USERNAME_OK;
}

static void
lower(struct username *name)
{
	for (size_t i = 0; i < name->len; i++) {
		if (name->text[i] >= 'A' && name->text[i] <= 'Z')
			name->text[i] += 'a' - 'A';
	}
}

static enum username_bin
domain_add(const char *domain, struct username *name)
{
	size_t n = strlen(domain);

	if (n == 0 || memchr(name->text, '@', name->len) != NULL)
		return USERNAME_OK;
	if (name->len + 1 + n > USER_MAX)
		return USERNAME_LONG;
	name->text[name->len] = '@';
	memcpy(name->text + name->len + 1, domain, n + 1);
	name->len += 1 + n;
	return USERNAME_OK;
}

static bool
edge_bad(const char *p, size_t n)
{
	return n > 0 && (p[0] == ' ' || p[0] == '.' || p[n - 1] == ' ' || p[n - 1] == '.');
}

static enum username_bin
parts_check(struct username *name)
{
	const char *at = memchr(name->text, '@', name->len);
	const char *domain;
	size_t domain_len;

	name->local = at == NULL ? name->len : (size_t)(at - name->text);
	if (edge_bad(name->text, name->len) || edge_bad(name->text, name->local))
		return USERNAME_EDGE;
	if (at == NULL)
		return USERNAME_OK;
	domain = at + 1;
	domain_len = name->len - name->local - 1;
	if (name->local == 0 || domain_len == 0 || memchr(domain, '@', domain_len) != NULL)
		return USERNAME_DOMAIN;
	return edge_bad(domain, domain_len) ? USERNAME_EDGE : USERNAME_OK;
}

static enum username_bin
characters_check(const struct username *name)
{
	if (has_control(str_of(name->text, name->len)))
		return USERNAME_CONTROL;
	if (strpbrk(name->text, "/:") != NULL)
		return USERNAME_FORBIDDEN;
	if (strstr(name->text, "..") != NULL)
		return USERNAME_DOTS;
	return USERNAME_OK;
}

enum username_bin
username_make(struct str raw, const struct username_rule *rule, struct username *out)
{
	enum username_bin bin;

	*out = (struct username){ .len = 0 };
	if (raw.n == 0)
		return USERNAME_EMPTY;
	if (raw.n > RAW_MAX)
		return USERNAME_LONG;
	if (has_control(raw))
		return USERNAME_CONTROL;
	if (!utf8_valid(raw.p, raw.n))
		return USERNAME_UTF8;
	bin = prepare(raw, out);
	if (bin == USERNAME_OK && rule->lower)
		lower(out);
	if (bin == USERNAME_OK)
		bin = domain_add(rule->default_domain, out);
	if (bin == USERNAME_OK)
		bin = characters_check(out);
	if (bin == USERNAME_OK)
		bin = parts_check(out);
	return bin;
}

const char *
username_bin_name(enum username_bin bin)
{
	static const char *const names[USERNAME_BINS] = {
		[USERNAME_OK] = "ok",
		[USERNAME_EMPTY] = "empty",
		[USERNAME_LONG] = "long",
		[USERNAME_UTF8] = "utf8",
		[USERNAME_CONTROL] = "control",
		[USERNAME_PREP] = "saslprep",
		[USERNAME_FORBIDDEN] = "forbidden",
		[USERNAME_EDGE] = "edge",
		[USERNAME_DOTS] = "dots",
		[USERNAME_DOMAIN] = "domain",
	};

	return bin < USERNAME_BINS ? names[bin] : "unknown";
}

const char *
username_domain(const struct username *name)
{
	return name->local == name->len ? "" : name->text + name->local + 1;
}
