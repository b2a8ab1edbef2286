"""The people of a rehearsal at a gate: they approve by themselves, or are told how to."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from cli.client import Api, closure_path
from cli.demo.stage import APPROVERS
from cli.errors import BadInput
from cli.server import Connection, principal

if TYPE_CHECKING:
    from rich.console import Console

LAST_GATE = "delete-tenant"


class People:
    """Looks at each document; acts once per open gate, serial and digest."""

    def __init__(self, url: str, closure: str, domain: str, console: Console, *, approve_all: bool) -> None:
        self._url, self._closure, self._domain = url, closure, domain
        self._console, self._approve_all = console, approve_all
        self._done: set[tuple[str, ...]] = set()

    def look(self, document: dict[str, Any]) -> None:
        """See to the open gate, if there is one."""
        gate = document.get("gate")
        if not isinstance(gate, dict) or not gate.get("digest") or gate.get("state", "open") != "open":
            return
        key = (str(gate["name"]), str(gate.get("serial")), str(gate["digest"]))
        if not self._approve_all:
            if key not in self._done:
                self._done.add(key)
                self._tell(gate)
            return
        for person in APPROVERS:
            if (*key, person) not in self._done and self._approve(gate, person):
                self._done.add((*key, person))

    def _approve(self, gate: dict[str, Any], person: str) -> bool:
        body = {"decision": "approve", "digest": gate["digest"], "comment": "Rehearsal"}
        if gate["name"] == LAST_GATE:
            body["domain"] = self._domain
        connection = Connection(self._url, True, {"X-Dev-Principal": principal(person, "Approver")})
        try:
            with Api(connection) as api:
                api.post(closure_path(self._closure, "gates", str(gate["name"]), "decisions"), body)
        except BadInput as refused:
            # The gate closed, or the plan grew, between our look and our word: the next look tells.
            if (refused.document or {}).get("status") != 409:
                raise
            return False
        return True

    def _tell(self, gate: dict[str, Any]) -> None:
        self._console.print(f"\nThe gate {gate['name']} is open. One person of each group has to approve, on the page")
        self._console.print(f"  {self._url}/closures/{self._closure}")
        self._console.print("or in another terminal:")
        for person in APPROVERS:
            words = [
                "closure",
                "approve",
                self._closure,
                "--gate",
                str(gate["name"]),
                "--server",
                self._url,
                "--as",
                person,
            ]
            if gate["name"] == LAST_GATE:
                words += ["--domain", self._domain]
            self._console.print(f"  {shlex.join(words)}", soft_wrap=True)
        self._console.print("")
