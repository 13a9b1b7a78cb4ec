#include "master/backoff.h"

int64_t
backoff_exit(struct backoff *b, int64_t now, int64_t lived_ms)
{
	if (lived_ms >= BACKOFF_HEALTHY_MS)
		*b = (struct backoff){ .n = 0 };
	b->exits[b->n % BACKOFF_EXITS] = now;
	b->n++;
	/* Once slowed down, waiting itself thins the exits out: only a long life ends the delay. */
	if (b->delay_ms > 0) {
		b->delay_ms *= 2;
		if (b->delay_ms > BACKOFF_MAX_MS)
			b->delay_ms = BACKOFF_MAX_MS;
	} else if (b->n >= BACKOFF_EXITS &&
		   now - b->exits[b->n % BACKOFF_EXITS] <= BACKOFF_WINDOW_MS) {
		b->delay_ms = BACKOFF_FIRST_MS;
	}
	return b->delay_ms;
}
