#include "tests/unit/imapd/session/store.h"

#include "lib/base/arena.h"
#include "tests/unit/storage/tmpdir.h"

static char root[64];
static struct conf *conf;

void
store_begin(void)
{
	struct rk_arena *mem = arena_new();
	struct conf_problems problems;
	struct rk_err err = { 0 };
	char path[100];
	FILE *f;

	tmpdir_make(root, sizeof(root));
	fake_reset();
	registry_add(&fake_driver);
	snprintf(path, sizeof(path), "%s/rookery.conf", root);
	f = fopen(path, "we");
	if (f == NULL ||
	    fputs("storage \"s\" { driver = \"fake\" path = \"/srv/mail\" }\n", f) < 0 ||
	    fclose(f) != 0 || conf_load(path, mem, &conf, &problems, &err) != RK_OK)
		abort();
	arena_free(mem);
}

struct account *
store_open(void)
{
	struct account_spec spec = { "u", "/home/u", "", NULL, 0, root };
	struct account *account = NULL;
	struct rk_err err = { 0 };

	if (account_open(conf, &spec, &account, &err) != RK_OK)
		abort();
	return account;
}

void
store_limits(struct session_limits *out)
{
	session_limits_read(conf, out);
}

void
store_end(struct account *account)
{
	account_close(account);
	conf_free(conf);
	fake_reset();
	tmpdir_remove(root);
}
