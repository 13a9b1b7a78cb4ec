#include "auth/db/passwd_line.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/ipc/service.h"

/* (uid_t)-1 means "unchanged" to the kernel, and 0 is nobody's mail. */
static bool
id_parse(struct str text, uint32_t *out)
{
	return str_u32(text, out) && *out != 0 && *out != UINT32_MAX;
}

enum rk_status
passwd_defaults_make(
    const struct db_settings *settings, struct passwd_defaults *out, struct rk_err *err)
{
	enum rk_status status;
	uint32_t id;
	gid_t other_gid;
	uid_t other_uid;

	*out = (struct passwd_defaults){ .settings = settings };
	if (settings->own_ids) {
		out->has_uid = out->has_gid = true;
		out->uid = geteuid();
		out->gid = getegid();
		return RK_OK;
	}
	if (settings->uid[0] != '\0') {
		out->has_uid = true;
		if (id_parse(str_from(settings->uid), &id)) {
			out->uid = id;
		} else {
			status = service_account(settings->uid, &out->uid, &other_gid, err);
			if (status != RK_OK)
				return status;
		}
	}
	if (settings->gid[0] != '\0') {
		out->has_gid = true;
		if (id_parse(str_from(settings->gid), &id)) {
			out->gid = id;
		} else {
			status = service_account(settings->gid, &other_uid, &out->gid, err);
			if (status != RK_OK)
				return status;
		}
	}
	if ((out->has_uid && out->uid == 0) || (out->has_gid && out->gid == 0))
		return rk_fail_plain(err, RK_INVALID, "uid or gid 0 is nobody's mail");
	return RK_OK;
}

bool
passwd_line_split(struct str line, struct passwd_line *out)
{
	struct str ignored;

	*out = (struct passwd_line){ .user = STR_LIT("") };
	/* The last field takes what is left: a value in it may hold a colon. */
	if (!str_split(&line, ':', &out->user))
		return false;
	(void)(str_split(&line, ':', &out->password) && str_split(&line, ':', &out->uid) &&
	       str_split(&line, ':', &out->gid) && str_split(&line, ':', &ignored) &&
	       str_split(&line, ':', &out->home) && str_split(&line, ':', &ignored));
	out->extra = line;
	return out->user.n > 0;
}

static enum rk_status
ids_read(const struct passwd_line *line, const struct passwd_defaults *defaults,
    struct grant *grant, struct rk_err *err)
{
	bool own = defaults->settings->own_ids;
	uint32_t uid = defaults->uid, gid = defaults->gid;

	if (line->uid.n > 0 && !id_parse(line->uid, &uid))
		return rk_fail_plain(err, RK_INVALID, "the uid is no number above 0");
	if (line->gid.n > 0 && !id_parse(line->gid, &gid))
		return rk_fail_plain(err, RK_INVALID, "the gid is no number above 0");
	if ((line->uid.n == 0 && !defaults->has_uid) || (line->gid.n == 0 && !defaults->has_gid))
		return rk_fail_plain(err, RK_INVALID,
		    "no uid or gid, and database '%s' has no default for it",
		    defaults->settings->title);
	grant->uid = own ? defaults->uid : uid;
	grant->gid = own ? defaults->gid : gid;
	return RK_OK;
}

/* Absolute, without `.` or `..` or empty parts, without control bytes. */
static bool
home_valid(const char *home)
{
	struct str rest = str_from(home), part;

	if (home[0] != '/')
		return false;
	for (const char *p = home; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	}
	rest.p++;
	rest.n--;
	while (str_split(&rest, '/', &part)) {
		if (str_is(part, ".") || str_is(part, "..") || (part.n == 0 && rest.n > 0))
			return false;
	}
	return true;
}

/* The value of `%{word}`; NULL if there is no such word. What is put in is never expanded again. */
static const char *
word_value(struct str word, const struct username *name, char local[USER_MAX + 1])
{
	if (str_is(word, "user"))
		return name->text;
	if (str_is(word, "domain"))
		return username_domain(name);
	if (!str_is(word, "localpart"))
		return NULL;
	memcpy(local, name->text, name->local);
	local[name->local] = '\0';
	return local;
}

static bool
append(char *out, size_t size, size_t *at, const char *bytes, size_t n)
{
	if (n >= size - *at)
		return false;
	memcpy(out + *at, bytes, n);
	*at += n;
	out[*at] = '\0';
	return true;
}

static enum rk_status
home_expand(
    const char *text, const struct username *name, char *out, size_t size, struct rk_err *err)
{
	char local[USER_MAX + 1];
	size_t at = 0;

	out[0] = '\0';
	while (*text != '\0') {
		size_t n = strcspn(text, "%");
		const char *end, *value;

		if (!append(out, size, &at, text, n))
			return rk_fail_plain(err, RK_INVALID, "the home is too long");
		text += n;
		if (*text == '\0')
			break;
		end = text[1] == '{' ? strchr(text, '}') : NULL;
		value = end == NULL
		            ? NULL
		            : word_value(str_of(text + 2, (size_t)(end - text) - 2), name, local);
		if (value == NULL)
			return rk_fail_plain(err, RK_INVALID,
			    "home: only %%{user} %%{localpart} %%{domain} are known");
		if (value[0] == '\0')
			return rk_fail_plain(err, RK_INVALID, "home: the name has no domain");
		if (!append(out, size, &at, value, strlen(value)))
			return rk_fail_plain(err, RK_INVALID, "the home is too long");
		text = end + 1;
	}
	return RK_OK;
}

static enum rk_status
home_read(const struct passwd_line *line, const struct username *name,
    const struct passwd_defaults *defaults, struct grant *grant, struct rk_err *err)
{
	enum rk_status status = RK_OK;

	if (line->home.n >= sizeof(grant->home))
		return rk_fail_plain(err, RK_INVALID, "the home is too long");
	if (line->home.n > 0) {
		memcpy(grant->home, line->home.p, line->home.n);
		grant->home[line->home.n] = '\0';
	} else if (defaults->settings->home[0] == '\0') {
		return rk_fail_plain(err, RK_INVALID,
		    "no home, and database '%s' has no default for it", defaults->settings->title);
	} else {
		status = home_expand(
		    defaults->settings->home, name, grant->home, sizeof(grant->home), err);
	}
	if (status == RK_OK && !home_valid(grant->home))
		status = rk_fail_plain(err, RK_INVALID, "the home is no plain absolute path");
	return status;
}

static bool
copy_text(struct str value, char *out, size_t size)
{
	if (value.n >= size || memchr(value.p, '\0', value.n) != NULL)
		return false;
	memcpy(out, value.p, value.n);
	out[value.n] = '\0';
	return true;
}

static enum rk_status
storage_set(
    struct str value, const struct db_settings *settings, struct grant *grant, struct rk_err *err)
{
	if (!copy_text(value, grant->storage, sizeof(grant->storage)))
		return rk_fail_plain(err, RK_INVALID, "the name of the storage is too long");
	if (settings->nstorages == 0 || value.n == 0)
		return RK_OK;
	for (size_t i = 0; i < settings->nstorages; i++) {
		if (strcmp(settings->storages[i], grant->storage) == 0)
			return RK_OK;
	}
	return rk_fail_plain(err, RK_INVALID, "there is no storage \"%s\"", grant->storage);
}

static enum rk_status
param_add(struct str key, struct str value, struct grant *grant, struct rk_err *err)
{
	struct grant_param *p = &grant->params[grant->nparams];

	if (grant->nparams == GRANT_PARAMS_MAX)
		return rk_fail_plain(
		    err, RK_INVALID, "more than %d storage parameters", GRANT_PARAMS_MAX);
	if (key.n == 0 || !copy_text(key, p->key, sizeof(p->key)) ||
	    !copy_text(value, p->value, sizeof(p->value)))
		return rk_fail_plain(err, RK_INVALID, "a storage parameter is too long");
	grant->nparams++;
	return RK_OK;
}

/* Dovecot's "maildir:~/Maildir"; its options behind another colon have no equal here. */
static enum rk_status
mail_set(struct str value, struct grant *grant, struct rk_err *err)
{
	static const char maildir[] = "maildir:";
	struct str path;

	if (!str_starts(value, maildir))
		return rk_fail_plain(err, RK_INVALID, "mail= knows only maildir:PATH");
	path = str_of(value.p + sizeof(maildir) - 1, value.n - (sizeof(maildir) - 1));
	if (path.n == 0 || memchr(path.p, ':', path.n) != NULL)
		return rk_fail_plain(err, RK_INVALID, "mail= knows only maildir:PATH");
	return param_add(STR_LIT("path"), path, grant, err);
}

static enum rk_status
scram_set(struct str value, enum scram_hash hash, struct db_user *out, struct rk_err *err)
{
	struct scram_keys keys;
	enum rk_status status = scram_keys_parse(value, hash, &keys, err);

	explicit_bzero(&keys, sizeof(keys));
	if (status == RK_OK)
		out->scram[hash] = value;
	return status;
}

static enum rk_status
attribute_set(struct str key, struct str value, const struct db_settings *settings,
    struct db_user *out, struct rk_err *err)
{
	struct grant *grant = &out->grant;

	if (str_starts(key, "userdb_"))
		key = str_of(key.p + 7, key.n - 7);
	if (str_is(key, "storage"))
		return storage_set(value, settings, grant, err);
	if (str_is(key, "mail"))
		return mail_set(value, grant, err);
	if (str_is(key, "path") || str_is(key, "separator"))
		return param_add(key, value, grant, err);
	if (str_starts(key, "param."))
		return param_add(str_of(key.p + 6, key.n - 6), value, grant, err);
	if (str_is(key, "scram_sha_1"))
		return scram_set(value, SCRAM_SHA_1, out, err);
	if (str_is(key, "scram_sha_256"))
		return scram_set(value, SCRAM_SHA_256, out, err);
	if (str_is(key, "max_sessions") && str_u32(value, &grant->max_sessions))
		return RK_OK;
	if (str_is(key, "max_sessions_per_address") && str_u32(value, &grant->max_sessions_per_ip))
		return RK_OK;
	return rk_fail_plain(err, RK_INVALID, "unknown attribute or bad value: %.*s",
	    (int)(key.n < 40 ? key.n : 40), key.p);
}

static enum rk_status
extra_read(
    struct str extra, const struct db_settings *settings, struct db_user *out, struct rk_err *err)
{
	enum rk_status status = RK_OK;
	struct str word, key;

	while (status == RK_OK && str_split(&extra, ' ', &word)) {
		if (word.n == 0)
			continue;
		if (!str_split(&word, '=', &key) || key.n == 0)
			return rk_fail_plain(err, RK_INVALID, "an attribute without a name");
		status = attribute_set(key, word, settings, out, err);
	}
	return status;
}

enum rk_status
passwd_line_read(const struct passwd_line *line, const struct username *name,
    const struct passwd_defaults *defaults, struct db_user *out, struct rk_err *err)
{
	const struct db_settings *settings = defaults->settings;
	enum rk_status status;

	*out = (struct db_user){ .locked = line->password.n > 0 && line->password.p[0] == '!' };
	memcpy(out->grant.user, name->text, name->len + 1);
	status = stored_parse(line->password, &out->stored, err);
	if (status == RK_OK)
		status = storage_set(str_from(settings->storage), settings, &out->grant, err);
	if (status == RK_OK)
		status = ids_read(line, defaults, &out->grant, err);
	if (status == RK_OK)
		status = home_read(line, name, defaults, &out->grant, err);
	if (status == RK_OK)
		status = extra_read(line->extra, settings, out, err);
	return status;
}
