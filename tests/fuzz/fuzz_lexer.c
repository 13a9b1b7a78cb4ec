/* Bytes from a client: however they are cut, the same commands come out; every token ends inside.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/wire/lexer.h"
#include "lib/wire/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct reader_limits limits = { 256, 64, 32, 512, true, 1000 };

static void
tokens(struct str command, struct rk_arena *mem)
{
	struct sequence seq = { 0 };
	struct uidset set = UIDSET_INIT;
	struct lexer l;
	struct str s;
	uint32_t n;
	uint64_t n64;
	bool nil;

	lexer_init(&l, command, mem);
	while (!lex_end(&l) && l.p < l.end) {
		const char *at = l.p;

		if (!lex_open(&l) && !lex_close(&l) && !lex_space(&l) && !lex_word(&l, "BODY") &&
		    !lex_prefix(&l, "BODY[") && !lex_sequence(&l, 8, &seq) &&
		    !lex_nstring(&l, &s, &nil) && !lex_tag(&l, &s) && !lex_flag(&l, &s) &&
		    !lex_list_mailbox(&l, &s) && !lex_nz_number(&l, &n) && !lex_number(&l, &n) &&
		    !lex_number64(&l, &n64) && !lex_atom(&l, &s) && !lex_astring(&l, &s))
			l.p++;
		if (l.p <= at || l.p > l.end)
			abort();
	}
	sequence_resolve(&seq, 7, &set);
	uidset_clear(&set);
}

static void
feed(const uint8_t *p, size_t size, size_t chunk, struct buf *log, struct rk_arena *mem)
{
	struct reader *r = reader_new(&limits);

	while (size > 0 && !reader_fatal(r)) {
		size_t n = size < chunk ? size : chunk, used = 0;
		enum reader_step step = reader_feed(r, p, n, &used);
		struct str s = step == READER_COMMAND ? reader_command(r) : reader_tag(r);

		p += used;
		size -= used;
		if (step == READER_MORE)
			continue;
		buf_addc(log, (char)('0' + step));
		buf_add(log, s.p, s.n);
		if (step == READER_COMMAND)
			tokens(s, mem);
		if (step != READER_CONTINUE)
			reader_next(r);
	}
	reader_free(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rk_arena *mem = arena_new();
	struct buf whole = BUF_INIT, cut = BUF_INIT;

	if (size > 0) {
		feed(data + 1, size - 1, SIZE_MAX, &whole, mem);
		feed(data + 1, size - 1, 1 + data[0] % 31, &cut, mem);
		if (!str_eq(str_of(whole.data, whole.len), str_of(cut.data, cut.len)))
			abort();
	}
	buf_clear(&whole);
	buf_clear(&cut);
	arena_free(mem);
	return 0;
}
