"""One subscription from Enabled to Deleted: a table of every kind, and what no strange answer may bring about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.model.inventory import Item
from tenantclosure.names import TaskKind
from tenantclosure.policy.subscriptions import Goal, Observed, Provider, next_step, provider_of
from tenantclosure.policy.timing import PROOF_GAP

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DAY = 86400.0
TENANT = "0b0a1c2d-0000-4000-8000-000000000001"


def iso(days: float) -> str:
    return (NOW + timedelta(days=days)).isoformat()


def mca(*, allowed: float | None = None, renew: str = "On", ends: float = 200) -> dict[str, Any]:
    window = {"cancellation": "NotAllowed"} if allowed is None else {"cancellation": "Allowed"}
    until = None if allowed is None else iso(allowed)
    return {**window, "cancellationAllowedEndDate": until, "autoRenew": renew, "termEndDate": iso(ends)}


def csp(*, until: float | None = None, renew: bool = True, ends: float = 200) -> dict[str, Any]:
    allowed = None if until is None else iso(until)
    return {"cancellationAllowedUntilDate": allowed, "autoRenewEnabled": renew, "commitmentEndDate": iso(ends)}


def call(kind: str, *, refused: bool = False) -> dict[str, Any]:
    return {"calls": {kind: {"refused": refused, "why": "403 Nope", "status": 403}}, "actedAt": iso(0)}


ON, OFF = Observed(graph="Enabled"), Observed(graph="Suspended", next_lifecycle=iso(30))
CANCEL, DELETE = Goal.CANCELLED, Goal.DELETED
TABLE = [
    # provider, goal, seen, standing -> kind, stage, what
    ("manual", CANCEL, ON, {}, "task", "active", TaskKind.CANCEL_SUBSCRIPTION),
    ("manual", CANCEL, OFF, {}, "done", "disabled", ""),
    ("manual", DELETE, OFF, {}, "task", "disabled", TaskKind.DELETE_SUBSCRIPTION),
    ("manual", DELETE, Observed(graph="LockedOut"), {}, "task", "disabled", TaskKind.ASK_SUPPORT),
    ("mca", DELETE, Observed(graph="LockedOut"), {}, "task", "disabled", TaskKind.ASK_SUPPORT),
    ("mca", CANCEL, Observed(graph="Enabled", billing=mca(allowed=3)), {}, "call", "active", "cancel"),
    ("mca", CANCEL, Observed(graph="Enabled", billing=mca(allowed=-1)), {}, "call", "active", "stop-renewal"),
    ("mca", CANCEL, Observed(graph="Enabled", billing=mca()), {}, "call", "active", "stop-renewal"),
    ("mca", CANCEL, Observed(graph="Enabled", billing=mca(renew="Off")), {}, "done", "non-renewing", ""),
    ("mca", DELETE, Observed(graph="Enabled", billing=mca(renew="Off")), {}, "wait", "non-renewing", ""),
    ("mca", CANCEL, Observed(graph="Enabled", billing=mca(allowed=3)), call("cancel"), "wait", "cancel-requested", ""),
    (
        "mca",
        CANCEL,
        Observed(graph="Enabled", billing=mca(allowed=3)),
        call("cancel", refused=True),
        "call",
        "active",
        "stop-renewal",
    ),
    (
        "mca",
        CANCEL,
        Observed(graph="Enabled", billing=mca()),
        call("stop-renewal"),
        "wait",
        "renewal-off-requested",
        "",
    ),
    (
        "mca",
        CANCEL,
        Observed(graph="Enabled", billing=mca()),
        call("stop-renewal", refused=True),
        "task",
        "active",
        TaskKind.TURN_OFF_RENEWAL,
    ),
    ("mca", CANCEL, ON, {}, "task", "active", TaskKind.TURN_OFF_RENEWAL),
    ("mca", DELETE, OFF, {}, "wait", "disabled", ""),
    ("csp", CANCEL, Observed(graph="Enabled", partner=csp(until=3)), {}, "call", "active", "cancel"),
    ("csp", CANCEL, Observed(graph="Enabled", partner=csp(until=-1)), {}, "call", "active", "stop-renewal"),
    ("csp", CANCEL, Observed(graph="Enabled", partner=csp(renew=False)), {}, "done", "non-renewing", ""),
    ("csp", DELETE, Observed(graph="Enabled", partner=csp(renew=False)), {}, "wait", "non-renewing", ""),
    ("csp", CANCEL, ON, {}, "task", "active", TaskKind.ASK_PARTNER),
    ("csp", DELETE, OFF, {}, "wait", "disabled", ""),
    ("trial", CANCEL, ON, {}, "done", "non-renewing", ""),
    ("trial", DELETE, ON, {}, "wait", "non-renewing", ""),
    ("trial", DELETE, OFF, {}, "task", "disabled", TaskKind.DELETE_SUBSCRIPTION),
    ("free", CANCEL, ON, {}, "task", "active", TaskKind.DELETE_FREE_PRODUCT),
    ("free", DELETE, OFF, {}, "task", "disabled", TaskKind.DELETE_FREE_PRODUCT),
    ("self-service", CANCEL, ON, {}, "task", "active", TaskKind.TAKE_CONTROL),
    ("azure", CANCEL, Observed(azure="Enabled"), {}, "call", "active", "cancel-azure"),
    ("azure", CANCEL, Observed(azure="Enabled"), call("cancel"), "wait", "cancel-requested", ""),
    (
        "azure",
        CANCEL,
        Observed(azure="Enabled"),
        call("cancel", refused=True),
        "task",
        "active",
        TaskKind.CANCEL_SUBSCRIPTION,
    ),
    ("azure", CANCEL, Observed(azure="Disabled"), {}, "done", "disabled", ""),
    ("azure", DELETE, Observed(azure="Disabled"), {}, "task", "disabled", TaskKind.DELETE_AZURE),
]


@pytest.mark.parametrize(("provider", "goal", "seen", "standing", "kind", "stage", "what"), TABLE)
def test_next_step(
    provider: str, goal: str, seen: Observed, standing: dict[str, Any], kind: str, stage: str, what: str
) -> None:
    """Each kind of subscription goes its documented way; whatever is not done comes round again."""
    step = next_step(provider, goal, seen, standing, NOW, DAY)
    assert (step.kind, step.stage, step.what) == (kind, stage, what)
    assert step.kind in ("done", "call") or step.days > 0
    assert step.kind == "call" or step.reason


def test_the_window_s_last_moment_counts_and_a_date_without_zone_means_utc() -> None:
    """A cancellation window that ends now is open; some APIs leave out the zone."""
    row = {**mca(allowed=0), "cancellationAllowedEndDate": NOW.replace(tzinfo=None).isoformat()}
    step = next_step("mca", CANCEL, Observed(graph="Enabled", billing=row), {}, NOW, DAY)
    assert (step.kind, step.what) == ("call", "cancel")
    shut = next_step("mca", CANCEL, Observed(graph="Enabled", billing=row), {}, NOW + timedelta(seconds=1), DAY)
    assert shut.what == "stop-renewal"


def test_a_waiting_one_names_its_date() -> None:
    """What goes by itself tells the date it goes on."""
    seen = Observed(graph="Enabled", billing=mca(renew="Off", ends=90))
    assert next_step("mca", DELETE, seen, {}, NOW, DAY).next_at == iso(90)
    assert next_step("csp", DELETE, OFF, {}, NOW, DAY).next_at == OFF.next_lifecycle


words = st.one_of(
    st.sampled_from(["Enabled", "Warning", "Suspended", "LockedOut", "Deleted", "absent", "??", ""]), st.none()
)


@given(
    st.sampled_from([*Provider, "unheard-of"]),
    st.sampled_from(list(Goal)),
    words,
    words,
    st.booleans(),
    st.sampled_from([{}, call("cancel"), call("cancel", refused=True), call("stop-renewal"), {"goneAt": iso(-1)}]),
)
def test_no_state_crashes_or_ends_early(
    provider: str, goal: str, graph: str | None, azure: str | None, bare: bool, standing: dict[str, Any]
) -> None:
    """Any word leads to a named stage and a later look; `deprovisioned` only when the row is really gone."""
    rows = {} if bare else {"billing": {}, "partner": {}}
    step = next_step(provider, goal, Observed(graph=graph, azure=azure, **rows), standing, NOW, DAY)
    assert step.stage
    assert step.kind in ("done", "wait", "call", "task")
    if step.kind in ("wait", "task"):
        assert step.days > 0
    gone = azure == "Deleted" if provider == Provider.AZURE else graph in ("Deleted", "absent")
    assert (step.stage == "deprovisioned") == (gone and "goneAt" in standing)
    if goal == Goal.DELETED and step.kind == "done":
        assert step.stage == "deprovisioned"


@given(st.sampled_from(list(Provider)), st.floats(0, 0.2), st.floats(1, DAY))
def test_two_reads_an_hour_apart_prove_it(provider: str, since: float, day: float) -> None:
    """A row that is gone counts only once it was seen gone an hour (of the rehearsal's day) before."""
    seen = Observed(graph="Deleted", azure="Deleted")
    first = next_step(provider, DELETE, seen, {}, NOW, day)
    assert (first.kind, first.days) == ("wait", PROOF_GAP)
    gone_at = NOW - timedelta(seconds=since * day)
    step = next_step(provider, DELETE, seen, {"goneAt": gone_at.isoformat()}, NOW, day)
    apart = (NOW - gone_at).total_seconds() / day
    assert step.kind == ("done" if apart >= PROOF_GAP else "wait")
    if step.kind == "wait":
        assert 0 < step.days <= PROOF_GAP


def test_a_row_that_flips_back_is_worked_again() -> None:
    """Enabled again after having been disabled or gone: not done, for either goal."""
    for goal in Goal:
        assert next_step("manual", goal, ON, {"goneAt": None, "calls": {}}, NOW, DAY).kind == "task"


@pytest.mark.parametrize(
    ("facts", "azure", "provider"),
    [
        ({"ownerTenantId": "another"}, False, "csp"),
        ({"ownerTenantId": TENANT.upper(), "skuPartNumber": "flow_free"}, False, "free"),
        ({"ownerType": "User"}, False, "self-service"),
        ({"commerceSubscriptionId": "bought"}, False, "mca"),
        ({"isTrial": True}, False, "trial"),
        ({"commerceSubscriptionId": "else", "ownerTenantId": None, "ownerType": None}, False, "manual"),
        ({}, False, "manual"),
        ({"isTrial": True}, True, "azure"),
    ],
)
def test_who_sold_it_decides_the_channel(facts: dict[str, Any], azure: bool, provider: str) -> None:
    """Facts of a row decide who can end it; what nothing tells is ended by a person."""
    assert provider_of(Item("s", "", facts), TENANT, frozenset({"bought"}), azure=azure) == provider
