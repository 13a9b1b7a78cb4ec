/* What changes something. */
#include <stdio.h>

#include "ctl/ctl.h"

#define KICK_SECONDS 60
#define RELOAD_SECONDS 240
#define STOP_SECONDS 86400 /* shutdown_seconds may be as long; the master ends the wait */

enum ctl_exit
cmd_kick(const struct ctl *ctl, const char *whom)
{
	struct ctl_answer answer;
	enum ctl_exit code = ctl_ask(ctl, "kick", whom, KICK_SECONDS, &answer);
	char text[64];

	if (code != CTL_OK)
		return code;
	snprintf(text, sizeof(text), "sessions ended: %s",
	    answer.n > 0 ? ctl_value(&answer.rows[0], "ended") : "0");
	return ctl_outcome(ctl, &answer, text);
}

enum ctl_exit
cmd_reload(const struct ctl *ctl)
{
	struct ctl_answer answer;
	enum ctl_exit code = ctl_ask(ctl, "reload", NULL, RELOAD_SECONDS, &answer);

	return code == CTL_OK ? ctl_outcome(ctl, &answer, "reloaded") : code;
}

enum ctl_exit
cmd_stop(const struct ctl *ctl)
{
	struct ctl_answer answer;
	enum ctl_exit code = ctl_ask(ctl, "stop", NULL, STOP_SECONDS, &answer);

	return code == CTL_OK ? ctl_outcome(ctl, &answer, "stopped") : code;
}
