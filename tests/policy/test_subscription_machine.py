"""Any sequence of looks, answers, reports and waits: what the machine of a subscription never does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantclosure.names import TaskKind
from tenantclosure.policy.selling import Observed, Provider, state_of
from tenantclosure.policy.stages import Goal, Stage, after_look
from tenantclosure.policy.subscriptions import CALLING, FLIPS, next_step
from tenantclosure.policy.timing import PROOF_GAP
from tests.policy.bought import DAY, NOW, csp, iso, mca

GRAPH = st.sampled_from(["Enabled", "Warning", "Suspended", "LockedOut", "Deleted", "absent", "??", "", None])
AZURE = st.sampled_from([None, "Enabled", "Warned", "Disabled", "Deleted", "absent", "Odd"])
DATE = st.sampled_from([None, "soon", iso(-500), iso(-2), iso(0), iso(3), iso(300)])
ROW = st.one_of(
    st.none(),
    st.builds(
        lambda date, cancellation, renew, locked, allowed, status: mca(
            cancellationAllowedEndDate=date,
            cancellation=cancellation,
            autoRenew=renew,
            operationStatus=locked,
            allowed=allowed,
            status=status,
            termEndDate=date,
        ),
        DATE,
        st.sampled_from(["Allowed", "NotAllowed", None, "??"]),
        st.sampled_from(["On", "Off", None, "??"]),
        st.sampled_from(["None", "LockedForUpdate"]),
        st.sampled_from([True, True, False, None]),
        st.sampled_from(["Active", "Suspended", "Deleted", "absent", "Failed", None]),
    ),
)
SALE = st.one_of(
    st.none(),
    st.builds(
        lambda date, renew, legacy, status, billing: csp(
            cancellationAllowedUntilDate=date,
            autoRenewEnabled=renew,
            legacy=legacy,
            status=status,
            billingType=billing,
        ),
        DATE,
        st.sampled_from([True, False, None, "??"]),
        st.booleans(),
        st.sampled_from(["active", "suspended", "deleted", "absent", "odd", None]),
        st.sampled_from(["license", "usage"]),
    ),
)
LOOK = st.builds(
    lambda graph, date, azure, billing, partner: Observed(graph, date, 5, azure, None, billing, partner),
    GRAPH,
    DATE,
    AZURE,
    ROW,
    SALE,
)
ROUND = st.tuples(
    LOOK,
    st.sampled_from([0.001, 0.03, 0.05, 1.0, 5.0, 100.0]),
    st.sampled_from([202, 204, 404, 400, 403]),
    st.sampled_from([None, None, *TaskKind]),
)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.sampled_from(list(Provider)), st.lists(ROUND, min_size=1, max_size=14), st.booleans(), st.booleans())
def test_no_sequence_of_looks_leads_astray(
    provider: str, rounds: list[Any], cancelled: bool, delete_at_once: bool
) -> None:
    """Never a call where none is allowed or answered before, never `deprovisioned` without two looks an hour apart."""
    goal = Goal.CANCELLED if cancelled else Goal.DELETED
    standing: dict[str, Any] = {"stage": "planned", "calls": {}}
    now, answered, calls = NOW, {}, 0
    gone_since = None
    for seen, days, status, report in rounds:
        now += timedelta(days=days)
        if report is not None:
            reports = {**standing.get("reports", {}), report: {"by": "kim", "at": now.isoformat()}}
            standing = {**standing, "reports": reports}
            answered = {kind: final for kind, final in answered.items() if final}
        before = standing.get("flips", 0)
        standing = after_look(provider, seen, standing, now, DAY)
        if standing.get("flips", 0) > before:
            answered = {}  # it came back to life: that is told, counted and limited
        shown = state_of(provider, seen)[0]
        gone_since = (gone_since or now) if shown == "gone" else None
        step = next_step(provider, goal, seen, standing, now, DAY, delete_at_once=delete_at_once)
        for _ in range(5):
            if step.kind != "call":
                break
            calls += 1
            assert provider in CALLING
            assert step.what not in answered, "called again after an answer"
            assert standing.get("flips", 0) <= FLIPS
            assert shown in ("active", "disabled")
            assert not (provider == Provider.MCA and (seen.billing or {}).get("allowed") is not True)
            assert step.what != "delete" or delete_at_once
            answered[step.what] = status < 300 or status == 404
            call = {"refused": 400 <= status != 404, "why": "", "status": status, "code": "", "at": now.isoformat()}
            standing = {**standing, "calls": {**standing["calls"], step.what: call}, "actedAt": now.isoformat()}
            step = next_step(provider, goal, seen, standing, now, DAY, delete_at_once=delete_at_once)
        assert step.kind in ("done", "wait", "task"), "calls without an end"
        assert step.reason
        assert step.kind == "done" or step.days > 0
        if step.stage == Stage.DEPROVISIONED and standing["stage"] != Stage.DEPROVISIONED:
            assert gone_since is not None
            assert (now - gone_since).total_seconds() / DAY >= PROOF_GAP
        if goal == Goal.DELETED and step.kind == "done":
            assert step.stage == Stage.DEPROVISIONED
        if shown == "gone":
            assert step.stage in (Stage.DEPROVISIONING, Stage.DEPROVISIONED)
        if standing["stage"] != step.stage:
            standing["since"] = now.isoformat()
        standing["stage"] = step.stage
