/* Frames from a hostile peer through every reader of lib/ipc/proto.h. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/ipc/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct msg_in m;

static void
record_read(unsigned which)
{
	static union {
		struct ticket ticket;
		struct link_info link;
		struct auth_start start;
		struct auth_ok ok;
		struct auth_fail fail;
		struct grant grant;
		struct handoff handoff;
		struct who_row who;
		struct hub_topic topic;
		struct hub_notice notice;
		struct admin_request admin;
	} r;

	switch (which % 11) {
	case 0:
		get_ticket(&m, &r.ticket);
		break;
	case 1:
		get_link_info(&m, &r.link);
		break;
	case 2:
		get_auth_start(&m, &r.start);
		break;
	case 3:
		get_auth_ok(&m, &r.ok);
		break;
	case 4:
		get_auth_fail(&m, &r.fail);
		break;
	case 5:
		get_grant(&m, &r.grant);
		break;
	case 6:
		get_handoff(&m, &r.handoff);
		break;
	case 7:
		get_who_row(&m, &r.who);
		break;
	case 8:
		get_hub_topic(&m, &r.topic);
		break;
	case 9:
		get_hub_notice(&m, &r.notice);
		break;
	default:
		get_admin_request(&m, &r.admin);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rk_err err;

	if (size < 1)
		return 0;
	if (msg_parse(&m, data + 1, size - 1, &err) == RK_OK) {
		record_read(data[0]);
		if (msg_end(&m, &err) == RK_OK && m.pos != m.len)
			abort();
	}
	return 0;
}
