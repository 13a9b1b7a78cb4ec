#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "imapd/proto/parse.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/wire/reader.h"

static const struct verb {
	const char *name;
	parse_fn *parse;
} verbs[] = {
	{ "NOOP", parse_nothing },
	{ "ENABLE", parse_enable },
	{ "ID", parse_id },
	{ "SELECT", parse_mailbox },
	{ "STATUS", parse_status },
	{ "LIST", parse_list },
	{ "LSUB", parse_lsub },
	{ "FETCH", parse_fetch },
	{ "LOGIN", parse_login },
	{ "AUTHENTICATE", parse_authenticate },
};

static struct rk_arena *mem; /* reachable to the end of the process */

static enum parse_result
parse(struct str line, bool utf8, struct command *c)
{
	struct lexer l;

	if (mem == NULL)
		mem = arena_new();
	lexer_init(&l, line, mem);
	if (parse_command(&l, c) != PARSE_DONE)
		return PARSE_BAD;
	c->utf8 = utf8;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (str_iis(c->verb, verbs[i].name))
			return verbs[i].parse(&l, c);
	}
	ck_abort_msg("no grammar for %.*s", (int)line.n, line.p);
}

/* Arguments through the reader in chunks, then the grammar. */
static enum parse_result
parse_chunked(const char *args, size_t chunk, struct command *c)
{
	static const struct reader_limits limits = { 65536, 4096, 4096, 1048576, false, 0 };
	struct buf line = BUF_INIT;
	struct reader *r = reader_new(&limits);
	enum parse_result result;
	size_t pos = 0;

	buf_addf(&line, "t %s\r\n", args);
	for (;;) {
		size_t n = line.len - pos < chunk ? line.len - pos : chunk, used;
		enum reader_step step;

		ck_assert_msg(n > 0, "no command: %s", args);
		step = reader_feed(r, line.data + pos, n, &used);
		pos += used;
		if (step == READER_COMMAND)
			break;
		ck_assert(step == READER_MORE || step == READER_CONTINUE);
	}
	ck_assert_uint_eq(pos, line.len);
	buf_clear(&line);
	arena_free(mem);
	mem = arena_new();
	line.data = rk_arena_dup(mem, reader_command(r).p, reader_command(r).n);
	result = parse(str_of(line.data, reader_command(r).n), false, c);
	reader_free(r);
	return result;
}

static void
refused(const char *const *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct command c;

		ck_assert_msg(parse_chunked(cases[i], 1, &c) == PARSE_BAD, "taken: %s", cases[i]);
		ck_assert_ptr_nonnull(c.why);
		ck_assert(strlen(c.why) < 80);
		ck_assert(str_is(c.tag, "t"));
	}
}
#define REFUSED(cases) refused(cases, sizeof(cases) / sizeof((cases)[0]))

static struct command
taken(const char *args)
{
	struct command c;

	ck_assert_int_eq(parse_chunked(args, SIZE_MAX, &c), PARSE_DONE);
	ck_assert_msg(
	    parse_chunked(args, 1, &c) == PARSE_DONE, "%s: %s", args, c.why != NULL ? c.why : "");
	return c;
}

START_TEST(tag_and_verb)
{
	/* clang-format off */
	static const struct { const char *in; enum parse_result r; const char *tag; } cases[] = {
		{ "a1 NOOP\r\n", PARSE_DONE, "a1" },
		{ "a1 noop\n", PARSE_DONE, "a1" },
		{ "a1 NOOP \r\n", PARSE_BAD, "a1" },
		{ "a1 NOOP x\r\n", PARSE_BAD, "a1" },
		{ "a1  NOOP\r\n", PARSE_BAD, "a1" },
		{ "a1 UID\r\n", PARSE_BAD, "a1" },
		{ "a1 UID \r\n", PARSE_BAD, "a1" },
		{ "a1\r\n", PARSE_BAD, "*" },
		{ "a+1 NOOP\r\n", PARSE_BAD, "*" },
		{ " NOOP\r\n", PARSE_BAD, "*" },
		{ "\r\n", PARSE_BAD, "*" },
		{ "", PARSE_BAD, "*" },
	};
	/* clang-format on */
	struct buf line = BUF_INIT;
	struct command c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(
		    parse(str_from(cases[i].in), false, &c) == cases[i].r, "%s", cases[i].in);
		ck_assert_msg(str_is(c.tag, cases[i].tag), "%s", cases[i].in);
	}
	for (int n = 128; n <= 129; n++) {
		buf_empty(&line);
		buf_addf(&line, "%0*d NOOP\r\n", n, 0);
		ck_assert_int_eq(parse(str_of(line.data, line.len), false, &c),
		    n == 128 ? PARSE_DONE : PARSE_BAD);
	}
	buf_clear(&line);
	c = taken("uid fetch 1 FLAGS");
	ck_assert(c.uid && str_is(c.verb, "fetch"));
}
END_TEST

START_TEST(done_ends_idle)
{
	ck_assert(parse_done(STR_LIT("DONE\r\n")) && parse_done(STR_LIT("done\n")));
	ck_assert(!parse_done(STR_LIT("DONE \r\n")) && !parse_done(STR_LIT("a DONE\r\n")));
	ck_assert(!parse_done(STR_LIT("\r\n")) && !parse_done(STR_LIT("DONE")));
}
END_TEST

START_TEST(enable_and_its_limit)
{
	static const char *const bad[] = { "ENABLE", "ENABLE ", "ENABLE  X", "ENABLE X ",
		"ENABLE \"X\"", "ENABLE (X)" };
	struct command c = taken("ENABLE CONDSTORE imap4REV2");
	struct buf args = BUF_INIT;

	ck_assert_uint_eq(c.u.enable.n, 2);
	ck_assert(str_is(c.u.enable.words[1], "imap4REV2"));
	REFUSED(bad);
	buf_adds(&args, "ENABLE");
	for (int i = 0; i < PARSE_ENABLE_MAX; i++)
		buf_adds(&args, " X");
	c = taken(args.data);
	ck_assert_uint_eq(c.u.enable.n, PARSE_ENABLE_MAX);
	buf_adds(&args, " X");
	ck_assert_int_eq(parse_chunked(args.data, SIZE_MAX, &c), PARSE_BAD);
	buf_clear(&args);
}
END_TEST

START_TEST(id_and_its_limits)
{
	static const char *const bad[] = { "ID", "ID ", "ID (", "ID (\"a\")", "ID (\"a\" \"b\"",
		"ID (\"a\" \"b\" )", "ID (a \"b\")", "ID (\"a\" b)", "ID NIL x",
		"ID (\"a\" \"1\" \"A\" \"2\")", "ID (\"0123456789012345678901234567890\" NIL)" };
	struct command c = taken("ID (\"name\" {3}\r\nfoo \"version\" NIL)");
	struct buf args = BUF_INIT;

	ck_assert_uint_eq(c.u.id.n, 2);
	ck_assert(str_is(c.u.id.pairs[0].value, "foo") && !c.u.id.pairs[0].nil);
	ck_assert(str_is(c.u.id.pairs[1].key, "version") && c.u.id.pairs[1].nil);
	ck_assert_uint_eq(taken("ID NIL").u.id.n, 0);
	ck_assert_uint_eq(taken("ID ()").u.id.n, 0);
	REFUSED(bad);
	for (int more = 0; more < 2; more++) {
		buf_empty(&args);
		buf_adds(&args, "ID (");
		for (int i = 0; i < PARSE_ID_MAX + more; i++)
			buf_addf(&args, "%s\"%030d\" NIL", i == 0 ? "" : " ", i);
		buf_adds(&args, ")");
		ck_assert_int_eq(
		    parse_chunked(args.data, SIZE_MAX, &c), more == 0 ? PARSE_DONE : PARSE_BAD);
		buf_empty(&args);
		buf_addf(&args, "ID (\"a\" \"%0*d\")", PARSE_ID_VALUE_MAX + more, 0);
		ck_assert_int_eq(
		    parse_chunked(args.data, SIZE_MAX, &c), more == 0 ? PARSE_DONE : PARSE_BAD);
	}
	buf_clear(&args);
}
END_TEST

START_TEST(mailbox_names_become_utf8)
{
	/* clang-format off */
	static const struct { const char *in; bool utf8; const char *name; } cases[] = {
		{ "t SELECT inbox\r\n", false, "inbox" },
		{ "t SELECT \"\"\r\n", false, "" },
		{ "t SELECT Entw&APw-rfe\r\n", false, "Entw\xc3\xbcrfe" },
		{ "t SELECT \"R&-D\"\r\n", false, "R&D" },
		{ "t SELECT R&D\r\n", true, "R&D" },
		{ "t SELECT {3}\r\n\xc3\xbcx\r\n", true, "\xc3\xbcx" },
		{ "t SELECT \"Entw\xc3\xbcrfe\"\r\n", true, "Entw\xc3\xbcrfe" },
		/* no mailbox can be called so */
		{ "t SELECT R&D\r\n", false, NULL },
		{ "t SELECT \"Entw\xc3\xbcrfe\"\r\n", false, NULL },
		{ "t SELECT \"a\x01\"\r\n", false, NULL },
		{ "t SELECT &AC4ALg-\r\n", false, NULL },
		{ "t SELECT \"\xc3\"\r\n", true, NULL },
	};
	/* clang-format on */
	static const char *const bad[] = { "SELECT", "SELECT ", "SELECT a b", "SELECT (a)",
		"SELECT a%", "SELECT \"a", "SELECT a (CONDSTORE)" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct command c;

		ck_assert_int_eq(parse(str_from(cases[i].in), cases[i].utf8, &c), PARSE_DONE);
		ck_assert_msg(c.bad_name == (cases[i].name == NULL), "%s", cases[i].in);
		ck_assert(str_is(c.u.mailbox.name, cases[i].name == NULL ? "" : cases[i].name));
	}
	REFUSED(bad);
}
END_TEST

START_TEST(status_items)
{
	static const char *const bad[] = { "STATUS", "STATUS a", "STATUS a ()", "STATUS a MESSAGES",
		"STATUS a (MESSAGES", "STATUS a (MESSAGES )", "STATUS a (MESSAGES) x",
		"STATUS a (HIGHESTMODSEQ)", "STATUS (MESSAGES)" };
	struct command c = taken("STATUS box (uidnext MESSAGES SIZE DELETED UNSEEN UIDVALIDITY)");

	ck_assert(str_is(c.u.status.name, "box"));
	ck_assert_uint_eq(c.u.status.items, 63);
	ck_assert_uint_eq(taken("STATUS a (RECENT RECENT)").u.status.items, STATUS_RECENT);
	ck_assert_uint_eq(taken("STATUS a (SIZE)").u.status.items, STATUS_SIZE);
	ck_assert_uint_eq(taken("STATUS a (UIDVALIDITY)").u.status.items, STATUS_UIDVALIDITY);
	REFUSED(bad);
}
END_TEST

/* The list as "sel/ret/status/extended ref pattern..." */
static const char *
list_text(const struct command *c)
{
	const struct cmd_list *q = &c->u.list;
	struct buf b = BUF_INIT;
	const char *text;

	buf_addf(&b, "%x/%x/%x/%d <%.*s>", q->select, q->ret, q->status_items, q->extended,
	    (int)q->reference.n, q->reference.p);
	for (size_t i = 0; i < q->npatterns; i++)
		buf_addf(&b, " <%.*s>", (int)q->patterns[i].n, q->patterns[i].p);
	text = rk_arena_dup(mem, b.data, b.len);
	buf_clear(&b);
	return text;
}

START_TEST(list_in_all_its_forms)
{
	/* clang-format off */
	static const struct { const char *in, *want; } cases[] = {
		{ "LIST \"\" *", "0/0/0/0 <> <*>" },
		{ "LIST \"\" \"\"", "0/0/0/0 <> <>" },
		{ "LIST a/ %]b", "0/0/0/0 <a/> <%]b>" },
		{ "LIST \"\" (a)", "0/0/0/1 <> <a>" },
		{ "LIST \"\" (INBOX \"Drafts\" Sent/%)", "0/0/0/1 <> <INBOX> <Drafts> <Sent/%>" },
		{ "LIST () \"\" *", "0/0/0/1 <> <*>" },
		{ "LIST (SUBSCRIBED) \"\" *", "1/0/0/1 <> <*>" },
		{ "LIST (REMOTE) \"\" *", "2/0/0/1 <> <*>" },
		{ "LIST (remote RecursiveMatch subscribed) \"\" *", "7/0/0/1 <> <*>" },
		{ "LIST (SPECIAL-USE) \"\" *", "8/0/0/1 <> <*>" },
		{ "LIST \"\" * RETURN ()", "0/0/0/1 <> <*>" },
		{ "LIST \"\" * RETURN (SUBSCRIBED CHILDREN)", "0/3/0/1 <> <*>" },
		{ "LIST \"\" * RETURN (STATUS (MESSAGES UNSEEN) SPECIAL-USE)", "0/c/9/1 <> <*>" },
		{ "LIST \"&-\" &APw-*", "0/0/0/0 <&> <\xc3\xbc*>" },
		{ "LIST \"\" {2}\r\n*a", "0/0/0/0 <> <*a>" },
		{ "LSUB \"\" *", "0/0/0/0 <> <*>" },
	};
	/* clang-format on */
	static const char *const bad[] = { "LIST", "LIST \"\"", "LIST \"\" ", "LIST \"\" ()",
		"LIST \"\" (a b", "LIST \"\" (a  b)", "LIST (RECURSIVEMATCH) \"\" *",
		"LIST (REMOTE RECURSIVEMATCH) \"\" *", "LIST (X-OTHER) \"\" *",
		"LIST (SUBSCRIBED \"\" *", "LIST (SUBSCRIBED ) \"\" *", "LIST \"\" * RETURN",
		"LIST \"\" * RETURN (X)", "LIST \"\" * RETURN (STATUS)",
		"LIST \"\" * RETURN (STATUS ())", "LIST \"\" * RETURN (CHILDREN",
		"LIST \"\" * (CHILDREN)", "LIST \"\" * x", "LIST (SUBSCRIBED)\"\" *", "LIST * *",
		"LSUB \"\" (a)", "LSUB (SUBSCRIBED) \"\" *", "LSUB \"\" * RETURN ()", "LSUB \"\"" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct command c = taken(cases[i].in);

		ck_assert_msg(strcmp(list_text(&c), cases[i].want) == 0, "%s gave %s", cases[i].in,
		    list_text(&c));
	}
	REFUSED(bad);
}
END_TEST

START_TEST(list_patterns_at_their_limit)
{
	struct buf args = BUF_INIT;
	struct command c;

	buf_adds(&args, "LIST \"\" (a");
	for (int i = 1; i < PARSE_PATTERNS_MAX; i++)
		buf_adds(&args, " b%");
	buf_adds(&args, ")");
	c = taken(args.data);
	ck_assert_uint_eq(c.u.list.npatterns, PARSE_PATTERNS_MAX);
	args.len--;
	buf_adds(&args, " c)");
	ck_assert_int_eq(parse_chunked(args.data, SIZE_MAX, &c), PARSE_BAD);
	buf_clear(&args);
}
END_TEST

START_TEST(login_and_authenticate)
{
	static const char *const bad[] = { "LOGIN", "LOGIN a", "LOGIN a ", "LOGIN a b c",
		"LOGIN (a) b", "AUTHENTICATE", "AUTHENTICATE ", "AUTHENTICATE \"PLAIN\"",
		"AUTHENTICATE PLAIN ", "AUTHENTICATE PLAIN \"AA==\"", "AUTHENTICATE PLAIN A b",
		"AUTHENTICATE PLAIN {1}\r\nA" };
	struct command c = taken("LOGIN \"f r\" {4}\r\np\"w]");

	ck_assert(str_is(c.u.login.user, "f r") && str_is(c.u.login.password, "p\"w]"));
	c = taken("AUTHENTICATE plain");
	ck_assert(!c.u.authenticate.has_initial && str_is(c.u.authenticate.mechanism, "plain"));
	c = taken("AUTHENTICATE PLAIN =");
	ck_assert(c.u.authenticate.has_initial && c.u.authenticate.initial.n == 0);
	c = taken("AUTHENTICATE PLAIN AGEAYg==");
	ck_assert(str_is(c.u.authenticate.initial, "AGEAYg=="));
	REFUSED(bad);
}
END_TEST

START_TEST(many_parentheses_are_refused_at_once)
{
	/* V04 */
	static const char *const starts[] = { "t LIST ", "t LIST \"\" ", "t FETCH 1 ", "t ID ",
		"t FETCH 1 (BODY[HEADER.FIELDS ", "t STATUS a ", "t SELECT ",
		"t LIST \"\" * RETURN " };
	struct buf line = BUF_INIT;
	struct command c;

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		buf_empty(&line);
		buf_adds(&line, starts[i]);
		for (int k = 0; k < 1000000; k++)
			buf_addc(&line, '(');
		buf_adds(&line, "\r\n");
		ck_assert_int_eq(parse(str_of(line.data, line.len), false, &c), PARSE_BAD);
		ck_assert_uint_lt(arena_used(mem), 16384);
	}
	buf_clear(&line);
}
END_TEST

UNIT_MAIN("parse", tag_and_verb, done_ends_idle, enable_and_its_limit, id_and_its_limits,
    mailbox_names_become_utf8, status_items, list_in_all_its_forms, list_patterns_at_their_limit,
    login_and_authenticate, many_parentheses_are_refused_at_once)
