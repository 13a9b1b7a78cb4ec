/* File names and directory names that anybody may leave in a Maildir. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "storage/drivers/maildir/maildir_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rk_arena *mem = arena_new();
	const char *text = rk_arena_dup(mem, data, size);
	const char *name, *dir, *again;
	struct maildir_name file;
	struct rk_err err;

	if (maildir_name_parse(str_of(text, size), &file) &&
	    (file.base.n == 0 || file.base.n > size || (file.flags & ~RK_FLAGS_ALL) != 0))
		abort();
	if (maildir_name_parse(str_of(text, size), &file)) {
		struct maildir_name changed;
		uint32_t flags = (uint32_t)size & RK_FLAGS_ALL;

		again = maildir_file_name(str_of(text, size), flags, size, mem);
		/* The same message with just these flags, unless the name is too long now. */
		if (maildir_name_parse(str_from(again), &changed) &&
		    (!str_eq(changed.base, file.base) || changed.flags != flags ||
			changed.keywords.bits[0] != (size & ((1u << LETTERS) - 1))))
			abort();
	}
	for (const char *separator = "/."; *separator != '\0'; separator++) {
		/* V14: one directory, one name, and back. */
		if (maildir_name_of(text, *separator, mem, &name) &&
		    !(maildir_dir_of(name, *separator, mem, &dir, &err) == RK_OK &&
			strcmp(dir, text) == 0) &&
		    !(maildir_dir_raw(name, *separator, mem, &dir, &err) == RK_OK &&
			strcmp(dir, text) == 0))
			abort();
		if (maildir_dir_of(text, *separator, mem, &dir, &err) != RK_OK)
			continue;
		if (dir[0] != '.' || strchr(dir, '/') != NULL || strcmp(dir, "..") == 0)
			abort();
		if (maildir_name_of(dir, *separator, mem, &again) && strcmp(again, text) != 0)
			abort();
	}
	arena_free(mem);
	return 0;
}
