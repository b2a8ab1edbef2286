"""A desk for web tests: parts in memory, a tenant to ask, a durable client that remembers, and requests to send."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import azure.functions as func

from tenantclosure import names, wiring
from tenantclosure.errors import ServiceTrouble, TokenRefused
from tenantclosure.ledger import Ledger, iso
from tenantclosure.model.approval_policy import ApprovalPolicy
from tenantclosure.model.inventory import Item, Organization, TokenIdentity
from tenantclosure.model.people import Account
from tenantclosure.policy.canonical import digest
from tenantclosure.settings import Settings
from tenantclosure.wiring import Parts
from tests.fakes.access import FakeAccess
from tests.fakes.memory_records import MemoryRecords
from tests.fakes.seals import sealed
from tests.fakes.tenant import FakeOutside
from web.door import guarded
from web.routes import ROUTES

TARGET = "0b0a1c2d-0000-4000-8000-000000000001"
HOME = "0b0a1c2d-0000-4000-8000-0000000000ff"
ELSEWHERE = "0b0a1c2d-0000-4000-8000-0000000000ee"
ADDRESS = "https://closure.fabrikam.com"
FLOW = "0b0a1c2d-0000-4000-8000-0000000f1010"
"""The application of a Teams workflow that may call back."""
PEOPLE = {
    name: f"0b0a1c2d-0000-4000-8000-00000000a{number:03d}"
    for number, name in enumerate(("olga", "ann", "bob", "cyd", "eve"))
}


class StillClock:
    """Time that moves only when a test says so."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        # A little later at each look, as with a real clock: two decisions never share a key.
        self.moment += timedelta(milliseconds=1)
        return self.moment

    def days(self, days: float) -> float:
        return days * 86400

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class SmallTenant:
    """As much of `ports.Directory` as intake reads."""

    def __init__(self) -> None:
        self.keeper: Item | None = Item("k1", "Last Admin", {"userType": "Member", "synced": False, "enabled": True})
        self.administrators = frozenset({"k1"})
        self.token_tenant = TARGET

    async def identity(self) -> TokenIdentity:
        return TokenIdentity(self.token_tenant, "app", "sp", None)

    async def organization(self) -> Organization:
        domains = ("contoso.onmicrosoft.com", "contoso.com")
        return Organization(TARGET, "Contoso", "AAD", None, domains, domains[0])

    async def find_user(self, id_or_upn: str) -> Item | None:
        return self.keeper if id_or_upn == "last.admin@contoso.onmicrosoft.com" else None

    async def global_administrators(self) -> frozenset[str]:
        return self.administrators


class RememberingClient:
    """What we use of `DurableFunctionsClient`; `states` maps instances to runtime statuses."""

    def __init__(self) -> None:
        self.started: list[tuple[str, dict[str, Any], str]] = []
        self.raised: list[tuple[str, str]] = []
        self.states: dict[str, str] = {}
        self.updated = datetime(2026, 11, 1, tzinfo=UTC)
        self.purged: list[str] = []
        self.deaf = False

    async def schedule_new_orchestration(self, name: str, *, input: Any, instance_id: str) -> str:
        if self.deaf:
            raise ConnectionError("no hub")
        if instance_id in self.states:
            raise RuntimeError("ALREADY_EXISTS")
        self.started.append((name, input, instance_id))
        self.states[instance_id] = "PENDING"
        return instance_id

    async def raise_orchestration_event(self, instance: str, event: str, *, data: Any = None) -> None:
        if self.deaf:
            raise ConnectionError("no hub")
        self.raised.append((instance, event))

    async def get_orchestration_state(self, instance: str, *, fetch_payloads: bool = True) -> Any:
        if self.deaf:
            raise ConnectionError("no hub")
        status = self.states.get(instance)
        return status and SimpleNamespace(runtime_status=SimpleNamespace(name=status), last_updated_at=self.updated)

    async def purge_orchestration(self, instance: str, *, recursive: bool = True) -> None:
        if instance not in self.states:
            raise RuntimeError("NOT_FOUND")
        self.purged.append(instance)


class Phonebook:
    """`ports.People`: everybody of the rig has an account until a test changes it."""

    def __init__(self) -> None:
        self.accounts = {f"{name}@fabrikam.com": account(name) for name in PEOPLE}
        self.away = False

    async def find(self, upn: str) -> Account | None:
        if self.away:
            raise ServiceTrouble("the directory is away")
        return self.accounts.get(upn)


class Tickets:
    """`ports.Tokens`: a token is a word that a test has given claims, or a reason to refuse it."""

    def __init__(self) -> None:
        self.known: dict[str, Mapping[str, Any] | str] = {}
        self.away = False

    async def claims(self, token: str) -> Mapping[str, Any]:
        if self.away:
            raise ServiceTrouble("no signing keys")
        found = self.known.get(token, "signature")
        if isinstance(found, str):
            raise TokenRefused(found)
        return found

    def person(self, who: str, **claims: Any) -> dict[str, str]:
        """The header of `name:Role,Role`, as `principal` takes it; a claim that is None is left out."""
        name, _, roles = who.partition(":")
        told = {
            "tid": HOME,
            "oid": PEOPLE[name],
            "preferred_username": f"{name.title()}@fabrikam.com",
            "name": name.title(),
            "roles": [role for role in roles.split(",") if role],
            "scp": "user_impersonation",
            **claims,
        }
        return self._ticket(told)

    def application(self, app: str = FLOW, **claims: Any) -> dict[str, str]:
        """The header of an application's own token."""
        return self._ticket({"tid": HOME, "oid": PEOPLE["eve"], "appid": app, "idtyp": "app", **claims})

    def _ticket(self, claims: Mapping[str, Any]) -> dict[str, str]:
        token = f"token-{len(self.known)}"
        self.known[token] = {name: value for name, value in claims.items() if value is not None}
        return {"Authorization": f"Bearer {token}"}


@dataclass
class Desk:
    """Everything a test needs at hand."""

    parts: Parts
    client: RememberingClient
    tenant: SmallTenant
    clock: StillClock
    records: MemoryRecords
    ledger: Ledger
    outside: FakeOutside
    access: FakeAccess
    tickets: Tickets = field(default_factory=Tickets)
    people: Phonebook = field(default_factory=Phonebook)
    cookies: dict[str, str] = field(default_factory=dict)
    routes: dict[str, Any] = field(default_factory=lambda: {route.name: route for route in ROUTES})

    def equip(self, **parts: Any) -> None:
        """Give the handlers other parts."""
        self.parts = replace(self.parts, **parts)
        wiring.use(self.parts)

    def second_host(self) -> Desk:
        """Another host on the same records, with a task hub of its own; requests go to it from now on."""
        ledger = Ledger(self.parts.records, self.clock, "second")
        other = replace(self, parts=replace(self.parts, ledger=ledger), client=RememberingClient(), ledger=ledger)
        other.equip()
        return other

    def set(self, **settings: Any) -> None:
        """Run with other settings (by alias)."""
        known = self.parts.settings.model_dump(by_alias=True)
        self.equip(settings=Settings.model_validate({**known, **settings}))

    async def call(
        self,
        name: str,
        query: str = "",
        *,
        who: str | None = "olga:Operator",
        body: Any = None,
        raw: bytes | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **path: str,
    ) -> func.HttpResponse:
        """Send a request through the very function the host would call; a header that is "" is left out."""
        route = self.routes[name]
        sent = {"Content-Type": "application/json"} if route.method == "POST" else {}
        if who is not None:
            sent["X-MS-CLIENT-PRINCIPAL"] = principal(who)
        if form is not None:
            raw = urlencode(form).encode()
            sent |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": ADDRESS}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else b""
        req = func.HttpRequest(
            route.method,
            f"{ADDRESS}/{route.path.format_map({**path})}{query}",
            headers={name: value for name, value in {**sent, **(headers or {})}.items() if value},
            params=dict(parse_qsl(urlsplit(query).query)),
            route_params=path,
            body=data,
        )
        handle = guarded(route)
        answer: func.HttpResponse = await (handle(req, self.client) if route.wakes else handle(req))
        for cookie in answer.headers.get_all("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    async def filed(self, **changes: Any) -> str:
        """File the smallest request and return the closure's id."""
        answer = await self.call("file_closure", body=request(**changes))
        assert answer.status_code == 202, answer.get_body()
        closure: str = read(answer)["closureId"]
        return closure

    async def planned(self, closure: str, **counts: int) -> str:
        """Freeze a plan of so many items per family; returns its digest."""
        manifest = {
            "schema": 1,
            "closureId": closure,
            "tenantId": TARGET,
            "domain": "contoso.onmicrosoft.com",
            "serial": 1,
            "keeper": {"id": "k1", "upn": "last.admin@contoso.onmicrosoft.com"},
            "ownServicePrincipal": None,
            "families": {
                family.replace("_", "-"): {"count": count, "shards": [{"count": count, "sha256": "0" * 64}]}
                for family, count in (counts or {"users": 3}).items()
            },
            "kept": [{"id": "k1", "name": "Last Admin", "family": "users", "reason": "keeper"}],
        }
        found = digest(manifest)
        await self.records.write_blob(names.manifest_path(closure, 1), json.dumps(manifest).encode())
        await self.ledger.change(closure, lambda row: row.update(digest=found))
        return found

    async def at_gate(self, gate: str = "plan", **changes: Any) -> tuple[str, str]:
        """A closure whose gate is open: its id and the plan's digest. Changes go into the gate's terms."""
        closure = await self.filed()
        found = await self.planned(closure)
        await self.open(closure, gate, found, **changes)
        return closure, found

    async def open(self, closure: str, gate: str, digest: str, serial: int = 1, **changes: Any) -> dict[str, Any]:
        """Open a gate and show it on the row, as the activity does."""
        terms = {
            "gate": gate,
            "serial": serial,
            "digest": digest,
            "answerByDays": 7,
            "executeByDays": 3,
            "groups": groups(),
            "distinct": 2,
            "excluded": [f"{HOME}/{PEOPLE['olga']}"],
            "absent": [],
            "limits": [],
            **changes,
        }
        doc = await self.ledger.open_gate(closure, terms)
        told = {
            "name": gate,
            "instance": f"{closure}-e1:0001",
            **{key: doc[key] for key in ("serial", "digest", "answerBy", "executeBy")},
        }
        phase = "quiet-period" if gate == "go-on" else f"gate-{gate}"
        await self.ledger.change(closure, lambda row: row.update(gate=told, status="waiting-approval", phase=phase))
        return doc

    async def approved(self, gate: str = "plan", *people: str) -> tuple[str, str]:
        """A closure whose gate is approved by these people (ann and cyd) and in force: its id and the digest."""
        closure, digest = await self.at_gate(gate)
        for who in people or ("ann", "cyd"):
            said = {"decision": "approve", "digest": digest, "comment": "", "domain": "contoso.onmicrosoft.com"}
            await self.call("decide_at_gate", who=f"{who}:Approver", body=said, closureId=closure, gate=gate)
        await self.close(closure, gate, "approved")
        self.client.raised.clear()
        return closure, digest

    async def close(self, closure: str, gate: str, state: str) -> None:
        """Close a gate and take it off the row, as the activity does."""
        found = await self.ledger.tagged_gate(closure, gate, 1)
        assert found is not None
        await self.ledger.close_gate(closure, *found, state, [], self.clock.now() + timedelta(days=3))
        await self.ledger.change(closure, lambda row: row.update(gate=None, status="running", phase="delete-users"))

    async def link(self, closure: str, digest: str, name: str = "ann", gate: str = "plan", **changes: Any) -> str:
        """Make a link as the outbox does when it sends a mail; returns its token."""
        token = f"{name}-{gate}-{len(self.records.documents)}".ljust(43, "x")
        doc = {
            "closureId": closure,
            "gate": gate,
            "serial": 1,
            "digest": digest,
            "person": person(name),
            "noticeId": f"{gate}-001-ask-0-mail-{PEOPLE[name]}",
            "expiresAt": iso(self.clock.now() + timedelta(days=7)),
            **changes,
        }
        await self.ledger.add_link(hashlib.sha256(token.encode()).hexdigest(), doc)
        return token

    async def refusals(self, closure: str = "") -> list[tuple[str, str, str]]:
        """(why, who, gate) of each refused decision on a closure's chain, or on the day's."""
        chain = closure or f"doors-{self.clock.moment:%Y-%m-%d}"
        lines = [json.loads(line) for line in await self.ledger.audit_lines(chain)]
        return [
            (line["detail"]["why"], (line["actor"] or {"upn": ""})["upn"].partition("@")[0], line["detail"]["gate"])
            for line in lines
            if line["word"] == "decision:refused"
        ]

    async def with_task(self) -> tuple[str, str]:
        """A closure with one open manual task: both ids."""
        closure = await self.filed()
        task = {
            "taskId": "cancel-subscription-9",
            "kind": "cancel-subscription",
            "target": "9",
            "title": "Cancel Contoso E5",
            "steps": ["Open the admin centre.", "Choose <Cancel>."],
            "who": "Billing administrator",
            "link": "https://admin.microsoft.com",
            "warning": "",
            "instance": f"{closure}-e1:0002",
        }
        await self.ledger.open_task(closure, task)
        return closure, task["taskId"]


def desk() -> Desk:
    """A fresh desk. Its settings say that App Service authentication is on."""
    clock, records, tenant = StillClock(), MemoryRecords(), SmallTenant()
    settings = Settings.model_validate(
        {
            "CLOSURE_CLIENT_ID": "app",
            "CLOSURE_HOME_TENANT_ID": HOME,
            "CLOSURE_IDENTITY_CLIENT_ID": "identity",
            "CLOSURE_ALLOWED_TENANTS": TARGET,
            "CLOSURE_BASE_URL": ADDRESS,
            "CLOSURE_CALLBACK_APPS": FLOW,
            "WEBSITE_AUTH_ENABLED": True,
        }
    )
    under = sealed(records)
    ledger = Ledger(under, clock, "first")
    outside, access = FakeOutside(), FakeAccess()
    parts = Parts(
        settings,
        ApprovalPolicy(),
        clock,
        under,
        ledger,
        lambda _: tenant,
        _none,
        _none,
        lambda _: outside,
        access=access,
    )
    made = Desk(parts, RememberingClient(), tenant, clock, records, ledger, outside=outside, access=access)
    made.equip(people=made.people, tokens=made.tickets)
    return made


def account(name: str, **changes: Any) -> Account:
    """A person's account in the hosting tenant."""
    address = f"{name}@fabrikam.com"
    return replace(Account(HOME, PEOPLE[name], address, name.title(), address), **changes)


def person(name: str) -> dict[str, Any]:
    """A person as a gate holds one."""
    return account(name).to_dict()


def groups(**changes: Any) -> dict[str, Any]:
    """The gate's groups: ann or bob of it, and cyd the owner."""
    found = {"it": ("ann", "bob"), "owner": ("cyd",), **changes}
    return {
        group: {"quorum": 1, "people": [person(name) for name in people], "deputies": []}
        for group, people in found.items()
    }


def hidden(answer: func.HttpResponse) -> dict[str, str]:
    """The hidden fields of a page's form."""
    html = answer.get_body().decode()
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', html))


def principal(who: str, tenant: str = HOME, upn: str | None = None) -> str:
    """The header App Service sets for `name:Role,Role`."""
    name, _, roles = who.partition(":")
    claims = [
        {"typ": "http://schemas.microsoft.com/identity/claims/tenantid", "val": tenant},
        {"typ": "http://schemas.microsoft.com/identity/claims/objectidentifier", "val": PEOPLE[name]},
        {"typ": "preferred_username", "val": upn or f"{name.title()}@fabrikam.com"},
        {"typ": "name", "val": name.title()},
        *({"typ": "roles", "val": role} for role in roles.split(",") if role),
    ]
    document = {"auth_typ": "aad", "claims": claims, "name_typ": "name", "role_typ": "roles"}
    return base64.b64encode(json.dumps(document).encode()).decode()


def request(**changes: Any) -> dict[str, Any]:
    """The smallest request of architecture.md; a change to None removes the key."""
    document: dict[str, Any] = {
        "tenantId": TARGET,
        "domain": "contoso.onmicrosoft.com",
        "keeper": "last.admin@contoso.onmicrosoft.com",
        "reason": "merged into Fabrikam",
        "approvers": [
            {"group": "it", "quorum": 1, "people": ["ann@fabrikam.com", "bob@fabrikam.com"]},
            {"group": "owner", "quorum": 1, "people": ["cyd@fabrikam.com"]},
        ],
        "keep": [],
        "backupConfirmed": True,
        **changes,
    }
    return {key: value for key, value in document.items() if value is not None}


def read(answer: func.HttpResponse) -> Any:
    """The JSON of an answer."""
    return json.loads(answer.get_body())


def refused(answer: func.HttpResponse, status: int, kind: str, field: str | None = None) -> dict[str, Any]:
    """Assert a problem document of this kind that says what to do; return it."""
    problem: dict[str, Any] = read(answer)
    assert (status, f"urn:tenant-closure:problem:{kind}") == (answer.status_code, problem["type"]), problem
    assert "application/problem+json" == answer.mimetype
    assert status == problem["status"]
    assert problem["title"] and problem["detail"] and problem["remedy"]
    if field is not None:
        assert field == problem["field"]
    return problem


async def rows(ledger: Ledger) -> list[dict[str, Any]]:
    """Every closure on record."""
    found: AsyncIterator[dict[str, Any]] = ledger.closures()
    return [row async for row in found]


def _none(_: str) -> None:
    return None
