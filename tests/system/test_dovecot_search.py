"""SEARCH over generated messages, beside Debian's Dovecot."""

import random

import pytest

from rookery import Client
from test_clients import Dovecot

N = 200
WORDS = ["alpha", "Bravo", "charlie", "delta", "=?utf-8?q?caf=C3=A9?=", "=?iso-8859-1?q?Stra=DFe?=", "echo"]
NAMES = ["alice@example.org", "Bob <bob@example.net>", "\"C. D.\" <carol@example.com>"]
KEYS = ["ALL", "SEEN", "UNSEEN", "FLAGGED", "NOT DELETED", "DRAFT", "ANSWERED", "1:10,*", "UID 5:20", "UID 150:*",
        "FROM alice", "TO BOB", "CC carol", "BCC alice", "SUBJECT alpha", "SUBJECT \"bravo\"", "HEADER X-Key \"\"",
        "HEADER X-Key delta", "BODY alpha", "BODY \"line of\"", "TEXT charlie", "TEXT bob", "BODY nothing",
        "LARGER 300", "SMALLER 300", "SENTON 7-Feb-1994", "SENTBEFORE 1-Jan-2000", "SENTSINCE 1-Jan-2000",
        "SINCE 1-Jan-2020", "BEFORE 1-Jan-2020",
        "OR FROM alice SUBJECT delta", "NOT (SEEN FROM bob)", "NOT OR BODY alpha TEXT echo",
        "CHARSET UTF-8 SUBJECT {5+}\r\ncaf\xe9", "CHARSET UTF-8 SUBJECT {7+}\r\nSTRA\xdfE", "CHARSET UTF-8 BODY {7+}\r\ngr\xfc\xdfe"]


def message(r):
    lines = ["MIME-Version: 1.0", "Date: " + r.choice(["Mon, 7 Feb 1994 21:52:25 -0800", "Fri, 3 May 2019 10:00:00 +0200"])]
    for name in ("From", "To", "Cc", "Bcc"):
        if r.random() < 0.7:
            lines.append(f"{name}: {r.choice(NAMES)}")
    if r.random() < 0.8:
        lines.append(f"Subject: {r.choice(WORDS)} {r.choice(WORDS)}")
    if r.random() < 0.3:
        lines.append(f"X-Key: {r.choice(WORDS)}")
    text = " ".join(r.choice(["alpha", "line of text", "echo", "zulu"]) for _ in range(r.randint(0, 30)))
    kind = r.randrange(3)
    if kind == 0:
        return "\r\n".join(lines + ["", text, ""]).encode()
    qp = "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    if kind == 1:
        return ("\r\n".join(lines) + "\r\n" + qp + text + " gr=FC=DFe\r\n").encode()
    return ("\r\n".join(lines) + "\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + text
            + "\r\n--b\r\n" + qp + "Gr=FC=\r\n=DFe\r\n--b--\r\n").encode()


def encoded(key):
    head, sep, tail = key.partition("\r\n")
    if not sep:
        return key
    text = tail.encode()
    return head[:head.index("{")].encode() + b"{%d+}\r\n" % len(text) + text


def answers(port):
    out = {}
    with Client(port, timeout=60) as c:
        c.login()
        c.ok("EXAMINE INBOX")
        for key in KEYS:
            for verb in ("SEARCH ", "UID SEARCH "):
                program = encoded(key)
                text = verb.encode() + program if isinstance(program, bytes) else verb + program
                lines = [x for x in c.ok(text) if x.startswith(b"* SEARCH")]
                assert len(lines) == 1, (key, lines)
                out[verb + key] = [int(n) for n in lines[0].split()[2:]]
    return out


@pytest.mark.root_only
def test_every_key_finds_what_dovecot_finds(make_server):
    server = make_server()
    r = random.Random(4)
    for i in range(N):
        server.deliver("user1", message(r), name=f"{1500000000 + i}.M{i}P1.mx", where="cur",
                       flags="".join(f for f in "DFRST" if r.random() < 0.3))
    u = server.users["user1"]
    dovecot = Dovecot(server.maildir(), u["uid"], u["gid"])
    try:
        theirs = answers(dovecot.port)
        ours = answers(server.imap)
    finally:
        dovecot.stop()
    different = {key: (theirs[key], ours[key]) for key in theirs if theirs[key] != ours[key]}
    assert not different
    # Most of the keys tell messages apart.
    assert sum(1 for found in ours.values() if 0 < len(found) < N) > len(ours) * 2 // 3
