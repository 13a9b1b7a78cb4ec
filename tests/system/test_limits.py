"""Limits of what a client may ask for: at the limit it works, one beyond gets the answer that is documented, and the
session goes on. Limits before login and of connections are in test_rows.py, of MIME in test_bad_input.py."""

import pytest

from imapclient_strict import Strict
from rookery import Process, wait_for


@pytest.fixture(scope="module")
def box(server):
    for i in range(1, 11):
        server.deliver("user1", b"Subject: %d\r\n\r\nHello.\r\n" % i, name=f"{1000 + i}.M{i}P1.mx", where="cur", flags="S")
    return server


@pytest.fixture
def c(box):
    with Strict(box.imap, timeout=30) as client:
        client.ok("LOGIN user1 pass")
        client.ok("SELECT INBOX")
        yield client
        assert client.ok("FETCH 10 UID").fetched()[10][b"UID"] == 10


def sets(n):
    """n ranges that do not merge."""
    return ",".join(str(1 + 2 * i) for i in range(n))


# Words, the number at the limit, and the command with so many of what is limited.
COUNTED = [
    ("ranges of a message set", 10000, lambda n: f"UID FETCH {sets(n)} UID"),
    ("items of FETCH", 256, lambda n: "FETCH 1 (" + " ".join(f"BODY.PEEK[]<{i}.1>" for i in range(n)) + ")"),
    ("fields of HEADER.FIELDS", 256,
     lambda n: "FETCH 1 BODY.PEEK[HEADER.FIELDS (" + " ".join(f"X{i}" for i in range(n)) + ")]"),
    ("depth of a part number", 100, lambda n: "FETCH 1 BODY.PEEK[" + ".".join(["1"] * n) + "]"),
    ("patterns of LIST", 64, lambda n: 'LIST "" (' + " ".join(f"a{i}" for i in range(n)) + ")"),
    ("names of ENABLE", 64, lambda n: "ENABLE " + " ".join(f"X-{i}" for i in range(n))),
    ("pairs of ID", 30, lambda n: "ID (" + " ".join(f'"k{i}" "v"' for i in range(n)) + ")"),
    ("bytes of an ID key", 30, lambda n: f'ID ("{"k" * n}" "v")'),
    ("bytes of an ID value", 1024, lambda n: f'ID ("k" "{"v" * n}")'),
]


@pytest.mark.parametrize("limit,make", [row[1:] for row in COUNTED], ids=[row[0].replace(" ", "-") for row in COUNTED])
def test_counted_things(c, limit, make):
    c.ok(make(limit))
    c.refused(make(limit + 1), b"BAD")


@pytest.mark.parametrize("at,beyond", [
    ("a" * 255, "a" * 256), ("/".join(["a"] * 32), "/".join(["a"] * 33)),
    ("/".join(["a" * 250] * 4) + "/" + "b" * 20, "/".join(["a" * 250] * 4) + "/" + "b" * 21)],
    ids=["part", "depth", "whole"])
def test_length_and_depth_of_a_mailbox_name(c, at, beyond):
    """255 bytes a part, 32 levels, 1,024 bytes."""
    c.refused(f"STATUS {at} (MESSAGES)", b"NO", b"NONEXISTENT")
    c.refused(f"STATUS {beyond} (MESSAGES)", b"NO", b"CANNOT")


def test_merged_ranges_count_once(c):
    """The limit is of what is left after merging, so a client that lists each number gets through."""
    assert len(c.ok("FETCH " + ",".join(str(1 + i % 10) for i in range(12000)) + " UID").fetched()) == 10


def test_length_of_a_tag(box):
    with Strict(box.imap) as c:
        c.ok("LOGIN user1 pass")
        c.send(b"x" * 128 + b" NOOP\r\n")
        assert c.line().startswith(b"x" * 128 + b" OK ")
        c.send(b"x" * 129 + b" NOOP\r\n")
        assert b" BAD " in c.line()
        c.ok("NOOP")


def test_length_of_a_line(c):
    """64 KiB of a command's lines, its literals not counted."""
    def padded(n):
        c.n += 1
        c.tag = b"t%d" % c.n
        start, end = c.tag + b" FETCH 1 BODY.PEEK[HEADER.FIELDS (", b")]\r\n"
        c.send(start + b"X" * (n - len(start) - len(end)) + end)
        return c.finish()

    assert padded(65536).word == b"OK"
    # One fewer or more is a question of what is counted; a kilobyte is not.
    reply = padded(65536 + 1024)
    assert (reply.word, reply.code) == (b"BAD", b"TOOBIG")


def test_size_of_a_synchronising_literal(c):
    """128 KiB: refused before its bytes are sent."""
    assert c.pieces("STATUS {131072}", b"x" * 131072 + b" (MESSAGES)").word == b"NO"
    reply = c.command("STATUS {131073}")
    assert (reply.word, reply.code) == (b"BAD", b"TOOBIG")


def test_size_of_a_non_synchronising_literal(box):
    """4,096 bytes (LITERAL-). One more comes without being asked for, so the connection ends."""
    with Strict(box.imap) as c:
        c.ok("LOGIN user1 pass")
        assert c.command(b"STATUS {4096+}\r\n" + b"x" * 4096 + b" (MESSAGES)").word == b"NO"
        c.send(b"a STATUS {4097+}\r\n" + b"x" * 4097 + b" (MESSAGES)\r\n")
        assert c.closed() and b"BAD" in c.buffer and b"* BYE" in c.buffer


def test_literals_of_one_command_together(c):
    """1 MiB over all of them."""
    def literals(n):
        parts = ["LIST \"\" ({131072}"] + [b"x" * 131072 + b" {131072}"] * (n - 1) + [b"x" * 131072 + b")"]
        return c.pieces(*parts)

    assert literals(7).word in (b"OK", b"NO")
    reply = literals(8)
    assert (reply.word, reply.code) == (b"BAD", b"TOOBIG")


@pytest.mark.plain_only
def test_refused_commands_leave_no_memory_behind(box):
    with Strict(box.imap, timeout=30) as c:
        c.ok("LOGIN user1 pass")
        c.ok("SELECT INBOX")
        worker = max(box.workers(), key=lambda p: p.pid)

        def rss():
            return int(Process.read(worker.pid).status["VmRSS"].split()[0])

        c.refused(COUNTED[0][2](10001), b"BAD")
        c.ok("NOOP")
        before = rss()
        for _ in range(10):
            c.ok(COUNTED[0][2](10000))
        assert wait_for(lambda: rss() - before < 1024, 3), f"{before} KiB became {rss()} KiB"
