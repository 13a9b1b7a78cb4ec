#include "storage/drivers/maildir/attrs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/crc32c.h"

#define HEAD "rookery-attributes 1 "
#define HEAD_LEN (sizeof(HEAD) - 1 + 8 + 1) /* with the sum and its LF */

/* The bytes behind the first line; false if its sum is not theirs. */
static bool
sum_check(struct str *bytes)
{
	char sum[9];

	if (bytes->n < HEAD_LEN || !str_starts(*bytes, HEAD))
		return false;
	snprintf(sum, sizeof(sum), "%08x",
	    (unsigned)crc32c(0, bytes->p + HEAD_LEN, bytes->n - HEAD_LEN));
	if (memcmp(bytes->p + HEAD_LEN - 9, sum, 8) != 0 || bytes->p[HEAD_LEN - 1] != '\n')
		return false;
	*bytes = str_of(bytes->p + HEAD_LEN, bytes->n - HEAD_LEN);
	return true;
}

static bool
bytes_take(struct str *rest, uint64_t n, struct str *out)
{
	if (n > rest->n)
		return false;
	*out = str_of(rest->p, (size_t)n);
	*rest = str_of(rest->p + n, rest->n - (size_t)n);
	return true;
}

static bool
attr_parse(struct str *rest, struct attr *out)
{
	struct str line, word;
	uint64_t uid, name, value;

	if (memchr(rest->p, '\n', rest->n) == NULL || !str_split(rest, '\n', &line))
		return false;
	if (!str_split(&line, ' ', &word) || !str_u64(word, UINT32_MAX, &uid) ||
	    !str_split(&line, ' ', &word) || !str_u64(word, RK_ATTR_NAME_MAX, &name) ||
	    !str_u64(line, RK_ATTR_VALUE_MAX, &value))
		return false;
	out->uid = (uint32_t)uid;
	if (!bytes_take(rest, name, &out->name) || !bytes_take(rest, value, &out->value) ||
	    !bytes_take(rest, 1, &word))
		return false;
	return word.p[0] == '\n' && name > 0 && memchr(out->name.p, '\0', out->name.n) == NULL;
}

bool
attrs_parse(struct str bytes, struct rk_arena *mem, struct attrs *out)
{
	size_t cap = 0;

	*out = (struct attrs){ 0 };
	if (!sum_check(&bytes))
		return false;
	/* Each takes a line of at least 6 bytes, a name and an LF. */
	cap = bytes.n / 8 + 1;
	out->list = rk_arena_array(mem, cap, sizeof(*out->list));
	while (bytes.n > 0) {
		if (out->n == cap || !attr_parse(&bytes, &out->list[out->n])) {
			*out = (struct attrs){ 0 };
			return false;
		}
		out->n++;
	}
	return true;
}

void
attrs_write(struct buf *out, const struct attr *a)
{
	buf_addf(out, "%" PRIu32 " %zu %zu\n", a->uid, a->name.n, a->value.n);
	buf_add(out, a->name.p, a->name.n);
	buf_add(out, a->value.p, a->value.n);
	buf_addc(out, '\n');
}

void
attrs_seal(const struct buf *body, struct buf *out)
{
	buf_addf(out, "%s%08x\n", HEAD, (unsigned)crc32c(0, body->data, body->len));
	buf_add(out, body->data, body->len);
}
