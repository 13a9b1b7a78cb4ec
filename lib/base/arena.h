/* Memory by lifetime: an arena per command and per connection. Allocation: rookery/host.h. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <rookery/host.h>

/* An empty arena. Never NULL: the process ends when memory is out. */
struct rk_arena *arena_new(void);

/* Runs the clean-ups (last added first), then frees everything. NULL is fine. */
void arena_free(struct rk_arena *arena);

/* Runs the clean-ups and empties the arena, keeping one block for the next round. */
void arena_reset(struct rk_arena *arena);

/* Calls fn(ptr) when the arena is reset or freed: descriptors and locks follow the same rule. */
void arena_cleanup(struct rk_arena *arena, void (*fn)(void *ptr), void *ptr);

/* Closes `fd` when the arena is reset or freed. */
void arena_close_fd(struct rk_arena *arena, int fd);

/* Bytes held now, for budgets. */
size_t arena_used(const struct rk_arena *arena);

#endif
