"""A client that believes nothing: every response must follow the grammar (imap_grammar.py), and what is told
about the selected mailbox must agree with all that was told before. Row V29 of the known attacks: mail cannot
forge responses."""

from imap_grammar import Parser
from rookery import Client

# RFC 9051 section 7.5.1: no EXPUNGE while one of these is answered (their UID forms are free of it).
NO_EXPUNGE = {b"FETCH", b"STORE", b"SEARCH"}


class Inconsistent(AssertionError):
    """The server said something that cannot be true after what it said before."""


class Reply:
    """The tagged answer and what came before it."""

    def __init__(self, untagged, word, code, text):
        self.untagged, self.word, self.text = untagged, word, text
        self.code, self.value = code if code else (None, None)

    def of(self, kind):
        return [value for word, _, value in self.untagged if word == kind]

    def numbers(self, kind):
        return [n for word, n, _ in self.untagged if word == kind]

    def fetched(self):
        """Sequence number to all items that were told of it."""
        out = {}
        for word, n, items in self.untagged:
            if word == b"FETCH":
                out.setdefault(n, {}).update(items)
        return out

    def codes(self):
        """Response codes of the untagged OKs."""
        return dict(value[0] for word, _, value in self.untagged if word == b"OK" and value[0])

    def __repr__(self):
        return f"<{self.word} [{self.code} {self.value}] {self.text} after {self.untagged}>"


class Strict(Client):
    """Client whose commands give a Reply. `uids` has the UID of each message by position, None where it
    was not told; `flags` likewise."""

    def __init__(self, port, **kw):
        self.rev2, self.selected, self.running, self.tag = False, False, b"", b"*"
        self.uids, self.flags, self.validity, self.uidnext = [], [], None, None
        super().__init__(port, **kw)
        if self.greeting is not None:
            word = Parser(self.greeting).response(b"*")[1][0]
            assert word in (b"OK", b"PREAUTH"), self.greeting

    def read(self):
        """One response, parsed and believed."""
        tagged, found = Parser(self.line(), self.rev2).response(self.tag)
        if not tagged:
            self.learn(*found)
        return tagged, found

    def command(self, text):
        """Literals in it are sent as they stand: {n+} or one that the server is asked for by `pieces`."""
        return self.pieces(text)

    def pieces(self, *parts):
        """A command whose parts but the last end with a synchronising literal's header."""
        self.n += 1
        self.tag = b"t%d" % self.n
        parts = [p if isinstance(p, bytes) else p.encode() for p in parts]
        words = parts[0].upper().split(b" ")
        self.running = words[0]
        if words[0] in (b"SELECT", b"EXAMINE"):
            self.selected = False
        untagged, data = [], self.tag + b" " + parts[0]
        for part in parts[1:]:
            self.send(data + b"\r\n")
            tagged, found = self.read()
            while not tagged and found[0] != b"+":
                untagged.append(found)
                tagged, found = self.read()
            if tagged:
                return self.done(untagged, found)
            data = part
        self.send(data + b"\r\n")
        return self.finish(untagged)

    def finish(self, untagged=()):
        """Reads on to the tagged answer."""
        untagged = list(untagged)
        while True:
            tagged, found = self.read()
            if tagged:
                return self.done(untagged, found)
            untagged.append(found)

    def done(self, untagged, found):
        reply = Reply(untagged, found[0], *found[2])
        closes = self.running in ((b"CLOSE", b"UNSELECT") if reply.word == b"OK" else (b"SELECT", b"EXAMINE"))
        self.selected = self.selected and not closes
        self.running = b""
        return reply

    def ok(self, *parts):
        reply = self.pieces(*parts)
        assert reply.word == b"OK", (parts, reply)
        return reply

    def refused(self, text, word, code=None):
        reply = self.command(text)
        assert (reply.word, reply.code) == (word, code), (text, reply)
        return reply

    def idle(self):
        """Begins IDLE; `idle_line` reads, `idle_end` ends."""
        self.n += 1
        self.tag, self.running = b"t%d" % self.n, b"IDLE"
        self.send(self.tag + b" IDLE\r\n")
        while self.read()[1][0] != b"+":
            pass

    def idle_line(self):
        tagged, found = self.read()
        assert not tagged, found
        return found

    def idle_end(self):
        self.send(b"DONE\r\n")
        return self.finish()

    # -- what is known of the mailbox --

    def learn(self, word, n, value):
        if word == b"ENABLED":
            self.rev2 = self.rev2 or b"IMAP4rev2" in [v.upper().replace(b"REV", b"rev") for v in value]
        elif word == b"OK" and value[0]:
            self.learn_code(*value[0])
        elif word == b"EXISTS":
            self.exists(n)
        elif word == b"EXPUNGE":
            self.expunged(n)
        elif word == b"FETCH":
            self.fetched(n, value)

    def learn_code(self, name, value):
        if name == b"UIDVALIDITY":
            self.validity = value
        elif name == b"UIDNEXT":
            self.uidnext = value

    def exists(self, n):
        if self.running in (b"SELECT", b"EXAMINE") and not self.selected:
            self.selected = True
            self.uids, self.flags, self.uidnext = [None] * n, [None] * n, None
        elif not self.selected:
            raise Inconsistent("EXISTS without a mailbox")
        elif n < len(self.uids):
            raise Inconsistent(f"EXISTS {n} after {len(self.uids)}: messages go by EXPUNGE only")
        self.uids += [None] * (n - len(self.uids))
        self.flags += [None] * (n - len(self.flags))

    def expunged(self, n):
        if not self.selected or n > len(self.uids):
            raise Inconsistent(f"EXPUNGE {n} of {len(self.uids)} messages")
        if self.running in NO_EXPUNGE or self.running == b"":
            raise Inconsistent(f"EXPUNGE during {self.running!r}")
        del self.uids[n - 1], self.flags[n - 1]

    def fetched(self, n, items):
        if not self.selected or n > len(self.uids):
            raise Inconsistent(f"FETCH {n} of {len(self.uids)} messages")
        if b"FLAGS" in items:
            self.flags[n - 1] = {f.lower() for f in items[b"FLAGS"] if f.lower() != b"\\recent"}
        uid = items.get(b"UID")
        if uid is None:
            return
        if self.uids[n - 1] not in (None, uid):
            raise Inconsistent(f"message {n} was UID {self.uids[n - 1]} and is {uid}")
        self.uids[n - 1] = uid
        below = [u for u in self.uids[:n - 1] if u]
        above = [u for u in self.uids[n:] if u]
        if (below and max(below) >= uid) or (above and min(above) <= uid):
            raise Inconsistent(f"UIDs do not ascend at {n}: {self.uids}")
