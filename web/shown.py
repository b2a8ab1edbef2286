"""Words and shapes that pages show: labels, times, lengths, names cut to size, the story of phases and gates."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tenantclosure.names import Gate, Outcome, Phase, Result, Status
from tenantclosure.ports import JSON
from tenantclosure.rendering.wording import FAMILIES

LABELS = {
    Phase.PREFLIGHT: "Check the request",
    Phase.SURVEY: "Survey and plan",
    Phase.GATE_PLAN: "Approve the plan",
    Phase.FREEZE: "Freeze sign-ups",
    Phase.SYNC_OFF: "Turn directory sync off",
    Phase.PURCHASES: "End self-service purchases",
    Phase.QUIET: "Quiet period",
    Phase.USERS: "Delete users",
    Phase.CANCEL: "Cancel subscriptions",
    Phase.DELETE_SUBSCRIPTIONS: "Delete subscriptions",
    Phase.MFA_OFF: "Turn MFA off",
    Phase.APPLICATIONS: "Remove applications",
    Phase.READINESS: "Check readiness",
    Phase.GATE_DELETE: "Approve the tenant's end",
    Phase.DELETE_TENANT: "Delete the tenant",
    Phase.REPORT: "Write the report",
    Phase.GATE_ROLLBACK: "Approve the rollback",
    Phase.ROLLBACK: "Roll back",
}
_ROLLBACK = (Phase.GATE_ROLLBACK, Phase.ROLLBACK)

STATES = {
    Status.PLANNING: "Planning",
    Status.WAITING_APPROVAL: "Waiting for approval",
    Status.RUNNING: "Running",
    Status.WAITING: "Waiting",
    Status.PAUSED: "Paused",
    Status.ENDED: "Ended",
    Result.CLOSED: "Closed",
    Result.BLOCKED: "Blocked",
    Result.KEPT: "Ended, users kept",
    Result.VETOED: "Vetoed",
    Result.EXPIRED: "Expired",
    Result.ABORTED: "Aborted",
    Result.FAILED: "Failed",
}

GATES = {
    Gate.PLAN: "Approve the plan",
    Gate.GO_ON: "Go on after the quiet period",
    Gate.DELETE_TENANT: "Approve the tenant's end",
    Gate.ROLLBACK: "Approve the rollback",
}

STUCK = {
    "order-unheard": "an order was given and is not obeyed.",
    "gate-unheard": "people have decided, or the time is up, and the gate stays open.",
    "restarts": "its runs end and begin anew without progress.",
    "no-progress": "nothing moves, although nobody is waited for.",
}
"""Why a closure is stuck (policy.stuck)."""

DOORS = {"api": "over the API", "page": "on the page", "link": "from a message", "teams": "in Teams"}

LEAST = 3.0
"""Nothing that happened is too small to be seen in a bar."""
LONGEST = 200
"""Characters of a name that lists show; the plan's download has it whole."""
# Direction marks, controls and lone surrogates: in a title or a label no element could fence them in.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")


def moment(text: str | None) -> str:
    """A wire time as people read it, to the minute, in UTC."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC" if text else ""


def day(value: Any) -> str:
    """A date from a record as people read it, to the minute; what is none is shown as it is, cut to size."""
    try:
        return moment(str(value))
    except (ValueError, OverflowError):
        return short(value, 40)


def span(seconds: float) -> str:
    """A length of time in its two largest units."""
    left = max(0, round(seconds))
    words = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if left >= size:
            words.append(f"{left // size} {unit}")
            left %= size
        if len(words) == 2:
            break
    return " ".join(words) or "0 s"


def left(until: str, now: datetime) -> str:
    """How long it is until a wire time, in words."""
    seconds = (datetime.fromisoformat(until) - now).total_seconds()
    return f"{span(seconds)} left" if seconds > 0 else "the time is up"


def short(text: Any, most: int = LONGEST) -> str:
    """A name no longer than a list can bear."""
    whole = str(text)
    return whole if len(whole) <= most else whole[: most - 1] + "…"


def plain(text: Any) -> str:
    """A name for titles and labels, where it can't be fenced in: no control and direction characters, cut to size."""
    return short(_UNSEEN.sub(" ", str(text)).strip(), 80)


def number(count: float) -> str:
    """A count with its thousands apart."""
    return f"{count:,}"


def amount(count: int, family: str) -> str:
    """So many of a family: "1 user", "2,000 users"."""
    one, many = FAMILIES.get(family, (family, family))
    return f"{count:,} {one if count == 1 else many}"


def amounts(families: Iterable[Mapping[str, Any]]) -> str:
    """What a plan holds, in one breath; families of which it holds nothing are left out."""
    parts = [amount(entry["count"], entry["family"]) for entry in families if entry["count"]]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts) or "nothing"


def last_words(decisions: Iterable[JSON]) -> dict[str, JSON]:
    """Each person's last decision by address (lower case)."""
    return {said["person"]["upn"].lower(): said for said in sorted(decisions, key=lambda said: said["at"])}


def timeline(row: JSON, marks: Mapping[tuple[str, int], JSON]) -> list[JSON]:
    """Every phase with its state and times; a mark in Records says that it is done.

    Of a closure that is rolled back: the phases that had begun, then those of the rollback.
    """
    serial, order = row["planSerial"], [phase for phase in Phase if phase not in _ROLLBACK]
    plan = (row.get("rollback") or {}).get("plan")
    past: list[JSON] = []
    if plan:
        begun = [phase for phase in order if (f"started-{phase}", plan["serial"]) in marks and phase != Phase.REPORT]
        past = [_step(phase, plan["serial"], marks, "stopped") for phase in begun]
        order = [*_ROLLBACK, Phase.REPORT]
    here = order.index(Phase(row["phase"])) if row["phase"] in order else -1
    ended = row["status"] == Status.ENDED
    steps = past
    for place, phase in enumerate(order):
        if (phase, serial) in marks or place < here or (ended and row["result"] == Result.CLOSED):
            state = "done"
        elif place == here:
            state = "stopped" if ended else "now"
        else:
            state = "ahead"
        steps.append(_step(phase, serial, marks, state))
    return steps


def _step(phase: Phase, serial: int, marks: Mapping[tuple[str, int], JSON], state: str) -> JSON:
    done, began = marks.get((phase, serial)), marks.get((f"started-{phase}", serial))
    return {
        "label": LABELS[phase],
        "state": "done" if done else state,
        "from": began["at"] if began else None,
        "to": done["at"] if done else None,
    }


def bar(family: str, tally: JSON) -> JSON:
    """One family's outcomes as pieces of a bar 300 wide."""
    gone = tally[Outcome.REMOVED] + tally[Outcome.ABSENT]
    stuck = tally[Outcome.REFUSED] + tally[Outcome.FAILED]
    whole = max(tally["planned"], gone + stuck, 1)
    stuck_width = max(300 * stuck / whole, LEAST) if stuck else 0.0
    gone_width = min(max(300 * gone / whole, LEAST), 300 - stuck_width) if gone else 0.0
    return {
        "family": family,
        "tally": tally,
        "gone": round(gone_width, 1),
        "stuck": round(stuck_width, 1),
        "done": gone,
    }


def about(entry: JSON) -> JSON:
    """An entry of a poison queue with the closure that its message names, or "" where it names none."""
    try:
        message = json.loads(entry["message"])
    except (ValueError, RecursionError):
        message = None
    return {**entry, "closureId": str(message.get("closureId") or "") if isinstance(message, dict) else ""}


def stories(gates: Sequence[JSON], decisions: Sequence[JSON]) -> list[JSON]:
    """Each gate that ever opened, the newest first: {gate, serial, state, openedAt, closedAt, absent, events}.

    `events` are what was said there and what opened the gate again, in the order of time; `absent` the people named
    who can't take part.
    """
    told = []
    for gate in gates:
        said = [
            {"at": d["at"], "said": d["decision"], "person": d["person"], "comment": d["comment"], "via": d["via"]}
            for d in decisions
            if (d["gate"], d["serial"]) == (gate["gate"], gate["serial"])
        ]
        again = [{"at": entry["at"], "why": entry["why"]} for entry in gate["reopened"]]
        kept = {name: gate[name] for name in ("gate", "serial", "state", "openedAt", "closedAt", "absent")}
        told.append({**kept, "events": sorted([*said, *again], key=lambda event: event["at"])})
    return sorted(told, key=lambda story: story["openedAt"], reverse=True)


def unreached(notices: Iterable[JSON]) -> list[JSON]:
    """Messages that did not arrive: {to, why, gate, channel, queuedAt}, oldest first."""
    told = ("to", "why", "gate", "channel", "queuedAt")
    failed = [{name: notice[name] for name in told} for notice in notices if notice["state"] == "failed"]
    return sorted(failed, key=lambda notice: notice["queuedAt"])
