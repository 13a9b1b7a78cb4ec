/* The end of the process, said aloud: an impossible state, or no memory in a worker. */
#ifndef BASE_BUG_H
#define BASE_BUG_H

#include <stddef.h>

/* Logs the text with the session's id and aborts; the supervisor reports and restarts. */
_Noreturn void rk_bug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Logs that `size` bytes could not be had and aborts. Never called by the running master. */
_Noreturn void rk_out_of_memory(size_t size);

#endif
