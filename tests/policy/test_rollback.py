"""What is ours to undo, and what of it can be undone: decided from evidence and a fresh look."""

from __future__ import annotations

from typing import Any

import pytest

from tenantclosure.errors import RailBroken
from tenantclosure.model.inventory import Item
from tenantclosure.names import Family, Gate, Outcome, Rail
from tenantclosure.policy import rails, rollback
from tenantclosure.policy.rollback import Look, Ours, of_subscription

A, B, C, D = (Item(id_, id_.upper(), {"enabled": True}) for id_ in "abcd")
ITEMS = {item.id: item for item in (A, B, C, D)}
ACCEPTED: dict[str, Any] = {"refused": False}
REFUSED: dict[str, Any] = {"refused": True}


# -- evidence ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("outcome", "ours"),
    [
        (Outcome.REMOVED, True),
        (Outcome.FAILED, True),
        (Outcome.ABSENT, False),
        (Outcome.REFUSED, False),
        (Outcome.KEPT, False),
    ],
)
def test_only_what_we_removed_or_may_have_removed_is_ours(outcome: str, ours: bool) -> None:
    """What was gone before us, or stayed, is not; what failed without an answer may be, and the bin tells."""
    found = Ours()
    found.replay("delete", ITEMS, {"a": outcome}, ())

    assert ours == ("a" in found.removed)


def test_a_write_without_an_answer_is_ours() -> None:
    """Sent and never answered: the recycle bin tells whether it worked."""
    found = Ours()
    found.replay("delete", ITEMS, {}, ["b"])
    found.replay("block", ITEMS, {}, ["c"])

    assert ({"b": B}, {"c": C}) == (found.removed, found.blocked)


def test_what_a_rollback_brought_back_is_ours_no_more() -> None:
    """An earlier rollback is part of the evidence; what it could not restore still is."""
    found = Ours()
    found.replay("block", ITEMS, dict.fromkeys("ab", Outcome.REMOVED), ())
    found.replay("delete", ITEMS, dict.fromkeys("ab", Outcome.REMOVED), ())
    found.replay("restore", ITEMS, {"a": Outcome.RESTORED, "b": Outcome.REFUSED}, ())
    found.replay("enable", ITEMS, {"a": Outcome.RESTORED, "b": Outcome.ABSENT}, ())

    assert (["b"], ["b"]) == (list(found.removed), list(found.blocked))


def test_the_first_plan_says_whether_somebody_could_sign_in() -> None:
    """A later survey sees our own block; it must not look as if the user had been disabled before us."""
    found = Ours()
    found.replay("block", {"a": A}, {"a": Outcome.REMOVED}, ())
    found.replay("block", {"a": Item("a", "A", {"enabled": False})}, {"a": Outcome.REMOVED}, ())

    assert [A] == rollback.let_in(found.blocked, {"a"})


def test_enterprise_applications_that_went_with_our_registrations_are_ours() -> None:
    """Only those of a registration that we removed; one without an appId never matches."""
    own, other, none = (Item(id_, id_, {"appId": app}) for id_, app in (("s1", "app-1"), ("s2", "app-2"), ("s3", None)))
    found = Ours()
    found.replay("delete", {i.id: i for i in (own, other, none)}, dict.fromkeys(("s1", "s2", "s3"), Outcome.ABSENT), ())
    found.with_registrations({"r": Item("r", "r", {"appId": "app-1"}), "q": Item("q", "q", {"appId": None})})

    assert ["s1"] == list(found.removed)


def test_the_recycle_bin_decides() -> None:
    """Deleted comes back, gone is told, present needs nothing."""
    removed = {"a": A, "b": B, "c": C}
    back, lost = rollback.sorted_out("users", removed, {"a": "deleted", "b": "gone", "c": "present"})

    assert ([A], [("users", "b", "B", rollback.GONE)]) == (back, [tuple(entry.values()) for entry in lost])


def test_who_may_sign_in_again() -> None:
    """Blocked by us, able to before, there or about to be, and still blocked."""
    could_not = Item("d", "D", {"enabled": False})
    blocked = {"a": A, "b": B, "c": C, "d": could_not, "e": Item("e", "E", {"enabled": True})}
    found = rollback.let_in(blocked, {"a", "b", "d"})

    assert [A, B] == found


# -- subscriptions ----------------------------------------------------------------------------------------------------
def sub(provider: str, **facts: Any) -> Item:
    return Item("s", "S", {"provider": provider, "status": "Enabled", **facts})


STOPPED = {"calls": {"stop-renewal": ACCEPTED}}
CANCELLED = {"calls": {"cancel": ACCEPTED}}


@pytest.mark.parametrize(
    ("provider", "standing", "look", "expected"),
    [
        ("mca", STOPPED, Look("Enabled", billing={"autoRenew": "Off"}), ("start-renewal", "")),
        ("mca", STOPPED, Look("", billing={"autoRenew": "Off"}), ("start-renewal", "")),
        ("mca", STOPPED, Look("Enabled", billing={"autoRenew": "On"}), ("", "")),
        ("mca", STOPPED, Look("Enabled"), ("", rollback.UNSEEN)),
        ("mca", STOPPED, Look("Deleted"), ("", rollback.DELETED)),
        ("mca", STOPPED, Look("Suspended"), ("", rollback.SUSPENDED)),
        ("mca", CANCELLED, Look("Suspended", billing={"autoRenew": "Off"}), ("", rollback.CANCELLED)),
        ("mca", {"calls": {"stop-renewal": REFUSED}}, Look("Enabled", billing={"autoRenew": "Off"}), ("", "")),
        ("mca", {}, Look("Enabled", billing={"autoRenew": "Off"}), ("", "")),
        ("csp", STOPPED, Look("Enabled", partner={"autoRenewEnabled": False}), ("start-renewal", "")),
        ("csp", STOPPED, Look("Enabled", partner={"autoRenewEnabled": True}), ("", "")),
        ("csp", STOPPED, Look("Enabled"), ("", rollback.UNSEEN)),
        ("csp", {"calls": {"suspend": ACCEPTED}}, Look("Suspended"), ("", rollback.CANCELLED)),
        ("manual", {}, Look("Enabled", by_hand=True), ("", rollback.BY_HAND)),
        ("manual", {}, Look("absent"), ("", rollback.DELETED)),
        ("manual", {}, Look("Enabled"), ("", "")),
        ("self-service", {}, Look("absent"), ("", rollback.PRODUCT)),
        ("free", {}, Look("Deleted"), ("", rollback.PRODUCT)),
        ("azure", CANCELLED, Look(azure="Disabled"), ("enable-azure", "")),
        ("azure", CANCELLED, Look(azure="Enabled"), ("", "")),
        ("azure", CANCELLED, Look(azure="PastDue"), ("", "")),
        ("azure", CANCELLED, Look(azure="Deleted"), ("", rollback.DELETED)),
        ("azure", {"calls": {"cancel": REFUSED}}, Look(azure="Disabled"), ("", "")),
        ("azure", {}, Look(azure="Disabled"), ("", "")),
    ],
)
def test_what_undoes_the_end_of_a_subscription(
    provider: str, standing: dict[str, Any], look: Look, expected: tuple[str, str]
) -> None:
    """Only what we ourselves did is taken back; what cannot be, or was a person's, is told."""
    assert expected == of_subscription(sub(provider), standing, look)


@pytest.mark.parametrize(
    ("item", "look"),
    [
        (sub("manual", status="Deleted"), Look("Deleted")),
        (sub("manual", status="Suspended"), Look("Suspended")),
        (sub("azure", state="Deleted"), Look(azure="Deleted")),
    ],
)
def test_what_was_so_before_us_is_no_loss(item: Item, look: Look) -> None:
    """A subscription that was deleted or suspended when it was planned is not told as our doing."""
    assert ("", "") == of_subscription(item, {}, look)


def test_azure_in_a_state_nobody_knows_is_told() -> None:
    """Neither enabled nor plainly disabled: nothing is called, and the state is named."""
    what, why = of_subscription(sub("azure"), CANCELLED, Look(azure="Expired"))

    assert ("", True) == (what, "Expired" in why)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"provider": "azure", "azureId": "az"}, "az"),
        ({"provider": "mca", "armId": "/arm"}, "/arm"),
        ({"provider": "csp", "partnerId": "p", "commerceSubscriptionId": "c"}, "p"),
        ({"provider": "csp", "commerceSubscriptionId": "c"}, "c"),
        ({"provider": "azure"}, "s"),
    ],
)
def test_what_its_seller_calls_it(facts: dict[str, Any], expected: str) -> None:
    """Each seller has its own name for a subscription."""
    assert expected == rollback.target(Item("s", "S", facts))


def test_putting_the_freeze_back_needs_nobody() -> None:
    """Every end does it: it makes no item, so that it alone asks nobody."""
    empty = {family: {"count": 0} for family, _ in rollback.WAVES}
    assert 0 == rollback.items({"families": empty, "others": [rollback.UNDO_FREEZE]})

    other = rollback.other("start-renewal", sub("mca", armId="/arm"))
    assert 3 == rollback.items({"families": {**empty, "users": {"count": 2}}, "others": [rollback.UNDO_FREEZE, other]})


@pytest.mark.parametrize(
    ("row", "serial"),
    [
        ({"planSerial": 1, "digest": "d", "planned": {"users": 3}}, 1),
        ({"planSerial": 2, "digest": None}, 1),
        ({"planSerial": 1, "digest": None}, 1),
        ({"planSerial": 4, "digest": "r", "rollback": {"plan": {"serial": 2, "digest": "d", "families": {}}}}, 2),
    ],
)
def test_the_plan_of_what_was_removed_is_remembered(row: dict[str, Any], serial: int) -> None:
    """Rollbacks take serials of their own; what the closure removed stays the plan before the first of them."""
    assert serial == rollback.plan_before(row)["serial"]


# -- the rail ---------------------------------------------------------------------------------------------------------
BACK, AWAY = {"kind": rollback.KIND}, {"families": {}}


@pytest.mark.parametrize(
    ("manifest", "gate", "operation"),
    [
        (BACK, Gate.ROLLBACK, "restore"),
        (BACK, Gate.ROLLBACK, "enable"),
        (BACK, Gate.ROLLBACK, ""),
        (AWAY, Gate.PLAN, "delete"),
        (AWAY, Gate.PLAN, "block"),
        (AWAY, Gate.DELETE_TENANT, ""),
    ],
)
def test_each_kind_of_plan_under_its_gate(manifest: dict[str, Any], gate: str, operation: str) -> None:
    """What the two kinds of plans are for."""
    rails.check_plan_kind(manifest, gate, operation)


@pytest.mark.parametrize(
    ("manifest", "gate", "operation"),
    [
        (BACK, Gate.PLAN, "restore"),
        (BACK, Gate.PLAN, "delete"),
        (BACK, Gate.DELETE_TENANT, ""),
        (BACK, Gate.ROLLBACK, "delete"),
        (BACK, Gate.ROLLBACK, "block"),
        (AWAY, Gate.ROLLBACK, "restore"),
        (AWAY, Gate.ROLLBACK, ""),
        (AWAY, Gate.PLAN, "restore"),
        (AWAY, Gate.PLAN, "enable"),
        ({"kind": "other"}, Gate.ROLLBACK, "restore"),
    ],
)
def test_the_kinds_are_not_mixed_up(manifest: dict[str, Any], gate: str, operation: str) -> None:
    """Nothing is deleted under a rollback, nothing restored under another gate."""
    with pytest.raises(RailBroken, match=f"^{Rail.APPROVAL}: "):
        rails.check_plan_kind(manifest, gate, operation)


def test_families_with_a_recycle_bin_come_before_what_depends_on_them() -> None:
    """Accounts before sign-in, registrations before enterprise applications."""
    order = [family for family, _ in rollback.WAVES]

    assert order.index(Family.USERS) < order.index(rollback.USERS_ENABLED)
    assert order.index(Family.APPLICATIONS) < order.index(Family.SERVICE_PRINCIPALS)
