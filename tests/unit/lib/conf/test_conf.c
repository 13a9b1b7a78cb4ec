#include "tests/unit/unit.h"
#include "tests/unit/lib/conf/support.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/arena.h"

/* All mistakes of a text as "line: text" lines. */
static char *
mistakes(const char *text)
{
	struct loaded l = load_text(text);
	char *all = strdup("");

	for (size_t i = 0; i < l.problems.n; i++) {
		char *more;

		ck_assert_int_ge(asprintf(&more, "%s%u: %s\n", all, l.problems.list[i].line,
				     l.problems.list[i].text),
		    0);
		free(all);
		all = more;
	}
	loaded_free(&l);
	return all;
}

static void
expect(const char *text, const char *wanted)
{
	char *got = mistakes(text);

	ck_assert_str_eq(got, wanted);
	free(got);
}

START_TEST(an_empty_file_gives_the_defaults)
{
	struct loaded l = load_text("");

	ck_assert_int_eq(l.status, RK_OK);
	ck_assert_str_eq(conf_str(l.conf, NULL, "sandbox"), "required");
	ck_assert_int_eq(conf_int(l.conf, NULL, "shutdown_seconds"), 30);
	ck_assert_str_eq(conf_str(l.conf, NULL, "gate.user"), "rookery-gate");
	ck_assert_int_eq(conf_int(l.conf, NULL, "imapd.memory"), 268435456);
	ck_assert_str_eq(conf_str(l.conf, NULL, "tls.cert"), "");
	ck_assert_uint_eq(conf_list_len(l.conf, NULL, "auth.mechanisms"), 6);
	ck_assert_str_eq(conf_list_at(l.conf, NULL, "auth.mechanisms", 5), "SCRAM-SHA-256-PLUS");
	ck_assert_uint_eq(conf_list_len(l.conf, NULL, "gate.proxy_networks"), 0);
	ck_assert_ptr_eq(conf_next(l.conf, "listen", NULL), NULL);
	loaded_free(&l);
}
END_TEST

START_TEST(sections_come_in_the_order_of_the_file)
{
	struct loaded l = load_text("listen z { port = 1 } storage s { } listen a { port = 2\n"
				    "proxy_protocol = yes tls = none }\n"
				    "gate { proxy_networks = { 10.0.0.0/8, \"::1\" } }\n");
	const struct conf_section *z = conf_next(l.conf, "listen", NULL);
	const struct conf_section *a = conf_next(l.conf, "listen", z);

	ck_assert_str_eq(conf_title(z), "z");
	ck_assert_int_eq(conf_int(l.conf, z, "port"), 1);
	ck_assert_str_eq(conf_str(l.conf, z, "address"), "*");
	ck_assert(!conf_bool(l.conf, z, "proxy_protocol"));
	ck_assert_str_eq(conf_title(a), "a");
	ck_assert(conf_bool(l.conf, a, "proxy_protocol"));
	ck_assert_str_eq(conf_str(l.conf, a, "tls"), "none");
	ck_assert_ptr_eq(conf_next(l.conf, "listen", a), NULL);
	ck_assert_ptr_eq(conf_find(l.conf, "listen", "a"), a);
	ck_assert_ptr_eq(conf_find(l.conf, "listen", "b"), NULL);
	ck_assert_str_eq(conf_list_at(l.conf, NULL, "gate.proxy_networks", 1), "::1");
	loaded_free(&l);
}
END_TEST

START_TEST(a_list_is_replaced_or_added_to)
{
	struct loaded l = load_text("auth { mechanisms += { EXTERNAL } }");

	ck_assert_uint_eq(conf_list_len(l.conf, NULL, "auth.mechanisms"), 7);
	loaded_free(&l);
	l = load_text("auth { mechanisms = { PLAIN } }");
	ck_assert_uint_eq(conf_list_len(l.conf, NULL, "auth.mechanisms"), 1);
	loaded_free(&l);
	l = load_text("auth { mechanisms = { } }");
	ck_assert_uint_eq(conf_list_len(l.conf, NULL, "auth.mechanisms"), 0);
	loaded_free(&l);
}
END_TEST

START_TEST(all_mistakes_are_told_at_once)
{
	expect("/* a comment\n of two lines */ stat_dir = \"/x\"\n"
	       "listen \"imap\" { address = here\n"
	       "\tprot = 143\n"
	       "\ttls = \"implicit\" }\n"
	       "listen b { port = 70000 }\n"
	       "gait { a = 1 b = { 2, 3 } sub x { y = 4 } } # more\n"
	       "max_workers = 4\n"
	       "sandbox = requird\n"
	       "include(\"/etc/passwd\")\n",
	    "2: unknown option `stat_dir`, did you mean `state_dir`?\n"
	    "3: address `here` is no IP address\n"
	    "3: option `port` of listen \"imap\" must be set\n"
	    "4: unknown option `prot` in section listen, did you mean `port`?\n"
	    "5: listen \"imap\" has tls = \"implicit\", but there is no certificate: set tls { "
	    "cert "
	    "= … key = … }\n"
	    "6: port 70000 is out of range 1..65535\n"
	    "7: unknown option `gait`, did you mean `gate`?\n"
	    "8: unknown option `max_workers`; it belongs into section `imapd`\n"
	    "9: sandbox `requird` is none of: required best-effort; did you mean `required`?\n"
	    "10: unknown option `include`\n");
}
END_TEST

static const struct {
	const char *text;
	const char *wanted;
} single[] = {
	{ "log { level = info\nlevel = info }", "2: option `level` stands twice\n" },
	{ "log { }\n\nlog { }", "3: section log stands twice, first in line 1\n" },
	{ "storage a { }\nstorage a { }", "2: section storage a stands twice, first in line 1\n" },
	{ "gate { max_line = many }", "1: max_line must be a whole number\n" },
	{ "gate { max_line = 0x2000 }", "1: max_line must be a whole number\n" },
	{ "gate { max_line = -1 }", "1: max_line -1 is out of range 256..65536\n" },
	{ "gate { max_line = 99999999999999999999999 }",
	    "1: max_line 99999999999999999999999 is out of range 256..65536\n" },
	{ "gate { max_line = \"\" }", "1: option `max_line` of gate must be set\n" },
	{ "gate { proxy_networks = { 10.0.0.0/8,\n10.0.0.0/33 } }",
	    "2: proxy_networks `10.0.0.0/33` is no network such as 192.0.2.0/24\n" },
	{ "gate { greeting = \"a\\rb\" }",
	    "1: greeting holds a control character or bytes that are not UTF-8\n" },
	{ "gate { greeting = \"\xff\" }",
	    "1: greeting holds a control character or bytes that are not UTF-8\n" },
	{ "listen a { port = 1 proxy_protocol = maybe }",
	    "1: proxy_protocol must be true or false\n" },
	{ "listen a { port = 1 proxy_protocol = true }",
	    "1: listen \"a\" has proxy_protocol, but gate.proxy_networks is empty: nobody could "
	    "connect\n" },
	{ "listen a { port = 1 }\nlisten b { port = 1 }",
	    "2: listen \"b\" has the address and port of listen \"a\"\n" },
	{ "listen \"a b\" { port = 1 }",
	    "1: title \"a b\" of listen must have 1 to 31 letters, digits or - _ .\n" },
	{ "tls { cert = /a }", "1: tls has a cert, but no key\n" },
	{ "tls { key = /a }", "1: tls has a key, but no cert\n" },
	{ "tls_name x { cert = /a }", "1: option `key` of tls_name \"x\" must be set\n" },
	{ "database d { }", "1: option `path` of database \"d\" must be set\n" },
	{ "database d { path = x }", "1: path `x` is not an absolute path\n" },
	{ "database d { path = /x home = \"/a/%{usr}\" }",
	    "1: home `/a/%{usr}` has a % that is none of %{user}, %{localpart}, %{domain}\n" },
	{ "database d { path = /x\nstorage = mial }\nstorage mail { }",
	    "2: database \"d\" names the storage `mial`, which is not there, did you mean "
	    "`mail`?\n" },
	{ "storage s { path = Maildir }",
	    "1: path `Maildir` is neither an absolute path nor one that begins with ~/\n" },
	{ "storage s { params = { a } }", "1: params `a` is not of the form key=value\n" },
	{ "log { user = \"a b\" }", "1: user `a b` of log can't be the name of an account\n" },
	{ "imapd { max_literal = 2000000 }",
	    "1: imapd.max_literal is larger than imapd.max_command\n" },
	{ "log { target = syslg }",
	    "1: target `syslg` is none of: stderr syslog; did you mean `syslog`?\n" },
	{ "imapd { sandbox = required }",
	    "1: unknown option `sandbox` in section imapd; it belongs outside of all sections\n" },
	{ "gate|user = x", "1: unknown option `gate|user`\n" },
	{ "\"zzzzzz\" = required", "1: unknown option `zzzzzz`\n" },
};

START_TEST(each_mistake_is_named)
{
	for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
		expect(single[i].text, single[i].wanted);
}
END_TEST

START_TEST(a_syntax_error_stands_alone)
{
	expect("foo = 1\nlisten a { port 143 }\nbar = 2\n",
	    "2: missing equal sign after option 'port'\n");
	expect("log { target = \"abc\n", "3: premature end of file\n");
	expect("log { }\n}\nfoo = 1", "2: unexpected closing brace\n");
	/* the lexer's state does not live on */
	expect("log { level = debug }", "");
}
END_TEST

START_TEST(a_file_that_is_no_text_is_refused)
{
	struct loaded l = load_bytes("log {\0 }", 8);
	char *large = malloc(CONF_FILE_MAX + 1);

	ck_assert_uint_eq(l.problems.n, 1);
	loaded_free(&l);
	memset(large, ' ', CONF_FILE_MAX + 1);
	l = load_bytes(large, CONF_FILE_MAX + 1);
	ck_assert_uint_eq(l.problems.n, 1);
	loaded_free(&l);
	l = load_bytes(large, CONF_FILE_MAX);
	ck_assert_int_eq(l.status, RK_OK);
	loaded_free(&l);
	free(large);
}
END_TEST

START_TEST(the_number_of_mistakes_is_bounded)
{
	char text[4096] = "";
	struct loaded l;

	for (int i = 0; i < 300; i++)
		strcat(text, "zzz = 1\n");
	l = load_text(text);
	ck_assert_uint_eq(l.problems.n, CONF_PROBLEMS_MAX);
	ck_assert_ptr_nonnull(
	    strstr(l.problems.list[CONF_PROBLEMS_MAX - 1].text, "(and 100 more mistakes)"));
	loaded_free(&l);
}
END_TEST

START_TEST(no_file_and_no_regular_file)
{
	struct rk_arena *mem = arena_new();
	struct conf_problems problems;
	struct rk_err err = { 0 };
	struct conf *conf;

	ck_assert_int_eq(
	    conf_load("/nonexistent/rookery.conf", mem, &conf, &problems, &err), RK_NOTFOUND);
	ck_assert_int_eq(conf_load("/", mem, &conf, &problems, &err), RK_TEMP);
	ck_assert_ptr_null(conf);
	ck_assert_uint_eq(problems.n, 0);
	arena_free(mem);
}
END_TEST

START_TEST(variables_are_those_of_the_environment)
{
	struct loaded l;

	setenv("ROOKERY_TEST", "here", 1);
	l = load_text("gate { greeting = \"a ${ROOKERY_TEST} \\${ROOKERY_TEST}\" }");
	ck_assert_str_eq(conf_str(l.conf, NULL, "gate.greeting"), "a here ${ROOKERY_TEST}");
	loaded_free(&l);
	/* as the master does before it parses */
	clearenv();
	l = load_text("gate { greeting = \"a ${ROOKERY_TEST} b ${HOME}\" }");
	ck_assert_str_eq(conf_str(l.conf, NULL, "gate.greeting"), "a  b ");
	loaded_free(&l);
}
END_TEST

/* Only the child gives root away. */
static void
check_ordinary_user(uid_t uid, const char *home)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct loaded l;
		char wanted[512];

		if (geteuid() == 0 && setuid(uid) != 0)
			_exit(2);
		l = load_text("");
		if (home == NULL)
			_exit(l.problems.n == 2 ? 0 : 1);
		snprintf(wanted, sizeof(wanted), "%s/.local/state/rookery/run", home);
		_exit(strcmp(conf_str(l.conf, NULL, "run_dir"), wanted) == 0 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

START_TEST(an_ordinary_user_has_it_below_the_home)
{
	const struct passwd *pw = getpwuid(geteuid() == 0 ? 1 : geteuid());

	setenv("HOME", "/wrong", 1);
	if (pw != NULL)
		check_ordinary_user(pw->pw_uid, pw->pw_dir);
	if (geteuid() == 0)
		check_ordinary_user(54321, NULL);
}
END_TEST

static const char full[] =
    "state_dir = \"/s\\\\t\\\"a te\" run_dir = /r\n"
    "log { target = syslog level = debug }\n"
    "listen a { port = 143 } listen b { port = 993 address = \"::1\" tls = implicit }\n"
    "tls { cert = /c key = /k } tls_name \"*.example.org\" { cert = /c key = /k }\n"
    "gate { greeting = \"Grüße \\${HOME} $5 #\" proxy_networks = { 10.0.0.0/8, \"::/0\" } }\n"
    "auth { mechanisms = {} }\n"
    "database d { path = /p home = \"/h/%{domain}\" storage = s }\n"
    "storage s { params = { \"a=b c\", \"d=\" } separator = . }\n";

START_TEST(what_is_printed_reads_back_the_same)
{
	struct loaded l = load_text(full);
	struct buf first = BUF_INIT, second = BUF_INIT;
	struct loaded again;

	ck_assert_int_eq(l.status, RK_OK);
	conf_print(l.conf, &first);
	again = load_bytes(first.data, first.len);
	ck_assert_int_eq(again.status, RK_OK);
	ck_assert_str_eq(conf_str(again.conf, NULL, "state_dir"), "/s\\t\"a te");
	ck_assert_str_eq(conf_str(again.conf, NULL, "gate.greeting"), "Grüße ${HOME} $5 #");
	conf_print(again.conf, &second);
	ck_assert_str_eq(first.data, second.data);
	buf_clear(&first);
	buf_clear(&second);
	loaded_free(&again);
	loaded_free(&l);
}
END_TEST

UNIT_MAIN("conf", an_empty_file_gives_the_defaults, sections_come_in_the_order_of_the_file,
    a_list_is_replaced_or_added_to, all_mistakes_are_told_at_once, each_mistake_is_named,
    a_syntax_error_stands_alone, a_file_that_is_no_text_is_refused,
    the_number_of_mistakes_is_bounded, no_file_and_no_regular_file,
    variables_are_those_of_the_environment, an_ordinary_user_has_it_below_the_home,
    what_is_printed_reads_back_the_same)
