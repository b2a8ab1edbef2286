"""The report: everything Records know of a closure, rendered as HTML, JSON and CSV and stored with it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

from activities.base import Order, activity
from tenantclosure import names
from tenantclosure.errors import RecordMissing
from tenantclosure.names import Outcome, Word
from tenantclosure.policy import audit_chain
from tenantclosure.rendering import outcomes_csv
from tenantclosure.rendering.report import report_html, report_json
from tenantclosure.wiring import Parts


@activity
async def write_report(parts: Parts, order: Order) -> Order:
    """Gather, render and store the report; the audit line comes first, so the report holds the chain's head with it."""
    ledger, closure = parts.ledger, order["closureId"]
    await ledger.audit(closure, Word.REPORT_WRITTEN, None, {"result": order["result"], "why": order.get("why", "")})
    report = await gather(parts, closure, order["result"], order.get("why", ""))
    await parts.records.write_blob(names.report_path(closure, "json"), report_json(report))
    await parts.records.write_blob(names.report_path(closure, "html"), report_html(report).encode())
    await parts.records.write_blob(names.report_path(closure, "csv"), await _outcomes(parts, closure))
    return {}


async def gather(parts: Parts, closure: str, result: str, why: str) -> dict[str, Any]:
    """The report's data (shape: rendering/report.py)."""
    ledger = parts.ledger
    row = await ledger.closure(closure)
    lines = await ledger.audit_lines(closure)
    verdict = audit_chain.verify(lines)
    marks = await ledger.marks(closure)
    gone = next((doc for (mark, _), doc in sorted(marks.items()) if mark == "tenant-gone"), None)
    standings = await ledger.subscriptions(closure)
    planned: dict[str, int] = dict(row.get("planned") or {})
    counts, resent = await _counts(parts, row, planned, standings)
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
        "plan": {"serial": row["planSerial"], "digest": row["digest"], "families": planned},
        "counts": counts,
        "approvals": await ledger.decisions(closure),
        "tasks": await ledger.tasks(closure),
        "subscriptions": [
            {"id": item, "name": s["name"], "provider": s["provider"], "stage": s["stage"], "outcome": s["outcome"]}
            for item, s in standings.items()
            if "stage" in s
        ],
        "timeline": [_told(json.loads(line)) for line in lines],
        "blockers": row["blockers"],
        "tenantGone": {"provenAt": gone["at"], "sightings": gone["sightings"]} if gone else None,
        "audit": {"ok": verdict.ok, "lines": verdict.lines, "head": verdict.head},
        "resent": resent,
    }


async def _counts(
    parts: Parts, row: dict[str, Any], planned: dict[str, int], standings: dict[str, Any]
) -> tuple[dict[str, dict[str, int]], int]:
    counts: dict[str, Counter[str]] = defaultdict(Counter, {family: Counter() for family in planned})
    resent = 0
    async for serial, family, operation, _, doc in parts.ledger.shards(row["closureId"]):
        resent += doc.get("resent", 0)
        if operation == "delete":
            found = {outcome: doc.get(outcome, 0) for outcome in map(str, Outcome)}
            counts[family].update(found)
            if serial != row["planSerial"]:  # an earlier plan's items count as planned once they were worked on
                planned[family] = planned.get(family, 0) + sum(found.values())
    if standings:
        counts["subscriptions"].update(Counter(s["outcome"] for s in standings.values() if s.get("outcome")))
    try:
        kept = json.loads(await parts.records.read_blob(names.manifest_path(row["closureId"], row["planSerial"])))[
            "kept"
        ]
    except RecordMissing:
        kept = []
    for entry in kept:
        counts[entry["family"]]["kept"] += 1
    empty = dict.fromkeys(map(str, Outcome), 0)
    return {family: {"planned": planned.get(family, 0), **empty, **found} for family, found in counts.items()}, resent


async def _outcomes(parts: Parts, closure: str) -> bytes:
    """Every item's outcome, from the shards' evidence, as CSV."""
    out = bytearray(outcomes_csv.header())
    async for serial, family, operation, shard, _ in parts.ledger.shards(closure):
        listed: dict[str, str] = {}
        async for line in parts.records.read_lines(names.shard_path(closure, serial, family, shard)):
            item = json.loads(line)
            listed[item["id"]] = item["name"]
        entries = []
        try:
            async for line in parts.records.read_lines(names.evidence_path(closure, serial, family, operation, shard)):
                entry = json.loads(line)
                if entry["t"] == "outcome":
                    entries.append({**entry, "name": listed.get(entry["id"], "")})
        except RecordMissing:
            pass  # held before its first write
        out += outcomes_csv.rows(family, operation, entries)
    return bytes(out)


def _told(line: dict[str, Any]) -> dict[str, Any]:
    return {key: line[key] for key in ("at", "word", "actor", "detail")}
