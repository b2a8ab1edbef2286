"""What can go wrong with a subscription: each time a named state with a reason and a next look, and no loop."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tenantclosure.names import TaskKind
from tenantclosure.policy.selling import Observed
from tenantclosure.policy.stages import Goal, after_look
from tenantclosure.policy.subscriptions import FLIPS, Step, next_step
from tests.policy.bought import DAY, NOW, called, csp, decide, iso, mca, off, on, told

CANCEL, DELETE = Goal.CANCELLED, Goal.DELETED
ODD = [
    ("manual", Observed(graph="Paused"), "Paused"),
    ("manual", Observed(graph=""), "nothing"),
    ("azure", Observed(azure="Frozen"), "Frozen"),
    ("mca", on(billing=mca(3, cancellation="Perhaps")), "Perhaps"),
    ("mca", on(billing=mca(3, autoRenew="Sometimes")), "Sometimes"),
    ("mca", on(billing=mca(3, status="Failed")), "Failed"),
    ("mca", on(billing=mca(3, cancellationAllowedEndDate="soon")), "soon"),
    ("csp", on(partner=csp(3, status="paused")), "paused"),
    ("csp", on(partner=csp(cancellationAllowedUntilDate="later")), "later"),
    ("csp", on(partner=csp(3, autoRenewEnabled="yes")), "yes"),
    ("mca", Observed(billing={"status": "Unknown"}), "Unknown"),
    ("csp", Observed(partner={"status": None}), "nothing"),
]


@pytest.mark.parametrize(("provider", "seen", "word"), ODD)
def test_a_word_nobody_documented(provider: str, seen: Observed, word: str) -> None:
    """It is named, looked at again the next day without any call, and after three days a person is asked."""
    standing: dict[str, Any] = {"stage": "planned"}
    for day in range(3):
        now = NOW + timedelta(days=day)
        standing = {**after_look(provider, seen, standing, now, DAY), "stage": "planned"}
        step = next_step(provider, CANCEL, seen, standing, now, DAY)
        assert (step.kind, step.side, step.stage, step.days) == ("wait", "unclear", "planned", 1.0)
        assert word in step.reason
    late = decide(provider, CANCEL, seen, standing, now=NOW + timedelta(days=3))
    assert (late.kind, late.what, late.side) == ("task", TaskKind.ASK_SUPPORT, "unclear")
    clear = {"mca": on(billing=mca(3)), "csp": on(partner=csp(3)), "azure": Observed(azure="Enabled")}.get(
        provider, on()
    )
    assert after_look(provider, clear, standing, NOW, DAY)["odd"] is None


def test_a_strange_word_keeps_the_stage_and_is_no_proof() -> None:
    """A word in between two looks that find nothing starts the hour anew."""
    gone = after_look("manual", Observed(graph="absent"), {"stage": "disabled"}, NOW, DAY)
    strange = after_look("manual", Observed(graph="??"), {**gone, "stage": "deprovisioning"}, NOW, DAY)
    assert strange["goneAt"] is None
    assert decide("manual", DELETE, Observed(graph="??"), {"stage": "disabled"}).stage == "disabled"


@pytest.mark.parametrize(
    ("provider", "seen", "standing"),
    [
        ("mca", on(None, billing=mca(autoRenew="Off", termEndDate=None)), {}),
        ("mca", off(None), {"stage": "disabled"}),
        ("csp", on(None, partner=csp(autoRenewEnabled=False, commitmentEndDate="never")), {}),
        ("trial", on(None), {}),
    ],
)
def test_no_date_is_given(provider: str, seen: Observed, standing: dict[str, Any]) -> None:
    """It says so and is looked at every day; after the longest time there is, Support is asked."""
    old = {**standing, "since": iso(-30)}
    step = decide(provider, DELETE, seen, old)
    assert (step.kind, step.days, step.due) == ("wait", 1.0, None)
    assert "no date is given" in step.reason
    stuck = decide(provider, DELETE, seen, {**standing, "since": iso(-486)})
    assert (stuck.what, stuck.side) == (TaskKind.ASK_SUPPORT, "support")


@pytest.mark.parametrize(
    ("provider", "goes"),
    [
        ("mca", lambda due: on(billing=mca(autoRenew="Off", termEndDate=iso(due)))),
        ("mca", off),
        ("csp", lambda due: on(partner=csp(autoRenewEnabled=False, commitmentEndDate=iso(due)))),
        ("trial", lambda due: Observed(graph="Warning", next_lifecycle=iso(due))),
    ],
)
@pytest.mark.parametrize(("days", "stale"), [(-1, False), (-120.9, False), (-121.1, True)])
def test_a_date_in_the_past(provider: str, goes: Any, days: float, stale: bool) -> None:
    """A date that has passed is waited for with its grace, its 90 days and a day of slack; then Support is asked."""
    step = decide(provider, DELETE, goes(days), {"since": iso(-200)})
    assert (step.kind, step.what) == (("task", TaskKind.ASK_SUPPORT) if stale else ("wait", ""))
    assert step.days > 0


@pytest.mark.parametrize(
    ("provider", "seen", "kind", "task"),
    [
        ("mca", on(billing=mca(3)), "cancel", TaskKind.CANCEL_SUBSCRIPTION),
        ("mca", on(billing=mca(3, operationStatus="LockedForUpdate")), "cancel", TaskKind.CANCEL_SUBSCRIPTION),
        ("mca", on(billing=mca()), "stop-renewal", TaskKind.TURN_OFF_RENEWAL),
        ("csp", on(partner=csp(3)), "cancel", TaskKind.ASK_PARTNER),
        ("csp", on(partner=csp()), "stop-renewal", TaskKind.ASK_PARTNER),
        ("azure", Observed(azure="Enabled"), "cancel", TaskKind.CANCEL_SUBSCRIPTION),
    ],
)
def test_a_call_that_was_accepted_and_never_shows(provider: str, seen: Observed, kind: str, task: str) -> None:
    """An operation that never ends: four days of looking, then a person is asked; the call is not made again."""
    early = decide(provider, CANCEL, seen, called(kind, ago=3.9, stage="cancel-requested"))
    assert (early.kind, early.side) == ("wait", "waiting")
    late = decide(provider, CANCEL, seen, called(kind, ago=4.1, stage="cancel-requested"))
    assert (late.kind, late.what) == ("task", task)


def test_locked_for_an_update() -> None:
    """While a write is under way nothing is called; a lock that lasts for four days is told to a person."""
    seen = on(billing=mca(3, operationStatus="LockedForUpdate"))
    assert decide("mca", CANCEL, seen).kind == "wait"
    standing = {"odd": {"what": "locked", "since": iso(-4.1)}}
    assert decide("mca", CANCEL, seen, standing).what == TaskKind.CANCEL_SUBSCRIPTION


@pytest.mark.parametrize(
    ("provider", "seen", "kind", "task"),
    [
        ("mca", on(billing=mca(3)), "cancel", TaskKind.CANCEL_SUBSCRIPTION),
        ("mca", on(billing=mca()), "stop-renewal", TaskKind.TURN_OFF_RENEWAL),
        ("csp", on(partner=csp(3)), "cancel", TaskKind.ASK_PARTNER),
        ("csp", on(partner=csp(legacy=True)), "suspend", TaskKind.ASK_PARTNER),
        ("azure", Observed(azure="Enabled"), "cancel", TaskKind.CANCEL_SUBSCRIPTION),
    ],
)
def test_a_role_is_missing(provider: str, seen: Observed, kind: str, task: str) -> None:
    """403 on a write asks a person with the reason; once somebody has reported, it is tried once more."""
    refused = called(kind, 403, ago=1, code="AuthorizationFailed")
    step = decide(provider, CANCEL, seen, refused)
    assert (step.kind, step.what, step.side) == ("task", task, "manual")
    assert "AuthorizationFailed" in step.reason
    again = decide(provider, CANCEL, seen, {**refused, **told(task, ago=0.5), "since": iso(-1)})
    assert (again.kind, again.what) == ("call", kind)
    twice = called(kind, 403, ago=0.4, code="AuthorizationFailed")
    assert decide(provider, CANCEL, seen, {**twice, **told(task, ago=0.5)}).kind == "task"


def test_resources_may_be_gone_the_next_day() -> None:
    """Azure alone knows whether resources are left: it is asked once more a day later, and not before."""
    seen, why = Observed(azure="Enabled"), {"code": "ResourcesExistingOnSubscription"}
    assert decide("azure", CANCEL, seen, called("cancel", 400, ago=0.9, **why)).what == TaskKind.EMPTY_AZURE
    again = decide("azure", CANCEL, seen, called("cancel", 400, ago=1.1, **why))
    assert (again.kind, again.what) == ("call", "cancel")
    other = decide("azure", CANCEL, seen, called("cancel", 400, ago=30, code="Forbidden"))
    assert (other.kind, other.what) == ("task", TaskKind.CANCEL_SUBSCRIPTION)


@pytest.mark.parametrize(
    ("row", "task"),
    [(mca(3, allowed=False), TaskKind.CANCEL_SUBSCRIPTION), (mca(allowed=None), TaskKind.TURN_OFF_RENEWAL)],
)
def test_a_billing_account_that_is_not_on_the_list(row: dict[str, Any], task: str) -> None:
    """Nothing of it is ever called; a person is told why. What does not renew anyway is waited for."""
    step = decide("mca", CANCEL, on(billing=row))
    assert (step.kind, step.what) == ("task", task)
    assert "list" in step.reason
    reported = decide("mca", CANCEL, on(billing=row), told(task, ago=1))
    assert reported.kind == "task"
    assert decide("mca", CANCEL, on(billing={**row, "autoRenew": "Off"})).kind == "done"


@pytest.mark.parametrize(
    ("provider", "seen", "kind", "stage"),
    [
        ("manual", on(), TaskKind.CANCEL_SUBSCRIPTION, "planned"),
        ("manual", off(), TaskKind.DELETE_SUBSCRIPTION, "disabled"),
        ("azure", Observed(azure="Disabled"), TaskKind.DELETE_AZURE, "disabled"),
        ("free", on(), TaskKind.DELETE_FREE_PRODUCT, "planned"),
        ("self-service", on(), TaskKind.TAKE_CONTROL, "planned"),
    ],
)
def test_reported_done_before_it_is_done(provider: str, seen: Observed, kind: str, stage: str) -> None:
    """A report proves nothing: the task stays open, named as reported, and after 96 hours goes to Support as well."""
    since = iso(-20) if stage == "disabled" else None
    early = decide(provider, DELETE, seen, told(kind, ago=1, stage=stage, disabledAt=since))
    assert (early.kind, early.what) == ("task", kind)
    assert early.stage == ("delete-requested" if stage == "disabled" else "cancel-requested")
    assert "kim@fabrikam.com" in early.reason
    late = decide(provider, DELETE, seen, told(kind, ago=4.1, stage=early.stage, disabledAt=since))
    assert (late.what, late.side, late.keeps) == (TaskKind.ASK_SUPPORT, "support", (kind,))


@pytest.mark.parametrize(
    ("provider", "ended", "seen", "first"),
    [
        ("mca", off(), on(billing=mca(30)), "cancel"),
        ("mca", on(billing=mca(autoRenew="Off")), on(billing=mca()), "stop-renewal"),
        ("csp", Observed(graph="Deleted"), on(partner=csp(30)), "cancel"),
        ("azure", Observed(azure="Disabled"), Observed(azure="Enabled"), "cancel"),
        ("manual", off(), on(), TaskKind.CANCEL_SUBSCRIPTION),
    ],
)
def test_a_row_that_flips_back(provider: str, ended: Observed, seen: Observed, first: str) -> None:
    """Enabled again after it was ended: named with its date, ended again by the same route twice, then Support's."""
    standing: dict[str, Any] = called(first, stage="cancel-requested", ago=1)
    now = NOW
    for flip in range(FLIPS + 1):
        now += timedelta(days=1)
        standing = _round(provider, ended, standing, now)[0]
        now += timedelta(days=1)
        standing, step = _round(provider, seen, standing, now)
        assert standing["flips"] == flip + 1
        if flip < FLIPS:
            assert step.what == first
            assert f"Enabled again since {now.isoformat()}" in step.reason
    assert (step.kind, step.what, step.side) == ("task", TaskKind.ASK_SUPPORT, "support")


def test_a_row_that_keeps_flipping_is_not_deleted_at_once_either() -> None:
    """Disabled for now after it came back too often: no call is made any more, whatever the request allows."""
    standing = {**called("cancel", stage="cancelled", ago=1), "flips": FLIPS + 1, "disabledAt": NOW.isoformat()}
    off_now = Observed(azure="Disabled", quota="PayAsYouGo_2014-09-01")

    steps = [
        next_step("azure", DELETE, off_now, {**standing, "flips": flips}, NOW, DAY, delete_at_once=True)
        for flips in (FLIPS, FLIPS + 1)
    ]

    assert [("call", "delete"), "task"] == [(steps[0].kind, steps[0].what), steps[1].kind]


def _round(provider: str, seen: Observed, standing: dict[str, Any], now: Any) -> tuple[dict[str, Any], Step]:
    remembered = after_look(provider, seen, standing, now, DAY)
    step = next_step(provider, DELETE, seen, remembered, now, DAY)
    if step.kind == "call":
        call = {"refused": False, "why": "", "status": 202, "code": "", "at": now.isoformat()}
        remembered = {**remembered, "calls": {**remembered["calls"], step.what: call}}
    return {**remembered, "stage": step.stage}, step


def test_no_access_after_it_was_seen_off_is_no_flip() -> None:
    """When the seller's view is lost, what it last showed holds until Graph's date moves on."""
    seen_off = after_look("mca", on(200, billing=mca(autoRenew="Off")), {"stage": "planned"}, NOW, DAY)
    blind = on(200, no_access="403")
    step = decide("mca", DELETE, blind, {**seen_off, "stage": "non-renewing"})
    assert (step.kind, step.stage) == ("wait", "non-renewing")
    renewed = decide("mca", DELETE, on(565, no_access="403"), {**seen_off, "stage": "non-renewing"})
    assert (renewed.kind, renewed.what) == ("task", TaskKind.TURN_OFF_RENEWAL)


def test_a_stage_of_an_older_version_is_read_as_planned() -> None:
    """A standing with a word this version does not know neither crashes nor counts."""
    assert decide("manual", CANCEL, on(), {"stage": "renewal-off-requested"}).stage == "planned"


@pytest.mark.parametrize("provider", ["manual", "self-service", "free", "support", "disputed", "trial"])
def test_what_only_people_end_is_never_called(provider: str) -> None:
    """Whatever billing and the partner show beside it."""
    for seen in (on(billing=mca(3), partner=csp(3)), off(billing=mca(3)), on(-3, billing=mca(3))):
        assert decide(provider, DELETE, seen, delete_at_once=True).kind != "call"
