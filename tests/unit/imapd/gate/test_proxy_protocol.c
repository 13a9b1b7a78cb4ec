#include "tests/unit/unit.h"

#include <string.h>

#include "imapd/gate/proxy_protocol.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

struct sample {
	const char *bytes;
	size_t n;
	enum proxy_step step;
	bool local;
	const char *remote; /* "" = not looked at */
	uint16_t port;
};

/* clang-format off */
#define S(text) text, sizeof(text) - 1
static const struct sample samples[] = {
	{ S("PROXY TCP4 203.0.113.9 192.0.2.1 51514 993\r\n"), PROXY_DONE, false, "203.0.113.9", 51514 },
	{ S("PROXY TCP6 2001:db8::1 2001:db8::2 1 143\r\n"), PROXY_DONE, false, "2001:db8::1", 1 },
	{ S("PROXY TCP6 ::ffff:192.0.2.7 ::1 0 65535\r\n"), PROXY_DONE, false, "192.0.2.7", 0 },
	{ S("PROXY UNKNOWN\r\n"), PROXY_DONE, true, "", 0 },
	{ S("PROXY UNKNOWN ffff::1 what ever\r\n"), PROXY_DONE, true, "", 0 },
	{ S("PROXY TCP4 203.0.113.9 192.0.2.1 51514 993"), PROXY_MORE, false, "", 0 },
	{ S("PROXY TCP4 203.0.113.9 192.0.2.1 51514 993\r"), PROXY_MORE, false, "", 0 },
	{ S("PRO"), PROXY_MORE, false, "", 0 },
	{ S("PROXY TCP4  203.0.113.9 192.0.2.1 1 2\r\n"), PROXY_BAD, false, "", 0 },
	{ S("PROXY TCP4 203.0.113.9 192.0.2.1 1 2 \r\n"), PROXY_BAD, false, "", 0 },
	{ S("PROXY TCP4 203.0.113.9 192.0.2.1 1 2 3\r\n"), PROXY_BAD, false, "", 0 },
	{ S("PROXY TCP4 203.0.113.9 192.0.2.1 01 2\r\n"), PROXY_BAD, false, "", 0 },
	{ S("PROXY TCP4 203.0.113.9 192.0.2.1 65536 2\r\n"), PROXY_BAD, false, "", 0 },
	{ S("PROXY TCP4 203.0.113.9 192.0.2.1 -1 2\r\n"), PROXY_BAD, false, "", 0 },
	{ S("PROXY TCP4 203.0.113.9 192.0.2.1 1\r\n"), PROXY_BAD, false, "", 0 },
	{ S("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"), PROXY_BAD, false, "", 0 },
	{ S("PROXY TCP6 203.0.113.9 192.0.2.1 1 2\r\n"), PROXY_BAD, false, "", 0 },
	{ S("PROXY TCP4 203.0.113.256 192.0.2.1 1 2\r\n"), PROXY_BAD, false, "", 0 },
	{ S("PROXY TCP4 203.0.113.9\0 192.0.2.1 1 2\r\n"), PROXY_BAD, false, "", 0 },
	{ S("PROXY UDP4 203.0.113.9 192.0.2.1 1 2\r\n"), PROXY_BAD, false, "", 0 },
	{ S("PROXY TCP4 203.0.113.9 192.0.2.1 1 2\n"), PROXY_BAD, false, "", 0 },
	{ S("PROXY TCP4 203.0.113.9 192.0.2.1 1 2\rX"), PROXY_BAD, false, "", 0 },
	{ S("PROXY \r\n"), PROXY_BAD, false, "", 0 },
	{ S("a1 LOGIN x y\r\n"), PROXY_BAD, false, "", 0 },
	{ S("\x16\x03\x01"), PROXY_BAD, false, "", 0 },
	{ S(SIGNATURE "\x21\x11\0\x0c\xcb\0\x71\x09\xc0\0\x02\x01\xc9\x3a\x03\xe1"), PROXY_DONE, false, "203.0.113.9", 51514 },
	{ S(SIGNATURE "\x21\x11\0\x10\xcb\0\x71\x09\xc0\0\x02\x01\xc9\x3a\x03\xe1\x04\0\x01\0"), PROXY_DONE, false, "203.0.113.9", 51514 },
	{ S(SIGNATURE "\x21\x21\0\x24" "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02" "\0\x07\0\x8f"), PROXY_DONE, false, "2001:db8::1", 7 },
	{ S(SIGNATURE "\x20\0\0\0"), PROXY_DONE, true, "", 0 },
	{ S(SIGNATURE "\x20\x11\0\x02zz"), PROXY_DONE, true, "", 0 },
	{ S(SIGNATURE "\x21\0\0\0"), PROXY_DONE, true, "", 0 },
	{ S(SIGNATURE "\x21\x11\0\x0b\xcb\0\x71\x09\xc0\0\x02\x01\xc9\x3a\x03"), PROXY_BAD, false, "", 0 },
	{ S(SIGNATURE "\x21\x11\0\x0e\xcb\0\x71\x09\xc0\0\x02\x01\xc9\x3a\x03\xe1\x04\0"), PROXY_BAD, false, "", 0 },
	{ S(SIGNATURE "\x21\x11\0\x0f\xcb\0\x71\x09\xc0\0\x02\x01\xc9\x3a\x03\xe1\x04\0\x01"), PROXY_BAD, false, "", 0 },
	{ S(SIGNATURE "\x21\x11\0\x13\xcb\0\x71\x09\xc0\0\x02\x01\xc9\x3a\x03\xe1\x03\0\x04zzzz"), PROXY_BAD, false, "", 0 },
	{ S(SIGNATURE "\x21\x12\0\x0c\xcb\0\x71\x09\xc0\0\x02\x01\xc9\x3a\x03\xe1"), PROXY_BAD, false, "", 0 },
	{ S(SIGNATURE "\x21\x41\0\0"), PROXY_BAD, false, "", 0 },
	{ S(SIGNATURE "\x22\x11\0\0"), PROXY_BAD, false, "", 0 },
	{ S(SIGNATURE "\x11\x11\0\x0c"), PROXY_BAD, false, "", 0 },
	{ S(SIGNATURE "\x21\x11\x05\xdd"), PROXY_BAD, false, "", 0 },
	{ S(SIGNATURE "\x21\x11\0\x0c\xcb"), PROXY_MORE, false, "", 0 },
};
/* clang-format on */

static void
sample_check(const struct sample *s, const struct proxy_header *h)
{
	struct endpoint remote;

	ck_assert_int_eq(h->local, s->local);
	if (s->remote[0] == '\0')
		return;
	addr_endpoint(&h->remote, &remote);
	ck_assert_str_eq(remote.address, s->remote);
	ck_assert_uint_eq(remote.port, s->port);
}

START_TEST(headers_whole)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct sample *s = &samples[i];
		struct proxy_header h;

		ck_assert_msg(
		    proxy_parse(s->bytes, s->n, &h) == s->step, "sample %zu: %s", i, s->bytes);
		if (s->step != PROXY_DONE)
			continue;
		ck_assert_uint_eq(h.len, s->n);
		sample_check(s, &h);
	}
}
END_TEST

/* Every shorter piece asks for more, until it is done or known to be bad; never done early. */
START_TEST(headers_byte_by_byte)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct sample *s = &samples[i];
		enum proxy_step step = PROXY_MORE;
		struct proxy_header h;

		for (size_t n = 0; n <= s->n && step == PROXY_MORE; n++) {
			char *copy =
			    malloc(n + 1); /* exact, so that a sanitizer sees a read beyond */

			memcpy(copy, s->bytes, n);
			step = proxy_parse(copy, n, &h);
			free(copy);
			if (step == PROXY_DONE)
				ck_assert_uint_eq(n, s->n);
		}
		ck_assert_msg(step == s->step, "sample %zu", i);
	}
}
END_TEST

START_TEST(what_follows_is_left_alone)
{
	static const char text[] = "PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\na LOGIN x y\r\n";
	struct proxy_header h;

	ck_assert_int_eq(proxy_parse(text, sizeof(text) - 1, &h), PROXY_DONE);
	ck_assert_uint_eq(h.len, 33);
}
END_TEST

START_TEST(a_line_without_end_is_bounded)
{
	char text[PROXY_V1_MAX + 1];
	struct proxy_header h;

	memset(text, 'x', sizeof(text));
	memcpy(text, "PROXY UNKNOWN ", 14);
	ck_assert_int_eq(proxy_parse(text, PROXY_V1_MAX - 1, &h), PROXY_MORE);
	ck_assert_int_eq(proxy_parse(text, PROXY_V1_MAX, &h), PROXY_BAD);
	text[PROXY_V1_MAX - 2] = '\r';
	text[PROXY_V1_MAX - 1] = '\n';
	ck_assert_int_eq(proxy_parse(text, PROXY_V1_MAX, &h), PROXY_DONE);
	text[PROXY_V1_MAX - 2] = 'x';
	text[PROXY_V1_MAX - 1] = '\r';
	text[PROXY_V1_MAX] = '\n';
	ck_assert_int_eq(proxy_parse(text, PROXY_V1_MAX + 1, &h), PROXY_BAD);
}
END_TEST

START_TEST(the_checksum_is_checked)
{
	/* Made with the CRC32C of the Castagnoli polynomial over the header with the field zeroed.
	 */
	unsigned char text[] =
	    SIGNATURE "\x21\x11\0\x13\xcb\0\x71\x09\xc0\0\x02\x01\xc9\x3a\x03\xe1"
		      "\x03\0\x04\0\0\0\0";
	struct proxy_header h;
	uint32_t crc = UINT32_MAX;
	size_t n = sizeof(text) - 1;

	for (size_t i = 0; i < n; i++) {
		crc ^= text[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
	}
	crc = ~crc;
	for (int i = 0; i < 4; i++)
		text[n - 4 + (size_t)i] = (unsigned char)(crc >> (24 - 8 * i));
	ck_assert_int_eq(proxy_parse(text, n, &h), PROXY_DONE);
	text[n - 1] ^= 1;
	ck_assert_int_eq(proxy_parse(text, n, &h), PROXY_BAD);
}
END_TEST

START_TEST(networks)
{
	/* clang-format off */
	static const struct { const char *net, *address; bool fine, in; } cases[] = {
		{ "127.0.0.0/8",   "127.3.2.1",        true,  true },
		{ "127.0.0.0/8",   "128.0.0.1",        true,  false },
		{ "192.0.2.7",     "192.0.2.7",        true,  true },
		{ "192.0.2.7",     "192.0.2.8",        true,  false },
		{ "192.0.2.7",     "::ffff:192.0.2.7", true,  true },
		{ "0.0.0.0/0",     "8.8.8.8",          true,  true },
		{ "0.0.0.0/0",     "2001:db8::1",      true,  false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true,  true },
		{ "2001:db8::/33", "2001:db8:8000::1", true,  false },
		{ "::/0",          "2001:db8::1",      true,  true },
		{ "192.0.2.7/24",  "",                 false, false },
		{ "192.0.2.0/33",  "",                 false, false },
		{ "192.0.2.0/-1",  "",                 false, false },
		{ "::1/129",       "",                 false, false },
		{ "localhost",     "",                 false, false },
		{ "",              "",                 false, false },
	};
	/* clang-format on */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cidr net;
		struct addr a;

		ck_assert_msg(
		    cidr_parse(&net, str_from(cases[i].net)) == cases[i].fine, "%s", cases[i].net);
		if (!cases[i].fine)
			continue;
		ck_assert(addr_parse(&a, str_from(cases[i].address)));
		ck_assert_msg(cidr_has(&net, &a) == cases[i].in, "%s", cases[i].net);
	}
}
END_TEST

UNIT_MAIN("proxy_protocol", headers_whole, headers_byte_by_byte, what_follows_is_left_alone,
    a_line_without_end_is_bounded, the_checksum_is_checked, networks)
