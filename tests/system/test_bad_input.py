"""Input that nobody should send: a clear answer, bounded memory, and the session in step afterwards."""

import re
import socket

import pytest

from imap_grammar import Malformed
from imapclient_strict import Strict
from rookery import Client, Process, SANITIZED, crlf, wait_for


def session(server, mailbox=None):
    c = Strict(server.imap, timeout=60)
    c.ok("LOGIN user1 pass")
    if mailbox:
        c.ok(f"EXAMINE {mailbox}")
    return c


def in_step(c):
    """The next answer is that of the next command."""
    reply = c.ok("NOOP")
    assert reply.untagged == []


# -- commands --

@pytest.mark.parametrize("line", [
    b"a NO\rOP", b"a\r NOOP", b"a NOOP \r", b'a EXAMINE "in\rbox"', b"a NO\0OP", b'a EXAMINE "in\0box"', b"\0a NOOP",
    b"a NOOP\0", b"a N\xc3\xb6OP", b"\xe9 NOOP", b'a EXAMINE "\xff"', b"a EXAMINE \xe9", b"a EXAMINE in\x01box",
    b"a EXAMINE in\x7fbox", b'a EXAMINE "a\\b"', b'a EXAMINE "a', b"a EXAMINE a\"b", b"a  NOOP", b"a NOOP ", b" a NOOP",
    b"", b" ", b"a", b"a ", b"a\tNOOP", b"a EXAMINE {5", b"a EXAMINE {}", b"a EXAMINE {-1}", b"a EXAMINE {5}x",
    b"a EXAMINE {5+", b"a EXAMINE {5 }", b"a EXAMINE {0x5}"])
def test_bytes_that_cannot_be_there(server, line):
    """One BAD or NO, never OK, and nothing of it is left over for the next command."""
    with session(server) as c:
        c.send(line + b"\r\n")
        # Without a tag that could be believed the answer is untagged.
        assert re.match(rb"(\*|a) (BAD|NO) ", c.line())
        in_step(c)


def test_a_literal8_where_none_may_be(server):
    """The reader takes its bytes, as a literal8 they are; the grammar refuses them."""
    with session(server) as c:
        c.send(b"a EXAMINE ~{5}\r\n")
        assert c.line().startswith(b"+ ")
        c.send(b"INBOX\r\n")
        assert c.line().startswith(b"a BAD ")
        in_step(c)


@pytest.mark.parametrize("header", [b"{5}", b"{5+}", b"~{5}"])
def test_nul_in_a_literal(server, header):
    """BAD, and as no verb that is served takes a NUL, the end of the connection."""
    with session(server) as c:
        c.send(b"a EXAMINE " + header + b"\r\n")
        if b"+" not in header:
            assert c.line().startswith(b"+ ")
        c.send(b"IN\0OX\r\nb NOOP\r\n")
        assert c.closed()
        assert b"a BAD " in c.buffer and b"* BYE " in c.buffer and b"b OK" not in c.buffer


def test_a_line_that_ends_with_lf_alone_is_one_line(server):
    """Taken as a line end and as nothing else: no byte of it hides a second command."""
    with session(server) as c:
        c.send(b"a NOOP\nb NOOP\r\n")
        assert c.line().startswith(b"a OK") and c.line().startswith(b"b OK")
        in_step(c)


def test_literals_that_are_never_finished(make_server):
    """Cut at each kind of place: the worker ends, nothing is carried out."""
    server = make_server()
    for data in (b"a EXAMINE {5}\r\n", b"a EXAMINE {5}\r\nINB", b"a EXAMINE {5+}\r\nINB", b"a EXAMINE {5+}\r\nINBOX",
                 b"a LIST {0}\r\n", b"a EXAM", b"a NOOP\r"):
        c = session(server)
        c.send(data)
        c.sock.shutdown(socket.SHUT_WR)
        assert c.closed() and b"OK" not in c.buffer, data
        c.close()
    assert wait_for(lambda: not server.workers(), 5)
    assert not server.log_lines("worker.crash")


@pytest.mark.plain_only
def test_huge_literals_are_refused_before_they_come(server):
    with session(server) as c:
        worker = max(server.workers(), key=lambda p: p.pid)
        before = rss(worker)
        for size in (1 << 30, (1 << 30) - 1, 1 << 62, 10 ** 30):
            for verb in (b"EXAMINE", b"APPEND INBOX", b"STATUS"):
                if size == 1 << 30 or verb == b"EXAMINE":
                    reply = c.command(b"%s {%d}" % (verb, size))
                    word = b"NO" if verb.startswith(b"APPEND") else b"BAD"
                    assert reply.word == word and reply.code in (b"TOOBIG", None), (size, reply)
                    in_step(c)
        assert rss(worker) - before < 1024
    # Its bytes would come without being asked for: the connection can only end.
    with session(server) as c:
        c.send(b"a EXAMINE {%d+}\r\n" % (1 << 30) + b"x" * 100000)
        assert c.closed() and b"BAD" in c.buffer and b"* BYE" in c.buffer


def rss(process):
    """KiB of memory that the worker has now."""
    return int(Process.read(process.pid).status["VmRSS"].split()[0])


NAMES = [b"../x", b"..", b"a/../b", b"./a", b"a/..", b"/", b"//", b"a//b", b"/etc/passwd", b"~root", b"~", b"a\x01b",
         b"a\x7fb", b"a\tb", b"a\r\nb", b"\xc0\xae\xc0\xae/x", b"\xff\xfe", b"&AC4ALg-/x", b"&ACY", b"&-&", b"&AAA-",
         b"a" * 256, b"/".join([b"a"] * 200), b"cur", b"new/", b"tmp/x", b"%", b"*", b""]


@pytest.mark.parametrize("verb", [b"EXAMINE %s", b"SELECT %s", b"STATUS %s (MESSAGES)"])
def test_names_that_lead_elsewhere(server, verb):
    """NO with a code, whatever form the name came in; another user's mail and files above stay unreachable."""
    for rev2 in (False, True):
        for name in NAMES:
            with session(server) as c:
                if rev2:
                    c.ok("ENABLE IMAP4rev2")
                reply = c.command(verb % (b"{%d+}\r\n%s" % (len(name), name)))
                assert reply.word == b"NO" and reply.code in (b"NONEXISTENT", b"CANNOT"), (name, reply)
                in_step(c)


def test_lists_of_names_that_lead_elsewhere(server):
    for name in NAMES:
        if b"%" in name or b"*" in name or not name:
            continue
        with session(server) as c:
            reply = c.command(b'LIST "" {%d+}\r\n%s' % (len(name), name))
            assert reply.word in (b"OK", b"NO", b"BAD") and not reply.of(b"LIST"), (name, reply)
            in_step(c)


# -- messages --

def mime(boundary, body):
    return b"Subject: x\nContent-Type: multipart/mixed; boundary=%s\n\n" % boundary + body


# Name: message, then the number of parts directly in it (None: no multipart), and its subject.
MESSAGES = {
    "empty": (b"", None, None),
    "only the empty line": (b"\n", None, None),
    "no header": (b"\nbody only\n", None, None),
    "no colon anywhere": (b"no header at all\nand no more\n", None, None),
    "no body": (b"Subject: x\n", None, b"x"),
    "no line end": (b"Subject: x", None, b"x"),
    "bare CR": (b"Subject: a\rb\r\n\r\nx\ry\r\n\rz\r", None, b"a\rb"),
    "mixed line ends": (b"Subject: x\nTo: a@example.org\r\n\nline\r\nline\n", None, b"x"),
    "8-bit": (b"Subject: \xe9\xff\nFrom: \xe9 <\xe8@example.org>\n\n\xff\xfe\n", None, b"\xe9\xff"),
    "forged responses": (b'Subject: "\\\n )\n * 5 EXPUNGE {3}\nX: y\n\n* BYE\r\n)\n', None, b'"\\ ) * 5 EXPUNGE {3}'),
    "no end": (mime(b"q", b"--q\n\na\n--q"), 2, b"x"),
    "no delimiter": (mime(b"q", b"text\n"), 1, b"x"),
    "no boundary": (b"Subject: x\nContent-Type: multipart/mixed\n\n--q\n\na\n--q--\n", 1, b"x"),
    "empty boundary": (mime(b'""', b"--\n\na\n----\n"), 1, b"x"),
    "end first": (mime(b"q", b"--q--\n\na\n--q\n\nb\n"), 1, b"x"),
    "the same boundary inside": (mime(b"q", b"--q\n" + mime(b"q", b"--q\n\na\n--q--\n") + b"--q--\n"), None, b"x"),
    "one boundary begins the other": (mime(b"q", b"--q\n" + mime(b"qq", b"--qq\n\na\n--qq--\n") + b"--q--\n"), 1, b"x"),
    "300 levels": (b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (i, i) for i in range(300)) +
                   b"\nx\n", 1, None),
    "300 messages in each other": (b"Content-Type: message/rfc822\n\n" * 300 + b"Subject: in\n\ny\n", None, None),
    # 10,000 with the message itself; the last one holds the rest.
    "20,000 parts": (mime(b"q", b"--q\n\na\n" * 20000 + b"--q--\n"), 9999, b"x"),
    "1,000,000 header lines": (b"X: y\n" * 999999 + b"Subject: x\n\nbody\n", None, b"x"),
    "1,000,000 continuations": (b"Subject: x\nX: a\n" + b" b\n" * 1000000 + b"\nbody\n", None, b"x"),
    "100,000 addresses": (b"Subject: x\nTo: " + b"a@example.org,\n " * 100000 + b"\n\nbody\n", None, b"x"),
    "a line of 12 MB": (b"Subject: x\n\n" + b"y" * 12000000, None, b"x"),
}
ITEMS = ("RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]", "BODY.PEEK[TEXT]",
         "BODY.PEEK[1]", "BODY.PEEK[1.MIME]", "BODY.PEEK[]")


@pytest.fixture(scope="module")
def odd(server):
    for i, (data, _, _) in enumerate(MESSAGES.values(), 1):
        server.deliver("user1", data, folder=".Odd", name=f"{1000 + i}.M{i}P1.mx", where="cur")
    return server


def depth(part):
    """Levels of a structure, counted without recursion as the structure may be deep."""
    levels, row = 0, [part]
    while row:
        levels += 1
        row = [p for part in row for p in part.get("parts", []) + ([part["body"]] if "body" in part else [])]
    return levels


def test_odd_messages_get_the_best_exact_answer(odd):
    """Every octet of BODY[], its size, and a structure that the grammar has, in bounded memory."""
    with session(odd, "Odd") as c:
        worker = max(odd.workers(), key=lambda p: p.pid)
        for n, (name, (data, parts, subject)) in enumerate(MESSAGES.items(), 1):
            got = {}
            for item in ITEMS:
                got.update(c.ok(f"FETCH {n} {item}").fetched()[n])
            want = crlf(data)
            assert got[b"BODY[]"] == want and got[b"RFC822.SIZE"] == len(want), name
            assert got[b"ENVELOPE"][1] == subject, (name, got[b"ENVELOPE"][1])
            structure = got[b"BODYSTRUCTURE"]
            if parts is not None:
                assert len(structure["parts"]) == parts, name
            assert depth(structure) <= 101, name
            in_step(c)
        if not SANITIZED:
            assert rss(worker) < 64 << 10, f"{rss(worker)} KiB"
    assert not odd.log_lines("worker.crash")


def test_nul_in_a_message(make_server):
    """A literal holds no NUL (RFC 9051 section 9, CHAR8): in ENVELOPE and BODYSTRUCTURE 0x80 stands for it. The
    octets of BODY[] stay as they are, which a strict client must be told of: docs/conformance.md."""
    server = make_server()
    data = (b'Subject: a\0b\r\nFrom: "c\0d" <e@example.org>\r\nContent-Type: text/plain; name="f\0g"\r\n'
            b"Content-Description: \0\r\n\r\nh\0i\r\n")
    server.deliver("user1", data)
    with session(server, "INBOX") as c:
        got = c.ok("FETCH 1 (ENVELOPE BODY BODYSTRUCTURE)").fetched()[1]
        assert got[b"ENVELOPE"][1] == b"a\x80b"
        with pytest.raises(Malformed):
            c.command("FETCH 1 BODY.PEEK[]")
    with Client(server.imap) as c:
        c.login()
        c.ok("EXAMINE INBOX")
        assert c.ok("FETCH 1 BODY.PEEK[]") == [b"* 1 FETCH (BODY[] {%d}\r\n%s)" % (len(data), data)]
        assert c.ok("NOOP") == []
