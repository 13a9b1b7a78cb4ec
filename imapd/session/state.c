#include "imapd/session/session_impl.h"

#include "lib/base/bug.h"
#include "lib/base/log.h"

/* Where each state may lead. IDLE keeps the mailbox it began with, so it leads back only there. */
/* clang-format off */
static const struct edge {
	enum session_state from;
	unsigned to;
} edges[] = {
	{ ST_NOT_SELECTED, ST_SELECTED | ST_IDLE | ST_LOGOUT },
	{ ST_SELECTED,     ST_NOT_SELECTED | ST_IDLE | ST_LOGOUT },
	{ ST_IDLE,         ST_NOT_SELECTED | ST_SELECTED | ST_LOGOUT },
	{ ST_LOGOUT,       0 },
};
/* clang-format on */

const char *
session_state_name(enum session_state state)
{
	switch (state) {
	case ST_NOT_SELECTED:
		return "not-selected";
	case ST_SELECTED:
		return "selected";
	case ST_IDLE:
		return "idle";
	case ST_LOGOUT:
		return "logout";
	}
	return "?";
}

void
session_enter(struct session *s, enum session_state new)
{
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
		if (edges[i].from == s->state && (edges[i].to & new) == 0)
			rk_bug("session: %s -> %s", session_state_name(s->state),
			    session_state_name(new));
	}
	if ((new == ST_SELECTED) != (s->sel.box != NULL) && (new &ST_ANY) != 0)
		rk_bug("session: %s with the wrong mailbox", session_state_name(new));
	log_ev(RK_LOG_DEBUG, "session.state", LOG_S("from", session_state_name(s->state)),
	    LOG_S("to", session_state_name(new)));
	s->state = new;
}
