/* One line of a passwd-file: user:password:uid:gid:gecos:home:shell:extra. */
#ifndef AUTH_DB_PASSWD_LINE_H
#define AUTH_DB_PASSWD_LINE_H

#include "auth/db/db.h"

/* The fields as they stand in the line; all borrowed. */
struct passwd_line {
	struct str user, password, uid, gid, home, extra;
};

/* What the settings come to, once: ids in numbers. */
struct passwd_defaults {
	const struct db_settings *settings;
	bool has_uid, has_gid;
	uid_t uid;
	gid_t gid;
};

/* RK_INVALID with what is wrong. */
RK_MUST_CHECK enum rk_status passwd_defaults_make(
    const struct db_settings *settings, struct passwd_defaults *out, struct rk_err *err);

/* Cuts a line (without LF) into fields. False: no user field. */
bool passwd_line_split(struct str line, struct passwd_line *out);

/*
 * Everything the line and the defaults say about `name` (the canonical form of its first field).
 * RK_INVALID: a field that is malformed, an unknown attribute, or a uid, gid or home that neither
 * the line nor the defaults give. A line that was good once stays good.
 */
RK_MUST_CHECK enum rk_status passwd_line_read(const struct passwd_line *line,
    const struct username *name, const struct passwd_defaults *defaults, struct db_user *out,
    struct rk_err *err);

#endif
