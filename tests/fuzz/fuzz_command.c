/* A command line through the grammar of its verb; what FETCH asks for is echoed and parsed again.
 */
#include <stdint.h>
#include <stdlib.h>

#include "imapd/proto/parse.h"
#include "imapd/proto/resp_fetch.h"
#include "lib/base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* clang-format off */
static const struct verb {
	const char *name;
	parse_fn *parse;
} verbs[] = {
	{ "ENABLE", parse_enable }, { "ID", parse_id }, { "SELECT", parse_mailbox },
	{ "STATUS", parse_status }, { "LIST", parse_list }, { "LSUB", parse_lsub },
	{ "FETCH", parse_fetch }, { "LOGIN", parse_login }, { "AUTHENTICATE", parse_authenticate },
	{ "CREATE", parse_create }, { "RENAME", parse_rename }, { "APPEND", parse_append },
	{ "STORE", parse_store }, { "COPY", parse_copy }, { "EXPUNGE", parse_expunge },
	{ "SEARCH", parse_search },
	{ "NOOP", parse_nothing },
};
/* clang-format on */
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* The labels of all items, as a FETCH command of their own. */
static void
echo(const struct command *c, struct buf *out)
{
	struct resp_fetch f = { .out = out };

	buf_adds(out, "t FETCH 1 (");
	for (size_t i = 0; i < c->u.fetch.n; i++) {
		c->u.fetch.items[i].partial = false;
		resp_fetch_label(&f, &c->u.fetch.items[i]);
	}
	buf_adds(out, ")\r\n");
}

static enum parse_result
parse(struct str line, bool utf8, struct rk_arena *mem, struct command *c)
{
	size_t i = 0;
	struct lexer l;

	lexer_init(&l, line, mem);
	if (parse_command(&l, c) != PARSE_DONE)
		return PARSE_BAD;
	c->utf8 = utf8;
	while (i + 1 < VERBS && !str_iis(c->verb, verbs[i].name))
		i++;
	return verbs[i].parse(&l, c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str line = str_of(data + 1, size == 0 ? 0 : size - 1);
	struct rk_arena *mem = arena_new();
	struct buf once = BUF_INIT, again = BUF_INIT;
	struct command c;

	if (size > 0 && parse(line, data[0] % 2 == 0, mem, &c) == PARSE_BAD && c.why == NULL)
		abort();
	if (size > 0 && c.why == NULL && str_iis(c.verb, "FETCH")) {
		echo(&c, &once);
		if (parse(str_of(once.data, once.len), false, mem, &c) != PARSE_DONE)
			abort();
		echo(&c, &again);
		if (!str_eq(str_of(once.data, once.len), str_of(again.data, again.len)))
			abort();
	}
	buf_clear(&once);
	buf_clear(&again);
	arena_free(mem);
	return 0;
}
