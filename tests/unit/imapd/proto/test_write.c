#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "imapd/proto/parse.h"
#include "lib/base/arena.h"

static const struct verb {
	const char *name;
	parse_fn *parse;
} verbs[] = {
	{ "CREATE", parse_create },
	{ "RENAME", parse_rename },
	{ "APPEND", parse_append },
	{ "STORE", parse_store },
	{ "COPY", parse_copy },
	{ "MOVE", parse_copy },
	{ "EXPUNGE", parse_expunge },
	{ "SEARCH", parse_search },
	{ "FETCH", parse_fetch },
};

static struct rk_arena *mem; /* reachable to the end of the process */

/* A verb that is not in the table counts as bad. */
static enum parse_result
parse_bytes(struct str line, struct command *c)
{
	struct lexer l;

	arena_free(mem);
	mem = arena_new();
	lexer_init(&l, str_of(rk_arena_dup(mem, line.p, line.n), line.n), mem);
	if (parse_command(&l, c) != PARSE_DONE)
		return PARSE_BAD;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (str_iis(c->verb, verbs[i].name))
			return verbs[i].parse(&l, c);
	}
	return PARSE_BAD;
}

static enum parse_result
parse(const char *args, struct command *c)
{
	char line[8192];

	return parse_bytes(str_of(line, (size_t)snprintf(line, sizeof(line), "t %s\r\n", args)), c);
}

static struct command
taken(const char *args)
{
	struct command c;

	ck_assert_msg(parse(args, &c) == PARSE_DONE, "%s: %s", args, c.why != NULL ? c.why : "");
	return c;
}

static void
refused(const char *const *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct command c;

		ck_assert_msg(parse(cases[i], &c) == PARSE_BAD, "taken: %s", cases[i]);
		ck_assert_ptr_nonnull(c.why);
	}
}
#define REFUSED(cases) refused(cases, sizeof(cases) / sizeof((cases)[0]))

START_TEST(create_and_rename)
{
	static const char *const bad[] = { "CREATE", "CREATE ", "CREATE a b", "CREATE a ()",
		"CREATE a (USE)", "CREATE a (USE ())x", "CREATE a (USE (Sent))",
		"CREATE a (USE (\\Sent )", "CREATE a (USE (\\Sent)", "CREATE a (FOO (\\Sent))",
		"RENAME a", "RENAME a ", "RENAME a b c" };
	struct command c = taken("CREATE a/b/");

	ck_assert(str_is(c.u.create.name, "a/b") && c.u.create.special_use == 0);
	c = taken("CREATE &AOQ- (USE (\\sent \\Important))");
	ck_assert(str_is(c.u.create.name, "\xc3\xa4"));
	ck_assert_uint_eq(c.u.create.special_use, USE_SENT | USE_IMPORTANT);
	ck_assert(!c.u.create.unknown_use);
	c = taken("CREATE a (USE (\\Foo \\Junk))");
	ck_assert(c.u.create.unknown_use && c.u.create.special_use == USE_JUNK);
	c = taken("CREATE a (USE ())");
	ck_assert(!c.u.create.unknown_use && c.u.create.special_use == 0);
	ck_assert(taken("CREATE &-&").bad_name);
	c = taken("RENAME \"a b\" {1}\r\nc");
	ck_assert(str_is(c.u.rename.from, "a b") && str_is(c.u.rename.to, "c"));
	REFUSED(bad);
}
END_TEST

START_TEST(store)
{
	static const char *const bad[] = { "STORE", "STORE 1", "STORE 1 FLAGS", "STORE 1 FLAGS ",
		"STORE 0 FLAGS ()", "STORE 1 FLAGS (a", "STORE 1 FLAGS ()x", "STORE 1 FLAGS a ",
		"STORE 1 FLAGS (a )", "STORE 1 FLAGS (\\Recent)", "STORE 1 FLAGS \\Foo",
		"STORE 1 FLAGS \\", "STORE 1 ++FLAGS a", "STORE 1 FLAGS.LOUD a",
		"STORE 1 + FLAGS a", "STORE $1 FLAGS a" };
	char args[100];
	struct command c = taken("STORE 1:3,5 +flags.silent (\\seen $Junk junk JUNK \\SEEN)");

	ck_assert(c.u.store.mode == STORE_ADD && c.u.store.silent && !c.u.store.set.saved);
	ck_assert_uint_eq(c.u.store.set.set.n, 2);
	ck_assert_uint_eq(c.u.store.flags.flags, RK_FLAG_SEEN);
	ck_assert_uint_eq(c.u.store.flags.nwords, 2);
	ck_assert(str_is(c.u.store.flags.words[1], "junk"));
	c = taken("UID STORE $ -FLAGS \\Deleted \\Draft x");
	ck_assert(c.uid && c.u.store.set.saved && c.u.store.mode == STORE_REMOVE);
	ck_assert(!c.u.store.silent && c.u.store.flags.nwords == 1);
	ck_assert_uint_eq(c.u.store.flags.flags, RK_FLAG_DELETED | RK_FLAG_DRAFT);
	c = taken("STORE * FLAGS ()");
	ck_assert(c.u.store.mode == STORE_REPLACE && c.u.store.flags.flags == 0);
	ck_assert(taken("STORE 1 FLAGS.SILENT a").u.store.silent);
	REFUSED(bad);
	for (int n = RK_KEYWORD_LEN; n <= RK_KEYWORD_LEN + 1; n++) {
		snprintf(args, sizeof(args), "STORE 1 FLAGS %0*d", n, 0);
		ck_assert_int_eq(parse(args, &c), n == RK_KEYWORD_LEN ? PARSE_DONE : PARSE_BAD);
	}
}
END_TEST

START_TEST(keywords_are_bounded)
{
	for (int n = PARSE_FLAGS_MAX; n <= PARSE_FLAGS_MAX + 1; n++) {
		char args[4096] = "STORE 1 FLAGS";
		struct command c;

		for (int i = 0; i < n; i++)
			snprintf(args + strlen(args), sizeof(args) - strlen(args), " k%d", i);
		ck_assert_int_eq(parse(args, &c), n == PARSE_FLAGS_MAX ? PARSE_DONE : PARSE_BAD);
	}
}
END_TEST

START_TEST(copy_and_expunge)
{
	static const char *const bad[] = { "COPY", "COPY 1", "COPY 1 ", "COPY a b", "COPY 1 a b",
		"MOVE $", "EXPUNGE 1", "UID EXPUNGE", "UID EXPUNGE ", "UID EXPUNGE 1 2" };
	struct command c = taken("COPY 2,1 Sent");

	ck_assert(str_is(c.u.copy.to, "Sent") && c.u.copy.set.set.ranges[0].first == 2);
	ck_assert(taken("UID MOVE $ x").u.copy.set.saved);
	taken("EXPUNGE");
	ck_assert_uint_eq(taken("UID EXPUNGE 3:*").u.expunge.set.set.n, 1);
	ck_assert(taken("UID EXPUNGE $").u.expunge.set.saved);
	REFUSED(bad);
}
END_TEST

START_TEST(append)
{
	struct command c = taken("APPEND a {3}\r\na\nb");
	const struct append_msg *m = c.u.append.msgs;

	ck_assert(str_is(c.u.append.name, "a") && c.u.append.n == 1 && !m->has_date);
	ck_assert(str_is(m->literal.bytes, "a\r\nb") && m->literal.size == 4);
	ck_assert(m->literal.fd == -1 && !m->literal.literal8);
	c = taken("APPEND a (\\Seen k) \" 2-Jan-1970 01:00:01 +0130\" {4+}\r\na\r\n\n ~{1}\r\nx "
		  "\"31-Dec-1969 23:59:60 -0001\" {0}\r\n");
	m = c.u.append.msgs;
	ck_assert_uint_eq(c.u.append.n, 3);
	ck_assert(m[0].flags.flags == RK_FLAG_SEEN && m[0].flags.nwords == 1);
	ck_assert(m[0].has_date && m[0].date == 86400 - 1800 + 1);
	ck_assert(str_is(m[0].literal.bytes, "a\r\n\r\n"));
	ck_assert(m[1].literal.literal8 && !m[1].has_date && m[1].flags.flags == 0);
	ck_assert(m[2].has_date && m[2].date == 60 && m[2].literal.size == 0);
	ck_assert_int_eq(parse_bytes(STR_LIT("t APPEND a ~{2}\r\n\0x\r\n"), &c), PARSE_DONE);
	ck_assert_int_eq(parse_bytes(STR_LIT("t APPEND a {2}\r\n\0x\r\n"), &c), PARSE_BAD);
}
END_TEST

START_TEST(bad_appends)
{
	static const char *const bad[] = { "APPEND", "APPEND a", "APPEND a ", "APPEND a x",
		"APPEND a \"x\"", "APPEND a ()", "APPEND a () ", "APPEND a (){1}\r\nx",
		"APPEND a (\\Recent) {1}\r\nx", "APPEND a {1}\r\nx ", "APPEND a {2}\r\n",
		"APPEND a {1}\r\nx{1}\r\nx", "APPEND a \"1-Jan-2000 00:00:00 +0000\" {1}\r\nx",
		"APPEND a \"31-Feb-2000 00:00:00 +0000\" {1}\r\nx",
		"APPEND a \"01-Jan-2000 24:00:00 +0000\" {1}\r\nx",
		"APPEND a \"01-Jan-2000 00:60:00 +0000\" {1}\r\nx",
		"APPEND a \"01-Jan-2000 00:00:61 +0000\" {1}\r\nx",
		"APPEND a \"01-Jan-2000 00:00:00 +0060\" {1}\r\nx",
		"APPEND a \"01-Jan-2000 00:00:00 +2400\" {1}\r\nx",
		"APPEND a \"01-Jan-2000 00:00:00 0000\" {1}\r\nx",
		"APPEND a \"01-Jan-2000 00:00:00\" {1}\r\nx",
		"APPEND a \"01-Jan-2000 00:00:00 +0000\"{1}\r\nx",
		"APPEND a \"01-Jan-2000 00:00:00 +0000\" () {1}\r\nx" };

	REFUSED(bad);
}
END_TEST

/* V02: no NUL, CR or LF in the line, wherever it stands, makes a command of it, and no byte with
 * the eighth bit outside quotes. */
START_TEST(control_bytes_at_every_offset)
{
	static const char *const lines[] = { "t CREATE \"a b\" (USE (\\Sent))\r\n",
		"t RENAME a \"b\"\r\n", "t UID STORE 1:*,5 +FLAGS.SILENT (\\Seen k)\r\n",
		"t STORE $ FLAGS \\Seen k\r\n", "t MOVE 1 \"a\\\"b\"\r\n", "t UID EXPUNGE 1,3\r\n",
		"t SEARCH RETURN (MIN) CHARSET x OR (FROM \"a b\" NEW) NOT UID 1\r\n",
		"t SEARCH ON 1-Jan-2000\r\n",
		"t UID FETCH 1 (FLAGS BODY.PEEK[1.HEADER.FIELDS (\"a\" b)]<0.5> BINARY[1.2])\r\n" };
	static const char bytes[] = { '\0', '\r', '\n', '\x80', '\xff' };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		size_t n = strlen(lines[i]);
		bool quoted = false;
		struct command c;

		ck_assert_msg(parse_bytes(str_from(lines[i]), &c) == PARSE_DONE, "%s", lines[i]);
		for (size_t k = 0; k < n * sizeof(bytes); k++) {
			size_t at = k / sizeof(bytes);
			char byte = bytes[k % sizeof(bytes)], line[256];

			memcpy(line, lines[i], n + 1);
			if (k % sizeof(bytes) == 0 && line[at] == '"' && line[at - 1] != '\\')
				quoted = !quoted;
			if (line[at] == byte || ((byte & 0x80) != 0 && (quoted || line[at] == '"')))
				continue;
			line[at] = byte;
			ck_assert_msg(parse_bytes(str_of(line, n), &c) == PARSE_BAD,
			    "byte %d at %zu of %s", byte, at, lines[i]);
		}
	}
}
END_TEST

UNIT_MAIN("write", create_and_rename, store, keywords_are_bounded, copy_and_expunge, append,
    bad_appends, control_bytes_at_every_offset)
