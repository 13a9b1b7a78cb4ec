/*
 * The PROXY protocol, versions 1 and 2: the header with which a load balancer tells whom it speaks
 * for. A pure parser; who may send one is decided elsewhere (gate.proxy_networks).
 */
#ifndef GATE_PROXY_PROTOCOL_H
#define GATE_PROXY_PROTOCOL_H

#include "imapd/gate/addr.h"

#define PROXY_V1_MAX 107  /* with CRLF */
#define PROXY_V2_MAX 1500 /* behind the first 16 bytes */
#define PROXY_MAX (16 + PROXY_V2_MAX)

enum proxy_step {
	PROXY_DONE,
	PROXY_MORE, /* all n bytes belong to the header, and more is to come */
	PROXY_BAD,
};

struct proxy_header {
	bool local; /* LOCAL, UNKNOWN or no IP: the socket's own addresses hold */
	struct addr remote;
	struct addr dest;
	size_t len; /* bytes of the header; what follows belongs to the client */
};

enum proxy_step proxy_parse(const void *bytes, size_t n, struct proxy_header *out);

#endif
