"""Real clients, and a Maildir that Debian's Dovecot wrote: bodies byte for byte, UIDs unchanged."""

import imaplib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from imapclient_strict import Strict
from rookery import ROOT, Client, crlf, free_port, make_certificate, wait_for

MESSAGES = [
    b"From: a@example.org\nTo: b@example.org\nSubject: plain\nMessage-ID: <1@x>\nDate: Mon, 7 Feb 1994 21:52:25 +0000\n\nHello.\n",
    "Subject: Grüße\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nKrähe \u20ac\n".encode(),
    b"Subject: multi\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\none\n--x\n\ntwo\n--x--\n",
    b"Subject: no body\n\n",
    b"Subject: long lines\n\n" + b"z" * 5000 + b"\n" + b"From here\n..\n.\n",
    b"Subject: attachment\n\n" + bytes(range(1, 10)) + b"\n" + b"A" * 300000 + b"\n",
]


class Dovecot:
    """Debian's Dovecot over a Maildir of ours, from a configuration of its own."""

    def __init__(self, maildir, uid, gid):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dc-"))
        self.dir.chmod(0o755)
        self.port = free_port()
        (self.dir / "passwd").write_text(f"user1:{{PLAIN}}pass:{uid}:{gid}::{maildir.parent}::\n")
        me = "root" if ROOT else os.environ.get("USER", "")
        self.conf = self.dir / "dovecot.conf"
        self.conf.write_text(f"""
protocols = imap
base_dir = {self.dir}/run
state_dir = {self.dir}/state
log_path = {self.dir}/log
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{maildir}
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = {self.dir}/passwd
}}
userdb {{
  driver = passwd-file
  args = {self.dir}/passwd
}}
service imap-login {{
  inet_listener imap {{
    port = {self.port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
""")
        self.process = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", self.conf], start_new_session=True,
                                        stdout=open(self.dir / "out", "wb"), stderr=subprocess.STDOUT)
        ready = wait_for(self._answers, 20)
        assert ready, [f.read_text(errors="replace") for f in (self.dir / "out", self.dir / "log") if f.exists()]

    def _answers(self):
        try:
            with Client(self.port, timeout=3) as c:
                return c.greeting.startswith(b"* OK")
        except (OSError, EOFError):
            return False

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        shutil.rmtree(self.dir, ignore_errors=True)


def uids_and_bodies(port):
    m = imaplib.IMAP4("127.0.0.1", port)
    m.login("user1", "pass")
    m.select("INBOX", readonly=True)
    status = m.response("UIDVALIDITY")[1][0]
    data = m.fetch("1:*", "(UID BODY.PEEK[])")[1]
    out = {}
    for part in data:
        if isinstance(part, tuple):
            out[int(re.search(rb"UID (\d+)", part[0]).group(1))] = part[1]
    m.logout()
    return status, out


@pytest.mark.root_only
def test_a_maildir_of_dovecot_keeps_uids_and_bytes(make_server, tmp_path):
    server = make_server()
    maildir = server.maildir()
    for i, message in enumerate(MESSAGES):
        server.deliver("user1", message, name=f"{1500000000 + i}.M{i}P1.mx")
    dovecot = Dovecot(maildir, server.users["user1"]["uid"], server.users["user1"]["gid"])
    try:
        d = imaplib.IMAP4("127.0.0.1", dovecot.port)
        d.login("user1", "pass")
        for message in MESSAGES:
            d.append("INBOX", "(\\Seen)", None, crlf(message))
        d.create("Archive.2026")
        d.select("INBOX")
        d.store("2,4", "+FLAGS", "(\\Deleted)")
        d.expunge()
        d.store("1", "+FLAGS", "(\\Flagged $Forwarded)")
        d.logout()
        theirs = uids_and_bodies(dovecot.port)
        assert len(theirs[1]) == 2 * len(MESSAGES) - 2
        assert uids_and_bodies(server.imap) == theirs
        for uid, body in theirs[1].items():
            assert curl(server, f"imap://127.0.0.1:{server.imap}/INBOX;UID={uid}") == body
            assert curl(server, "--ssl-reqd", "--cacert", server.cert,
                        f"imap://localhost:{server.imap}/INBOX;UID={uid}") == body
            assert curl(server, "--cacert", server.cert, f"imaps://localhost:{server.imaps}/INBOX;UID={uid}") == body
        mutt_reads(server, tmp_path, len(theirs[1]))
        # New mail gets the same UID from both, whoever sees it first.
        server.deliver("user1", MESSAGES[0], name="1600000000.M1P1.mx")
        ours = uids_and_bodies(server.imap)
        assert len(ours[1]) == len(theirs[1]) + 1
        assert uids_and_bodies(dovecot.port) == ours
        with server.client() as c:
            c.login()
            assert any(b"Archive/2026" in line for line in c.ok('LIST "" *'))
            c.ok("SELECT INBOX")
            flags = c.ok("FETCH 1 FLAGS")[0]
            assert b"\\Flagged" in flags and b"$Forwarded" in flags
    finally:
        dovecot.stop()


@pytest.fixture(scope="module")
def served():
    import rookery
    from conftest import check_and_remove
    server = rookery.Server()
    for i, message in enumerate(MESSAGES):
        server.deliver("user1", message, name=f"{1500000000 + i}.M{i}P1.mx")
    server.start()
    yield server
    check_and_remove(server)


def curl(server, *args):
    done = subprocess.run(["curl", "-sS", "--max-time", "30", "--user", "user1:pass", *args],
                          capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_curl_plain_starttls_and_tls(served):
    plain = f"imap://127.0.0.1:{served.imap}/INBOX"
    tls = f"imaps://localhost:{served.imaps}/INBOX"
    for i, message in enumerate(MESSAGES, 1):
        assert curl(served, f"{plain};UID={i}") == crlf(message)
        assert curl(served, "--ssl-reqd", "--cacert", served.cert,
                    f"imap://localhost:{served.imap}/INBOX;UID={i}") == crlf(message)
        assert curl(served, "--cacert", served.cert, f"{tls};MAILINDEX={i}") == crlf(message)
    assert b"INBOX" in curl(served, f"imap://127.0.0.1:{served.imap}/")
    assert b"Subject: plain" in curl(served, f"{plain};UID=1;SECTION=HEADER.FIELDS%20(SUBJECT)")


def test_imaplib(served):
    m = imaplib.IMAP4("127.0.0.1", served.imap)
    m.starttls(served.tls())
    m.login("user1", "pass")
    assert m.enable("IMAP4rev2")[0] == "OK"
    assert m.select("INBOX", readonly=True) == ("OK", [b"%d" % len(MESSAGES)])
    for i, message in enumerate(MESSAGES, 1):
        assert m.uid("fetch", str(i), "(BODY.PEEK[])")[1][0][1] == crlf(message)
        assert m.fetch(str(i), "(RFC822.SIZE)")[1][0].endswith(b"RFC822.SIZE %d)" % len(crlf(message)))
    assert m.status("INBOX", "(MESSAGES UIDNEXT)")[0] == "OK"
    m.close()
    m.logout()


def test_mbsync_pulls_everything_and_nothing_twice(served, tmp_path):
    config = tmp_path / "mbsyncrc"
    config.write_text(f"""
IMAPStore far
Host 127.0.0.1
Port {served.imap}
User user1
Pass pass
SSLType None
AuthMechs LOGIN

MaildirStore near
Path {tmp_path}/near/
Inbox {tmp_path}/near/INBOX

Channel all
Far :far:
Near :near:
Create Near
Sync Pull
SyncState *
""")
    (tmp_path / "near").mkdir()
    for _ in range(2):
        done = subprocess.run(["mbsync", "-c", config, "all"], capture_output=True, text=True, timeout=60,
                              env=dict(os.environ, HOME=str(tmp_path)))
        assert done.returncode == 0, done.stderr
        files = list((tmp_path / "near/INBOX").glob("[cn][ue][rw]/*"))
        assert len(files) == len(MESSAGES)
    got = sorted(re.sub(rb"X-TUID: .*\r?\n", b"", f.read_bytes()) for f in files)
    assert got == sorted(MESSAGES)


def tuid_free(data):
    """Without the line that mbsync puts into a message while it copies it."""
    return re.sub(rb"X-TUID: .*\r?\n", b"", data).replace(b"\r\n", b"\n")


def mbsync_config(server, near):
    return f"""
IMAPStore far
Host 127.0.0.1
Port {server.imap}
User user1
Pass pass
SSLType None
AuthMechs LOGIN

MaildirStore near
Path {near}/
Inbox {near}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
Sync All
SyncState *
"""


class Mirror:
    """A mailbox tree that mbsync keeps the same as the server's."""

    def __init__(self, server, tmp_path):
        self.near, self.config, self.home = tmp_path / "near", tmp_path / "mbsyncrc", tmp_path
        self.near.mkdir()
        self.config.write_text(mbsync_config(server, self.near))

    def sync(self):
        done = subprocess.run(["mbsync", "-c", self.config, "all"], capture_output=True, text=True, timeout=120,
                              env=dict(os.environ, HOME=str(self.home)))
        assert done.returncode == 0, done.stderr

    def here(self, box="INBOX"):
        return {tuid_free(f.read_bytes()): "".join(sorted(set(f.name.partition(":2,")[2]) & set("DFRST")))
                for f in (self.near / box).glob("[cn][ue][rw]/*")}

    @staticmethod
    def there(c, box="INBOX"):
        letters = {b"\\Seen": "S", b"\\Flagged": "F", b"\\Answered": "R", b"\\Deleted": "T", b"\\Draft": "D"}
        if not c.ok(f"SELECT {box}").numbers(b"EXISTS")[0]:
            return {}
        got = c.ok("FETCH 1:* (FLAGS BODY.PEEK[])").fetched().values()
        return {tuid_free(m[b"BODY[]"]): "".join(sorted(letters[f] for f in m[b"FLAGS"] if f in letters)) for m in got}


def test_mbsync_two_way(make_server, tmp_path):
    """200 messages; new ones, flags and expunges on both sides until both sides have the same."""
    server = make_server()
    texts = [b"Subject: m%d\nMessage-ID: <%d@example.org>\n\nbody %d \xc3\xa4\n%s" % (i, i, i, b"line\n" * (i % 50))
             for i in range(230)]
    for i in range(200):
        server.deliver("user1", texts[i], name=f"{1000 + i}.M{i}P1.mx", where="cur", flags="S" if i % 2 else "")
    server.own(server.maildir(), "user1")
    mirror = Mirror(server, tmp_path)
    mirror.sync()
    with Strict(server.imap) as c:
        c.ok("LOGIN user1 pass")
        assert mirror.here() == mirror.there(c) and len(mirror.here()) == 200
        # Near: flags, an expunge, ten new messages, a folder of its own.
        near = mirror.near / "INBOX/cur"
        files = sorted(near.iterdir())
        mine = [tuid_free(f.read_bytes()) for f in files[:20]]
        for f in files[:20]:
            f.rename(f.with_name(f.name.partition(":2,")[0] + ":2,FS"))
        for f in files[20:30]:
            f.unlink()
        for i in range(200, 210):
            (near / f"{i}.near:2,R").write_bytes(texts[i])
        for sub in ("tmp", "new", "cur"):
            (mirror.near / "Made here" / sub).mkdir(parents=True)
        (mirror.near / "Made here/cur/1.near:2,").write_bytes(texts[229])
        # Far: the same kinds of change to other messages.
        kept = {tuid_free(f.read_bytes()) for f in files[30:]}
        c.ok("SELECT INBOX")
        got = c.ok("FETCH 1:* BODY.PEEK[]").fetched()
        free = [n for n, m in got.items() if tuid_free(m[b"BODY[]"]) in kept]
        c.ok("STORE %s +FLAGS.SILENT (\\Answered \\Flagged)" % ",".join(map(str, free[:20])))
        c.ok("STORE %s +FLAGS.SILENT (\\Deleted)" % ",".join(map(str, free[20:30])))
        c.ok("EXPUNGE")
        for i in range(210, 220):
            data = texts[i].replace(b"\n", b"\r\n")
            c.ok(b"APPEND INBOX (\\Draft) {%d+}\r\n" % len(data) + data)
        c.ok("CREATE Made-there")
        c.ok("UNSELECT")
        mirror.sync()
        mirror.sync()
        near_now, far_now = mirror.here(), mirror.there(c)
        assert near_now == far_now and len(near_now) == 200 - 10 - 10 + 20
        assert set(near_now) <= set(texts) and set(texts[200:220]) <= set(near_now)
        assert all(far_now[t] == "FS" for t in mine) and (mirror.near / "Made-there").is_dir()
        assert sum("R" in f and "F" in f for f in near_now.values()) == 20
        assert list(mirror.there(c, '"Made here"')) == [texts[229]]


def test_curl_appends_stores_and_searches(make_server, tmp_path):
    server = make_server()
    url = f"imap://127.0.0.1:{server.imap}"

    def curl(*args):
        done = subprocess.run(["curl", "-sS", "-u", "user1:pass", *args], capture_output=True, timeout=60)
        assert done.returncode == 0, (args, done.stderr)
        return done.stdout

    data = b"Subject: from curl\r\n\r\n" + b"large body\r\n" * 30000
    (tmp_path / "mail").write_bytes(data)
    curl(f"{url}/INBOX", "-T", str(tmp_path / "mail"))
    assert curl(f"{url}/INBOX;UID=1") == data
    assert b"\\Flagged" in curl(f"{url}/INBOX", "-X", "STORE 1 +FLAGS (\\Flagged)")
    assert curl(f"{url}/INBOX?SUBJECT%20curl").strip() == b"* SEARCH 1"
    curl(url, "-X", "CREATE Box")
    curl(f"{url}/INBOX", "-X", "MOVE 1 Box")
    assert curl(f"{url}/Box;UID=1") == data


def test_imaplib_writes(make_server):
    server = make_server()
    m = imaplib.IMAP4("127.0.0.1", server.imap)
    m.login("user1", "pass")
    assert m.create("Box")[0] == "OK" and m.subscribe("Box")[0] == "OK"
    assert m.append("Box", "(\\Seen)", imaplib.Time2Internaldate(1000000000), b"Subject: x\r\n\r\ny\r\n")[0] == "OK"
    assert m.select("Box") == ("OK", [b"1"])
    assert m.search(None, "SUBJECT", "x") == ("OK", [b"1"])
    assert m.store("1", "+FLAGS", "(\\Deleted $Label)")[0] == "OK"
    assert m.copy("1", "INBOX")[0] == "OK" and m.expunge() == ("OK", [b"1"])
    assert m.close()[0] == "OK" and m.delete("Box")[0] == "OK"
    assert m.select("INBOX") == ("OK", [b"1"])
    got = m.fetch("1", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]
    assert got[0][1] == b"Subject: x\r\n\r\ny\r\n" and b"$Label" in got[0][0] and b" 9-Sep-2001" in got[0][0]
    m.logout()


def mutt_reads(served, tmp_path, messages):
    import pexpect
    rc = tmp_path / "muttrc"
    (tmp_path / "Mail").mkdir()
    rc.write_text("set ssl_starttls=no\nset ssl_force_tls=no\nset header_cache=\nset wait_key=no\n"
                  "set smart_wrap=no\nset pager_index_lines=0\nset imap_authenticators=login\n")
    child = pexpect.spawn("mutt", ["-R", "-n", "-F", str(rc), "-f",
                                   f"imap://user1:pass@127.0.0.1:{served.imap}/INBOX"],
                          env=dict(os.environ, TERM="vt100", HOME=str(tmp_path), LC_ALL="C.UTF-8"),
                          dimensions=(40, 120), timeout=20)
    try:
        child.expect(f"Msgs:{messages}")
        child.send("1\r")
        child.send("\r")
        child.expect("Hello\\.")
        child.send("q")
        child.send("q")
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)


def test_mutt_reads_the_inbox(served, tmp_path):
    mutt_reads(served, tmp_path, len(MESSAGES))


def test_mutt_deletes_and_flags(make_server, tmp_path):
    import pexpect
    server = make_server()
    for i in range(3):
        server.deliver("user1", b"Subject: m%d\n\nHello.\n" % i, name=f"{1000 + i}.M{i}P1.mx", where="cur", flags="S")
    server.own(server.maildir(), "user1")
    rc = tmp_path / "muttrc"
    (tmp_path / "Mail").mkdir()
    rc.write_text("set ssl_starttls=no\nset ssl_force_tls=no\nset header_cache=\nset wait_key=no\nset delete=yes\n"
                  "set imap_authenticators=login\nset move=no\n")
    child = pexpect.spawn("mutt", ["-n", "-F", str(rc), "-f", f"imap://user1:pass@127.0.0.1:{server.imap}/INBOX"],
                          env=dict(os.environ, TERM="vt100", HOME=str(tmp_path), LC_ALL="C.UTF-8"),
                          dimensions=(40, 120), timeout=20)
    try:
        child.expect("Msgs:3")
        child.send("1\r")
        child.send("F")
        child.send("2\r")
        child.send("d")
        child.send("q")
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)
    left = sorted(f.name for f in (server.maildir() / "cur").iterdir())
    assert left == ["1000.M0P1.mx:2,FS", "1002.M2P1.mx:2,S"]
