/*
 * What the server lends a storage driver: memory by lifetime, the log, the clock. Resolved when the
 * driver's shared object is loaded; a driver needs no library of ours.
 */
#ifndef ROOKERY_HOST_H
#define ROOKERY_HOST_H

#include <rookery/error.h>

/*
 * Memory that lives until its owner resets it. Allocation never returns NULL: when memory is out
 * the process ends (a worker is one session, and nothing acknowledged is lost by its end).
 */
struct rk_arena;

/* `size` zeroed bytes, aligned for any type. */
RK_API void *rk_arena_alloc(struct rk_arena *arena, size_t size);
/* Zeroed array of n * size bytes; an overflow ends the process. */
RK_API void *rk_arena_array(struct rk_arena *arena, size_t n, size_t size);
/* Copy of `len` bytes with a NUL behind them. */
RK_API char *rk_arena_dup(struct rk_arena *arena, const void *data, size_t len);
/* Formatted string in the arena. */
RK_API char *rk_arena_printf(struct rk_arena *arena, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

enum rk_log_level {
	RK_LOG_ERROR,
	RK_LOG_WARN,
	RK_LOG_INFO,
	RK_LOG_DEBUG,
};

/*
 * One structured line: an event name ("maildir.duplicate") and one text. Session and user are added
 * by the server; control bytes are escaped.
 */
RK_API void rk_log(enum rk_log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Milliseconds of a clock that never jumps. */
RK_API int64_t rk_clock_ms(void);

#endif
