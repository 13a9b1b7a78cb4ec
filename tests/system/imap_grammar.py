"""The grammar of responses of RFC 9051 section 9, with what RFC 3501 has beside it as long as IMAP4rev2 is not
enabled. Anything else is an error, and so are words and codes that this server has no reason to say."""

import re

ATOM = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\\]]+')
ASTRING = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\]+')
LABEL = re.compile(rb"[A-Za-z._-][A-Za-z0-9._:-]*")
DATE_TIME = re.compile(rb'"(?: [1-9]|0[1-9]|[12]\d|3[01])-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-\d{4} '
                       rb'(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60) [+-]\d{4}"')
SET = re.compile(rb"[1-9]\d*(?::[1-9]\d*)?(?:,[1-9]\d*(?::[1-9]\d*)?)*")
SECTION = re.compile(rb"(?:(?:[1-9]\d*(?:\.[1-9]\d*)*)(?:\.(?:MIME|HEADER|TEXT))?|HEADER|TEXT|)(?=\])")
FIELDS = re.compile(rb"(?:(?:[1-9]\d*\.)+)?HEADER\.FIELDS(?:\.NOT)? \(")
SYSTEM_FLAGS = {b"\\answered", b"\\flagged", b"\\deleted", b"\\seen", b"\\draft"}
LIST_FLAGS = {b"\\nonexistent", b"\\noinferiors", b"\\noselect", b"\\marked", b"\\unmarked", b"\\haschildren",
              b"\\hasnochildren", b"\\subscribed", b"\\remote", b"\\all", b"\\archive", b"\\drafts", b"\\flagged",
              b"\\junk", b"\\sent", b"\\trash"}
BARE_CODES = {b"ALERT", b"PARSE", b"READ-ONLY", b"READ-WRITE", b"TRYCREATE", b"UIDNOTSTICKY", b"UNAVAILABLE",
              b"AUTHENTICATIONFAILED", b"AUTHORIZATIONFAILED", b"EXPIRED", b"PRIVACYREQUIRED", b"CONTACTADMIN",
              b"NOPERM", b"INUSE", b"EXPUNGEISSUED", b"CORRUPTION", b"SERVERBUG", b"CLIENTBUG", b"CANNOT", b"LIMIT",
              b"OVERQUOTA", b"ALREADYEXISTS", b"NONEXISTENT", b"NOTSAVED", b"HASCHILDREN", b"CLOSED",
              b"UNKNOWN-CTE", b"TOOBIG", b"BADCHARSET", b"USEATTR"}
STATUS_ITEMS = {b"MESSAGES", b"UIDNEXT", b"UIDVALIDITY", b"UNSEEN", b"DELETED", b"SIZE", b"RECENT"}


class Malformed(AssertionError):
    """The server said something that the grammar does not have."""


class Parser:
    """One response without its CRLF; literals stand in it as they came."""

    def __init__(self, data, rev2=False):
        self.data, self.pos, self.rev2 = data, 0, rev2

    def fail(self, what):
        raise Malformed(f"{what} expected at byte {self.pos} of {self.data[:2000]!r}")

    def at_end(self):
        return self.pos == len(self.data)

    def end(self):
        if not self.at_end():
            self.fail("the end")

    def peek(self, text):
        return self.data.startswith(text, self.pos)

    def take(self, text):
        if not self.peek(text):
            return False
        self.pos += len(text)
        return True

    def must(self, text):
        if not self.take(text):
            self.fail(repr(text))

    def match(self, pattern, what):
        found = pattern.match(self.data, self.pos)
        if not found:
            self.fail(what)
        self.pos = found.end()
        return found.group()

    def atom(self):
        return self.match(ATOM, "an atom")

    def number(self, low=0, bits=32):
        text = self.match(re.compile(rb"\d+"), "a number")
        if not low <= int(text) < 1 << bits or (len(text) > 1 and text[:1] == b"0"):
            self.fail(f"a number of {bits} bits from {low} on instead of {text!r}")
        return int(text)

    def quoted(self):
        self.must(b'"')
        start, out = self.pos, bytearray()
        while not self.take(b'"'):
            if self.at_end():
                self.pos = start
                self.fail("a closing quote")
            c = self.data[self.pos]
            if c == 0x5c:
                self.pos += 1
                if self.at_end() or self.data[self.pos] not in b'"\\':
                    self.fail("a quoted special")
                c = self.data[self.pos]
            if c in b"\0\r\n":
                self.fail("no NUL, CR or LF in a quoted string")
            out.append(c)
            self.pos += 1
        if any(c > 0x7f for c in out):
            self.utf8(bytes(out))
        return bytes(out)

    def utf8(self, text):
        if not self.rev2:
            self.fail("no 8-bit character without a literal")
        try:
            text.decode()
        except UnicodeDecodeError:
            self.fail("valid UTF-8")

    def literal(self, eight=False):
        if eight:
            self.must(b"~")
        self.must(b"{")
        n = self.number(bits=63)
        self.must(b"}\r\n")
        if self.pos + n > len(self.data):
            self.fail(f"a literal of {n} bytes")
        out = self.data[self.pos:self.pos + n]
        if not eight and b"\0" in out:
            self.fail("no NUL in a literal")
        self.pos += n
        return out

    def string(self):
        return self.quoted() if self.peek(b'"') else self.literal()

    def nil(self):
        return self.data[self.pos:self.pos + 3].upper() == b"NIL" and self.take(self.data[self.pos:self.pos + 3])

    def nstring(self):
        return None if self.nil() else self.string()

    def astring(self):
        if self.peek(b'"') or self.peek(b"{"):
            return self.string()
        return self.match(ASTRING, "an astring")

    def mailbox(self, canonical=True):
        name = self.astring()
        if any(c > 0x7f for c in name):
            self.utf8(name)
        if canonical and name.upper() == b"INBOX" and name != b"INBOX":
            self.fail("INBOX in one spelling")
        return name

    def plist(self, item, empty=True):
        """( item *(SP item) )"""
        self.must(b"(")
        out = []
        if self.take(b")"):
            if not empty:
                self.fail("a list that is not empty")
            return out
        while True:
            out.append(item())
            if self.take(b")"):
                return out
            self.must(b" ")

    def words(self):
        """*(SP atom)"""
        out = []
        while self.take(b" "):
            out.append(self.atom())
        return out

    # -- flags --

    def flag(self, star=False, recent=False):
        if self.take(b"\\"):
            if star and self.take(b"*"):
                return b"\\*"
            name = b"\\" + self.atom()
            if name.lower() in SYSTEM_FLAGS or (recent and not self.rev2 and name.lower() == b"\\recent"):
                return name
            self.fail(f"a system flag instead of {name!r}")
        return self.atom()

    def flags(self, **kw):
        out = self.plist(lambda: self.flag(**kw))
        if len({f.lower() for f in out}) != len(out):
            self.fail("each flag once")
        return out

    # -- texts and codes --

    def text(self):
        rest = self.data[self.pos:]
        if not rest:
            self.fail("a text")
        if b"\r" in rest or b"\n" in rest or b"\0" in rest:
            self.fail("no NUL, CR or LF in a text")
        if any(c > 0x7f for c in rest):
            self.utf8(rest)
        self.pos = len(self.data)
        return rest

    def uid_set(self):
        text = self.match(SET, "a set of UIDs")
        return [n for part in text.split(b",") for n in runs(part)]

    def code(self):
        name = self.atom()
        if name in BARE_CODES:
            value = None
            if name == b"BADCHARSET" and self.take(b" "):
                value = self.plist(lambda: self.quoted() if self.peek(b'"') else self.atom(), empty=False)
        elif name == b"CAPABILITY":
            value = self.capabilities()
        elif name == b"PERMANENTFLAGS":
            self.must(b" ")
            value = self.flags(star=True)
        elif name in (b"UIDNEXT", b"UIDVALIDITY") or (name == b"UNSEEN" and not self.rev2):
            self.must(b" ")
            value = self.number(1)
        elif name == b"APPENDUID":
            self.must(b" ")
            validity = self.number(1)
            self.must(b" ")
            value = validity, self.uid_set()
        elif name == b"COPYUID":
            self.must(b" ")
            validity = self.number(1)
            self.must(b" ")
            source = self.uid_set()
            self.must(b" ")
            value = validity, source, self.uid_set()
            if len(source) != len(value[2]):
                self.fail("two sets of the same size")
        else:
            self.fail(f"a response code that is known, not {name!r},")
        self.must(b"]")
        return name, value

    def resp_text(self):
        code = None
        if self.take(b"["):
            code = self.code()
            self.must(b" ")
        return code, self.text()

    def capabilities(self):
        found = self.words()
        if not {b"IMAP4rev1", b"IMAP4rev2"} & set(found):
            self.fail("IMAP4rev1 or IMAP4rev2 among the capabilities")
        if len(set(found)) != len(found):
            self.fail("each capability once")
        return found

    # -- FETCH --

    def address(self):
        self.must(b"(")
        out = [self.nstring()]
        for _ in range(3):
            self.must(b" ")
            out.append(self.nstring())
        self.must(b")")
        return tuple(out)

    def addresses(self):
        if self.nil():
            return None
        self.must(b"(")
        out = []
        while not self.take(b")"):
            out.append(self.address())  # no SP between them
        if not out:
            self.fail("an address")
        return out

    def envelope(self):
        self.must(b"(")
        out = [self.nstring()]
        self.must(b" ")
        out.append(self.nstring())
        for _ in range(6):
            self.must(b" ")
            out.append(self.addresses())
        for _ in range(2):
            self.must(b" ")
            out.append(self.nstring())
        self.must(b")")
        return out

    def param(self):
        if self.nil():
            return None
        found = self.plist(self.string, empty=False)
        if len(found) % 2:
            self.fail("a value for each parameter")
        return dict(zip(found[::2], found[1::2]))

    def disposition(self):
        if self.nil():
            return None
        self.must(b"(")
        kind = self.string()
        self.must(b" ")
        value = kind, self.param()
        self.must(b")")
        return value

    def language(self):
        return self.plist(self.string, empty=False) if self.peek(b"(") else self.nstring()

    def extensions(self, first, out):
        """What only BODYSTRUCTURE has; all of it, as a server that knows itself would send."""
        for name, read in (first, ("disposition", self.disposition), ("language", self.language),
                           ("location", self.nstring)):
            if not self.take(b" "):
                return
            out[name] = read()

    def body(self, extended):
        self.must(b"(")
        out = {}
        if self.peek(b"("):
            out["parts"] = []
            while self.peek(b"("):
                out["parts"].append(self.body(extended))
            self.must(b" ")
            out["type"], out["subtype"] = b"MULTIPART", self.string()
            if extended:
                self.extensions(("param", self.param), out)
        else:
            self.single(out, extended)
        self.must(b")")
        return out

    def single(self, out, extended):
        out["type"] = self.string()
        for name, read in (("subtype", self.string), ("param", self.param), ("id", self.nstring),
                           ("description", self.nstring), ("encoding", self.string), ("octets", self.number)):
            self.must(b" ")
            out[name] = read()
        kind = out["type"].upper()
        if kind == b"MESSAGE" and out["subtype"].upper() in (b"RFC822", b"GLOBAL"):
            self.must(b" ")
            out["envelope"] = self.envelope()
            self.must(b" ")
            out["body"] = self.body(extended)
            self.must(b" ")
            out["lines"] = self.number(bits=63)
        elif kind == b"TEXT":
            self.must(b" ")
            out["lines"] = self.number(bits=63)
        elif kind == b"MULTIPART":
            self.fail("parts in a multipart")
        if extended:
            self.extensions(("md5", self.nstring), out)

    def section(self):
        start = self.pos
        self.must(b"[")
        if FIELDS.match(self.data, self.pos):
            self.pos = FIELDS.match(self.data, self.pos).end() - 1
            self.plist(self.astring, empty=False)
        else:
            self.match(SECTION, "a section")
        self.must(b"]")
        if self.take(b"<"):
            self.number(bits=63)
            self.must(b">")
        return self.data[start:self.pos]

    def fetch_item(self):
        name = self.match(re.compile(rb"[A-Z0-9.]+"), "an item of FETCH")
        if name == b"BODY" and self.peek(b"["):
            name += self.section()
            self.must(b" ")
            return name, self.nstring()
        if name in (b"BINARY", b"BINARY.SIZE"):
            name += self.section()
            self.must(b" ")
            if name.startswith(b"BINARY.SIZE"):
                return name, self.number()
            return name, self.literal(eight=True) if self.peek(b"~") else self.nstring()
        self.must(b" ")
        readers = {b"UID": lambda: self.number(1), b"FLAGS": lambda: self.flags(recent=True),
                   b"INTERNALDATE": lambda: self.match(DATE_TIME, "a date and time"),
                   b"RFC822.SIZE": lambda: self.number(bits=63), b"ENVELOPE": self.envelope,
                   b"BODY": lambda: self.body(False), b"BODYSTRUCTURE": lambda: self.body(True)}
        if not self.rev2:
            readers.update({b"RFC822": self.nstring, b"RFC822.HEADER": self.nstring, b"RFC822.TEXT": self.nstring})
        if name not in readers:
            self.fail(f"an item of FETCH, not {name!r},")
        return name, readers[name]()

    def fetch(self):
        items = self.plist(self.fetch_item, empty=False)
        if len({name for name, _ in items}) != len(items):
            self.fail("each item once")
        return dict(items)

    # -- mailboxes --

    def list_flag(self):
        self.must(b"\\")
        name = b"\\" + self.atom()
        if name.lower() not in LIST_FLAGS:
            self.fail(f"an attribute of LIST, not {name!r},")
        return name.lower()

    def separator(self):
        if self.nil():
            return None
        found = self.quoted()
        if len(found) != 1:
            self.fail("a separator of one character")
        return found

    def list_extended(self):
        tag = self.astring().upper()
        self.must(b" ")
        if tag == b"CHILDINFO":
            return tag, self.plist(self.quoted, empty=False)
        if tag == b"OLDNAME":
            return tag, self.plist(lambda: self.mailbox(canonical=False), empty=False)
        self.fail(f"extended data of LIST, not {tag!r},")

    def list_row(self):
        flags = self.plist(self.list_flag)
        if len(set(flags)) != len(flags):
            self.fail("each attribute once")
        if len({b"\\noselect", b"\\nonexistent", b"\\marked", b"\\unmarked"} & set(flags)) > 1:
            self.fail("one of mbx-list-sflag")
        if {b"\\haschildren", b"\\hasnochildren"} <= set(flags):
            self.fail("one of child-mbox-flag")
        self.must(b" ")
        separator = self.separator()
        self.must(b" ")
        row = {"flags": set(flags), "separator": separator, "name": self.mailbox(), "extended": {}}
        if self.take(b" "):
            row["extended"] = dict(self.plist(self.list_extended))
        return row

    def status_item(self):
        name = self.atom()
        if name not in STATUS_ITEMS or (name == b"RECENT" and self.rev2):
            self.fail(f"an item of STATUS, not {name!r},")
        self.must(b" ")
        return name, self.number(1 if name.startswith(b"UID") else 0, 63 if name == b"SIZE" else 32)

    def namespaces(self):
        if self.nil():
            return None
        self.must(b"(")
        out = []
        while not self.take(b")"):
            self.must(b"(")
            prefix = self.string()
            self.must(b" ")
            out.append((prefix, self.separator()))
            self.must(b")")
        return out

    def id_list(self):
        if self.nil():
            return None
        found = self.plist(self.nstring, empty=False)
        if len(found) % 2 or None in found[::2]:
            self.fail("pairs of strings")
        return dict(zip(found[::2], found[1::2]))

    def esearch(self):
        out = {}
        if self.take(b" (TAG "):
            out[b"TAG"] = self.astring()
            self.must(b")")
        if self.peek(b" UID") and self.data[self.pos + 4:self.pos + 5] in (b"", b" "):
            self.pos += 4
            out[b"UID"] = True
        while self.take(b" "):
            name = self.match(LABEL, "a name of ESEARCH")
            self.must(b" ")
            if name in out or name not in (b"MIN", b"MAX", b"ALL", b"COUNT"):
                self.fail(f"data of ESEARCH, not {name!r},")
            out[name] = self.uid_set() if name == b"ALL" else self.number(0 if name == b"COUNT" else 1)
        return out

    # -- whole responses --

    def numbered(self):
        n = self.number()
        self.must(b" ")
        word = self.atom()
        if word in (b"EXISTS", b"RECENT"):
            if word == b"RECENT" and self.rev2:
                self.fail("no RECENT after ENABLE IMAP4rev2")
            return word, n, None
        if n == 0 or word not in (b"EXPUNGE", b"FETCH"):
            self.fail(f"EXISTS, EXPUNGE or FETCH of a message, not {n} {word!r},")
        if word == b"EXPUNGE":
            return word, n, None
        self.must(b" ")
        return word, n, self.fetch()

    def named(self):
        word = self.atom()
        if word in (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"):
            self.must(b" ")
            return word, None, self.resp_text()
        if word == b"CAPABILITY":
            return word, None, self.capabilities()
        if word == b"ENABLED":
            return word, None, self.words()
        if word == b"ESEARCH":
            return word, None, self.esearch()
        if word == b"SEARCH" and not self.rev2:
            out = []
            while self.take(b" "):
                out.append(self.number(1))
            return word, None, out
        self.must(b" ")
        if word == b"FLAGS":
            return word, None, self.flags()
        if word == b"LIST" or (word == b"LSUB" and not self.rev2):
            return word, None, self.list_row()
        if word == b"STATUS":
            name = self.mailbox()
            self.must(b" ")
            return word, None, (name, dict(self.plist(self.status_item)))
        if word == b"NAMESPACE":
            out = [self.namespaces()]
            for _ in range(2):
                self.must(b" ")
                out.append(self.namespaces())
            return word, None, out
        if word == b"ID":
            return word, None, self.id_list()
        self.fail(f"a response that is known, not {word!r},")

    def response(self, tag):
        """(kind, number, value); kind is b"+", an untagged word, or b"OK", b"NO", b"BAD" with tagged true."""
        if self.take(b"+ "):
            return False, (b"+", None, self.resp_text())
        if self.take(b"* "):
            found = self.numbered() if self.data[self.pos:self.pos + 1].isdigit() else self.named()
            self.end()
            return False, found
        self.must(tag + b" ")
        word = self.atom()
        if word not in (b"OK", b"NO", b"BAD"):
            self.fail("OK, NO or BAD")
        self.must(b" ")
        return True, (word, None, self.resp_text())


def runs(text):
    """What a:b or a stands for, in ascending order."""
    ends = [int(n) for n in text.split(b":")]
    return range(min(ends), max(ends) + 1)
