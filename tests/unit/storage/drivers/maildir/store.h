/* A Maildir in a temporary directory, opened through the driver's own table. */
#ifndef TESTS_MAILDIR_STORE_H
#define TESTS_MAILDIR_STORE_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "storage/drivers/maildir/maildir_impl.h"

#define QUICK_LOCK_MS 100

extern const struct rk_driver rookery_driver;

struct store {
	char root[64];
	struct rk_account *account;
	struct rk_box *box;
	struct rk_arena *mem;
	struct rk_delta delta;
	struct rk_blob state;
	struct rk_err err;
};

static inline void
store_reopen(struct store *s, bool readonly)
{
	struct rk_param path = { "path", s->root };
	struct rk_account_conf conf = { .user = "u",
		.home = "",
		.params = &path,
		.nparams = 1,
		.separator = '/',
		.lock_timeout_ms = QUICK_LOCK_MS,
		.readonly = readonly };

	if (s->box != NULL)
		rookery_driver.box_close(s->box);
	if (s->account != NULL)
		rookery_driver.account_close(s->account);
	ck_assert_int_eq(rookery_driver.account_open(&conf, &s->account, &s->err), RK_OK);
	ck_assert_int_eq(rookery_driver.box_open(s->account, "INBOX", &s->box, &s->err), RK_OK);
	s->state = (struct rk_blob){ NULL, 0 };
}

static inline void
store_open(struct store *s)
{
	memset(s, 0, sizeof(*s));
	strcpy(s->root, "/tmp/test-maildir-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(s->root));
	s->mem = arena_new();
	store_reopen(s, false);
}

static inline void
store_close(struct store *s)
{
	char command[128];

	rookery_driver.box_close(s->box);
	rookery_driver.account_close(s->account);
	arena_free(s->mem);
	snprintf(command, sizeof(command), "rm -rf '%s'", s->root);
	ck_assert_int_eq(system(command), 0);
}

static inline const char *
store_path(struct store *s, const char *name)
{
	return rk_arena_printf(s->mem, "%s/%s", s->root, name);
}

static inline void
store_put(struct store *s, const char *name, const char *bytes)
{
	int fd = open(store_path(s, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
	close(fd);
}

static inline const char *
store_get(struct store *s, const char *name)
{
	char *bytes = rk_arena_alloc(s->mem, 65536);
	int fd = open(store_path(s, name), O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(read(fd, bytes, 65535), 0);
	close(fd);
	return bytes;
}

static inline void
store_move(struct store *s, const char *from, const char *to)
{
	ck_assert_int_eq(rename(store_path(s, from), store_path(s, to)), 0);
}

static inline enum rk_status
store_try(struct store *s)
{
	enum rk_status status = rookery_driver.sync(s->box, s->state, s->mem, &s->delta, &s->err);

	if (status == RK_OK)
		s->state = s->delta.state;
	return status;
}

static inline void
store_sync(struct store *s)
{
	enum rk_status status = store_try(s);

	ck_assert_msg(status == RK_OK, "sync: %s: %s", rk_status_name(status), s->err.text);
}

#endif
