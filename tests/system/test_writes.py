"""STORE, APPEND, COPY, MOVE, EXPUNGE, CLOSE: what changes mail, seen by the session that does it, by others,
in the files of the store and by Dovecot's rules for them."""

import os
import re
import time

import pytest

from imapclient_strict import Strict
from rookery import wait_for

TEXT = b"Subject: %d\r\n\r\nHello %d.\r\n"


@pytest.fixture
def mail(make_server):
    """user1: five messages in INBOX, an empty Archive, one message in Sent."""
    server = make_server()
    for i in range(1, 6):
        server.deliver("user1", TEXT % (i, i), name=f"{1000 + i}.M{i}P1.mx", where="cur", flags="S" if i == 5 else "")
    server.deliver("user1", TEXT % (9, 9), folder=".Sent")
    archive = server.maildir() / ".Archive"
    for sub in ("tmp", "new", "cur"):
        (archive / sub).mkdir(parents=True)
    server.own(server.maildir(), "user1")
    return server


def client(server, mailbox="INBOX", verb="SELECT", rev2=False):
    c = Strict(server.imap)
    c.ok("LOGIN user1 pass")
    if rev2:
        c.ok("ENABLE IMAP4rev2")
    if mailbox:
        c.ok(f"{verb} {mailbox}")
    return c


def files(server, folder="", sub="cur"):
    return sorted(os.listdir(server.maildir() / folder / sub))


def flags(reply, n):
    return set(reply.fetched()[n][b"FLAGS"])


def literal(data, plus=b"+"):
    return b"{%d%s}\r\n" % (len(data), plus) + data


def append(c, data, box=b"INBOX", rest=b""):
    return c.command(b"APPEND " + box + b" " + rest + literal(data))


# -- SELECT --

def test_select_is_read_write_and_examine_is_not(mail):
    c = Strict(mail.imap)
    c.ok("LOGIN user1 pass")
    reply = c.ok("SELECT INBOX")
    assert reply.code == b"READ-WRITE"
    assert {b"\\Deleted", b"\\Seen", b"\\*"} <= set(reply.codes()[b"PERMANENTFLAGS"])
    reply = c.ok("EXAMINE INBOX")
    assert reply.code == b"READ-ONLY" and reply.codes()[b"PERMANENTFLAGS"] == []
    before = files(mail)
    for text in ("STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "UID EXPUNGE 1", "MOVE 1 Archive", "UID MOVE 1 Archive"):
        c.refused(text, b"NO", b"READ-ONLY")
    c.ok("FETCH 1 BODY[]")
    c.ok("CLOSE")
    assert files(mail) == before


def test_recent_is_told_once_and_only_in_rev1(mail):
    a = Strict(mail.imap)
    a.ok("LOGIN user1 pass")
    assert a.ok("EXAMINE INBOX").numbers(b"RECENT") == [5]
    assert a.ok("SELECT INBOX").numbers(b"RECENT") == [5]
    assert b"\\Recent" in flags(a.ok("FETCH 1 FLAGS"), 1)
    b = client(mail, "Sent")
    assert b.ok("SELECT INBOX").numbers(b"RECENT") == [0]
    assert b"\\Recent" not in flags(b.ok("FETCH 1 FLAGS"), 1)
    c = client(mail, None, rev2=True)
    reply = c.ok("SELECT INBOX")
    assert reply.numbers(b"RECENT") == []
    append(c, TEXT % (6, 6))
    reply = a.ok("NOOP")
    assert reply.numbers(b"EXISTS") == [6] and reply.numbers(b"RECENT") == [6]


# -- STORE --

def test_store_replaces_adds_and_removes(mail):
    c = client(mail, rev2=True)
    assert flags(c.ok("STORE 1 FLAGS (\\Answered \\Flagged)"), 1) == {b"\\Answered", b"\\Flagged"}
    assert flags(c.ok("STORE 1 +FLAGS \\Draft"), 1) == {b"\\Answered", b"\\Flagged", b"\\Draft"}
    assert flags(c.ok("STORE 1 -FLAGS (\\Answered \\Seen)"), 1) == {b"\\Flagged", b"\\Draft"}
    assert files(mail)[0] == "1001.M1P1.mx:2,DF"
    assert flags(c.ok("STORE 1 FLAGS ()"), 1) == set()
    assert files(mail)[0] == "1001.M1P1.mx:2,"


def test_store_tells_also_what_was_so_before_and_silent_does_not(mail):
    c = client(mail, rev2=True)
    assert flags(c.ok("STORE 5 +FLAGS (\\Seen)"), 5) == {b"\\Seen"}
    assert c.ok("STORE 1:5 +FLAGS.SILENT (\\Flagged)").fetched() == {}
    assert flags(c.ok("FETCH 2 FLAGS"), 2) == {b"\\Flagged"}
    assert c.ok("NOOP").fetched() == {}


def test_silent_store_tells_what_another_session_changed(mail):
    a, b = client(mail, rev2=True), client(mail, rev2=True)
    b.ok("STORE 2 +FLAGS (\\Answered)")
    got = a.ok("STORE 1:2 +FLAGS.SILENT (\\Flagged)").fetched()
    assert set(got) == {2} and set(got[2][b"FLAGS"]) == {b"\\Answered", b"\\Flagged"}


def test_keywords_are_made_kept_and_announced(mail):
    c = client(mail, rev2=True)
    reply = c.ok("STORE 1 +FLAGS ($Forwarded work)")
    assert flags(reply, 1) == {b"$Forwarded", b"work"} and {b"$Forwarded", b"work"} <= set(reply.of(b"FLAGS")[0])
    assert (mail.maildir() / "dovecot-keywords").read_text() == "0 $Forwarded\n1 work\n"
    assert files(mail)[0] == "1001.M1P1.mx:2,ab"
    # The same word in other letters is the same keyword.
    assert flags(c.ok("STORE 1 -FLAGS (WORK nothing)"), 1) == {b"$Forwarded"}
    assert flags(c.ok("STORE 2 +FLAGS (Work)"), 2) == {b"work"}
    # The target has letters of its own.
    c.ok("COPY 2 Archive")
    assert (mail.maildir() / ".Archive/dovecot-keywords").read_text() == "0 work\n"
    assert files(mail, ".Archive")[0].endswith(":2,a")
    d = client(mail, "Archive")
    assert b"work" in flags(d.ok("FETCH 1 FLAGS"), 1)


def test_keywords_beyond_the_letters(mail):
    words = ["key%d" % i for i in range(40)]
    c = client(mail, rev2=True)
    assert flags(c.ok("STORE 1 +FLAGS (%s)" % " ".join(words)), 1) == {w.encode() for w in words}
    assert flags(c.ok("STORE 2 +FLAGS.SILENT (KEY30 \\Seen)") and c.ok("FETCH 2 FLAGS"), 2) == {b"key30", b"\\Seen"}
    c.ok("COPY 1:2 Archive")
    c.ok("STORE 1 -FLAGS.SILENT (%s)" % " ".join(words[10:]))
    d = client(mail, rev2=True)
    assert flags(d.ok("FETCH 1 FLAGS"), 1) == {w.encode() for w in words[:10]}
    got = d.ok("UID SEARCH KEYWORD key30").of(b"ESEARCH")[0]
    assert got[b"ALL"] == [2]
    d.ok("SELECT Archive")
    got = d.ok("FETCH 1:2 FLAGS").fetched()
    assert set(got[1][b"FLAGS"]) == {w.encode() for w in words} and set(got[2][b"FLAGS"]) == {b"key30", b"\\Seen"}
    d.refused("STORE 1 +FLAGS (%s)" % " ".join("more%d" % i for i in range(217)), b"NO", b"LIMIT")
    d.ok("STORE 1 +FLAGS (%s)" % " ".join("more%d" % i for i in range(216)))
    d.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    d.ok("EXPUNGE")
    assert b"\n1 " not in (mail.maildir() / ".Archive/rookery-keywords").read_bytes()


def test_store_of_foreign_and_unknown_letters_keeps_them(mail):
    os.rename(mail.maildir() / "cur/1001.M1P1.mx:2,", mail.maildir() / "cur/1001.M1P1.mx:2,PS")
    c = client(mail)
    c.ok("STORE 1 +FLAGS (\\Deleted)")
    assert files(mail)[0] == "1001.M1P1.mx:2,PST"


def test_store_by_numbers_and_uids_that_are_not_there(mail):
    c = client(mail)
    c.refused("STORE 6 +FLAGS (\\Seen)", b"BAD")
    c.refused("STORE 1 +FLAGS (\\Recent)", b"BAD")
    c.refused("STORE 1 +FLAGS (\\Nonsense)", b"BAD")
    assert c.ok("UID STORE 77 +FLAGS (\\Seen)").fetched() == {}
    assert c.ok("UID STORE 2:3 +FLAGS (\\Seen)").fetched().keys() == {2, 3}


def test_store_finds_messages_that_were_renamed_meanwhile(mail):
    c = client(mail)
    cur = mail.maildir() / "cur"
    for i in range(1, 5):
        os.rename(cur / f"{1000 + i}.M{i}P1.mx:2,", cur / f"{1000 + i}.M{i}P1.mx:2,R")
    c.ok("STORE 1:4 +FLAGS (\\Flagged)")
    assert files(mail)[:4] == [f"{1000 + i}.M{i}P1.mx:2,FR" for i in range(1, 5)]


def test_store_moves_a_message_out_of_new(mail):
    c = client(mail, "Sent")
    assert len(files(mail, ".Sent", "new")) == 1
    c.ok("STORE 1 +FLAGS (\\Seen)")
    assert files(mail, ".Sent", "new") == [] and files(mail, ".Sent")[0].endswith(":2,S")


# -- implicit \Seen --

@pytest.mark.parametrize("item,seen", [
    ("BODY[]", True), ("BODY[TEXT]", True), ("RFC822", True), ("RFC822.TEXT", True), ("BODY[HEADER]<0.3>", True),
    ("BODY.PEEK[]", False), ("RFC822.HEADER", False), ("ENVELOPE", False), ("BODYSTRUCTURE", False)])
def test_reading_a_body_sets_seen(mail, item, seen):
    c = client(mail, rev2=not item.startswith("RFC822"))  # RFC822.* is rev1's
    reply = c.ok(f"FETCH 1:2 {item}")
    assert len(reply.fetched()) == 2
    for n in (1, 2):
        assert (b"\\Seen" in reply.fetched()[n].get(b"FLAGS", [])) == seen
    assert files(mail)[0] == "1001.M1P1.mx:2," + ("S" if seen else "")
    assert flags(c.ok("FETCH 1 FLAGS"), 1) - {b"\\Recent"} == ({b"\\Seen"} if seen else set())


def test_flags_beside_a_body_show_seen(mail):
    c = client(mail, rev2=True)
    assert flags(c.ok("UID FETCH 1 (BODY[] FLAGS)"), 1) == {b"\\Seen"}


# -- EXPUNGE, CLOSE --

def test_expunge_removes_what_is_deleted_and_no_other(mail):
    c = client(mail)
    c.ok("STORE 2,4 +FLAGS.SILENT (\\Deleted)")
    assert c.ok("EXPUNGE").numbers(b"EXPUNGE") == [4, 2]
    assert [f.split(":")[0] for f in files(mail)] == ["1001.M1P1.mx", "1003.M3P1.mx", "1005.M5P1.mx"]
    assert [row[b"UID"] for row in c.ok("FETCH 1:* UID").fetched().values()] == [1, 3, 5]
    assert c.ok("EXPUNGE").untagged == []


def test_uid_expunge_removes_only_those_named(mail):
    c = client(mail)
    c.ok("STORE 1:3 +FLAGS.SILENT (\\Deleted)")
    assert c.ok("UID EXPUNGE 2:5").numbers(b"EXPUNGE") == [3, 2]
    assert flags(c.ok("FETCH 1 FLAGS"), 1) >= {b"\\Deleted"}
    assert len(files(mail)) == 3


def test_close_removes_without_a_word_and_unselect_does_not(mail):
    c = client(mail)
    c.ok("STORE 1 +FLAGS (\\Deleted)")
    assert c.ok("UNSELECT").untagged == [] and len(files(mail)) == 5
    c.ok("EXAMINE INBOX")
    assert c.ok("CLOSE").untagged == [] and len(files(mail)) == 5
    c.ok("SELECT INBOX")
    assert c.ok("CLOSE").untagged == [] and len(files(mail)) == 4


def test_other_session_sees_expunges_only_where_it_may(mail):
    a, b = client(mail), client(mail)
    b.ok("STORE 1:2 +FLAGS (\\Deleted)")
    b.ok("EXPUNGE")
    assert a.ok("FETCH 3 UID").fetched()[3][b"UID"] == 3
    assert a.command("FETCH 1 BODY[]").code == b"EXPUNGEISSUED"
    a.refused("STORE 1 +FLAGS (\\Seen)", b"NO", b"EXPUNGEISSUED")
    a.refused("COPY 1,3 Archive", b"NO", b"EXPUNGEISSUED")
    assert files(mail, ".Archive") == []
    assert a.ok("NOOP").numbers(b"EXPUNGE") == [2, 1]


# -- APPEND --

def test_append_stores_bytes_flags_and_date(mail):
    c = client(mail)
    data = b"Subject: new\r\n\r\n" + bytes(range(0x80, 0x100)) + b"\r\n"
    reply = append(c, data, rest=b'(\\Seen $Label) "17-Jul-1996 02:44:25 -0700" ')
    assert reply.word == b"OK" and reply.code == b"APPENDUID" and reply.value == (c.validity, [6])
    assert reply.numbers(b"EXISTS") == [6]
    got = c.ok("FETCH 6 (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[] UID)").fetched()[6]
    assert got[b"BODY[]"] == data and got[b"RFC822.SIZE"] == len(data) and got[b"UID"] == 6
    assert set(got[b"FLAGS"]) - {b"\\Recent"} == {b"\\Seen", b"$Label"}
    assert got[b"INTERNALDATE"] == b'"17-Jul-1996 09:44:25 +0000"'
    name = [f for f in files(mail) if f",S={len(data)},W={len(data)}:2,Sa" in f]
    assert len(name) == 1 and (mail.maildir() / "cur" / name[0]).read_bytes() == data
    assert files(mail, sub="tmp") == []
    assert re.search(rb"^6 .*:%s$" % re.escape(name[0].split(":")[0].encode()),
                     (mail.maildir() / "dovecot-uidlist").read_bytes(), re.M)


def test_append_waits_for_a_synchronising_literal_and_adds_cr(mail):
    c = client(mail)
    assert c.ok(b"APPEND INBOX {20}", b"Subject: lf\n\nx\r\ny\nz\n").code == b"APPENDUID"
    got = c.ok("FETCH 6 (RFC822.SIZE BODY.PEEK[])").fetched()[6]
    assert got[b"BODY[]"] == b"Subject: lf\r\n\r\nx\r\ny\r\nz\r\n" and got[b"RFC822.SIZE"] == 24


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
def test_append_of_a_large_message(mail, eol):
    c = client(mail)
    lines = [b"Subject: large", b""] + [b"%07d " % i + b"x" * (i % 90) for i in range(60000)] + [b""]
    sent, want = eol.join(lines), b"\r\n".join(lines)
    assert len(sent) > 3 << 20
    assert c.ok(b"APPEND {5}", b"INBOX (\\Seen) {%d}" % len(sent), sent).code == b"APPENDUID"
    got = c.ok("FETCH 6 (RFC822.SIZE BODY.PEEK[])").fetched()[6]
    assert got[b"BODY[]"] == want and got[b"RFC822.SIZE"] == len(want)


def test_append_beyond_the_limit_is_refused_and_the_session_goes_on(make_server):
    server = make_server(options={"imapd.max_message": 100000})
    c = client(server)
    data = b"S: x\r\n\r\n" + b"y" * (100000 - 9)
    assert c.ok(b"APPEND INBOX {%d}" % len(data), data).numbers(b"EXISTS") == [1]
    c.refused(b"APPEND INBOX {100001}", b"NO", b"TOOBIG")
    assert c.ok("NOOP").untagged == []
    # Several messages share the limit.
    half = data[:60000]
    reply = c.pieces(b"APPEND INBOX {60000}", half + b" {60000}", half)
    assert (reply.word, reply.code) == (b"NO", b"TOOBIG")
    assert c.ok("NOOP").untagged == []


def test_append_of_a_nul_needs_literal8(mail):
    c = client(mail)
    data = b"Subject: nul\r\n\r\na\0b\r\n"
    assert c.ok(b"APPEND INBOX ~{%d}" % len(data), data).code == b"APPENDUID"
    assert [f for f in files(mail) if f",S={len(data)}," in f]
    c.send(b"x APPEND INBOX {%d}\r\n" % len(data))
    assert c.line().startswith(b"+")
    c.send(data + b"\r\n")
    assert c.line().startswith(b"x BAD") and c.line().startswith(b"* BYE")


def test_append_of_several_messages_is_all_or_none(mail):
    c = client(mail)
    one, two = TEXT % (7, 7), TEXT % (8, 8)
    reply = c.ok(b"APPEND INBOX (\\Seen) " + literal(one) + b" (\\Flagged) " + literal(two))
    assert reply.numbers(b"EXISTS") == [7]
    got = c.ok("FETCH 6:7 (FLAGS BODY.PEEK[])").fetched()
    assert (got[6][b"BODY[]"], got[7][b"BODY[]"]) == (one, two)
    assert b"\\Seen" in got[6][b"FLAGS"] and b"\\Flagged" in got[7][b"FLAGS"]
    c.refused(b"APPEND INBOX " + literal(one) + b" (\\Nonsense) " + literal(two), b"BAD")
    assert c.ok("NOOP").untagged == []


def test_append_to_what_is_not_there(mail):
    c = client(mail)
    assert append(c, TEXT % (1, 1), b"Nowhere").code == b"TRYCREATE"
    assert append(c, TEXT % (1, 1), b"a//b").code == b"CANNOT"
    assert append(c, TEXT % (1, 1), b'""').word == b"NO"
    assert c.ok("NOOP").untagged == []


def test_append_without_a_selected_mailbox(mail):
    c = client(mail, None)
    assert append(c, TEXT % (1, 1), b"Archive").code == b"APPENDUID"
    assert len(files(mail, ".Archive")) == 1


def test_append_is_on_disk_before_it_is_acknowledged(mail):
    """kill -9 of the worker right behind the OK: the message has the UID that was told."""
    c = client(mail)
    workers = mail.workers()
    assert len(workers) == 1
    assert append(c, TEXT % (6, 6)).value == (c.validity, [6])
    workers[0].kill()
    assert wait_for(lambda: not workers[0].alive())
    d = client(mail)
    got = d.ok("FETCH 6 (UID BODY.PEEK[])").fetched()[6]
    assert got[b"UID"] == 6 and got[b"BODY[]"] == TEXT % (6, 6)


# -- COPY, MOVE --

def test_copy_keeps_flags_date_and_bytes(mail):
    c = client(mail)
    c.ok("STORE 1 +FLAGS (\\Flagged $Label)")
    date = c.ok("FETCH 1 INTERNALDATE").fetched()[1][b"INTERNALDATE"]
    reply = c.ok("COPY 1,3 Archive")
    assert reply.code == b"COPYUID" and len(files(mail)) == 5
    d = client(mail, "Archive")
    got = d.ok("FETCH 1:2 (FLAGS INTERNALDATE BODY.PEEK[])").fetched()
    assert got[1][b"BODY[]"] == TEXT % (1, 1) and got[2][b"BODY[]"] == TEXT % (3, 3)
    assert set(got[1][b"FLAGS"]) - {b"\\Recent"} == {b"\\Flagged", b"$Label"}
    assert got[1][b"INTERNALDATE"] == date


def test_copy_to_the_same_mailbox(mail):
    c = client(mail)
    reply = c.ok("UID COPY 2 INBOX")
    assert reply.code == b"COPYUID" and reply.numbers(b"EXISTS") == [6]
    assert c.ok("FETCH 6 BODY.PEEK[]").fetched()[6][b"BODY[]"] == TEXT % (2, 2)


def test_copy_to_what_is_not_there(mail):
    c = client(mail)
    c.refused("COPY 1 Nowhere", b"NO", b"TRYCREATE")
    c.refused("MOVE 1 Nowhere", b"NO", b"TRYCREATE")
    c.refused("COPY 6 Archive", b"BAD")
    assert c.ok("UID COPY 99 Archive").code is None
    assert files(mail, ".Archive") == [] and len(files(mail)) == 5


@pytest.mark.parametrize("text,told", [("MOVE 2:3 Archive", [3, 2]), ("UID MOVE 2,3 Archive", [3, 2])])
def test_move_tells_where_before_it_tells_what_is_gone(mail, text, told):
    c = client(mail)
    reply = c.ok(text)
    assert reply.numbers(b"EXPUNGE") == told
    words = [word for word, _, _ in reply.untagged]
    assert words.index(b"OK") < words.index(b"EXPUNGE") and b"COPYUID" in reply.codes()
    assert len(files(mail)) == 3 and len(files(mail, ".Archive")) == 2
    assert [row[b"UID"] for row in c.ok("FETCH 1:* UID").fetched().values()] == [1, 4, 5]


# -- several sessions --

def test_own_changes_reach_an_idle_session_at_once(mail):
    a, b = client(mail, rev2=True), client(mail, rev2=True)
    a.idle()
    took = []
    for i in range(10):
        start = time.monotonic()
        b.ok(f"STORE 1 {'+-'[i % 2]}FLAGS.SILENT (\\Flagged)")
        assert a.idle_line()[0] == b"FETCH"
        took.append(time.monotonic() - start)
    assert append(b, TEXT % (6, 6)).word == b"OK"
    assert a.idle_line()[:2] == (b"EXISTS", 6)
    b.ok("STORE 6 +FLAGS.SILENT (\\Deleted)")
    assert a.idle_line()[0] == b"FETCH"
    b.ok("EXPUNGE")
    assert a.idle_line()[:2] == (b"EXPUNGE", 6)
    a.idle_end()
    assert sorted(took)[5] < 0.5, took


def test_foreign_changes_reach_an_idle_session(mail):
    a = client(mail, rev2=True)
    a.idle()
    mail.deliver("user1", TEXT % (6, 6), name="2000.M1P1.mx")
    mail.own(mail.maildir(), "user1")
    assert a.idle_line()[:2] == (b"EXISTS", 6)
    os.rename(mail.maildir() / "cur/1001.M1P1.mx:2,", mail.maildir() / "cur/1001.M1P1.mx:2,F")
    word, n, items = a.idle_line()
    assert (word, n) == (b"FETCH", 1) and b"\\Flagged" in items[b"FLAGS"]
    a.idle_end()


def test_two_sessions_append_at_once_and_every_uid_is_one_message(mail):
    clients = [client(mail, None) for _ in range(4)]
    for i in range(10):
        for k, c in enumerate(clients):
            data = b"X-No: %d.%d\r\n\r\n" % (k, i)
            c.send(b"x%d APPEND Archive " % i + literal(data) + b"\r\n")
    uids = []
    for c in clients:
        for i in range(10):
            line = c.line()
            got = re.match(rb"x%d OK \[APPENDUID (\d+) (\d+)\]" % i, line)
            assert got, line
            uids.append(int(got[2]))
    assert sorted(uids) == list(range(1, 41))
    d = client(mail, "Archive")
    got = d.ok("FETCH 1:* BODY.PEEK[]").fetched()
    assert len({row[b"BODY[]"] for row in got.values()}) == 40
