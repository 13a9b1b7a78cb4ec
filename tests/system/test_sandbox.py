"""Rows S01, S02, S03, S04, S09: what each process still may do."""

import os
import pathlib
import random
import socket
import subprocess

import pytest

from rookery import FIRST_USER_UID, ROOT, STAGE, UIDS, Client, wait_for

pytestmark = pytest.mark.plain_only

CAPS = {"master": {"cap_chown", "cap_kill", "cap_setgid", "cap_setuid", "cap_net_bind_service", "cap_sys_chroot"},
        "spawner": {"cap_chown", "cap_kill", "cap_setgid", "cap_setuid"}}
BITS = {"cap_chown": 0, "cap_kill": 5, "cap_setgid": 6, "cap_setuid": 7, "cap_net_bind_service": 10,
        "cap_sys_chroot": 18}


@pytest.fixture(scope="module")
def running():
    import rookery
    from conftest import check_and_remove
    server = rookery.Server()
    server.deliver("user1", b"Subject: x\r\n\r\nx\r\n")
    server.start()
    server.pre = server.client()
    server.post = server.client()
    server.post.login("user1")
    server.post.ok("SELECT INBOX")
    server.secure = server.tls_client()
    server.secure.login("user2")
    yield server
    for c in (server.pre, server.post, server.secure):
        c.close()
    check_and_remove(server)


def roles(server):
    """Every process of the server with the role it has."""
    spawner = server.spawner().pid
    for p in server.processes():
        if p.pid == server.process.pid:
            yield "master", p
        elif p.pid == spawner:
            yield "spawner", p
        elif p.program == "rookery-imapd":
            yield "worker", p
        else:
            yield p.program.removeprefix("rookery-"), p


def test_s01_status_of_every_process(running):
    seen = set()
    for role, p in roles(running):
        seen.add(role)
        caps = int(p.status["CapEff"], 16)
        uids, gids = p.status["Uid"].split(), p.status["Gid"].split()
        assert len(set(uids)) == 1 and len(set(gids)) == 1, (role, uids, gids)
        assert p.status["NoNewPrivs"] == "1", role
        assert p.status["Seccomp"] == "2", role
        allowed = sum(1 << BITS[c] for c in CAPS.get(role, ())) if ROOT else 0
        assert caps & ~allowed == 0, (role, hex(caps))
        if ROOT and role not in CAPS:
            assert caps == 0
            want = {"gate": UIDS["gate"], "authd": UIDS["auth"], "hub": UIDS["hub"], "log": UIDS["log"]}.get(role)
            if role == "worker":
                assert int(uids[0]) in (FIRST_USER_UID, FIRST_USER_UID + 1)
                assert p.status["Groups"].split() in ([], [uids[0]])
            else:
                assert int(uids[0]) == want, role
                assert p.status["Groups"].split() in ([], [gids[0]]), role
        if not ROOT:
            assert int(uids[0]) == os.geteuid()
    assert {"master", "spawner", "worker", "gate", "authd", "hub", "log"} <= seen


def kind(target):
    if target.startswith("/memfd:"):
        return "memfd"
    if target.startswith("anon_inode:"):
        return target.split("[")[-1].rstrip("]") if "[" in target else target.removeprefix("anon_inode:")
    return target.split(":")[0] if ":[" in target else target


@pytest.mark.root_only
def test_s02_open_descriptors_of_each_process(running):
    """Nothing but the documented kinds, and no listening socket where none belongs."""
    listening = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in pathlib.Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                listening.add(f"socket:[{fields[9]}]")
    mail, state = str(running.dir / "mail"), str(running.dir / "state")
    for role, p in roles(running):
        for fd, target in p.fds().items():
            if fd <= 2:
                continue
            k = kind(target)
            if role in ("worker", "authd", "hub", "log", "spawner"):
                assert target not in listening, (role, fd, target)
            if role == "worker":
                assert k in ("socket", "inotify", "pipe") or target.startswith((mail, state)), (role, fd, target)
                assert "/user1/" in target + "/" or "/user2/" in target + "/" or k in ("socket", "inotify", "pipe")
            elif role == "gate":
                assert k in ("socket", "memfd", "eventpoll", "eventfd", "pipe"), (role, fd, target)
            elif role == "hub":
                assert k in ("socket", "memfd", "eventpoll", "eventfd", "pipe"), (role, fd, target)
            elif role == "authd":
                assert not target.startswith((mail,)), (role, fd, target)
            elif role == "spawner":
                assert k in ("socket", "memfd", "eventpoll", "signalfd"), (role, fd, target)


@pytest.mark.root_only
def test_s02_a_worker_has_only_its_own_users_files(running):
    for p in running.workers():
        targets = " ".join(p.fds().values())
        if int(p.status["Uid"].split()[0]) == FIRST_USER_UID + 1:
            assert "mail/user1" not in targets
        maps = pathlib.Path(f"/proc/{p.pid}/maps").read_text() if ROOT else ""
        assert "index" not in maps or maps.count("/user1/") == 0 or maps.count("/user2/") == 0


def evil(server, role, user="user1"):
    """Runs the forbidden acts under the profile of `role`; gives (tried, succeeded names)."""
    program = STAGE.parent / "tests/system/evil"
    done = subprocess.run([program, role, str(server.maildir(user)), str(server.maildir("user2")),
                           str(server.users[user]["uid"]), str(server.process.pid)],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (done.stdout, done.stderr)
    lines = done.stdout.splitlines()
    return len(lines), [line for line in lines if not line.startswith("refused ")]


@pytest.mark.parametrize("role", ["worker", "gate"])
def test_s03_forbidden_acts_under_the_real_profiles(running, role):
    running.deliver("user2", b"Subject: secret of user2\r\n\r\nx\r\n", name="1.M1P1.secret")
    tried, succeeded = evil(running, role)
    assert tried >= 60
    assert succeeded == []


STEPS = ["setgroups", "setresgid", "setresuid", "seccomp", "landlock_restrict_self", "landlock_create_ruleset"]


@pytest.mark.root_only
@pytest.mark.parametrize("call", STEPS + ["chroot", "prctl"])
def test_s04_a_failing_step_of_the_drop_serves_nobody(make_server, call):
    """The call fails in the worker (and the gate, for chroot): no session, no half-dropped process."""
    server = make_server()
    victim = server.spawner()
    if call == "chroot":
        victim = None
    if victim is not None:
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                                   "-e", f"inject={call}:error=EPERM", "-p", str(victim.pid)],
                                  stderr=subprocess.PIPE)
        assert wait_for(lambda: pathlib.Path(f"/proc/{victim.pid}/status").read_text().split(
            "TracerPid:")[1].split()[0] != "0", 10)
        try:
            with server.client() as c:
                c.send(b"a LOGIN user1 pass\r\n")
                c.closed(10)
                assert b"a OK" not in c.buffer, c.buffer
            assert wait_for(lambda: not server.workers(), 10)
        finally:
            tracer.terminate()
            tracer.wait()
        with server.client() as c:
            # The user is not held off: one crash at most was counted.
            c.login("user2")
    else:
        server.stop()
        server.process = subprocess.Popen(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=chroot", "-e", "inject=chroot:error=EPERM",
             STAGE / "sbin/rookery", "-F", "-c", server.conf], start_new_session=True,
            stderr=open(server.dir / "stderr", "ab"))
        assert wait_for(lambda: "chroot" in server.logs(), 20)
        assert not server.answers()
        os.killpg(server.process.pid, 9)
        server.process.wait()
        server.process = None


def test_s09_a_gate_cannot_open_a_session_without_a_credential(running):
    """Forged, guessed, replayed and foreign tickets over the real messages: none is redeemed."""
    program = STAGE.parent / "tests/system/forger"
    done = subprocess.run([program, str(STAGE / "libexec/rookery"), str(running.conf), "user1", "pass"], capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "accepted 0" in done.stdout, done.stdout
