#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mime/charset.h"
#include "lib/mime/words.h"

static void
words_are(const char *in, const char *want)
{
	struct buf out = BUF_INIT;

	words_decode(str_from(in), &out);
	buf_addc(&out, '\0');
	ck_assert_str_eq(out.data, want);
	buf_clear(&out);
}

START_TEST(encoded_words_become_utf8)
{
	charset_preload();
	words_are("plain", "plain");
	words_are("=?iso-8859-1?Q?a=E4_b?=", "a\xc3\xa4 b");
	words_are("=?UTF-8*en?b?w6Q=?= x", "\xc3\xa4 x");
	/* RFC 2047 section 8 */
	words_are("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)");
	words_are("=?ISO-8859-1?Q?a?= \r\n\t=?ISO-8859-2?Q?_b?=", "a b");
	words_are("=?ISO-8859-1?Q?a?= b", "a b");
	words_are("two\r\n lines", "two lines");
	words_are("=?x-none?Q?=41?= =?utf-8?X?a?= =?utf-8?Q", "A =?utf-8?X?a?= =?utf-8?Q");
	words_are("raw \xe4 and \xc3\xa4", "raw \xc3\xa4 and \xc3\x83\xc2\xa4");
	words_are("raw \xc3\xa4", "raw \xc3\xa4");
	words_are("=?utf-8?Q?=ff=c3?=", "\xef\xbf\xbd\xef\xbf\xbd");
	words_are("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\xe6\x97\xa5\xe6\x9c\xac");
	/* Characters that are cut between two words; only where nothing stands between. */
	words_are("=?utf-8?Q?a=c3?= =?UTF-8?Q?=a4?=", "a\xc3\xa4");
	words_are("=?utf-8?Q?=c3?= x =?utf-8?Q?a?=", "\xef\xbf\xbd x a");
	words_are("=?utf-8?Q?=c3?= =?iso-8859-1?Q?=e4?=", "\xef\xbf\xbd\xc3\xa4");
	words_are("=?shift_jis?Q?=93=fa=96?= =?shift_jis?Q?=7b?=", "\xe6\x97\xa5\xe6\x9c\xac");
	/* Every word begins in the initial state. */
	words_are("=?iso-2022-jp?B?GyRCRnw=?= =?iso-2022-jp?Q?a?=", "\xe6\x97\xa5"
								    "a");
	/* iconv keeps a letter that an accent may follow. */
	words_are("=?windows-1258?Q?ha?=", "ha");
	words_are("=?windows-1258?Q?ha?= b", "ha b");
}
END_TEST

START_TEST(characters_may_be_cut_anywhere)
{
	static const char *const texts[][3] = {
		{ "utf-8", "a\xe2\x82\xac\xf0\x9f\x98\x80z", "a\xe2\x82\xac\xf0\x9f\x98\x80z" },
		{ "utf-8", "\xe2\x82\xe2\x82\xac\xff",
		    "\xef\xbf\xbd\xef\xbf\xbd\xe2\x82\xac\xef\xbf\xbd" },
		{ "shift_jis", "\x93\xfa\x96\x7b", "\xe6\x97\xa5\xe6\x9c\xac" },
		{ "gb18030", "\xc4\xe3\xba\xc3", "\xe4\xbd\xa0\xe5\xa5\xbd" },
	};

	charset_preload();
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t n = strlen(texts[i][1]);

		for (size_t step = 1; step <= n; step++) {
			struct charset *cs = charset_find(str_from(texts[i][0]));
			struct buf out = BUF_INIT;

			ck_assert_ptr_nonnull(cs);
			for (size_t at = 0; at < n; at += step)
				charset_decode(cs, texts[i][1] + at, at + step < n ? step : n - at,
				    at + step >= n, &out);
			buf_addc(&out, '\0');
			ck_assert_str_eq(out.data, texts[i][2]);
			buf_clear(&out);
		}
	}
	ck_assert_ptr_null(charset_find(STR_LIT("x-none")));
	ck_assert_ptr_nonnull(strstr(charset_names(), "KOI8-R"));
}
END_TEST

/* docs/charsets.txt is what an administrator reads. */
START_TEST(the_list_of_charsets_is_the_documented_one)
{
	const char *dir = getenv("srcdir") == NULL ? "." : getenv("srcdir");
	char path[512], line[512], known[4096];
	size_t n = 2; /* US-ASCII and UTF-8 */
	FILE *f;

	charset_preload();
	snprintf(path, sizeof(path), "%s/docs/charsets.txt", dir);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	snprintf(known, sizeof(known), " %s ", charset_names());
	while (fgets(line, sizeof(line), f) != NULL) {
		char *save, *word;

		for (word = line[0] == '#' ? NULL : strtok_r(line, " \n", &save); word != NULL;
		     word = strtok_r(NULL, " \n", &save)) {
			char wanted[80];

			snprintf(wanted, sizeof(wanted), " %.70s ", word);
			ck_assert_msg(strstr(known, wanted) != NULL, "%s", word);
			n++;
		}
	}
	fclose(f);
	for (const char *p = charset_names(); *p != '\0'; p++)
		n -= *p == ' ';
	ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(folding_makes_equal_what_differs_in_case)
{
	static const char *const same[][2] = {
		{ "ABC", "abc" }, { "\xc3\x84", "\xc3\xa4" }, /* Ä ä */
		{ "\xc3\xa4", "a\xcc\x88" },                  /* composed or not */
		{ "STRASSE", "stra\xc3\x9f"
			     "e" },         /* ß */
		{ "\xce\xa3", "\xcf\x82" }, /* Σ ς */
		{ "\xd0\x96", "\xd0\xb6" }, /* Ж ж */
	};

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		struct buf a = BUF_INIT, b = BUF_INIT;

		text_fold(str_from(same[i][0]), &a);
		text_fold(str_from(same[i][1]), &b);
		ck_assert(str_eq(str_of(a.data, a.len), str_of(b.data, b.len)));
		buf_clear(&a);
		buf_clear(&b);
	}
}
END_TEST

UNIT_MAIN("words and charsets", encoded_words_become_utf8, characters_may_be_cut_anywhere,
    the_list_of_charsets_is_the_documented_one, folding_makes_equal_what_differs_in_case)
