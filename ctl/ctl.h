/* The parts of rookeryctl: one file per family of sub-commands, one way to ask the master. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "lib/base/buf.h"
#include "lib/ipc/proto.h"

enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1, /* refused, or it did not work */
	CTL_USAGE = 2,
	CTL_NOT_RUNNING = 3,
};

#define CTL_FIELDS_MAX 64

struct ctl_field {
	const char *key;
	const char *value;
	bool number;
};

struct ctl_row {
	struct ctl_field *fields;
	size_t n;
};

/* What the master answered; everything lives in the arena given to ctl_ask. */
struct ctl_answer {
	struct ctl_row *rows;
	size_t n;
	enum rk_status status;
	const char *text;
};

struct ctl {
	const char *socket_path;
	bool json;
	struct rk_arena *mem;
};

/* Asks and collects the answer. An error text goes to standard error. `seconds` is how long nothing
 * may come. */
enum ctl_exit ctl_ask(
    const struct ctl *ctl, const char *verb, const char *arg, int seconds, struct ctl_answer *out);

/* The value of a field, "" if the row has none. */
const char *ctl_value(const struct ctl_row *row, const char *key);

/* The outcome: as JSON {"ok":…,"text":…} or as text; returns the exit code for it. */
enum ctl_exit ctl_outcome(const struct ctl *ctl, const struct ctl_answer *answer, const char *done);
/* One JSON document {"name":[rows]} . */
enum ctl_exit ctl_rows_json(const struct ctl_answer *answer, const char *name);
/* Prints text that others chose: control bytes are shown as \xNN. Padded to `width`. */
void ctl_print(const char *text, int width);
/* Writes the buffer to standard output and frees it. */
enum ctl_exit ctl_write(struct buf *out);

/* The sub-commands. */
enum ctl_exit cmd_status(const struct ctl *ctl);
enum ctl_exit cmd_who(const struct ctl *ctl);
enum ctl_exit cmd_kick(const struct ctl *ctl, const char *whom);
enum ctl_exit cmd_reload(const struct ctl *ctl);
enum ctl_exit cmd_stop(const struct ctl *ctl);

#endif
