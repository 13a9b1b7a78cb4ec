#include "storage/account/account.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/bug.h"
#include "storage/account/account_impl.h"

/* The section's settings, then the user's: the later one wins. */
static void
params_fill(const struct conf *conf, const struct conf_section *section,
    const struct account_spec *spec, struct rk_arena *mem, struct rk_account_conf *out)
{
	size_t listed = conf_list_len(conf, section, "params");
	struct rk_param *params = rk_arena_array(mem, 1 + listed + spec->nparams, sizeof(*params));
	size_t n = 0;

	params[n++] = (struct rk_param){ "path", conf_str(conf, section, "path") };
	for (size_t i = 0; i < listed; i++) {
		const char *text = conf_list_at(conf, section, "params", i);
		const char *equals = strchr(text, '=');

		/* The configuration's check has refused others. */
		if (equals == NULL)
			continue;
		params[n].key = rk_arena_dup(mem, text, (size_t)(equals - text));
		params[n++].value = equals + 1;
	}
	for (size_t i = 0; i < spec->nparams; i++)
		params[n++] = spec->params[i];
	out->params = params;
	out->nparams = n;
}

static enum rk_status
spec_resolve(const struct conf *conf, const struct account_spec *spec, struct rk_arena *mem,
    const struct rk_driver **driver_out, struct rk_account_conf *out, struct rk_err *err)
{
	const struct conf_section *section = spec->storage[0] == '\0'
	                                         ? conf_next(conf, "storage", NULL)
	                                         : conf_find(conf, "storage", spec->storage);
	const char *name;

	if (section == NULL)
		return rk_fail_plain(err, RK_INVALID, "there is no storage \"%s\"", spec->storage);
	name = conf_str(conf, section, "driver");
	*driver_out = registry_find(name);
	if (*driver_out == NULL)
		return rk_fail_plain(err, RK_INVALID, "driver %s is not loaded", name);
	memset(out, 0, sizeof(*out));
	out->user = spec->user;
	out->home = spec->home;
	out->separator = conf_str(conf, section, "separator")[0];
	out->lock_timeout_ms = (uint32_t)conf_int(conf, section, "lock_seconds") * 1000;
	params_fill(conf, section, spec, mem, out);
	return RK_OK;
}

enum rk_status
account_paths(const struct conf *conf, const struct account_spec *spec, struct rk_arena *mem,
    const char *const **out, struct rk_err *err)
{
	const struct rk_driver *driver;
	struct rk_account_conf account_conf;
	enum rk_status status = spec_resolve(conf, spec, mem, &driver, &account_conf, err);

	return status == RK_OK ? driver->account_paths(&account_conf, mem, out, err) : status;
}

enum rk_status
account_open(const struct conf *conf, const struct account_spec *spec, struct account **out,
    struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	struct account *account = calloc(1, sizeof(*account));
	struct rk_account_conf account_conf;
	struct index_options options = { .dir = spec->index_dir };
	enum rk_status status;

	if (account == NULL)
		rk_out_of_memory(sizeof(*account));
	status = spec_resolve(conf, spec, mem, &account->driver, &account_conf, err);
	if (status == RK_OK)
		status = account->driver->account_open(&account_conf, &account->store, err);
	if (status == RK_OK) {
		options.lock_timeout_ms = account_conf.lock_timeout_ms;
		status = index_open(&options, &account->index, err);
		if (status != RK_OK)
			account->driver->account_close(account->store);
	}
	if (status == RK_OK)
		*out = account;
	else
		free(account);
	arena_free(mem);
	return status;
}

void
account_close(struct account *account)
{
	if (account == NULL)
		return;
	index_close(account->index);
	account->driver->account_close(account->store);
	free(account);
}

enum rk_status
account_mailbox(struct account *account, const char *name, struct mailbox **out, struct rk_err *err)
{
	return mailbox_open(account->driver, account->store, account->index, name, out, err);
}

enum rk_status
account_synced(struct account *account, const char *name, struct mailbox **out, struct rk_err *err)
{
	bool changed;
	enum rk_status status = account_mailbox(account, name, out, err);

	if (status != RK_OK)
		return status;
	status = mailbox_sync(*out, &changed, err);
	if (status != RK_OK)
		mailbox_close(*out);
	return status;
}

static enum rk_status
recent_count(struct mailbox *mb, uint32_t *out, struct rk_err *err)
{
	struct uidset uids = UIDSET_INIT;
	uint32_t first;
	enum rk_status status = mailbox_recent(mb, false, &first, err);

	if (status == RK_OK && mailbox_writable(mb))
		status = mailbox_uids(mb, &uids, err);
	if (status == RK_OK && uids.n > 0 && first > 1)
		uidset_remove(&uids, 1, first - 1);
	*out = uidset_count(&uids);
	uidset_clear(&uids);
	return status;
}

enum rk_status
account_status(struct account *account, const char *name, unsigned need, struct rk_arena *mem,
    struct index_info *out, struct rk_err *err)
{
	struct mailbox *mb;
	enum rk_status status = account_synced(account, name, &mb, err);

	if (status != RK_OK)
		return status;
	status = mailbox_info(mb, mem, out, err);
	if (status == RK_OK && (need & STATUS_NEED_SIZE) != 0 && out->unknown_sizes > 0) {
		status = mailbox_sizes(mb, err);
		if (status == RK_OK)
			status = mailbox_info(mb, mem, out, err);
	}
	if (status == RK_OK && (need & STATUS_NEED_RECENT) != 0)
		status = recent_count(mb, &out->recent, err);
	mailbox_close(mb);
	return status;
}
