"""The end of a rollback: the calls that are no shard's, then the proof by a fresh look, item by item."""

from __future__ import annotations

import hashlib
from collections import Counter

from activities import fenced
from activities.base import Order, activity
from activities.freeze import still_frozen
from activities.guard import Clearance, cleared, read_shard
from activities.journal import last_outcomes
from activities.rollback import look_up, read_impossible
from tenantclosure import names
from tenantclosure.errors import AccessRefused, RailBroken, ServiceTrouble
from tenantclosure.model.inventory import Answer, Item
from tenantclosure.names import Family, Gate, Outcome, Rail, Word
from tenantclosure.policy import rollback
from tenantclosure.policy.canonical import canonical
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts

LOOKS, BETWEEN = 4, 2.0
"""Looks at one thing until it shows what was answered, and seconds between them: lists lag behind writes."""
LATE = "It was accepted, but a fresh look does not show it yet."


@activity
async def finish_rollback(parts: Parts, order: Order) -> Order:
    """{restored, impossible}: sellers and sign-up policy put back, then everything looked at afresh and written down.

    Every call is preceded by a look, so a crash in between repeats nothing.
    """
    clearance = await cleared(parts, order, Gate.ROLLBACK)
    closure, serial, number = order["closureId"], order["serial"], clearance.manifest["rollback"]["number"]
    done = await parts.ledger.mark(closure, f"rollback-{number}", serial)
    if done is None:
        entries: list[JSON] = []
        for family in rollback.RESTORED:
            entries += await _restored(parts, order, clearance, family)
        entries += await _let_in(parts, order, clearance)
        for other in clearance.manifest["others"]:
            entries.append({**other, **await _put_back(parts, order, clearance, other)})
        done = await _write_down(parts, order, clearance, entries)
    return {"restored": done["restored"], "impossible": done["impossible"]}


async def _write_down(parts: Parts, order: Order, clearance: Clearance, entries: list[JSON]) -> JSON:
    closure, serial = order["closureId"], order["serial"]
    number = clearance.manifest["rollback"]["number"]
    lost = await read_impossible(parts, closure, clearance.manifest)
    document = {
        "serial": serial,
        "number": number,
        "restored": [entry for entry in entries if entry["outcome"] == Outcome.RESTORED],
        "left": [entry for entry in entries if entry["outcome"] != Outcome.RESTORED],
        "impossible": lost,
    }
    data = canonical(document)
    await parts.records.write_blob(rollback.path(closure, serial, "outcomes"), data)
    found = {name: len(document[name]) for name in ("restored", "left", "impossible")}
    told = {**found, "families": dict(Counter(entry["family"] for entry in document["restored"]))}
    told["sha256"] = hashlib.sha256(data).hexdigest()
    await parts.ledger.audit(closure, Word.ROLLBACK_ENDED, None, {"serial": serial, "number": number, **told})
    return await parts.ledger.set_mark(closure, f"rollback-{number}", serial, told)


# -- what the shards did ----------------------------------------------------------------------------------------------
async def _restored(parts: Parts, order: Order, clearance: Clearance, family: str) -> list[JSON]:
    """Every item of one family: restored if a fresh listing (or, where that lags, a point read) shows it."""
    planned, said = await _worked(parts, order, clearance, family, "restore")
    if not planned:
        return []
    there: set[str] = set()
    async for page in clearance.directory.pages(family):
        there.update(item.id for item in page)
    for look in range(LOOKS):
        missing = [id_ for id_ in planned if id_ not in there and _promised(said, id_)]
        if not missing:
            break
        if look:
            await parts.clock.sleep(BETWEEN)
        states = await look_up(clearance.directory, family, missing)
        there.update(id_ for id_ in missing if states[id_] == "present")
    return [_entry(family, item, id_ in there, said.get(id_)) for id_, item in planned.items()]


async def _let_in(parts: Parts, order: Order, clearance: Clearance) -> list[JSON]:
    planned, said = await _worked(parts, order, clearance, rollback.USERS_ENABLED, "enable")
    if not planned:
        return []
    enabled: set[str] = set()
    for look in range(LOOKS):
        if look:
            await parts.clock.sleep(BETWEEN)
        async for page in clearance.directory.pages(Family.USERS):
            enabled.update(item.id for item in page if item.id in planned and item.facts.get("enabled", True))
        if all(id_ in enabled or not _promised(said, id_) for id_ in planned):
            break
    return [_entry(rollback.USERS_ENABLED, item, id_ in enabled, said.get(id_)) for id_, item in planned.items()]


async def _worked(
    parts: Parts, order: Order, clearance: Clearance, family: str, operation: str
) -> tuple[dict[str, Item], dict[str, JSON]]:
    """A part of the plan: its items by id, and the last outcome line of each in the evidence."""
    planned: dict[str, Item] = {}
    said: dict[str, JSON] = {}
    for shard in range(len(clearance.manifest["families"][family]["shards"])):
        planned.update({item.id: item for item in await read_shard(parts, clearance, family, shard)})
        path = names.evidence_path(order["closureId"], order["serial"], family, operation, shard)
        said.update(await last_outcomes(parts.records, path))
    return planned, said


def _promised(said: dict[str, JSON], id_: str) -> bool:
    return id_ in said and said[id_]["outcome"] == Outcome.RESTORED


def _entry(family: str, item: Item, there: bool, said: JSON | None) -> JSON:
    known = {"family": str(family), "id": item.id, "name": item.name}
    if there:
        return {**known, "outcome": str(Outcome.RESTORED), "why": ""}
    if said is None or said["outcome"] == Outcome.RESTORED:
        return {**known, "outcome": str(Outcome.FAILED), "why": LATE if said else "It was never sent."}
    return {**known, "outcome": said["outcome"], "why": f"{said['code']} {said['reason']}".strip()}


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
