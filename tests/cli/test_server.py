"""Where the server is, who asks, and what happens when nobody answers."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from cli.errors import BadInput
from cli.server import connect, is_loopback, note
from tests.cli.conftest import CLOSURE, Command, FakeServer


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_nobody_listens(closure: Command) -> None:
    """An address without a server ends with 3 and says what to do."""
    ran = closure("list", "--server", f"http://127.0.0.1:{free_port()}", "--json")

    assert 3 == ran.code
    assert "closure serve" in ran.err
    assert "cannot-reach" == ran.json["type"]


def test_no_server_known(closure: Command) -> None:
    """Without an address and without a local host the command says how to get one."""
    ran = closure("list", env={"CLOSURE_SERVER": ""})

    assert 3 == ran.code
    assert "closure serve" in ran.err


def test_local_host_is_found(closure: Command, server: FakeServer, tmp_path: Path) -> None:
    """The commands read the address that `closure serve` noted in the state folder."""
    note(tmp_path / ".closure", server.url)
    server.on("GET /api/closures", {"items": []})

    assert 0 == closure("list", env={"CLOSURE_SERVER": ""}).code


def test_dead_local_host_is_not_called(closure: Command, tmp_path: Path) -> None:
    """A note of a host that is gone is told apart from a host that is there."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    (tmp_path / "server.json").write_text(json.dumps({"url": "http://127.0.0.1:9", "pid": child}))

    ran = closure("list", env={"CLOSURE_SERVER": "", "CLOSURE_STATE_DIR": str(tmp_path)})

    assert 3 == ran.code
    assert "is gone" in ran.err


def test_naming_oneself_elsewhere_is_refused(closure: Command) -> None:
    """The development identity never leaves the loopback interface."""
    ran = closure("list", "--server", "https://closure.example.com", "--as", "ann@fabrikam.com")

    assert 2 == ran.code
    assert "only works on loopback" in ran.err


def test_default_person_stays_on_loopback() -> None:
    """Elsewhere not even the default person is sent."""
    assert {} == connect("https://closure.example.com", None).headers


def test_token_is_sent_over_https_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bearer token goes to https addresses and is never shown."""
    monkeypatch.setenv("CLOSURE_TOKEN", "secret-token")

    connection = connect("https://closure.example.com", None)

    assert {"Authorization": "Bearer secret-token"} == connection.headers
    assert "secret-token" not in repr(connection)
    with pytest.raises(BadInput, match="plain http"):
        connect("http://closure.example.com", None)


@pytest.mark.parametrize("url", ["ftp://x", "closure.example.com", "https://user:word@x", "http://"])
def test_wrong_addresses(closure: Command, url: str) -> None:
    """What is not a web address, or holds a password, is bad input."""
    assert 2 == closure("list", "--server", url).code


@pytest.mark.parametrize(
    ("host", "yes"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.0.0.1.evil.com", False), ("10.0.0.1", False)],
)
def test_loopback(host: str, yes: bool) -> None:
    """Only names that can't mean another machine are loopback."""
    assert yes is is_loopback(host)


def test_header_injection_is_refused(closure: Command) -> None:
    """A person's name can't smuggle in another header."""
    assert 2 == closure("list", "--as", "ann@x.com\r\nX: y").code


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, {"status": 401, "detail": "Who are you?"}, 2),
        (403, {"status": 403, "detail": "Not you."}, 2),
        (500, {"status": 500, "detail": "Broken."}, 1),
        (503, b"", 3),
        (429, b"slow", 3),
        (302, b"", 3),
        (404, b"<html>nginx</html>", 3),
        (200, b"<html>welcome</html>", 3),
    ],
)
def test_answers_and_exit_codes(closure: Command, server: FakeServer, status: int, body: object, code: int) -> None:
    """Refusals are 2, our own faults 1, and whatever is no answer of ours 3; standard output stays empty or JSON."""
    server.on(f"GET /api/closures/{CLOSURE}", body, status)

    ran = closure("status", CLOSURE, "--json")

    assert code == ran.code
    assert ran.err.strip()
    assert "detail" in ran.json


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"CLOSURE_CLOUD": "mars"}, "CLOSURE_CLOUD"),
        ({"CLOSURE_CLIENT_ID": "x", "CLOSURE_HOME_TENANT_ID": ""}, "CLOSURE_HOME_TENANT_ID"),
        (
            {
                **dict.fromkeys(("CLOSURE_CLIENT_ID", "CLOSURE_IDENTITY_CLIENT_ID", "CLOSURE_HOME_TENANT_ID"), "x"),
                "CLOSURE_APPROVAL_POLICY": "",
            },
            "CLOSURE_APPROVAL_POLICY",
        ),
    ],
)
def test_serve_refuses_wrong_settings(closure: Command, env: dict[str, str], said: str) -> None:
    """The local host does not start with settings it could not work with; the sentence names the setting."""
    ran = closure("serve", "--port", "0", env=env)

    assert 2 == ran.code
    assert said in ran.err
