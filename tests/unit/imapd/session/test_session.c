#include "tests/unit/unit.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/imapd/session/harness.h"

static struct harness h;

struct exchange {
	const char *say;
	const char *hear;
};

static void
talk(const struct exchange *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		say(&h, rows[i].say);
		hear(&h, rows[i].hear);
	}
}
#define TALK(rows) talk(rows, sizeof(rows) / sizeof((rows)[0]))

static const char caps[] = SESSION_CAPABILITIES;

START_TEST(the_login_is_answered_first)
{
	harness_init(&h);
	h.start.tag = "x1";
	harness_start(&h);
	hear(&h, "x1 OK [CAPABILITY ");
	hear(&h, caps);
	hear(&h, "] Logged in\r\n");
	say(&h, "a CAPABILITY\r\nb LOGOUT\r\n");
	hear(&h, "* CAPABILITY ");
	hear(&h, caps);
	hear(&h, "\r\na OK CAPABILITY completed\r\n");
	hear(&h, "* BYE Logging out\r\nb OK LOGOUT completed\r\n");
	hear_end(&h);
	harness_end(&h);
	ck_assert_uint_eq(h.score.commands, 2);
	ck_assert_str_eq(h.score.command, "");
}
END_TEST

START_TEST(what_needs_no_mailbox)
{
	static const struct exchange rows[] = {
		{ "a NOOP\r\n", "a OK NOOP completed\r\n" },
		{ "b noop\r\n", "b OK NOOP completed\r\n" },
		{ "c NAMESPACE\r\n",
		    "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\nc OK NAMESPACE completed\r\n" },
		{ "d ENABLE X-GOOD-IDEA\r\n", "* ENABLED\r\nd OK ENABLE completed\r\n" },
		{ "e ID NIL\r\n", "* ID (\"name\" \"Rookery\" \"version\" \"" PACKAGE_VERSION
				  "\")\r\ne OK ID completed\r\n" },
		{ "f IDLE\r\n", "+ idling\r\n" },
		{ "DONE\r\n", "f OK IDLE completed\r\n" },
		{ "g FETCH 1 FLAGS\r\n", "g BAD Select a mailbox first\r\n" },
		{ "h CHECK\r\n", "h BAD Select a mailbox first\r\n" },
		{ "i STORE 1 FLAGS (\\Seen)\r\n", "i BAD Select a mailbox first\r\n" },
		{ "j UID NOOP\r\n", "j BAD Unknown command\r\n" },
		{ "k SELECT nowhere\r\n",
		    "k NO [NONEXISTENT] There is no such mailbox or message\r\n" },
		{ "l SELECT \"&bad\"\r\n", "l NO [CANNOT] This can never work in this form\r\n" },
		{ "m SELECT a/../b\r\n", "m NO [CANNOT] This can never work in this form\r\n" },
		{ "\r\n", "* BAD Invalid tag\r\n" },
	};

	harness_init(&h);
	harness_start(&h);
	TALK(rows);
	harness_end(&h);
}
END_TEST

START_TEST(select_tells_what_rev1_and_rev2_want)
{
	static const struct exchange rows[] = {
		{ "a SELECT inbox\r\n",
		    "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft)\r\n"
		    "* 3 EXISTS\r\n* 0 RECENT\r\n* OK [UNSEEN 2] First unseen message\r\n"
		    "* OK [UIDVALIDITY 1] UIDs are valid\r\n* OK [UIDNEXT 4] Predicted next UID\r\n"
		    "* OK [PERMANENTFLAGS ()] Flags that are kept\r\n"
		    "a OK [READ-ONLY] SELECT completed\r\n" },
		{ "b ENABLE IMAP4REV2\r\n", "* ENABLED IMAP4rev2\r\nb OK ENABLE completed\r\n" },
		{ "c EXAMINE inbox\r\n",
		    "* OK [CLOSED] Previous mailbox closed\r\n"
		    "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft)\r\n* 3 EXISTS\r\n"
		    "* OK [UIDVALIDITY 1] UIDs are valid\r\n* OK [UIDNEXT 4] Predicted next UID\r\n"
		    "* OK [PERMANENTFLAGS ()] Flags that are kept\r\n"
		    "* LIST (\\HasNoChildren) \"/\" INBOX (\"OLDNAME\" (inbox))\r\n"
		    "c OK [READ-ONLY] EXAMINE completed\r\n" },
		{ "d SELECT nowhere\r\n",
		    "* OK [CLOSED] Previous mailbox closed\r\n"
		    "d NO [NONEXISTENT] There is no such mailbox or message\r\n" },
		{ "e FETCH 1 UID\r\n", "e BAD Select a mailbox first\r\n" },
		{ "f EXAMINE INBOX\r\n",
		    "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft)\r\n* 3 EXISTS\r\n"
		    "* OK [UIDVALIDITY 1] UIDs are valid\r\n* OK [UIDNEXT 4] Predicted next UID\r\n"
		    "* OK [PERMANENTFLAGS ()] Flags that are kept\r\n"
		    "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
		    "f OK [READ-ONLY] EXAMINE completed\r\n" },
		{ "g CLOSE\r\n", "g OK CLOSE completed\r\n" },
		{ "h UNSELECT\r\n", "h BAD Select a mailbox first\r\n" },
	};
	struct fake_box *box;

	harness_init(&h);
	box = fake_box_find("INBOX");
	fake_msg_add(box, RK_FLAG_SEEN, "a: 1\n\n1\n");
	fake_msg_add(box, 0, "a: 2\n\n2\n");
	fake_msg_add(box, RK_FLAG_DELETED, "a: 3\n\n3\n");
	harness_start(&h);
	TALK(rows);
	harness_end(&h);
}
END_TEST

START_TEST(names_are_mutf7_until_rev2)
{
	static const struct exchange rows[] = {
		{ "a STATUS Gr&APwA3w-e (MESSAGES UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE "
		  "RECENT)\r\n",
		    "* STATUS Gr&APwA3w-e (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 2 UNSEEN 1 DELETED 1 "
		    "SIZE 8 RECENT 0)\r\na OK STATUS completed\r\n" },
		{ "b STATUS {11}\r\n", "+ Go on\r\n" },
		{ "Gr&APwA3w-e (MESSAGES)\r\n",
		    "* STATUS Gr&APwA3w-e (MESSAGES 2)\r\nb OK STATUS completed\r\n" },
		{ "c STATUS {11+}\r\nGr&APwA3w-e (MESSAGES)\r\n",
		    "* STATUS Gr&APwA3w-e (MESSAGES 2)\r\nc OK STATUS completed\r\n" },
		{ "d ENABLE IMAP4rev2\r\n", "* ENABLED IMAP4rev2\r\nd OK ENABLE completed\r\n" },
		{ "e STATUS \"Gr\xc3\xbc\xc3\x9f"
		  "e\" (MESSAGES)\r\n",
		    "* STATUS \"Gr\xc3\xbc\xc3\x9f"
		    "e\" (MESSAGES 2)\r\ne OK STATUS completed\r\n" },
		{ "f STATUS Gr&APwA3w-e (MESSAGES)\r\n",
		    "f NO [NONEXISTENT] There is no such mailbox or message\r\n" },
		{ "g STATUS level (MESSAGES)\r\n",
		    "g NO [NONEXISTENT] There is no such mailbox or message\r\n" },
	};
	struct fake_box *box;

	harness_init(&h);
	box = fake_box_add("Gr\xc3\xbc\xc3\x9f"
			   "e");
	fake_msg_add(box, RK_FLAG_SEEN | RK_FLAG_DELETED, "a\n\n");
	fake_msg_add_as(box, 0, "a\n\n", RK_EOL_LF, false);
	fake_level_add("level");
	harness_start(&h);
	TALK(rows);
	harness_end(&h);
}
END_TEST

START_TEST(list_in_its_forms)
{
	static const struct exchange rows[] = {
		{ "a LIST \"\" \"\"\r\n",
		    "* LIST (\\Noselect) \"/\" \"\"\r\na OK LIST completed\r\n" },
		{ "b LIST \"\" %\r\n",
		    "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
		    "* LIST (\\HasChildren) \"/\" Fruit\r\n"
		    "* LIST (\\Noselect \\HasChildren) \"/\" Veg\r\nb OK LIST completed\r\n" },
		{ "c LIST \"Fruit/\" *\r\n",
		    "* LIST (\\HasNoChildren) \"/\" Fruit/Apple\r\n"
		    "* LIST (\\HasNoChildren) \"/\" Fruit/Pear\r\nc OK LIST completed\r\n" },
		{ "d LIST (SUBSCRIBED) \"\" *\r\n",
		    "* LIST (\\HasNoChildren \\Subscribed) \"/\" Fruit/Apple\r\n"
		    "* LIST (\\NonExistent \\Subscribed) \"/\" Gone/Away\r\n"
		    "* LIST (\\HasNoChildren \\Subscribed) \"/\" Veg/Leek\r\nd OK LIST "
		    "completed\r\n" },
		{ "e LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %\r\n",
		    "* LIST (\\HasChildren) \"/\" Fruit (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
		    "* LIST (\\Noselect \\HasChildren) \"/\" Veg (\"CHILDINFO\" "
		    "(\"SUBSCRIBED\"))\r\n"
		    "* LIST (\\NonExistent) \"/\" Gone (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
		    "e OK LIST completed\r\n" },
		{ "f LIST \"\" (INBOX \"\" Fruit) RETURN (SUBSCRIBED CHILDREN STATUS "
		  "(MESSAGES))\r\n",
		    "* LIST (\\HasNoChildren) \"/\" INBOX\r\n* STATUS INBOX (MESSAGES 0)\r\n"
		    "* LIST (\\HasChildren) \"/\" Fruit\r\n* STATUS Fruit (MESSAGES 1)\r\n"
		    "f OK LIST completed\r\n" },
		{ "g LIST \"\" Veg RETURN (STATUS (MESSAGES))\r\n",
		    "* LIST (\\Noselect \\HasChildren) \"/\" Veg\r\ng OK LIST completed\r\n" },
		{ "h LIST (SPECIAL-USE) \"\" *\r\n", "h OK LIST completed\r\n" },
		{ "i LIST \"\" &bad\r\n", "i OK LIST completed\r\n" },
		{ "j LSUB \"\" *\r\n",
		    "* LSUB () \"/\" Fruit/Apple\r\n* LSUB (\\Noselect) \"/\" Gone/Away\r\n"
		    "* LSUB () \"/\" Veg/Leek\r\nj OK LSUB completed\r\n" },
		{ "k LSUB \"\" %\r\n",
		    "* LSUB (\\Noselect) \"/\" Fruit\r\n* LSUB (\\Noselect) \"/\" Veg\r\n"
		    "* LSUB (\\Noselect) \"/\" Gone\r\nk OK LSUB completed\r\n" },
	};

	harness_init(&h);
	fake_msg_add(fake_box_add("Fruit"), 0, "a\n\n");
	fake_box_add("Fruit/Apple");
	fake_box_add("Fruit/Pear");
	fake_box_add("Veg/Leek");
	fake_subscribe("Fruit/Apple");
	fake_subscribe("Veg/Leek");
	fake_subscribe("Gone/Away");
	harness_start(&h);
	TALK(rows);
	harness_end(&h);
}
END_TEST

/* The same bytes in one piece, byte by byte, and with every command behind the other. */
static void
chunks_do_not_matter(bool second)
{
	static const char asked[] =
	    "a NOOP\r\nb STATUS {5}\r\nINBOX (MESSAGES)\r\nc IDLE\r\nDONE\r\n"
	    "d NONSENSE\r\n~\r\ne LOGOUT\r\n";
	static const char told[] =
	    "a OK NOOP completed\r\n+ Go on\r\n* STATUS INBOX (MESSAGES 0)\r\nb OK STATUS "
	    "completed\r\n"
	    "+ idling\r\nc OK IDLE completed\r\nd BAD Unknown command\r\n* BAD Invalid tag\r\n"
	    "* BYE Logging out\r\ne OK LOGOUT completed\r\n";

	harness_init(&h);
	harness_start(&h);
	if (!second)
		say(&h, asked);
	for (size_t i = 0; second && i < sizeof(asked) - 1; i++) {
		say_bytes(&h, asked + i, 1);
		usleep(200);
	}
	hear(&h, told);
	hear_end(&h);
	harness_end(&h);
}

START_TEST(commands_in_one_piece)
{
	chunks_do_not_matter(false);
}
END_TEST

START_TEST(commands_byte_by_byte)
{
	chunks_do_not_matter(true);
}
END_TEST

START_TEST(limits_are_answered_in_step)
{
	static char line[70000];

	harness_init(&h);
	h.limits.bad_commands = 5;
	harness_start(&h);
	memset(line, 'x', sizeof(line));
	memcpy(line, "a NOOP ", 7);
	memcpy(line + sizeof(line) - 3, "\r\n", 3);
	say(&h, line);
	hear(&h, "a BAD [TOOBIG] The command is too long\r\n");
	say(&h, "b STATUS {200000}\r\n");
	hear(&h, "b BAD [TOOBIG] The command is too long\r\n");
	say_bytes(&h, "c NO\0OP\r\n", 9);
	hear(&h, "c BAD The command holds bytes that can't be there\r\n");
	say(&h, "d IDLE\r\n");
	hear(&h, "+ idling\r\n");
	say(&h, "d2 NOOP\r\n");
	hear(&h, "d BAD DONE was expected\r\n");
	say(&h, "e NOOP\r\n");
	hear(&h, "e OK NOOP completed\r\n");
	say(&h, "f X\r\ng X\r\nh NOOP\r\n");
	hear(&h, "f BAD Unknown command\r\ng BAD Unknown command\r\n");
	hear(&h, "* BYE Too many bad commands\r\n");
	hear_end(&h);
	harness_end(&h);
}
END_TEST

START_TEST(a_literal_that_will_not_be_read_is_the_end)
{
	harness_init(&h);
	harness_start(&h);
	say(&h, "a STATUS {5000+}\r\n");
	hear(&h, "a BAD [TOOBIG] The command is too long\r\n");
	hear(&h, "* BYE The rest of a refused literal can't be read\r\n");
	hear_end(&h);
	harness_end(&h);
}
END_TEST

static void
silent(bool second)
{
	harness_init(&h);
	h.limits.idle_ms = 300;
	h.limits.notice_ms = 100;
	harness_start(&h);
	if (second) {
		say(&h, "a IDLE\r\n");
		hear(&h, "+ idling\r\n* OK Still here\r\n* OK Still here\r\n");
	}
	hear(&h, "* BYE Nothing was heard for too long\r\n");
	hear_end(&h);
	harness_end(&h);
}

START_TEST(who_is_silent_is_sent_away)
{
	silent(false);
}
END_TEST

START_TEST(who_idles_for_long_is_sent_away)
{
	silent(true);
}
END_TEST

static void
spawner_ends(bool second)
{
	harness_init(&h);
	harness_start(&h);
	if (second) {
		say(&h, "a IDLE\r\n");
		hear(&h, "+ idling\r\n");
	}
	close(h.spawner);
	h.spawner = -1;
	hear(&h, "* BYE [UNAVAILABLE] The server ends this session\r\n");
	hear_end(&h);
	harness_end(&h);
}

START_TEST(the_spawners_end_is_ours)
{
	spawner_ends(false);
}
END_TEST

START_TEST(the_spawners_end_is_ours_in_idle)
{
	spawner_ends(true);
}
END_TEST

START_TEST(a_client_that_hangs_up_gets_its_answers)
{
	harness_init(&h);
	harness_start(&h);
	say(&h, "a NOOP\r\nb NOOP\r\nc IDLE\r\nDO");
	shutdown(h.client, SHUT_WR);
	hear(&h, "a OK NOOP completed\r\nb OK NOOP completed\r\n+ idling\r\n");
	hear_end(&h);
	harness_end(&h);
}
END_TEST

START_TEST(a_refused_session_is_told_why)
{
	int pair[2];
	char got[200] = "";

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	session_refuse(pair[1], "t", RK_INUSE);
	ck_assert_int_gt(read(pair[0], got, sizeof(got) - 1), 0);
	ck_assert_str_eq(got,
	    "t NO [INUSE] In use by another session or program, try again later\r\n"
	    "* BYE [INUSE] No session is possible\r\n");
	close(pair[0]);
	close(pair[1]);
}
END_TEST

UNIT_MAIN("imapd/session", the_login_is_answered_first, what_needs_no_mailbox,
    select_tells_what_rev1_and_rev2_want, names_are_mutf7_until_rev2, list_in_its_forms,
    commands_in_one_piece, commands_byte_by_byte, limits_are_answered_in_step,
    a_literal_that_will_not_be_read_is_the_end, who_is_silent_is_sent_away,
    who_idles_for_long_is_sent_away, the_spawners_end_is_ours, the_spawners_end_is_ours_in_idle,
    a_client_that_hangs_up_gets_its_answers, a_refused_session_is_told_why)
