#include "lib/ipc/service.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum rk_status
fd_argument(struct service *s, const char *argument, struct rk_err *err)
{
	const char *equals = strrchr(argument, '=');
	struct service_fd *slot = &s->fds[s->nfds];
	uint32_t number;

	if (s->nfds == SERVICE_FDS_MAX)
		return rk_fail_plain(err, RK_LIMIT, "more than %d descriptors", SERVICE_FDS_MAX);
	if (equals == NULL || (size_t)(equals - argument) >= sizeof(slot->name) ||
	    !str_u32(str_from(equals + 1), &number) || number > INT32_MAX ||
	    fcntl((int)number, F_GETFD) < 0)
		return rk_fail_plain(err, RK_INVALID, "bad descriptor '%s'", argument);
	memcpy(slot->name, argument, (size_t)(equals - argument));
	slot->fd = (int)number;
	s->nfds++;
	return RK_OK;
}

static enum rk_status
arguments_read(struct service *s, int argc, char *const argv[], struct rk_err *err)
{
	for (int i = 1; i < argc; i += 2) {
		enum rk_status status = RK_OK;

		if (i + 1 == argc)
			return rk_fail_plain(err, RK_INVALID, "%s needs a value", argv[i]);
		if (strcmp(argv[i], "--generation") == 0) {
			if (!str_u32(str_from(argv[i + 1]), &s->generation))
				return rk_fail_plain(
				    err, RK_INVALID, "bad generation '%s'", argv[i + 1]);
		} else if (strcmp(argv[i], "--fd") == 0) {
			status = fd_argument(s, argv[i + 1], err);
		} else {
			return rk_fail_plain(err, RK_INVALID, "unknown option '%s'", argv[i]);
		}
		if (status != RK_OK)
			return status;
	}
	return RK_OK;
}

/* What a master gives; nothing of this holds when somebody types the program's name. */
static enum rk_status
inheritance_check(struct rk_err *err)
{
	uid_t uid;
	pid_t pid;

	if (fcntl(SERVICE_FD_CONF, F_GETFD) < 0 || fcntl(SERVICE_FD_LOG, F_GETFD) < 0 ||
	    ipc_peer(SERVICE_FD_CONTROL, &uid, &pid, err) != RK_OK)
		return rk_fail_plain(err, RK_INVALID,
		    "this program is started by the Rookery master (rookery), not by hand");
	return RK_OK;
}

static void
descriptors_seal(const struct service *s)
{
	for (int fd = SERVICE_FD_CONTROL; fd <= SERVICE_FD_LOG; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	for (size_t i = 0; i < s->nfds; i++)
		fcntl(s->fds[i].fd, F_SETFD, FD_CLOEXEC);
}

enum rk_status
service_init(struct service *s, const char *name, int argc, char *const argv[], struct rk_err *err)
{
	enum rk_status status;

	*s = (struct service){
		.name = name,
		.control = SERVICE_FD_CONTROL,
		.conf_fd = SERVICE_FD_CONF,
	};
	status = inheritance_check(err);
	if (status == RK_OK)
		status = arguments_read(s, argc, argv, err);
	if (status != RK_OK) {
		fprintf(stderr, "rookery-%s: %s\n", name, err->text);
		return status;
	}
	descriptors_seal(s);
	clearenv();
	signal(SIGPIPE, SIG_IGN);
	log_init(SERVICE_FD_LOG, name, RK_LOG_INFO);
	return ipc_nonblock(s->control, true, err);
}

int
service_fd(const struct service *s, const char *name)
{
	for (size_t i = 0; i < s->nfds; i++) {
		if (strcmp(s->fds[i].name, name) == 0)
			return s->fds[i].fd;
	}
	return -1;
}

enum rk_status
service_ready(const struct service *s, struct rk_err *err)
{
	struct msg_out m;

	msg_begin(&m, CTL_READY, 0);
	return ipc_send(s->control, &m, err);
}

bool
service_pong(const struct service *s, const struct msg_in *m)
{
	struct msg_out answer;
	struct rk_err err;

	if (m->type != CTL_PING)
		return false;
	msg_begin(&answer, CTL_PONG, m->id);
	if (ipc_send(s->control, &answer, &err) != RK_OK)
		log_ev(RK_LOG_WARN, "service.pong", LOG_ERR(&err));
	return true;
}

enum rk_status
service_account(const char *user, uid_t *uid_out, gid_t *gid_out, struct rk_err *err)
{
	const struct passwd *pw;
	struct str gid_text = str_from(user), uid_text;
	uint32_t uid, gid;

	if (geteuid() != 0) {
		*uid_out = geteuid();
		*gid_out = getegid();
		return RK_OK;
	}
	if (str_split(&gid_text, ':', &uid_text) && str_u32(uid_text, &uid) &&
	    str_u32(gid_text, &gid) && uid != 0 && gid != 0) {
		*uid_out = uid;
		*gid_out = gid;
		return RK_OK;
	}
	errno = 0;
	pw = getpwnam(user);
	if (pw == NULL)
		return rk_fail(err, RK_NOTFOUND, "no account '%s' on this system", user);
	*uid_out = pw->pw_uid;
	*gid_out = pw->pw_gid;
	return RK_OK;
}
