"""A simulated tenant on a socket, the real gateways and activities before it, and the people who click in the portals.

Only Records lie in memory. Every write that leaves for Azure Resource Manager or Partner Center is counted at the
transport, so a scenario can say which calls were made and that no other was.
"""

from __future__ import annotations

import asyncio
import re
import urllib.error
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx

import activities
from tenantclosure import wiring
from tenantclosure.gateways.http import connections
from tenantclosure.intake import admit
from tenantclosure.ledger import Ledger
from tenantclosure.policy.selling import Provider
from tests.activities.rig import ANN, BOB, CYD, OLGA, Rig, document
from tests.fakes.memory_records import MemoryRecords
from tests.fakes.people import FakePeople
from tests.fakes.seals import sealed
from tests.fakes.tenant import HOME
from tests.gateways.microsoft.simulated import Simulated, simulator

DAY = 0.02
"""Seconds of one of Microsoft's days."""
ROUNDS = 400
CLICKS = {
    "cancel-subscription": "cancel-subscription",
    "delete-subscription": "delete-subscription",
    "take-control": "take-control",
    "delete-free-product": "delete-free-product",
    "turn-off-recurring-billing": "turn-off-recurring-billing",
    "delete-azure-subscription": "delete-azure-subscription",
    "ask-partner": "ask-partner",
    "ask-support": "support",
}
"""What a person clicks for a task, by its kind."""
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


class World(Rig):
    """A closure of a simulated tenant. `sold` maps a subscription's id to its commerce id."""

    def __init__(self, simulated: Simulated, **environment: Any) -> None:
        self.simulated, self.changes = simulated, environment
        self.sold: dict[str, str] = {}
        self.writes_sent: list[tuple[str, str]] = []
        self.refused: dict[str, str] = {}
        super().__init__()

    def process(self, records: MemoryRecords | None = None) -> World:
        ready = self.simulated.ready
        values = {
            "CLOSURE_ALLOWED_TENANTS": ready["tenantId"],
            "CLOSURE_HOME_TENANT_ID": HOME,
            "CLOSURE_DAY_SECONDS": DAY,
            "CLOSURE_BILLING_ACCOUNTS": ",".join(ready["billingAccounts"]),
            "CLOSURE_STORAGE": "UseDevelopmentStorage=true",
        }
        settings = self.simulated.settings(**{**values, **self.changes})
        parts = wiring.build(settings)
        under = sealed(records if records is not None else self.records)
        self.parts = replace(
            parts, records=under, ledger=Ledger(under, parts.clock), people=FakePeople(OLGA, ANN, BOB, CYD)
        )
        wiring.use(self.parts)
        return self

    # -- what is sold -------------------------------------------------------------------------------------------------
    def sell(self, kind: str, **details: Any) -> str:
        """A subscription of this kind in the tenant; its id in Graph."""
        made = self.simulated.sim("subscriptions", {"kind": kind, **details})
        self.sold[made["subscriptionId"]] = made["commerceId"]
        return str(made["subscriptionId"])

    def azure(self, **details: Any) -> str:
        """An Azure subscription."""
        return str(self.simulated.sim("azure", details)["id"])

    # -- the way of a closure -----------------------------------------------------------------------------------------
    async def approved_plan(self, **changes: Any) -> World:
        """Filed, surveyed, planned and approved."""
        await self._count()
        ready = self.simulated.ready
        request = document(tenantId=ready["tenantId"], domain=ready["domain"], keeper=ready["keeper"], **changes)
        self.closure = (await admit(request, OLGA, self.parts))["closureId"]
        await self.surveyed()
        frozen = await activities.freeze_plan(await self.order())
        assert "digest" in frozen, frozen
        await self.approved()
        return self

    async def without_domain(self) -> None:
        """The custom domain is removed with its users, as the phases before the subscriptions do (MOSA's rule)."""
        directory = self.parts.directory(self.simulated.ready["tenantId"])
        for family in ("users", "domains"):
            items = [item async for page in directory.pages(family) for item in page]
            kept = {self.simulated.ready["keeper"], self.simulated.ready["domain"]}
            custom = [item.id for item in items if not kept & {item.facts.get("upn"), item.id}]
            assert all(answer.done for answer in await directory.delete_many(family, custom))

    async def order(self, **more: Any) -> dict[str, Any]:
        return {**await super().order(**more), "leastPoll": 0.01}

    async def round(self, goal: str, item: str) -> dict[str, Any]:
        """One round of one subscription."""
        order = await self.order(item=item, goal=goal, phase="readiness", waiter=self.closure)
        step = await activities.advance_subscription(order)
        assert "stop" not in step, step
        return step

    async def until(self, wanted: Callable[[dict[str, Any]], bool], item: str, goal: str = "deleted") -> dict[str, Any]:
        """Rounds with the waits they ask for, people clicking in between; ends when the step is as wanted."""
        for _ in range(ROUNDS):
            step = await self.round(goal, item)
            if wanted(step):
                return step
            await self.click()
            await asyncio.sleep(min(max(step["seconds"], 0.02), 0.2))
        raise AssertionError(f"{item} never got there: {step}, {await self.standing(item)}")

    async def ended(self, item: str) -> dict[str, Any]:
        """Cancelled, then deleted to the proof. Returns its standing."""
        await self.until(lambda step: step["done"] or step["parked"], item, "cancelled")
        await self.until(lambda step: step["done"], item)
        found = await self.standing(item)
        assert (found["stage"], found["outcome"]) == ("deprovisioned", "removed")
        return found

    async def standing(self, item: str) -> dict[str, Any]:
        found = await self.ledger.subscription(self.closure, item)
        assert found is not None
        return found

    async def planned_as(self) -> dict[str, str]:
        """Provider of each planned subscription, by id."""
        order = await self.order(providers=[], phase="readiness")
        found = {}
        for provider in Provider:
            listed = await activities.list_subscriptions({**order, "providers": [provider]})
            found |= dict.fromkeys(listed["items"], str(provider))
        return found

    async def kinds(self) -> dict[str, str]:
        """State of each task that was ever opened, by kind."""
        return {task["kind"]: task["state"] for task in await self.ledger.tasks(self.closure)}

    # -- people -------------------------------------------------------------------------------------------------------
    async def click(self) -> None:
        """Do every open task that nobody has reported yet in the portal, and report it done; a refusal is kept."""
        for task in await self.ledger.tasks(self.closure):
            if task["state"] != "open" or task["reports"] or task["kind"] not in CLICKS:
                continue
            try:
                self.simulated.sim(f"portal/{CLICKS[task['kind']]}", {"subscriptionId": task["target"]})
            except urllib.error.HTTPError as no:
                self.refused[task["kind"]] = no.read().decode()
                continue
            await self.report(task)

    async def report(self, task: dict[str, Any]) -> None:
        """Say that a task is done."""
        await self.ledger.report_task(self.closure, task["taskId"], OLGA, "done")

    # -- counting -----------------------------------------------------------------------------------------------------
    async def _count(self) -> None:
        client = connections(self.parts.settings).client()

        async def seen(request: httpx.Request) -> None:
            path = request.url.path
            seller = path.startswith(("/providers/", "/subscriptions/", "/v1/customers/"))
            if seller and request.method != "GET":
                self.writes_sent.append((request.method, path))

        client.event_hooks = {**client.event_hooks, "request": [*client.event_hooks["request"], seen]}

    def calls(self) -> list[str]:
        """Every write to a seller, as `METHOD what`, in order; the simulator saw none of another tenant's."""
        score = self.simulated.sim("score")
        assert score.get("foreignTouched", 0) == 0
        return [f"{method} {GUID.findall(path)[-1]}" for method, path in self.writes_sent]


@asynccontextmanager
async def world(**environment: Any) -> AsyncIterator[World]:
    """A tenant with nobody but the keeper and a few users, and nothing bought."""
    with simulator(
        "--profile", "bare", "--users", "3", "--quota", "off", "--lag-ms", "0", "--day-seconds", str(DAY)
    ) as one:
        built = World(one, **environment)
        try:
            yield built
        finally:
            wiring.use(None)
            await connections(built.parts.settings).close()
