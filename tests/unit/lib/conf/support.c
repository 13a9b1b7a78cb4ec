#include "tests/unit/unit.h"
#include "tests/unit/lib/conf/support.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/arena.h"

struct loaded
load_bytes(const void *bytes, size_t n)
{
	struct loaded l = { .mem = arena_new() };
	int fd = memfd_create("rookery.conf", MFD_CLOEXEC);
	struct rk_err err = { 0 };
	char path[64];

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	l.status = conf_load(path, l.mem, &l.conf, &l.problems, &err);
	ck_assert((l.status == RK_OK) == (l.conf != NULL));
	ck_assert((l.status == RK_INVALID) == (l.problems.n > 0));
	close(fd);
	return l;
}

struct loaded
load_text(const char *text)
{
	return load_bytes(text, strlen(text));
}

void
loaded_free(struct loaded *l)
{
	conf_free(l->conf);
	arena_free(l->mem);
}
