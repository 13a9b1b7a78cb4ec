#include "master/settings.h"

#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "lib/base/os_linux.h"
#include "lib/conf/conf.h"
#include "lib/ipc/service.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Private to settings_fork and settings_take: the two ends are one program. */
#define SETTINGS_ANSWER 1000

enum kind { KIND_TEXT, KIND_INT, KIND_BOOL, KIND_LIST };

/* The options that a service reads which keeps its configuration over a reload. */
struct kept_option {
	enum service_id service;
	const char *section; /* titled sections of this kind; NULL: the top */
	const char *name;
	enum kind kind;
};

/* clang-format off */
static const struct kept_option kept_options[] = {
	{ SVC_LOG,     NULL,      "log.target",                        KIND_TEXT },
	{ SVC_LOG,     NULL,      "log.level",                         KIND_TEXT },
	{ SVC_LOG,     NULL,      "log.user",                          KIND_TEXT },
	{ SVC_LOG,     NULL,      "sandbox",                           KIND_TEXT },
	{ SVC_HUB,     NULL,      "hub.user",                          KIND_TEXT },
	{ SVC_HUB,     NULL,      "sandbox",                           KIND_TEXT },
	{ SVC_HUB,     NULL,      "log.level",                         KIND_TEXT },
	{ SVC_SPAWNER, NULL,      "sandbox",                           KIND_TEXT },
	{ SVC_SPAWNER, NULL,      "log.level",                         KIND_TEXT },
	{ SVC_SPAWNER, NULL,      "state_dir",                         KIND_TEXT },
	{ SVC_SPAWNER, NULL,      "imapd.max_workers",                 KIND_INT },
	{ SVC_SPAWNER, NULL,      "imapd.forks_per_second",            KIND_INT },
	{ SVC_SPAWNER, NULL,      "imapd.max_line",                    KIND_INT },
	{ SVC_SPAWNER, NULL,      "imapd.max_literal",                 KIND_INT },
	{ SVC_SPAWNER, NULL,      "imapd.max_nonsync",                 KIND_INT },
	{ SVC_SPAWNER, NULL,      "imapd.max_command",                 KIND_INT },
	{ SVC_SPAWNER, NULL,      "imapd.max_bad_commands",            KIND_INT },
	{ SVC_SPAWNER, NULL,      "imapd.idle_seconds",                KIND_INT },
	{ SVC_SPAWNER, NULL,      "imapd.idle_notice_seconds",         KIND_INT },
	{ SVC_SPAWNER, NULL,      "imapd.output_seconds",              KIND_INT },
	{ SVC_SPAWNER, NULL,      "imapd.sessions_per_user",           KIND_INT },
	{ SVC_SPAWNER, NULL,      "imapd.sessions_per_user_address",   KIND_INT },
	{ SVC_SPAWNER, NULL,      "imapd.memory",                      KIND_INT },
	{ SVC_SPAWNER, NULL,      "imapd.min_uid",                     KIND_INT },
	{ SVC_SPAWNER, "storage", "driver",                            KIND_TEXT },
	{ SVC_SPAWNER, "storage", "path",                              KIND_TEXT },
	{ SVC_SPAWNER, "storage", "separator",                         KIND_TEXT },
	{ SVC_SPAWNER, "storage", "lock_seconds",                      KIND_INT },
	{ SVC_SPAWNER, "storage", "params",                            KIND_LIST },
};
/* clang-format on */

void
report_add(struct report *report, const char *fmt, ...)
{
	size_t room = sizeof(report->text) - report->len;
	va_list ap;
	int n;

	report->problems++;
	va_start(ap, fmt);
	n = vsnprintf(report->text + report->len, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n + 1 >= room) {
		report->text[report->len] = '\0'; /* no room: counted only */
		return;
	}
	report->len += (size_t)n;
	report->text[report->len++] = '\n';
	report->text[report->len] = '\0';
}

/* FNV-1a: only to see that something changed, by an administrator's hand. */
static void
digest_add(uint64_t *digest, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++)
		*digest = (*digest ^ p[i]) * 0x100000001b3ULL;
}

static void
digest_option(uint64_t *digest, const struct conf *conf, const struct conf_section *in,
    const struct kept_option *option)
{
	int64_t number;

	switch (option->kind) {
	case KIND_TEXT: {
		const char *text = conf_str(conf, in, option->name);

		digest_add(digest, text, strlen(text) + 1);
		break;
	}
	case KIND_INT:
		number = conf_int(conf, in, option->name);
		digest_add(digest, &number, sizeof(number));
		break;
	case KIND_BOOL:
		number = conf_bool(conf, in, option->name);
		digest_add(digest, &number, sizeof(number));
		break;
	case KIND_LIST:
		for (size_t i = 0; i < conf_list_len(conf, in, option->name); i++) {
			const char *text = conf_list_at(conf, in, option->name, i);

			digest_add(digest, text, strlen(text) + 1);
		}
		break;
	}
}

static void
digests_make(struct settings *out, const struct conf *conf)
{
	for (size_t i = 0; i < sizeof(kept_options) / sizeof(kept_options[0]); i++) {
		const struct kept_option *option = &kept_options[i];
		uint64_t *digest = &out->kept[option->service];

		digest_add(digest, option->name, strlen(option->name) + 1);
		if (option->section == NULL) {
			digest_option(digest, conf, NULL, option);
			continue;
		}
		for (const struct conf_section *in = conf_next(conf, option->section, NULL);
		     in != NULL; in = conf_next(conf, option->section, in)) {
			const char *title = conf_title(in);

			digest_add(digest, title, strlen(title) + 1);
			digest_option(digest, conf, in, option);
		}
	}
}

static void
dir_take(char *out, size_t size, const struct conf *conf, const char *name, const char *file,
    struct report *report)
{
	const char *dir = conf_str(conf, NULL, name);

	if (dir[0] != '/')
		report_add(report, "%s: %s must be an absolute path, not '%s'", file, name, dir);
	else if (strlen(dir) >= size)
		report_add(report, "%s: %s is longer than %zu bytes", file, name, size - 1);
	else
		memcpy(out, dir, strlen(dir) + 1);
}

static void
listeners_take(
    struct settings *out, const struct conf *conf, const char *file, struct report *report)
{
	const struct conf_section *in = NULL;

	while ((in = conf_next(conf, "listen", in)) != NULL) {
		struct listener_def *l = &out->listeners[out->nlisteners];
		const char *title = conf_title(in), *address = conf_str(conf, in, "address");

		if (out->nlisteners == SETTINGS_LISTENERS) {
			report_add(
			    report, "%s: more than %d listen sections", file, SETTINGS_LISTENERS);
			return;
		}
		if (strlen(title) >= sizeof(l->title) || strchr(title, '=') != NULL ||
		    strlen(address) >= sizeof(l->address)) {
			report_add(report,
			    "%s: listen \"%s\": a title has at most %d bytes and no '=', an "
			    "address "
			    "is an IP address",
			    file, title, SETTINGS_TITLE);
			continue;
		}
		snprintf(l->title, sizeof(l->title), "%s", title);
		snprintf(l->address, sizeof(l->address), "%s", address);
		l->port = (uint16_t)conf_int(conf, in, "port");
		for (uint32_t i = 0; i < out->nlisteners; i++) {
			if (out->listeners[i].port == l->port &&
			    strcmp(out->listeners[i].address, l->address) == 0)
				report_add(report,
				    "%s: listen \"%s\" and \"%s\" both use %s port %u", file,
				    out->listeners[i].title, title, address, (unsigned)l->port);
		}
		out->nlisteners++;
	}
	if (out->nlisteners == 0)
		report_add(
		    report, "%s: nothing to listen on; add: listen \"imap\" { port = 143 }", file);
}

static void
account_check(const struct conf *conf, const char *option, const char *file, struct report *report)
{
	const char *user = conf_str(conf, NULL, option);
	struct rk_err err;
	uid_t uid;
	gid_t gid;

	if (service_account(user, &uid, &gid, &err) != RK_OK)
		report_add(report,
		    "%s: %s: %s; make it with: useradd --system --user-group --no-create-home "
		    "--home-dir /nonexistent --shell /usr/sbin/nologin %s",
		    file, option, err.text, user);
	else if (uid == 0)
		report_add(report, "%s: %s: '%s' is root; it needs an account of its own", file,
		    option, user);
}

/* Started by an ordinary user everything runs as that user, whatever stands there. */
static void
accounts_check(const struct conf *conf, const char *file, struct report *report)
{
	if (geteuid() != 0)
		return;
	for (size_t i = 0; i < SVC_COUNT; i++) {
		if (services[i].user_option == NULL)
			continue;
		account_check(conf, services[i].user_option, file, report);
		for (size_t k = 0; k < i; k++) {
			if (services[k].user_option != NULL &&
			    strcmp(conf_str(conf, NULL, services[i].user_option),
				conf_str(conf, NULL, services[k].user_option)) == 0)
				report_add(report,
				    "%s: %s and %s are the same account '%s': each process needs "
				    "its own",
				    file, services[k].user_option, services[i].user_option,
				    conf_str(conf, NULL, services[i].user_option));
		}
	}
}

static void
settings_take_values(
    struct settings *out, const struct conf *conf, const char *file, struct report *report)
{
	int64_t gates = conf_int(conf, NULL, "gate.processes");

	dir_take(out->run_dir, sizeof(out->run_dir), conf, "run_dir", file, report);
	dir_take(out->state_dir, sizeof(out->state_dir), conf, "state_dir", file, report);
	if (gates < 1 || gates > SETTINGS_GATES)
		report_add(report, "%s: gate.processes is 1 to %d", file, SETTINGS_GATES);
	out->gate_processes = (uint32_t)gates;
	out->shutdown_seconds = (uint32_t)conf_int(conf, NULL, "shutdown_seconds");
	out->max_workers = (uint32_t)conf_int(conf, NULL, "imapd.max_workers");
	out->sandbox_required = strcmp(conf_str(conf, NULL, "sandbox"), "required") == 0;
	out->log_stderr = strcmp(conf_str(conf, NULL, "log.target"), "stderr") == 0;
	if (!log_level_parse(conf_str(conf, NULL, "log.level"), &out->level))
		out->level = RK_LOG_INFO;
	listeners_take(out, conf, file, report);
	accounts_check(conf, file, report);
	digests_make(out, conf);
}

/* The configuration as bytes in a file that no child can change. */
static enum rk_status
conf_seal(const struct conf *conf, int *fd_out, struct rk_err *err)
{
	struct buf bytes = BUF_INIT;
	enum rk_status status;

	conf_pack(conf, &bytes);
	status = os_sealed_file("rookery.conf", bytes.data, bytes.len, fd_out, err);
	buf_clear(&bytes);
	return status;
}

enum rk_status
settings_load(const char *path, struct settings *out, int *conf_fd_out, struct report *report,
    struct buf *print)
{
	struct rk_arena *mem = arena_new();
	struct conf_problems problems = { .n = 0 };
	struct conf *conf = NULL;
	struct rk_err err = { .status = RK_OK };
	enum rk_status status;

	*out = (struct settings){ .shutdown_seconds = 0 };
	*report = (struct report){ .len = 0 };
	status = conf_load(path, mem, &conf, &problems, &err);
	for (size_t i = 0; i < problems.n; i++)
		report_add(report, "%s:%u: %s", problems.list[i].file, problems.list[i].line,
		    problems.list[i].text);
	if (status == RK_OK)
		settings_take_values(out, conf, path, report);
	else if (report->problems == 0)
		report_add(report, "%s: %s%s%s", path, err.text, err.sys_errno != 0 ? ": " : "",
		    err.sys_errno != 0 ? strerror(err.sys_errno) : "");
	if (status == RK_OK && report->problems > 0)
		status = RK_INVALID;
	if (status == RK_OK && print != NULL)
		conf_print(conf, print);
	if (status == RK_OK) {
		status = conf_seal(conf, conf_fd_out, &err);
		if (status != RK_OK)
			report_add(report, "%s: %s", path, err.text);
	}
	conf_free(conf);
	arena_free(mem);
	return status;
}

static _Noreturn void
reader_run(const char *path, int fd)
{
	static struct settings settings;
	static struct report report;
	static struct msg_out m;
	struct rk_err err;
	enum rk_status status;
	int conf_fd = -1;

	status = settings_load(path, &settings, &conf_fd, &report, NULL);
	msg_begin(&m, SETTINGS_ANSWER, 0);
	msg_put_u32(&m, (uint32_t)status);
	msg_put_bytes(&m, &settings, sizeof(settings));
	report.text[report.len < 7000 ? report.len : 7000] = '\0';
	msg_put_text(&m, report.text);
	if (status == RK_OK)
		msg_put_fd(&m, conf_fd);
	_exit(ipc_send(fd, &m, &err) == RK_OK ? 0 : 1);
}

enum rk_status
settings_fork(const char *path, pid_t *pid_out, int *fd_out, struct rk_err *err)
{
	sigset_t all, before;
	enum rk_status status;
	int pair[2];
	pid_t pid;

	status = ipc_pair(pair, err);
	if (status != RK_OK)
		return status;
	/* The handlers of the event loop must not run in the fork: they write to its own pipe. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		reader_run(path, pair[1]);
	}
	if (pid < 0)
		status = rk_fail(err, RK_TEMP, "fork");
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(pair[1]);
	if (status != RK_OK) {
		close(pair[0]);
		return status;
	}
	*pid_out = pid;
	*fd_out = pair[0];
	return RK_OK;
}

enum rk_status
settings_take(
    int fd, struct settings *out, int *conf_fd_out, struct report *report, struct rk_err *err)
{
	static struct msg_in m;
	enum rk_status status, answer;
	struct str bytes;
	int conf_fd = -1;

	*report = (struct report){ .len = 0 };
	status = ipc_recv(fd, &m, err);
	if (status != RK_OK)
		return rk_fail_plain(err, RK_TEMP, "the configuration could not be read");
	answer = (enum rk_status)msg_get_u32(&m);
	bytes = msg_get_str(&m, sizeof(*out));
	msg_get_text(&m, report->text, sizeof(report->text));
	if (answer == RK_OK)
		conf_fd = msg_get_fd(&m);
	status = msg_end(&m, err);
	if (status == RK_OK && (m.type != SETTINGS_ANSWER || bytes.n != sizeof(*out)))
		status = rk_fail_plain(err, RK_CORRUPT, "no settings came back");
	if (status == RK_OK && answer != RK_OK)
		status = rk_fail_plain(err, RK_INVALID, "the configuration has mistakes");
	if (status != RK_OK) {
		if (conf_fd >= 0)
			close(conf_fd);
		return status;
	}
	memcpy(out, bytes.p, sizeof(*out));
	*conf_fd_out = conf_fd;
	return RK_OK;
}
