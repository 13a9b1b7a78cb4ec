"""Reading mail: what a session answers, from a real Maildir."""

import os
import re
import shutil
import time

import pytest

from rookery import Client, crlf, wait_for


@pytest.fixture
def box(make_server):
    """A server whose user1 has three messages: LF, CRLF and one without a body."""
    server = make_server(start=False)
    bodies = [b"Subject: one\nFrom: a@example.org\nX-Long: first\n second\n\nline 1\nline 2\n",
              b"Subject: two\r\nDate: Mon, 7 Feb 1994 21:52:25 -0800\r\n\r\nhello\r\n",
              b"Subject: three\n\n"]
    for i, body in enumerate(bodies):
        server.deliver("user1", body, name=f"{1000 + i}.M{i}P1.test", where="cur", flags=["", "S", "FRS"][i])
    server.start()
    server.bodies = [crlf(b) for b in bodies]
    return server


def fetch(c, what):
    """Sequence number to the text of its FETCH response."""
    out = {}
    for line in c.ok(what):
        found = re.match(rb"\* (\d+) FETCH \((.*)\)$", line, re.S)
        if found:
            out[int(found.group(1))] = found.group(2)
    return out


def literal(text, name):
    """The literal or quoted value behind `name`."""
    rest = text[text.index(name) + len(name):]
    found = re.match(rb" \{(\d+)\}\r\n", rest)
    if found:
        return rest[found.end():found.end() + int(found.group(1))]
    found = re.match(rb' "((?:[^"\\]|\\.)*)"', rest)
    return found.group(1) if found else None


def test_select_tells_what_the_mailbox_is(box):
    with box.client() as c:
        c.login()
        lines = c.ok("SELECT INBOX")
        text = b"\n".join(lines)
        assert b"* 3 EXISTS" in lines
        for code in (b"[UIDVALIDITY ", b"[UIDNEXT 4]", b"[PERMANENTFLAGS ("):
            assert code in text, text
        assert b"* FLAGS (" in text
        c.send(b"x SELECT INBOX\r\n")
        lines, tagged = c.read_until("x")
        assert tagged.startswith((b"x OK [READ-ONLY]", b"x OK [READ-WRITE]"))
        assert any(b"[CLOSED]" in line for line in lines)
        c.send(b"y EXAMINE inbox\r\n")
        assert c.read_until("y")[1].startswith(b"y OK [READ-ONLY]")


def test_whole_messages_are_exact(box):
    with box.client() as c:
        c.login()
        c.ok("EXAMINE INBOX")
        got = fetch(c, "FETCH 1:* (UID RFC822.SIZE BODY.PEEK[])")
        for i, body in enumerate(box.bodies, 1):
            assert literal(got[i], b"BODY[]") == body
            assert b"RFC822.SIZE %d" % len(body) in got[i]
            assert b"UID %d" % i in got[i]


def test_headers_text_and_fields(box):
    with box.client() as c:
        c.login()
        c.ok("EXAMINE INBOX")
        got = fetch(c, "FETCH 1 (BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[HEADER.FIELDS (X-LONG SUBJECT)] "
                       "BODY.PEEK[HEADER.FIELDS.NOT (From)])")[1]
        head, body = box.bodies[0].split(b"\r\n\r\n", 1)
        assert literal(got, b"BODY[HEADER]") == head + b"\r\n\r\n"
        assert literal(got, b"BODY[TEXT]") == body
        assert literal(got, b"BODY[HEADER.FIELDS (X-LONG SUBJECT)]") == \
            b"Subject: one\r\nX-Long: first\r\n second\r\n\r\n"
        assert literal(got, b"BODY[HEADER.FIELDS.NOT (From)]") == \
            b"Subject: one\r\nX-Long: first\r\n second\r\n\r\n"


def test_partials(box):
    with box.client() as c:
        c.login()
        c.ok("EXAMINE INBOX")
        whole = box.bodies[0]
        for start, length in ((0, 1), (0, len(whole)), (5, 10), (len(whole) - 1, 5), (len(whole), 5),
                              (4294967295, 4294967295), (0, 9223372036854775807)):
            got = fetch(c, f"FETCH 1 BODY.PEEK[]<{start}.{length}>")[1]
            value = literal(got, b"BODY[]<%d>" % start)
            assert (value or b"") == whole[start:start + length], (start, length)
        assert c.command("FETCH 1 BODY.PEEK[]<0.0>")[1].startswith(b"BAD")
        assert c.command("FETCH 1 BODY.PEEK[]<0.99999999999999999999>")[1].startswith(b"BAD")


def test_flags_dates_and_uid_fetch(box):
    with box.client() as c:
        c.login()
        c.ok("EXAMINE INBOX")
        got = fetch(c, "UID FETCH 1:* (FLAGS INTERNALDATE)")
        assert re.search(rb"FLAGS \((\\Recent)?\)", got[1])
        assert re.search(rb"FLAGS \(\\Seen( \\Recent)?\)", got[2])
        assert all(flag in got[3] for flag in (b"\\Seen", b"\\Answered", b"\\Flagged"))
        for i in (1, 2, 3):
            assert b"UID %d" % i in got[i]
            assert re.search(rb'INTERNALDATE "[ \d]\d-[A-Z][a-z][a-z]-\d{4} \d\d:\d\d:\d\d [+-]\d{4}"', got[i])
        assert fetch(c, "UID FETCH 77:99 FLAGS") == {}
        # 77:* holds the last message (RFC 9051 section 9, seq-range)
        assert set(fetch(c, "UID FETCH 77:* FLAGS")) == {3}
        assert c.command("FETCH 4 FLAGS")[1].startswith((b"BAD", b"NO"))
        assert set(fetch(c, "FETCH 2,1:2 FAST")) == {1, 2}


def test_new_mail_is_told_at_noop_and_gets_the_next_uid(box):
    with box.client() as c:
        c.login()
        c.ok("SELECT INBOX")
        box.deliver("user1", b"Subject: four\r\n\r\nx\r\n")
        assert b"* 4 EXISTS" in wait_for(lambda: c.ok("NOOP"), 5, 0.1)
        assert b"UID 4" in fetch(c, "FETCH 4 UID")[4]


def test_removed_mail_is_told_as_expunge(box):
    with box.client() as c:
        c.login()
        c.ok("SELECT INBOX")
        next((box.maildir() / "cur").glob("1001.*")).unlink()
        assert b"* 2 EXPUNGE" in wait_for(lambda: c.ok("NOOP"), 5, 0.1)
        assert set(fetch(c, "FETCH 1:* UID")) == {1, 2}


def test_no_expunge_is_told_during_fetch_and_the_session_stays_in_step(box):
    with box.client() as c:
        c.login()
        c.ok("SELECT INBOX")
        next((box.maildir() / "cur").glob("1000.*")).unlink()
        time.sleep(0.1)
        lines, tagged = c.command("FETCH 1:3 (UID BODY.PEEK[TEXT])")
        assert not any(b"EXPUNGE" in line for line in lines)
        assert tagged.startswith((b"OK", b"NO [EXPUNGEISSUED]"))
        assert b"* 1 EXPUNGE" in wait_for(lambda: c.ok("NOOP"), 5, 0.1)


def test_flags_changed_by_another_program_are_told(box):
    with box.client() as c:
        c.login()
        c.ok("SELECT INBOX")
        path = next((box.maildir() / "cur").glob("1000.*"))
        path.rename(path.with_name(path.name.split(":")[0] + ":2,FS"))
        lines = wait_for(lambda: c.ok("NOOP"), 5, 0.1)
        assert any(re.match(rb"\* 1 FETCH \(.*FLAGS \(.*\\Flagged", line) for line in lines), lines


def test_idle_tells_foreign_mail_at_once(box):
    with box.client() as c:
        c.login()
        c.ok("SELECT INBOX")
        c.send(b"i IDLE\r\n")
        assert c.line().startswith(b"+")
        times = []
        for n in range(4, 9):
            time.sleep(0.05)
            start = time.monotonic()
            box.deliver("user1", b"Subject: idle\r\n\r\nx\r\n")
            while not c.line().startswith(b"* %d EXISTS" % n):
                pass
            times.append(time.monotonic() - start)
        c.send(b"DONE\r\n")
        assert c.read_until("i")[1].startswith(b"i OK")
        print("idle latency", sorted(times))
        # 100 ms is the goal (see docs); what gates is that it does not wait for a poll.
        assert sorted(times)[len(times) // 2] < 2, times


def test_idle_ends_with_done_only(box):
    with box.client() as c:
        c.login()
        c.send(b"i IDLE\r\n")
        assert c.line().startswith(b"+")
        c.send(b"NOOP\r\n")
        assert c.line().startswith(b"i BAD")
        c.ok("NOOP")


def test_list_lsub_namespace_and_status(make_server):
    server = make_server(start=False)
    for folder in (".Sent", ".Lists.Dev", ".Gr&APwA3w-e", ".with\\2edot"):
        server.deliver("user1", b"Subject: x\r\n\r\ny\r\n", folder=folder)
    (server.maildir() / "subscriptions").write_text("V\t2\n\nINBOX\nLists\tDev\nGone\n")
    server.own(server.maildir(), "user1")
    server.start()
    with server.client() as c:
        c.login()
        rows = c.ok('LIST "" *')
        names = {line.split(b' "/" ')[1] for line in rows}
        assert names == {b"INBOX", b"Sent", b"Lists", b"Lists/Dev", b"Gr&APwA3w-e", b"with.dot"} or \
            names == {b"INBOX", b'"Sent"', b'"Lists"', b'"Lists/Dev"', b'"Gr&APwA3w-e"', b'"with.dot"'}, names
        lists = next(line for line in rows if line.endswith((b" Lists", b'"Lists"')))
        assert (b"\\Noselect" in lists or b"\\NonExistent" in lists or b"\\NoSelect" in lists), lists
        assert b"\\HasChildren" in lists
        assert len(c.ok('LIST "" %')) == 5
        assert any(b"Lists/Dev" in line for line in c.ok('LIST "Lists/" %'))
        lsub = b"\n".join(c.ok('LSUB "" *'))
        assert b"Lists/Dev" in lsub and b"Sent" not in lsub
        assert b'* NAMESPACE (("" "/")) NIL NIL' in c.ok("NAMESPACE")
        status = c.ok("STATUS Sent (MESSAGES UIDNEXT UIDVALIDITY UNSEEN SIZE DELETED)")[0]
        assert b"MESSAGES 1" in status and b"UIDNEXT 2" in status and b"UNSEEN 1" in status
        assert b"SIZE 17" in status and b"DELETED 0" in status
        assert c.command("STATUS Nowhere (MESSAGES)")[1].startswith(b"NO [NONEXISTENT]")
        assert c.command("SELECT Nowhere")[1].startswith(b"NO [NONEXISTENT]")
        assert c.command("SELECT Lists")[1].startswith(b"NO")
        assert b"* 1 EXISTS" in c.ok("SELECT Gr&APwA3w-e")
        c.ok("ENABLE IMAP4rev2")
        c.ok("UNSELECT")
        rows = b"\n".join(c.ok('LIST "" *'))
        assert "Grüße".encode() in rows


def test_enable_close_unselect_and_states(box):
    with box.client() as c:
        c.login()
        assert c.command("FETCH 1 FLAGS")[1].startswith(b"BAD")
        assert c.command("CLOSE")[1].startswith(b"BAD")
        assert c.command("LOGIN user1 pass")[1].startswith(b"BAD")
        assert any(line.upper().startswith(b"* ENABLED") for line in c.ok("ENABLE IMAP4rev2 X-UNKNOWN"))
        lines = c.ok("SELECT INBOX")
        assert not any(b"RECENT" in line for line in lines)
        assert any(line.startswith(b"* LIST ") for line in lines)
        c.ok("UNSELECT")
        assert c.command("FETCH 1 FLAGS")[1].startswith(b"BAD")
        c.ok("EXAMINE INBOX")
        c.ok("CLOSE")
        assert c.command("NONSENSE 1 2")[1].startswith(b"BAD")
        untagged, tagged = c.command("LOGOUT")
        assert tagged.startswith(b"OK") and any(line.startswith(b"* BYE") for line in untagged)


def test_capability_after_login_is_told_with_the_ok(box):
    with box.client() as c:
        c.send(b"a LOGIN user1 pass\r\n")
        tagged = c.read_until("a")[1]
        assert tagged.startswith(b"a OK [CAPABILITY "), tagged
        told = set(tagged.split(b"[CAPABILITY ")[1].split(b"]")[0].split())
        asked = set(c.ok("CAPABILITY")[0].split()[2:])
        assert told == asked
        assert {b"IMAP4rev1", b"IDLE", b"ENABLE", b"NAMESPACE", b"UNSELECT"} <= asked
        assert not any(cap.startswith(b"AUTH=") for cap in asked)


def test_pipelined_commands_are_answered_in_order(box):
    for client in (box.client, box.tls_client):
        with client() as c:
            c.send(b"a LOGIN user1 pass\r\nb SELECT INBOX\r\nc FETCH 1:* UID\r\nd NOOP\r\ne LOGOUT\r\n")
            order = []
            while len(order) < 5:
                line = c.line()
                if line[:2] in (b"a ", b"b ", b"c ", b"d ", b"e "):
                    assert line[2:4] == b"OK", line
                    order.append(line[:1])
            assert b"".join(order) == b"abcde"


def test_bytes_one_at_a_time(box):
    with box.client() as c:
        for byte in b"a LOGIN user1 {4}\r\n":
            c.send(bytes([byte]))
        assert c.line().startswith(b"+")
        for byte in b"pass\r\nb SELECT {5+}\r\nINBOX\r\n":
            c.send(bytes([byte]))
        assert c.read_until("a")[1].startswith(b"a OK")
        assert c.read_until("b")[1].startswith(b"b OK")


def test_starttls_session(box):
    with box.client() as c:
        c.ok("STARTTLS")
        c.start_tls(box.tls())
        assert not any(b"STARTTLS" in line for line in c.ok("CAPABILITY"))
        c.login()
        c.ok("SELECT INBOX")
        assert literal(fetch(c, "FETCH 2 BODY.PEEK[]")[2], b"BODY[]") == box.bodies[1]


@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
def test_large_messages_in_clear_text_and_tls(make_server, eol):
    server = make_server()
    line = b"0123456789abcdef" * 4
    data = b"Subject: large" + eol + eol + (line + eol) * 120000
    server.deliver("user1", data, name=f"2000.M1P1.test,S={len(data)},W={len(crlf(data))}", where="cur", flags="S")
    want = crlf(data)
    for client in (server.client, server.tls_client):
        with client(timeout=60) as c:
            c.login()
            c.ok("SELECT INBOX")
            assert literal(fetch(c, "FETCH 1 BODY.PEEK[]")[1], b"BODY[]") == want
            middle = fetch(c, "FETCH 1 BODY.PEEK[]<4000000.70000>")[1]
            assert literal(middle, b"BODY[]<4000000>") == want[4000000:4070000]


def test_a_client_that_does_not_read_blocks_nobody(make_server):
    """Back pressure: a bounded buffer, and other sessions go on."""
    server = make_server()
    data = b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n"
    data += (b"y" * 70 + b"\r\n") * 100000
    for i in range(3):
        server.deliver("user1", data, name=f"300{i}.M1P1.test,S={len(data)},W={len(data)}", where="cur", flags="S")
    for client in (server.client, server.tls_client):
        slow = client()
        slow.login()
        slow.ok("SELECT INBOX")
        slow.send(b"s FETCH 1:3 BODY.PEEK[]\r\n")
        time.sleep(0.3)
        with server.client() as c:
            start = time.monotonic()
            c.login()
            c.ok("SELECT INBOX")
            assert time.monotonic() - start < 2
        lines, tagged = slow.read_until("s")
        assert tagged.startswith(b"s OK") and len(lines) == 3
        slow.close()


def test_the_index_can_be_deleted_under_a_session(box):
    with box.client() as c:
        c.login()
        c.ok("SELECT INBOX")
        before = fetch(c, "FETCH 1:* (UID FLAGS)")
        for db in (box.dir / "state/index").glob("*/user1/db"):
            shutil.rmtree(db)
        assert fetch(c, "FETCH 1:* (UID FLAGS)") == before
        c.ok("SELECT INBOX")
        assert fetch(c, "FETCH 1:* (UID FLAGS)") == before
    with box.client() as c:
        c.login()
        c.ok("SELECT INBOX")
        assert fetch(c, "FETCH 1:* (UID FLAGS)") == before


def test_hostile_entries_in_the_maildir_are_left_alone(box):
    cur = box.maildir() / "cur"
    os.symlink("/etc/passwd", cur / "5000.M1P1.link:2,S")
    os.mkfifo(cur / "5001.M1P1.fifo:2,S")
    (cur / "5002.M1P1.dir:2,S").mkdir()
    os.symlink("/etc", box.maildir() / ".Evil")
    (box.maildir() / ".Ctrl\x01").mkdir()
    with box.client() as c:
        c.login()
        c.ok("SELECT INBOX")
        assert set(fetch(c, "FETCH 1:* UID")) == {1, 2, 3}
        rows = b"\n".join(c.ok('LIST "" *'))
        assert b"Evil" not in rows and b"Ctrl" not in rows
        assert c.command("SELECT Evil")[1].startswith(b"NO [NONEXISTENT]")


@pytest.mark.parametrize("name", ["..", "../user2", "a//b", "/etc", "~root", "a/../b", "a/./b", "\\2e\\2e",
                                  "&AC4ALg-", "x" * 1025, "a/" * 33 + "b", "cur", "new", "&", "&AGE-"])
def test_v14_names_lead_nowhere(box, name):
    with box.client() as c:
        c.login()
        for verb in ("SELECT", "EXAMINE"):
            tagged = c.command(b'%s {%d+}\r\n%s' % (verb.encode(), len(name), name.encode()))[1]
            assert tagged.startswith((b"NO [NONEXISTENT]", b"NO [CANNOT]", b"BAD")), tagged
        c.ok("NOOP")


def test_many_messages_mailboxes_and_fields_within_the_sandbox(make_server):
    """Sorting more than a kilobyte asks the C library for memory figures: the filter knows that call."""
    server = make_server(start=False)
    for i in range(300):
        server.deliver("user1", b"Subject: x\r\n\r\ny\r\n", name=f"{7000 + i}.M1P1.many")
    for i in range(100):
        server.deliver("user1", b"Subject: x\r\n\r\ny\r\n", folder=f".box{i}", name="1.M1P1.one")
    server.own(server.maildir(), "user1")
    server.start()
    with server.client() as c:
        c.login()
        assert b"* 300 EXISTS" in c.ok("SELECT INBOX")
        assert len(c.ok('LIST "" *')) == 101
        names = " ".join(f"X-Field-{i}" for i in range(100))
        assert len(c.ok(f"FETCH 1:300 BODY.PEEK[HEADER.FIELDS ({names})]")) == 300
    assert not server.log_lines("worker.crash")


def test_idle_without_a_mailbox_costs_nothing(make_server):
    server = make_server()
    with server.client() as c:
        c.login()
        c.send(b"i IDLE\r\n")
        assert c.line().startswith(b"+")
        worker = server.workers()[0].pid

        def ticks():
            with open(f"/proc/{worker}/stat") as f:
                return sum(int(n) for n in f.read().rsplit(")", 1)[1].split()[11:13])

        before = ticks()
        time.sleep(1)
        assert ticks() - before < 20
        c.send(b"DONE\r\n")
        assert c.read_until("i")[1].startswith(b"i OK")


def test_commands_without_end_of_a_client_that_never_reads_are_not_taken(make_server):
    """Answers pile up to a bound; then the server stops reading instead of growing."""
    server = make_server()
    with server.client(timeout=5) as c:
        c.login()
        c.sock.settimeout(3)
        sent = 0
        try:
            while sent < 64 << 20:
                sent += c.sock.send(b"a CAPABILITY\r\n" * 4000)
        except OSError:
            pass
        assert sent < 64 << 20, "the server took everything"
        rss = int(server.workers()[0].status["RssAnon"].split()[0])
        assert rss < 32 << 10, f"{rss} KiB"
