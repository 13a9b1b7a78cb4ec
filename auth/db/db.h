/*
 * User databases. A driver answers one question: what is stored for this canonical name? The answer
 * may come at once or later (a directory, an SQL server), through a function of the caller's, so
 * that no driver ever holds up the main loop.
 */
#ifndef AUTH_DB_DB_H
#define AUTH_DB_DB_H

#include "auth/scheme.h"
#include "auth/username.h"
#include "lib/base/os_linux.h"

#define DB_RULES_MAX 4

struct db;

/* One user; valid only during the call of db_done. */
struct db_user {
	struct stored stored;
	struct str scram[SCRAM_HASHES]; /* keys beside another scheme, as in scheme.h; or empty */
	bool locked;                    /* no credential is good for this one */
	struct grant grant;
};

/* What a database section says, and what all databases share. All borrowed until close. */
struct db_settings {
	const char *title;
	const char *path;
	const char *uid, *gid; /* defaults for records without; "" = none */
	const char *home;      /* may hold %{user} %{localpart} %{domain} */
	const char *storage;
	struct username_rule names;
	bool own_ids; /* started without root: everybody has our uid and gid */
	/* Titles of the storage sections; 0: not checked. */
	const char *const *storages;
	size_t nstorages;
};

/*
 * RK_OK with *user; RK_NOTFOUND; RK_TEMP (the database can't be asked now). `id` as given: whoever
 * asked may be gone, so it is a number to look up and no pointer.
 */
typedef void (*db_done)(void *arg, uint64_t id, enum rk_status status, const struct db_user *user);

struct db_driver {
	const char *name; /* the word in rookery.conf */

	/*
	 * Opens the database before the lock-down. RK_INVALID: the settings can't work. Content
	 * that can't be read now is no failure: lookups are RK_TEMP until it can.
	 */
	enum rk_status (*open)(
	    const struct db_settings *settings, struct db **out, struct rk_err *err);

	/* What it needs to reach of the file system later on: at most DB_RULES_MAX rules into
	 * `rules`, with descriptors that stay its own. Returns how many. */
	size_t (*rules)(const struct db *db, struct os_path_rule *rules);

	/* Calls done(arg, id, …) exactly once, now or later. `now`: rk_clock_ms(). */
	void (*lookup)(struct db *db, const struct username *name, int64_t now, db_done done,
	    void *arg, uint64_t id);

	/* A stored password as costly to verify as most of its users' are: what an unknown user's
	 * password is compared with. False: it has none to show. Borrowed until the next lookup. */
	bool (*sample)(struct db *db, struct stored *out);

	void (*close)(struct db *db);
};

extern const struct db_driver passwdfile_driver;

#endif
