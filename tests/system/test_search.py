"""SEARCH: every key on both sides, charsets, results that are kept, and the answers beside Dovecot's rules."""

import time

import pytest

from imapclient_strict import Strict

NOW = int(time.time())
DAY = 86400
MESSAGES = [
    # name's letters, date on disk, bytes
    ("S", 1000000000, b"From: Alice <alice@example.org>\r\nTo: bob@example.net\r\nCc: carol@example.com\r\n"
     b"Subject: Hello world\r\nDate: Sat, 8 Sep 2001 23:30:00 -0500\r\nX-Tag: first\r\n\r\nThe quick brown fox.\r\n"),
    ("FR", 1000000000 + DAY, b"From: =?utf-8?Q?J=C3=BCrgen?= <j@example.org>\r\nSubject: =?iso-8859-1?Q?Gr=FC=DFe?=\r\n"
     b" =?iso-8859-1?Q?_aus_K=F6ln?=\r\nBcc: dora@example.org\r\nMIME-Version: 1.0\r\n"
     b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
     b"Stra=DFe und =\r\nBr=FCcke\r\n"),
    ("", NOW - 3600, b"Subject: parts\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMIME-Version: 1.0\r\n"
     b"Content-Type: multipart/mixed; boundary=x\r\n\r\npreamble\r\n--x\r\nContent-Type: text/plain; charset=utf-8\r\n"
     b"Content-Transfer-Encoding: base64\r\n\r\nw4RwZmVsIHVuZCBCaXJuZW4=\r\n--x\r\n"
     b"Content-Type: message/rfc822\r\n\r\nSubject: inner subject\r\n\r\ninner text\r\n--x\r\n"
     b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\naGlkZGVu\r\n--x--\r\n"),
    ("DT", NOW - 2 * DAY, b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 6000 + b"needle\r\n"),
    ("", NOW - 10 * DAY, b"no header at all\r\n"),
]


@pytest.fixture(scope="module")
def mail(server):
    import os
    for i, (letters, date, data) in enumerate(MESSAGES, 1):
        server.deliver("user1", data, name=f"{1000 + i}.M{i}P1.mx", where="cur", flags=letters)
        path = server.maildir() / "cur" / f"{1000 + i}.M{i}P1.mx:2,{letters}"
        os.utime(path, (date, date))
    server.own(server.maildir(), "user1")
    with client(server) as c:
        c.ok("STORE 2 +FLAGS.SILENT ($Key)")
    return server


def client(server, rev2=False):
    c = Strict(server.imap)
    c.ok("LOGIN user1 pass")
    if rev2:
        c.ok("ENABLE IMAP4rev2")
    c.ok("SELECT INBOX")
    return c


def found(c, text):
    return c.ok(text if isinstance(text, bytes) else f"SEARCH {text}").of(b"SEARCH")[0]


@pytest.mark.parametrize("keys,want", [
    ("ALL", [1, 2, 3, 4, 5]), ("1:2,5", [1, 2, 5]), ("*", [5]), ("UID 2:3", [2, 3]), ("UID 99", []), ("77", []),
    ("SEEN", [1]), ("UNSEEN", [2, 3, 4, 5]), ("ANSWERED", [2]), ("UNANSWERED", [1, 3, 4, 5]), ("FLAGGED", [2]),
    ("UNFLAGGED", [1, 3, 4, 5]), ("DELETED", [4]), ("UNDELETED", [1, 2, 3, 5]), ("DRAFT", [4]),
    ("UNDRAFT", [1, 2, 3, 5]), ("KEYWORD $Key", [2]), ("KEYWORD $key", [2]), ("UNKEYWORD $Key", [1, 3, 4, 5]),
    ("KEYWORD none", []),
    ("FROM alice", [1]), ("FROM ALICE@", [1]), ("FROM nobody", []), ("TO bob", [1]), ("CC carol", [1]), ("BCC dora", [2]),
    ("SUBJECT hello", [1]), ("SUBJECT \"hello world\"", [1]), ("SUBJECT worldx", []), ("SUBJECT \"\"", [1, 2, 3, 4]),
    ("HEADER X-Tag FIRST", [1]), ("HEADER X-Tag \"\"", [1]), ("HEADER X-None \"\"", []), ("HEADER Subject hello", [1]),
    ("BODY quick", [1]), ("BODY alice", []), ("TEXT alice", [1]), ("TEXT quick", [1]), ("TEXT x-tag", [1]),
    ("BODY \"inner text\"", [3]), ("BODY \"inner subject\"", [3]), ("BODY hidden", []), ("BODY aGlkZGVu", []),
    ("BODY needle", [4]), ("BODY abcdef0123456789", [4]), ("BODY needles", []),
    ("LARGER 90000", [4]), ("SMALLER 100", [5]), ("LARGER 18", [1, 2, 3, 4]), ("SMALLER 18", []), ("SMALLER 19", [5]),
    ("SENTON 8-Sep-2001", [1]), ("SENTON 9-Sep-2001", []), ("SENTBEFORE 9-Sep-2001", [1]), ("SENTSINCE 1-Jan-2024", [3]),
    ("SENTSINCE 2-Jan-2024", []), ("ON 9-Sep-2001", [1]), ("BEFORE 10-Sep-2001", [1]), ("SINCE 11-Sep-2001", [3, 4, 5]),
    ("YOUNGER 7200", [3]), ("OLDER 7200", [1, 2, 4, 5]), ("OLDER 4000000000", []),
    ("NOT SEEN", [2, 3, 4, 5]), ("OR SEEN FLAGGED", [1, 2]), ("OR (SEEN FROM alice) (DRAFT NOT DELETED)", [1]),
    ("SEEN FLAGGED", []), ("NOT (OR SEEN NOT UNDELETED)", [2, 3, 5]), ("NOT NOT SEEN", [1]),
    ("NOT BODY quick", [2, 3, 4, 5]), ("OR BODY quick SUBJECT parts", [1, 3]), ("NOT SUBJECT \"\"", [5]),
    ("UNSEEN OR TEXT needle SUBJECT parts", [3, 4])])
def test_every_key(mail, keys, want):
    with client(mail) as c:
        assert found(c, keys) == want
        assert c.ok(f"UID SEARCH {keys}").of(b"SEARCH")[0] == want
        assert sorted(want + found(c, f"NOT ({keys})")) == [1, 2, 3, 4, 5]


def literal(text):
    return b"{%d+}\r\n" % len(text) + text


@pytest.mark.parametrize("charset,key,text,want", [
    (b"UTF-8", b"SUBJECT", "grüße aus köln".encode(), [2]), (b"utf-8", b"SUBJECT", "GRÜSSE AUS".encode(), [2]),
    (b"ISO-8859-1", b"SUBJECT", "Köln".encode("latin-1"), [2]), (b"UTF-8", b"FROM", "jürgen".encode(), [2]),
    (b"UTF-8", b"BODY", "straße und brücke".encode(), [2]), (b"UTF-8", b"BODY", "ÄPFEL".encode(), [3]),
    (b"UTF-8", b"BODY", "A\u0308pfel".encode(), [3]), (b"UTF-8", b"TEXT", "äpfel und birnen".encode(), [3]),
    (b"UTF-8", b"BODY", "ökonom".encode(), []), (b"US-ASCII", b"SUBJECT", b"hello", [1])])
def test_charsets(mail, charset, key, text, want):
    with client(mail) as c:
        assert found(c, b"SEARCH CHARSET " + charset + b" " + key + b" " + literal(text)) == want


def test_unknown_charset_is_told_what_is_known(mail):
    with client(mail) as c:
        reply = c.refused(b"SEARCH CHARSET X-NONE SUBJECT " + literal(b"x"), b"NO", b"BADCHARSET")
        assert b"UTF-8" in [v.upper() for v in reply.value]


@pytest.mark.parametrize("text", [
    "SEARCH", "SEARCH NONSENSE", "SEARCH NOT", "SEARCH OR SEEN", "SEARCH (SEEN", "SEARCH SEEN)", "SEARCH SUBJECT",
    "SEARCH BEFORE yesterday", "SEARCH BEFORE 31-Feb-2020x", "SEARCH LARGER x", "SEARCH RETURN (NONSENSE) ALL",
    "SEARCH RETURN ALL", "SEARCH CHARSET UTF-8", "SEARCH OLDER 0", "SEARCH 0"])
def test_bad_programs_are_bad(mail, text):
    with client(mail) as c:
        c.refused(text, b"BAD")
        assert found(c, "ALL") == [1, 2, 3, 4, 5]


# -- ESEARCH --

def esearch(c, text):
    reply = c.ok(text)
    rows = reply.of(b"ESEARCH")
    assert len(rows) <= 1
    return rows[0] if rows else None


def test_return_options(mail):
    with client(mail) as c:
        row = esearch(c, "SEARCH RETURN (MIN MAX COUNT ALL) UNSEEN")
        assert row[b"MIN"] == 2 and row[b"MAX"] == 5 and row[b"COUNT"] == 4 and row[b"ALL"]
        assert esearch(c, "SEARCH RETURN (COUNT) FROM nobody")[b"COUNT"] == 0
        assert b"MIN" not in esearch(c, "SEARCH RETURN (MIN) FROM nobody")
        assert esearch(c, "SEARCH RETURN () SEEN")[b"ALL"]
        assert c.ok("SEARCH RETURN () SEEN").of(b"SEARCH") == []
    with client(mail, rev2=True) as c:
        assert c.ok("SEARCH SEEN").of(b"SEARCH") == [] and esearch(c, "UID SEARCH SEEN")[b"ALL"]


def test_saved_results(mail):
    with client(mail) as c:
        assert c.ok("SEARCH RETURN (SAVE) UNSEEN UNDELETED").untagged == []
        assert set(c.ok("FETCH $ UID").fetched()) == {2, 3, 5}
        assert set(c.ok("UID FETCH $ FLAGS").fetched()) == {2, 3, 5}
        assert found(c, "$ FLAGGED") == [2]
        assert found(c, "NOT $") == [1, 4]
        c.ok("SEARCH RETURN (SAVE MIN) UNSEEN")
        assert set(c.ok("FETCH $ UID").fetched()) == {2}
        c.ok("SEARCH RETURN (SAVE MIN MAX) UNSEEN")
        assert set(c.ok("FETCH $ UID").fetched()) == {2, 5}
        c.refused("SEARCH RETURN (SAVE) NONSENSE", b"BAD")
        assert set(c.ok("FETCH $ UID").fetched()) == {2, 5}
        c.refused(b"SEARCH RETURN (SAVE) CHARSET X-NONE ALL", b"NO", b"BADCHARSET")
        assert c.ok("FETCH $ UID").fetched() == {}
        c.ok("SEARCH RETURN (SAVE) ALL")
        c.ok("SELECT INBOX")
        assert c.ok("FETCH $ UID").fetched() == {}


def test_saved_results_forget_what_is_expunged(make_server):
    server = make_server()
    for i in range(1, 5):
        server.deliver("user1", b"Subject: %d\r\n\r\n" % i, name=f"{1000 + i}.M{i}P1.mx", where="cur", flags="")
    server.own(server.maildir(), "user1")
    with client(server) as c:
        c.ok("SEARCH RETURN (SAVE) 2:3")
        c.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
        c.ok("EXPUNGE")
        assert [row[b"UID"] for row in c.ok("FETCH $ UID").fetched().values()] == [3]
        c.ok("STORE $ +FLAGS.SILENT (\\Flagged)")
        assert found(c, "FLAGGED") == [2]
        c.ok("MOVE $ INBOX")
        assert found(c, "UID 5") == [3]


def test_recent_new_and_old(make_server):
    server = make_server()
    for i in (1, 2):
        server.deliver("user1", b"Subject: %d\r\n\r\n" % i, name=f"{1000 + i}.M{i}P1.mx", where="cur", flags="S" * (i - 1))
    server.own(server.maildir(), "user1")
    with client(server) as c:
        assert (found(c, "RECENT"), found(c, "NEW"), found(c, "OLD")) == ([1, 2], [1], [])
    with client(server) as c:
        assert (found(c, "RECENT"), found(c, "NEW"), found(c, "OLD")) == ([], [], [1, 2])


def test_a_long_body_is_looked_at_in_many_turns(make_server):
    server = make_server()
    body = b"".join(b"line %d of many\r\n" % i for i in range(300000)) + b"the needle\r\n"
    server.deliver("user1", b"Subject: long\r\n\r\n" + body, name="1001.M1P1.mx", where="cur", flags="")
    server.deliver("user1", b"Subject: short\r\n\r\nno needles\r\n", name="1002.M2P1.mx", where="cur", flags="")
    server.own(server.maildir(), "user1")
    with client(server) as c:
        absent = " ".join(f"NOT BODY absent{i}" for i in range(60))
        assert found(c, f"{absent} BODY \"the needle\"") == [1]
        assert found(c, f"{absent} BODY needle BODY no") == [2]
        assert found(c, f"{absent} BODY \"\"") == [1, 2]
        # A client that leaves is not searched for.
        c.send(b"x SEARCH " + " ".join(f"NOT BODY absent{i}" for i in range(900)).encode() + b"\r\n")
    with client(server) as c:
        assert found(c, "SUBJECT short") == [2]


def test_no_expunge_is_told_during_search_and_numbers_stay(mail, make_server):
    server = make_server()
    for i in range(1, 4):
        server.deliver("user1", b"Subject: %d\r\n\r\nbody\r\n" % i, name=f"{1000 + i}.M{i}P1.mx", where="cur", flags="")
    server.own(server.maildir(), "user1")
    with client(server) as a, client(server) as b:
        b.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        b.ok("EXPUNGE")
        reply = a.ok("SEARCH BODY body")
        assert reply.numbers(b"EXPUNGE") == [] and reply.of(b"SEARCH")[0] == [2, 3]
        reply = a.ok("UID SEARCH BODY body")
        assert reply.of(b"SEARCH")[0] == [2, 3]
        a.ok("NOOP")
        assert found(a, "ALL") == [1, 2]
