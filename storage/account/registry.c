/*
 * Drivers by name. They are loaded by the spawner as root, before it forks, so a file that others
 * could have written is not loaded, nor one in a folder where they could put it.
 */
#include "storage/account/account.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/bug.h"
#include "storage/mailbox/box.h"

struct loaded {
	struct loaded *next;
	struct rk_driver driver; /* with the absent operations filled in */
};

static struct loaded *drivers;

const struct rk_driver *
registry_find(const char *driver_name)
{
	for (struct loaded *l = drivers; l != NULL; l = l->next)
		if (strcmp(l->driver.name, driver_name) == 0)
			return &l->driver;
	return NULL;
}

void
registry_add(const struct rk_driver *driver)
{
	struct loaded *l = calloc(1, sizeof(*l));

	if (l == NULL)
		rk_out_of_memory(sizeof(*l));
	l->driver = *driver;
	box_defaults(&l->driver);
	l->next = drivers;
	drivers = l;
}

/* One path component of letters, digits, `-` and `_`. */
static bool
name_good(const char *name)
{
	static const char chars[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

	return name[0] != '\0' && strlen(name) <= 64 && name[strspn(name, chars)] == '\0';
}

static enum rk_status
trusted(const char *path, mode_t type, struct rk_err *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return rk_fail(err, RK_INVALID, "%s", path);
	if ((st.st_mode & S_IFMT) != type)
		return rk_fail_plain(err, RK_INVALID, "%s is not of the right kind", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return rk_fail_plain(err, RK_INVALID, "%s belongs to another user", path);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return rk_fail_plain(err, RK_INVALID, "%s can be written by others", path);
	return RK_OK;
}

static enum rk_status
driver_load(const char *name, struct rk_arena *mem, struct rk_err *err)
{
	const char *path = rk_arena_printf(mem, "%s/%s.so", ROOKERY_DRIVERDIR, name);
	const struct rk_driver *driver;
	void *handle;
	enum rk_status status = trusted(ROOKERY_DRIVERDIR, S_IFDIR, err);

	if (status == RK_OK)
		status = trusted(path, S_IFREG, err);
	if (status != RK_OK)
		return status;
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL)
		return rk_fail_plain(err, RK_INVALID, "%s", dlerror());
	driver = dlsym(handle, RK_DRIVER_SYMBOL);
	if (driver == NULL)
		status = rk_fail_plain(err, RK_INVALID, "%s has no symbol " RK_DRIVER_SYMBOL, path);
	else
		status = box_driver_check(driver, err);
	if (status == RK_OK && strcmp(driver->name, name) != 0)
		status = rk_fail_plain(err, RK_INVALID, "%s calls itself %s", path, driver->name);
	if (status != RK_OK) {
		dlclose(handle);
		return status;
	}
	registry_add(driver);
	return RK_OK;
}

enum rk_status
registry_load(const struct conf *conf, struct rk_err *err)
{
	const struct conf_section *section = NULL;
	struct rk_arena *mem = arena_new();
	enum rk_status status = RK_OK;

	while (status == RK_OK && (section = conf_next(conf, "storage", section)) != NULL) {
		const char *name = conf_str(conf, section, "driver");
		struct rk_err why = { 0 };

		if (registry_find(name) != NULL)
			continue;
		if (!name_good(name))
			status = rk_fail_plain(&why, RK_INVALID, "bad driver name \"%s\"", name);
		else
			status = driver_load(name, mem, &why);
		if (status != RK_OK)
			status = rk_fail_plain(
			    err, RK_INVALID, "storage \"%s\": %s", conf_title(section), why.text);
	}
	arena_free(mem);
	return status;
}
