/*
 * Where log lines end: standard error, syslog or a file. A write never waits for long and never
 * ends the process; a line that could not be written is counted, and the next one that can be is
 * preceded by a line that says how many are missing.
 */
#ifndef LOG_SINK_H
#define LOG_SINK_H

#include <rookery/error.h>

#include <sys/types.h>

enum sink_kind { SINK_STDERR, SINK_SYSLOG, SINK_FILE };

struct sink {
	enum sink_kind kind;
	int fd; /* -1: not open now */
	const char *path;
	dev_t dev; /* of the open file */
	ino_t ino;
	int64_t checked_ms; /* when the path was last compared with the open file */
	bool torn;          /* the last write stopped inside a line */
	bool complained;    /* about a file that can't be opened again */
	uint64_t written;
	uint64_t lost;     /* all that were not written */
	uint64_t lost_now; /* of these, not yet said */
};

/* `target` is "stderr", "syslog" or an absolute path (borrowed). A file is made if missing, 0640,
 * and then given to `uid` and `gid`, so that it can be opened again later without privilege. */
RK_MUST_CHECK enum rk_status sink_open(
    struct sink *s, const char *target, uid_t uid, gid_t gid, struct rk_err *err);
void sink_close(struct sink *s);

/* Writes one line (with or without its LF); `now` is rk_clock_ms(). */
void sink_line(struct sink *s, const char *line, size_t n, int64_t now);

/* Opens the file anew if the path names another one by now; at most once a second unless `force`.
 * When that fails the old file is kept. */
void sink_check(struct sink *s, int64_t now, bool force);

#endif
