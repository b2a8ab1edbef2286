"""The doors with everything behind them in memory, and what every answer has to be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func

from tenantclosure import wiring
from tests.web import rig
from web import limiting, openapi, refusals
from web.routes import ROUTES

DESCRIBED = openapi.document(ROUTES)
SECRET = "s3cret-"
"""Mark of tokens, cookies and nonces that callers send; no answer repeats it."""


@dataclass
class Office:
    """One loop for a file's doors; each example has a desk of its own."""

    runner: asyncio.Runner
    desk: rig.Desk = field(default_factory=rig.desk)
    closure: str = ""
    digest: str = ""
    link: str = ""

    def run[T](self, work: Awaitable[T]) -> T:
        """Await it."""

        async def wait() -> T:
            return await work

        return self.runner.run(wait())

    def fresh(self, gate: str = "go-on") -> rig.Desk:
        """A new desk with one closure that waits at a gate, and a link for ann."""
        refusals.forget()
        limiting.forget()
        self.desk = rig.desk()
        self.closure, self.digest = self.run(self.desk.at_gate(gate))
        self.link = self.run(self.desk.link(self.closure, self.digest, gate=gate))
        return self.desk

    def ask(self, name: str, query: str = "", **sent: Any) -> func.HttpResponse:
        """Knock, and hold the answer to what every answer has to be: described, without secrets, and a refusal changes
        nothing but the record of refusals.
        """
        before = self.state()
        answer = self.run(self.desk.call(name, query, **sent))
        route, body = self.desk.routes[name], answer.get_body()
        described = DESCRIBED["paths"][f"/{route.path}"][route.method.lower()]["responses"]

        assert str(answer.status_code) in described, (answer.status_code, body)
        assert answer.status_code != 500
        shown = body.decode() + json.dumps(list(answer.headers.items()))
        assert SECRET not in shown
        assert route.link or self.link not in shown
        if answer.status_code >= 400:
            after = self.state()
            assert before == after, [(a, b) for a, b in zip(before, after, strict=True) if a != b]
            if answer.mimetype == "application/problem+json":
                problem = json.loads(body)
                assert answer.status_code == problem["status"]
                assert problem["title"] and problem["detail"] and problem["remedy"]
                assert len(body) < 4_000, len(body)
            else:
                assert route.page and body.startswith(b"<!doctype html>"), body[:60]
        return answer

    def state(self) -> Any:
        """Everything that a caller could have changed: documents, blobs and queues without the audit; the engine."""
        records, client = self.desk.records, self.desk.client
        return (
            {key: doc for key, (doc, _) in records.documents.items() if "audit" not in key[1]},
            {path: data for path, data in records.blobs.items() if "audit" not in path},
            {queue: list(messages) for queue, messages in records.queues.items()},
            list(client.started),
            list(client.raised),
        )


@contextmanager
def office() -> Iterator[Office]:
    """The doors of one file."""
    with asyncio.Runner() as runner:
        yield Office(runner)
    wiring.use(None)
