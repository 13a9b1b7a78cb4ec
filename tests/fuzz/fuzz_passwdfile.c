/* Content of a passwd-file: loaded whole, then every name in it is looked up. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/db/db.h"
#include "lib/base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/rk-fuzz-XXXXXX", path[64];

static void
done(void *arg, uint64_t id, enum rk_status status, const struct db_user *user)
{
	(void)arg;
	(void)id;
	if (status == RK_TEMP || (status == RK_OK && user->grant.home[0] != '/'))
		abort(); /* what was loaded can be read */
}

static void
directory_remove(void)
{
	unlink(path);
	rmdir(dir);
}

static void
directory_make(void)
{
	if (mkdtemp(dir) == NULL || atexit(directory_remove) != 0)
		abort();
	snprintf(path, sizeof(path), "%s/passwd", dir);
	log_init(open("/dev/null", O_WRONLY), "fuzz", RK_LOG_ERROR);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct db_settings settings = { .title = "f",
		.path = path,
		.uid = "7",
		.gid = "7",
		.home = "/h/%{localpart}",
		.storage = "",
		.names = { "", true } };
	struct str rest = str_of(data, size), line, user;
	struct stored sample;
	struct username name;
	struct db *db;
	FILE *f;

	if (path[0] == '\0')
		directory_make();
	f = fopen(path, "w");
	if (f == NULL || fwrite(data, 1, size, f) != size || fclose(f) != 0 ||
	    passwdfile_driver.open(&settings, &db, NULL) != RK_OK)
		abort();
	while (passwdfile_driver.sample(db, &sample) && str_split(&rest, '\n', &line)) {
		if (str_split(&line, ':', &user) &&
		    username_make(user, &settings.names, &name) == USERNAME_OK)
			passwdfile_driver.lookup(db, &name, 0, done, NULL, 1);
	}
	passwdfile_driver.close(db);
	return 0;
}
