"""The people of a rehearsal at a gate: they approve by themselves, or are told how to."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from cli.client import Api, closure_path
from cli.demo.stage import APPROVERS, DEPUTIES, inboxes
from cli.errors import BadInput
from cli.server import Connection, principal

if TYPE_CHECKING:
    from rich.console import Console

LAST_GATE = "delete-tenant"


class People:
    """Looks at each document; acts once per open gate, serial and digest."""

    def __init__(self, url: str, closure: str, tenant: dict[str, Any], console: Console, *, approve_all: bool) -> None:
        self._url, self._closure, self._domain = url, closure, str(tenant["domain"])
        self._simulator = str(tenant["url"])
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
        last = gate["name"] == LAST_GATE
        rest = f", type the domain {self._domain}, approve" if last else ", approve"
        self._say(f"\nThe gate {gate['name']} is open: one person of each group has to approve.")
        self._say(f"Open a mail in the browser, follow its link, sign in on the local page as that person{rest}:")
        for whose, address in inboxes(self._simulator):
            self._say(f"  {whose:<26} {address}")
        self._say("Or type in another terminal:")
        for person in APPROVERS:
            words = ["closure", "approve", self._closure, "--gate", str(gate["name"])]
            words += ["--server", self._url, "--as", person, *(["--domain", self._domain] if last else [])]
            self._say(f"  {shlex.join(words)}")
        deputies = ", ".join(person for people in DEPUTIES.values() for person in people)
        self._say(f"After a minute without an answer they are reminded; after two, {deputies} is asked as well.")
        self._say(f"Ctrl-C ends everything. The closure's page: {self._url}/closures/{self._closure}\n")

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, markup=False, highlight=False)
