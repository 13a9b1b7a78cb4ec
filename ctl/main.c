/* rookeryctl: asks the running master. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "lib/conf/conf.h"

static void
usage(FILE *to)
{
	fprintf(to,
	    "usage: rookeryctl [-c FILE | --run-dir DIR] [--json] COMMAND\n"
	    "  status              the processes and what they count\n"
	    "  who                 the sessions\n"
	    "  kick USER|SESSION   end the sessions of a user, or one session\n"
	    "  reload              read the configuration again; waits for the new processes\n"
	    "  stop                end the server; waits for its end\n"
	    "  -c FILE             configuration that names the run_dir (%s/rookery.conf)\n"
	    "  --run-dir DIR       where the control socket is\n"
	    "  --json              one JSON document on standard output\n"
	    "exit: 0 done, 1 refused or failed, 2 wrong usage, 3 not running\n",
	    ROOKERY_SYSCONFDIR);
}

/* The run_dir of a configuration; the built-in one if the usual file has mistakes or is missing. */
static const char *
run_dir_of(const char *path, bool asked, struct rk_arena *mem)
{
	struct conf_problems problems = { .n = 0 };
	struct conf *conf;
	struct rk_err err;
	enum rk_status status = conf_load(path, mem, &conf, &problems, &err);
	const char *dir;

	if (status == RK_OK) {
		const char *text = conf_str(conf, NULL, "run_dir");

		dir = rk_arena_dup(mem, text, strlen(text));
		conf_free(conf);
		return dir;
	}
	for (size_t i = 0; i < problems.n; i++)
		fprintf(stderr, "rookeryctl: %s:%u: %s\n", problems.list[i].file,
		    problems.list[i].line, problems.list[i].text);
	/* A server must be stoppable while its configuration is being edited. */
	if (!asked)
		return ROOKERY_RUNDIR;
	if (problems.n == 0)
		fprintf(stderr, "rookeryctl: %s\n", err.text);
	fprintf(stderr, "rookeryctl: %s gives no run_dir; use --run-dir\n", path);
	return NULL;
}

struct options {
	const char *conf_path;
	const char *run_dir;
	bool json;
};

/* Returns an exit code, or -1 to go on. */
static int
options_read(int argc, char *argv[], struct options *o)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "run-dir", required_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->conf_path = optarg;
			break;
		case 'r':
			o->run_dir = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		case 'h':
			usage(stdout);
			return CTL_OK;
		case 'V':
			printf("%s\n", PACKAGE_STRING);
			return CTL_OK;
		default:
			usage(stderr);
			return CTL_USAGE;
		}
	}
	return -1;
}

struct command {
	const char *name;
	enum ctl_exit (*run)(const struct ctl *ctl);
	enum ctl_exit (*run_with)(const struct ctl *ctl, const char *argument);
};

static const struct command commands[] = {
	{ .name = "status", .run = cmd_status },
	{ .name = "who", .run = cmd_who },
	{ .name = "kick", .run_with = cmd_kick },
	{ .name = "reload", .run = cmd_reload },
	{ .name = "stop", .run = cmd_stop },
};

/* NULL: no such command, or not with that many arguments. */
static const struct command *
command_find(int argc, char *const argv[])
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]) && argc > 0; i++) {
		const struct command *c = &commands[i];

		if (strcmp(argv[0], c->name) != 0)
			continue;
		if (c->run != NULL)
			return argc == 1 ? c : NULL;
		return argc == 2 && argv[1][0] != '\0' ? c : NULL;
	}
	return NULL;
}

int
main(int argc, char *argv[])
{
	struct options o = { .conf_path = NULL };
	struct ctl ctl = { .json = false };
	const struct command *command;
	int code = options_read(argc, argv, &o);

	if (code >= 0)
		return code;
	command = command_find(argc - optind, argv + optind);
	if (command == NULL) {
		usage(stderr);
		return CTL_USAGE;
	}
	log_init(-1, "rookeryctl", RK_LOG_ERROR);
	ctl.mem = arena_new();
	ctl.json = o.json;
	if (o.run_dir == NULL)
		o.run_dir = run_dir_of(
		    o.conf_path == NULL ? ROOKERY_SYSCONFDIR "/rookery.conf" : o.conf_path,
		    o.conf_path != NULL, ctl.mem);
	code = CTL_FAILED;
	if (o.run_dir != NULL) {
		ctl.socket_path = rk_arena_printf(ctl.mem, "%s/control", o.run_dir);
		code = (int)(command->run != NULL ? command->run(&ctl)
						  : command->run_with(&ctl, argv[optind + 1]));
	}
	arena_free(ctl.mem);
	return code;
}
