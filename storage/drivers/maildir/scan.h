/* What files stand in cur/ and new/, read in spite of programs that rename them meanwhile. */
#ifndef MAILDIR_SCAN_H
#define MAILDIR_SCAN_H

#include "storage/drivers/maildir/maildir_impl.h"

struct scan_file {
	struct maildir_name name;
	const char *file; /* whole file name */
	unsigned round;   /* of the scan that saw it last */
	bool in_cur;
};

struct scan {
	struct scan_file *files; /* each base once */
	size_t n;
	size_t cap;
	uint32_t *table; /* hash by base: index + 1 */
	size_t table_size;
	struct rk_arena *mem;
	unsigned round;
	bool moved;           /* a directory changed during the last round */
	bool recent;          /* or so short before it that its time can't tell */
	bool stable;          /* neither: what is not here is not there */
	char duplicate[256];  /* a base that two different files have, "" if there is none */
	struct stat cur, new; /* all 0: there is no new/ */
};

/* Files of both directories. Directories that change under the scan are read again, at most five
 * times; what any of the rounds saw is kept, and `stable` is false if the last one was disturbed
 * too. */
RK_MUST_CHECK enum rk_status scan_read(
    struct rk_box *box, struct rk_arena *mem, struct scan *out, struct rk_err *err);

/* Looks at the directories once more: a change since the scan makes it unstable. A UID in a list
 * that was read before this may else belong to a file that came after the scan. */
RK_MUST_CHECK enum rk_status scan_confirm(struct scan *s, struct rk_box *box, struct rk_err *err);

/* The file with this base; NULL: none was seen. */
const struct scan_file *scan_find(const struct scan *s, struct str base);

#endif
