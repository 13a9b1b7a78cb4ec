"""Start, stop, reload, and the death of any process under a client that goes on."""

import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from rookery import STAGE, Client, Process, free_port, make_certificate, wait_for


class Loop(threading.Thread):
    """A client that logs in and reads again and again; counts what happened."""

    def __init__(self, server, user="user3"):
        super().__init__(daemon=True)
        self.server, self.user, self.ok, self.failed, self.wrong = server, user, 0, 0, []
        self.running = True
        self.start()

    def run(self):
        while self.running:
            try:
                with Client(self.server.imap, timeout=10) as c:
                    tagged = c.command(f"LOGIN {self.user} pass")[1]
                    if tagged.startswith(b"NO [AUTHENTICATIONFAILED]"):
                        self.wrong.append(tagged)
                    assert tagged.startswith(b"OK"), tagged
                    assert b"* 1 EXISTS" in c.ok("EXAMINE INBOX")
                    c.ok("FETCH 1 BODY.PEEK[]")
                self.ok += 1
            except (OSError, EOFError, AssertionError):
                self.failed += 1
                time.sleep(0.02)

    def end(self):
        self.running = False
        self.join(20)


@pytest.fixture
def busy(make_server):
    server = make_server(start=False)
    for user in server.users:
        server.deliver(user, b"Subject: x\r\n\r\nbody\r\n")
    server.start()
    server.loop = Loop(server)
    assert wait_for(lambda: server.loop.ok > 2)
    yield server
    server.loop.end()
    assert not server.loop.wrong, "a dead helper must never look like a wrong password"


def held_session(server, tls=False):
    c = server.tls_client() if tls else server.client()
    c.login("user1")
    c.ok("SELECT INBOX")
    return c


@pytest.mark.parametrize("name", ["authd", "hub", "log", "gate"])
def test_a_killed_service_comes_back_and_sessions_live_on(busy, name):
    session = held_session(busy)
    tls_session = held_session(busy, tls=True)
    victim = busy.process_of(name)[0]
    before = busy.loop.ok
    victim.kill()
    assert wait_for(lambda: [p for p in busy.process_of(name) if p.pid != victim.pid], 5), busy.logs()
    assert wait_for(lambda: busy.loop.ok > before + 3, 10), busy.logs()
    session.ok("NOOP")
    session.ok("FETCH 1 BODY.PEEK[]")
    if name == "gate":
        assert tls_session.closed(), "the gate held the TLS side of this session"
    else:
        tls_session.ok("FETCH 1 BODY.PEEK[]")
    assert busy.wait_log("master.exit")


def test_a_killed_spawner_comes_back_and_its_workers_say_goodbye(busy):
    session = held_session(busy)
    busy.spawner().kill()
    before = busy.loop.ok
    assert wait_for(lambda: busy.loop.ok > before + 3, 10), busy.logs()
    assert session.closed(35)
    assert b"* BYE" in session.buffer


def test_a_killed_worker_is_logged_and_nobody_else_notices(busy):
    sessions = [held_session(busy), busy.client()]
    sessions[1].login("user2")
    victim = next(r for r in busy.ctl_json("who")["sessions"] if r["user"] == "user1")
    os.kill(victim["pid"], signal.SIGILL)
    assert sessions[0].closed()
    assert sessions[1].ok("NOOP") == []
    line = busy.wait_log("worker.crash")[0]
    assert "owner=user1" in line and "signal=4" in line, line
    with busy.client() as c:
        c.login("user1")


def test_three_crashes_hold_one_user_off_and_no_other(busy):
    for _ in range(3):
        c = busy.client()
        c.login("user1")
        row = next(r for r in busy.ctl_json("who")["sessions"] if r["user"] == "user1")
        os.kill(row["pid"], signal.SIGILL)
        assert c.closed()
        time.sleep(0.1)
    assert busy.wait_log("worker.held")
    with busy.client() as c:
        assert c.command("LOGIN user1 pass")[1].startswith(b"NO [UNAVAILABLE]")
        assert c.command("LOGIN user2 pass")[1].startswith(b"OK")


@pytest.mark.root_only
@pytest.mark.plain_only
def test_the_spawner_renews_itself_after_a_crash_and_keeps_its_workers(busy):
    keeper = busy.client()
    keeper.login("user2")
    spawner = busy.spawner().pid
    with open(f"/proc/{spawner}/maps") as f:
        before = f.readline().split("-")[0]
    c = held_session(busy)
    row = next(r for r in busy.ctl_json("who")["sessions"] if r["user"] == "user1")
    os.kill(row["pid"], signal.SIGILL)
    assert c.closed()
    assert busy.wait_log("spawner.renew")

    def moved():
        with open(f"/proc/{spawner}/maps") as f:
            return f.readline().split("-")[0] != before

    assert wait_for(moved, 5)
    assert busy.spawner().pid == spawner
    keeper.ok("NOOP")
    assert wait_for(lambda: any(r["user"] == "user2" for r in busy.ctl_json("who")["sessions"]), 5)
    before = busy.loop.ok
    assert wait_for(lambda: busy.loop.ok > before + 3, 10)


def test_a_killed_master_leaves_nothing_behind(make_server):
    server = make_server()
    session = server.client()
    session.login()
    children = [p for p in server.processes() if p.pid != server.process.pid]
    assert len(children) >= 6
    server.process.kill()
    server.process.wait()
    assert session.closed(35)
    assert wait_for(lambda: not any(p.alive() for p in children), 35, 0.2), \
        [Process.read(p.pid) for p in children if p.alive()]
    server.start()
    with server.client() as c:
        c.login()


def test_reload_takes_a_new_certificate_and_keeps_sessions(busy):
    session = held_session(busy)
    tls_session = held_session(busy, tls=True)
    authd = busy.process_of("authd")[0]
    make_certificate(busy.cert, busy.key, "renewed.example.org")
    busy.options["gate.greeting"] = "second generation"
    busy.write_conf()
    busy.ctl("reload")

    def renewed():
        with busy.client() as c:
            return b"second generation" in c.greeting

    assert wait_for(renewed, 5), busy.logs()
    with Client(busy.imaps, tls=busy.tls()) as c:
        names = [v for part in c.sock.getpeercert()["subject"] for k, v in part]
        assert "renewed.example.org" in names
        c.login()
    session.ok("FETCH 1 BODY.PEEK[]")
    tls_session.ok("FETCH 1 BODY.PEEK[]")
    assert wait_for(lambda: not authd.alive(), 10)
    assert len(busy.process_of("gate")) == 2
    tls_session.ok("LOGOUT")
    tls_session.close()
    session.close()
    assert wait_for(lambda: len(busy.process_of("gate")) == 1, 10)


def test_reload_of_a_bad_file_keeps_the_old_configuration(busy):
    good = busy.conf.read_text()
    busy.conf.write_text(good + "\ngate { max_line = -5\n nonsense = 1 }\n")
    os.kill(busy.process.pid, signal.SIGHUP)
    assert wait_for(lambda: "nonsense" in busy.logs(), 5)
    before = busy.loop.ok
    assert wait_for(lambda: busy.loop.ok > before + 2, 5)
    busy.conf.write_text(good)


def test_who_kick_and_status(make_server):
    server = make_server()
    with server.client() as a, server.tls_client() as b:
        a.login("user1")
        b.login("user2")
        rows = server.ctl_json("who")["sessions"]
        assert {(r["user"], bool(r["tls"])) for r in rows} == {("user1", False), ("user2", True)}
        assert all(r["remote"] == "127.0.0.1" for r in rows)
        assert "user1" in server.ctl("who").stdout
        status = server.ctl_json("status")
        names = {p["service"] for p in status["processes"]}
        assert names == {"rookery", "gate", "authd", "hub", "log", "spawner"}
        server.ctl("kick", "user1")
        assert a.closed() and b"* BYE" in a.buffer
        b.ok("NOOP")
        assert server.ctl("kick", "nobody", check=False).returncode != 0


def test_rookeryctl_without_a_server_says_so(make_server):
    server = make_server(start=False)
    done = server.ctl("status", check=False)
    assert done.returncode == 3 and "not running" in done.stderr
    assert server.ctl("nonsense", check=False).returncode == 2


def test_stop_drains(make_server):
    server = make_server()
    session = server.client()
    session.login()
    server.ctl("stop")
    assert session.closed()
    assert b"* BYE" in session.buffer
    assert server.process.wait(20) == 0


def test_check_prints_the_effective_configuration_and_all_mistakes(make_server):
    server = make_server(start=False)
    rookery = STAGE / "sbin/rookery"
    done = subprocess.run([rookery, "-t", "-c", server.conf], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    again = server.dir / "etc/again.conf"
    again.write_text(done.stdout)
    repeated = subprocess.run([rookery, "-t", "-c", again], capture_output=True, text=True)
    assert repeated.stdout == done.stdout
    bad = server.dir / "etc/bad.conf"
    bad.write_text(server.conf.read_text() + '\ngate { max_lien = 5\n max_commands = 0 }\nlisten "x" { prot = 1 }\n')
    done = subprocess.run([rookery, "-t", "-c", bad], capture_output=True, text=True)
    assert done.returncode == 1
    for word in ("bad.conf:", "max_lien", "max_line", "max_commands", "prot", "port"):
        assert word in done.stderr, done.stderr


def test_daemon_mode_and_systemd_readiness(make_server):
    server = make_server(start=False)
    address = str(server.dir / "notify")
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(address)
    notify.settimeout(30)
    server.start(env={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"})
    seen = []
    while not any("WATCHDOG=1" in s for s in seen):
        seen.append(notify.recv(4096).decode())
    assert any("READY=1" in s for s in seen)
    server.ctl("reload")
    while not any("RELOADING=1" in s for s in seen):
        seen.append(notify.recv(4096).decode())
    server.ctl("stop")
    while not any("STOPPING=1" in s for s in seen):
        seen.append(notify.recv(4096).decode())
    assert server.process.wait(20) == 0


def test_daemon_goes_to_the_background_once_it_serves(make_server):
    server = make_server(start=False)
    done = subprocess.run([STAGE / "sbin/rookery", "-c", server.conf], timeout=30, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert server.answers()
    server.ctl("stop")
    assert wait_for(lambda: server.ctl("status", check=False).returncode == 3, 20)


def test_a_taken_port_is_a_clear_error(make_server):
    server = make_server(start=False)
    with socket.socket() as s:
        s.bind(("127.0.0.1", server.imap))
        s.listen()
        server.start(expect_ready=False)
        assert server.process.wait(20) == 1
        server.process = None
        assert str(server.imap) in server.logs()
