"""What a rollback does not find in the recycle bin: what the sellers can still undo, and what is left to people."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from activities import fenced
from activities.fenced import READ_ONLY
from activities.history import History
from tenantclosure.errors import AccessRefused
from tenantclosure.ledger import iso
from tenantclosure.model.inventory import Item
from tenantclosure.names import Family, TaskKind, Word
from tenantclosure.policy import rollback
from tenantclosure.policy.rollback import Look, impossible
from tenantclosure.ports import JSON, Directory
from tenantclosure.wiring import Parts

LOCKED_DAYS = 3.0
"""Days for which directory sync can't be turned on again (tenant-facts C2)."""


async def of_sellers(parts: Parts, row: JSON, directory: Directory, history: History) -> tuple[list[JSON], list[JSON]]:
    """What is undone at the sellers, and which subscriptions are beyond it."""
    planned = history.subscriptions
    if not planned:
        return [], []
    standings = await parts.ledger.subscriptions(row["closureId"])
    by_hand = rollback.renewal_by_hand(await parts.ledger.tasks(row["closureId"]))
    graph = {
        item.id: str(item.facts.get("status")) async for page in directory.pages(Family.SUBSCRIPTIONS) for item in page
    }
    others: list[JSON] = []
    lost: list[JSON] = []
    for item in planned.values():
        standing = standings.get(item.id, {})
        seen = graph.get(item.id, "absent" if item.facts.get("graphId", item.id) else "")
        look = await _look(parts, row["tenantId"], item, standing, seen, item.id in by_hand)
        what, why = rollback.of_subscription(item, standing, look)
        if what:
            others.append(rollback.other(what, item))
        elif why:
            lost.append(impossible(Family.SUBSCRIPTIONS, item, why))
    return others, lost


async def _look(parts: Parts, tenant: str, item: Item, standing: JSON, graph: str, by_hand: bool) -> Look:
    """One subscription now; its seller is asked only where we turned its renewal off."""
    provider, stopped = item.facts.get("provider"), "stop-renewal" in (standing.get("calls") or {})
    try:
        if provider == "azure":
            return Look(azure=await fenced.billing(parts, tenant, READ_ONLY).azure_state(rollback.target(item)))
        if provider == "mca" and stopped and graph not in ("absent", "Deleted"):
            billed = await fenced.billing(parts, tenant, READ_ONLY).billing_subscription(rollback.target(item))
            return Look(graph, billing=billed.facts if billed else None, by_hand=by_hand)
        center = fenced.partner(parts, tenant, READ_ONLY)
        if provider == "csp" and stopped and center is not None:
            sold = await center.subscription(rollback.target(item))
            return Look(graph, partner=sold.facts if sold else None, by_hand=by_hand)
    except AccessRefused:
        return Look(graph, azure="unreadable" if provider == "azure" else None, by_hand=by_hand)
    return Look(graph, by_hand=by_hand)


async def of_people(parts: Parts, row: JSON, directory: Directory, history: History) -> list[JSON]:
    """What no call of ours brings back: domains, disabled enterprise applications, MFA, directory sync."""
    lost: list[JSON] = []
    if removed := history.of(Family.DOMAINS).removed:
        there = {item.id async for page in directory.pages(Family.DOMAINS) for item in page}
        lost += [impossible(Family.DOMAINS, one, rollback.DOMAIN) for one in removed.values() if one.id not in there]
    marks = await parts.ledger.marks(row["closureId"])
    disabled = {
        answer["id"]
        for (mark, _), doc in marks.items()
        if mark == "applications-refused"
        for answer in doc.get("answers", ())
        if 200 <= answer["status"] < 300
    }
    if disabled:
        async for page in directory.pages(Family.SERVICE_PRINCIPALS):
            lost += [
                impossible(Family.SERVICE_PRINCIPALS, one, rollback.DISABLED)
                for one in page
                if one.id in disabled and not one.facts.get("enabled", True)
            ]
    turned = sum(int(doc.get("turnedOff", 0)) for (mark, _), doc in marks.items() if mark == "mfa-state")
    if turned:
        lost.append(impossible(Family.USERS, Item("", f"per-user MFA of {turned} users"), rollback.MFA))
    return lost + await _sync(parts, row, directory)


async def _sync(parts: Parts, row: JSON, directory: Directory) -> list[JSON]:
    """Directory sync, if it was turned off by our call or at our asking and is off still."""
    turned: list[str] = []
    async for raw in parts.ledger.audit_stream(row["closureId"]):
        line = json.loads(raw)
        if line["word"] == Word.WRITE_MADE and line["detail"].get("write") == "sync-off":
            turned += [line["at"]] if 200 <= int(line["detail"].get("status", 0)) < 300 else []
    turned += [
        task["provenAt"]
        for task in await parts.ledger.tasks(row["closureId"])
        if task["kind"] == TaskKind.TURN_OFF_SYNC and task["state"] == "proven"
    ]
    if not turned or (await directory.organization()).sync_enabled:
        return []
    seconds = parts.clock.days(LOCKED_DAYS)
    free = iso(datetime.fromisoformat(max(turned)) + timedelta(seconds=seconds))
    return [impossible("", Item(row["tenantId"], "directory synchronisation"), rollback.SYNC.format(free))]
