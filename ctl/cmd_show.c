/* What runs, and who is there. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/ctl.h"

#define SECONDS 30

static const char *const status_columns[] = { "service", "instance", "generation", "pid", "state",
	"uptime", "restarts" };

static uint64_t
number(const char *text)
{
	uint64_t value;

	return str_u64(str_from(text), UINT64_MAX, &value) ? value : 0;
}

static void
duration(char out[32], uint64_t seconds)
{
	if (seconds < 60)
		snprintf(out, 32, "%" PRIu64 "s", seconds);
	else if (seconds < 3600)
		snprintf(out, 32, "%" PRIu64 "m%02" PRIu64 "s", seconds / 60, seconds % 60);
	else if (seconds < 86400)
		snprintf(out, 32, "%" PRIu64 "h%02" PRIu64 "m", seconds / 3600, seconds / 60 % 60);
	else
		snprintf(
		    out, 32, "%" PRIu64 "d%02" PRIu64 "h", seconds / 86400, seconds / 3600 % 24);
}

static bool
is_column(const char *key)
{
	for (size_t i = 0; i < sizeof(status_columns) / sizeof(status_columns[0]); i++) {
		if (strcmp(status_columns[i], key) == 0)
			return true;
	}
	return false;
}

static void
status_row(const struct ctl_row *row)
{
	char uptime[32];

	duration(uptime, number(ctl_value(row, "uptime")));
	ctl_print(ctl_value(row, "service"), 9);
	printf("%4s %5s %8s  ", ctl_value(row, "instance"), ctl_value(row, "generation"),
	    ctl_value(row, "pid"));
	ctl_print(ctl_value(row, "state"), 10);
	printf("%8s %8s ", uptime, ctl_value(row, "restarts"));
	for (size_t i = 0; i < row->n; i++) {
		if (is_column(row->fields[i].key))
			continue;
		putchar(' ');
		ctl_print(row->fields[i].key, 0);
		putchar('=');
		ctl_print(row->fields[i].value, 0);
	}
	putchar('\n');
}

enum ctl_exit
cmd_status(const struct ctl *ctl)
{
	struct ctl_answer answer;
	enum ctl_exit code = ctl_ask(ctl, "status", NULL, SECONDS, &answer);

	if (code != CTL_OK)
		return code;
	if (answer.status != RK_OK)
		return ctl_outcome(ctl, &answer, "");
	if (ctl->json)
		return ctl_rows_json(&answer, "processes");
	printf("%-9s%4s %5s %8s  %-10s%8s %8s  %s\n", "SERVICE", "NO", "GEN", "PID", "STATE", "UP",
	    "RESTARTS", "FIGURES");
	for (size_t i = 0; i < answer.n; i++)
		status_row(&answer.rows[i]);
	return CTL_OK;
}

static void
who_row(const struct ctl_row *row)
{
	time_t now = time(NULL);
	uint64_t since = number(ctl_value(row, "since"));
	char time_text[32];

	duration(time_text, (uint64_t)now > since ? (uint64_t)now - since : 0);
	ctl_print(ctl_value(row, "user"), 24);
	putchar(' ');
	ctl_print(ctl_value(row, "session"), 16);
	printf(" %8s %7s  %-3s  ", ctl_value(row, "pid"), time_text,
	    strcmp(ctl_value(row, "tls"), "1") == 0 ? "tls" : "-");
	ctl_print(ctl_value(row, "remote"), 24);
	putchar(' ');
	ctl_print(ctl_value(row, "command"), 0);
	putchar('\n');
}

enum ctl_exit
cmd_who(const struct ctl *ctl)
{
	struct ctl_answer answer;
	enum ctl_exit code = ctl_ask(ctl, "who", NULL, SECONDS, &answer);

	if (code != CTL_OK)
		return code;
	if (answer.status != RK_OK)
		return ctl_outcome(ctl, &answer, "");
	if (ctl->json)
		return ctl_rows_json(&answer, "sessions");
	printf("%-24s %-16s %8s %7s  %-3s  %-24s %s\n", "USER", "SESSION", "PID", "TIME", "TLS",
	    "FROM", "COMMAND");
	for (size_t i = 0; i < answer.n; i++)
		who_row(&answer.rows[i]);
	return CTL_OK;
}
