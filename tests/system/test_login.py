"""Before login: greeting, capabilities, the ways to log in and to be refused."""

import base64
import hashlib
import hmac
import os
import socket
import ssl
import time

import pytest

from rookery import Client, wait_for


def capabilities(line):
    text = line.decode()
    return set(text[text.index("CAPABILITY ") + 11:].split("]")[0].split())


def test_greeting_offers_what_this_connection_may_use(server):
    with server.client() as c:
        caps = capabilities(c.greeting)
        assert {"IMAP4rev1", "SASL-IR", "STARTTLS", "AUTH=PLAIN", "ID"} <= caps
        # Not all of it is there yet: ENABLE IMAP4rev2 works, but nothing is promised.
        assert "IMAP4rev2" in caps
        assert "LOGINDISABLED" not in caps
        assert not any("-PLUS" in cap for cap in caps)
        assert capabilities(c.ok("CAPABILITY")[0]) == caps
    with server.tls_client() as c:
        caps = capabilities(c.greeting)
        assert {"AUTH=SCRAM-SHA-256-PLUS", "AUTH=PLAIN"} <= caps
        assert "STARTTLS" not in caps


def test_plain_text_login_is_refused_where_it_is_off(make_server):
    server = make_server(options={"gate.plaintext_login": "never"})
    with server.client() as c:
        caps = capabilities(c.greeting)
        assert "LOGINDISABLED" in caps and "AUTH=PLAIN" not in caps and "AUTH=LOGIN" not in caps
        assert c.command("LOGIN user1 pass")[1].startswith(b"NO [PRIVACYREQUIRED]")
        assert c.command("AUTHENTICATE PLAIN")[1].startswith((b"NO [PRIVACYREQUIRED]", b"NO [CANNOT]"))
    with server.tls_client() as c:
        c.login()


def test_login_forms(server):
    forms = [b"LOGIN user1 pass", b'LOGIN "user1" "pass"', b"LOGIN {5+}\r\nuser1 {4+}\r\npass",
             b"AUTHENTICATE PLAIN " + base64.b64encode(b"\0user1\0pass")]
    for form in forms:
        with server.client() as c:
            c.n += 1
            c.send(b"t1 " + form + b"\r\n")
            untagged, tagged = c.read_until("t1")
            assert tagged.startswith(b"t1 OK"), (form, tagged)
            assert c.ok("NOOP") == []


def test_login_with_synchronising_literals(server):
    with server.client() as c:
        c.send(b"a LOGIN {5}\r\n")
        assert c.line().startswith(b"+")
        c.send(b"user1 {4}\r\n")
        assert c.line().startswith(b"+")
        c.send(b"pass\r\n")
        assert c.read_until("a")[1].startswith(b"a OK")


def test_authenticate_without_initial_response_and_login_mechanism(server):
    with server.client() as c:
        c.send(b"a AUTHENTICATE PLAIN\r\n")
        assert c.line().startswith(b"+")
        c.send(base64.b64encode(b"\0user2\0pass") + b"\r\n")
        assert c.read_until("a")[1].startswith(b"a OK")
    with server.client() as c:
        c.send(b"a AUTHENTICATE LOGIN\r\n")
        for word in (b"user2", b"pass"):
            assert c.line().startswith(b"+")
            c.send(base64.b64encode(word) + b"\r\n")
        assert c.read_until("a")[1].startswith(b"a OK")


def test_authenticate_can_be_cancelled(server):
    with server.client() as c:
        c.send(b"a AUTHENTICATE PLAIN\r\n")
        assert c.line().startswith(b"+")
        c.send(b"*\r\n")
        assert c.read_until("a")[1].startswith(b"a BAD")
        c.login()


class Scram:
    """A client of RFC 5802 of our own, to play it against the server's library."""

    def __init__(self, algorithm, user, password, binding=None):
        self.hash, self.user, self.password = algorithm, user, password
        self.gs2 = b"p=tls-unique,," if binding else b"n,,"
        self.binding = binding or b""
        self.nonce = base64.b64encode(os.urandom(18))
        self.first = b"n=" + user.encode() + b",r=" + self.nonce

    def initial(self):
        return base64.b64encode(self.gs2 + self.first)

    def answer(self, challenge):
        fields = dict(part.split(b"=", 1) for part in challenge.split(b","))
        assert fields[b"r"].startswith(self.nonce)
        salted = hashlib.pbkdf2_hmac(self.hash, self.password.encode(), base64.b64decode(fields[b"s"]),
                                     int(fields[b"i"]))
        key = hmac.digest(salted, b"Client Key", self.hash)
        stored = hashlib.new(self.hash, key).digest()
        bare = b"c=" + base64.b64encode(self.gs2 + self.binding) + b",r=" + fields[b"r"]
        message = self.first + b"," + challenge + b"," + bare
        signature = hmac.digest(stored, message, self.hash)
        proof = bytes(a ^ b for a, b in zip(key, signature))
        self.server = hmac.digest(hmac.digest(salted, b"Server Key", self.hash), message, self.hash)
        return base64.b64encode(bare + b",p=" + base64.b64encode(proof))

    def run(self, client, mechanism):
        client.send(b"a AUTHENTICATE " + mechanism.encode() + b" " + self.initial() + b"\r\n")
        line = client.line()
        if not line.startswith(b"+ "):
            return line
        client.send(self.answer(base64.b64decode(line[2:])) + b"\r\n")
        line = client.line()
        if line.startswith(b"+ "):
            final = base64.b64decode(line[2:])
            assert base64.b64decode(final[2:]) == self.server
            client.send(b"\r\n")
            line = client.line()
        return client.read_until("a")[1] if not line.startswith(b"a ") else line


@pytest.mark.parametrize("mechanism,algorithm", [("SCRAM-SHA-1", "sha1"), ("SCRAM-SHA-256", "sha256")])
def test_scram(server, mechanism, algorithm):
    with server.client() as c:
        assert Scram(algorithm, "user1", "pass").run(c, mechanism).startswith(b"a OK")
        c.ok("NOOP")
    with server.client() as c:
        assert Scram(algorithm, "user1", "wrong").run(c, mechanism).startswith(b"a NO [AUTHENTICATIONFAILED]")


def test_scram_plus_binds_the_channel(server):
    context = server.tls()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    for forge, want in ((False, b"a OK"), (True, b"a NO")):
        with Client(server.imaps, tls=context) as c:
            binding = c.sock.get_channel_binding("tls-unique")
            if forge:
                binding = bytes(len(binding))
            assert Scram("sha256", "user1", "pass", binding).run(c, "SCRAM-SHA-256-PLUS").startswith(want)


def test_wrong_password_and_unknown_user_look_the_same(server):
    """Wording and time (row V17 measures more): nothing tells the two apart."""
    answers, times = set(), []
    for user, password in (("user1", "wrong"), ("nobody", "wrong"), ("user1", ""), ("nobody", "pass")):
        with server.client() as c:
            start = time.monotonic()
            answers.add(c.command(f'LOGIN {user} "{password}"')[1])
            times.append(time.monotonic() - start)
    assert len(answers) == 1 and answers.pop().startswith(b"NO [AUTHENTICATIONFAILED]"), answers
    assert all(t < 5 for t in times)


def test_failures_wait_for_the_grid_and_grow_by_address(make_server):
    server = make_server(options={"auth.failure_grid_ms": 500, "auth.penalty_max_seconds": 3})
    waits = []
    for i in range(4):
        with server.client() as c:
            start = time.monotonic()
            assert c.command(f"LOGIN user1 wrong{i}")[1].startswith(b"NO [AUTHENTICATIONFAILED]")
            waits.append(time.monotonic() - start)
    assert waits[-1] > waits[0] and waits[-1] >= 1.9, waits


def test_too_many_tries_end_the_connection(server):
    with server.client() as c:
        for i in range(3):
            c.n += 1
            c.send(f"t{c.n} LOGIN user1 wrong{i}\r\n")
            line = c.line()
            assert line.startswith(f"t{c.n} NO".encode())
        assert c.closed()
        assert b"* BYE" in c.buffer


def test_password_file_is_reloaded_and_the_last_good_one_kept(make_server):
    server = make_server()
    with server.client() as c:
        assert c.command("LOGIN later pass")[1].startswith(b"NO")
    server.add_user("later")
    server.write_passwd()

    def can_login(user):
        with server.client() as c:
            return c.command(f"LOGIN {user} pass")[1].startswith(b"OK")

    assert wait_for(lambda: can_login("later"), 5, 0.3)
    server.write_passwd("this is : no password file\n\0\n")
    time.sleep(1.2)
    assert can_login("later")
    server.write_passwd("")
    server.write_passwd("user1:{PLAIN}pass:%d:%d::%s::\nbroken line without fields\n" % (
        server.users["user1"]["uid"], server.users["user1"]["gid"], server.users["user1"]["home"]))
    time.sleep(1.2)
    assert can_login("user1")


def test_password_schemes(make_server):
    import crypt
    schemes = {
        "sha512": "{SHA512-CRYPT}" + crypt.crypt("pass", crypt.mksalt(crypt.METHOD_SHA512, rounds=5000)),
        "bcrypt": "{BLF-CRYPT}" + crypt.crypt("pass", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)),
        "yescrypt": "{CRYPT}$y$j9T$F5Jx5fExrKuPp53xLKQ..1$tnSYvahCwPBHKZUspmcxMfb0.WiB9W.zEaKlOBL35rC",
    }
    # The yescrypt vector of crypt(5) is for another password: make one with the system's own crypt.
    schemes["yescrypt"] = "{CRYPT}" + crypt.crypt("pass", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1")
    server = make_server(start=False)
    for name, record in schemes.items():
        server.add_user(name, record)
    server.write_passwd()
    server.start()
    for name in schemes:
        with server.client() as c:
            assert c.command(f"LOGIN {name} pass")[1].startswith(b"OK"), name
        with server.client() as c:
            assert c.command(f"LOGIN {name} pasS")[1].startswith(b"NO"), name


def test_id_noop_logout_before_login(server):
    with server.client() as c:
        assert any(line.startswith(b"* ID ") for line in c.ok('ID ("name" "test")'))
        assert any(line.startswith(b"* ID ") for line in c.ok("ID NIL"))
        c.ok("NOOP")
        untagged, tagged = c.command("LOGOUT")
        assert tagged.startswith(b"OK") and any(line.startswith(b"* BYE") for line in untagged)
        assert c.closed()


def test_proxy_protocol(make_server):
    server = make_server(start=False, options={"gate.proxy_networks": ["127.0.0.1/32"]})
    server.extra = (f'listen "proxied" {{ address = "127.0.0.1"\n port = {server.proxy}\n'
                    " proxy_protocol = true }")
    server.write_conf()
    server.start()
    v2 = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("198.51.100.7") +
          socket.inet_aton("192.0.2.1") + (4000).to_bytes(2, "big") + (143).to_bytes(2, "big"))
    for preface, address in ((b"PROXY TCP4 203.0.113.9 192.0.2.1 4000 143\r\n", "203.0.113.9"),
                             (b"PROXY TCP6 2001:db8::7 2001:db8::1 4000 143\r\n", "2001:db8::7"),
                             (v2, "198.51.100.7")):
        with Client(server.proxy, preface=preface) as c:
            c.ok("STARTTLS")
            c.start_tls(server.tls())
            c.login()
            assert address in server.ctl("who").stdout
    for preface in (b"PROXY TCP4 999.0.113.9 192.0.2.1 4000 143\r\n", b"a LOGIN user1 pass\r\n"):
        c = Client(server.proxy, preface=preface, greeting=False)
        assert c.closed() and b"OK" not in c.buffer


def test_alpn_and_http_are_refused(server):
    """Row V28: another protocol's client gets nothing it could use."""
    context = server.tls()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with pytest.raises((ssl.SSLError, OSError)):
        Client(server.imaps, tls=context)
    context = server.tls()
    context.set_alpn_protocols(["imap"])
    with Client(server.imaps, tls=context) as c:
        assert c.sock.selected_alpn_protocol() == "imap"
        c.send(b"GET /secret-path HTTP/1.1\r\nHost: x\r\n\r\n")
        assert c.closed()
        assert b"secret-path" not in c.buffer


def test_tls_versions_names_and_resumption(make_server):
    from rookery import make_certificate
    server = make_server(start=False)
    cert, key = server.dir / "etc/other.pem", server.dir / "etc/other.key"
    make_certificate(cert, key, "mail.example.org")
    server.extra = f'tls_name "mail.example.org" {{ cert = "{cert}"\n key = "{key}" }}'
    server.write_conf()
    server.start()

    def subject(name):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.load_verify_locations(server.cert)
        context.load_verify_locations(cert)
        with socket.create_connection(("127.0.0.1", server.imaps)) as raw:
            with context.wrap_socket(raw, server_hostname=name) as s:
                return dict(x[0] for x in s.getpeercert()["subject"])["commonName"]

    assert subject("mail.example.org") == "mail.example.org"
    assert subject("elsewhere.example.org") == "localhost"
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = server.tls()
        context.minimum_version = context.maximum_version = version
        with Client(server.imaps, tls=context) as c:
            c.ok("NOOP")
            c.ok("LOGOUT")
    context = server.tls()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    session = None
    for want in (False, True):
        raw = socket.create_connection(("127.0.0.1", server.imaps))
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as s:
            assert s.session_reused is want
            session = s.session
