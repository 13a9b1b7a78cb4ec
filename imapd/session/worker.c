/*
 * A fork of the spawner on its way down: it becomes the user first, so that everything after that,
 * the user's own paths included, is looked at with that user's rights only; then it gives up what
 * a session does not need; only then a driver opens the user's data.
 */
#include "imapd/session/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "imapd/session/session_profile.h"
#include "imapd/session/session.h"
#include "lib/mime/charset.h"
#include "lib/base/arena.h"
#include "lib/ipc/service.h"

static void
log_begin(const struct worker_start *start)
{
	enum rk_log_level level = RK_LOG_INFO;

	(void)log_level_parse(conf_str(start->conf, NULL, "log.level"), &level);
	log_init(SERVICE_FD_LOG, "imapd", level);
	log_set_session(start->handoff.sid);
	log_set_user(start->grant.user);
	log_set_remote(start->handoff.remote.address);
}

/* Started without root everybody is the one user that there is. */
static enum rk_status
become(const struct grant *grant, struct rk_err *err)
{
	if (geteuid() != 0)
		return RK_OK;
	if (grant->uid == 0 || grant->gid == 0)
		return rk_fail_plain(err, RK_DENIED, "no mail is served as root");
	return os_become(grant->uid, grant->gid, grant->groups, grant->ngroups, err);
}

static void
spec_fill(const struct worker_start *start, struct rk_param params[GRANT_PARAMS_MAX],
    struct account_spec *out)
{
	const struct grant *g = &start->grant;

	for (uint32_t i = 0; i < g->nparams; i++)
		params[i] = (struct rk_param){ g->params[i].key, g->params[i].value };
	*out = (struct account_spec){
		.user = g->user,
		.home = g->home,
		.storage = g->storage,
		.params = params,
		.nparams = g->nparams,
		.index_dir = start->index_dir,
	};
}

/* Landlock's rules need the paths open; opening is done as the user. */
static enum rk_status
rules_open(const char *const *paths, const char *index_dir, struct rk_arena *mem,
    struct os_path_rule **out, size_t *n_out, struct rk_err *err)
{
	struct os_path_rule *rules;
	size_t n = 0;

	while (paths[n] != NULL)
		n++;
	rules = rk_arena_array(mem, n + 1, sizeof(*rules));
	for (size_t i = 0; i <= n; i++) {
		const char *path = i < n ? paths[i] : index_dir;
		int fd = open(path, O_PATH | O_CLOEXEC);

		if (fd < 0)
			return rk_fail(err, errno == EACCES ? RK_DENIED : RK_TEMP, "open %s", path);
		arena_close_fd(mem, fd);
		rules[i] = (struct os_path_rule){ .fd = fd, .access = OS_READ | OS_WRITE };
	}
	*out = rules;
	*n_out = n + 1;
	return RK_OK;
}

static enum rk_status
lock_down(const struct worker_start *start, const struct account_spec *spec, struct rk_err *err)
{
	const struct conf *conf = start->conf;
	struct profile profile = session_profile((uint64_t)conf_int(conf, NULL, "imapd.memory"));
	struct lockdown how = { .uid = geteuid(), .gid = getegid() };
	struct rk_arena *mem = arena_new();
	struct os_path_rule *rules;
	const char *const *paths;
	enum rk_status status;

	how.mode = strcmp(conf_str(conf, NULL, "sandbox"), "best-effort") == 0 ? SANDBOX_BEST_EFFORT
	                                                                       : SANDBOX_REQUIRED;
	status = account_paths(conf, spec, mem, &paths, err);
	if (status == RK_OK)
		status = rules_open(paths, spec->index_dir, mem, &rules, &how.nrules, err);
	if (status == RK_OK) {
		how.rules = rules;
		status = service_lock_down(&profile, &how, err);
	}
	/* Nothing that was open for the rules stays open. */
	arena_free(mem);
	return status;
}

static enum rk_status
client_prepare(int fd, struct rk_err *err)
{
	int one = 1;

	/* Small answers must not wait for the client's acknowledgement; a relay's socket is none
	 * of TCP's and refuses. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return ipc_nonblock(fd, true, err);
}

static enum rk_status
prepare(const struct worker_start *start, struct account **account, struct rk_err *err)
{
	struct rk_param params[GRANT_PARAMS_MAX];
	struct account_spec spec;
	enum rk_status status;

	spec_fill(start, params, &spec);
	status = client_prepare(start->client_fd, err);
	if (status == RK_OK && start->hub_fd >= 0)
		status = ipc_nonblock(start->hub_fd, true, err);
	if (status == RK_OK)
		status = ipc_nonblock(start->spawner_fd, true, err);
	if (status == RK_OK)
		status = become(&start->grant, err);
	if (status == RK_OK)
		status = lock_down(start, &spec, err);
	if (status == RK_OK)
		status = account_open(start->conf, &spec, account, err);
	return status;
}

void
worker_preload(void)
{
	charset_preload();
}

_Noreturn void
worker_run(const struct worker_start *start)
{
	struct session_limits limits;
	struct session_start session = {
		.limits = &limits,
		.user = start->grant.user,
		.tag = start->handoff.tag,
		.bad_commands = start->handoff.bad_commands,
		.client_fd = start->client_fd,
		.spawner_fd = start->spawner_fd,
		.hub_fd = start->hub_fd,
		.score = start->score,
	};
	struct rk_err err;
	enum rk_status status;

	log_begin(start);
	if (start->score != NULL)
		index_set_busy_flag(&start->score->in_index);
	session_limits_read(start->conf, &limits);
	status = prepare(start, &session.account, &err);
	if (status != RK_OK) {
		log_ev(RK_LOG_ERROR, "session.refused", LOG_S("status", rk_status_name(status)),
		    LOG_ERR(&err));
		session_refuse(start->client_fd, start->handoff.tag, status);
		_exit(0);
	}
	log_ev(RK_LOG_INFO, "session.begin", LOG_U("uid", start->grant.uid));
	session_run(&session);
	account_close(session.account);
	_exit(0);
}
