#include "tests/unit/unit.h"

#include <string.h>

#include "imapd/proto/command.h"
#include "imapd/proto/resp_list.h"
#include "imapd/proto/resp_search.h"
#include "imapd/proto/resp_status.h"
#include "imapd/proto/resp_text.h"

#define CHECK_OUT(want, call)                                                                      \
	do {                                                                                       \
		struct buf out = BUF_INIT;                                                         \
		call;                                                                              \
		ck_assert_str_eq(out.data, want);                                                  \
		buf_clear(&out);                                                                   \
	} while (0)

START_TEST(conditions_codes_and_text)
{
	struct str a = STR_LIT("a1");

	CHECK_OUT("a1 OK done\r\n", resp_tagged(&out, a, RESP_OK, NULL, "done"));
	CHECK_OUT("a1 NO [LIMIT] no\r\n", resp_tagged(&out, a, RESP_NO, "LIMIT", "no"));
	CHECK_OUT("* BYE bye\r\n", resp_untagged(&out, RESP_BYE, NULL, "bye"));
	CHECK_OUT("* PREAUTH [CAPABILITY X] hi\r\n",
	    resp_untagged(&out, RESP_PREAUTH, "CAPABILITY X", "hi"));
	CHECK_OUT("a1 BAD a??b\r\n", resp_tagged(&out, a, RESP_BAD, NULL, "a\r\nb"));
	CHECK_OUT("a1 OK -[ALERT] x\r\n", resp_tagged(&out, a, RESP_OK, NULL, "[ALERT] x"));
	CHECK_OUT("a1 OK -\r\n", resp_tagged(&out, a, RESP_OK, NULL, ""));
	CHECK_OUT("+ idling\r\n", resp_continue(&out, "idling"));
}
END_TEST

START_TEST(every_status_has_words_and_they_name_nothing)
{
	for (enum rk_status s = RK_NOTFOUND; s <= RK_CLOSED; s++) {
		const struct resp_words *w = resp_words(s);

		ck_assert_ptr_nonnull(w->code);
		ck_assert_uint_eq(strspn(w->code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), strlen(w->code));
		ck_assert_ptr_null(strpbrk(w->sentence, "/%\r\n"));
	}
	CHECK_OUT("a NO [NONEXISTENT] There is no such mailbox or message\r\n",
	    resp_fail(&out, STR_LIT("a"), RK_NOTFOUND));
	ck_assert_str_eq(resp_words(RK_INUSE)->code, "INUSE");
	ck_assert_str_eq(resp_words(RK_TEMP)->code, "UNAVAILABLE");
	ck_assert_str_eq(resp_words(RK_QUOTA)->code, "OVERQUOTA");
}
END_TEST

START_TEST(capability_enabled_id)
{
	const struct resp_id_pair pairs[] = { { "name", "Rookery" }, { "version", NULL } };

	CHECK_OUT(
	    "* CAPABILITY IMAP4rev1 IMAP4rev2\r\n", resp_capability(&out, "IMAP4rev1 IMAP4rev2"));
	CHECK_OUT("* ENABLED IMAP4rev2\r\n", resp_enabled(&out, "IMAP4rev2"));
	CHECK_OUT("* ENABLED\r\n", resp_enabled(&out, ""));
	CHECK_OUT("* ID (\"name\" \"Rookery\" \"version\" NIL)\r\n", resp_id(&out, pairs, 2));
	CHECK_OUT("* ID NIL\r\n", resp_id(&out, NULL, 0));
}
END_TEST

START_TEST(list_rows)
{
	struct resp_list row = { .name = STR_LIT("Entw\xc3\xbcrfe"), .separator = '/' };

	CHECK_OUT("* LIST () \"/\" Entw&APw-rfe\r\n", resp_list(&out, &row));
	row.utf8 = true;
	row.attrs = RESP_LIST_NONEXISTENT | RESP_LIST_NOSELECT | RESP_LIST_SUBSCRIBED;
	CHECK_OUT("* LIST (\\NonExistent \\Subscribed) \"/\" \"Entw\xc3\xbcrfe\"\r\n",
	    resp_list(&out, &row));
	row.attrs = RESP_LIST_NOSELECT | RESP_LIST_MARKED | RESP_LIST_HASCHILDREN;
	row.child_subscribed = true;
	row.separator = '\0';
	row.name = STR_LIT("a\" b");
	CHECK_OUT("* LIST (\\Noselect \\HasChildren) NIL \"a\\\" b\""
		  " (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n",
	    resp_list(&out, &row));
	row.old_name = STR_LIT("old");
	row.attrs = RESP_LIST_MARKED | RESP_LIST_UNMARKED;
	row.separator = '\\';
	row.special_use = "\\Sent";
	CHECK_OUT("* LIST (\\Marked \\Sent) \"\\\\\" \"a\\\" b\""
		  " (\"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (old))\r\n",
	    resp_list(&out, &row));
	row = (struct resp_list){ .name = STR_LIT(""), .separator = '/', .lsub = true };
	row.attrs = RESP_LIST_NOSELECT;
	row.special_use = "";
	CHECK_OUT("* LSUB (\\Noselect) \"/\" \"\"\r\n", resp_list(&out, &row));
	CHECK_OUT("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n", resp_namespace(&out, '/'));
}
END_TEST

START_TEST(status_and_select)
{
	struct resp_status st = { .name = STR_LIT("a b"),
		.messages = 1,
		.uidnext = 2,
		.uidvalidity = 3,
		.unseen = 4,
		.deleted = 5,
		.recent = 6,
		.size = 1099511627776 };
	struct resp_flags flags = { .flags = RK_FLAGS_ALL };

	st.items = 0x7f;
	CHECK_OUT("* STATUS \"a b\" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3 UNSEEN 4 DELETED 5"
		  " SIZE 1099511627776 RECENT 6)\r\n",
	    resp_status(&out, &st));
	st.items = STATUS_UNSEEN;
	CHECK_OUT("* STATUS \"a b\" (UNSEEN 4)\r\n", resp_status(&out, &st));
	CHECK_OUT("* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft)\r\n",
	    resp_flags(&out, &flags));
	flags.flags = 0;
	CHECK_OUT(
	    "* OK [PERMANENTFLAGS ()] Flags that are kept\r\n", resp_permanentflags(&out, &flags));
	flags.star = true;
	CHECK_OUT("* OK [PERMANENTFLAGS (\\*)] Flags that are kept\r\n",
	    resp_permanentflags(&out, &flags));
	CHECK_OUT("* 3 EXISTS\r\n", resp_exists(&out, 3));
	CHECK_OUT("* 0 RECENT\r\n", resp_recent(&out, 0));
	CHECK_OUT("* 4294967295 EXPUNGE\r\n", resp_expunge(&out, 4294967295u));
	CHECK_OUT("* OK [UIDVALIDITY 9] UIDs are valid\r\n", resp_uidvalidity(&out, 9));
	CHECK_OUT("* OK [UIDNEXT 9] Predicted next UID\r\n", resp_uidnext(&out, 9));
	CHECK_OUT("* OK [UNSEEN 9] First unseen message\r\n", resp_unseen(&out, 9));
	CHECK_OUT("* OK [CLOSED] Previous mailbox closed\r\n", resp_closed(&out));
}
END_TEST

START_TEST(search_and_esearch)
{
	struct uidset found = UIDSET_INIT;
	struct resp_esearch e = { .tag = STR_LIT("a1"), .found = &found };

	CHECK_OUT("* SEARCH\r\n", resp_search(&out, &found));
	e.ret = SEARCH_RET_MIN | SEARCH_RET_MAX | SEARCH_RET_ALL;
	CHECK_OUT("* ESEARCH (TAG \"a1\")\r\n", resp_esearch(&out, &e));
	e.ret |= SEARCH_RET_COUNT | SEARCH_RET_SAVE;
	CHECK_OUT("* ESEARCH (TAG \"a1\") COUNT 0\r\n", resp_esearch(&out, &e));
	uidset_add(&found, 2, 3);
	uidset_add(&found, UINT32_MAX, UINT32_MAX);
	CHECK_OUT("* SEARCH 2 3 4294967295\r\n", resp_search(&out, &found));
	e.uid = true;
	CHECK_OUT("* ESEARCH (TAG \"a1\") UID MIN 2 MAX 4294967295 ALL 2:3,4294967295 COUNT 3\r\n",
	    resp_esearch(&out, &e));
	e.ret = SEARCH_RET_COUNT;
	CHECK_OUT("* ESEARCH (TAG \"a1\") UID COUNT 3\r\n", resp_esearch(&out, &e));
	e.ret = SEARCH_RET_SAVE;
	CHECK_OUT("x", (buf_adds(&out, "x"), resp_esearch(&out, &e)));
	uidset_clear(&found);
}
END_TEST

START_TEST(uids_keep_their_order)
{
	const uint32_t from[] = { 7, 8, 3, 2, 1, 9, UINT32_MAX };
	const uint32_t to[] = { 1, 2, 3, 4, 5, 6, 7 };

	CHECK_OUT("APPENDUID 5 7", resp_appenduid(&out, 5, from, 1));
	CHECK_OUT("APPENDUID 5 7:8", resp_appenduid(&out, 5, from, 2));
	CHECK_OUT("COPYUID 4294967295 7:8,3,2,1,9,4294967295 1:7",
	    resp_copyuid(&out, UINT32_MAX, from, to, 7));
}
END_TEST

UNIT_MAIN("resp", conditions_codes_and_text, every_status_has_words_and_they_name_nothing,
    capability_enabled_id, list_rows, status_and_select, search_and_esearch, uids_keep_their_order)
