/*
 * iconv for all but UTF-8 and US-ASCII, which are checked here. A descriptor of iconv belongs to
 * one charset and is used again and again; it is open from before the sandbox, since opening reads
 * files.
 */
#include "lib/mime/charset.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

#include "lib/base/utf8.h"

#define NONE ((iconv_t)-1)
#define HELD_MAX 16
#define REPLACEMENT "\xef\xbf\xbd"

struct charset {
	const char *name;
	iconv_t cd;          /* NONE: UTF-8 */
	char held[HELD_MAX]; /* the begin of a character */
	size_t nheld;
};

/* docs/charsets.txt, which a test compares. */
static const char *const names[] = {
	"ISO-8859-1",
	"latin1",    /* ISO-8859-1 */
	"iso8859-1", /* ISO-8859-1 */
	"l1",        /* ISO-8859-1 */
	"ISO-8859-2",
	"latin2",    /* ISO-8859-2 */
	"iso8859-2", /* ISO-8859-2 */
	"ISO-8859-3",
	"ISO-8859-4",
	"ISO-8859-5",
	"ISO-8859-6",
	"ISO-8859-7",
	"ISO-8859-8",
	"ISO-8859-9",
	"latin5", /* ISO-8859-9 */
	"ISO-8859-10",
	"ISO-8859-11",
	"ISO-8859-13",
	"ISO-8859-14",
	"ISO-8859-15",
	"latin9",     /* ISO-8859-15 */
	"iso8859-15", /* ISO-8859-15 */
	"ISO-8859-16",
	"WINDOWS-1250",
	"cp1250", /* WINDOWS-1250 */
	"WINDOWS-1251",
	"cp1251", /* WINDOWS-1251 */
	"WINDOWS-1252",
	"cp1252", /* WINDOWS-1252 */
	"WINDOWS-1253",
	"cp1253", /* WINDOWS-1253 */
	"WINDOWS-1254",
	"cp1254", /* WINDOWS-1254 */
	"WINDOWS-1255",
	"cp1255", /* WINDOWS-1255 */
	"WINDOWS-1256",
	"cp1256", /* WINDOWS-1256 */
	"WINDOWS-1257",
	"cp1257", /* WINDOWS-1257 */
	"WINDOWS-1258",
	"cp1258", /* WINDOWS-1258 */
	"KOI8-R",
	"KOI8-U",
	"IBM850",
	"cp850", /* IBM850 */
	"IBM866",
	"cp866", /* IBM866 */
	"MACINTOSH",
	"TIS-620",
	"SHIFT_JIS",
	"sjis",      /* SHIFT_JIS */
	"shift-jis", /* SHIFT_JIS */
	"CP932",
	"windows-31j", /* CP932 */
	"EUC-JP",
	"ISO-2022-JP",
	"ISO-2022-KR",
	"EUC-KR",
	"CP949",
	"GB2312",
	"euc-cn", /* GB2312 */
	"GBK",
	"cp936", /* GBK */
	"GB18030",
	"BIG5",
	"BIG5-HKSCS",
	"UTF-16",
	"UTF-16BE",
	"UTF-16LE",
	"UTF-7",
};
#define N (sizeof(names) / sizeof(names[0]))

static struct charset charsets[N];
static size_t ncharsets;
static struct charset utf8 = { .name = "UTF-8", .cd = NONE };
static char all_names[2048] = "US-ASCII UTF-8";

void
charset_preload(void)
{
	size_t len = strlen(all_names);

	if (ncharsets > 0)
		return;
	for (size_t i = 0; i < N; i++) {
		iconv_t cd = iconv_open("UTF-8", names[i]);
		size_t n = strlen(names[i]);

		if (cd == NONE)
			continue;
		charsets[ncharsets++] = (struct charset){ .name = names[i], .cd = cd };
		if (len + n + 2 < sizeof(all_names)) {
			all_names[len++] = ' ';
			memcpy(all_names + len, names[i], n + 1);
			len += n;
		}
	}
}

struct charset *
charset_find(struct str name)
{
	if (name.n == 0 || str_iis(name, "UTF-8") || str_iis(name, "US-ASCII") ||
	    str_iis(name, "UTF8") || str_iis(name, "ASCII") || str_iis(name, "ANSI_X3.4-1968")) {
		charset_reset(&utf8);
		return &utf8;
	}
	for (size_t i = 0; i < ncharsets; i++) {
		if (str_iis(name, charsets[i].name)) {
			charset_reset(&charsets[i]);
			return &charsets[i];
		}
	}
	return NULL;
}

const char *
charset_names(void)
{
	return all_names;
}

void
charset_reset(struct charset *cs)
{
	cs->nheld = 0;
	if (cs->cd != NONE)
		iconv(cs->cd, NULL, NULL, NULL, NULL);
}

void
charset_restart(struct charset *cs, struct buf *out)
{
	char block[64], *to = block;
	size_t room = sizeof(block);

	if (cs->cd == NONE)
		return;
	iconv(cs->cd, NULL, NULL, &to, &room);
	buf_add(out, block, (size_t)(to - block));
}

/* Whether `p` may be the begin of a character that goes on behind its n bytes. */
static bool
is_begin(const unsigned char *p, size_t n)
{
	static const unsigned char more[3] = { 0x80, 0x80, 0x80 };
	unsigned char whole[8];

	if (n >= 4)
		return false;
	for (size_t add = 1; n + add <= 4; add++) {
		/* The second byte's range depends on the first: its ends stand for all. */
		for (unsigned c = 0x80; c <= 0xbf; c += 0x3f) {
			memcpy(whole, p, n);
			memcpy(whole + n, more, add);
			whole[n] = (unsigned char)c;
			if (utf8_sequence(whole, n + add) == n + add)
				return true;
		}
	}
	return false;
}

static size_t
utf8_decode(const unsigned char *p, size_t n, bool end, struct buf *out)
{
	size_t i = 0;

	while (i < n) {
		size_t run = i, len = 1;

		while (run < n && (len = utf8_sequence(p + run, n - run)) > 0)
			run += len;
		buf_add(out, p + i, run - i);
		i = run;
		if (i == n)
			break;
		if (!end && is_begin(p + i, n - i))
			break;
		buf_adds(out, REPLACEMENT);
		i++;
	}
	return i;
}

/* Decodes as far as it goes; what is left is the begin of a character. */
static size_t
iconv_decode(iconv_t cd, const char *bytes, size_t n, struct buf *out)
{
	char *in = (char *)bytes;

	while (n > 0) {
		char block[4096], *to = block;
		size_t room = sizeof(block);
		size_t done = iconv(cd, &in, &n, &to, &room);
		int error = errno;

		buf_add(out, block, (size_t)(to - block));
		if (done != (size_t)-1 || error == E2BIG)
			continue;
		if (error == EINVAL)
			break;
		buf_adds(out, REPLACEMENT);
		in++;
		n--;
	}
	return (size_t)(in - bytes);
}

static size_t
decode(struct charset *cs, const char *bytes, size_t n, bool end, struct buf *out)
{
	if (cs->cd == NONE)
		return utf8_decode((const unsigned char *)bytes, n, end, out);
	return iconv_decode(cs->cd, bytes, n, out);
}

void
charset_decode(struct charset *cs, const void *bytes, size_t n, bool end, struct buf *out)
{
	const char *p = bytes;

	/* What was held needs a few bytes more to be a character, or not to be one. */
	while (cs->nheld > 0 && n > 0) {
		size_t used;

		cs->held[cs->nheld++] = *p++;
		n--;
		used = decode(cs, cs->held, cs->nheld, false, out);
		if (used == 0 && cs->nheld == HELD_MAX) {
			buf_adds(out, REPLACEMENT);
			used = 1;
		}
		cs->nheld -= used;
		memmove(cs->held, cs->held + used, cs->nheld);
	}
	if (n > 0) {
		size_t used = decode(cs, p, n, end, out), left = n - used;

		if (left > HELD_MAX - 1) {
			buf_adds(out, REPLACEMENT);
			left = 0;
		}
		memcpy(cs->held, p + used, left);
		cs->nheld = left;
	}
	if (!end)
		return;
	if (cs->nheld > 0)
		buf_adds(out, REPLACEMENT);
	charset_restart(cs, out);
	cs->nheld = 0;
}

static void
char_fold(const unsigned char *p, size_t len, struct buf *out)
{
	utf8proc_int32_t from, to[16];
	utf8proc_ssize_t n;
	int class = 0;

	if (len == 0 || utf8proc_iterate(p, (utf8proc_ssize_t)len, &from) <= 0) {
		buf_addc(out, (char)*p);
		return;
	}
	n = utf8proc_decompose_char(from, to, 16, UTF8PROC_CASEFOLD | UTF8PROC_DECOMPOSE, &class);
	if (n <= 0 || n > 16) {
		buf_add(out, p, len);
		return;
	}
	for (utf8proc_ssize_t i = 0; i < n; i++) {
		utf8proc_uint8_t bytes[4];
		utf8proc_ssize_t wrote = utf8proc_encode_char(to[i], bytes);

		buf_add(out, bytes, (size_t)wrote);
	}
}

void
text_fold(struct str text, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)text.p;
	size_t i = 0;

	buf_reserve(out, text.n);
	while (i < text.n) {
		size_t len;

		if (p[i] < 0x80) {
			buf_addc(out, (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 32 : p[i]));
			i++;
			continue;
		}
		len = utf8_sequence(p + i, text.n - i);
		char_fold(p + i, len, out);
		i += len > 0 ? len : 1;
	}
}
