"""A bench for activities: parts in memory over a fake tenant, and the way to each point of a closure."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import activities
from tenantclosure import names, wiring
from tenantclosure.intake import admit
from tenantclosure.ledger import Ledger
from tenantclosure.model.approval_policy import ApprovalPolicy
from tenantclosure.model.people import Person
from tenantclosure.names import Family
from tenantclosure.policy import audit_chain
from tenantclosure.policy.pacing import Bucket
from tenantclosure.settings import Settings
from tenantclosure.wiring import Parts
from tests.fakes.access import FakeAccess
from tests.fakes.clock import FakeClock
from tests.fakes.dying_records import Crash, DyingRecords
from tests.fakes.memory_records import MemoryRecords
from tests.fakes.people import FakeChannel, FakeMailer, FakePeople
from tests.fakes.seals import sealed
from tests.fakes.tenant import (
    HOME,
    KEEPER_UPN,
    TARGET,
    FakeBilling,
    FakeDirectory,
    FakeExternal,
    FakeOutside,
    FakePartner,
)

OLGA = Person(HOME, "olga", "olga@fabrikam.com", "Olga")
ANN = Person(HOME, "ann", "ann@fabrikam.com", "Ann")
BOB = Person(HOME, "bob", "bob@fabrikam.com", "Bob")
CYD = Person(HOME, "cyd", "cyd@fabrikam.com", "Cyd")
DEE = Person(HOME, "dee", "dee@fabrikam.com", "Dee")
EVE = Person(HOME, "eve", "eve@fabrikam.com", "Eve")


def document(**changes: Any) -> dict[str, Any]:
    """The smallest request; a change to None takes the key out."""
    base = {
        "tenantId": TARGET,
        "domain": "contoso.onmicrosoft.com",
        "keeper": KEEPER_UPN,
        "reason": "merged into Fabrikam",
        "approvers": [
            {"group": "it", "quorum": 1, "people": ["ann@fabrikam.com", "bob@fabrikam.com"]},
            {"group": "owner", "quorum": 1, "people": ["cyd@fabrikam.com"]},
        ],
        "backupConfirmed": True,
    }
    return {key: value for key, value in {**base, **changes}.items() if value is not None}


@dataclass
class Rig:
    """Everything a test needs at hand. `process()` starts a new process over the same records and tenant."""

    directory: FakeDirectory = field(default_factory=FakeDirectory)
    billing: FakeBilling = field(default_factory=FakeBilling)
    partner: FakePartner | None = field(default_factory=FakePartner)
    outside: FakeOutside = field(default_factory=FakeOutside)
    external: FakeExternal | None = field(default_factory=FakeExternal)
    clock: FakeClock = field(default_factory=FakeClock)
    records: MemoryRecords = field(default_factory=MemoryRecords)
    environment: dict[str, Any] = field(default_factory=dict)
    policy: ApprovalPolicy = field(default_factory=ApprovalPolicy)
    people: FakePeople | None = field(default_factory=lambda: FakePeople(OLGA, ANN, BOB, CYD, DEE, EVE))
    mailer: FakeMailer = field(default_factory=FakeMailer)
    channel: FakeChannel = field(default_factory=FakeChannel)
    closure: str = ""
    parts: Parts = field(init=False)

    def __post_init__(self) -> None:
        self.process()

    def process(self, records: MemoryRecords | None = None) -> Rig:
        """A new process, over other records if given."""
        under = sealed(records if records is not None else self.records)
        urls = {f"CLOSURE_{name}_URL": "http://127.0.0.1:1" for name in ("GRAPH", "LOGIN", "ARM", "PARTNER")}
        settings = Settings.model_validate(
            {
                "CLOSURE_CLOUD": "custom",
                "CLOSURE_CREDENTIAL": "static",
                "CLOSURE_STATIC_TOKEN": "token",
                "CLOSURE_HOME_TENANT_ID": HOME,
                "CLOSURE_ALLOWED_TENANTS": f"{TARGET},{HOME}",
                "CLOSURE_SHARD_SIZE": 20,
                **urls,
                **self.environment,
            }
        )
        self.parts = Parts(
            settings,
            self.policy,
            self.clock,
            under,
            Ledger(under, self.clock),
            lambda _: self.directory,
            lambda _: self.billing,
            lambda _: self.partner,
            lambda _: self.outside,
            self.people,
            self.mailer,
            self.channel,
            access=FakeAccess(),
            make_external=None if self.external is None else self._external,
        )
        wiring.use(self.parts)
        return self

    def _external(self, _: str) -> FakeExternal:
        assert self.external is not None
        return self.external

    @property
    def ledger(self) -> Ledger:
        return self.parts.ledger

    # -- the way of a closure -----------------------------------------------------------------------------------------
    async def opened(self, **changes: Any) -> Rig:
        """A closure admitted."""
        self.closure = (await admit(document(**changes), OLGA, self.parts))["closureId"]
        return self

    async def surveyed(self) -> Rig:
        """Every family read."""
        for family in Family:
            await activities.survey_family(await self.order(family=family))
        return self

    async def planned(self, **changes: Any) -> Rig:
        """A plan frozen."""
        await self.opened(**changes)
        await self.surveyed()
        answer = await activities.freeze_plan(await self.order())
        assert "digest" in answer, answer
        return self

    async def approved(self, gate: str = "plan") -> Rig:
        """A gate opened, decided by Ann and Cyd, and judged."""
        order = await self.order(gate=gate, phase=f"gate-{gate}")
        await activities.open_gate(order)
        for person in (ANN, CYD):
            await self.decide(gate, person)
        judged = await activities.judge_gate(order)
        assert judged["state"] == "approved", judged
        return self

    async def ready(self, **changes: Any) -> Rig:
        """A plan frozen and approved."""
        await self.planned(**changes)
        return await self.approved()

    async def decide(self, gate: str, person: Person, word: str = "approve") -> None:
        row = await self.row()
        said = {"gate": gate, "serial": row["planSerial"], "digest": row["digest"], "decision": word, "comment": ""}
        await self.ledger.decide(self.closure, {**said, "via": "api"}, person)

    async def gate(self, gate: str = "plan") -> dict[str, Any]:
        """A gate's document under the plan in force."""
        doc = await self.ledger.gate(self.closure, gate, (await self.row())["planSerial"])
        assert doc is not None
        return doc

    async def notices(self, kind: str, channel: str = "mail") -> list[str]:
        """Object ids (or addresses) of everybody a message of this kind was put on record for."""
        notices = await self.ledger.notices(self.closure)
        found = [one["to"] for one in notices if (one["kind"], one["channel"]) == (kind, channel)]
        return sorted(to["objectId"] or to["upn"] if to else "channel" for to in found)

    # -- looking ------------------------------------------------------------------------------------------------------
    async def row(self) -> dict[str, Any]:
        return await self.ledger.closure(self.closure)

    async def order(self, **more: Any) -> dict[str, Any]:
        """The run as an orchestrator passes it on, JSON through and through."""
        row = await self.row()
        run = {
            "schema": 1,
            "closureId": self.closure,
            "epoch": row["epoch"],
            "serial": row["planSerial"],
            "tenantId": row["tenantId"],
            "domain": row["domain"],
            "daySeconds": row["daySeconds"],
            "leastPoll": 0.5,
            "lanes": 4,
            "rate": 20.0,
            "burst": 3000,
            "instance": row["instanceId"],
            "phase": "delete-users",
        }
        return json.loads(json.dumps({**run, **more}))

    async def shard_order(self, shard: int = 0, **more: Any) -> dict[str, Any]:
        """An order for `work_shard` on users, a lane of its own with the whole quota."""
        tokens = more.pop("tokens", 3000.0)
        bucket = Bucket(more.get("rate", 20.0), more.get("burst", 3000), tokens, self.clock.now()).to_dict()
        base = {"family": "users", "operation": "delete", "shard": shard, "final": False, "part": 1.0}
        return await self.order(**{**base, "bucket": bucket, **more})

    async def words(self) -> list[str]:
        """Words of the audit, in order; the chain has to be whole."""
        lines = await self.ledger.audit_lines(self.closure)
        assert audit_chain.verify(lines).ok
        return [json.loads(line)["word"] for line in lines]

    async def audited(self, word: str) -> list[dict[str, Any]]:
        """Details of all audit lines of one word."""
        lines = map(json.loads, await self.ledger.audit_lines(self.closure))
        return [line["detail"] for line in lines if line["word"] == word]

    async def manifest(self) -> dict[str, Any]:
        row = await self.row()
        return json.loads(await self.records.read_blob(names.manifest_path(self.closure, row["planSerial"])))

    def evidence(self, shard: int = 0, family: str = "users", operation: str = "delete") -> list[dict[str, Any]]:
        """Lines of a shard's journal."""
        data = self.records.blobs.get(names.evidence_path(self.closure, 1, family, operation, shard), b"")
        return [json.loads(line) for line in data.splitlines()]

    def outcomes(self, shard: int = 0, **where: str) -> dict[str, str]:
        """id -> outcome of a shard; every id has one at most."""
        lines = [line for line in self.evidence(shard, **where) if line["t"] == "outcome"]
        assert len({line["id"] for line in lines}) == len(lines), "an id has two outcomes"
        return {line["id"]: line["outcome"] for line in lines}


async def killed_at_each_write(
    make: Callable[[], Awaitable[Rig]], run: Callable[[Rig], Awaitable[None]], *, landed: bool, least: int
) -> AsyncIterator[Rig]:
    """A rig for every write of `run`, killed there (`landed`: after the write) and run again by a new process.

    The last one ran undisturbed. `least` is what the number of runs must exceed, or the test shows nothing.
    """
    number, died = 0, True
    while died:
        number += 1
        rig = await make()
        rig.process(DyingRecords(rig.records, number, landed=landed))
        try:
            await run(rig)
            died = False
        except Crash:
            rig.process()
            await run(rig)
        yield rig
    assert number > least
    wiring.use(None)
