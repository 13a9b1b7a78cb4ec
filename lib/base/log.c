#include "lib/base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/utf8.h"

/* A single value may not push the others out of the line. */
#define VALUE_MAX 512

struct line {
	char *p;
	size_t len;
};

static struct {
	int fd;
	const char *proc;
	enum rk_log_level level;
	char session[40];
	char user[256];
	char remote[80];
	uint64_t lost;
} state = { .fd = -1, .proc = "rookery", .level = RK_LOG_INFO };

static const char *const level_names[] = { "error", "warn", "info", "debug" };

void
log_init(int fd, const char *proc, enum rk_log_level level)
{
	state.fd = fd;
	state.proc = proc;
	state.level = level;
	/* glibc opens /etc/localtime at the first time stamp, even one in UTC: no sandboxed process
	 * may do that, so it is done now. */
	tzset();
}

bool
log_level_parse(const char *word, enum rk_log_level *level_out)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (strcasecmp(word, level_names[i]) == 0) {
			*level_out = (enum rk_log_level)i;
			return true;
		}
	}
	return false;
}

static void
context_set(char *dst, size_t size, const char *value)
{
	snprintf(dst, size, "%s", value == NULL ? "" : value);
}

void
log_set_session(const char *sid)
{
	context_set(state.session, sizeof(state.session), sid);
}

void
log_set_user(const char *user)
{
	context_set(state.user, sizeof(state.user), user);
}

void
log_set_remote(const char *remote)
{
	context_set(state.remote, sizeof(state.remote), remote);
}

/* Adds bytes as they are; what does not fit is cut. One byte stays free for the line end. */
static void
line_raw(struct line *l, const char *bytes, size_t n)
{
	size_t room = LOG_LINE_MAX - 1 - l->len;

	if (n > room)
		n = room;
	memcpy(l->p + l->len, bytes, n);
	l->len += n;
}

static bool
is_bare(const unsigned char *p, size_t n)
{
	if (n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool word = (p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'z') ||
		            (p[i] >= 'A' && p[i] <= 'Z');

		if (!word && (p[i] == '\0' || strchr("-._:/@+,", p[i]) == NULL))
			return false;
	}
	return true;
}

/* Room is checked before each piece so that an escape or a UTF-8 sequence is never cut in two. */
static void
line_quoted(struct line *l, const unsigned char *p, size_t n)
{
	size_t i = 0;

	line_raw(l, "\"", 1);
	while (i < n && LOG_LINE_MAX - l->len > 8) {
		size_t seq = utf8_sequence(p + i, n - i);

		if (seq == 0 || (seq == 1 && (p[i] < 0x20 || p[i] == 0x7f)) || p[i] == '"' ||
		    p[i] == '\\' || (seq == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0)) {
			char esc[5];

			snprintf(esc, sizeof(esc), "\\x%02x", p[i]);
			line_raw(l, esc, 4);
			i++;
			continue;
		}
		line_raw(l, (const char *)p + i, seq);
		i += seq;
	}
	line_raw(l, "\"", 1);
}

static void
line_value(struct line *l, const void *value, size_t n)
{
	const unsigned char *p = value;

	if (n > VALUE_MAX) {
		n = VALUE_MAX;
		while (n > VALUE_MAX - 4 && (p[n] & 0xc0) == 0x80)
			n--;
	}
	if (is_bare(p, n))
		line_raw(l, value, n);
	else
		line_quoted(l, p, n);
}

static void
line_key(struct line *l, const char *key)
{
	if (l->len > 0)
		line_raw(l, " ", 1);
	line_raw(l, key, strlen(key));
	line_raw(l, "=", 1);
}

static void
line_string(struct line *l, const char *key, const char *value)
{
	line_key(l, key);
	line_value(l, value, strlen(value));
}

static void
line_err(struct line *l, const char *key, const struct rk_err *err)
{
	char text[VALUE_MAX];

	if (err->sys_errno != 0)
		snprintf(text, sizeof(text), "%s: %s", err->text, strerror(err->sys_errno));
	else
		snprintf(text, sizeof(text), "%s", err->text);
	line_string(l, key, text);
}

static void
line_pair(struct line *l, const struct log_kv *kv)
{
	char number[24];

	switch (kv->kind) {
	case LOG_KIND_NONE:
		break;
	case LOG_KIND_STRING:
		line_string(l, kv->key, kv->value.string == NULL ? "" : kv->value.string);
		break;
	case LOG_KIND_BYTES:
		line_key(l, kv->key);
		line_value(l, kv->value.bytes.data == NULL ? "" : kv->value.bytes.data,
		    kv->value.bytes.len);
		break;
	case LOG_KIND_UNSIGNED:
		snprintf(number, sizeof(number), "%llu", (unsigned long long)kv->value.u);
		line_string(l, kv->key, number);
		break;
	case LOG_KIND_SIGNED:
		snprintf(number, sizeof(number), "%lld", (long long)kv->value.i);
		line_string(l, kv->key, number);
		break;
	case LOG_KIND_ERR:
		line_err(l, kv->key, kv->value.err);
		break;
	}
}

static void
line_body(
    struct line *l, enum rk_log_level level, const char *event, const struct log_kv *kv, size_t n)
{
	line_string(l, "level", level_names[level]);
	line_string(l, "event", event);
	line_string(l, "proc", state.proc);
	line_pair(l, &LOG_I("pid", getpid()));
	if (state.session[0] != '\0')
		line_string(l, "sid", state.session);
	if (state.user[0] != '\0')
		line_string(l, "user", state.user);
	if (state.remote[0] != '\0')
		line_string(l, "remote", state.remote);
	if (state.lost > 0)
		line_pair(l, &LOG_U("lost", state.lost));
	for (size_t i = 0; i < n; i++)
		line_pair(l, &kv[i]);
}

size_t
log_format(char out[LOG_LINE_MAX], enum rk_log_level level, const char *event,
    const struct log_kv *kv, size_t n)
{
	struct line l = { .p = out };

	line_body(&l, level, event, kv, n);
	l.p[l.len] = '\0';
	return l.len;
}

static void
line_time(struct line *l)
{
	struct timespec now;
	struct tm tm;
	char stamp[48];
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(stamp + n, sizeof(stamp) - n, ".%06ldZ", now.tv_nsec / 1000);
	line_raw(l, stamp, n);
}

/* False: the line is lost. A full socket is waited for, but never for more than a second. */
static bool
line_send(const struct line *l)
{
	struct pollfd pfd = { .fd = state.fd, .events = POLLOUT };

	if (state.fd < 0)
		return write(STDERR_FILENO, l->p, l->len) == (ssize_t)l->len;
	for (int tries = 0; tries < 2; tries++) {
		ssize_t sent = send(state.fd, l->p, l->len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent >= 0)
			return true;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != ENOBUFS)
			return false;
		if (poll(&pfd, 1, 1000) <= 0)
			return false;
	}
	return false;
}

void
log_write(enum rk_log_level level, const char *event, const struct log_kv *kv, size_t n)
{
	char bytes[LOG_LINE_MAX];
	struct line l = { .p = bytes };
	int saved = errno;

	if (level > state.level)
		return;
	line_time(&l);
	line_body(&l, level, event, kv, n);
	l.p[l.len++] = '\n';
	if (line_send(&l))
		state.lost = 0;
	else
		state.lost++;
	errno = saved;
}

void
rk_log(enum rk_log_level level, const char *event, const char *fmt, ...)
{
	char text[VALUE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_ev(level, event, LOG_S("text", text));
}

int64_t
rk_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
