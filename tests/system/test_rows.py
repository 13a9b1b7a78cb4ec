"""Rows of the list of known attacks (docs/architecture.md): each test is named after its row."""

import base64
import os
import random
import resource
import socket
import time

import pytest

from rookery import Client, SANITIZED, wait_for


@pytest.mark.parametrize("tail", [b"A2 NOOP\r\n", b"A2 LOGI", b"A2 LOGIN {5}\r\nuser", b"A2 AUTHENTICATE PLAIN\r\n"])
def test_v01_nothing_pipelined_before_the_handshake_is_read(server, tail):
    """STARTTLS injection: whatever came in clear text behind the command is gone."""
    whole = b"A1 STARTTLS\r\n" + tail
    cuts = range(len(b"A1 STARTTLS\r\n"), len(whole) + 1) if tail else []
    done = 0
    for cut in cuts:
        c = Client(server.imap)
        c.send(whole[:cut])
        assert c.line().startswith(b"A1 OK")
        if cut < len(whole):
            # Clear text after the answer is no handshake: the connection ends without an answer.
            try:
                c.send(whole[cut:])
                c.send(b"\r\nA3 NOOP\r\n")
            except OSError:
                pass  # it was faster
            assert c.closed()
            assert b"A2 " not in c.buffer and b"A3 " not in c.buffer
        else:
            c.start_tls(server.tls())
            c.send(b"A4 NOOP\r\n")
            assert c.line().startswith(b"A4 OK"), "plain text was interpreted"
        c.close()
        done += 1
    assert done > 0


def test_v01_cut_at_each_byte(server):
    """The same with the command itself sent in two pieces."""
    whole = b"A1 STARTTLS\r\nA2 NOOP\r\n"
    for cut in range(1, len(whole)):
        with Client(server.imap) as c:
            c.send(whole[:cut])
            time.sleep(0.005)
            try:
                c.send(whole[cut:])
            except OSError:
                pass
            assert c.line().startswith(b"A1 OK")
            try:
                c.start_tls(server.tls())
                c.send(b"A4 NOOP\r\n")
                assert c.line().startswith(b"A4 OK")
            except (OSError, EOFError):
                # The rest came after the answer: the handshake met clear text and failed.
                assert b"A2" not in c.buffer


def seeds():
    return [b"a NOOP\r\n", b"a CAPABILITY\r\n", b"a LOGIN user1 wrong\r\n", b'a LOGIN "user1" "x"\r\n',
            b"a LOGIN {5+}\r\nuser1 {1+}\r\nx\r\n", b'a ID ("name" "x")\r\n', b"a LOGOUT\r\n",
            b"a AUTHENTICATE PLAIN " + base64.b64encode(b"\0user1\0x") + b"\r\n"]


def test_v02_nul_control_and_high_bytes_before_login(make_server):
    """Any such byte anywhere: no login, no crash, the server goes on."""
    server = make_server()
    rng = random.Random(2)
    for seed in seeds():
        for offset in range(len(seed)):
            byte = bytes([rng.choice([0, 10, 13, 0x80, 0xff, rng.randrange(0x80, 0x100)])])
            with Client(server.imap) as c:
                c.send(seed[:offset] + byte + seed[offset:] + b"z NOOP\r\nz LOGOUT\r\n")
                c.sock.shutdown(socket.SHUT_WR)
                c.closed(5)
                assert b"Logged in" not in c.buffer
    assert not server.log_lines("master.exit")
    with server.client() as c:
        c.login()


def test_v02_nul_ends_the_connection(server):
    with server.client() as c:
        c.send(b"a NO\0OP\r\n")
        assert c.closed()
        assert b"BAD" in c.buffer or b"BYE" in c.buffer


def gate_memory(server):
    """KiB of private memory of all gates."""
    return sum(int(p.status["RssAnon"].split()[0]) for p in server.process_of("gate"))


@pytest.mark.plain_only
def test_v03_declared_literals_cost_nothing(make_server):
    """Memory follows the bytes that came, never the size that was announced."""
    n = 800
    server = make_server(options={"gate.connections_per_process": 2 * n})
    before = gate_memory(server)
    clients = []
    for _ in range(n):
        c = Client(server.imap)
        c.send(b"a LOGIN {1000}\r\n")
        clients.append(c)
    for c in clients:
        assert c.line().startswith(b"+")
    growth = (gate_memory(server) - before) / n
    for c in clients:
        c.close()
    assert growth <= 16, f"{growth} KiB for each connection"


def test_v03_literals_beyond_the_limits(server):
    for size, text in ((1024, b"+"), (1025, b"a BAD"), (99999999999999999999, b"a BAD"),
                       (2 ** 63, b"a BAD"), (4294967296, b"a BAD")):
        with server.client() as c:
            c.send(b"a LOGIN {%d}\r\n" % size)
            line = c.line()
            assert line.startswith(text) or (text != b"+" and (b"TOOBIG" in line or line.startswith(b"* BYE"))), line
    with server.client() as c:
        c.login()
        for size in (99999999999999999999, 2 ** 63, 2 ** 40):
            tagged = c.command(b"SELECT {%d}" % size)[1]
            assert tagged.startswith((b"BAD", b"NO [TOOBIG]")), tagged
        c.ok("NOOP")


def test_v03_one_budget_for_all_literals_of_a_command(server):
    with server.client() as c:
        c.login()
        c.send(b"a LIST \"\" (")
        sent = 0
        try:
            while sent < 4 << 20:
                c.send(b"{4000+}\r\n" + b"x" * 4000 + b" ")
                sent += 4000
        except OSError:
            pass
        line = c.line()
        assert line.startswith((b"a BAD", b"a NO [TOOBIG]", b"* BYE")), line


NAMES = ["user1", "USER1", "User1", "user1 ", " user1", "user1.", ".user1", "user1\t", "user1/", "../user1",
         "user1%", "%u", "%{user}", "user1*", "user*master", "us:er1", "ｕｓｅｒ１", "user\u00b9", "user1\u00ad",
         "user\u200b1", "u\u0308ser1", "user1@", "@user1", "user1@example.org", "x" * 255, "x" * 256, "x" * 5000,
         "", ".", "..", "user1\x01", "user1\x7f", "\u202euser1", "user\u2028" + "1"]


def test_v12_no_form_of_a_name_opens_another_users_mail(make_server):
    """Each form either is user1 by the rules (case, SASLprep) or is nobody; the log tells who it was."""
    server = make_server()
    server.deliver("user1", b"Subject: for user1 only\r\n\r\nx\r\n")
    same = {"user1", "USER1", "User1", "ｕｓｅｒ１", "user\u00b9", "user1\u00ad", "user\u200b1"}
    for name in NAMES:
        ir = base64.b64encode(b"\0" + name.encode() + b"\0pass")
        with server.client() as c:
            tagged = c.command(b"AUTHENTICATE PLAIN " + ir)[1]
            if tagged.startswith(b"OK"):
                assert name in same, name
                rows = [r for r in server.ctl_json("who")["sessions"]]
                assert rows and all(r["user"] == "user1" for r in rows), rows
                c.ok("LOGOUT")
            else:
                assert tagged.startswith((b"NO", b"BAD")), (name, tagged)
        wait_for(lambda: not server.ctl_json("who")["sessions"], 5)


def test_v16_log_lines_hold_no_control_bytes(make_server):
    """One event, one line of at most 2 KiB, whatever a client puts into it."""
    server = make_server()
    evil = ["a\r\nlevel=error event=forged", "\x1b[2J", "%s%s%n", "\u202e", "x" * 6000, 'q" user=admin "']
    for text in evil:
        with server.client() as c:
            c.command(b"AUTHENTICATE PLAIN " + base64.b64encode(b"\0" + text.encode() + b"\0p"))
        with server.client() as c:
            c.send(b'a ID ("name" {%d+}\r\n' % len(text.encode()[:1000]) + text.encode()[:1000] + b")\r\n")
            c.closed(0.3)
    with server.client() as c:
        c.login()
        for text in evil[:4]:
            c.send(b"b%d STATUS {%d+}\r\n" % (evil.index(text), len(text.encode())) + text.encode() + b" (MESSAGES)\r\n")
            c.read_until(f"b{evil.index(text)}")
    log = (server.dir / "log").read_bytes()
    assert b"event=forged" not in [line.split(b" ")[2] for line in log.split(b"\n") if line.count(b" ") > 2]
    for line in log.split(b"\n"):
        assert len(line) <= 2048
        assert not any(b < 0x20 or b == 0x7f for b in line), line
        line.decode()
        assert line == b"" or b" event=" in line, line


def test_v21_garbage_on_the_control_socket_hurts_only_its_sender(make_server):
    server = make_server()
    rng = random.Random(21)
    path = str(server.dir / "run/control")
    for _ in range(300):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(path)
        try:
            for _ in range(rng.randrange(1, 4)):
                s.send(bytes(rng.randrange(256) for _ in range(rng.choice([0, 1, 15, 16, 40, 300]))) or b"x")
        except OSError:
            pass
        s.close()
    assert server.ctl_json("status")
    with server.client() as c:
        c.login()
    assert not server.log_lines("master.exit")


def test_limits_lines_commands_and_bad_commands(server):
    with server.client() as c:
        c.send(b"a NOOP" + b" " * 9000 + b"\r\n")
        assert c.closed()
        assert b"OK" not in c.buffer
    with server.client() as c:
        for i in range(3):
            assert c.command("NONSENSE")[1].startswith(b"BAD")
        c.ok("NOOP")
        c.send(b"last NONSENSE\r\n")
        assert c.closed()
        assert b"* BYE" in c.buffer
    with server.client() as c:
        c.send(b"".join(b"n%d NOOP\r\n" % i for i in range(30)))
        assert c.closed()
        assert c.buffer.count(b" OK ") <= 20 and b"* BYE" in c.buffer


def test_limit_bad_commands_after_login(server):
    with server.client() as c:
        c.login()
        for i in range(20):
            assert c.command("NONSENSE")[1].startswith(b"BAD")
        c.ok("NOOP")
        c.send(b"last NONSENSE\r\n")
        assert c.closed()
        assert b"* BYE" in c.buffer


def test_limit_connections_per_address(make_server):
    server = make_server(options={"gate.per_address": 5})
    clients = [Client(server.imap, source="127.0.0.7") for _ in range(5)]
    extra = Client(server.imap, source="127.0.0.7", greeting=False)
    assert extra.closed()
    assert b"* OK" not in extra.buffer
    with Client(server.imap, source="127.0.0.8") as other:
        other.login()
    for c in clients:
        c.close()


def test_limit_handshake_and_login_time(make_server):
    server = make_server(options={"gate.handshake_seconds": 1, "gate.login_seconds": 2})
    silent = socket.create_connection(("127.0.0.1", server.imaps))
    silent.settimeout(6)
    start = time.monotonic()
    while silent.recv(100):
        pass
    assert time.monotonic() - start < 5
    with server.client() as c:
        for i in range(10):
            try:
                c.send(b"x")
            except OSError:
                break
            time.sleep(0.4)
        assert c.closed(3)


def test_limit_sessions_per_user(make_server):
    server = make_server(options={"imapd.sessions_per_user": 3, "imapd.sessions_per_user_address": 3})
    clients = [server.client() for _ in range(3)]
    for c in clients:
        c.login()
    with server.client() as c:
        assert c.command("LOGIN user1 pass")[1].startswith(b"NO [LIMIT]")
        assert c.command("LOGIN user2 pass")[1].startswith(b"OK")
    clients[0].ok("LOGOUT")
    clients[0].close()

    def again():
        with server.client() as c:
            return c.command("LOGIN user1 pass")[1].startswith(b"OK")

    assert wait_for(again, 5, 0.1)
