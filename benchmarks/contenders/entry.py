"""What every contender does alike: reads its arguments, signs in, lists, reports as it goes, and proves the end.

Arguments: `--target FILE` (the simulator's ready line), `--outcomes FILE`, `--setting KEY=VALUE`. One line of JSON goes
to the outcomes for each user when the tool knows: {"id", "reported": "deleted" | "failed" | "gone"}. The last line
printed is an object with the settings, when the first DELETE was sent, how many users a fresh listing still has, and
when that was. The exit code is 0 when the tool says that it is done, whatever is left.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import httpx
from azure.identity import CertificateCredential

type Setting = int | str

LARGEST_PAGE = 999
TIMEOUT = 60.0
PROOF_SECONDS = 60.0
PAUSE = 0.25
TRIES = 5


@dataclass(frozen=True)
class Target:
    """The tenant to be emptied, and how our app gets in."""

    url: str
    login: str
    tenant: str
    client: str
    certificate: str
    authorities: str
    keeper: str

    @classmethod
    def read(cls, file: Path) -> Target:
        """Read a ready line."""
        raw = json.loads(file.read_text(encoding="utf-8"))
        names = ("url", "loginUrl", "tenantId", "clientId", "clientCertificate", "caFile", "keeper")
        return cls(*(raw[name] for name in names))

    @property
    def scope(self) -> str:
        """What a token is asked for."""
        return f"{self.url}/.default"

    def token(self) -> str:
        """Sign in with the certificate, as a script would; good for an hour."""
        credential = CertificateCredential(
            self.tenant,
            self.client,
            self.certificate,
            authority=self.login,
            disable_instance_discovery=True,
            connection_verify=self.authorities,
        )
        with credential:
            return credential.get_token(self.scope).token

    def http(self) -> httpx.AsyncClient:
        """A client for Graph that is signed in."""
        return httpx.AsyncClient(
            base_url=f"{self.url}/v1.0", headers={"Authorization": f"Bearer {self.token()}"}, timeout=TIMEOUT
        )


@dataclass
class Entry:
    """One run of a contender."""

    target: Target
    settings: dict[str, Setting]
    outcomes: TextIO
    extra: dict[str, Any] = field(default_factory=dict)
    """What the last line tells besides the name and the settings."""
    first_delete_sent_at: float | None = None
    left: set[str] = field(default_factory=set)
    """Whom the tool says it failed to delete."""

    def number(self, name: str) -> int:
        """A setting that is a number."""
        return int(self.settings[name])

    def sending(self) -> None:
        """A DELETE is about to be sent."""
        if self.first_delete_sent_at is None:
            self.first_delete_sent_at = time.time()

    def report(self, user: str, reported: str) -> None:
        """Write what the tool says became of a user."""
        if reported == "failed":
            self.left.add(user)
        self.outcomes.write(json.dumps({"id": user, "reported": reported}) + "\n")
        self.outcomes.flush()

    def answered(self, user: str, status: int) -> None:
        """Write what a DELETE's status says became of a user."""
        self.report(user, {204: "deleted", 404: "gone"}.get(status, "failed"))

    async def everybody(self) -> list[str]:
        """List the ids of all users but the keeper."""
        async with self.target.http() as http:
            return [user["id"] async for user in users(http) if user["userPrincipalName"] != self.target.keeper]

    async def prove(self) -> None:
        """List afresh, and keep how many there still are and when that was.

        Listings lag, so it is made anew until it shows nobody but the keeper and whom the tool says it left.
        """
        async with self.target.http() as http:
            end = time.monotonic() + PROOF_SECONDS
            while True:
                listed = [user async for user in users(http)]
                now = time.time()
                surprises = [
                    u for u in listed if u["userPrincipalName"] != self.target.keeper and u["id"] not in self.left
                ]
                if not surprises or time.monotonic() > end:
                    self.extra |= {"listedAfter": len(listed), "provenAt": now}
                    return
                await asyncio.sleep(PAUSE)


async def users(http: httpx.AsyncClient) -> AsyncIterator[dict[str, str]]:
    """List users page by page; a page that is refused for now is asked for again."""
    url: str | None = f"/users?$select=id,userPrincipalName&$top={LARGEST_PAGE}"
    while url:
        for _ in range(TRIES):
            answer = await http.get(url)
            if (
                answer.status_code != httpx.codes.TOO_MANY_REQUESTS
                and answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR
            ):
                break
            await asyncio.sleep(float(answer.headers.get("Retry-After", 1)))
        page = answer.raise_for_status().json()
        for user in page["value"]:
            yield user
        url = page.get("@odata.nextLink")


def run(name: str, defaults: Mapping[str, Setting], work: Callable[[Entry], Awaitable[None]]) -> int:
    """Run a contender as its command was given; the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.contenders.{name}")
    parser.add_argument("--target", type=Path, required=True, help="file with the simulator's ready line")
    parser.add_argument("--outcomes", type=Path, required=True, help="file for one line of JSON for each user")
    known = ", ".join(f"{key}={value}" for key, value in defaults.items())
    parser.add_argument("--setting", action="append", default=[], metavar="KEY=VALUE", help=f"by default: {known}")
    options = parser.parse_args()
    settings = dict(defaults)
    for text in options.setting:
        key, _, value = text.partition("=")
        if key not in defaults:
            parser.error(f"there is no setting '{key}'; by default: {known}")
        try:
            settings[key] = type(defaults[key])(value)
        except ValueError:
            parser.error(f"'{key}' is a number, not '{value}'")
    with options.outcomes.open("w", encoding="utf-8") as outcomes:
        entry = Entry(Target.read(options.target), settings, outcomes)
        asyncio.run(_whole(entry, work))
    last = {"contender": name, "settings": settings, "firstDeleteSentAt": entry.first_delete_sent_at}
    print(json.dumps(last | entry.extra), flush=True)
    return 0


async def _whole(entry: Entry, work: Callable[[Entry], Awaitable[None]]) -> None:
    await work(entry)
    if "provenAt" not in entry.extra:
        await entry.prove()
