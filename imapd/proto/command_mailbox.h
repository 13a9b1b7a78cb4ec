/* Arguments of the commands about mailboxes; part of command.h, which tells whose memory this is.
 */
#ifndef PROTO_COMMAND_MAILBOX_H
#define PROTO_COMMAND_MAILBOX_H

#include "lib/base/str.h"

struct cmd_mailbox { /* SELECT, EXAMINE, DELETE, SUBSCRIBE, UNSUBSCRIBE: UTF-8; account_name() makes
	                it canonical */
	struct str name;
};

/* Special uses of RFC 6154 (and RFC 8457) as bits; PARSE: an unknown one sets unknown_use. */
enum special_use {
	USE_ALL = 1u << 0,
	USE_ARCHIVE = 1u << 1,
	USE_DRAFTS = 1u << 2,
	USE_FLAGGED = 1u << 3,
	USE_JUNK = 1u << 4,
	USE_SENT = 1u << 5,
	USE_TRASH = 1u << 6,
	USE_IMPORTANT = 1u << 7,
};

struct cmd_create {
	struct str name; /* a `/` at the end is taken off: it says that children will come */
	uint32_t special_use;
	bool unknown_use; /* NO [USEATTR] */
};

struct cmd_rename {
	struct str from;
	struct str to;
};

enum status_item {
	STATUS_MESSAGES = 1u << 0,
	STATUS_UIDNEXT = 1u << 1,
	STATUS_UIDVALIDITY = 1u << 2,
	STATUS_UNSEEN = 1u << 3,
	STATUS_DELETED = 1u << 4,
	STATUS_SIZE = 1u << 5,
	STATUS_RECENT = 1u << 6, /* rev1 */
};

struct cmd_status {
	struct str name;
	uint32_t items; /* enum status_item bits; at least one */
};

enum list_select {
	LIST_SEL_SUBSCRIBED = 1u << 0,
	LIST_SEL_REMOTE = 1u << 1,
	LIST_SEL_RECURSIVEMATCH = 1u << 2,
	LIST_SEL_SPECIAL_USE = 1u << 3,
};

enum list_return {
	LIST_RET_SUBSCRIBED = 1u << 0,
	LIST_RET_CHILDREN = 1u << 1,
	LIST_RET_STATUS = 1u << 2,
	LIST_RET_SPECIAL_USE = 1u << 3,
};

struct cmd_list { /* LIST, LSUB */
	struct str reference;
	struct str *patterns; /* at least one */
	size_t npatterns;
	uint32_t select;       /* enum list_select bits */
	uint32_t ret;          /* enum list_return bits */
	uint32_t status_items; /* with LIST_RET_STATUS */
	bool extended; /* any form of RFC 5258: an empty pattern then asks for no delimiter */
};

#endif
