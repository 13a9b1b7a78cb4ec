/*
 * Structured log lines. One event is one line of at most LOG_LINE_MAX bytes:
 *
 *	2026-11-24T12:00:00.123456Z level=warn event=mailbox.corrupt proc=imapd pid=77 sid=K3…
 *user=u1 remote=127.0.0.1 box=INBOX err="open x: No such file or directory"
 *
 * Keys come from docs/log-keys.txt (scripts/check-log-keys). A value is written bare when it has
 *only letters, digits and -._:/@+,; otherwise in double quotes, with `"`, `\`, control bytes and
 *bytes that are not UTF-8 as \xNN. Sent as one datagram to the inherited log socket; without one
 *(tests, early start) to standard error. Never blocks for more than a second: then the line is
 *dropped and the next one that passes says how many were lost.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <rookery/host.h>

#define LOG_LINE_MAX 2048

enum log_kind {
	LOG_KIND_NONE,
	LOG_KIND_STRING,
	LOG_KIND_BYTES,
	LOG_KIND_UNSIGNED,
	LOG_KIND_SIGNED,
	LOG_KIND_ERR,
};

struct log_kv {
	const char *key;
	enum log_kind kind;
	union {
		const char *string;
		struct rk_blob bytes;
		uint64_t u;
		int64_t i;
		const struct rk_err *err;
	} value;
};

/* clang-format off */
#define LOG_S(k, v) ((struct log_kv){ .key = (k), .kind = LOG_KIND_STRING, .value.string = (v) })
#define LOG_B(k, p, n) ((struct log_kv){ .key = (k), .kind = LOG_KIND_BYTES, .value.bytes = { (p), (n) } })
#define LOG_U(k, v) ((struct log_kv){ .key = (k), .kind = LOG_KIND_UNSIGNED, .value.u = (v) })
#define LOG_I(k, v) ((struct log_kv){ .key = (k), .kind = LOG_KIND_SIGNED, .value.i = (v) })
/* The text of a struct rk_err *, with strerror when errno had a part in it. */
#define LOG_ERR(e) ((struct log_kv){ .key = "err", .kind = LOG_KIND_ERR, .value.err = (e) })

/* log_ev(RK_LOG_WARN, "mailbox.corrupt", LOG_S("box", name), LOG_ERR(&err)) */
#define log_ev(level, event, ...) \
	log_write((level), (event), (const struct log_kv[]){ __VA_ARGS__ }, \
	    sizeof((const struct log_kv[]){ __VA_ARGS__ }) / sizeof(struct log_kv))
/* clang-format on */

void log_write(enum rk_log_level level, const char *event, const struct log_kv *kv, size_t n);

/* Line as log_write would send it, without the time stamp, for tests; at most LOG_LINE_MAX bytes.
 */
size_t log_format(char out[LOG_LINE_MAX], enum rk_log_level level, const char *event,
    const struct log_kv *kv, size_t n);

/* `fd` is the log socket (borrowed for good), -1 for standard error; `proc` is static. */
void log_init(int fd, const char *proc, enum rk_log_level level);

/* Level word ("error" "warn" "info" "debug") to level; false if it is none of them. */
bool log_level_parse(const char *word, enum rk_log_level *level_out);

/* Context added to every line from now on; copied. NULL takes it away. */
void log_set_session(const char *sid);
void log_set_user(const char *user);
void log_set_remote(const char *remote);

#endif
