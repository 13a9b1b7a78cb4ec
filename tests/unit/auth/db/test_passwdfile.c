#include "auth/db/db.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "tests/unit/unit.h"

static char dir[] = "/tmp/rk-passwd-XXXXXX";
static char path[64];
static struct db_settings settings;
static struct db *db;
static int64_t now = 1000000;

static void
file_put(const char *name, const char *text, size_t n)
{
	char full[128];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", dir, name);
	f = fopen(full, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, n, f), n);
	fclose(f);
}

/* As an administrator should: beside it, then rename. */
static void
file_replaced(const char *text)
{
	char from[128];

	file_put("new", text, strlen(text));
	snprintf(from, sizeof(from), "%s/new", dir);
	ck_assert_int_eq(rename(from, path), 0);
	now += 1000;
}

static void
setup(void)
{
	strcpy(dir, "/tmp/rk-passwd-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/passwd", dir);
	settings = (struct db_settings){
		.title = "test",
		.path = path,
		.uid = "",
		.gid = "",
		.home = "",
		.storage = "",
		.names = { .default_domain = "", .lower = true },
	};
	log_init(-1, "test", RK_LOG_ERROR);
	if (freopen("/dev/null", "w", stderr) == NULL)
		abort();
}

static void
opened(const char *text)
{
	setup();
	if (text != NULL)
		file_replaced(text);
	ck_assert_int_eq(passwdfile_driver.open(&settings, &db, NULL), RK_OK);
}

static void
closed(void)
{
	char command[128];

	passwdfile_driver.close(db);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

struct answer {
	unsigned calls;
	enum rk_status status;
	enum scheme scheme;
	char data[STORED_MAX];
	char scram[STORED_MAX];
	bool locked;
	struct grant grant;
};
static struct answer answer;

static void
done(void *arg, uint64_t id, enum rk_status status, const struct db_user *user)
{
	struct answer *a = arg;

	ck_assert_uint_eq(id, 42);
	a->calls++;
	a->status = status;
	if (user == NULL)
		return;
	a->scheme = user->stored.scheme;
	snprintf(a->data, sizeof(a->data), "%.*s", (int)user->stored.data.n, user->stored.data.p);
	snprintf(a->scram, sizeof(a->scram), "%.*s", (int)user->scram[SCRAM_SHA_256].n,
	    user->scram[SCRAM_SHA_256].p == NULL ? "" : user->scram[SCRAM_SHA_256].p);
	a->locked = user->locked;
	a->grant = user->grant;
}

static enum rk_status
lookup(const char *name)
{
	struct username canonical;

	memset(&answer, 0, sizeof(answer));
	ck_assert_int_eq(username_make(str_from(name), &settings.names, &canonical), USERNAME_OK);
	passwdfile_driver.lookup(db, &canonical, now, done, &answer, 42);
	ck_assert_uint_eq(answer.calls, 1);
	return answer.status;
}

START_TEST(records)
{
	opened("# a comment\n"
	       "\n"
	       "alice:{PLAIN}pass:1001:1002::/home/alice::\n"
	       "Bob:{PLAIN}secret:1003:1004:Bob,,,:/home/bob:/bin/sh:storage=two "
	       "userdb_path=~/M param.line_ends=crlf  max_sessions=3\r\n"
	       "carol:!:1005:1005::/home/carol\n"
	       "dave::1006:1006::/home/dave::userdb_mail=maildir:~/Mail\n"
	       "erin:x:1007:1007::/home/erin::scram_sha_256=4096,MDEyMzQ1Njc4OWFiY2RlZg==,"
	       "uqUSh1GvuL8i83JY1mnVrH+TL9VHnef3HuBQHNGpvQU=,"
	       "1kywqmWCQH9HLTUAdcM4kiWQfXMVXmFBjj5U3NJiSu8=\n"
	       "last:{PLAIN}x:1:1::/h");
	ck_assert_int_eq(lookup("ALICE"), RK_OK);
	ck_assert_str_eq(answer.grant.user, "alice");
	ck_assert_uint_eq(answer.grant.uid, 1001);
	ck_assert_uint_eq(answer.grant.gid, 1002);
	ck_assert_str_eq(answer.grant.home, "/home/alice");
	ck_assert_int_eq(answer.scheme, SCHEME_PLAIN);
	ck_assert_str_eq(answer.data, "pass");
	ck_assert_int_eq(lookup("bob"), RK_OK);
	ck_assert_str_eq(answer.grant.storage, "two");
	ck_assert_uint_eq(answer.grant.nparams, 2);
	ck_assert_str_eq(answer.grant.params[0].key, "path");
	ck_assert_str_eq(answer.grant.params[0].value, "~/M");
	ck_assert_str_eq(answer.grant.params[1].key, "line_ends");
	ck_assert_uint_eq(answer.grant.max_sessions, 3);
	ck_assert_int_eq(lookup("carol"), RK_OK);
	ck_assert(answer.locked);
	ck_assert_int_eq(lookup("dave"), RK_OK);
	ck_assert_int_eq(answer.scheme, SCHEME_NONE);
	ck_assert_str_eq(answer.grant.params[0].value, "~/Mail");
	ck_assert_int_eq(lookup("erin"), RK_OK);
	ck_assert_int_eq(strncmp(answer.scram, "4096,MDEy", 9), 0);
	ck_assert_int_eq(lookup("last"), RK_OK);
	ck_assert_int_eq(lookup("nobody"), RK_NOTFOUND);
	ck_assert_int_eq(lookup("alic"), RK_NOTFOUND);
	closed();
}
END_TEST

START_TEST(defaults)
{
	setup();
	settings.uid = "5000";
	settings.gid = "5001";
	settings.home = "/mail/%{domain}/%{localpart}/%{user}";
	settings.storage = "main";
	settings.names.default_domain = "example.org";
	file_replaced("alice:{PLAIN}p\n%{user}:{PLAIN}p:::::: \nbob:{PLAIN}p:7:::/b/%{user}::");
	ck_assert_int_eq(passwdfile_driver.open(&settings, &db, NULL), RK_OK);
	ck_assert_int_eq(lookup("alice"), RK_OK);
	ck_assert_uint_eq(answer.grant.uid, 5000);
	ck_assert_uint_eq(answer.grant.gid, 5001);
	ck_assert_str_eq(answer.grant.home, "/mail/example.org/alice/alice@example.org");
	ck_assert_str_eq(answer.grant.storage, "main");
	ck_assert_int_eq(lookup("alice@example.org"), RK_OK);
	ck_assert_int_eq(lookup("alice@other.org"), RK_NOTFOUND);
	/* V12: what a name contains is put in once, and a record's home not at all. */
	ck_assert_int_eq(lookup("%{user}"), RK_OK);
	ck_assert_str_eq(answer.grant.home, "/mail/example.org/%{user}/%{user}@example.org");
	ck_assert_int_eq(lookup("bob"), RK_OK);
	ck_assert_str_eq(answer.grant.home, "/b/%{user}");
	closed();
}
END_TEST

START_TEST(own_ids)
{
	setup();
	settings.own_ids = true;
	file_replaced("alice:{PLAIN}p:1001:1002::/h::\nbob:{PLAIN}p::::/h::\n");
	ck_assert_int_eq(passwdfile_driver.open(&settings, &db, NULL), RK_OK);
	ck_assert_int_eq(lookup("alice"), RK_OK);
	ck_assert_uint_eq(answer.grant.uid, geteuid());
	ck_assert_int_eq(lookup("bob"), RK_OK);
	ck_assert_uint_eq(answer.grant.gid, getegid());
	closed();
}
END_TEST

START_TEST(bad_lines)
{
	static const char *const lines[] = { ":{PLAIN}p:1:1::/h", "a/b:{PLAIN}p:1:1::/h",
		"a:{NOSUCH}p:1:1::/h", "a:pass:1:1::/h", "a:{PLAIN}p:0:1::/h", "a:{PLAIN}p:1:0::/h",
		"a:{PLAIN}p:-1:1::/h", "a:{PLAIN}p:4294967295:1::/h", "a:{PLAIN}p:x:1::/h",
		"a:{PLAIN}p::1::/h", "a:{PLAIN}p:1:::/h",
		"a:{PLAIN}p:1:1::", "a:{PLAIN}p:1:1::relative", "a:{PLAIN}p:1:1::/h/../root",
		"a:{PLAIN}p:1:1::/h/./x", "a:{PLAIN}p:1:1::/h//x", "a:{PLAIN}p:1:1::/h\x01",
		"a:{PLAIN}p:1:1::/h::unknown=1", "a:{PLAIN}p:1:1::/h::noequals",
		"a:{PLAIN}p:1:1::/h::=x", "a:{PLAIN}p:1:1::/h::max_sessions=x",
		"a:{PLAIN}p:1:1::/h::mail=mbox:~/m",
		"a:{PLAIN}p:1:1::/h::mail=maildir:~/m:LAYOUT=fs",
		"a:{PLAIN}p:1:1::/h::scram_sha_1=1,2,3,4", "good:{PLAIN}p:1:1::/h",
		"GOOD:{PLAIN}p:1:1::/h", "a:{PLAIN}p:1:1::/h::storage=nosuch" };
	static const char *const storages[] = { "main" };

	setup();
	settings.storages = storages;
	settings.nstorages = 1;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char text[512];

		snprintf(text, sizeof(text), "good:{PLAIN}p:1:1::/h::storage=main\n%s\n", lines[i]);
		file_replaced(text);
		ck_assert_int_eq(passwdfile_driver.open(&settings, &db, NULL), RK_OK);
		ck_assert_msg(lookup("good") == RK_TEMP, "%s", lines[i]);
		passwdfile_driver.close(db);
	}
	file_put("passwd", "good:{PLAIN}p\0x:1:1::/h\n", 24);
	ck_assert_int_eq(passwdfile_driver.open(&settings, &db, NULL), RK_OK);
	ck_assert_int_eq(lookup("good"), RK_TEMP);
	closed();
}
END_TEST

#define ALICE "alice:{PLAIN}pass:1001:1002::/home/alice::\n"
#define BOB "bob:{PLAIN}pass:1001:1002::/home/bob::\n"

START_TEST(reload)
{
	opened(ALICE);
	ck_assert_int_eq(lookup("alice"), RK_OK);
	file_replaced(ALICE BOB);
	ck_assert_int_eq(lookup("bob"), RK_OK);
	file_replaced(BOB);
	ck_assert_int_eq(lookup("alice"), RK_NOTFOUND);
	/* Bad content, no content, a directory, a link: the last good one stays. */
	file_replaced(ALICE "carol:nonsense\n");
	ck_assert_int_eq(lookup("alice"), RK_NOTFOUND);
	ck_assert_int_eq(lookup("bob"), RK_OK);
	ck_assert_int_eq(unlink(path), 0);
	now += 1000;
	ck_assert_int_eq(lookup("bob"), RK_OK);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	now += 1000;
	ck_assert_int_eq(lookup("bob"), RK_OK);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	now += 1000;
	ck_assert_int_eq(lookup("bob"), RK_OK);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0644), 0);
	now += 1000;
	ck_assert_int_eq(lookup("bob"), RK_OK);
	ck_assert_int_eq(unlink(path), 0);
	/* And it comes back. */
	file_replaced(ALICE);
	ck_assert_int_eq(lookup("alice"), RK_OK);
	ck_assert_int_eq(lookup("bob"), RK_NOTFOUND);
	closed();
}
END_TEST

START_TEST(once_a_second)
{
	opened(ALICE);
	ck_assert_int_eq(lookup("alice"), RK_OK);
	file_replaced(BOB);
	now -= 1000; /* that file_replaced added */
	ck_assert_int_eq(lookup("bob"), RK_NOTFOUND);
	now += 999;
	ck_assert_int_eq(lookup("bob"), RK_NOTFOUND);
	now += 1;
	ck_assert_int_eq(lookup("bob"), RK_OK);
	closed();
}
END_TEST

START_TEST(absent_at_start)
{
	opened(NULL);
	ck_assert_int_eq(lookup("alice"), RK_TEMP);
	file_replaced(ALICE);
	ck_assert_int_eq(lookup("alice"), RK_OK);
	closed();
}
END_TEST

START_TEST(sample)
{
	struct stored stored;

	opened("a:{PLAIN}p:1:1::/h\n"
	       "b:$6$salt$1:1:1::/h\n"
	       "c:$6$rounds=9000$salt$2:1:1::/h\n"
	       "d:$6$other$3:1:1::/h\n"
	       "e::1:1::/h\nf::1:1::/h\ng::1:1::/h\n");
	ck_assert(passwdfile_driver.sample(db, &stored));
	ck_assert_int_eq(stored.scheme, SCHEME_CRYPT);
	ck_assert(str_is(stored.data, "$6$salt$1"));
	file_replaced("e::1:1::/h\n");
	ck_assert_int_eq(lookup("e"), RK_OK);
	ck_assert(!passwdfile_driver.sample(db, &stored));
	closed();
}
END_TEST

START_TEST(bad_settings)
{
	static const char *const paths[] = { "", "relative", "/", "/no/such/directory/passwd" };

	setup();
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		settings.path = paths[i];
		ck_assert_int_ne(passwdfile_driver.open(&settings, &db, NULL), RK_OK);
	}
	rmdir(dir);
}
END_TEST

START_TEST(many)
{
	size_t n = 20000, at = 0;
	char *text = malloc(n * 64);
	struct os_path_rule rules[DB_RULES_MAX];
	char name[32];

	for (size_t i = 0; i < n; i++)
		at += (size_t)sprintf(
		    text + at, "user%zu:{PLAIN}p%zu:%zu:1::/h/%zu\n", (i * 7919) % n, i, i + 1, i);
	opened(text);
	for (size_t i = 0; i < n; i += 97) {
		snprintf(name, sizeof(name), "user%zu", i);
		ck_assert_int_eq(lookup(name), RK_OK);
	}
	ck_assert_uint_eq(passwdfile_driver.rules(db, rules), 1);
	ck_assert_uint_eq(rules[0].access, OS_READ);
	free(text);
	closed();
}
END_TEST

UNIT_MAIN("passwdfile", records, defaults, own_ids, bad_lines, reload, once_a_second,
    absent_at_start, sample, bad_settings, many)
