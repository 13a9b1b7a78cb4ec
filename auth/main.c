#include <event2/event.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/control.h"
#include "auth/profile.h"
#include "auth/request.h"
#include "lib/base/log.h"
#include "lib/base/os_linux.h"
#include "lib/conf/conf.h"

/*
 * authd: verifies credentials and mints the one-time tickets that the spawner redeems. It alone
 * knows stored passwords; it never touches mail.
 *
 * The order of the start matters. The forker of the hash children comes first, before any secret is
 * in memory that it would inherit. Then everything that needs root is opened: the directories of
 * the passwd-files, and STATE/auth/scram.key. Then the process locks itself down, and only then
 * does the master join it with a gate.
 */

#define PENALTY_PREFIXES 131072 /* at 64 bytes and a bucket: 9 MiB */
#define TICKETS_MAX 32768
#define REQUESTS_MIN 4096
#define CHILDREN_MAX 64
#define STORAGES_MAX 64

static const struct db_driver *const drivers[] = {
	&passwdfile_driver,
};

struct start {
	struct service service;
	struct conf *conf;
	struct lockdown how;
	char empty_dir[4096];
	int forker;
	const char *storages[STORAGES_MAX];
	size_t nstorages;
};

static void
settings_read(struct authd *a, const struct conf *conf)
{
	struct auth_settings *set = &a->set;
	size_t n = conf_list_len(conf, NULL, "auth.mechanisms");
	int64_t connections = conf_int(conf, NULL, "gate.connections_per_process");

	set->names.default_domain = conf_str(conf, NULL, "auth.default_domain");
	set->names.lower = strcmp(conf_str(conf, NULL, "auth.username_case"), "lower") == 0;
	set->grid_ms = conf_int(conf, NULL, "auth.failure_grid_ms");
	set->scram_iterations = (uint32_t)conf_int(conf, NULL, "auth.scram_iterations");
	set->requests_per_peer =
	    (uint32_t)(connections > REQUESTS_MIN ? connections : REQUESTS_MIN);
	for (size_t i = 0; i < n && i < MECHANISMS_MAX; i++) {
		const char *name = conf_list_at(conf, NULL, "auth.mechanisms", i);

		set->mechanisms[set->nmechanisms++] = name;
		if (mech_needs(name) == MECH_NEEDS_BINDING)
			set->plus_offered = true;
		if (mech_needs(name) == MECH_UNKNOWN)
			log_ev(RK_LOG_ERROR, "auth.mechanism", LOG_S("mechanism", name));
	}
}

/* What a SCRAM client of an unknown user sees changes with the key: better a key of this start than
 * no logins, but say so. */
static void
salt_key_load(struct authd *a, const struct conf *conf)
{
	struct rk_err err;

	if (scram_salt_key_load(conf_str(conf, NULL, "state_dir"), &a->salt_key, &err) == RK_OK)
		return;
	log_ev(RK_LOG_WARN, "auth.scram_key", LOG_ERR(&err));
	scram_salt_key_random(&a->salt_key);
}

static const struct db_driver *
driver_find(const char *name)
{
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		if (strcmp(drivers[i]->name, name) == 0)
			return drivers[i];
	}
	return NULL;
}

static enum rk_status
database_open(
    struct authd *a, const struct start *s, const struct conf_section *section, struct rk_err *err)
{
	struct db_settings settings = {
		.title = conf_title(section),
		.path = conf_str(s->conf, section, "path"),
		.uid = conf_str(s->conf, section, "uid"),
		.gid = conf_str(s->conf, section, "gid"),
		.home = conf_str(s->conf, section, "home"),
		.storage = conf_str(s->conf, section, "storage"),
		.names = a->set.names,
		.own_ids = geteuid() != 0,
		.storages = s->storages,
		.nstorages = s->nstorages,
	};
	struct database *d = &a->databases[a->ndatabases];
	enum rk_status status;

	if (a->ndatabases == DATABASES_MAX)
		return rk_fail_plain(err, RK_LIMIT, "more than %d databases", DATABASES_MAX);
	d->driver = driver_find(conf_str(s->conf, section, "driver"));
	if (d->driver == NULL)
		return rk_fail_plain(
		    err, RK_INVALID, "database '%s' has an unknown driver", settings.title);
	status = d->driver->open(&settings, &d->db, err);
	if (status == RK_OK)
		a->ndatabases++;
	return status;
}

static enum rk_status
databases_open(struct authd *a, struct start *s, struct rk_err *err)
{
	const struct conf_section *section = NULL;
	enum rk_status status = RK_OK;

	while ((section = conf_next(s->conf, "storage", section)) != NULL &&
	       s->nstorages < STORAGES_MAX)
		s->storages[s->nstorages++] = conf_title(section);
	section = NULL;
	while (status == RK_OK && (section = conf_next(s->conf, "database", section)) != NULL)
		status = database_open(a, s, section, err);
	if (status == RK_OK && a->ndatabases == 0)
		log_ev(RK_LOG_ERROR, "auth.no_database");
	return status;
}

static uint32_t
children_wanted(const struct conf *conf)
{
	int64_t n = conf_int(conf, NULL, "auth.hash_processes");

	if (n <= 0)
		n = sysconf(_SC_NPROCESSORS_ONLN);
	if (n <= 0)
		n = 1;
	return (uint32_t)(n < CHILDREN_MAX ? n : CHILDREN_MAX);
}

static enum rk_status
objects_make(struct authd *a, const struct start *s, struct rk_err *err)
{
	const struct conf *conf = s->conf;
	struct hash_setup hash = {
		.forker_fd = s->forker,
		.children = children_wanted(conf),
		.queue = (uint32_t)conf_int(conf, NULL, "auth.hash_queue"),
		.done = request_hash_done,
		.arg = a,
	};
	enum rk_status status;

	a->base = event_base_new();
	if (a->base == NULL)
		return rk_fail_plain(err, RK_TEMP, "the event loop does not start");
	status = mech_lib_new(&a->mechs, err);
	if (status == RK_OK)
		status = penalty_new(PENALTY_PREFIXES,
		    conf_int(conf, NULL, "auth.penalty_max_seconds") * 1000,
		    conf_int(conf, NULL, "auth.penalty_forget_seconds") * 1000, &a->penalty, err);
	if (status == RK_OK)
		status = mint_new(TICKETS_MAX, s->service.generation,
		    conf_int(conf, NULL, "auth.ticket_seconds") * 1000, &a->mint, err);
	if (status == RK_OK)
		status = requests_new(a, &a->requests, err);
	if (status == RK_OK)
		status = links_new(a, &a->links, err);
	if (status == RK_OK)
		status = hash_pool_new(a->base, &hash, &a->pool, err);
	return status;
}

/* The sandbox without the rules for files, which the forker must not have. */
static enum rk_status
lockdown_prepare(struct start *s, struct rk_err *err)
{
	bool required = strcmp(conf_str(s->conf, NULL, "sandbox"), "required") == 0;

	s->how.mode = required ? SANDBOX_REQUIRED : SANDBOX_BEST_EFFORT;
	snprintf(
	    s->empty_dir, sizeof(s->empty_dir), "%s/empty", conf_str(s->conf, NULL, "run_dir"));
	s->how.empty_dir = s->empty_dir;
	return service_account(conf_str(s->conf, NULL, "auth.user"), &s->how.uid, &s->how.gid, err);
}

static enum rk_status
lock_down(struct authd *a, struct start *s, struct rk_err *err)
{
	struct os_path_rule rules[DATABASES_MAX * DB_RULES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < a->ndatabases; i++)
		n += a->databases[i].driver->rules(a->databases[i].db, rules + n);
	s->how.rules = rules;
	s->how.nrules = n;
	return service_lock_down(&authd_profile, &s->how, err);
}

static enum rk_status
authd_open(struct authd *a, struct start *s, struct rk_err *err)
{
	enum rk_log_level level;
	enum rk_status status;

	status = conf_from_fd(s->service.conf_fd, &s->conf, err);
	if (status != RK_OK)
		return status;
	if (log_level_parse(conf_str(s->conf, NULL, "log.level"), &level))
		log_init(SERVICE_FD_LOG, "authd", level);
	status = lockdown_prepare(s, err);
	if (status == RK_OK)
		status = hash_forker_start(&s->how, &s->forker, err);
	if (status != RK_OK)
		return status;
#ifdef M_PERTURB
	/* libgsasl and libcrypt free what held a password without wiping it: have free() do it. */
	mallopt(M_PERTURB, 0xa5);
#endif
	settings_read(a, s->conf);
	os_random(a->attempt_key, sizeof(a->attempt_key));
	salt_key_load(a, s->conf);
	status = databases_open(a, s, err);
	if (status == RK_OK)
		status = objects_make(a, s, err);
	if (status == RK_OK)
		status = lock_down(a, s, err);
	return status;
}

static void
authd_close(struct authd *a)
{
	links_free(a->links);
	requests_free(a->requests);
	hash_pool_free(a->pool);
	mint_free(a->mint);
	penalty_free(a->penalty);
	mech_lib_free(a->mechs);
	for (size_t i = 0; i < a->ndatabases; i++)
		a->databases[i].driver->close(a->databases[i].db);
	event_base_free(a->base);
	explicit_bzero(a, sizeof(*a));
}

int
main(int argc, char **argv)
{
	static struct authd a;
	static struct start s;
	struct control *control = NULL;
	bool failed;
	struct rk_err err;

	if (service_init(&s.service, "authd", argc, argv, &err) != RK_OK)
		return EXIT_FAILURE;
	if (authd_open(&a, &s, &err) != RK_OK ||
	    control_new(&a, &s.service, &control, &err) != RK_OK ||
	    service_ready(&s.service, &err) != RK_OK) {
		log_ev(RK_LOG_ERROR, "service.start", LOG_ERR(&err));
		return EXIT_FAILURE;
	}
	event_base_dispatch(a.base);
	failed = control_failed(control);
	if (failed)
		log_ev(RK_LOG_ERROR, "auth.hash_broken", LOG_S("reason", "no hash child is left"));
	control_free(control);
	authd_close(&a);
	conf_free(s.conf);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
