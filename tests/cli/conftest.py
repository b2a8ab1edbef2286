"""A small server that answers what a test tells it, and the command run in this process."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cli.main import app

CLOSURE = "0b0a1c2d-0000-4000-8000-000000000000-1"
DIGEST = "ab" * 32
REQUEST: dict[str, Any] = {
    "tenantId": "0b0a1c2d-0000-4000-8000-000000000000",
    "domain": "contoso.onmicrosoft.com",
    "keeper": "last.admin@contoso.onmicrosoft.com",
    "reason": "merged into Fabrikam",
    "approvers": [
        {"group": "it", "quorum": 1, "people": ["ann@fabrikam.com", "bob@fabrikam.com"]},
        {"group": "owner", "quorum": 1, "people": ["cyd@fabrikam.com"]},
    ],
    "keep": [],
    "backupConfirmed": True,
}


@dataclass
class Seen:
    """One request the server got."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class FakeServer:
    """Answers by "METHOD /path?query"; several answers to one key are given in turn, the last one for ever.

    `links` are headers Link by the same key.
    """

    url: str = ""
    answers: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def on(self, key: str, body: Any, status: int = 200) -> None:
        """Add an answer; bytes go out as they are, anything else as JSON."""
        self.answers.setdefault(key, []).append((status, body))

    def problem(self, key: str, status: int, **members: Any) -> None:
        """Add a problem document as the answer."""
        self.on(key, {"type": "about:blank", "status": status, **members}, status)


def closure_document(**changes: Any) -> dict[str, Any]:
    """What GET /api/closures/{id} answers."""
    gate = {"name": "plan", "serial": 1, "digest": DIGEST, "answerBy": "2030-01-01T00:00:00Z", "missing": {"it": 1}}
    counts = {"users": {"planned": 10, "removed": 4, "absent": 1, "kept": 0, "refused": 0, "failed": 0}}
    return {
        "closureId": CLOSURE,
        "tenantId": REQUEST["tenantId"],
        "domain": REQUEST["domain"],
        "status": "waiting-approval",
        "phase": "gate-plan",
        "result": None,
        "gate": gate,
        "counts": counts,
        "rate": 19.5,
        "eta": None,
        "tasks": {"open": 0, "ids": []},
        "blockers": [],
        "updatedAt": "2029-12-31T00:00:00Z",
        **changes,
    }


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """The fake server on a free loopback port."""
    fake = FakeServer()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            fake.seen.append(Seen(self.command, self.path, headers, json.loads(raw) if raw else None))
            queue = fake.answers.get(f"{self.command} {self.path}")
            if queue:
                status, body = queue.pop(0) if len(queue) > 1 else queue[0]
            else:
                detail = f"There is nothing at {self.path}."
                status, body = 404, {"type": "about:blank", "status": 404, "detail": detail}
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if link := fake.links.get(f"{self.command} {self.path}"):
                self.send_header("Link", link)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _serve  # noqa: N815  # the names http.server asks for

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield fake
    http.shutdown()
    http.server_close()
    thread.join()


@dataclass
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document it must be."""
        return json.loads(self.out)


class Command:
    """Runs `closure` in this process, against the fake server unless told otherwise."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server

    def __call__(self, *arguments: str, text: str | None = None, env: dict[str, str] | None = None) -> Ran:
        environment = {"CLOSURE_SERVER": self.server.url, **(env or {})}
        result = CliRunner().invoke(app, list(arguments), input=text, env=environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CLOSURE_SERVER", "CLOSURE_AS", "CLOSURE_TOKEN", "CLOSURE_STATE_DIR", "CLOSURE_APPROVAL_POLICY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def closure(server: FakeServer) -> Command:
    """The command."""
    return Command(server)


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    """A good request in YAML."""
    path = tmp_path / "request.yaml"
    path.write_text(yaml.safe_dump(REQUEST), encoding="utf-8")
    return path
