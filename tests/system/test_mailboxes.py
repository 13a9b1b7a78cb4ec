"""CREATE, DELETE, RENAME, SUBSCRIBE, special uses: what a client says, and what then stands in the store."""

import os

import pytest

from imapclient_strict import Strict

TEXT = b"Subject: %d\r\n\r\nHello %d.\r\n"


@pytest.fixture
def mail(make_server):
    server = make_server()
    for i in (1, 2):
        server.deliver("user1", TEXT % (i, i), name=f"{1000 + i}.M{i}P1.mx", where="cur", flags="S")
    server.own(server.maildir(), "user1")
    return server


def client(server, rev2=True, mailbox=None):
    c = Strict(server.imap)
    c.ok("LOGIN user1 pass")
    if rev2:
        c.ok("ENABLE IMAP4rev2")
    if mailbox:
        c.ok(f"SELECT {mailbox}")
    return c


def append(c, box, data=TEXT % (7, 7), flags=b""):
    return c.ok(b"APPEND %s %s{%d+}\r\n" % (box, flags, len(data)) + data)


def listed(c, text='LIST "" *'):
    return {row["name"]: set(row["flags"]) for row in c.ok(text).of(b"LSUB" if text.startswith("LSUB") else b"LIST")}


def folders(server):
    return sorted(p.name for p in server.maildir().iterdir() if p.is_dir() and p.name.startswith("."))


# -- CREATE --

def test_create_makes_a_mailbox_that_works_at_once(mail):
    c = client(mail)
    c.ok("CREATE Work")
    assert b"Work" in listed(c)
    box = mail.maildir() / ".Work"
    assert sorted(os.listdir(box)) == ["cur", "maildirfolder", "new", "tmp"]
    assert append(c, b"Work").code == b"APPENDUID"
    assert c.ok("SELECT Work").numbers(b"EXISTS") == [1]
    assert folders(mail) == [".Work"]


def test_create_below_and_beside(mail):
    c = client(mail)
    c.ok("CREATE a/b/c")
    names = listed(c)
    assert b"\\noselect" in names[b"a"] and b"\\haschildren" in names[b"a/b"]
    c.ok("CREATE a/b")
    assert b"\\noselect" not in listed(c)[b"a/b"]
    c.ok("CREATE trailing/")
    assert b"trailing" in listed(c)
    c.ok('CREATE "dots.in it"')
    c.ok('CREATE "\xc3\xa9t\xc3\xa9"'.encode("latin-1"))
    assert {b"dots.in it", "été".encode()} <= set(listed(c))
    assert ".a.b.c" in folders(mail) and ".dots\\2ein it" in folders(mail)


@pytest.mark.parametrize("name,code", [
    ("INBOX", b"ALREADYEXISTS"), ("inbox", b"ALREADYEXISTS"), ("Work", b"ALREADYEXISTS"), ('""', b"CANNOT"),
    ("a//b", b"CANNOT"), ("../x", b"CANNOT"), ("a/../../x", b"CANNOT"), ("/x", b"CANNOT"),
    ('"%s"' % ("x" * 300), b"CANNOT")])
def test_create_refuses(mail, name, code):
    c = client(mail)
    c.ok("CREATE Work")
    before = folders(mail)
    c.refused(f"CREATE {name}", b"NO", code)
    assert folders(mail) == before


def test_create_with_a_special_use(mail):
    c = client(mail)
    c.ok("CREATE Gesendet (USE (\\Sent))")
    c.ok("CREATE Rest (USE (\\Drafts \\Junk))")
    c.ok("CREATE Plain")
    c.refused("CREATE Odd (USE (\\Nonsense))", b"NO", b"USEATTR")
    names = listed(c, 'LIST "" * RETURN (SPECIAL-USE)')
    assert b"\\sent" in names[b"Gesendet"] and {b"\\drafts", b"\\junk"} <= names[b"Rest"]
    assert set(listed(c, 'LIST (SPECIAL-USE) "" *')) == {b"Gesendet", b"Rest"}
    assert not any(b"\\sent" in f for f in listed(c).values()) and b"Odd" not in names
    c.ok("RENAME Gesendet Sent")
    assert b"\\sent" in listed(c, 'LIST (SPECIAL-USE) "" *')[b"Sent"]


# -- DELETE --

def test_delete_removes_mail_and_name(mail):
    c = client(mail)
    c.ok("CREATE Work")
    append(c, b"Work")
    validity = c.ok("STATUS Work (UIDVALIDITY)").of(b"STATUS")[0][1][b"UIDVALIDITY"]
    c.ok("DELETE Work")
    assert b"Work" not in listed(c) and folders(mail) == []
    c.refused("DELETE Work", b"NO", b"NONEXISTENT")
    c.refused("SELECT Work", b"NO", b"NONEXISTENT")
    c.ok("CREATE Work")
    # The same UIDs will mean other messages.
    again = c.ok("STATUS Work (UIDVALIDITY MESSAGES)").of(b"STATUS")[0][1]
    assert again[b"UIDVALIDITY"] > validity and again[b"MESSAGES"] == 0


def test_delete_leaves_a_level_above_children(mail):
    c = client(mail)
    for name in ("a", "a/b"):
        c.ok(f"CREATE {name}")
    c.ok("DELETE a")
    assert b"\\noselect" in listed(c)[b"a"] and b"a/b" in listed(c)
    c.refused("DELETE a", b"NO", b"NONEXISTENT")
    c.ok("DELETE a/b")
    assert set(listed(c)) == {b"INBOX"}


def test_inbox_is_not_deleted(mail):
    c = client(mail)
    c.refused("DELETE INBOX", b"NO", b"CANNOT")
    assert c.ok("SELECT INBOX").numbers(b"EXISTS") == [2]


def test_a_session_in_a_deleted_mailbox_is_told(mail):
    a = client(mail)
    a.ok("CREATE Work")
    b = client(mail, mailbox="Work")
    a.ok("DELETE Work")
    b.send(b"x NOOP\r\n")
    assert b.line().startswith(b"* BYE")


# -- RENAME --

def test_rename_takes_all_below_along_and_keeps_uids(mail):
    c = client(mail)
    for name in ("a", "a/b", "a/b/c", "ab"):
        c.ok(f"CREATE {name}")
    append(c, b"a/b", flags=b"(\\Flagged $Key) ")
    before = c.ok("STATUS a/b (UIDVALIDITY UIDNEXT MESSAGES)").of(b"STATUS")[0][1]
    c.ok("RENAME a new/place")
    assert {b"new/place", b"new/place/b", b"new/place/b/c", b"ab"} <= set(listed(c)) and b"a" not in listed(c)
    assert c.ok("STATUS new/place/b (UIDVALIDITY UIDNEXT MESSAGES)").of(b"STATUS")[0][1] == before
    c.ok("SELECT new/place/b")
    assert {b"\\Flagged", b"$Key"} <= set(c.ok("FETCH 1 FLAGS").fetched()[1][b"FLAGS"])
    # And the name is free for another mailbox.
    c.ok("CREATE a/b")
    assert c.ok("SELECT a/b").numbers(b"EXISTS") == [0]


def test_rename_tells_a_name_that_was_normalized(mail):
    c = client(mail)
    c.ok("CREATE INBOX/a")
    row = c.ok("RENAME inbox/a new").of(b"LIST")[0]
    assert (row["name"], row["extended"]) == (b"new", {b"OLDNAME": [b"inbox/a"]})
    assert c.ok("RENAME new newer").of(b"LIST") == []


def test_deleting_a_new_mailbox_leaves_the_index_of_the_renamed_one(mail):
    c = client(mail)
    c.ok("CREATE a")
    append(c, b"a")
    c.ok("SELECT a")
    c.ok("STORE 1 +FLAGS.SILENT ($Key)")
    c.ok("UNSELECT")
    c.ok("RENAME a b")
    c.ok("CREATE a")
    c.ok("DELETE a")
    assert c.ok("SELECT b").numbers(b"EXISTS") == [1]
    assert c.ok("FETCH 1 (FLAGS UID)").fetched()[1][b"UID"] == 1
    assert not mail.log_lines("index.reset")


def test_rename_beyond_the_depth_of_names_is_refused(mail):
    c = client(mail)
    c.ok("CREATE a/b/c/d/e")
    c.refused("RENAME a " + "/".join("x" * 29), b"NO", b"CANNOT")
    assert b"a/b/c/d/e" in listed(c)


@pytest.mark.parametrize("names,code", [
    ("a b", b"ALREADYEXISTS"), ("a a", b"ALREADYEXISTS"), ("a INBOX", b"ALREADYEXISTS"), ("none x", b"NONEXISTENT"),
    ("a a/x", b"CANNOT"), ("a ../x", b"CANNOT"), ("INBOX b", b"ALREADYEXISTS")])
def test_rename_refuses_and_changes_nothing(mail, names, code):
    c = client(mail)
    for name in ("a", "a/sub", "b"):
        c.ok(f"CREATE {name}")
    before = folders(mail)
    c.refused(f"RENAME {names}", b"NO", code)
    assert folders(mail) == before


def test_rename_of_inbox_gives_its_messages_away(mail):
    c = client(mail)
    c.ok("CREATE INBOX/sub")
    c.ok("RENAME INBOX Old")
    assert c.ok("SELECT Old").numbers(b"EXISTS") == [2]
    assert c.ok("FETCH 1 BODY.PEEK[]").fetched()[1][b"BODY[]"] == TEXT % (1, 1)
    assert c.ok("SELECT INBOX").numbers(b"EXISTS") == [0]
    assert b"INBOX/sub" in listed(c)


# -- SUBSCRIBE --

@pytest.mark.parametrize("before,after", [
    (None, "V\t2\n\nWork\nINBOX\n"), ("V\t2\n\nx\ty\n", "V\t2\n\nx\ty\nWork\nINBOX\n"), ("x.y\n", "x.y\nWork\nINBOX\n")])
def test_subscriptions_are_kept_in_the_version_they_have(mail, before, after):
    file = mail.maildir() / "subscriptions"
    if before:
        file.write_text(before)
        mail.own(mail.maildir(), "user1")
    c = client(mail, rev2=False)
    for name in ("Work", "inbox", "Work"):
        c.ok(f"SUBSCRIBE {name}")
    assert file.read_text() == after
    assert {b"INBOX", b"Work"} <= set(listed(c, 'LSUB "" *'))
    c.ok("UNSUBSCRIBE Work")
    c.ok("UNSUBSCRIBE Work")
    assert file.read_text() == after.replace("Work\n", "")


def test_subscription_outlives_the_mailbox(mail):
    c = client(mail)
    c.ok("CREATE a/b")
    c.ok("SUBSCRIBE a/b")
    assert b"\\subscribed" in listed(c, 'LIST (SUBSCRIBED) "" *')[b"a/b"]
    c.ok("DELETE a/b")
    assert b"\\nonexistent" in listed(c, 'LIST (SUBSCRIBED) "" *')[b"a/b"]
    c.refused("SUBSCRIBE a//b", b"NO", b"CANNOT")


# -- the sidecar --

def test_damaged_attributes_cost_the_attributes_only(mail):
    c = client(mail)
    c.ok("CREATE Sent (USE (\\Sent))")
    append(c, b"Sent")
    file = mail.maildir() / ".Sent/rookery-attributes"
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)
    assert b"\\sent" not in listed(c, 'LIST "" * RETURN (SPECIAL-USE)')[b"Sent"]
    assert c.ok("SELECT Sent").numbers(b"EXISTS") == [1]
    assert mail.log_lines("maildir.attributes")
