"""The end of a rollback: the calls that are no shard's, then the proof by a fresh look, item by item."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import batched

from activities import fenced
from activities.base import Order, activity
from activities.freeze import still_frozen
from activities.guard import Clearance, cleared, read_shard
from activities.journal import last_outcomes
from activities.rollback import check_impossible
from activities.undoable import BLOCK, look_up
from tenantclosure import names
from tenantclosure.errors import AccessRefused, RailBroken, ServiceTrouble
from tenantclosure.model.inventory import Answer, Item
from tenantclosure.names import Family, Gate, Outcome, Rail, Word
from tenantclosure.policy import rollback
from tenantclosure.policy.canonical import canonical
from tenantclosure.ports import JSON
from tenantclosure.scratch import Ids
from tenantclosure.wiring import Parts

LOOKS, BETWEEN = 4, 2.0
"""Looks at one thing until it shows what was answered, and seconds between them: lists lag behind writes."""
LATE = "It was accepted, but a fresh look does not show it yet."
PROOF = "proof"
"""`what` of an outcome that only a fresh look says: the evidence says another, or none."""
_PROMISED = 1
"""Part of the items whose undoing was accepted: a look waits for them."""


@activity
async def finish_rollback(parts: Parts, order: Order) -> Order:
    """{restored, impossible}: sellers and sign-up policy put back, then everything looked at afresh and written down.

    Every call is preceded by a look, so a crash in between repeats nothing.
    """
    clearance = await cleared(parts, order, Gate.ROLLBACK)
    closure, serial, number = order["closureId"], order["serial"], clearance.manifest["rollback"]["number"]
    done = await parts.ledger.mark(closure, f"rollback-{number}", serial)
    if done is None:
        await check_impossible(parts, closure, clearance.manifest)
        ending = _Ending(parts, order, clearance)
        others = [
            {**other, **await _put_back(parts, order, clearance, other)} for other in clearance.manifest["others"]
        ]
        await parts.records.write_pieces(rollback.path(closure, serial, "outcomes"), ending.lines(others))
        told = ending.told()
        await parts.ledger.audit(closure, Word.ROLLBACK_ENDED, None, {"serial": serial, "number": number, **told})
        done = await parts.ledger.set_mark(closure, f"rollback-{number}", serial, told)
    return {"restored": done["restored"], "impossible": done["impossible"]}


# -- what the shards did ----------------------------------------------------------------------------------------------
class _Ending:
    """What a rollback came to, on its way into its list: counted and hashed as it goes by."""

    def __init__(self, parts: Parts, order: Order, clearance: Clearance) -> None:
        self.parts, self.order, self.clearance = parts, order, clearance
        self.restored, self.left, self.whole = Counter[str](), 0, hashlib.sha256()

    def told(self) -> JSON:
        """Its counts, and the list's hash."""
        return {
            "restored": self.restored.total(),
            "left": self.left,
            "impossible": self.clearance.manifest["impossible"]["count"],
            "families": dict(self.restored),
            "sha256": self.whole.hexdigest(),
        }

    async def lines(self, others: list[JSON]) -> AsyncIterator[bytes]:
        """Every item of the plan as a line {family, id, name, outcome, why, what?}, shard by shard; then the others.

        `what` says which call or look tells the outcome, where no evidence does.
        """
        for family in map(str, rollback.RESTORED):
            async for data in self._proven(family, "restore"):
                yield data
        async for data in self._proven(rollback.USERS_ENABLED, "enable"):
            yield data
        yield self._count(others)

    def _count(self, entries: Iterable[JSON]) -> bytes:
        lines = []
        for entry in entries:
            if entry["outcome"] == Outcome.RESTORED:
                self.restored[entry["family"]] += 1
            else:
                self.left += 1
            lines.append(canonical(entry) + b"\n")
        data = b"".join(lines)
        self.whole.update(data)
        return data

    async def _proven(self, family: str, operation: str) -> AsyncIterator[bytes]:
        """One part of the plan: an item is restored if a fresh look shows it. Each shard is read twice, for all of them
        have to be known before the look.
        """
        shards = range(len(self.clearance.manifest["families"][family]["shards"]))
        if not shards:
            return
        with Ids() as ids:
            for shard in shards:
                items, said = await self._shard(family, operation, shard)
                promised = {id_ for id_, line in said.items() if line["outcome"] == Outcome.RESTORED}
                ids.add((item.id for item in items if item.id in promised), _PROMISED)
                ids.add(item.id for item in items)
            await (self._look_for(family, ids) if operation == "restore" else self._look_who_is_in(ids))
            for shard in shards:
                items, said = await self._shard(family, operation, shard)
                there = ids.notes(item.id for item in items)
                yield self._count(_entry(family, item, item.id in there, said.get(item.id)) for item in items)

    async def _shard(self, family: str, operation: str, shard: int) -> tuple[list[Item], dict[str, JSON]]:
        """A shard's items, and the last outcome line of each in the evidence."""
        path = names.evidence_path(self.order["closureId"], self.order["serial"], family, operation, shard)
        items = await read_shard(self.parts, self.clearance, family, shard)
        return items, await last_outcomes(self.parts.records, path)

    async def _look_for(self, family: str, ids: Ids) -> None:
        """Mark what a fresh listing or, where that lags, a point read shows."""
        directory = self.clearance.directory
        async for page in directory.pages(family):
            ids.mark(item.id for item in page)
        for look in range(LOOKS):
            if not any(_late(ids)):
                break
            if look:
                await self.parts.clock.sleep(BETWEEN)
            for late in _late(ids):
                states = await look_up(directory, family, late)
                ids.mark(id_ for id_ in late if states[id_] == "present")

    async def _look_who_is_in(self, ids: Ids) -> None:
        """Mark users whom a fresh listing shows as enabled."""
        for look in range(LOOKS):
            if look:
                await self.parts.clock.sleep(BETWEEN)
            async for page in self.clearance.directory.pages(Family.USERS):
                ids.mark(item.id for item in page if item.facts.get("enabled", True))
            if not any(_late(ids)):
                break


def _late(ids: Ids) -> Iterator[list[str]]:
    """What was promised and is not seen yet, block by block."""
    for block in batched(ids.each(marked=False), BLOCK, strict=False):
        if late := [id_ for id_, part in ids.parts(block).items() if part == _PROMISED]:
            yield late


def _entry(family: str, item: Item, there: bool, said: JSON | None) -> JSON:
    known = {"family": family, "id": item.id, "name": item.name}
    outcome = said["outcome"] if said else None
    if there:
        proven = {} if outcome == Outcome.RESTORED else {"what": PROOF}
        return {**known, **proven, "outcome": str(Outcome.RESTORED), "why": ""}
    if said is None or outcome == Outcome.RESTORED:
        why = LATE if said else "It was never sent."
        return {**known, "what": PROOF, "outcome": str(Outcome.FAILED), "why": why}
    return {**known, "outcome": outcome, "why": f"{said['code']} {said['reason']}".strip()}


# -- what no shard does -----------------------------------------------------------------------------------------------
async def _put_back(parts: Parts, order: Order, clearance: Clearance, other: JSON) -> JSON:
    """{outcome, why} of one entry of `others`: looked at, called once if it still is undone, looked at again."""
    try:
        if await _is_back(parts, clearance, other):
            return {"outcome": str(Outcome.RESTORED), "why": ""}
        answer = await _call(parts, clearance, other)
        if answer.transient:
            raise ServiceTrouble(f"{other['what']} of {other['id']} was answered {answer.status} {answer.code}.")
        detail = {"status": answer.status, "code": answer.code, "requestId": answer.request_id}
        told = {"write": other["what"], "id": other["id"], **detail}
        await parts.ledger.audit(order["closureId"], Word.WRITE_MADE, None, told)
        if not answer.done:
            why = f"{answer.status} {answer.code} {answer.message}"[:300]
            return {"outcome": str(Outcome.REFUSED), "why": why}
        for _ in range(LOOKS):
            if await _is_back(parts, clearance, other):
                return {"outcome": str(Outcome.RESTORED), "why": ""}
            await parts.clock.sleep(BETWEEN)
    except AccessRefused as refused:
        return {"outcome": str(Outcome.REFUSED), "why": str(refused)[:300]}
    except RailBroken as broken:
        if broken.rail != Rail.BILLING_ACCOUNT:
            raise
        return {"outcome": str(Outcome.REFUSED), "why": broken.detail[:300]}
    return {"outcome": str(Outcome.FAILED), "why": LATE}


async def _is_back(parts: Parts, clearance: Clearance, other: JSON) -> bool:
    tenant = clearance.row["tenantId"]
    if other["what"] == "undo-freeze":
        return not await still_frozen(parts, clearance.row["closureId"], clearance.directory)
    if other["what"] == "enable-azure":
        return await fenced.billing(parts, tenant, clearance.fence).azure_state(other["target"]) in (
            "Enabled",
            "Warned",
            "PastDue",
        )
    if other["provider"] == "mca":
        billed = await fenced.billing(parts, tenant, clearance.fence).billing_subscription(other["target"])
        return billed is not None and billed.facts.get("autoRenew") == "On"
    center = fenced.partner(parts, tenant, clearance.fence)
    sold = await center.subscription(other["target"]) if center is not None else None
    return sold is not None and bool(sold.facts.get("autoRenewEnabled"))


async def _call(parts: Parts, clearance: Clearance, other: JSON) -> Answer:
    tenant = clearance.row["tenantId"]
    if other["what"] == "undo-freeze":
        wanted = await still_frozen(parts, clearance.row["closureId"], clearance.directory)
        return await clearance.directory.set_sign_up_policy(wanted)
    if other["what"] == "enable-azure":
        return await fenced.billing(parts, tenant, clearance.fence).enable_azure(other["target"])
    if other["provider"] == "mca":
        return await fenced.billing(parts, tenant, clearance.fence).start_renewal(other["target"])
    center = fenced.partner(parts, tenant, clearance.fence)
    if center is None:
        raise AccessRefused("Partner Center is not configured any more.")
    return await center.start_renewal(other["target"])
