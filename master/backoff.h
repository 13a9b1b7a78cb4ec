/*
 * When to start a child again. A single death: at once. Five within ten seconds: after a second,
 * and twice as long each time up to a minute, until one has lived for a minute.
 */
#ifndef MASTER_BACKOFF_H
#define MASTER_BACKOFF_H

#include <stdint.h>

#define BACKOFF_EXITS 5
#define BACKOFF_WINDOW_MS 10000
#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MAX_MS 60000
#define BACKOFF_HEALTHY_MS 60000

/* Zero-initialise. */
struct backoff {
	int64_t exits[BACKOFF_EXITS]; /* times of the last ones, as a ring */
	unsigned n;                   /* exits counted since the last reset */
	int64_t delay_ms;
};

/* Notes an exit at `now` of a child that lived for `lived_ms` (0: it could not even be started) and
 * returns how long to wait, in milliseconds. */
int64_t backoff_exit(struct backoff *b, int64_t now, int64_t lived_ms);

#endif
