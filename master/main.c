#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "master/confine.h"
#include "master/daemon.h"

struct options {
	bool foreground;
	bool check;
	const char *conf_path;
	const char *program_dir;
};

static void
usage(FILE *to)
{
	fprintf(to,
	    "usage: rookery [-F] [-c FILE] [-x DIR]\n"
	    "       rookery -t [-c FILE]\n"
	    "       rookery -V\n"
	    "  -F       stay in the foreground\n"
	    "  -c FILE  configuration (%s/rookery.conf)\n"
	    "  -t       check the configuration and print what holds\n"
	    "  -x DIR   the programs of the services (%s)\n"
	    "  -V       print the version\n",
	    ROOKERY_SYSCONFDIR, ROOKERY_LIBEXECDIR);
}

static void
say(const struct rk_err *err)
{
	fprintf(stderr, "rookery: %s%s%s\n", err->text, err->sys_errno != 0 ? ": " : "",
	    err->sys_errno != 0 ? strerror(err->sys_errno) : "");
}

/* Returns an exit code, or -1 to go on. */
static int
options_read(int argc, char *argv[], struct options *o)
{
	int c;

	while ((c = getopt(argc, argv, "Fc:tx:Vh")) != -1) {
		switch (c) {
		case 'F':
			o->foreground = true;
			break;
		case 'c':
			o->conf_path = optarg;
			break;
		case 't':
			o->check = true;
			break;
		case 'x':
			o->program_dir = optarg;
			break;
		case 'V':
			printf("%s\n", PACKAGE_STRING);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind == argc)
		return -1;
	usage(stderr);
	return 2;
}

static int
check(const struct options *o)
{
	static struct settings settings;
	static struct report report;
	struct buf text = BUF_INIT;
	enum rk_status status;
	int conf_fd = -1, code = 0;

	status = settings_load(o->conf_path, &settings, &conf_fd, &report, &text);
	if (status == RK_OK) {
		close(conf_fd);
		if (fwrite(text.data, 1, text.len, stdout) != text.len || fflush(stdout) != 0)
			code = 1;
	} else {
		fputs(report.text, stderr);
		code = 1;
	}
	buf_clear(&text);
	return code;
}

/* Descriptors 0 to 2 exist, so that nothing of ours gets their numbers. */
static bool
standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return false;
	close(fd);
	return close_range(STDERR_FILENO + 1, ~0u, 0) == 0;
}

/* NOTIFY_SOCKET and the like were read; in a privileged process nothing else of it has a say. */
static void
environment_drop(void)
{
#ifndef ROOKERY_SANITIZE
	if (geteuid() == 0 && clearenv() != 0)
		fprintf(stderr, "rookery: the environment could not be cleared\n");
#endif
	unsetenv("NOTIFY_SOCKET");
}

static enum rk_status
prepare(struct master *m, const struct options *o, int *lock_out, struct rk_err *err)
{
	enum rk_status status = RK_OK;

	/* Where the log goes when log.target is stderr, also after the terminal is let go. */
	m->error_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	m->child_error_fd = o->foreground ? m->error_fd : open("/dev/null", O_RDWR | O_CLOEXEC);
	if (m->error_fd < 0 || m->child_error_fd < 0)
		status = rk_fail(err, RK_TEMP, "descriptor");
	if (status == RK_OK && !o->foreground)
		status = daemon_detach(&m->ready_fd, err);
	umask(077);
	if (status == RK_OK)
		status = sd_open(&m->sd, getpid(), err);
	environment_drop();
	if (status == RK_OK)
		status = daemon_dirs(&m->settings, err);
	if (status == RK_OK)
		status = daemon_lock(m->settings.run_dir, lock_out, err);
	if (status != RK_OK)
		return status;
	confine_prepare(&m->settings, &m->oom_normal);
	status = master_open(m, err);
	if (status == RK_OK)
		status = confine_master(&m->settings, err);
	return status;
}

static int
serve(struct master *m, const struct options *o)
{
	struct rk_err err;
	int lock = -1, code;

	if (prepare(m, o, &lock, &err) == RK_OK) {
		code = master_run(m);
	} else {
		say(&err);
		code = 1;
	}
	if (lock >= 0)
		daemon_unlock(m->settings.run_dir, lock);
	sd_close(&m->sd);
	return code;
}

/* A daemon changes its directory, and both paths are needed again later. */
static const char *
absolute(const char *path, char out[PATH_MAX])
{
	char here[PATH_MAX];

	if (path[0] == '/' || getcwd(here, sizeof(here)) == NULL ||
	    (size_t)snprintf(out, PATH_MAX, "%s/%s", here, path) >= PATH_MAX)
		return path;
	return out;
}

int
main(int argc, char *argv[])
{
	static struct master m;
	static struct report report;
	static char conf_path[PATH_MAX], program_dir[PATH_MAX];
	struct options o = {
		.conf_path = ROOKERY_SYSCONFDIR "/rookery.conf",
		.program_dir = ROOKERY_LIBEXECDIR,
	};
	int code = options_read(argc, argv, &o);

	if (code >= 0)
		return code;
	if (o.check)
		return check(&o);
	if (!standard_fds())
		return 1;
	signal(SIGPIPE, SIG_IGN);
	o.conf_path = absolute(o.conf_path, conf_path);
	o.program_dir = absolute(o.program_dir, program_dir);
	m = (struct master){
		.conf_path = o.conf_path,
		.program_dir = o.program_dir,
		.conf_fd = -1,
		.ready_fd = -1,
		.reserve_fd = -1,
	};
	log_init(-1, "rookery", RK_LOG_INFO);
	if (settings_load(o.conf_path, &m.settings, &m.conf_fd, &report, NULL) != RK_OK) {
		fputs(report.text, stderr);
		return 1;
	}
	log_init(-1, "rookery", m.settings.level);
	return serve(&m, &o);
}
