#include "lib/base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/bug.h"
#include "lib/base/checked.h"

#define BLOCK_SIZE ((size_t)8192)
#define ALIGN (_Alignof(max_align_t))

struct block {
	struct block *next;
	size_t size;
	size_t used;
	max_align_t data[];
};

struct cleanup {
	struct cleanup *next;
	void (*fn)(void *ptr);
	void *ptr;
};

struct rk_arena {
	struct block *blocks; /* the one we allocate from first */
	struct cleanup *cleanups;
	size_t held;
};

static struct block *
block_new(size_t size)
{
	struct block *b;
	size_t total;

	if (!size_add(size, sizeof(*b), &total))
		rk_bug("arena: allocation of %zu bytes", size);
	b = calloc(1, total);
	if (b == NULL)
		rk_out_of_memory(total);
	b->size = size;
	return b;
}

struct rk_arena *
arena_new(void)
{
	struct rk_arena *arena = calloc(1, sizeof(*arena));

	if (arena == NULL)
		rk_out_of_memory(sizeof(*arena));
	return arena;
}

static void
cleanups_run(struct rk_arena *arena)
{
	struct cleanup *c;

	while ((c = arena->cleanups) != NULL) {
		arena->cleanups = c->next;
		c->fn(c->ptr);
	}
}

static void
blocks_free(struct block *b)
{
	while (b != NULL) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
}

void
arena_free(struct rk_arena *arena)
{
	if (arena == NULL)
		return;
	cleanups_run(arena);
	blocks_free(arena->blocks);
	free(arena);
}

void
arena_reset(struct rk_arena *arena)
{
	struct block *b = arena->blocks;
	struct block *keep = NULL;

	cleanups_run(arena);
	while (b != NULL) {
		struct block *next = b->next;

		if (keep == NULL && b->size == BLOCK_SIZE)
			keep = b;
		else
			free(b);
		b = next;
	}
	if (keep != NULL) {
		memset(keep->data, 0, keep->used);
		keep->used = 0;
		keep->next = NULL;
	}
	arena->blocks = keep;
	arena->held = 0;
}

void *
rk_arena_alloc(struct rk_arena *arena, size_t size)
{
	struct block *b = arena->blocks;
	size_t need;
	void *p;

	if (!size_add(size, ALIGN - 1, &need))
		rk_bug("arena: allocation of %zu bytes", size);
	need &= ~(ALIGN - 1);
	if (need == 0)
		need = ALIGN;
	if (b == NULL || b->size - b->used < need) {
		struct block *fresh = block_new(need > BLOCK_SIZE / 4 ? need : BLOCK_SIZE);

		/* A large block must not hide the room left in the current one. */
		if (b != NULL && fresh->size != BLOCK_SIZE) {
			fresh->next = b->next;
			b->next = fresh;
		} else {
			fresh->next = b;
			arena->blocks = fresh;
		}
		b = fresh;
	}
	p = (char *)b->data + b->used;
	b->used += need;
	arena->held += need;
	return p;
}

void *
rk_arena_array(struct rk_arena *arena, size_t n, size_t size)
{
	size_t total;

	if (!size_mul(n, size, &total))
		rk_bug("arena: array of %zu times %zu bytes", n, size);
	return rk_arena_alloc(arena, total);
}

char *
rk_arena_dup(struct rk_arena *arena, const void *data, size_t len)
{
	char *p;
	size_t total;

	if (!size_add(len, 1, &total))
		rk_bug("arena: copy of %zu bytes", len);
	p = rk_arena_alloc(arena, total);
	if (len > 0)
		memcpy(p, data, len);
	return p;
}

char *
rk_arena_printf(struct rk_arena *arena, const char *fmt, ...)
{
	va_list ap, again;
	char *p;
	int len;

	va_start(ap, fmt);
	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	if (len < 0)
		rk_bug("arena: bad format '%s'", fmt);
	p = rk_arena_alloc(arena, (size_t)len + 1);
	vsnprintf(p, (size_t)len + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return p;
}

void
arena_cleanup(struct rk_arena *arena, void (*fn)(void *ptr), void *ptr)
{
	struct cleanup *c = rk_arena_alloc(arena, sizeof(*c));

	c->fn = fn;
	c->ptr = ptr;
	c->next = arena->cleanups;
	arena->cleanups = c;
}

static void
fd_close(void *ptr)
{
	close((int)(intptr_t)ptr);
}

void
arena_close_fd(struct rk_arena *arena, int fd)
{
	arena_cleanup(arena, fd_close, (void *)(intptr_t)fd);
}

size_t
arena_used(const struct rk_arena *arena)
{
	return arena->held;
}
