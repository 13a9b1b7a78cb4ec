/* A SEARCH program (the first line) over a message (the rest): it ends, and what does not match
 * matches the opposite. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "imapd/proto/parse.h"
#include "lib/base/arena.h"
#include "lib/mime/words.h"
#include "storage/search/search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum search_answer
ask(const struct search_key *program, struct charset *cs, struct str message, struct rk_arena *mem)
{
	static const char *const keywords[] = { "$Key" };
	static const struct uidset none;
	static const struct view view;
	struct search_scope scope = {
		.view = &view, .recent = &none, .saved = &none, .now = 1700000000, .charset = cs
	};
	struct index_record record = { .uid = 7,
		.flags = RK_FLAG_SEEN,
		.keywords = { { 1 } },
		.internal_date = 1600000000,
		.size = message.n };
	struct index_info info = { .nkeywords = 1, .keywords = keywords };
	struct search *s = search_new(program, &scope, mem);
	enum search_answer answer = search_record(s, &record, &info);
	struct stream *stream = stream_from_mem(message.p, message.n);
	struct mime_part *parts;

	if (mime_parse(stream, mem, &parts, NULL) != RK_OK)
		abort();
	stream_free(stream);
	if (answer == SEARCH_ANSWER_OPEN)
		answer = search_header(s, str_of(message.p, (size_t)parts->header_size));
	if (answer == SEARCH_ANSWER_OPEN) {
		stream = stream_from_mem(message.p, message.n);
		while (answer == SEARCH_ANSWER_OPEN) {
			if (search_body(s, parts, stream, &answer, NULL) != RK_OK)
				abort();
		}
		stream_free(stream);
	}
	return answer;
}

static void
program_run(struct str program, struct str message, struct rk_arena *mem)
{
	struct command c = { 0 };
	struct search_key not = { .kind = SEARCH_NOT };
	struct charset *cs;
	struct lexer l;

	lexer_init(&l, program, mem);
	if (parse_search(&l, &c) != PARSE_DONE)
		return;
	cs = charset_find(c.u.search.charset);
	if (cs == NULL)
		return;
	not .child = c.u.search.key;
	c.u.search.key->parent = NULL;
	if (ask(c.u.search.key, cs, message, mem) == SEARCH_ANSWER_YES) {
		c.u.search.key->parent = &not ;
		if (ask(&not, charset_find(c.u.search.charset), message, mem) != SEARCH_ANSWER_NO)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rk_arena *mem = arena_new();
	const char *lf;
	struct buf out = BUF_INIT, program = BUF_INIT;
	struct str bytes = str_of(rk_arena_dup(mem, data, size), size);

	charset_preload();
	words_decode(bytes, &out);
	buf_clear(&out);
	lf = memchr(bytes.p, '\n', bytes.n);
	if (lf != NULL) {
		size_t n = (size_t)(lf - bytes.p);

		buf_addc(&program, ' ');
		buf_add(&program, bytes.p, n);
		buf_adds(&program, "\r\n");
		program_run(
		    str_of(program.data, program.len), str_of(lf + 1, bytes.n - n - 1), mem);
	}
	buf_clear(&program);
	arena_free(mem);
	return 0;
}
