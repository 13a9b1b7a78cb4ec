#include "imapd/gate/proxy_protocol.h"

#include <string.h>

#define V2_HEAD 16
#define TLV_CRC32C 0x03

static const unsigned char v2_signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51,
	0x55, 0x49, 0x54, 0x0a };

static unsigned
get16(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* Exactly one space between fields: an empty field is a mistake, not a wide gap. */
static bool
v1_field(struct str *rest, struct str *out)
{
	return str_split(rest, ' ', out) && out->n > 0;
}

static bool
v1_address(struct str *rest, bool v6, struct addr *out)
{
	struct str field;

	if (!v1_field(rest, &field) || !addr_parse(out, field))
		return false;
	return (memchr(field.p, ':', field.n) != NULL) == v6;
}

static bool
v1_port(struct str *rest, uint16_t *out)
{
	struct str field;
	uint64_t port;

	if (!v1_field(rest, &field) || field.n > 5 || !str_u64(field, UINT16_MAX, &port))
		return false;
	if (field.n > 1 && field.p[0] == '0')
		return false;
	*out = (uint16_t)port;
	return true;
}

static enum proxy_step
v1_fields(struct str line, struct proxy_header *out)
{
	struct str field;
	bool v6;

	line.p += 6; /* "PROXY " */
	line.n -= 6;
	if (!v1_field(&line, &field))
		return PROXY_BAD;
	if (str_is(field, "UNKNOWN")) {
		out->local = true;
		return PROXY_DONE;
	}
	v6 = str_is(field, "TCP6");
	if (!v6 && !str_is(field, "TCP4"))
		return PROXY_BAD;
	if (!v1_address(&line, v6, &out->remote) || !v1_address(&line, v6, &out->dest) ||
	    !v1_port(&line, &out->remote.port) || !v1_port(&line, &out->dest.port))
		return PROXY_BAD;
	/* A space behind the last port leaves an empty rest, which str_split cannot tell. */
	return line.n == 0 && line.p[-1] != ' ' ? PROXY_DONE : PROXY_BAD;
}

static enum proxy_step
v1_parse(const char *p, size_t n, struct proxy_header *out)
{
	size_t bound = n < PROXY_V1_MAX ? n : PROXY_V1_MAX;
	const char *cr = memchr(p, '\r', bound);

	if (memchr(p, '\n', cr != NULL ? (size_t)(cr - p) : bound) != NULL)
		return PROXY_BAD;
	if (cr == NULL || (size_t)(cr - p) + 1 == n)
		return n >= PROXY_V1_MAX ? PROXY_BAD : PROXY_MORE;
	if (cr[1] != '\n' || (size_t)(cr - p) + 2 > PROXY_V1_MAX)
		return PROXY_BAD;
	out->len = (size_t)(cr - p) + 2;
	return v1_fields(str_of(p, (size_t)(cr - p)), out);
}

/* CRC32C over the whole header with the checksum's own bytes taken as 0. */
static uint32_t
crc32c(const unsigned char *p, size_t n, const unsigned char *zeroed)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < n; i++) {
		bool own = p + i >= zeroed && p + i < zeroed + 4;

		crc ^= own ? 0 : p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? UINT32_C(0x82f63b78) : 0);
	}
	return ~crc;
}

/* Type, length and value triples must fill the rest exactly. */
static bool
v2_tlvs_valid(const unsigned char *head, size_t len, size_t at)
{
	while (at < len) {
		const unsigned char *tlv = head + at;
		size_t n;

		if (len - at < 3)
			return false;
		n = get16(tlv + 1);
		if (len - at - 3 < n)
			return false;
		if (tlv[0] == TLV_CRC32C) {
			uint32_t sum;

			if (n != 4)
				return false;
			sum = (uint32_t)get16(tlv + 3) << 16 | get16(tlv + 5);
			if (sum != crc32c(head, len, tlv + 3))
				return false;
		}
		at += 3 + n;
	}
	return true;
}

static bool
v2_addresses(const unsigned char *p, unsigned family, size_t len, struct proxy_header *out)
{
	const unsigned char *block = p + V2_HEAD;
	static const size_t sizes[] = { 0, 12, 36, 216 };

	if (family > 3 || len < V2_HEAD + sizes[family] ||
	    !v2_tlvs_valid(p, len, V2_HEAD + sizes[family]))
		return false;
	out->local = family == 0 || family == 3;
	if (family == 1) {
		addr_from_ipv4(&out->remote, block);
		addr_from_ipv4(&out->dest, block + 4);
	} else if (family == 2) {
		memcpy(out->remote.bytes, block, 16);
		memcpy(out->dest.bytes, block + 16, 16);
	}
	if (!out->local) {
		block += sizes[family] - 4;
		out->remote.port = (uint16_t)get16(block);
		out->dest.port = (uint16_t)get16(block + 2);
	}
	return true;
}

static enum proxy_step
v2_parse(const unsigned char *p, size_t n, struct proxy_header *out)
{
	size_t len;

	if (n > 12 && (p[12] & 0xf0) != 0x20)
		return PROXY_BAD;
	if (n < V2_HEAD)
		return PROXY_MORE;
	len = get16(p + 14);
	if ((p[12] & 0x0f) > 1 || len > PROXY_V2_MAX)
		return PROXY_BAD;
	len += V2_HEAD;
	if (n < len)
		return PROXY_MORE;
	out->len = len;
	if ((p[12] & 0x0f) == 0) { /* a health check of the balancer itself */
		out->local = true;
		return PROXY_DONE;
	}
	/* Only streams are spoken here; an unspecified transport goes with unspecified addresses.
	 */
	if ((p[13] & 0x0f) > 1 || ((p[13] & 0x0f) == 0 && p[13] >> 4 != 0))
		return PROXY_BAD;
	return v2_addresses(p, p[13] >> 4, len, out) ? PROXY_DONE : PROXY_BAD;
}

enum proxy_step
proxy_parse(const void *bytes, size_t n, struct proxy_header *out)
{
	memset(out, 0, sizeof(*out));
	if (n == 0)
		return PROXY_MORE;
	if (memcmp(bytes, v2_signature, n < 12 ? n : 12) == 0)
		return v2_parse(bytes, n, out);
	if (memcmp(bytes, "PROXY ", n < 6 ? n : 6) != 0)
		return PROXY_BAD;
	return n < 6 ? PROXY_MORE : v1_parse(bytes, n, out);
}
