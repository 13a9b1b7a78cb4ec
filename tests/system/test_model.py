"""A mailbox in which other programs and several sessions are at work, step by step beside a model of it. The sessions
are strict (imapclient_strict.py): numbers, UIDs and where EXPUNGE is told are checked with every response.

ROOKERY_MODEL_STEPS sets how many steps (400), ROOKERY_MODEL_SEED the first seed."""

import os
import random
import time

import pytest

from imapclient_strict import Strict
from rookery import wait_for

STEPS = int(os.environ.get("ROOKERY_MODEL_STEPS", "400"))
SEED = int(os.environ.get("ROOKERY_MODEL_SEED", "9051"))
LETTERS = {"S": b"\\seen", "F": b"\\flagged", "R": b"\\answered", "T": b"\\deleted", "D": b"\\draft"}


class Model:
    """What the mailbox holds: subject to its file and flags. UIDs are learned and then never change."""

    def __init__(self, server, rng):
        self.server, self.rng = server, rng
        self.flags, self.uid_of, self.subject_of, self.n = {}, {}, {}, 0

    def file(self, subject):
        files = [p for sub in ("new", "cur") for p in (self.server.maildir() / sub).iterdir()]
        return next(p for p in files if p.read_bytes().startswith(f"Subject: {subject}\r\n".encode()))

    def deliver(self):
        self.n += 1
        name = f"{1000000 + self.n}"
        self.server.deliver("user1", f"Subject: {name}\r\n\r\nx\r\n".encode(), name=f"{name}.M1P1.mx")
        self.flags[name] = set()

    def remove(self):
        if self.flags:
            name = self.rng.choice(sorted(self.flags))
            self.file(name).unlink()
            del self.flags[name]

    def change(self):
        if self.flags:
            name = self.rng.choice(sorted(self.flags))
            letters = "".join(sorted(self.rng.sample(sorted(LETTERS), self.rng.randrange(4))))
            # From new to cur as well, as a mail program does it.
            file = self.file(name)
            file.rename(self.server.maildir() / "cur" / f"{file.name.split(':')[0]}:2,{letters}")
            self.flags[name] = {LETTERS[c] for c in letters}

    def expunge(self, among=None):
        """All that have \\Deleted, of the subjects in `among`."""
        for name in [n for n, f in self.flags.items() if b"\\deleted" in f and (among is None or n in among)]:
            del self.flags[name]

    def moved(self):
        """What is in the other mailbox is here no more, and a message never is in neither."""
        for p in (self.server.maildir() / ".Other/cur").iterdir():
            self.flags.pop(p.read_bytes().split(b"\r\n")[0].decode().split()[1], None)
        for name in self.flags:
            assert self.file(name)

    def met(self, uid, subject):
        """A UID means one message for ever, and a message has one UID, in whatever session."""
        assert self.uid_of.setdefault(subject, uid) == uid
        assert self.subject_of.setdefault(uid, subject) == subject


class Player(Strict):
    """One session that does something with each step."""

    def __init__(self, server, model, rng, rev2):
        super().__init__(server.imap, timeout=30)
        self.model, self.rng = model, rng
        self.ok("LOGIN user1 pass")
        if rev2:
            self.ok("ENABLE IMAP4rev2")
        self.open()

    def open(self):
        self.ok("SELECT INBOX")
        self.look()

    def look(self):
        """All that is there. What went away meanwhile is missing, and NO tells so."""
        if not self.uids:
            return
        reply = self.command("FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        assert (reply.word, reply.code) in ((b"OK", None), (b"NO", b"EXPUNGEISSUED")), reply
        for items in reply.fetched().values():
            text = items.get(b"BODY[HEADER.FIELDS (SUBJECT)]")
            if text:
                self.model.met(items[b"UID"], text.decode().split()[1])

    def some(self):
        if self.uids:
            a, b = self.rng.randint(1, len(self.uids)), self.rng.randint(1, len(self.uids))
            reply = self.command(f"FETCH {a}:{b} (UID FLAGS)")
            assert reply.word in (b"OK", b"NO"), reply

    def some_by_uid(self):
        # Behind these EXPUNGE may be told, the client counts on.
        assert self.command(f"UID FETCH {self.rng.randint(1, 50)}:* (FLAGS)").word in (b"OK", b"NO")

    def rest(self):
        self.idle()
        time.sleep(0.01)
        assert self.idle_end().word == b"OK"

    def leave(self):
        verb = self.rng.choice(["CLOSE", "UNSELECT", "EXAMINE INBOX"])
        self.ok(verb)
        if verb == "CLOSE":
            self.model.expunge()
        self.open()

    def pick(self):
        """The first and last of some numbers, and what the model calls the messages that this session has there."""
        self.look()
        a = b = self.rng.choice([i for i, u in enumerate(self.uids) if u in self.model.subject_of] or [-1])
        while b - a < 2 and b + 1 < len(self.uids) and self.uids[b + 1] in self.model.subject_of and self.rng.random() < .5:
            b += 1
        return a + 1, b + 1, [self.model.subject_of[u] for u in self.uids[a:b + 1]] if a >= 0 else []

    def store(self):
        first, last, subjects = self.pick()
        if not subjects:
            return
        flags = set(self.rng.sample(sorted(LETTERS.values()), self.rng.randrange(3)))
        how, silent = self.rng.choice(["", "+", "-"]), self.rng.choice(["", ".SILENT"])
        before = [set(f) if f is not None else None for f in self.flags]
        reply = self.command(b"STORE %d:%d %sFLAGS%s (%s)" % (first, last, how.encode(), silent.encode(),
                                                              b" ".join(sorted(flags))))
        assert (reply.word, reply.code) in ((b"OK", None), (b"NO", b"EXPUNGEISSUED")), reply
        for name in subjects:
            if name in self.model.flags:
                old = self.model.flags[name]
                self.model.flags[name] = flags if how == "" else old | flags if how == "+" else old - flags
        if silent:
            # The client does the sum itself, but for what it was told.
            told = reply.fetched()
            for n in range(first, last + 1):
                if n not in told and before[n - 1] is not None:
                    old = before[n - 1]
                    self.flags[n - 1] = flags if how == "" else old | flags if how == "+" else old - flags

    def expunge(self):
        self.ok("EXPUNGE")
        self.model.expunge()

    def uid_expunge(self):
        self.look()
        if self.uids and all(self.uids):
            a, b = sorted((self.rng.choice(self.uids), self.rng.choice(self.uids)))
            among = {self.model.subject_of.get(u) for u in self.uids if a <= u <= b}
            self.ok(f"UID EXPUNGE {a}:{b}")
            self.model.expunge(among)

    def append(self):
        self.model.n += 1
        name = f"{1000000 + self.model.n}"
        data = f"Subject: {name}\r\n\r\nx\r\n".encode()
        reply = self.ok(b"APPEND INBOX (\\Flagged) {%d+}\r\n" % len(data) + data)
        assert reply.code == b"APPENDUID"
        self.model.flags[name] = {b"\\flagged"}

    def move_to_other(self):
        first, last, subjects = self.pick()
        if subjects:
            reply = self.command(f"MOVE {first}:{last} Other")
            assert (reply.word, reply.code) in ((b"OK", None), (b"NO", b"EXPUNGEISSUED")), reply
            self.model.moved()

    def step(self):
        self.rng.choice([self.look, self.some, self.some, self.some_by_uid, self.rest, self.leave,
                         self.store, self.store, self.append, self.expunge, self.uid_expunge, self.move_to_other,
                         lambda: self.ok("NOOP"), lambda: self.ok("CHECK"),
                         lambda: self.ok("STATUS INBOX (MESSAGES UIDNEXT UNSEEN)")])()

    def agrees(self):
        """Whether this session, after NOOP, sees what the model has."""
        self.ok("NOOP")
        self.look()
        seen = {self.model.subject_of.get(uid): flags for uid, flags in zip(self.uids, self.flags)}
        return seen == self.model.flags


@pytest.mark.parametrize("seed", [SEED, SEED + 1])
def test_sessions_and_other_programs_agree_with_a_model(make_server, seed):
    server, rng = make_server(), random.Random(seed)
    model = Model(server, rng)
    for sub in ("tmp", "new", "cur"):
        (server.maildir() / ".Other" / sub).mkdir(parents=True)
    server.own(server.maildir(), "user1")
    for _ in range(5):
        model.deliver()
    players = [Player(server, model, rng, rev2) for rev2 in (False, True, False)]
    for step in range(STEPS):
        if rng.random() < 0.4:
            rng.choice([model.deliver, model.deliver, model.remove, model.change, model.change])()
        else:
            rng.choice(players).step()
        if step % 100 == 99:
            for p in players:
                assert wait_for(p.agrees, 10, 0.1), (seed, step, p.uids, p.flags, model.flags, model.uid_of)
    uidnext = players[0].ok("STATUS INBOX (UIDNEXT)").of(b"STATUS")[0][1][b"UIDNEXT"]
    assert uidnext > max(model.subject_of) and model.n > STEPS // 10
    for p in players:
        p.close()
    assert not server.log_lines("worker.crash")
