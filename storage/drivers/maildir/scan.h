/* What files stand in cur/ and new/, read in spite of programs that rename them meanwhile. */
#ifndef MAILDIR_SCAN_H
#define MAILDIR_SCAN_H

#include "storage/drivers/maildir/maildir_impl.h"

struct scan_file {
	struct maildir_name name;
	const char *file; /* whole file name */
	bool in_cur;
};

struct scan {
	struct scan_file *files; /* each base once */
	size_t n;
	size_t cap;
	uint32_t *table; /* hash by base: index + 1 */
	size_t table_size;
	struct rk_arena *mem;
	bool stable; /* nothing was renamed while we read: what is not here is not there */
	struct stat cur, new;
};

/* Files of both directories. Directories that change under the scan are read again, at most five
 * times; what any of the rounds saw is kept, and `stable` is false if the last one was disturbed
 * too. */
RK_MUST_CHECK enum rk_status scan_read(
    struct rk_box *box, struct rk_arena *mem, struct scan *out, struct rk_err *err);

#endif
