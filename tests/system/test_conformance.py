"""RFC 9051 section by section, seen through a client that refuses anything malformed (imapclient_strict.py).
docs/conformance.md names these tests; scripts/check-conformance looks that each name is real."""

import re
import time

import pytest

from imap_grammar import Malformed, Parser
from imapclient_strict import Inconsistent, Strict
from rookery import wait_for
from test_login import Scram

# The message of section 8, as far as the section shows it.
SAMPLE = (b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
          b"From: Terry Gray <gray@cac.washington.edu>\r\n"
          b"Subject: IMAP4rev2 WG mtg summary and minutes\r\n"
          b"To: imap@cac.washington.edu\r\n"
          b"Cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
          b"Message-Id: <B27397-0100000@cac.washington.edu>\r\n"
          b"MIME-Version: 1.0\r\n"
          b"Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n")
MULTIPART = (b"From: \xe9 <a@example.org>\r\nSubject: \xff raw\r\nTo: g: a@example.org;, b@example.org\r\n"
             b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
             b"--x\r\n\r\none\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nhi\r\n--x--\r\n")


@pytest.fixture(scope="module")
def mail(server):
    """user1: 18 messages, the twelfth that of section 8; three folders besides."""
    for i in range(1, 19):
        data = SAMPLE + b"x\r\n" * 92 if i == 12 else MULTIPART if i == 13 else b"Subject: %d\r\n\r\nHello.\r\n" % i
        server.deliver("user1", data, name=f"{1000 + i}.M{i}P1.mx", where="cur", flags="" if i == 17 else "S")
    for folder in (".Sent", ".Lists.Dev", ".Gr&APwA3w-e"):
        server.deliver("user1", b"Subject: x\r\n\r\ny\r\n", folder=folder)
    (server.maildir() / "subscriptions").write_text("V\t2\n\nINBOX\nLists\tDev\n")
    server.own(server.maildir(), "user1")
    return server


def strict(server, state="authenticated", rev2=False, user="user1"):
    """A client in the state that is asked for."""
    c = Strict(server.imap)
    if state != "not authenticated":
        c.ok(f"LOGIN {user} pass")
    if rev2:
        c.ok("ENABLE IMAP4rev2")
    if state == "selected":
        c.ok("SELECT INBOX")
    return c


def names(reply, kind=b"LIST"):
    return [row["name"] for row in reply.of(kind)]


# -- the strict client itself --

@pytest.mark.parametrize("line", [
    b"* 1 FETCH (UID 1  FLAGS ())", b"* 1 FETCH ()", b"* 0 EXPUNGE", b"* 1 FETCH (UID 0)", b"* 01 EXISTS",
    b"* 1 FETCH (UID 4294967296)", b"* 1 FETCH (FLAGS (\\Seen \\seen))", b"* 1 FETCH (FLAGS (\\Strange))",
    b'* 1 FETCH (BODY[] "a\nb")', b'* 1 FETCH (BODY[] "a\\b")', b"* 1 FETCH (BODY[] {5}\r\nabc)",
    b'* 1 FETCH (INTERNALDATE "7-Feb-1994 21:52:25 -0800")', b"* 1 FETCH (UID 1 UID 1)", b"* 1 FETCH (BODY[0] NIL)",
    b'* 1 FETCH (BODY ("text" "plain" NIL NIL NIL "7bit" 1))', b'* LIST (\\Noselect \\NonExistent) "/" a',
    b'* LIST () "/" a b', b'* LIST () "//" a', b'* LIST () "/" inbox', b"* OK [UIDNEXT 0] x", b"* OK [MADEUP] x",
    b"* OK [READ-ONLY]x", b"* OK", b"* SEARCH 0", b"* SEARCH 1 ", b"* STATUS a (MESSAGES -1)", b"*  5 EXISTS",
    b"* 5 exists?", b"t1 OK\xc3\xa9", b"t2 OK done", b"t1 YES done", b"+go", b"* CAPABILITY IDLE",
    b"* OK [COPYUID 1 1:2 3] x", b'* ESEARCH (TAG "a") ALL $', b'* ID ("a")'])
def test_strict_parser_refuses(line):
    with pytest.raises(Malformed):
        Parser(line).response(b"t1")


@pytest.mark.parametrize("line", [
    b"* 1 FETCH (FLAGS () UID 1 BODY[HEADER.FIELDS (A \"b c\")]<0> {3}\r\nabc)", b"* 18 EXISTS", b"+ Go on",
    b"t1 OK [APPENDUID 1 3:5] x", b"* ESEARCH (TAG \"t1\") UID MIN 1 ALL 1:3,5 COUNT 4", b"* SEARCH", b"* SEARCH 1 2",
    b'* LIST (\\Subscribed) NIL {3}\r\na"b ("CHILDINFO" ("SUBSCRIBED"))', b'* NAMESPACE (("" "/")) NIL NIL',
    b'* 2 FETCH (BODYSTRUCTURE (("text" "plain" NIL NIL NIL "7bit" 1 0) "mixed" ("boundary" "x") NIL NIL NIL))'])
def test_strict_parser_takes(line):
    Parser(line).response(b"t1")


def test_strict_client_notices_contradictions(mail):
    c = strict(mail, "selected")
    for word, n, value in ((b"EXISTS", 17, None), (b"FETCH", 19, {}), (b"EXPUNGE", 19, None), (b"EXPUNGE", 1, None)):
        with pytest.raises(Inconsistent):
            c.learn(word, n, value)
    c.learn(b"FETCH", 2, {b"UID": 7})
    for n, uid in ((2, 8), (1, 7), (3, 7), (3, 1)):
        with pytest.raises(Inconsistent):
            c.learn(b"FETCH", n, {b"UID": uid})
    c.close()


# -- section 3 and 6: every command in every state --

STATES = ("not authenticated", "authenticated", "selected")
# Command: what each state answers. OK, NO and BAD are the words; "code" behind a blank.
COMMANDS = [
    ("CAPABILITY", "OK", "OK", "OK"), ("CAPABILITY x", "BAD", "BAD", "BAD"),
    ("NOOP", "OK", "OK", "OK"), ("NOOP x", "BAD", "BAD", "BAD"),
    ("LOGOUT x", "BAD", "BAD", "BAD"), ("ID NIL", "OK", "OK", "OK"), ('ID ("name")', "BAD", "BAD", "BAD"),
    ("STARTTLS x", "BAD", "BAD", "BAD"), ("AUTHENTICATE NONSENSE", "NO CANNOT", "BAD", "BAD"),
    ("AUTHENTICATE", "BAD", "BAD", "BAD"), ("AUTHENTICATE PLAIN !", "BAD", "BAD", "BAD"),
    ("LOGIN user1 wrong", "NO AUTHENTICATIONFAILED", "BAD", "BAD"), ("LOGIN user1", "BAD", "BAD", "BAD"),
    ("STARTTLS", None, "BAD", "BAD"), ("LOGIN user1 pass", None, "BAD", "BAD"),
    ("ENABLE X-NONE", "BAD", "OK", "OK"), ("ENABLE", "BAD", "BAD", "BAD"),
    ("SELECT Nowhere", "BAD", "NO NONEXISTENT", "NO NONEXISTENT"), ("SELECT", "BAD", "BAD", "BAD"),
    ("SELECT INBOX", "BAD", "OK READ-WRITE", "OK READ-WRITE"), ("SELECT Lists", "BAD", "NO NONEXISTENT", "NO NONEXISTENT"),
    ("EXAMINE INBOX", "BAD", "OK READ-ONLY", "OK READ-ONLY"), ("EXAMINE INBOX x", "BAD", "BAD", "BAD"),
    ("EXAMINE Nowhere", "BAD", "NO NONEXISTENT", "NO NONEXISTENT"),
    ('LIST "" *', "BAD", "OK", "OK"), ('LIST ""', "BAD", "BAD", "BAD"),
    ('LIST (RECURSIVEMATCH) "" *', "BAD", "BAD", "BAD"), ('LIST "" * RETURN (NONSENSE)', "BAD", "BAD", "BAD"),
    ('LSUB "" *', "BAD", "OK", "OK"), ('LSUB "" (a b)', "BAD", "BAD", "BAD"),
    ("NAMESPACE", "BAD", "OK", "OK"), ("NAMESPACE x", "BAD", "BAD", "BAD"),
    ("STATUS Sent (MESSAGES)", "BAD", "OK", "OK"), ("STATUS Sent ()", "BAD", "BAD", "BAD"),
    ("STATUS Nowhere (MESSAGES)", "BAD", "NO NONEXISTENT", "NO NONEXISTENT"),
    ("IDLE x", "BAD", "BAD", "BAD"), ("CHECK", "BAD", "BAD", "OK"), ("CHECK x", "BAD", "BAD", "BAD"),
    ("CLOSE", "BAD", "BAD", "OK"), ("CLOSE x", "BAD", "BAD", "BAD"),
    ("UNSELECT", "BAD", "BAD", "OK"), ("UNSELECT x", "BAD", "BAD", "BAD"),
    ("FETCH 1 FLAGS", "BAD", "BAD", "OK"), ("UID FETCH 1 FLAGS", "BAD", "BAD", "OK"),
    ("FETCH 1 NONSENSE", "BAD", "BAD", "BAD"), ("FETCH 1 (FLAGS", "BAD", "BAD", "BAD"),
    ("FETCH 19 FLAGS", "BAD", "BAD", "BAD"), ("FETCH 0 FLAGS", "BAD", "BAD", "BAD"),
    ("FETCH 1 BODY[HEADER.FIELDS ()]", "BAD", "BAD", "BAD"), ("FETCH 1 BODY[MIME]", "BAD", "BAD", "BAD"),
    ("FETCH 1 BINARY[1]", "BAD", "BAD", "OK"), ("FETCH 1 BINARY[TEXT]", "BAD", "BAD", "BAD"), ("UID NOOP", "BAD", "BAD", "BAD"), ("UID", "BAD", "BAD", "BAD"),
    ("CREATE inbox", "BAD", "NO ALREADYEXISTS", "NO ALREADYEXISTS"), ("CREATE", "BAD", "BAD", "BAD"),
    ("CREATE a//b", "BAD", "NO CANNOT", "NO CANNOT"), ("CREATE x (USE ())x", "BAD", "BAD", "BAD"),
    ("CREATE x (USE (\\Nonsense))", "BAD", "NO USEATTR", "NO USEATTR"),
    ("DELETE Nowhere", "BAD", "NO NONEXISTENT", "NO NONEXISTENT"), ("DELETE INBOX", "BAD", "NO CANNOT", "NO CANNOT"),
    ("DELETE", "BAD", "BAD", "BAD"), ("RENAME Nowhere x", "BAD", "NO NONEXISTENT", "NO NONEXISTENT"),
    ("RENAME Sent", "BAD", "BAD", "BAD"), ("RENAME Sent inbox", "BAD", "NO ALREADYEXISTS", "NO ALREADYEXISTS"),
    ("SUBSCRIBE Lists/Dev", "BAD", "OK", "OK"), ("SUBSCRIBE", "BAD", "BAD", "BAD"),
    ("UNSUBSCRIBE Nowhere", "BAD", "OK", "OK"), ("UNSUBSCRIBE a//b", "BAD", "NO CANNOT", "NO CANNOT"),
    ("APPEND Nowhere {3+}\r\nabc", "BAD", "NO TRYCREATE", "NO TRYCREATE"), ("APPEND INBOX", "BAD", "BAD", "BAD"),
    ("APPEND INBOX (\\Nonsense) {3+}\r\nabc", "BAD", "BAD", "BAD"),
    ("STORE 1 +FLAGS (\\Seen)", "BAD", "BAD", "OK"), ("UID STORE 1 +FLAGS (\\Seen)", "BAD", "BAD", "OK"),
    ("STORE 1 FLAGS", "BAD", "BAD", "BAD"), ("STORE 19 FLAGS ()", "BAD", "BAD", "BAD"),
    ("COPY 1 Nowhere", "BAD", "BAD", "NO TRYCREATE"), ("UID COPY 1 Nowhere", "BAD", "BAD", "NO TRYCREATE"),
    ("COPY 1", "BAD", "BAD", "BAD"), ("COPY 19 Sent", "BAD", "BAD", "BAD"), ("UID COPY 99 Sent", "BAD", "BAD", "OK"),
    ("MOVE 1 Nowhere", "BAD", "BAD", "NO TRYCREATE"), ("UID MOVE 99 Sent", "BAD", "BAD", "OK"),
    ("MOVE 1", "BAD", "BAD", "BAD"), ("EXPUNGE", "BAD", "BAD", "OK"), ("EXPUNGE 1", "BAD", "BAD", "BAD"),
    ("UID EXPUNGE 1", "BAD", "BAD", "OK"), ("UID EXPUNGE", "BAD", "BAD", "BAD"),
    ("SEARCH ALL", "BAD", "BAD", "OK"), ("UID SEARCH ALL", "BAD", "BAD", "OK"), ("SEARCH", "BAD", "BAD", "BAD"),
    ("SEARCH CHARSET X-NONE ALL", "BAD", "BAD", "NO BADCHARSET"),
    ("XNONSENSE", "BAD", "BAD", "BAD"),
]


@pytest.mark.parametrize("state", STATES)
def test_commands_in_every_state(mail, state):
    for row in COMMANDS:
        text, want = row[0], row[1 + STATES.index(state)]
        if want is None:
            continue
        with strict(mail, state) as c:
            reply = c.command(text)
            got = reply.word.decode() + (" " + reply.code.decode() if reply.code else "")
            assert got == want, (state, text, reply)
            assert c.ok("NOOP").word == b"OK"


# Valid IMAP that this version does not serve. A verb that becomes served moves to COMMANDS.
# -- section 8 --

def test_transcript_of_section_8(mail):
    c = Strict(mail.imap)
    c.ok("starttls")
    c.start_tls(mail.tls())
    assert Scram("sha256", "user1", "pass").run(c, "SCRAM-SHA-256").startswith(b"a OK")
    assert c.ok("ENABLE IMAP4rev2").of(b"ENABLED") == [[b"IMAP4rev2"]]
    reply = c.ok("select inbox")
    assert reply.numbers(b"EXISTS") == [18] and b"\\Seen" in reply.of(b"FLAGS")[0]
    assert {b"UIDVALIDITY", b"UIDNEXT", b"PERMANENTFLAGS"} <= set(reply.codes())
    row = reply.of(b"LIST")[0]
    assert (row["separator"], row["name"], row["extended"]) == (b"/", b"INBOX", {b"OLDNAME": [b"inbox"]})
    got = c.ok("fetch 12 full").fetched()[12]
    assert set(got) == {b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE", b"BODY"}
    gray = [(b"Terry Gray", None, b"gray", b"cac.washington.edu")]
    assert got[b"ENVELOPE"] == [
        b"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)", b"IMAP4rev2 WG mtg summary and minutes", gray, gray, gray,
        [(None, None, b"imap", b"cac.washington.edu")],
        [(None, None, b"minutes", b"CNRI.Reston.VA.US"), (b"John Klensin", None, b"KLENSIN", b"MIT.EDU")],
        None, None, b"<B27397-0100000@cac.washington.edu>"]
    body = got[b"BODY"]
    assert (body["type"].upper(), body["subtype"].upper(), body["octets"], body["lines"]) == (
        b"TEXT", b"PLAIN", 92 * 3, 92)
    assert {k.upper(): v.upper() for k, v in body["param"].items()} == {b"CHARSET": b"US-ASCII"}
    assert got[b"RFC822.SIZE"] == len(SAMPLE) + 92 * 3
    assert c.ok("fetch 12 body[header]").fetched()[12][b"BODY[HEADER]"] == SAMPLE
    assert c.ok("store 12 +flags \\deleted").fetched()[12][b"FLAGS"] == [b"\\Seen", b"\\Deleted"]
    c.ok("store 12 -flags \\deleted")
    reply = c.ok("logout")
    assert len(reply.of(b"BYE")) == 1 and c.closed()


# -- section 2 to 5 --

def test_tags_and_lines(mail):
    with strict(mail) as c:
        for tag in (b"+a", b"a(b", b"a*", b'a"', b"*", b""):
            c.send(tag + b" NOOP\r\n")
            assert re.match(rb"(\* BAD|\S+ BAD) ", c.line()), tag
        for tag in (b"a]b", b"A.1-_", b"0", b"x" * 100):
            c.send(tag + b" NOOP\r\n")
            assert c.line().startswith(tag + b" OK")


def test_mailbox_names(mail):
    """Section 5.1: INBOX in any case, never as part of another name; modified UTF-7 before ENABLE, UTF-8 after."""
    with strict(mail) as c:
        for name in ("inbox", "INBOX", "iNbOx", '"InBoX"', "{5+}\r\niNBOX"):
            assert c.ok(f"EXAMINE {name}").numbers(b"EXISTS") == [18]
        c.refused("EXAMINE inboxes", b"NO", b"NONEXISTENT")
        c.refused("EXAMINE &Jjo!", b"NO", b"CANNOT")
        assert c.ok("EXAMINE Gr&APwA3w-e").numbers(b"EXISTS") == [1]
        assert b"Gr&APwA3w-e" in names(c.ok('LIST "" *'))
        c.ok("UNSELECT")
        c.ok("ENABLE IMAP4rev2")
        assert "Grüße".encode() in names(c.ok('LIST "" *'))
        assert c.ok('EXAMINE "Grüße"').numbers(b"EXISTS") == [1]


def test_pipelining_and_answers_in_order(mail):
    """Section 5.5."""
    with strict(mail, "selected") as c:
        c.send(b"a FETCH 1:18 (UID ENVELOPE)\r\nb NOOP\r\nc FETCH 3 FLAGS\r\nd UNSELECT\r\ne FETCH 1 FLAGS\r\n")
        for tag, word in ((b"a", b"OK"), (b"b", b"OK"), (b"c", b"OK"), (b"d", b"OK"), (b"e", b"BAD")):
            c.tag = tag
            assert c.finish().word == word, tag


# -- section 6.1 to 6.3 --

def test_enable_answers_what_it_enabled(mail):
    with strict(mail) as c:
        assert c.ok("ENABLE X-NONE").of(b"ENABLED") == [[]]
        assert c.ok("ENABLE imap4REV2 X-NONE").of(b"ENABLED")[0] != []
        assert c.rev2


def test_select_in_rev1_and_rev2(mail):
    """Sections 6.3.2, 6.3.3: RECENT and UNSEEN belong to rev1, LIST to rev2."""
    for rev2 in (False, True):
        with strict(mail, rev2=rev2) as c:
            reply = c.ok("SELECT INBOX")
            codes = reply.codes()
            assert {b"UIDVALIDITY", b"UIDNEXT", b"PERMANENTFLAGS"} <= set(codes)
            assert len(reply.numbers(b"RECENT")) == (0 if rev2 else 1)
            assert codes.get(b"UNSEEN") == (None if rev2 else 17)
            assert names(reply) == ([b"INBOX"] if rev2 else [])
            reply = c.ok("EXAMINE Sent")
            # Told before anything of the new mailbox.
            assert reply.untagged[0][2][0] == (b"CLOSED", None)
            # A refused SELECT leaves nothing selected.
            reply = c.refused("SELECT Nowhere", b"NO", b"NONEXISTENT")
            assert reply.untagged[0][2][0] == (b"CLOSED", None)
            c.refused("FETCH 1 FLAGS", b"BAD")


def test_rev2_names_the_mailbox_that_was_meant(mail):
    """Section 6.3.9.7: OLDNAME when the server made another spelling of the name, and only then."""
    with strict(mail, rev2=True) as c:
        assert c.ok("SELECT inbox").of(b"LIST")[0]["extended"] == {b"OLDNAME": [b"inbox"]}
        assert c.ok("SELECT INBOX").of(b"LIST")[0]["extended"] == {}


def test_list(mail):
    with strict(mail) as c:
        everything = names(c.ok('LIST "" *'))
        assert sorted(everything) == [b"Gr&APwA3w-e", b"INBOX", b"Lists", b"Lists/Dev", b"Sent"]
        assert b"Lists/Dev" not in names(c.ok('LIST "" %'))
        assert names(c.ok('LIST "" Lists/%')) == names(c.ok('LIST Lists/ %')) == [b"Lists/Dev"]
        root = c.ok('LIST "" ""').of(b"LIST")
        assert [(r["separator"], r["name"]) for r in root] == [(b"/", b"")] and b"\\noselect" in root[0]["flags"]
        assert sorted(names(c.ok('LIST "" (Sent INBOX)'))) == [b"INBOX", b"Sent"]
        rows = {r["name"]: r for r in c.ok('LIST "" * RETURN (CHILDREN SUBSCRIBED)').of(b"LIST")}
        assert b"\\haschildren" in rows[b"Lists"]["flags"] and b"\\hasnochildren" in rows[b"Sent"]["flags"]
        assert {n for n, r in rows.items() if b"\\subscribed" in r["flags"]} == {b"INBOX", b"Lists/Dev"}
        assert sorted(names(c.ok('LIST (SUBSCRIBED) "" *'))) == [b"INBOX", b"Lists/Dev"]
        row = c.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" %').of(b"LIST")
        lists = next(r for r in row if r["name"] == b"Lists")
        assert lists["extended"] == {b"CHILDINFO": [b"SUBSCRIBED"]}
        assert names(c.ok('LIST "" Nowhere')) == []
        assert sorted(names(c.ok('LSUB "" *'), b"LSUB")) == [b"INBOX", b"Lists/Dev"]


def test_list_status(mail):
    """Section 6.3.9.2: one STATUS for each mailbox that can be selected, LIST-STATUS of RFC 5819."""
    with strict(mail) as c:
        reply = c.ok('LIST "" * RETURN (STATUS (MESSAGES UIDNEXT))')
        told = dict(reply.of(b"STATUS"))
        assert told[b"INBOX"] == {b"MESSAGES": 18, b"UIDNEXT": 19} and b"Lists" not in told and len(told) == 4


def test_status(mail):
    with strict(mail) as c:
        name, items = c.ok("STATUS inbox (MESSAGES UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE RECENT)").of(b"STATUS")[0]
        assert name == b"INBOX" and items[b"MESSAGES"] == 18 and items[b"UNSEEN"] in (0, 1) and items[b"DELETED"] == 0
        c.ok("EXAMINE INBOX")
        sizes = c.ok("FETCH 1:* RFC822.SIZE").fetched()
        assert items[b"SIZE"] == sum(v[b"RFC822.SIZE"] for v in sizes.values())
        assert items[b"UIDVALIDITY"] == c.validity and items[b"UIDNEXT"] == c.uidnext
        c.refused("STATUS INBOX (NONSENSE)", b"BAD")


# -- section 6.4 and 7.5 --

def test_fetch_every_item(mail):
    for rev2 in (False, True):
        with strict(mail, "selected", rev2) as c:
            got = c.ok("FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE)").fetched()
            assert sorted(got) == list(range(1, 19)) and [got[n][b"UID"] for n in got] == list(range(1, 19))
            parts = got[13][b"BODYSTRUCTURE"]["parts"]
            assert parts[1]["envelope"][1] == b"in" and got[13][b"ENVELOPE"][1] == b"\xff raw"
            assert "md5" in parts[0] and "md5" not in got[13][b"BODY"]["parts"][0]
            for items, want in (("ALL", {b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE"}),
                                ("FAST", {b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE"})):
                assert set(c.ok(f"FETCH 2 {items}").fetched()[2]) == want


def test_fetch_sections(mail):
    with strict(mail, "selected") as c:
        whole = c.ok("FETCH 13 BODY.PEEK[]").fetched()[13][b"BODY[]"]
        assert whole == MULTIPART
        head, body = whole.split(b"\r\n\r\n", 1)
        for section, want in ((b"HEADER", head + b"\r\n\r\n"), (b"TEXT", body), (b"1", b"one"), (b"1.MIME", b"\r\n"),
                              (b"2.MIME", b"Content-Type: message/rfc822\r\n\r\n"), (b"2.HEADER", b"Subject: in\r\n\r\n"),
                              (b"2.TEXT", b"hi"), (b"2.1", b"hi"), (b"2", b"Subject: in\r\n\r\nhi"),
                              (b"HEADER.FIELDS (SUBJECT)", b"Subject: \xff raw\r\n\r\n"), (b"9", b"")):
            got = c.ok(b"FETCH 13 BODY.PEEK[%s]" % section).fetched()[13]
            assert (got[b"BODY[%s]" % section] or b"") == want, section
            for start, length in ((0, 3), (2, 1000), (len(want), 1), (2 ** 62, 1)):
                got = c.ok(b"FETCH 13 BODY.PEEK[%s]<%d.%d>" % (section, start, length)).fetched()[13]
                assert (got[b"BODY[%s]<%d>" % (section, start)] or b"") == want[start:start + length], section


def test_rfc822_items_of_rev1(mail):
    with strict(mail, "selected") as c:
        got = c.ok("FETCH 13 (RFC822.HEADER RFC822.TEXT RFC822)").fetched()[13]
        assert got[b"RFC822"] == got[b"RFC822.HEADER"] + got[b"RFC822.TEXT"] == MULTIPART


@pytest.mark.parametrize("sets,want", [
    ("1", [1]), ("3:1", [1, 2, 3]), ("18:*", [18]), ("*:17", [17, 18]), ("*", [18]), ("2,1,2:3", [1, 2, 3]),
    ("1:18", list(range(1, 19)))])
def test_message_sets(mail, sets, want):
    """Section 4.1.1, seq-range: either order, overlaps, *."""
    with strict(mail, "selected") as c:
        assert sorted(c.ok(f"FETCH {sets} UID").fetched()) == want
        assert sorted(c.ok(f"UID FETCH {sets} FLAGS").fetched()) == want
        assert all(b"UID" in v for v in c.ok(f"UID FETCH {sets} FLAGS").fetched().values())


def test_message_sets_refused(mail):
    with strict(mail, "selected") as c:
        for bad in ("0", "1:0", "", "1,", ",1", "1:", ":1", "1::2", "-1", "4294967296", "1:19", "19", "a", "1;2"):
            c.refused(f"FETCH {bad} FLAGS", b"BAD")
        assert c.ok("UID FETCH 19:30 FLAGS").fetched() == {}
        assert sorted(c.ok("UID FETCH 30:* FLAGS").fetched()) == [18]


# -- several sessions and what is told when (sections 5.2, 7.4, 7.5.1) --

def test_expunge_is_told_only_where_it_may_be(make_server):
    server = make_server(start=False)
    for i in range(1, 31):
        server.deliver("user1", b"Subject: %d\r\n\r\nx\r\n" % i, name=f"{1000 + i}.M{i}P1.mx", where="cur", flags="S")
    server.start()
    clients = [strict(server, "selected", rev2) for rev2 in (False, True, False)]
    for c in clients:
        c.ok("FETCH 1:* (UID FLAGS)")
    clients[2].idle()
    for gone in range(1, 31, 3):
        next((server.maildir() / "cur").glob(f"{1000 + gone}.*")).unlink()
        kept = server.deliver("user1", b"Subject: new\r\n\r\nx\r\n")
        time.sleep(0.02)
        # The client itself fails on an EXPUNGE during FETCH, and on numbers that do not agree.
        for c in clients[:2]:
            reply = c.command("FETCH 1:* (UID FLAGS BODY.PEEK[HEADER])")
            assert (reply.word, reply.code) in ((b"OK", None), (b"NO", b"EXPUNGEISSUED")), reply
    assert kept
    want = [u for u in range(1, 31) if u % 3 != 1] + list(range(31, 41))
    for c in clients[:2]:
        assert wait_for(lambda: c.ok("NOOP") and len(c.uids) == len(want), 5, 0.1), c.uids
        c.ok("FETCH 1:* UID")
        assert c.uids == want
    # Both kinds of news reach IDLE, whatever their order.
    while sum(1 for u in clients[2].uids if u and u % 3 == 1 and u <= 30) or len(clients[2].uids) != len(want):
        clients[2].idle_line()
    assert clients[2].idle_end().word == b"OK"
    clients[2].ok("FETCH 1:* UID")
    assert clients[2].uids == want
    for c in clients:
        c.close()


def test_flags_of_another_program_reach_every_session(make_server):
    server = make_server(start=False)
    for i in range(1, 4):
        server.deliver("user1", b"Subject: %d\r\n\r\nx\r\n" % i, name=f"{1000 + i}.M{i}P1.mx", where="cur")
    server.start()
    with strict(server, "selected") as one, strict(server, "selected", rev2=True) as two:
        for c in (one, two):
            c.ok("FETCH 1:* (UID FLAGS)")
        two.idle()
        path = next((server.maildir() / "cur").glob("1002.*"))
        path.rename(path.with_name(path.name.split(":")[0] + ":2,FS"))
        while two.flags[1] != {b"\\seen", b"\\flagged"}:
            two.idle_line()
        assert wait_for(lambda: one.ok("NOOP") and one.flags[1] == {b"\\seen", b"\\flagged"}, 5, 0.1)
        two.idle_end()


def test_idle(mail):
    """Section 6.3.13: DONE in any case ends it, anything else is BAD; also without a mailbox."""
    for state in ("authenticated", "selected"):
        with strict(mail, state) as c:
            c.idle()
            assert c.idle_end().word == b"OK"
            c.idle()
            c.send(b"done\r\n")
            assert c.finish().word == b"OK"
            c.idle()
            c.send(b"t9 NOOP\r\n")
            assert c.finish().word == b"BAD"
            c.ok("NOOP")


def test_close_and_unselect(mail):
    for verb in ("CLOSE", "UNSELECT"):
        with strict(mail, "selected") as c:
            assert c.ok(verb).untagged == []
            c.refused("FETCH 1 FLAGS", b"BAD")
            assert c.ok("SELECT INBOX").numbers(b"EXISTS") == [18]
