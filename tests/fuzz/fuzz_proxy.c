/* The header of a load balancer: never read beyond what came, never done twice differently. */
#include <stdlib.h>
#include <string.h>

#include "imapd/gate/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole, part;
	enum proxy_step step = proxy_parse(data, size, &whole);
	struct endpoint remote;

	if (step == PROXY_DONE) {
		if (whole.len > size || whole.len > PROXY_MAX)
			abort();
		addr_endpoint(&whole.remote, &remote);
	}
	for (size_t n = 0; n < size && n <= PROXY_MAX; n++) {
		enum proxy_step early = proxy_parse(data, n, &part);

		/* A shorter piece may only wait, say the same, or know earlier that it is bad. */
		if (early == PROXY_DONE && (step != PROXY_DONE || part.len != whole.len))
			abort();
		if (early == PROXY_BAD && step != PROXY_BAD)
			abort();
	}
	return 0;
}
