"""What came of a rehearsal: the simulator's score, our report and the audit chain in one object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cli.client import Api, closure_path
from cli.errors import CliError
from cli.server import Connection

SCORED = (
    "usersTotal",
    "usersDeleted",
    "usersKept",
    "subscriptionsTotal",
    "subscriptionsDeleted",
    "tenantGone",
    "doubleDeletes",
    "keeperTouched",
)


def collect(api: Api, simulator: str, document: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The object `closure demo --json` prints. Users to keeper are what the simulator saw, not what we believe."""
    closure = str(document["closureId"])
    with Api(Connection(simulator, True)) as other_side:
        score = other_side.get("/_sim/score")
        robot = other_side.get("/_sim/robot")
    lines = _audit_lines(api, closure)
    seen = {name: score.get(name) for name in SCORED}
    return {
        "closureId": closure,
        # A rehearsal that stops waiting has met blockers nobody here can clear, or it hangs.
        "result": document.get("result") or ("blocked" if document.get("blockers") else "failed"),
        **{name: seen[name] for name in SCORED[:7]},
        "resent": _report(api, closure).get("resent", 0),
        "keeperTouched": seen["keeperTouched"],
        "blockers": document.get("blockers") or [],
        "approvals": _approvals(lines),
        "manualTasks": len(robot["done"]),
        "auditOk": _whole(lines),
        "seconds": round(seconds, 1),
    }


def save_report(api: Api, closure: str, files: list[Path]) -> list[Path]:
    """Write the HTML report; returns the files written, none when there is no report yet."""
    try:
        with api.stream(closure_path(closure, "report"), format="html") as answer:
            content = answer.read()
    except CliError:
        return []
    for file in files:
        file.write_bytes(content)
    return files


def _report(api: Api, closure: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = api.get(closure_path(closure, "report"), format="json")
    except CliError:
        return {}  # not ended, so not written
    return found


def _audit_lines(api: Api, closure: str) -> list[bytes]:
    with api.stream(closure_path(closure, "audit")) as answer:
        return [line for line in answer.read().split(b"\n") if line.strip()]


def _whole(lines: list[bytes]) -> bool:
    from tenantclosure.policy.audit_chain import verify

    return bool(lines) and verify(lines).ok


def _approvals(lines: list[bytes]) -> int:
    from tenantclosure.names import Decision, Word

    entries = [json.loads(line) for line in lines]
    decided = [entry["detail"] for entry in entries if entry.get("word") == Word.GATE_DECIDED]
    return sum(1 for detail in decided if detail.get("decision") == Decision.APPROVE)
