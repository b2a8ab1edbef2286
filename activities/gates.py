"""Gates: open one for the people there really are, and judge it from the decisions that lie in Records."""

from __future__ import annotations

from activities.approval import seconds_left, settle, show_gate
from activities.base import Halt, Order, activity, clear_blocker, note_blocker
from tenantclosure.intake import accounts_of
from tenantclosure.model.approval_policy import Limit
from tenantclosure.names import Control, Family, Gate
from tenantclosure.policy import rails, timing
from tenantclosure.policy.approvers import exceeded, named, resolved, terms_of, tightened, unreachable
from tenantclosure.policy.quorum import key_of
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts

BLOCKER = "approvers"


@activity
async def open_gate(parts: Parts, order: Order) -> Order:
    """{state}: open (or what the gate came to already), aborted; or unreachable, with the seconds until another try.

    Everybody is looked up when the gate opens: an account that is missing, disabled or of another tenant counts for
    nobody, and a gate whose real people can't make the quorum is not opened.
    """
    row = await parts.ledger.closure(order["closureId"])
    rails.check_fence(row, order["epoch"])
    if row["control"] == Control.ABORT:
        return {"state": "aborted", "seconds": 0}
    if row["control"] == Control.ROLLBACK:
        raise Halt("rollback")
    doc = await parts.ledger.gate(order["closureId"], order["gate"], order["serial"])
    if doc is None:
        row, doc = await _opened(parts, row, order["gate"])
        if doc is None:
            return {"state": "unreachable", "seconds": max(order["daySeconds"] * timing.HOUR, order["leastPoll"])}
    if doc["state"] == "open":
        await show_gate(parts, row, doc, order["instance"])
        doc = await settle(parts, await parts.ledger.closure(order["closureId"]), order["gate"], order["serial"])
    return {"state": doc["state"]}


@activity
async def judge_gate(parts: Parts, order: Order) -> Order:
    """{state, seconds until something is due}; what the gate came to is written before it is told.

    The gates before this one are judged as well: a veto there must not wait until this one is decided.
    """
    row = await parts.ledger.closure(order["closureId"])
    rails.check_fence(row, order["epoch"])
    if row["control"] == Control.ABORT:
        return {"state": "aborted", "seconds": 0}
    if row["control"] == Control.ROLLBACK:
        raise Halt("rollback")
    for gate in Gate:
        if gate == order["gate"]:
            break
        if await parts.ledger.gate(order["closureId"], gate, order["serial"]) is not None:
            before = await settle(parts, row, gate, order["serial"])
            if before["state"] in ("vetoed", "expired"):
                return {"state": before["state"], "seconds": 0}
            row = await parts.ledger.closure(order["closureId"])
    doc = await settle(parts, row, order["gate"], order["serial"])
    seconds = seconds_left(row, doc, parts.clock.now()) if doc["state"] == "open" else 0
    return {"state": doc["state"], "seconds": seconds}


async def _opened(parts: Parts, row: JSON, gate: str) -> tuple[JSON, JSON | None]:
    """The row with the gate's terms as they stand now, and the gate; None when its people can't be had."""
    closure, home = row["closureId"], parts.settings.home_tenant_id
    limits = await _limits(parts, row)
    # What the request asked for is kept, so that a second plan is tightened from there and not from the first one.
    first = row.get("asked", {}).get(gate) or terms_of(row, gate)
    terms = tightened(first, parts.policy, limits)
    accounts = await accounts_of(parts.people, named(terms)) if parts.people is not None else None
    groups, absent = resolved(terms, accounts, home)
    excluded = sorted({key.lower() for key in (row["requester"]["key"], *row["operators"]) if key})
    for group in groups.values():
        group["deputies"] = [person for person in group["deputies"] if key_of(person) not in excluded]
    why = unreachable(groups, terms["distinct"], excluded)
    if why is not None:
        remedy = "Give these people usable accounts in the hosting tenant, or abort and file a request with others."
        await note_blocker(parts, closure, BLOCKER, why, remedy, [f"{one['upn']} {one['why']}" for one in absent])
        return row, None
    await clear_blocker(parts, closure, BLOCKER)

    def edit(row: JSON) -> None:
        row["asked"] = {**row.get("asked", {}), gate: first}
        row["terms"][gate] = terms

    if terms != row["terms"].get(gate):
        row = await parts.ledger.change(closure, edit)
    asked = {
        "gate": gate,
        "serial": row["planSerial"],
        "digest": row["digest"],
        "answerByDays": terms["answerByDays"],
        "executeByDays": terms["executeByDays"],
        "groups": groups,
        "distinct": terms["distinct"],
        "excluded": excluded,
        "absent": absent,
        "limits": [sentence for limit in limits for sentence in limit.sentences],
    }
    return row, await parts.ledger.open_gate(closure, asked)


async def _limits(parts: Parts, row: JSON) -> list[Limit]:
    """The policy's limits that this plan is above: its items, its share of all users, the closures live at once."""
    survey = await parts.ledger.mark(row["closureId"], f"survey-{Family.USERS}", row["planSerial"])
    planned, everyone = row["planned"], survey["count"] if survey else 0
    share = planned[Family.USERS] / everyone if everyone else 0.0
    live = len(await parts.ledger.live())
    return exceeded(parts.policy, objects=sum(planned.values()), share=share, tenants=live)
