#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imapd/gate/gate.h"
#include "imapd/gate/profile.h"
#include "lib/base/log.h"

static enum rk_status
lock_down(const struct gate *g, const struct conf *conf, struct rk_err *err)
{
	struct profile profile = gate_profile(g->settings.connections);
	struct lockdown how = { .mode = SANDBOX_REQUIRED };
	enum rk_status status;
	char empty[256];

	if (strcmp(conf_str(conf, NULL, "sandbox"), "best-effort") == 0)
		how.mode = SANDBOX_BEST_EFFORT;
	if ((size_t)snprintf(empty, sizeof(empty), "%s/empty", conf_str(conf, NULL, "run_dir")) >=
	    sizeof(empty))
		return rk_fail_plain(err, RK_INVALID, "run_dir is too long");
	how.empty_dir = empty;
	status = service_account(conf_str(conf, NULL, "gate.user"), &how.uid, &how.gid, err);
	if (status != RK_OK)
		return status;
	return service_lock_down(&profile, &how, err);
}

static enum rk_status
run(struct service *service, struct gate *g, struct rk_err *err)
{
	enum rk_log_level level;
	struct conf *conf = NULL;
	enum rk_status status;

	status = conf_from_fd(service->conf_fd, &conf, err);
	if (status != RK_OK)
		return status;
	if (log_level_parse(conf_str(conf, NULL, "log.level"), &level))
		log_init(SERVICE_FD_LOG, "gate", level);
	status = gate_open(g, service, conf, err);
	if (status == RK_OK)
		status = lock_down(g, conf, err);
	if (status == RK_OK)
		status = service_ready(service, err);
	if (status == RK_OK)
		status = gate_serve(g, err);
	gate_close(g);
	conf_free(conf);
	return status;
}

int
main(int argc, char *argv[])
{
	static struct gate gate;
	struct service service;
	struct rk_err err;

	if (service_init(&service, "gate", argc, argv, &err) != RK_OK)
		return EXIT_FAILURE;
	if (run(&service, &gate, &err) != RK_OK) {
		log_ev(RK_LOG_ERROR, "gate.failed", LOG_ERR(&err));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
