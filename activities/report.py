"""The report: everything Records know of a closure, rendered as HTML, JSON and CSV and stored with it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from activities.base import Order, activity
from activities.integrity import check_evidence, sentence
from activities.journal import last_outcomes
from activities.mfa import MARK as MFA
from activities.rolled_back import beside_evidence, rollbacks
from activities.usage import account, keep_usage
from tenantclosure import names
from tenantclosure.errors import RailBroken, RecordMissing
from tenantclosure.model.inventory import Item
from tenantclosure.names import OUTCOMES, Family, Outcome, Word
from tenantclosure.policy import rollback, untrusted
from tenantclosure.rendering import outcomes_csv
from tenantclosure.rendering.report import report_html, report_json
from tenantclosure.wiring import Parts

PART = 2 * 1024 * 1024
"""Bytes of one part of the CSV, about 10,000 items: a part is sent whole, in several copies."""


@activity
async def write_report(parts: Parts, order: Order) -> Order:
    """Gather, render and store the report; the audit line comes first, so the report holds the chain's head with it.

    `spent` is what the run has used so far ({phase: usage}); the writing of the report is not in it.
    """
    ledger, closure = parts.ledger, order["closureId"]
    await keep_usage(parts, order)
    await ledger.audit(closure, Word.REPORT_WRITTEN, None, {"result": order["result"], "why": order.get("why", "")})
    spoiled: list[str] = []
    files = await _write_csv(parts, closure, _outcomes(parts, closure, spoiled))
    report = await gather(parts, closure, order["result"], order.get("why", ""), spoiled)
    await parts.records.write_blob(names.report_path(closure, "json"), report_json(report))
    await parts.records.write_blob(names.report_path(closure, "html"), report_html(report).encode())
    await ledger.set_mark(closure, names.REPORT, 0, {"parts": files})
    return {}


async def gather(parts: Parts, closure: str, result: str, why: str, spoiled: list[str]) -> dict[str, Any]:
    """The report's data (shape: rendering/report.py). Records that can't be trusted are left out and named."""
    ledger = parts.ledger
    row = await ledger.closure(closure)
    timeline: list[dict[str, Any]] = []
    verdict = await ledger.audit_verdict(closure, lambda line: timeline.append(_told(line)))
    marks = await ledger.marks(closure, spoiled)
    gone = next((doc for (mark, _), doc in sorted(marks.items()) if mark == "tenant-gone"), None)
    looks = {serial: doc for (mark, serial), doc in marks.items() if mark == names.CHECKS}
    standings = await ledger.subscriptions(closure, spoiled)
    decisions, tasks = await ledger.decisions(closure, spoiled), await ledger.tasks(closure, spoiled)
    plan = rollback.plan_before(row)
    planned: dict[str, int] = dict(plan["families"])
    counts, resent = await _counts(parts, closure, plan["serial"], planned, standings)
    if (fault := sentence(verdict)) is not None:
        spoiled.append(fault)
    blockers = [*row["blockers"], *untrusted.blockers(spoiled)]
    # A shard's journal counts its own; other writes say it in their audit line.
    resent += sum(bool(told["detail"].get("resent")) for told in timeline if told["word"] == Word.WRITE_MADE)
    return {
        "schema": names.SCHEMA,
        "closureId": closure,
        "tenantId": row["tenantId"],
        "domain": row["domain"],
        "displayName": row.get("displayName") or row["domain"],
        "result": str(result),
        "why": why,
        "requester": {key: row["requester"][key] for key in ("tenantId", "objectId", "upn", "name")},
        "reason": row["request"]["reason"],
        "createdAt": row["createdAt"],
        "endedAt": row["endedAt"] or parts.clock.now().isoformat(),
        "plan": {"serial": plan["serial"], "digest": plan["digest"], "families": planned},
        "counts": counts,
        "approvals": decisions,
        "tasks": tasks,
        "subscriptions": [
            {"id": item, "name": s["name"], "provider": s["provider"], "stage": s["stage"], "outcome": s["outcome"]}
            for item, s in standings.items()
            if "stage" in s
        ],
        "timeline": timeline,
        "blockers": blockers,
        "closing": _closing(looks[max(looks)]) if row["blockers"] and looks else None,
        "confirmed": _confirmed(marks),
        "tenantGone": {"provenAt": gone["at"], "sightings": gone["sightings"]} if gone else None,
        "audit": {"ok": verdict.ok, "lines": verdict.lines, "head": verdict.head},
        "resent": resent,
        "usage": account(marks),
        "access": await _access(parts, closure, plan["serial"], marks),
        "rollbacks": await rollbacks(parts, row),
    }


async def _access(
    parts: Parts, closure: str, serial: int, marks: dict[tuple[str, int], dict[str, Any]]
) -> dict[str, Any]:
    """How people signed in: per-user MFA as it was left, and what we recorded and did not switch."""
    mfa = next((doc for (mark, _), doc in sorted(marks.items(), reverse=True) if mark == MFA), None)
    policies = None
    try:
        path = names.listing_path(closure, serial, Family.ACCESS_POLICIES)
        listed = [Item.from_dict(json.loads(line)) async for line in parts.records.read_lines(path)]
        policies = [{"name": item.name, "state": item.facts.get("state")} for item in listed]
    except RecordMissing:
        pass  # it ended before its survey
    counted = ("left", "turnedOff", "stillOn", "unknown")
    return {
        "mfa": None if mfa is None else {name: mfa.get(name, 0) for name in counted},
        "securityDefaults": None if mfa is None else mfa["securityDefaults"],
        "policies": policies,
    }


async def _counts(
    parts: Parts, closure: str, newest: int, planned: dict[str, int], standings: dict[str, Any]
) -> tuple[dict[str, dict[str, int]], int]:
    counts: dict[str, Counter[str]] = defaultdict(Counter, {family: Counter() for family in planned})
    resent = 0
    async for serial, family, operation, _, doc in parts.ledger.shards(closure, spoiled=[]):
        resent += doc.get("resent", 0)
        if operation == "delete":
            # What an earlier plan removed is planned and done on top; what it could not remove is planned again.
            told = OUTCOMES if serial == newest else (Outcome.REMOVED, Outcome.ABSENT)
            found = {str(outcome): doc.get(outcome, 0) for outcome in told}
            counts[family].update(found)
            if serial != newest:
                planned[family] = planned.get(family, 0) + sum(found.values())
    if standings:
        counts["subscriptions"].update(Counter(s["outcome"] for s in standings.values() if s.get("outcome")))
    try:
        kept = json.loads(await parts.records.read_blob(names.manifest_path(closure, newest)))["kept"]
    except RecordMissing:
        kept = []
    for entry in kept:
        counts[entry["family"]]["kept"] += 1
    empty = dict.fromkeys(map(str, OUTCOMES), 0)
    return {family: {"planned": planned.get(family, 0), **empty, **found} for family, found in counts.items()}, resent


async def _write_csv(parts: Parts, closure: str, rows: AsyncGenerator[bytes]) -> int:
    """Store the CSV in parts that one answer can carry, each with its header. Returns how many they are."""
    ahead, number = await anext(rows, None), 0

    async def part() -> AsyncIterator[bytes]:
        nonlocal ahead
        size = 0
        yield outcomes_csv.header()
        while ahead is not None and (not size or size + len(ahead) <= PART):
            yield ahead
            size += len(ahead)
            ahead = await anext(rows, None)

    while ahead is not None or not number:
        number += 1
        await parts.records.write_pieces(names.report_path(closure, "csv", number), part())
    return number


async def _outcomes(parts: Parts, closure: str, spoiled: list[str]) -> AsyncGenerator[bytes]:
    """Every item's outcome, from the shards' evidence, as CSV, a shard at a time. Evidence that is not what was written
    is left out.
    """
    async for serial, family, operation, shard, noted in parts.ledger.shards(closure, spoiled=spoiled):
        path = names.evidence_path(closure, serial, family, operation, shard)
        try:
            await check_evidence(parts, path, noted)
            entries = await last_outcomes(parts.records, path)
            listed = await _names(parts, names.shard_path(closure, serial, family, shard))
        except (RailBroken, RecordMissing, ValueError, KeyError) as fault:
            spoiled.append(fault.detail if isinstance(fault, RailBroken) else f"{path} can't be read with its shard.")
            continue
        named = [{**entry, "name": listed.get(entry["id"], "")} for entry in entries.values()]
        yield outcomes_csv.rows(family, operation, named)
    async for what, entry in beside_evidence(parts, await parts.ledger.closure(closure)):
        yield outcomes_csv.rows(entry["family"], what, [{**entry, "reason": entry["why"]}])


async def _names(parts: Parts, path: str) -> dict[str, str]:
    listed = [json.loads(line) async for line in parts.records.read_lines(path)]
    return {item["id"]: item["name"] for item in listed}


def _confirmed(marks: dict[tuple[str, int], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By family: when a fresh listing last showed that nothing of ours is left, and what else was listed."""
    before = "confirmed-"
    return {
        mark.removeprefix(before): {"at": doc["at"], "left": doc["left"]}
        for (mark, _), doc in sorted(marks.items())
        if mark.startswith(before)
    }


def _closing(look: dict[str, Any]) -> dict[str, Any]:
    return {"at": look["at"], **look["closing"]}


def _told(line: dict[str, Any]) -> dict[str, Any]:
    return {key: line[key] for key in ("at", "word", "actor", "detail")}
