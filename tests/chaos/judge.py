"""What must hold after every rehearsal, judged by what the simulator saw and by the records as the API shows them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tenantclosure.names import Family, Gate, Word
from tenantclosure.policy import audit_chain

SEEN_AS = {
    "users": Family.USERS,
    "applications": Family.APPLICATIONS,
    "servicePrincipals": Family.SERVICE_PRINCIPALS,
    "domains": Family.DOMAINS,
}
"""The simulator's word for a family, and ours."""
ZERO = ("doubleDeletes", "keeperTouched", "protectedTouched", "foreignTouched")
DONE = ("removed", "absent", "refused", "failed")
APPROVERS = 2


@dataclass
class Seen:
    """All there is to judge by."""

    document: dict[str, Any]
    """The closure's document at its end; or when it should have ended long ago."""
    score: dict[str, Any]
    deleted: dict[str, list[str]]
    """Ids of what was deleted at Microsoft, by the simulator's books."""
    manifest: dict[str, Any]
    planned: dict[str, list[dict[str, Any]]]
    """The plan's items by family, from its shards."""
    report: dict[str, Any]
    audit: list[bytes]
    gates: tuple[str, ...] = (Gate.PLAN, Gate.DELETE_TENANT)
    """The gates that had to be asked, once each."""
    hits: Counter[str] = field(default_factory=Counter)
    """What really went wrong, by kind."""
    seconds: float = 0.0


def faults(seen: Seen) -> list[str]:
    """Everything that should not be, in words; empty for a good run."""
    if (seen.document["status"], seen.document["result"]) != ("ended", "closed"):
        known = {name: seen.document.get(name) for name in ("status", "phase", "result", "gate", "blockers")}
        return [f"did not end closed: {json.dumps(known)}", *_extra(seen), *_audit(seen)]
    return [*_books(seen), *_extra(seen), *_lost(seen), *_audit(seen), *_approvals(seen)]


def _books(seen: Seen) -> Iterator[str]:
    if seen.document["blockers"]:
        yield f"closed with blockers: {json.dumps(seen.document['blockers'])}"
    expected = {
        "usersKept": 1,
        "usersDeleted": seen.score["usersTotal"] - 1,
        "subscriptionsDeleted": seen.score["subscriptionsTotal"],
        "tenantGone": True,
    }
    for name, value in expected.items():
        if seen.score[name] != value:
            yield f"{name} is {seen.score[name]}, not {value}"
    for family in (Family.USERS, Family.DOMAINS, Family.APPLICATIONS):
        left = _ids(seen, family) - {
            id_ for name, ids in seen.deleted.items() if SEEN_AS[name] == family for id_ in ids
        }
        if left:
            yield f"{len(left)} {family} were never deleted: {min(left)}"


def _extra(seen: Seen) -> Iterator[str]:
    """Touched without approval, or twice."""
    for name in ZERO:
        if seen.score[name]:
            yield f"{name} is {seen.score[name]}"
    for name, ids in seen.deleted.items():
        family = SEEN_AS[name]
        last = {seen.manifest.get("ownServicePrincipal")} if family == Family.SERVICE_PRINCIPALS else set()
        if extra := set(ids) - _ids(seen, family) - last:
            yield f"{len(extra)} {family} were deleted and are not in the plan: {min(extra)}"
        if twice := [id_ for id_, times in Counter(ids).items() if times > 1]:
            yield f"{len(twice)} {family} were deleted twice: {min(twice)}"
    bought = re.compile("|".join(map(re.escape, _words(seen.planned.get(Family.SUBSCRIPTIONS, [])))) or "(?!)")
    for call in seen.score["writeCalls"]:
        if not bought.search(call):
            yield f"a write to a seller names nothing in the plan: {call}"


def _lost(seen: Seen) -> Iterator[str]:
    """Every planned item has an outcome; what is kept beside the plan is told as kept and nothing else."""
    spared = Counter(entry["family"] for entry in seen.manifest["kept"])
    for family, entry in seen.manifest["families"].items():
        counts = seen.report["counts"].get(family, {})
        told = sum(counts.get(name, 0) for name in DONE) + counts.get("kept", 0) - spared[family]
        if not counts.get("planned", 0) == told == entry["count"] == len(seen.planned.get(family, [])):
            yield f"{family}: {entry['count']} planned, outcomes {json.dumps(counts)}, {spared[family]} spared"
        if counts.get("failed", 0):
            yield f"{family}: {counts['failed']} failed"


def _audit(seen: Seen) -> Iterator[str]:
    verdict = audit_chain.verify(seen.audit)
    if not verdict.ok or verdict.lines == 0:
        yield f"the audit does not verify: line {verdict.line} {verdict.fault}"
    if not seen.report:
        return
    heads = {json.loads(line).get("hash") for line in seen.audit}
    if not seen.report["audit"]["ok"] or seen.report["audit"]["head"] not in heads:
        yield "the report's audit head is not in the audit"


def _approvals(seen: Seen) -> Iterator[str]:
    given = Counter((decision["gate"], decision["serial"]) for decision in seen.report["approvals"])
    if given != dict.fromkeys(((str(gate), 1) for gate in seen.gates), APPROVERS):
        yield f"approvals were given as {dict(given)}, for gates {seen.gates}"
    lines = [json.loads(line) for line in seen.audit]
    asked = {(line["detail"]["gate"], line["detail"]["serial"]) for line in lines if line["word"] == Word.GATE_OPENED}
    if asked != {(str(gate), 1) for gate in seen.gates}:
        yield f"gates were opened as {sorted(asked)}, for gates {seen.gates}"
    if again := [line["word"] for line in lines if line["word"] in (Word.GATE_REOPENED, Word.PLAN_DRIFTED)]:
        yield f"people were asked again: {again}"


def _ids(seen: Seen, family: str) -> set[str]:
    return {item["id"] for item in seen.planned.get(family, [])}


def _words(items: list[dict[str, Any]]) -> set[str]:
    """Ids of subscriptions as their sellers know them."""
    texts = (str(value) for item in items for value in (item["id"], *item.get("facts", {}).values()))
    return {found for text in texts for found in re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", text)}
