"""Gates: open one with its terms, and judge it from the decisions that lie in Records."""

from __future__ import annotations

from datetime import datetime

from activities.base import Order, activity
from tenantclosure.names import Control, Phase, Status
from tenantclosure.policy import rails
from tenantclosure.policy.quorum import evaluate
from tenantclosure.wiring import Parts


@activity
async def open_gate(parts: Parts, order: Order) -> Order:
    """Open the gate over the plan's digest and show it on the row with the instance that waits for it."""
    row = await parts.ledger.closure(order["closureId"])
    rails.check_fence(row, order["epoch"])
    gate = await parts.ledger.open_gate(order["closureId"], order["gate"], order["serial"], row["digest"])
    if gate["state"] == "open":
        shown = {
            "name": order["gate"],
            "serial": order["serial"],
            "digest": gate["digest"],
            "answerBy": gate["answerBy"],
            "executeBy": gate["executeBy"],
            "instance": order["instance"],
        }
        await parts.ledger.change(
            order["closureId"], lambda row: row.update(gate=shown, status=Status.WAITING_APPROVAL)
        )
    return {"state": gate["state"]}


@activity
async def judge_gate(parts: Parts, order: Order) -> Order:
    """{state, seconds until the answer-by date}; what the gate came to is written before it is told."""
    closure, ledger = order["closureId"], parts.ledger
    row = await ledger.closure(closure)
    rails.check_fence(row, order["epoch"])
    if row["control"] == Control.ABORT:
        return {"state": "aborted", "seconds": 0}
    gate = await ledger.gate(closure, order["gate"], order["serial"])
    assert gate is not None, "a gate is judged after it was opened"
    if gate["state"] != "open":
        return await _shut(parts, order, gate["state"])
    now = parts.clock.now()
    judged = evaluate(gate, await ledger.decisions(closure), now)
    if judged.state == "open":
        status = Status.PAUSED if row["control"] == Control.PAUSE else Status.WAITING_APPROVAL
        if row["status"] != status:
            await ledger.change(closure, lambda row: row.update(status=status))
        left = (datetime.fromisoformat(gate["answerBy"]) - now).total_seconds()
        return {"state": "open", "seconds": max(left, 0.0) + 1.0}
    await ledger.close_gate(closure, order["gate"], order["serial"], judged.state, list(judged.approvals))
    return await _shut(parts, order, judged.state)


async def _shut(parts: Parts, order: Order, state: str) -> Order:
    status = Status.PLANNING if order["phase"] == Phase.SURVEY else Status.RUNNING
    await parts.ledger.change(order["closureId"], lambda row: row.update(gate=None, status=status))
    return {"state": state, "seconds": 0}
