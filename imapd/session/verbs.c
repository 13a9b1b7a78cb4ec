#include "imapd/session/session_impl.h"

/*
 * Every verb that is served. One that stands here is announced where it needs announcing
 * (SESSION_CAPABILITIES); what is valid IMAP and not here is answered as any unknown word.
 */
/* clang-format off */
static const struct verb verbs[] = {
	/* name         states           uid    expunge grammar        handler */
	{ "CAPABILITY", ST_ANY,          false, true,   parse_nothing, cmd_capability },
	{ "NOOP",       ST_ANY,          false, true,   parse_nothing, cmd_noop },
	{ "LOGOUT",     ST_ANY,          false, true,   parse_nothing, cmd_logout },
	{ "ENABLE",     ST_ANY,          false, true,   parse_enable,  cmd_enable },
	{ "ID",         ST_ANY,          false, true,   parse_id,      cmd_id },
	{ "NAMESPACE",  ST_ANY,          false, true,   parse_nothing, cmd_namespace },
	{ "LIST",       ST_ANY,          false, true,   parse_list,    cmd_list },
	{ "LSUB",       ST_ANY,          false, true,   parse_lsub,    cmd_lsub },
	{ "STATUS",     ST_ANY,          false, true,   parse_status,  cmd_status },
	{ "SELECT",     ST_ANY,          false, false,  parse_mailbox, cmd_select },
	{ "EXAMINE",    ST_ANY,          false, false,  parse_mailbox, cmd_examine },
	{ "CREATE",     ST_ANY,          false, true,   parse_create,  cmd_create },
	{ "DELETE",     ST_ANY,          false, true,   parse_mailbox, cmd_delete },
	{ "RENAME",     ST_ANY,          false, true,   parse_rename,  cmd_rename },
	{ "SUBSCRIBE",  ST_ANY,          false, true,   parse_mailbox, cmd_subscribe },
	{ "UNSUBSCRIBE", ST_ANY,         false, true,   parse_mailbox, cmd_unsubscribe },
	{ "IDLE",       ST_ANY,          false, true,   parse_nothing, cmd_idle },
	{ "CHECK",      ST_SELECTED,     false, true,   parse_nothing, cmd_check },
	{ "CLOSE",      ST_SELECTED,     false, false,  parse_nothing, cmd_close },
	{ "UNSELECT",   ST_SELECTED,     false, false,  parse_nothing, cmd_unselect },
	{ "FETCH",      ST_SELECTED,     true,  false,  parse_fetch,   cmd_fetch },
	{ "SEARCH",     ST_SELECTED,     true,  false,  parse_search,  cmd_search },
	{ "STORE",      ST_SELECTED,     true,  false,  parse_store,   cmd_store },
	{ "EXPUNGE",    ST_SELECTED,     true,  true,   parse_expunge, cmd_expunge },
	{ "COPY",       ST_SELECTED,     true,  false,  parse_copy,    cmd_copy },
	{ "MOVE",       ST_SELECTED,     true,  true,   parse_copy,    cmd_move },
	{ "APPEND",     ST_ANY,          false, true,   parse_append,  cmd_append },
};
/* clang-format on */

const struct verb *
verb_find(struct str name, bool uid)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (str_iis(name, verbs[i].name))
			return uid && !verbs[i].uid ? NULL : &verbs[i];
	}
	return NULL;
}
