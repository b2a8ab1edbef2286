"""A post office for outbox tests: parts in memory, a mailer and a channel that keep what they get, a gate to ask at."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tenantclosure import names, outbox
from tenantclosure.errors import ServiceTrouble
from tenantclosure.ledger import Ledger
from tenantclosure.model.approval_policy import ApprovalPolicy
from tenantclosure.model.mail import Mail
from tenantclosure.model.people import Account, Person
from tenantclosure.names import Notice
from tenantclosure.ports import JSON
from tenantclosure.settings import Settings
from tenantclosure.wiring import Parts
from tests.fakes.access import FakeAccess
from tests.fakes.clock import FakeClock
from tests.fakes.memory_records import MemoryRecords
from tests.fakes.seals import sealed

TARGET = "0b0a1c2d-0000-4000-8000-000000000001"
HOME = "0b0a1c2d-0000-4000-8000-0000000000ff"
ADDRESS = "http://127.0.0.1:7071"
WEBHOOK = "http://127.0.0.1:9/_teams/workflows/1?sig=webhook-secret"
DIGEST = "d" * 64


def person(name: str, **changes: Any) -> JSON:
    """Somebody of the hosting tenant, as a gate names them."""
    whole = {"tenantId": HOME, "objectId": f"oid-{name}", "upn": f"{name}@fabrikam.com", "name": name.title()}
    return {**whole, "mail": f"{name}@mail.example", **changes}


class KeepingMailer:
    """Keeps every mail it is handed; `trouble` maps an address to the error its next mails meet."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []
        self.trouble: dict[str, Exception] = {}

    async def send(self, mail: Mail) -> None:
        await asyncio.sleep(0)
        if mail.to in self.trouble:
            raise self.trouble[mail.to]
        self.sent.append(mail)

    def to(self, address: str) -> list[Mail]:
        return [mail for mail in self.sent if mail.to == address]


class KeepingChannel:
    """Keeps every card it is handed."""

    def __init__(self) -> None:
        self.cards: list[JSON] = []
        self.trouble: Exception | None = None

    async def post(self, card: JSON) -> None:
        if self.trouble:
            raise self.trouble
        self.cards.append(card)


class KnownPeople:
    """The hosting tenant's directory with Olga in it."""

    async def find(self, upn: str) -> Account | None:
        known = Account(HOME, "oid-olga", "olga@fabrikam.com", "Olga", "olga@mail.example")
        return known if upn == known.upn else None


@dataclass
class Post:
    """Everything a test needs at hand."""

    clock: FakeClock = field(default_factory=FakeClock)
    records: MemoryRecords = field(default_factory=MemoryRecords)
    mailer: KeepingMailer = field(default_factory=KeepingMailer)
    channel: KeepingChannel = field(default_factory=KeepingChannel)
    environment: dict[str, Any] = field(default_factory=dict)
    closure: str = ""
    parts: Parts = field(init=False)
    taken: int = 0
    """Queue messages that were handed to `deliver`."""

    def __post_init__(self) -> None:
        self.process()

    def process(self, records: MemoryRecords | None = None, **without: None) -> Post:
        """A new process over the same world, over other records if given; `mailer=None` leaves a port out."""
        under = sealed(records if records is not None else self.records)
        urls = {f"CLOSURE_{name}_URL": "http://127.0.0.1:1" for name in ("GRAPH", "LOGIN", "ARM", "PARTNER")}
        settings = Settings.model_validate(
            {
                "CLOSURE_CLOUD": "custom",
                "CLOSURE_CREDENTIAL": "static",
                "CLOSURE_STATIC_TOKEN": "static-secret",
                "CLOSURE_HOME_TENANT_ID": HOME,
                "CLOSURE_BASE_URL": ADDRESS,
                "CLOSURE_TEAMS_WEBHOOK": WEBHOOK,
                **urls,
                **self.environment,
            }
        )
        nothing: Any = lambda _: None  # noqa: E731
        ports: dict[str, Any] = {"people": KnownPeople(), "mailer": self.mailer, "channel": self.channel, **without}
        self.parts = Parts(
            settings,
            ApprovalPolicy(),
            self.clock,
            under,
            Ledger(under, self.clock),
            nothing,
            nothing,
            nothing,
            nothing,
            access=FakeAccess(),
            **ports,
        )
        return self

    @property
    def ledger(self) -> Ledger:
        return self.parts.ledger

    # -- a closure and its gate ---------------------------------------------------------------------------------------
    async def filed(self, **changes: Any) -> Post:
        """A closure on record whose plan is frozen; `changes` go on the row."""
        request = {"tenantId": TARGET, "domain": "contoso.onmicrosoft.com", "keeper": "k@x", "reason": "merged"}
        olga = {"tenantId": HOME, "objectId": "oid-olga", "upn": "olga@fabrikam.com", "name": "Olga", "key": "k"}
        row = await self.ledger.open_closure(request, olga, claimed=False, terms={}, day_seconds=86400.0)
        self.closure = row["closureId"]
        plan = {"digest": DIGEST, "displayName": "Contoso", "planned": {"users": 12345, "subscriptions": 2}}
        await self.ledger.change(self.closure, lambda row: row.update({**plan, **changes}))
        return self

    async def gate(self, gate: str = "plan", **changes: Any) -> JSON:
        """An open gate: Ann or Bob of it (deputy Dee), and Cyd of owner (deputies Dee and Eve)."""
        groups = {
            "it": {"quorum": 1, "people": [person("ann"), person("bob")], "deputies": [person("dee")]},
            "owner": {"quorum": 1, "people": [person("cyd")], "deputies": [person("dee"), person("eve")]},
        }
        terms = {"gate": gate, "serial": 1, "digest": DIGEST, "answerByDays": 7, "executeByDays": 3, "groups": groups}
        more: JSON = {"distinct": 2, "excluded": [], "absent": [], "limits": []}
        return await self.ledger.open_gate(self.closure, {**terms, **more, **changes})

    async def asked(self, gate: str = "plan", kind: str = Notice.ASK, **changes: Any) -> JSON:
        """The gate opened and its people asked."""
        doc = await self.gate(gate, **changes)
        await outbox.ask(self.parts, await self.row(), doc, kind, people_of(doc))
        return doc

    async def decide(self, name: str, word: str = "approve", **more: Any) -> None:
        said = {"gate": "plan", "serial": 1, "digest": DIGEST, "decision": word, "comment": "", "via": "page", **more}
        await self.ledger.decide(self.closure, said, Person(HOME, f"oid-{name}", f"{name}@fabrikam.com", name.title()))

    async def closed(self, state: str = "approved") -> JSON:
        """The gate plan closed like this."""
        found = await self.ledger.tagged_gate(self.closure, "plan", 1)
        assert found is not None
        return await self.ledger.close_gate(self.closure, *found, state, [], None)

    # -- the queue ----------------------------------------------------------------------------------------------------
    def waiting(self) -> list[JSON]:
        """Messages nobody has taken yet."""
        return [message["body"] for message in self.records.queues.get(names.NOTICE_QUEUE, [])][self.taken :]

    async def run(self, attempt: int = 1) -> None:
        """Deliver what waits until nothing does; trouble that a delivery raises counts as one attempt."""
        while self.waiting():
            message = self.waiting()[0]
            self.taken += 1
            for number in range(attempt, 6):
                try:
                    await outbox.deliver(self.parts, message, number)
                except ServiceTrouble:
                    continue
                break

    # -- looking ------------------------------------------------------------------------------------------------------
    async def row(self) -> JSON:
        return await self.ledger.closure(self.closure)

    async def states(self) -> Counter[str]:
        """How many notices stand how."""
        return Counter(notice["state"] for notice in await self.ledger.notices(self.closure))

    async def told(self, word: str) -> list[JSON]:
        """Details of all audit lines of one word."""
        lines = map(json.loads, await self.ledger.audit_lines(self.closure))
        return [line["detail"] for line in lines if line["word"] == word]

    def poison(self) -> list[JSON]:
        return [message["body"] for message in self.records.queues.get(names.NOTICE_POISON_QUEUE, [])]

    def everything(self) -> str:
        """All that is stored anywhere, as one text."""
        documents = [f"{place} {key} {text}" for (place, key), (text, _) in self.records.documents.items()]
        blobs = [data.decode() for data in self.records.blobs.values()]
        return "\n".join([*documents, *blobs, json.dumps(self.records.queues)])


def people_of(gate: JSON) -> list[JSON]:
    """Everybody a gate names."""
    return [one for group in gate["groups"].values() for one in group["people"]]


def tokens(mail: Mail) -> list[str]:
    """Link tokens in a mail."""
    return [word.rpartition("/")[2] for word in mail.text.split() if "/approvals/" in word]
