/*
 * Frames from a hostile peer through every reader of lib/ipc/proto.h; what was read is written
 * again and must be the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ipc/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct msg_in m;
static struct msg_out again;

/* clang-format off */
#define RECORD(type, name) \
	static void name##_cross(void) \
	{ \
		static struct type r; \
		get_##name(&m, &r); \
		if (!m.bad) \
			put_##name(&again, &r); \
	}
RECORD(ticket, ticket)
RECORD(link_info, link_info)
RECORD(auth_start, auth_start)
RECORD(auth_ok, auth_ok)
RECORD(auth_fail, auth_fail)
RECORD(grant, grant)
RECORD(handoff, handoff)
RECORD(who_row, who_row)
RECORD(hub_topic, hub_topic)
RECORD(hub_notice, hub_notice)
RECORD(admin_request, admin_request)
static void (*const records[])(void) = { ticket_cross, link_info_cross, auth_start_cross,
	auth_ok_cross, auth_fail_cross, grant_cross, handoff_cross, who_row_cross, hub_topic_cross,
	hub_notice_cross, admin_request_cross };
/* clang-format on */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char frame[MSG_MAX];
	struct rk_err err;
	size_t n;

	if (size < 1 || msg_parse(&m, data + 1, size - 1, &err) != RK_OK)
		return 0;
	msg_begin(&again, m.type, m.id);
	records[data[0] % (sizeof(records) / sizeof(records[0]))]();
	if (msg_end(&m, &err) != RK_OK)
		return 0;
	if (msg_frame(&again, frame, &n, &err) != RK_OK || n != size - 1 ||
	    memcmp(frame, data + 1, n) != 0)
		abort();
	return 0;
}
