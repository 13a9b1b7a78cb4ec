"""A real Rookery server in a temporary directory, and a small raw IMAP client to talk to it."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

STAGE = pathlib.Path(os.environ["ROOKERY_STAGE"])
SANITIZED = os.environ.get("ROOKERY_SANITIZED") == "1"
ROOT = os.geteuid() == 0
# As root every service and every user has a uid of its own, none of which needs an account.
UIDS = {"gate": 61101, "auth": 61102, "hub": 61103, "log": 61104}
FIRST_USER_UID = 61201

HEADERS = "From: a@example.org\r\nTo: b@example.org\r\nSubject: %s\r\nMessage-ID: <%s@example.org>\r\n\r\n"


def wait_for(what, seconds=10.0, step=0.02):
    """The first true answer of what(), asked until the time is up; the last one then."""
    end = time.monotonic() + seconds
    while True:
        answer = what()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(step)


PORTS = set()


def free_port():
    """One that nothing listens on, and that was not given to this process before: the kernel gives a port
    again as soon as its socket is closed."""
    for _ in range(1000):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port not in PORTS:
            PORTS.add(port)
            return port
    raise OSError("no free port")


class Client:
    """Raw bytes to and from one connection. Every read has a time-out."""

    def __init__(self, port, tls=None, address="127.0.0.1", timeout=15, greeting=True, source=None,
                 preface=b""):
        self.sock = socket.create_connection((address, port), timeout=timeout,
                                             source_address=(source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if preface:
            self.sock.sendall(preface)
        self.buffer = b""
        self.n = 0
        if tls is not None:
            self.start_tls(tls)
        self.greeting = self.line() if greeting else None

    def start_tls(self, context, hostname="localhost"):
        self.sock = context.wrap_socket(self.sock, server_hostname=hostname)

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError(f"the server closed the connection; unread: {self.buffer!r}")
        self.buffer += data

    def exactly(self, n):
        while len(self.buffer) < n:
            self.more()
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def line(self):
        """One line without CRLF; literals in it are part of it."""
        out = b""
        while True:
            while b"\r\n" not in self.buffer:
                self.more()
            part, self.buffer = self.buffer.split(b"\r\n", 1)
            out += part
            literal = re.search(rb"\{(\d+)\}$", part)
            if not literal:
                return out
            out += b"\r\n" + self.exactly(int(literal.group(1)))

    def read_until(self, tag):
        """Untagged lines and the tagged one."""
        untagged = []
        while True:
            line = self.line()
            if line.startswith(tag.encode() + b" "):
                return untagged, line
            untagged.append(line)

    def command(self, text):
        self.n += 1
        tag = f"t{self.n}"
        self.send(tag.encode() + b" " + (text if isinstance(text, bytes) else text.encode()) + b"\r\n")
        untagged, tagged = self.read_until(tag)
        return untagged, tagged[len(tag) + 1:]

    def ok(self, text):
        untagged, tagged = self.command(text)
        assert tagged.startswith(b"OK"), (text, tagged)
        return untagged

    def login(self, user="user1", password="pass"):
        return self.ok(f"LOGIN {user} {password}")

    def closed(self, seconds=10):
        """Whether the server ends the connection within the time; what came before is in buffer."""
        self.sock.settimeout(seconds)
        try:
            while True:
                data = self.sock.recv(65536)
                if not data:
                    return True
                self.buffer += data
        except (ConnectionError, ssl.SSLError):
            return True
        except TimeoutError:
            return False

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Server:
    """Configuration, users and mail in a temporary directory; start, stop and look inside."""

    def __init__(self, users=3, options=None, extra="", listeners=None, certificate=None,
                 password="{PLAIN}pass"):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="rk-", dir=os.environ.get("ROOKERY_TMP", "/tmp")))
        self.dir.chmod(0o755)
        self.process = None
        self.imap, self.imaps, self.proxy = free_port(), free_port(), free_port()
        self.options = {"sandbox": "required", "log.level": "debug",
                        "gate.plaintext_login": "loopback", "gate.per_address": 1000,
                        "gate.per_network": 1000, "auth.failure_grid_ms": 100,
                        "auth.penalty_max_seconds": 0,
                        "imapd.sessions_per_user": 100, "imapd.sessions_per_user_address": 100}
        if SANITIZED:
            self.options["sandbox"] = "best-effort"
        self.options.update(options or {})
        self.extra = extra
        self.listeners = listeners
        for name in ("etc", "mail", "state", "run"):
            (self.dir / name).mkdir(mode=0o755)
        self.cert, self.key = certificate or self._certificate()
        self.users = {}
        for i in range(1, users + 1):
            self.add_user(f"user{i}", password)
        self.write_passwd()
        self.write_conf()

    # -- what the administrator makes --

    def _certificate(self):
        cert, key = self.dir / "etc/cert.pem", self.dir / "etc/key.pem"
        make_certificate(cert, key, "localhost")
        return cert, key

    def add_user(self, name, password="{PLAIN}pass", fields=""):
        uid = FIRST_USER_UID + len(self.users) if ROOT else os.geteuid()
        gid = uid if ROOT else os.getegid()
        home = self.dir / "mail" / name
        self.users[name] = {"uid": uid, "gid": gid, "home": home, "password": password,
                            "fields": fields}
        make_maildir(home / "Maildir")
        home.chmod(0o700)
        self.own(home, name)
        return home

    def own(self, path, user):
        """Gives a tree to its user, as a delivery agent that runs as the user would have made it."""
        if not ROOT:
            return
        u = self.users[user]
        for root, dirs, files in os.walk(path):
            for entry in [root] + [os.path.join(root, f) for f in dirs + files]:
                os.chown(entry, u["uid"], u["gid"], follow_symlinks=False)

    def write_passwd(self, text=None):
        if text is None:
            text = "".join(f"{n}:{u['password']}:{u['uid']}:{u['gid']}::{u['home']}::{u['fields']}\n"
                           for n, u in self.users.items())
        new = self.dir / "etc/passwd.new"
        new.write_text(text)
        new.chmod(0o640)
        if ROOT:
            os.chown(new, 0, UIDS["auth"])
        new.rename(self.dir / "etc/passwd")

    def write_conf(self):
        conf = {}
        for key, value in self.options.items():
            section, _, name = key.rpartition(".")
            conf.setdefault(section, {})[name] = value
        if ROOT:
            for section, uid in UIDS.items():
                conf.setdefault(section, {}).setdefault("user", f"{uid}:{uid}")
        conf.setdefault("", {}).update(state_dir=self.dir / "state", run_dir=self.dir / "run")
        conf.setdefault("log", {}).setdefault("target", self.dir / "log")
        conf.setdefault("tls", {}).setdefault("cert", self.cert)
        conf["tls"].setdefault("key", self.key)
        lines = [f"{n} = {quote(v)}" for n, v in conf.pop("").items()]
        lines += self.listeners if self.listeners is not None else [
            f'listen "imap" {{ address = "127.0.0.1"\n port = {self.imap} }}',
            f'listen "imaps" {{ address = "127.0.0.1"\n port = {self.imaps}\n tls = "implicit" }}']
        for section, options in conf.items():
            lines.append(section + " {")
            lines += [f"\t{n} = {quote(v)}" for n, v in options.items()]
            lines.append("}")
        lines.append(f'database "test" {{ driver = "passwd-file"\n path = "{self.dir}/etc/passwd" }}')
        lines.append('storage "mail" { driver = "maildir"\n path = "~/Maildir" }')
        lines.append(self.extra)
        self.conf = self.dir / "etc/rookery.conf"
        self.conf.write_text("\n".join(lines) + "\n")

    def maildir(self, user="user1"):
        return self.users[user]["home"] / "Maildir"

    def deliver(self, user="user1", data=None, folder="", name=None, where="new", flags=None):
        """A message as an MTA would leave it; gives its file name."""
        deliver.n = getattr(deliver, "n", 0) + 1
        if data is None:
            data = (HEADERS % (f"message {deliver.n}", deliver.n) + "Hello.\r\n").encode()
        box = self.maildir(user) / folder if folder else self.maildir(user)
        if not box.exists():
            make_maildir(box)
            self.own(box, user)
        name = name or f"{int(time.time())}.M{deliver.n}P{os.getpid()}.test"
        if where == "cur":
            name += ":2," + (flags or "")
        tmp = box / "tmp" / name
        tmp.write_bytes(data)
        if ROOT:
            os.chown(tmp, self.users[user]["uid"], self.users[user]["gid"])
        tmp.rename(box / where / name)
        return name

    # -- running it --

    def start(self, expect_ready=True, env=None):
        # Its own session, so that a test can look for what is left of it.
        self.process = subprocess.Popen([STAGE / "sbin/rookery", "-F", "-c", self.conf],
                                        start_new_session=True, stdin=subprocess.DEVNULL,
                                        stderr=open(self.dir / "stderr", "ab"),
                                        env=dict(os.environ, **(env or {})))
        if expect_ready:
            ready = wait_for(lambda: self.process.poll() is not None or self.answers(), 60)
            assert ready and self.process.poll() is None, self.logs()
        return self

    def answers(self):
        try:
            with Client(self.imap, timeout=2) as c:
                return c.greeting.startswith(b"* OK")
        except (OSError, EOFError):
            return False

    def stop(self, seconds=40):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        left = [p for p in wait_for(lambda: not self.processes() and [None], 5) or self.processes() if p]
        for p in left:
            os.kill(p.pid, signal.SIGKILL)
        self.process = None
        assert code is not None, "the server did not stop\n" + self.logs()
        assert not left, f"processes left: {left}\n" + self.logs()
        return code

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def ctl(self, *args, check=True):
        done = subprocess.run([STAGE / "bin/rookeryctl", "-c", self.conf, *args],
                              capture_output=True, text=True, timeout=30)
        if check:
            assert done.returncode == 0, (args, done.returncode, done.stdout, done.stderr)
        return done

    def ctl_json(self, *args):
        return json.loads(self.ctl("--json", *args).stdout)

    def client(self, **kw):
        return Client(self.imap, **kw)

    def tls_client(self, **kw):
        return Client(self.imaps, tls=self.tls(), **kw)

    def tls(self):
        context = ssl.create_default_context(cafile=str(self.cert))
        context.check_hostname = False
        return context

    # -- looking inside --

    def logs(self):
        texts = []
        for name in ("stderr", "log"):
            if (self.dir / name).exists():
                texts.append((self.dir / name).read_text(errors="replace"))
        return "\n".join(texts)

    def log_lines(self, event):
        return [line for line in self.logs().splitlines() if f" event={event} " in line + " "]

    def wait_log(self, event, seconds=10):
        return wait_for(lambda: self.log_lines(event), seconds)

    def processes(self):
        """All processes of this server: the session that the master leads, and its descendants."""
        if not self.process:
            return []
        all_processes = [p for p in (Process.read(int(d)) for d in os.listdir("/proc") if d.isdigit()) if p]
        found, pids = [], {self.process.pid}
        marker = str(self.conf)
        changed = True
        while changed:
            changed = False
            for p in all_processes:
                if p not in found and p.state != "Z" and (p.pid in pids or p.ppid in pids or
                                                          p.session == self.process.pid or marker in p.cmdline):
                    found.append(p)
                    pids.add(p.pid)
                    changed = True
        return [p for p in found if p.pid != self.process.pid or self.process.poll() is None]

    def process_of(self, name):
        """Processes by program: gate authd hub log imapd (spawner first, then workers)."""
        return sorted((p for p in self.processes() if p.program == f"rookery-{name}"), key=lambda p: p.pid)

    def spawner(self):
        return next(p for p in self.process_of("imapd") if p.ppid == self.process.pid)

    def workers(self):
        spawner = self.spawner().pid
        return [p for p in self.process_of("imapd") if p.ppid == spawner]


class Process:
    """What /proc says of one process."""

    def __init__(self, pid, status, cmdline, session):
        self.pid, self.status, self.cmdline, self.session = pid, status, cmdline, session
        self.ppid = int(status["PPid"])
        self.state = status["State"].split()[0]
        self.program = os.path.basename(cmdline.split("\0")[0])

    @staticmethod
    def read(pid):
        try:
            status = dict(line.split(":", 1) for line in
                          pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
            cmdline = pathlib.Path(f"/proc/{pid}/cmdline").read_text()
            session = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[3])
        except OSError:
            return None
        return Process(pid, {k: v.strip() for k, v in status.items()}, cmdline, session)

    def fds(self):
        """Descriptor number to what it is."""
        out = {}
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                out[int(fd)] = os.readlink(f"/proc/{self.pid}/fd/{fd}")
            except OSError:
                pass
        return out

    def kill(self, sig=signal.SIGKILL):
        os.kill(self.pid, sig)

    def alive(self):
        p = Process.read(self.pid)
        return p is not None and p.state != "Z"

    def __eq__(self, other):
        return self.pid == other.pid

    def __hash__(self):
        return self.pid

    def __repr__(self):
        return f"<{self.pid} {self.program}>"


def quote(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "{" + ", ".join(quote(v) for v in value) + "}"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def make_maildir(path):
    for sub in ("cur", "new", "tmp"):
        (path / sub).mkdir(parents=True, exist_ok=True)


def deliver():
    """Counts deliveries (see Server.deliver)."""


def make_certificate(cert, key, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
                    f"subjectAltName=DNS:{name},IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    key.chmod(0o600)


def crlf(data):
    """What IMAP gives for stored bytes: bare LF as CRLF."""
    return re.sub(rb"(?<!\r)\n", b"\r\n", data)
