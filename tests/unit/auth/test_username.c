#include "auth/username.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

/* V12: each form of a name lands in the bin that stands here, and the canonical names stay. */

static const struct username_rule plain = { .default_domain = "", .lower = true };
static const struct username_rule keep = { .default_domain = "", .lower = false };
static const struct username_rule domain = { .default_domain = "example.org", .lower = true };

static unsigned variants;

static void
expect(const struct username_rule *rule, struct str raw, enum username_bin bin, const char *text)
{
	struct username name, again;
	enum username_bin got = username_make(raw, rule, &name);

	variants++;
	ck_assert_msg(got == bin, "%.*s: %s, not %s", (int)(raw.n < 60 ? raw.n : 60), raw.p,
	    username_bin_name(got), username_bin_name(bin));
	if (bin != USERNAME_OK)
		return;
	if (text != NULL)
		ck_assert_str_eq(name.text, text);
	ck_assert_uint_eq(name.len, strlen(name.text));
	/* Canonical is canonical. */
	ck_assert_int_eq(username_make(str_of(name.text, name.len), rule, &again), USERNAME_OK);
	ck_assert_str_eq(again.text, name.text);
}

/* clang-format off */
static const struct {
	const char *raw;
	enum username_bin bin;
	const char *text;
} table[] = {
	{ "alice", USERNAME_OK, "alice" },
	{ "Alice", USERNAME_OK, "alice" },
	{ "ALICE@EXAMPLE.ORG", USERNAME_OK, "alice@example.org" },
	{ "a", USERNAME_OK, "a" },
	{ "a.b", USERNAME_OK, "a.b" },
	{ "a-b_c+d", USERNAME_OK, "a-b_c+d" },
	{ "a b", USERNAME_OK, "a b" },
	{ "0", USERNAME_OK, "0" },
	{ "%u", USERNAME_OK, "%u" },
	{ "%{user}", USERNAME_OK, "%{user}" },
	{ "*", USERNAME_OK, "*" },
	{ "a*", USERNAME_OK, "a*" },
	{ "a)(uid=*", USERNAME_OK, "a)(uid=*" },
	{ "a' or '1'='1", USERNAME_OK, "a' or '1'='1" },
	{ "a\\b", USERNAME_OK, "a\\b" },
	{ "~root", USERNAME_OK, "~root" },
	{ "\xef\xbc\xa1lice", USERNAME_OK, "alice" },           /* full-width A */
	{ "\xef\xbd\x81lice", USERNAME_OK, "alice" },           /* full-width a */
	{ "I\xc2\xadX", USERNAME_OK, "ix" },                    /* soft hyphen: RFC 4013 section 3 */
	{ "\xc2\xaa", USERNAME_OK, "a" },                       /* feminine ordinal */
	{ "\xe2\x85\xa8", USERNAME_OK, "ix" },                  /* roman numeral nine */
	{ "\xc3\xa4", USERNAME_OK, "\xc3\xa4" },
	{ "a\xcc\x88", USERNAME_OK, "\xc3\xa4" },               /* composed by NFKC */
	{ "\xef\xac\x81n", USERNAME_OK, "fin" },                /* ligature fi */
	{ "a\xc2\xa0\x62", USERNAME_OK, "a b" },                /* no-break space */
	{ "a\xe2\x80\x8b\x62", USERNAME_OK, "a b" },            /* zero width space */
	{ "\xd7\x90\xd7\x91", USERNAME_OK, "\xd7\x90\xd7\x91" },
	{ "", USERNAME_EMPTY, NULL },
	{ "\xc2\xad", USERNAME_EMPTY, NULL },                   /* nothing is left */
	{ "/", USERNAME_FORBIDDEN, NULL },
	{ "a/b", USERNAME_FORBIDDEN, NULL },
	{ "../etc/passwd", USERNAME_FORBIDDEN, NULL },
	{ "a:b", USERNAME_FORBIDDEN, NULL },
	{ "a\xef\xbc\x8f\x62", USERNAME_FORBIDDEN, NULL },      /* full-width solidus */
	{ "a\xef\xbc\x9a\x62", USERNAME_FORBIDDEN, NULL },      /* full-width colon */
	{ "a\xe2\x84\x80\x62", USERNAME_FORBIDDEN, NULL },      /* a/c as one sign */
	{ "..", USERNAME_DOTS, NULL },
	{ "a..b", USERNAME_DOTS, NULL },
	{ "a\xe2\x80\xa5\x62", USERNAME_DOTS, NULL },           /* two dot leader */
	{ "a\xe2\x80\xa6", USERNAME_DOTS, NULL },               /* ellipsis */
	{ ".", USERNAME_EDGE, NULL },
	{ ".alice", USERNAME_EDGE, NULL },
	{ "alice.", USERNAME_EDGE, NULL },
	{ " alice", USERNAME_EDGE, NULL },
	{ "alice ", USERNAME_EDGE, NULL },
	{ " ", USERNAME_EDGE, NULL },
	{ "alice\xc2\xa0", USERNAME_EDGE, NULL },
	{ "\xe3\x80\x80\x61", USERNAME_EDGE, NULL },            /* ideographic space */
	{ "alice.@example.org", USERNAME_EDGE, NULL },
	{ "alice @example.org", USERNAME_EDGE, NULL },
	{ "alice@.example.org", USERNAME_EDGE, NULL },
	{ "alice@ example.org", USERNAME_EDGE, NULL },
	{ "alice@example.org.", USERNAME_EDGE, NULL },
	{ "@", USERNAME_DOMAIN, NULL },
	{ "@example.org", USERNAME_DOMAIN, NULL },
	{ "alice@", USERNAME_DOMAIN, NULL },
	{ "a@b@c", USERNAME_DOMAIN, NULL },
	{ "a@@c", USERNAME_DOMAIN, NULL },
	{ "a\xef\xbc\xa0\x62@c", USERNAME_DOMAIN, NULL },       /* full-width @ */
	{ "a\tb", USERNAME_CONTROL, NULL },
	{ "a\r\nb", USERNAME_CONTROL, NULL },
	{ "\xc2\x85", USERNAME_PREP, NULL },                    /* C1 control */
	{ "a\xe2\x80\xae\x62", USERNAME_PREP, NULL },           /* right-to-left override */
	{ "\xee\x80\x80", USERNAME_PREP, NULL },                /* private use */
	{ "\xef\xbf\xbd", USERNAME_PREP, NULL },                /* replacement character */
	{ "\xd8\xa7\x31", USERNAME_PREP, NULL },                /* RFC 4013: bidirectional check */
	{ "a\xd7\x90", USERNAME_PREP, NULL },
	{ "\xc0\xaf", USERNAME_UTF8, NULL },                    /* over-long solidus */
	{ "\xed\xa0\x80", USERNAME_UTF8, NULL },                /* surrogate */
	{ "\xf4\x90\x80\x80", USERNAME_UTF8, NULL },
	{ "a\xc3", USERNAME_UTF8, NULL },
};
/* clang-format on */

START_TEST(listed)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		expect(&plain, str_from(table[i].raw), table[i].bin, table[i].text);
}
END_TEST

/* Every control byte, and every byte that is no UTF-8, at the start, in the middle, at the end. */
static void
byte_everywhere(unsigned char byte, enum username_bin bin)
{
	char text[] = "alice";

	for (size_t at = 0; at < 5; at += 2) {
		memcpy(text, "alice", 5);
		text[at] = (char)byte;
		expect(&plain, str_of(text, 5), bin, NULL);
	}
}

START_TEST(bytes)
{
	for (unsigned c = 0; c < 0x20; c++)
		byte_everywhere((unsigned char)c, USERNAME_CONTROL);
	byte_everywhere(0x7f, USERNAME_CONTROL);
	for (unsigned c = 0x80; c < 0x100; c++)
		byte_everywhere((unsigned char)c, USERNAME_UTF8);
}
END_TEST

/* Full-width ASCII is ASCII (V12): what is forbidden stays so. */
START_TEST(full_width)
{
	for (unsigned c = '!'; c <= '~'; c++) {
		char wide[6], want[4] = { 'a', (char)c, 'b', '\0' };
		unsigned code = 0xff01 + (c - '!');
		enum username_bin bin = USERNAME_OK;

		wide[0] = 'a';
		wide[1] = (char)(0xe0 | code >> 12);
		wide[2] = (char)(0x80 | (code >> 6 & 63));
		wide[3] = (char)(0x80 | (code & 63));
		wide[4] = 'b';
		wide[5] = '\0';
		if (c >= 'A' && c <= 'Z')
			want[1] += 'a' - 'A';
		if (c == '/' || c == ':')
			bin = USERNAME_FORBIDDEN;
		expect(&plain, str_from(wide), bin, want);
	}
}
END_TEST

START_TEST(lengths)
{
	char *big = malloc(1 << 20);
	char text[USER_MAX + 2];

	memset(big, 'a', 1 << 20);
	expect(&plain, str_of(big, 1 << 20), USERNAME_LONG, NULL);
	memset(text, 'b', sizeof(text));
	expect(&plain, str_of(text, USER_MAX), USERNAME_OK, NULL);
	expect(&plain, str_of(text, USER_MAX + 1), USERNAME_LONG, NULL);
	expect(&domain, str_of(text, USER_MAX), USERNAME_LONG, NULL);
	expect(&domain, str_of(text, USER_MAX - strlen("@example.org")), USERNAME_OK, NULL);
	/* One sign that SASLprep makes eighteen of: the result counts. */
	for (size_t i = 0; i + 3 <= 90; i += 3)
		memcpy(text + i, "\xef\xb7\xba", 3);
	expect(&plain, str_of(text, 90), USERNAME_LONG, NULL);
	free(big);
}
END_TEST

START_TEST(rules)
{
	struct username name;

	expect(&keep, str_from("Alice"), USERNAME_OK, "Alice");
	expect(&domain, str_from("Alice"), USERNAME_OK, "alice@example.org");
	expect(&domain, str_from("alice@b.c"), USERNAME_OK, "alice@b.c");
	expect(&domain, str_from("alice."), USERNAME_EDGE, NULL);
	ck_assert_int_eq(username_make(str_from("al@b.c"), &plain, &name), USERNAME_OK);
	ck_assert_uint_eq(name.local, 2);
	ck_assert_str_eq(username_domain(&name), "b.c");
	ck_assert_int_eq(username_make(str_from("al"), &plain, &name), USERNAME_OK);
	ck_assert_str_eq(username_domain(&name), "");
}
END_TEST

START_TEST(enough)
{
	variants = 0;
	listed_fn(0);
	bytes_fn(0);
	full_width_fn(0);
	lengths_fn(0);
	rules_fn(0);
	ck_assert_uint_ge(variants, 500);
}
END_TEST

UNIT_MAIN("username", listed, bytes, full_width, lengths, rules, enough)
