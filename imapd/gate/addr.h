/* IP addresses: IPv4 is kept as ::ffff:a.b.c.d, so that one form is compared and counted. */
#ifndef GATE_ADDR_H
#define GATE_ADDR_H

#include "lib/base/str.h"
#include "lib/ipc/proto.h"

struct sockaddr;

struct addr {
	unsigned char bytes[16];
	uint16_t port;
};

/* False for a family that is not IP. */
bool addr_from_sockaddr(struct addr *out, const struct sockaddr *sa);
/* "192.0.2.1" or "2001:db8::1"; nothing else. The port becomes 0. */
bool addr_parse(struct addr *out, struct str text);
void addr_from_ipv4(struct addr *out, const unsigned char bytes[4]);
bool addr_is_ipv4(const struct addr *a);
bool addr_is_loopback(const struct addr *a);
void addr_endpoint(const struct addr *a, struct endpoint *out);

struct cidr {
	struct addr net;
	unsigned bits; /* of 128 */
};

/* "192.0.2.0/24", "2001:db8::/32" or a single address; bits behind the prefix must be 0. */
bool cidr_parse(struct cidr *out, struct str text);
bool cidr_has(const struct cidr *c, const struct addr *a);

/* Sets all bits behind the first `bits` to 0. */
void addr_mask(struct addr *a, unsigned bits);

#endif
