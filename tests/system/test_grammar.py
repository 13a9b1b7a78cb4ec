"""Commands made from the grammar at random: valid ones are never BAD, nearly valid ones always are, and the session
stays in step through all of them. ROOKERY_GRAMMAR_COMMANDS sets how many (4,000), ROOKERY_GRAMMAR_SEED the seed."""

import os
import random

from imapclient_strict import Strict

COMMANDS = int(os.environ.get("ROOKERY_GRAMMAR_COMMANDS", "4000"))
SEED = int(os.environ.get("ROOKERY_GRAMMAR_SEED", "9051"))
NAMES = [b"INBOX", b"inbox", b"Box", b"a/b", b"a", b'"two words"', b"Entw&APw-rfe", b"{3+}\r\nBox", b'"q\\"uote"', b'"x%y"']
KEYWORDS = [b"$Forwarded", b"work", b"a-b.c_d", b"Junk"]
SYSTEM = [b"\\Seen", b"\\Answered", b"\\Flagged", b"\\Draft", b"\\Deleted"]
DATES = [b"1-Feb-1994", b'"17-Jul-1996"', b"01-Jan-2030"]


def unique(items):
    """Of items that are answered under one name only one: the strict client wants each once."""
    return list({i.upper().replace(b".PEEK", b"").split(b"<")[0]: i for i in items}.values())


class Maker:
    def __init__(self, rng):
        self.rng = rng

    def pick(self, *choices):
        return self.rng.choice(choices)

    def some(self, choices, least=1, most=3):
        return [self.rng.choice(choices) for _ in range(self.rng.randint(least, most))]

    def name(self):
        return self.rng.choice(NAMES)

    def sequence(self):
        def one():
            return self.pick(b"*", b"%d" % self.rng.randint(1, 12), b"%d:%d" % (self.rng.randint(1, 9), self.rng.randint(1, 9)),
                             b"%d:*" % self.rng.randint(1, 9), b"*:%d" % self.rng.randint(1, 4294967295))
        return self.pick(b"$", b",".join(one() for _ in range(self.rng.randint(1, 4))))

    def string(self):
        text = self.pick(b"word", b"two words", b"", b"a\"b", b"x" * 200, b"\xc3\xa9")
        quoted = b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
        return self.pick(quoted, b"{%d+}\r\n" % len(text) + text, b"atom")

    def section(self):
        part = self.pick(b"", b"1", b"1.2", b"2.1.3")
        text = self.pick(b"", b"HEADER", b"TEXT", b"HEADER.FIELDS (From To)", b'HEADER.FIELDS.NOT ("X-Y")',
                         *([b"MIME"] if part else []))
        partial = self.pick(b"", b"<0.10>", b"<5.1000>")
        return b"[" + part + (b"." if part and text else b"") + text + b"]" + partial

    def fetch_items(self):
        def one():
            return self.pick(b"FLAGS", b"UID", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE", b"BODY", b"BODYSTRUCTURE",
                             b"BODY" + self.section(), b"BODY.PEEK" + self.section(), b"BINARY.PEEK[1]", b"BINARY.SIZE[1.1]",
                             b"body.peek[]", b"Binary[1]<0.5>")
        return self.pick(b"ALL", b"FULL", b"FAST", one(), b"(" + b" ".join(unique(one() for _ in range(self.rng.randint(1, 4)))) + b")")

    def search_key(self, depth=0):
        simple = [b"ALL", b"ANSWERED", b"SEEN", b"UNSEEN", b"NEW", b"OLD", b"RECENT", b"DELETED", b"UNDRAFT",
                  b"BEFORE " + self.rng.choice(DATES), b"SENTON " + self.rng.choice(DATES), b"SINCE " + self.rng.choice(DATES),
                  b"LARGER %d" % self.rng.randint(0, 1 << 40), b"SMALLER 10", b"OLDER 5", b"YOUNGER 60",
                  b"KEYWORD " + self.rng.choice(KEYWORDS), b"UNKEYWORD work", b"UID " + self.sequence(), self.sequence(),
                  b"SUBJECT " + self.string(), b"BODY " + self.string(), b"TEXT " + self.string(),
                  b"HEADER X-Y " + self.string(), b"FROM " + self.string()]
        if depth > 3 or self.rng.random() < .6:
            return self.rng.choice(simple)
        below = [self.search_key(depth + 1) for _ in range(2)]
        return self.pick(b"NOT " + below[0], b"OR " + b" ".join(below), b"(" + b" ".join(below) + b")")

    def search(self):
        ret = self.pick(b"", b"RETURN () ", b"RETURN (MIN MAX) ", b"RETURN (COUNT SAVE) ", b"RETURN (ALL) ", b"return (save) ")
        charset = self.pick(b"", b"", b"CHARSET UTF-8 ", b'CHARSET "iso-8859-1" ')
        return ret + charset + b" ".join(self.search_key() for _ in range(self.rng.randint(1, 3)))

    def flag_list(self):
        return b"(" + b" ".join(dict.fromkeys(self.some(SYSTEM + KEYWORDS, 0, 4))) + b")"

    def append(self):
        text = self.pick(b"Subject: x\r\n\r\ny\r\n", b"a", b"no\nreturn\n")
        date = self.pick(b"", b'"17-Jul-1996 02:44:25 -0700" ', b'" 1-Jan-2030 00:00:00 +0000" ')
        return self.pick(b"", self.flag_list() + b" ") + date + b"{%d+}\r\n" % len(text) + text

    def list(self):
        patterns = self.pick(b"*", b"%", b'""', b"a/%", b"(Box a/*)", b'"x%y"')
        options = self.pick(b"", b"", b" RETURN ()", b" RETURN (CHILDREN)", b" RETURN (SUBSCRIBED SPECIAL-USE)",
                            b" RETURN (STATUS (MESSAGES UNSEEN))")
        select = self.pick(b"", b"", b"() ", b"(SUBSCRIBED) ", b"(SUBSCRIBED RECURSIVEMATCH) ", b"(SPECIAL-USE) ")
        return select + self.pick(b'""', b"a", b'"a/"') + b" " + patterns + options

    def command(self):
        uid = self.pick(b"", b"UID ")
        return self.pick(
            lambda: self.pick(b"NOOP", b"CAPABILITY", b"CHECK", b"NAMESPACE", b"noop", b"EXPUNGE"),
            lambda: b"ENABLE X-NONE", lambda: self.pick(b"ID NIL", b'ID ("name" "x" "os" NIL)'),
            lambda: b"LIST " + self.list(), lambda: b'LSUB "" ' + self.pick(b"*", b"%"),
            lambda: b"STATUS " + self.name() + b" " + self.pick(b"(MESSAGES)", b"(UIDNEXT UNSEEN SIZE DELETED)"),
            lambda: b"CREATE " + self.name(), lambda: b"CREATE new (USE (\\Archive))", lambda: b"DELETE " + self.pick(b"a", b"new"),
            lambda: b"RENAME a " + self.name(), lambda: b"SUBSCRIBE " + self.name(), lambda: b"UNSUBSCRIBE " + self.name(),
            lambda: b"APPEND " + self.name() + b" " + self.append(),
            lambda: uid + b"FETCH " + self.sequence() + b" " + self.fetch_items(),
            lambda: uid + b"FETCH " + self.sequence() + b" " + self.fetch_items(),
            lambda: uid + b"STORE " + self.sequence() + b" " + self.pick(b"", b"+", b"-") + self.pick(b"FLAGS ", b"FLAGS.SILENT ")
            + self.pick(self.flag_list(), b" ".join(self.some(SYSTEM))),
            lambda: uid + b"COPY " + self.sequence() + b" " + self.name(),
            lambda: uid + b"MOVE " + self.sequence() + b" Box", lambda: b"UID EXPUNGE " + self.sequence(),
            lambda: uid + b"SEARCH " + self.search(), lambda: uid + b"SEARCH " + self.search())()

    def spoiled(self, command):
        """The same with one thing that no rule of the grammar lets through."""
        verb, space, rest = command.partition(b" ")
        return self.pick(command + b" )", command + b")", verb + b"  " + rest, command + b" ", b"X" + command,
                         verb + b" " + rest + b"(" if space else verb + b" (", command + b"\x01")


def test_commands_from_the_grammar(make_server):
    server = make_server(options={"imapd.max_bad_commands": 100000})
    for i in range(1, 9):
        server.deliver("user1", b"Subject: %d\r\nFrom: a@example.org\r\n\r\nHello.\r\n" % i, name=f"{1000 + i}.M{i}P1.mx")
    server.own(server.maildir(), "user1")
    rng = random.Random(SEED)
    make, counts = Maker(rng), {b"OK": 0, b"NO": 0, b"BAD": 0}
    with Strict(server.imap, timeout=60) as c:
        c.ok("LOGIN user1 pass")
        c.ok("CREATE Box")
        c.ok("SELECT INBOX")
        for n in range(COMMANDS):
            command = make.command()
            if len(c.uids) < 4:
                for _ in range(4):
                    c.ok(b"APPEND INBOX {4+}\r\nx\r\n\r")
                c.ok("NOOP")
            spoil = rng.random() < .3
            reply = c.command(make.spoiled(command) if spoil else command)
            counts[reply.word] += 1
            # A number beyond the last message is a mistake in what it means, not in how it is written.
            number = reply.word == b"BAD" and b"no message" in reply.text
            assert spoil == (reply.word == b"BAD") or number, (SEED, n, command, reply)
            if n % 50 == 49:
                assert c.ok("NOOP").word == b"OK"
    assert all(v > COMMANDS // 50 for v in counts.values()), counts
    assert not server.log_lines("worker.crash")
