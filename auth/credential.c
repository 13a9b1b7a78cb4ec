#include "auth/request_impl.h"

#include <string.h>

#include "lib/base/log.h"
#include "lib/base/os_linux.h"

/*
 * An unknown user, a wrong password, a user without a password, a locked one: all go the same way
 * and cost the same, and only the log tells them apart. What an unknown user's password is compared
 * with is the stored password of somebody else, as costly as most in the database; the result does
 * not count, for `refuse` was set before. SCRAM for a name without keys gets a salt made of the
 * name, and keys that no proof fits.
 */

/* With no user at all there is nobody to tell apart; still, answer like everywhere. */
static const char nobody[] = "$6$rookery.dummy$";

static void
said_keep(struct request *r, struct str name)
{
	size_t n = name.n < USER_MAX ? name.n : USER_MAX;

	memcpy(r->said, name.p, n);
	r->said[n] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (r->said[i] == '\0')
			r->said[i] = '?';
	}
}

/* Looks for the user in the next database; RK_NOTFOUND after the last one. */
static void
lookup_next(struct request *r)
{
	struct authd *a = r->authd;
	struct database *d = &a->databases[r->database];

	if (r->database == a->ndatabases) {
		request_lookup_done(a, r->number, RK_NOTFOUND, NULL);
		return;
	}
	r->database++;
	d->driver->lookup(d->db, &r->name, rk_clock_ms(), request_lookup_done, a, r->number);
}

/* The name is known: makes it canonical, checks whom it wants to be, and looks it up. */
static void
identify(struct request *r, struct str user, struct str authzid)
{
	const struct username_rule *rule = &r->authd->set.names;
	struct username other;
	enum username_bin bin;

	said_keep(r, user);
	bin = username_make(user, rule, &r->name);
	/* What SASLprep or UTF-8 refuse, libgsasl refuses too: no exchange comes of it. */
	if (mech_is_scram(r->mech) && (bin == USERNAME_EMPTY || bin == USERNAME_PREP ||
					  bin == USERNAME_UTF8 || bin == USERNAME_CONTROL)) {
		request_reject(r, AUTH_REJECTED, username_bin_name(bin));
		return;
	}
	/* Being somebody else is for master users, which are not there yet. */
	if (bin != USERNAME_OK)
		r->refuse = username_bin_name(bin);
	else if (authzid.n > 0 && (username_make(authzid, rule, &other) != USERNAME_OK ||
				      strcmp(other.text, r->name.text) != 0))
		r->refuse = "authorization identity";
	r->state = REQUEST_LOOKUP;
	if (bin != USERNAME_OK)
		r->database = r->authd->ndatabases;
	lookup_next(r);
}

/* The stored password that stands in for a missing one. */
static void
stored_sample(struct request *r)
{
	struct stored sample = { .scheme = SCHEME_CRYPT, .data = STR_LIT(nobody) };
	struct authd *a = r->authd;

	for (size_t i = 0; i < a->ndatabases; i++) {
		if (a->databases[i].driver->sample(a->databases[i].db, &sample))
			break;
	}
	r->scheme = sample.scheme;
	buf_wipe(&r->stored);
	buf_reserve(&r->stored, sample.data.n);
	buf_add(&r->stored, sample.data.p, sample.data.n);
}

static struct stored
stored_of(const struct request *r)
{
	return (struct stored){
		.scheme = r->scheme,
		.data = str_of(r->stored.data, r->stored.len),
	};
}

static void
user_take(struct request *r, const struct db_user *user)
{
	r->grant = user->grant;
	if (user->locked && r->refuse == NULL)
		r->refuse = "locked";
	if (user->stored.scheme == SCHEME_NONE)
		return;
	r->known = true;
	r->scheme = user->stored.scheme;
	buf_reserve(&r->stored, user->stored.data.n);
	buf_add(&r->stored, user->stored.data.p, user->stored.data.n);
}

/* SCRAM: keys of the record, or salt and iterations for a password in clear, or inventions. */
static void
scram_answer(struct request *r, const struct db_user *user)
{
	enum scram_hash hash = mech_hash(r->mech);
	enum scheme own = hash == SCRAM_SHA_1 ? SCHEME_SCRAM_SHA_1 : SCHEME_SCRAM_SHA_256;
	struct str text = user == NULL ? STR_LIT("") : user->scram[hash];
	struct scram_keys keys;
	struct str name;
	struct buf out = BUF_INIT;
	bool complete = false;

	if (r->known && r->scheme == own)
		text = stored_of(r).data;
	if (text.n > 0)
		complete = scram_keys_parse(text, hash, &keys, NULL) == RK_OK;
	if (!complete) {
		keys = (struct scram_keys){ .iterations = r->authd->set.scram_iterations };
		keys.salt_len = SCRAM_SALT_LEN;
		name = r->name.len > 0 ? str_of(r->name.text, r->name.len) : mech_user(r->mech);
		scram_salt_of(&r->authd->salt_key, hash, name, keys.salt);
		os_random(keys.stored_key, sizeof(keys.stored_key));
		os_random(keys.server_key, sizeof(keys.server_key));
		/* Derived later from a password in clear, and as often for a name without one where
		 * most passwords are. */
		if (!r->known || r->scheme != SCHEME_PLAIN) {
			if (r->refuse == NULL)
				r->refuse = user == NULL ? "unknown user" : "no SCRAM keys";
			stored_sample(r);
		}
		complete = r->scheme != SCHEME_PLAIN;
	}
	mech_scram_salt(r->mech, &keys, complete);
	explicit_bzero(&keys, sizeof(keys));
	request_event(r, mech_resume(r->mech, &out), &out);
	buf_wipe(&out);
}

static void
queue_failed(struct request *r, const struct rk_err *err)
{
	log_ev(RK_LOG_WARN, "auth.hash_queue", LOG_ERR(err));
	request_reject(r, AUTH_UNAVAILABLE, "hash queue");
}

static void
password_verify(struct request *r)
{
	struct stored stored;
	struct rk_err err;

	if (!r->known)
		stored_sample(r);
	stored = stored_of(r);
	r->state = REQUEST_HASH;
	if (hash_pool_verify(r->authd->pool, r->number, &stored, mech_password(r->mech), &err) !=
	    RK_OK)
		queue_failed(r, &err);
}

void
request_lookup_done(void *authd, uint64_t number, enum rk_status status, const struct db_user *user)
{
	struct authd *a = authd;
	struct request *r = request_find(a->requests, number);

	if (r == NULL || r->state != REQUEST_LOOKUP)
		return;
	if (status == RK_NOTFOUND && r->database < a->ndatabases) {
		lookup_next(r);
		return;
	}
	if (status != RK_OK && status != RK_NOTFOUND) {
		request_reject(r, AUTH_UNAVAILABLE, "database");
		return;
	}
	if (user != NULL)
		user_take(r, user);
	else if (r->refuse == NULL)
		r->refuse = "unknown user";
	if (mech_is_scram(r->mech)) {
		scram_answer(r, user);
	} else if (mech_needs(r->mechanism) == MECH_NEEDS_CERTIFICATE) {
		if (r->refuse == NULL)
			request_accept(r);
		else
			request_reject(r, AUTH_REJECTED, r->refuse);
	} else {
		if (user != NULL && !r->known && r->refuse == NULL)
			r->refuse = "no password";
		password_verify(r);
	}
}

static void
keys_derive(struct request *r)
{
	struct rk_err err;

	r->state = REQUEST_HASH;
	if (hash_pool_derive(r->authd->pool, r->number, mech_hash(r->mech), mech_scram(r->mech),
		str_of(r->stored.data, r->stored.len), &err) != RK_OK)
		queue_failed(r, &err);
}

void
request_hash_done(void *authd, uint64_t number, const struct hash_answer *answer)
{
	struct authd *a = authd;
	struct request *r = request_find(a->requests, number);
	struct buf out = BUF_INIT;

	if (r == NULL || r->state != REQUEST_HASH)
		return;
	r->state = REQUEST_LOOKUP; /* the child has no part in it any more */
	if (answer->verdict == VERDICT_ERROR) {
		request_reject(r, AUTH_UNAVAILABLE, "hash");
	} else if (mech_is_scram(r->mech)) {
		size_t n = scram_hash_len(mech_hash(r->mech));

		if (answer->stored_key.n != n || answer->server_key.n != n) {
			request_reject(r, AUTH_UNAVAILABLE, "hash");
			return;
		}
		mech_scram_keys(r->mech, answer->stored_key, answer->server_key);
		request_event(r, mech_resume(r->mech, &out), &out);
		buf_wipe(&out);
	} else if (r->refuse != NULL) {
		request_reject(r, AUTH_REJECTED, r->refuse);
	} else if (answer->verdict == VERDICT_YES) {
		request_accept(r);
	} else {
		request_reject(r, AUTH_REJECTED, "wrong password");
	}
}

/* The end of PLAIN and LOGIN, where the password is still to be verified, or of EXTERNAL. */
static void
verify(struct request *r)
{
	if (mech_needs(r->mechanism) == MECH_NEEDS_CERTIFICATE)
		identify(r, str_from(r->cert_user), mech_authzid(r->mech));
	else if (mech_password(r->mech).n == 0 || mech_password(r->mech).n > PASSWORD_MAX) {
		said_keep(r, mech_user(r->mech));
		request_reject(r, AUTH_REJECTED, "length of the password");
	} else {
		identify(r, mech_user(r->mech), mech_authzid(r->mech));
	}
}

void
request_event(struct request *r, enum mech_event event, struct buf *out)
{
	switch (event) {
	case MECH_CHALLENGE:
		request_challenge(r, out);
		break;
	case MECH_LOOKUP:
		identify(r, mech_user(r->mech), mech_authzid(r->mech));
		break;
	case MECH_KEYS:
		keys_derive(r);
		break;
	case MECH_VERIFY:
		verify(r);
		break;
	case MECH_ACCEPT:
		r->final = *out;
		*out = (struct buf)BUF_INIT;
		if (r->refuse != NULL)
			request_reject(r, AUTH_REJECTED, r->refuse);
		else
			request_accept(r);
		break;
	case MECH_REJECT:
		request_reject(r, AUTH_REJECTED, r->refuse != NULL ? r->refuse : "wrong password");
		break;
	case MECH_MALFORMED:
		request_reject(r, AUTH_BAD, "malformed");
		break;
	case MECH_FAILED:
		request_reject(r, AUTH_UNAVAILABLE, "memory");
		break;
	}
}
