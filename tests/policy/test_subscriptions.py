"""One subscription from Enabled to Deleted: a table of every kind, inside and outside its window."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tenantclosure.names import TaskKind
from tenantclosure.policy.selling import Observed, Provider, Sign
from tenantclosure.policy.stages import TRANSITIONS, Goal, Stage
from tenantclosure.policy.subscriptions import CALLING
from tests.policy.bought import DAY, NOW, called, csp, decide, iso, mca, off, on, told

CANCEL, DELETE = Goal.CANCELLED, Goal.DELETED
PLANNED, ASKED, ENDING, OFF = "planned", "cancel-requested", "non-renewing", "disabled"
LOCKED = Observed(graph="LockedOut")
BOTH = {"graph": "Deleted", "azure": "Enabled"}
AZURE, AZURE_OFF = Observed(azure="Enabled"), Observed(azure="Disabled", quota="PayAsYouGo_2014-09-01")
RESOURCES = {"status": 400, "code": "ResourcesExistingOnSubscription"}
TABLE = [
    # provider, goal, seen, standing -> kind, stage, what, side
    ("manual", CANCEL, on(), {}, "task", PLANNED, TaskKind.CANCEL_SUBSCRIPTION, "manual"),
    ("manual", CANCEL, Observed(graph="Warning"), {}, "task", PLANNED, TaskKind.CANCEL_SUBSCRIPTION, "manual"),
    ("manual", CANCEL, off(), {}, "done", OFF, "", ""),
    ("manual", DELETE, off(), {}, "task", OFF, TaskKind.DELETE_SUBSCRIPTION, "manual"),
    ("manual", CANCEL, LOCKED, {}, "done", OFF, "", ""),
    ("manual", DELETE, LOCKED, {}, "task", OFF, TaskKind.ASK_SUPPORT, "support"),
    ("support", CANCEL, LOCKED, {}, "task", OFF, TaskKind.ASK_SUPPORT, "support"),
    ("support", CANCEL, on(), {}, "task", PLANNED, TaskKind.ASK_SUPPORT, "support"),
    ("disputed", CANCEL, on(billing=mca(3)), {}, "task", PLANNED, TaskKind.FIND_SELLER, "manual"),
    ("disputed", DELETE, off(), {}, "task", OFF, TaskKind.FIND_SELLER, "manual"),
    ("mca", CANCEL, on(billing=mca(3)), {}, "call", PLANNED, "cancel", ""),
    ("mca", CANCEL, on(billing=mca(3, cancellationAllowedEndDate=None)), {}, "call", PLANNED, "cancel", ""),
    ("mca", CANCEL, on(billing=mca(-1)), {}, "call", PLANNED, "stop-renewal", ""),
    ("mca", CANCEL, on(billing=mca(3, cancellation="NotAllowed")), {}, "call", PLANNED, "stop-renewal", ""),
    ("mca", CANCEL, on(billing=mca(3, autoRenew="Off")), {}, "call", PLANNED, "cancel", ""),
    ("mca", CANCEL, on(billing=mca(autoRenew="Off")), {}, "done", ENDING, "", "waiting"),
    ("mca", DELETE, on(billing=mca(autoRenew="Off")), {}, "wait", ENDING, "", "waiting"),
    ("mca", CANCEL, on(billing=mca(3)), called("cancel"), "wait", ASKED, "", "waiting"),
    ("mca", CANCEL, on(billing=mca(3)), called("cancel", 404), "wait", ASKED, "", "waiting"),
    ("mca", CANCEL, on(billing=mca(3)), called("cancel", 400), "call", PLANNED, "stop-renewal", ""),
    ("mca", CANCEL, on(billing=mca()), called("stop-renewal"), "wait", ASKED, "", "waiting"),
    ("mca", CANCEL, on(billing=mca(3, status="Cancelled")), {}, "wait", ASKED, "", "waiting"),
    ("mca", DELETE, off(), {}, "wait", OFF, "", "waiting"),
    ("mca", DELETE, LOCKED, {}, "task", OFF, TaskKind.ASK_SUPPORT, "support"),
    ("csp", CANCEL, on(partner=csp(3)), {}, "call", PLANNED, "cancel", ""),
    ("csp", CANCEL, on(partner=csp(-1)), {}, "call", PLANNED, "stop-renewal", ""),
    ("csp", CANCEL, on(partner=csp()), {}, "call", PLANNED, "stop-renewal", ""),
    ("csp", CANCEL, on(partner=csp(legacy=True)), {}, "call", PLANNED, "suspend", ""),
    ("csp", CANCEL, on(partner=csp(legacy=True)), called("suspend", 200), "wait", ASKED, "", "waiting"),
    ("csp", CANCEL, off(partner=csp(legacy=True, status="suspended")), {}, "done", OFF, "", ""),
    ("csp", CANCEL, off(partner=csp(3, status="suspended")), {}, "call", PLANNED, "stop-renewal", ""),
    ("csp", CANCEL, on(partner=csp(autoRenewEnabled=False)), {}, "done", ENDING, "", "waiting"),
    ("csp", DELETE, on(partner=csp(autoRenewEnabled=False)), {}, "wait", ENDING, "", "waiting"),
    ("csp", CANCEL, on(partner=csp(billingType="usage")), {}, "task", PLANNED, TaskKind.ASK_PARTNER, "manual"),
    ("csp", DELETE, off(), {}, "wait", OFF, "", "waiting"),
    ("trial", CANCEL, on(10), {}, "done", ENDING, "", "waiting"),
    ("trial", DELETE, on(10), {}, "wait", ENDING, "", "waiting"),
    ("trial", CANCEL, on(-0.5), {}, "done", ENDING, "", "waiting"),
    ("trial", CANCEL, on(-2), {}, "task", PLANNED, TaskKind.TURN_OFF_RENEWAL, "manual"),
    ("trial", DELETE, off(), {}, "task", OFF, TaskKind.DELETE_SUBSCRIPTION, "manual"),
    ("free", CANCEL, on(None), {}, "task", PLANNED, TaskKind.DELETE_FREE_PRODUCT, "manual"),
    ("free", DELETE, off(), {}, "task", OFF, TaskKind.DELETE_FREE_PRODUCT, "manual"),
    ("self-service", CANCEL, on(), {}, "task", PLANNED, TaskKind.TAKE_CONTROL, "manual"),
    ("self-service", DELETE, off(), {}, "task", OFF, TaskKind.DELETE_SUBSCRIPTION, "manual"),
    ("azure", CANCEL, AZURE, {}, "call", PLANNED, "cancel", ""),
    ("azure", CANCEL, AZURE, called("cancel", 200), "wait", ASKED, "", "waiting"),
    ("azure", CANCEL, Observed(azure="Warned"), called("cancel", 200), "done", OFF, "", ""),
    ("azure", CANCEL, AZURE, called("cancel", **RESOURCES), "task", PLANNED, TaskKind.EMPTY_AZURE, "manual"),
    ("azure", CANCEL, AZURE_OFF, {}, "done", OFF, "", ""),
    ("azure", DELETE, Observed(**BOTH), {}, "call", PLANNED, "cancel", ""),
    ("azure", DELETE, Observed(graph="Enabled", azure="Deleted"), called("cancel"), "wait", ASKED, "", "waiting"),
    ("azure", DELETE, AZURE_OFF, {}, "task", OFF, TaskKind.DELETE_AZURE, "manual"),
    ("azure", DELETE, Observed(azure="Disabled", quota="AAD_2015-09-01"), {}, "wait", OFF, "", "waiting"),
    ("azure", DELETE, Observed(azure="Disabled", quota="Sponsored_2016-01-01"), {}, "wait", OFF, "", "waiting"),
]


@pytest.mark.parametrize(("provider", "goal", "seen", "standing", "kind", "stage", "what", "side"), TABLE)
def test_next_step(
    provider: str, goal: str, seen: Observed, standing: dict[str, Any], kind: str, stage: str, what: str, side: str
) -> None:
    """Each kind of subscription goes its documented way; whatever is not done comes round again, with a reason."""
    step = decide(provider, goal, seen, standing)
    assert (step.kind, step.stage, step.what, step.side) == (kind, stage, what, side)
    assert step.kind in ("done", "call") or step.days > 0
    assert step.kind == "call" or step.reason
    assert step.parked == (kind in ("task", "wait"))


def test_the_table_of_transitions_is_whole() -> None:
    """Every stage knows every sign; only from `deprovisioning` on does a second look lead to `deprovisioned`."""
    assert {stage: set(row) for stage, row in TRANSITIONS.items()} == {stage: set(Sign) for stage in Stage}
    proven = {stage for stage, row in TRANSITIONS.items() if Stage.DEPROVISIONED in row.values()}
    assert proven == {Stage.DEPROVISIONING, Stage.DEPROVISIONED}
    assert {p for p in Provider if p in CALLING} == {"azure", "mca", "csp"}


@pytest.mark.parametrize("provider", ["mca", "csp"])
def test_the_window_s_last_moment_counts_and_a_date_without_zone_means_utc(provider: str) -> None:
    """A window that ends now is open; some APIs leave out the zone."""
    last = NOW.replace(tzinfo=None).isoformat()
    sides = {
        "mca": on(billing=mca(0, cancellationAllowedEndDate=last)),
        "csp": on(partner=csp(cancellationAllowedUntilDate=last)),
    }
    seen = sides[provider]
    assert decide(provider, CANCEL, seen).what == "cancel"
    assert decide(provider, CANCEL, seen, now=NOW + timedelta(seconds=1)).what == "stop-renewal"


def test_a_waiting_one_names_its_date() -> None:
    """What goes by itself tells the date it goes on: the term's end, the end of being disabled, 90 days for Azure."""
    assert decide("mca", DELETE, on(billing=mca(autoRenew="Off", termEndDate=iso(90)))).due == iso(90)
    assert decide("csp", DELETE, off(17)).due == iso(17)
    azure = Observed(azure="Disabled", quota="AAD_2015-09-01")
    assert decide("azure", DELETE, azure, {"stage": OFF, "disabledAt": iso(-30)}).due == iso(60)


@pytest.mark.parametrize(("licences", "named"), [(25, False), (26, True), (None, False)])
def test_more_than_25_licences_are_named(licences: int | None, named: bool) -> None:
    """Above 25 licences nobody can cancel an old agreement before they are reduced: the task says so."""
    assert ("licences" in decide("manual", CANCEL, on(licences=licences)).reason) == named


@pytest.mark.parametrize("choice", [True, False])
def test_azure_is_deleted_at_once_only_where_that_was_approved(choice: bool) -> None:
    """The undocumented deletion is called once; accepted or not, only the state proves it, and a person is asked."""
    first = decide("azure", DELETE, AZURE_OFF, {"stage": OFF}, delete_at_once=choice)
    assert (first.kind, first.what) == (("call", "delete") if choice else ("task", TaskKind.DELETE_AZURE))
    accepted = called("delete", 200, stage=OFF, disabledAt=iso(-1))
    step = decide("azure", DELETE, AZURE_OFF, accepted, delete_at_once=choice)
    assert (step.kind, step.stage) == ("wait", "delete-requested")
    late = called("delete", 200, ago=5, stage="delete-requested", disabledAt=iso(-6))
    assert decide("azure", DELETE, AZURE_OFF, late, delete_at_once=choice).what == TaskKind.DELETE_AZURE
    refused = called("delete", 400, stage=OFF, disabledAt=iso(-1))
    assert decide("azure", DELETE, AZURE_OFF, refused, delete_at_once=choice).what == TaskKind.DELETE_AZURE


def test_two_looks_an_hour_apart_prove_it() -> None:
    """Gone counts only once it was seen gone an hour before, and only through the stage between."""
    gone = Observed(graph="absent")
    first = decide("manual", DELETE, gone, {"stage": OFF})
    assert (first.kind, first.stage) == ("wait", "deprovisioning")
    standing = {"stage": "deprovisioning", "goneAt": iso(-1 / 25)}
    assert decide("manual", DELETE, gone, standing).kind == "wait"
    standing["goneAt"] = iso(-1 / 24)
    assert (decide("manual", DELETE, gone, standing).kind, DAY) == ("done", 86400)
    assert decide("manual", DELETE, gone, {"stage": OFF, "goneAt": iso(-1)}).stage == "deprovisioning"


@pytest.mark.parametrize(
    ("provider", "seen", "kind"),
    [
        ("mca", on(no_access="403 at its billing account"), TaskKind.TURN_OFF_RENEWAL),
        ("csp", on(no_access="no partner is configured"), TaskKind.ASK_PARTNER),
        ("trial", on(-3), TaskKind.TURN_OFF_RENEWAL),
    ],
)
def test_a_person_s_word_counts_only_where_no_api_shows_renewal(provider: str, seen: Observed, kind: str) -> None:
    """Without a view of renewal a report makes it non-renewing, with name and time; gone it is only when Graph says."""
    asked = decide(provider, CANCEL, seen)
    assert (asked.what, asked.attestable) == (kind, True)
    attested = decide(provider, CANCEL, seen, told(kind, ago=1))
    assert (attested.kind, attested.stage) == ("done", ENDING)
    waiting = decide(provider, DELETE, seen, told(kind, ago=1))
    assert (waiting.kind, waiting.due) == ("wait", seen.next_lifecycle)
    visible = decide("mca", CANCEL, on(billing=mca()), told(TaskKind.TURN_OFF_RENEWAL, ago=1))
    assert visible.kind == "call"


def test_an_attestation_is_over_once_it_has_renewed() -> None:
    """Graph's date moved on although renewal was attested off: the person is asked again, and an old report is none."""
    blind = {"no_access": "no partner is configured"}
    standing = told(TaskKind.ASK_PARTNER, ago=30, stage=ENDING, renewal={"at": iso(-30), "due": iso(-1), "by": "kim"})
    step = decide("csp", CANCEL, on(364, **blind), standing)
    assert (step.kind, step.what, step.stage) == ("task", TaskKind.ASK_PARTNER, PLANNED)
