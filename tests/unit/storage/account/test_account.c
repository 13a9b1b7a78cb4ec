#include "tests/unit/unit.h"

#include <time.h>

#include "lib/base/arena.h"
#include "storage/account/account.h"
#include "storage/account/match.h"
#include "tests/unit/storage/fake_driver.h"
#include "tests/unit/storage/tmpdir.h"

static char root[64];
static struct rk_arena *mem;
static struct conf *conf;

/* A real configuration, so that the options are the ones there are. */
static void
conf_make(const char *text)
{
	char path[100];
	struct conf_problems problems;
	struct rk_err err = { 0 };
	FILE *f;

	snprintf(path, sizeof(path), "%s/rookery.conf", root);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	ck_assert_msg(conf_load(path, mem, &conf, &problems, &err) == RK_OK, "%s", err.text);
}

static void
setup(const char *text)
{
	mem = arena_new();
	tmpdir_make(root, sizeof(root));
	fake_reset();
	registry_add(&fake_driver);
	conf_make(text);
}

static void
teardown(void)
{
	conf_free(conf);
	arena_free(mem);
	tmpdir_remove(root);
}

static struct account *
opened(void)
{
	struct account_spec spec = { "u", "/home/u", "", NULL, 0, root };
	struct account *account = NULL;
	struct rk_err err = { 0 };

	ck_assert_msg(account_open(conf, &spec, &account, &err) == RK_OK, "%s", err.text);
	return account;
}

#define ONE "storage \"s\" { driver = \"fake\" path = \"/srv/mail\" }\n"

START_TEST(names)
{
	static const struct {
		const char *given;
		const char *canonical; /* NULL: RK_INVALID */
	} rows[] = {
		{ "INBOX", "INBOX" },
		{ "inbox", "INBOX" },
		{ "InBoX/Sub", "INBOX/Sub" },
		{ "inboxes", "inboxes" },
		{ "a/inbox", "a/inbox" },
		{ "R\xc3\xa9sum\xc3\xa9/x", "R\xc3\xa9sum\xc3\xa9/x" },
		{ "a.b", "a.b" },
		{ "...", "..." },
		{ "~root", "~root" },
		{ "", NULL },
		{ "/a", NULL },
		{ "a/", NULL },
		{ "a//b", NULL },
		{ ".", NULL },
		{ "a/../b", NULL },
		{ "a/.", NULL },
		{ "a\tb", NULL },
		{ "a\x7f", NULL },
		{ "a\xc2\x85", NULL },
		{ "\xc0\xae\xc0\xae", NULL },
		{ "\xff", NULL },
	};

	mem = arena_new();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *name = NULL;
		enum rk_status status = account_name(str_from(rows[i].given), mem, &name, NULL);

		if (rows[i].canonical == NULL)
			ck_assert_msg(status == RK_INVALID, "row %zu", i);
		else
			ck_assert_str_eq(name, rows[i].canonical);
	}
	arena_free(mem);
}
END_TEST

START_TEST(names_at_their_bounds)
{
	char part[300], deep[100] = "";
	const char *name;

	mem = arena_new();
	memset(part, 'x', sizeof(part));
	ck_assert_int_eq(account_name(str_of(part, 255), mem, &name, NULL), RK_OK);
	ck_assert_int_eq(account_name(str_of(part, 256), mem, &name, NULL), RK_INVALID);
	ck_assert_int_eq(account_name(str_of("a\0b", 3), mem, &name, NULL), RK_INVALID);
	for (int i = 0; i < RK_NAME_DEPTH_MAX; i++)
		strcat(deep, i == 0 ? "d" : "/d");
	ck_assert_int_eq(account_name(str_from(deep), mem, &name, NULL), RK_OK);
	strcat(deep, "/d");
	ck_assert_int_eq(account_name(str_from(deep), mem, &name, NULL), RK_INVALID);
	arena_free(mem);
}
END_TEST

/* The obvious matcher, slow on purpose, to hold the fast one against. */
static bool
slow_match(const char *p, const char *s)
{
	if (*p == '\0')
		return *s == '\0';
	if (*p == '*' || *p == '%') {
		if (slow_match(p + 1, s))
			return true;
		return *s != '\0' && (*p == '*' || *s != '/') && slow_match(p, s + 1);
	}
	return *p == *s && slow_match(p + 1, s + 1);
}

START_TEST(patterns_match_as_the_definition_says)
{
	static const char alphabet[] = "ab/*%";
	uint32_t seed = 1;

	mem = arena_new();
	for (int i = 0; i < 60000; i++) {
		char pattern[9], name[9];
		size_t np, nn, cut;

		seed = seed * 1664525 + 1013904223;
		np = seed >> 29;
		seed = seed * 1664525 + 1013904223;
		nn = seed >> 29;
		for (size_t k = 0; k < np; k++) {
			seed = seed * 1664525 + 1013904223;
			pattern[k] = alphabet[(seed >> 16) % 5];
		}
		for (size_t k = 0; k < nn; k++) {
			seed = seed * 1664525 + 1013904223;
			name[k] = alphabet[(seed >> 16) % 3];
		}
		pattern[np] = name[nn] = '\0';
		cut = np / 2;
		arena_reset(mem);
		ck_assert_msg(match_name(match_new(str_of(pattern, cut),
					     str_of(pattern + cut, np - cut), mem),
				  str_from(name)) == slow_match(pattern, name),
		    "\"%s\" and \"%s\"", pattern, name);
	}
	arena_free(mem);
}
END_TEST

START_TEST(inbox_matches_in_any_case)
{
	static const struct {
		const char *pattern;
		const char *name;
		bool yes;
	} rows[] = {
		{ "inbox", "INBOX", true },
		{ "InB%", "INBOX", true },
		{ "inbox/%", "INBOX/a", true },
		{ "INBOX", "INBOX", true },
		{ "inboxes", "INBOXES", false },
		{ "work", "WORK", false },
		{ "inbox/A", "INBOX/a", false },
	};

	mem = arena_new();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(match_name(match_new(STR_LIT(""), str_from(rows[i].pattern), mem),
				  str_from(rows[i].name)) == rows[i].yes,
		    "row %zu", i);
	arena_free(mem);
}
END_TEST

/* V08: 64 wildcards over 100,000 names of 255 bytes. */
START_TEST(wildcards_cost_linear_time)
{
	static const char *const units[] = { "%*", "%a", "*a", "%a*a" };
	char name[256];

	mem = arena_new();
	memset(name, 'a', 255);
	name[254] = 'b';
	for (size_t u = 0; u < 4; u++) {
		char pattern[300] = "";
		struct match *m;
		unsigned hits = 0;

		for (size_t i = 0; i < 64 / (u == 0 || u == 3 ? 2 : 1); i++)
			strcat(pattern, units[u]);
		strcat(pattern, "c");
		m = match_new(STR_LIT(""), str_from(pattern), mem);
#ifndef __SANITIZE_ADDRESS__
		clock_t start = clock();
#endif
		for (int i = 0; i < 100000; i++)
			hits += match_name(m, str_of(name, 255));
		ck_assert_uint_eq(hits, 0);
#ifndef __SANITIZE_ADDRESS__
		ck_assert_int_le((clock() - start) / (CLOCKS_PER_SEC / 1000), 5000);
#endif
	}
	arena_free(mem);
}
END_TEST

static char *
listed(struct account *account, const char *reference, const char *pattern, bool subscribed)
{
	struct str patterns[1] = { str_from(pattern) };
	struct list_query query = { .reference = str_from(reference),
		.patterns = patterns,
		.npatterns = 1,
		.subscribed = subscribed };
	struct list_result result;
	static const char letters[] = "sim-cnxS"; /* in the order of enum list_attr */
	char *out = rk_arena_printf(mem, "%s", "");

	ck_assert_int_eq(account_list(account, &query, mem, &result, NULL), RK_OK);
	for (size_t i = 0; i < result.n; i++) {
		char attrs[9];
		size_t n = 0;

		for (size_t b = 0; b < 8; b++)
			if ((result.rows[i].attrs & 1u << b) != 0)
				attrs[n++] = letters[b];
		attrs[n] = '\0';
		out = rk_arena_printf(
		    mem, "%s%s%s:%s", out, i > 0 ? " " : "", result.rows[i].name, attrs);
	}
	return out;
}

START_TEST(list_is_a_tree)
{
	struct account *account;

	setup(ONE);
	fake_box_add("work");
	fake_box_add("work-old");
	fake_box_add("work/a");
	fake_box_add("lists/c/deep"); /* nobody listed what is above it */
	fake_level_add("area");
	fake_box_add("area/b");
	fake_box_add("../etc"); /* no name of ours */
	fake_subscribe("work");
	fake_subscribe("gone/x");
	account = opened();
	ck_assert_str_eq(listed(account, "", "*", false),
	    "INBOX:n area:sc area/b:n lists:sc lists/c:sc lists/c/deep:n work:cS work/a:n "
	    "work-old:n");
	ck_assert_str_eq(
	    listed(account, "", "%", false), "INBOX:n area:sc lists:sc work:cS work-old:n");
	ck_assert_str_eq(listed(account, "work/", "%", false), "work/a:n");
	ck_assert_str_eq(listed(account, "", "inbox", false), "INBOX:n");
	ck_assert_str_eq(listed(account, "", "*", true), "gone/x:xS work:cS");
	ck_assert_str_eq(listed(account, "", "none", false), "");
	account_close(account);
	teardown();
}
END_TEST

START_TEST(mailboxes_and_status)
{
	struct account *account;
	struct index_info info;
	struct fake_box *box;
	struct mailbox *mb;

	setup(ONE);
	box = fake_box_add("a");
	fake_msg_add_as(box, 0, "x\ny\n", RK_EOL_LF, false);
	fake_msg_add(box, RK_FLAG_SEEN, "x\r\n");
	account = opened();
	ck_assert_int_eq(account_mailbox(account, "none", &mb, NULL), RK_NOTFOUND);
	ck_assert_int_eq(account_status(account, "a", false, mem, &info, NULL), RK_OK);
	ck_assert_uint_eq(info.messages, 2);
	ck_assert_uint_eq(info.unseen, 1);
	ck_assert_uint_eq(info.unknown_sizes, 1);
	ck_assert_int_eq(account_status(account, "a", true, mem, &info, NULL), RK_OK);
	ck_assert_uint_eq(info.unknown_sizes, 0);
	ck_assert_uint_eq(info.size, 6 + 3);
	ck_assert_int_eq(account_status(account, "none", false, mem, &info, NULL), RK_NOTFOUND);
	account_close(account);
	teardown();
}
END_TEST

START_TEST(the_users_parameters_win)
{
	struct rk_param own[] = { { "path", "/mine" } };
	struct account_spec spec = { "u", "/home/u", "s", NULL, 0, root };
	const char *const *paths;

	setup(ONE);
	ck_assert_int_eq(account_paths(conf, &spec, mem, &paths, NULL), RK_OK);
	ck_assert_str_eq(paths[0], "/srv/mail");
	spec.params = own;
	spec.nparams = 1;
	ck_assert_int_eq(account_paths(conf, &spec, mem, &paths, NULL), RK_OK);
	ck_assert_str_eq(paths[0], "/mine");
	spec.storage = "nowhere";
	ck_assert_int_eq(account_paths(conf, &spec, mem, &paths, NULL), RK_INVALID);
	teardown();
}
END_TEST

START_TEST(drivers_that_are_missing_are_named)
{
	struct rk_err err = { 0 };

	setup("storage \"s\" { driver = \"fake\" }\nstorage \"t\" { driver = \"nosuch\" }\n");
	ck_assert_int_eq(registry_load(conf, &err), RK_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "\"t\""));
	ck_assert_ptr_nonnull(registry_find("fake"));
	ck_assert_ptr_null(registry_find("nosuch"));
	ck_assert_ptr_nonnull(registry_find("fake")->append);
	teardown();
}
END_TEST

UNIT_MAIN("account", names, names_at_their_bounds, patterns_match_as_the_definition_says,
    inbox_matches_in_any_case, wildcards_cost_linear_time, list_is_a_tree, mailboxes_and_status,
    the_users_parameters_win, drivers_that_are_missing_are_named)
