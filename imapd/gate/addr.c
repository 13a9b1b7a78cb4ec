#include "imapd/gate/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

void
addr_from_ipv4(struct addr *out, const unsigned char bytes[4])
{
	memcpy(out->bytes, mapped, sizeof(mapped));
	memcpy(out->bytes + sizeof(mapped), bytes, 4);
}

bool
addr_from_sockaddr(struct addr *out, const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof(in));
		addr_from_ipv4(out, (const unsigned char *)&in.sin_addr);
		out->port = ntohs(in.sin_port);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof(in6));
		memcpy(out->bytes, &in6.sin6_addr, sizeof(out->bytes));
		out->port = ntohs(in6.sin6_port);
		return true;
	}
	return false;
}

bool
addr_parse(struct addr *out, struct str text)
{
	char copy[INET6_ADDRSTRLEN];
	unsigned char v4[4];

	if (text.n == 0 || text.n >= sizeof(copy) || memchr(text.p, '\0', text.n) != NULL)
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	out->port = 0;
	if (inet_pton(AF_INET, copy, v4) == 1) {
		addr_from_ipv4(out, v4);
		return true;
	}
	return inet_pton(AF_INET6, copy, out->bytes) == 1;
}

bool
addr_is_ipv4(const struct addr *a)
{
	return memcmp(a->bytes, mapped, sizeof(mapped)) == 0;
}

bool
addr_is_loopback(const struct addr *a)
{
	static const unsigned char one[16] = { [15] = 1 };

	if (addr_is_ipv4(a))
		return a->bytes[12] == 127;
	return memcmp(a->bytes, one, sizeof(one)) == 0;
}

void
addr_endpoint(const struct addr *a, struct endpoint *out)
{
	const char *text;

	memset(out, 0, sizeof(*out));
	if (addr_is_ipv4(a))
		text = inet_ntop(AF_INET, a->bytes + 12, out->address, sizeof(out->address));
	else
		text = inet_ntop(AF_INET6, a->bytes, out->address, sizeof(out->address));
	if (text == NULL)
		out->address[0] = '\0';
	out->port = a->port;
}

void
addr_mask(struct addr *a, unsigned bits)
{
	for (unsigned i = 0; i < sizeof(a->bytes); i++) {
		unsigned keep = bits > i * 8 ? bits - i * 8 : 0;

		if (keep < 8)
			a->bytes[i] &= (unsigned char)(0xff00u >> keep);
	}
}

bool
cidr_parse(struct cidr *out, struct str text)
{
	struct str net;
	struct addr masked;
	uint64_t bits;
	bool v4;

	if (!str_split(&text, '/', &net) || !addr_parse(&out->net, net))
		return false;
	v4 = addr_is_ipv4(&out->net) && memchr(net.p, ':', net.n) == NULL;
	bits = v4 ? 32 : 128;
	if (text.n > 0 && !str_u64(text, bits, &bits))
		return false;
	out->bits = (unsigned)bits + (v4 ? 96 : 0);
	masked = out->net;
	addr_mask(&masked, out->bits);
	return memcmp(masked.bytes, out->net.bytes, sizeof(masked.bytes)) == 0;
}

bool
cidr_has(const struct cidr *c, const struct addr *a)
{
	struct addr masked = *a;

	addr_mask(&masked, c->bits);
	return memcmp(masked.bytes, c->net.bytes, sizeof(masked.bytes)) == 0;
}
