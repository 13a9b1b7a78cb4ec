/* A configuration file from a text, without a file system. */
#ifndef TESTS_CONF_SUPPORT_H
#define TESTS_CONF_SUPPORT_H

#include "lib/conf/conf_impl.h"

struct loaded {
	struct rk_arena *mem;
	struct conf *conf; /* NULL if there were mistakes */
	struct conf_problems problems;
	enum rk_status status;
};

/* Loads `n` bytes as a file; loaded_free when done. */
struct loaded load_bytes(const void *bytes, size_t n);
struct loaded load_text(const char *text);
void loaded_free(struct loaded *l);

#endif
