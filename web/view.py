"""A closure as the API shows it: row, counts, pace, gate and tasks in one JSON document."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tenantclosure import names
from tenantclosure.errors import RecordMissing
from tenantclosure.names import OUTCOMES, REMOVED_FAMILIES, Family, Outcome, Phase, Status
from tenantclosure.policy import rollback, untrusted
from tenantclosure.policy.approvers import still_allowed
from tenantclosure.policy.quorum import evaluate
from tenantclosure.ports import JSON

Worked = Counter[tuple[int, str, str, str]]
"""Items by plan serial, family, operation and outcome."""

WORK: dict[str, tuple[tuple[str, str], ...]] = {
    Phase.QUIET: ((Family.USERS, "block"),),
    Phase.USERS: ((Family.USERS, "delete"),),
    Phase.APPLICATIONS: ((Family.APPLICATIONS, "delete"), (Family.SERVICE_PRINCIPALS, "delete")),
    Phase.ROLLBACK: rollback.WAVES,
}
"""Phases that work through shards: families and operations."""


async def manifest_of(parts: Any, closure: str, serial: int) -> JSON | None:
    """A plan's manifest, or None before it is written."""
    try:
        manifest: JSON = json.loads(await parts.records.read_blob(names.manifest_path(closure, serial)))
    except RecordMissing:
        return None
    return manifest


@dataclass(frozen=True, slots=True)
class Known:
    """What several parts of one answer tell of, read once for all of them."""

    gates: list[JSON]
    decisions: list[JSON]
    notices: list[JSON]
    tasks: list[JSON]
    spoiled: list[str]
    """What is wrong with records that can't be trusted and were left out."""

    def gate(self, name: str, serial: int) -> JSON | None:
        """One gate's document, or None if it never opened."""
        return next((gate for gate in self.gates if (gate["gate"], gate["serial"]) == (name, serial)), None)


async def known_of(parts: Any, closure: str) -> Known:
    """A closure's gates, decisions, notices and tasks."""
    ledger, spoiled = parts.ledger, list[str]()
    found = await asyncio.gather(
        ledger.gates(closure, spoiled),
        ledger.decisions(closure, spoiled),
        ledger.notices(closure, spoiled),
        ledger.tasks(closure, spoiled),
    )
    return Known(*found, spoiled)


async def closure_view(parts: Any, row: JSON, known: Known | None = None) -> JSON:
    """The status document of architecture.md, with a little more for pages and the command."""
    closure, serial, ledger = row["closureId"], row["planSerial"], parts.ledger
    known = known or await known_of(parts, closure)
    # While a closure is rolled back, its counts stay those of what it removed.
    removal = (row.get("rollback") or {}).get("plan")
    frozen, standings, started, worked = await asyncio.gather(
        _latest(parts, closure, removal["serial"] if removal else serial),
        ledger.subscriptions(closure, known.spoiled),
        ledger.mark(closure, f"started-{row['phase']}", serial),
        _worked(ledger.shards(closure, spoiled=known.spoiled)),
    )
    open_tasks = [task["taskId"] for task in known.tasks if task["state"] == "open"]
    shown = known.gate(row["gate"]["name"], row["gate"]["serial"]) if row["gate"] else None
    now = parts.clock.now()
    moving = row["status"] in (Status.RUNNING, Status.WAITING)
    planned_in, manifest = frozen
    newest = await manifest_of(parts, closure, serial) if removal else manifest
    progress = phase_progress(row["phase"], serial, newest, worked)
    rate, eta = pace(progress, started["at"] if started else None, now) if moving else (None, None)
    return {
        "closureId": closure,
        "tenantId": row["tenantId"],
        "domain": row["domain"],
        "displayName": row.get("displayName", ""),
        "tenantType": row.get("tenantType", ""),
        "keeper": row["keeper"],
        "status": row["status"],
        "phase": row["phase"],
        "control": row["control"],
        "result": row["result"],
        "gate": gate_document(parts, shown, known) if shown else None,
        "inForce": [_in_force(gate) for gate in known.gates if row["status"] != Status.ENDED and _holds(gate, serial)],
        "planSerial": serial,
        "digest": row["digest"],
        "counts": counts(planned_in, manifest, worked, standings),
        "progress": progress,
        "rate": rate,
        "eta": eta,
        "tasks": {"open": len(open_tasks), "ids": open_tasks},
        "blockers": [*row["blockers"], *untrusted.blockers(known.spoiled)],
        "stuck": None if row["status"] == Status.ENDED else row.get("stuck"),
        "purgedAt": (row.get("purge") or {}).get("at"),
        "earliest": None if row["status"] == Status.ENDED or row.get("rollback") else row.get("earliest"),
        "requester": row["requester"],
        "claimed": row["claimed"],
        "createdAt": row["createdAt"],
        "updatedAt": row["updatedAt"],
        "endedAt": row["endedAt"],
    }


def counts(serial: int, manifest: JSON | None, worked: Worked, standings: Mapping[str, JSON]) -> JSON:
    """Outcomes per family.

    A plan that grew is frozen anew under the next serial; what earlier serials removed (or found gone) is no longer
    in it, so it counts as planned and done on top. What they could not remove is in the new plan again.
    """
    tally: dict[str, Counter[str]] = {family: Counter() for family in REMOVED_FAMILIES}
    for family, listing in ((manifest or {}).get("families") or {}).items():
        if family in tally:
            tally[family]["planned"] += listing["count"]
    for item in (manifest or {}).get("kept") or ():
        if item["family"] in tally:
            tally[item["family"]]["kept"] += 1
    for (number, family, operation, outcome), count in worked.items():
        if operation != "delete" or family not in tally or outcome not in OUTCOMES:
            continue
        done_before = number < serial and outcome in (Outcome.REMOVED, Outcome.ABSENT)
        if number == serial or done_before:
            tally[family][outcome] += count
        if done_before:
            tally[family]["planned"] += count
    for standing in standings.values():
        if standing.get("outcome"):
            tally[Family.SUBSCRIPTIONS][standing["outcome"]] += 1
    return {
        str(family): {"planned": tally[family]["planned"], **{str(o): tally[family][o] for o in OUTCOMES}}
        for family in REMOVED_FAMILIES
    }


def phase_progress(phase: str, serial: int, manifest: JSON | None, worked: Worked) -> JSON | None:
    """{phase, done, total} of a phase that works through shards, else None."""
    if phase not in WORK or manifest is None:
        return None
    work = WORK[phase]
    total = sum(manifest["families"].get(family, {}).get("count", 0) for family, _ in work)
    done = sum(
        count
        for (number, family, operation, _), count in worked.items()
        if number == serial and (family, operation) in work
    )
    return {"phase": phase, "done": min(done, total), "total": total}


def pace(progress: JSON | None, since: str | None, now: datetime) -> tuple[float | None, str | None]:
    """Items a second since the phase began, and when it will be through at that pace."""
    if progress is None or since is None:
        return None, None
    seconds = (now - datetime.fromisoformat(since)).total_seconds()
    if seconds <= 0 or not progress["done"]:
        return None, None
    rate = progress["done"] / seconds
    eta = now + timedelta(seconds=(progress["total"] - progress["done"]) / rate)
    return round(rate, 2), eta.isoformat(timespec="seconds").replace("+00:00", "Z")


def gate_document(parts: Any, gate: JSON, known: Known) -> JSON:
    """Any gate of a closure as the API and the pages show it, judged as of now.

    `groups` are {name: {quorum, people: [address]}}; `approvers` say the same with names and empty seats; `told` is
    False where no mail and no Teams is configured; `failed` are messages to this gate's people that did not reach them.
    """
    here = (gate["gate"], gate["serial"])
    said = [d for d in known.decisions if (d["gate"], d["serial"]) == here]
    allowed = still_allowed(gate, parts.policy)
    missing = dict(evaluate(allowed, said, parts.clock.now()).missing)
    groups = allowed["groups"]
    return {
        "name": gate["gate"],
        **{key: gate[key] for key in ("serial", "digest", "state", "openedAt", "answerBy", "executeBy")},
        "groups": {
            name: {"quorum": group["quorum"], "people": [person["upn"] for person in group["people"]]}
            for name, group in groups.items()
        },
        "approvers": [
            {
                "group": name,
                "quorum": group["quorum"],
                "people": [_named(person) for person in group["people"]],
                "missing": missing.get(name, 0),
            }
            for name, group in groups.items()
        ],
        "told": parts.mailer is not None or parts.channel is not None,
        "distinct": gate["distinct"],
        "missing": missing,
        "limits": gate["limits"],
        "reopened": gate["reopened"],
        "decisions": [
            {**{key: d[key] for key in ("decision", "at", "comment", "digest", "via")}, "person": _named(d["person"])}
            for d in said
        ],
        "failed": [
            {
                **{key: notice[key] for key in ("kind", "channel", "why", "queuedAt")},
                "to": _named(notice["to"]) if notice["to"] else None,
            }
            for notice in known.notices
            if notice["state"] == "failed" and (notice["gate"], notice["serial"]) == here
        ],
    }


def _holds(gate: JSON, serial: int) -> bool:
    """Whether this gate's approval is in force: given over the plan as it is now."""
    return bool(gate["state"] == "approved" and gate["serial"] == serial)


def _in_force(gate: JSON) -> JSON:
    return {"name": gate["gate"], **{key: gate[key] for key in ("serial", "digest", "closedAt", "executeBy")}}


def _named(person: JSON) -> JSON:
    return {"upn": person["upn"], "name": person.get("name", "")}


async def _latest(parts: Any, closure: str, serial: int) -> tuple[int, JSON | None]:
    """The newest frozen plan: while a grown tenant is planned anew, the counts stay those of the plan before."""
    manifest = await manifest_of(parts, closure, serial)
    if manifest is None and serial > 1:
        return serial - 1, await manifest_of(parts, closure, serial - 1)
    return serial, manifest


async def _worked(shards: AsyncIterator[tuple[int, str, str, int, JSON]]) -> Worked:
    """All shards' counts, summed up as they come: a large tenant has thousands of them."""
    found: Worked = Counter()
    async for serial, family, operation, _, doc in shards:
        for outcome in Outcome:
            found[serial, family, operation, outcome] += int(doc.get(outcome, 0))
    return found
