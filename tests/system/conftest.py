"""Fixtures: `server` is shared by a module, `make_server` makes one with options of its own."""

import pytest

import rookery


def pytest_configure(config):
    for line in ("root_only: needs root (other uids, or a look into processes that are not dumpable)",
                 "plain_only: needs the plain build (the sanitizer build has no sandbox)"):
        config.addinivalue_line("markers", line)


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("root_only") and not rookery.ROOT:
            item.add_marker(pytest.mark.skip(reason="needs root: other uids, or a look into processes that are not dumpable"))
        if item.get_closest_marker("plain_only") and rookery.SANITIZED:
            item.add_marker(pytest.mark.skip(reason="the sanitizer build has no Landlock, seccomp and limits"))


def check_and_remove(server):
    """Every test ends with a clean stop: exit 0, no process left, no sanitizer report, no bug line."""
    code = server.stop()
    logs = server.logs()
    server.remove()
    for word in ("ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer: detected", "event=process.bug"):
        assert word not in logs, logs
    assert code in (None, 0), logs


@pytest.fixture
def make_server():
    made = []

    def make(start=True, **kw):
        server = rookery.Server(**kw)
        made.append(server)
        return server.start() if start else server

    yield make
    for server in made:
        check_and_remove(server)


@pytest.fixture(scope="module")
def server():
    s = rookery.Server()
    s.start()
    yield s
    check_and_remove(s)
