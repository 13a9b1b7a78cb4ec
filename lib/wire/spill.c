#include "lib/wire/spill.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/bug.h"
#include "lib/base/file.h"

enum rk_status
spill_begin(struct spill *s, size_t position, struct rk_err *err)
{
	if (s->fd < 0)
		s->fd = memfd_create("append", MFD_CLOEXEC);
	if (s->fd < 0)
		return rk_fail(err, RK_TEMP, "a file in memory");
	if (s->n == s->cap) {
		size_t cap = s->cap == 0 ? 4 : s->cap * 2;
		struct spilled *list = realloc(s->list, cap * sizeof(*list));

		if (list == NULL)
			rk_out_of_memory(cap * sizeof(*list));
		s->list = list;
		s->cap = cap;
	}
	s->list[s->n++] = (struct spilled){ .position = position, .offset = s->end };
	s->last = '\0';
	return RK_OK;
}

enum rk_status
spill_add(struct spill *s, const char *bytes, size_t n, struct rk_err *err)
{
	const char *p = bytes, *end = bytes + n;
	struct buf whole = BUF_INIT;
	enum rk_status status;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		char before;

		if (lf == NULL)
			break;
		before = lf > bytes ? lf[-1] : s->last;
		buf_add(&whole, p, (size_t)(lf - p));
		buf_add(&whole, before == '\r' ? "\n" : "\r\n", before == '\r' ? 1 : 2);
		p = lf + 1;
	}
	buf_add(&whole, p, (size_t)(end - p));
	status = whole.len > 0 ? file_write(s->fd, whole.data, whole.len, err) : RK_OK;
	s->end += whole.len;
	s->list[s->n - 1].size += whole.len;
	if (n > 0)
		s->last = bytes[n - 1];
	buf_clear(&whole);
	return status;
}

void
spill_clear(struct spill *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->list);
	*s = (struct spill)SPILL_INIT;
}

const struct spilled *
spill_find(const struct spill *s, size_t position)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->list[i].position == position)
			return &s->list[i];
	}
	return NULL;
}
