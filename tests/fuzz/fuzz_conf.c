/* Any bytes as rookery.conf and as a packed configuration; what is accepted must read back equal.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct conf *
load(struct rk_arena *mem, const void *bytes, size_t n)
{
	int fd = memfd_create("rookery.conf", MFD_CLOEXEC);
	struct conf_problems problems;
	struct conf *conf;
	char path[64];

	(void)!write(fd, bytes, n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if ((conf_load(path, mem, &conf, &problems, NULL) == RK_OK) != (problems.n == 0))
		abort();
	close(fd);
	return conf;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf printed = BUF_INIT, packed = BUF_INIT, again = BUF_INIT;
	struct rk_arena *mem = arena_new();
	struct conf *conf, *copy, *reread;

	if (conf_unpack(data, size, &conf, NULL) == RK_OK)
		conf_free(conf);
	conf = load(mem, data, size);
	if (conf != NULL) {
		conf_pack(conf, &packed);
		if (conf_unpack(packed.data, packed.len, &copy, NULL) != RK_OK)
			abort();
		conf_print(copy, &printed);
		if ((reread = load(mem, printed.data, printed.len)) == NULL)
			abort();
		conf_print(reread, &again);
		if (strcmp(printed.data, again.data) != 0)
			abort();
		conf_free(reread);
		conf_free(copy);
	}
	conf_free(conf);
	buf_clear(&printed);
	buf_clear(&packed);
	buf_clear(&again);
	arena_free(mem);
	return 0;
}
