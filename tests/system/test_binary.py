"""BINARY: parts with their transfer encoding undone, by octets, with NULs, in pieces."""

import base64

import pytest

from imapclient_strict import Strict

PIXELS = bytes(range(256)) * 20
LARGE = bytes(i * 7 % 251 for i in range(3 << 20))
MESSAGE = (b"Subject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
           b"--x\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
           b"caf=C3=A9 =\r\nlong=20\r\n--x\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
           + base64.encodebytes(PIXELS).replace(b"\n", b"\r\n") +
           b"--x\r\nContent-Type: application/x-odd\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nodd\r\n"
           b"--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\nContent-Transfer-Encoding: base64\r\n\r\naW5uZXI=\r\n"
           b"--x\r\n\r\nplain\r\n--x--\r\n")
TEXT = b"caf\xc3\xa9 long \r\n"


@pytest.fixture(scope="module")
def mail(server):
    server.deliver("user1", MESSAGE, name="1001.M1P1.mx", where="cur", flags="")
    large = (b"Subject: large\r\nContent-Transfer-Encoding: base64\r\nContent-Type: application/octet-stream\r\n\r\n"
             + base64.encodebytes(LARGE).replace(b"\n", b"\r\n"))
    server.deliver("user1", large, name="1002.M2P1.mx", where="cur", flags="")
    server.own(server.maildir(), "user1")
    return server


@pytest.fixture
def c(mail):
    with Strict(mail.imap) as c:
        c.ok("LOGIN user1 pass")
        c.ok("ENABLE IMAP4rev2")
        c.ok("EXAMINE INBOX")
        yield c


def take(c, item, n=1):
    got = c.ok(f"FETCH {n} {item}").fetched()[n]
    got.pop(b"UID", None)
    return next(iter(got.values()))


@pytest.mark.parametrize("part,want", [
    ("1", TEXT[:-2]), ("2", PIXELS), ("4.1", b"inner"), ("5", b"plain"), ("9", b""), ("1.1", b"")])
def test_parts_come_decoded(c, part, want):
    assert take(c, f"BINARY.PEEK[{part}]") == want


def test_pieces_of_a_part(c):
    for offset, length in ((0, 10), (250, 20), (5000, 1000), (5119, 1), (5120, 5), (9999, 1)):
        assert take(c, f"BINARY.PEEK[2]<{offset}.{length}>") == PIXELS[offset:offset + length]


def test_a_large_part(c):
    assert take(c, "BINARY.PEEK[1]", 2) == LARGE
    assert take(c, "BINARY.PEEK[1]<2000000.70000>", 2) == LARGE[2000000:2070000]


def test_whole_message_and_multiparts_are_as_they_stand(c):
    assert take(c, "BINARY.PEEK[]") == MESSAGE
    assert take(c, "BINARY.PEEK[4]") == take(c, "BODY.PEEK[4]")


def test_binary_size(c):
    for part, want in (("1", len(TEXT) - 2), ("2", len(PIXELS)), ("5", 5), ("9", 0)):
        assert take(c, f"BINARY.SIZE[{part}]") == want
    assert take(c, "BINARY.SIZE[1]", 2) == len(LARGE)


def test_unknown_encoding_is_told(c):
    c.refused("FETCH 1 BINARY.PEEK[3]", b"NO", b"UNKNOWN-CTE")
    c.refused("FETCH 1 BINARY.SIZE[3]", b"NO", b"UNKNOWN-CTE")
    c.refused("FETCH 1 BINARY[HEADER]", b"BAD")
    assert take(c, "BODY.PEEK[3]") == b"odd"


def test_binary_sets_seen_and_peek_does_not(make_server):
    server = make_server()
    server.deliver("user1", MESSAGE, name="1001.M1P1.mx", where="cur", flags="")
    server.own(server.maildir(), "user1")
    with Strict(server.imap) as c:
        c.ok("LOGIN user1 pass")
        c.ok("SELECT INBOX")
        c.ok("FETCH 1 (BINARY.PEEK[1] BINARY.SIZE[1])")
        assert b"\\Seen" not in c.ok("FETCH 1 FLAGS").fetched()[1][b"FLAGS"]
        c.ok("FETCH 1 BINARY[1]")
        assert b"\\Seen" in c.ok("FETCH 1 FLAGS").fetched()[1][b"FLAGS"]
