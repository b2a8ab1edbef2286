"""Who can clear a subscription, a user or an application that is left, and whether only time is missing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tenantclosure.model.inventory import Item
from tenantclosure.policy.obstacles import CLOSURE, LONGEST, Obstacle, of_objects, of_planned, of_subscription
from tenantclosure.policy.selling import Provider
from tests.policy.bought import NOW, iso

SUB = Item("s1", "E5", {"provider": "manual", "why": "sold directly", "skuPartNumber": "SPE_E5"})


def task(kind: str = "cancel-subscription", *, reported: bool = False, **members: Any) -> dict[str, Any]:
    reports = [{"at": iso(-1), "by": {"upn": "ann"}}] if reported else []
    return {"taskId": f"{kind}-s1", "kind": kind, "who": "Bill", "title": "End it", "reports": reports, **members}


@pytest.mark.parametrize(
    ("standing", "tasks", "waits", "earliest", "owner"),
    [
        ({"stage": "planned", "side": "manual"}, [task()], False, None, "Bill"),
        ({"stage": "planned", "side": "manual"}, [task(reported=True)], True, iso(2), "Bill"),
        ({"stage": "planned", "side": "manual"}, [], False, None, "Billing Administrator"),
        ({"stage": "cancel-requested", "side": "waiting"}, [], True, iso(2), "time alone"),
        ({"stage": "cancel-requested", "side": "manual"}, [task()], False, None, "Bill"),
        ({"stage": "non-renewing", "side": "waiting", "dueAt": iso(30)}, [], True, iso(30), None),
        (
            {"stage": "non-renewing", "side": "waiting", "dueAt": iso(30), "earliest": iso(150)},
            [],
            True,
            iso(150),
            None,
        ),
        ({"stage": "disabled", "side": "manual", "dueAt": iso(90)}, [task()], True, iso(90), "Bill"),
        ({"stage": "disabled", "side": "manual"}, [task()], False, None, "Bill"),
        ({"stage": "disabled", "side": "support", "dueAt": iso(-200)}, [task("ask-support")], False, None, "Bill"),
        ({"stage": "disabled", "side": "support"}, [], False, None, "Microsoft Support"),
        ({"stage": "planned", "side": "unclear"}, [], True, iso(2), None),
        ({"stage": "planned", "side": "unclear"}, [task("ask-support")], False, None, "Bill"),
        ({"stage": "deprovisioning", "side": "waiting"}, [], True, iso(2), None),
        ({"stage": "a word from elsewhere", "side": "odd"}, [], True, iso(2), None),
        ({"stage": "non-renewing", "side": "waiting", "dueAt": "soon", "earliest": 5}, [], True, iso(2), None),
    ],
)
def test_where_a_subscription_stands(
    standing: dict[str, Any], tasks: list[dict[str, Any]], waits: bool, earliest: str | None, owner: str | None
) -> None:
    """A person who was asked and has not reported is needed; a date, an answer or a look is only waited for."""
    found = of_subscription(SUB, {"nextAt": iso(2), **standing}, tasks, NOW)
    assert (found.waits, found.earliest) == (waits, earliest)
    assert found.owner == (owner or found.owner)
    assert found.owner and found.remedy
    assert found.task == (tasks[0]["taskId"] if tasks else None)


def test_support_s_task_counts_where_support_is_waited_for() -> None:
    """Of two open tasks the page names the one that matters now."""
    tasks = [task("delete-subscription"), task("ask-support", who="Support")]
    asked = of_subscription(SUB, {"stage": "delete-requested", "side": "support"}, tasks, NOW)
    before = of_subscription(SUB, {"stage": "disabled", "side": "manual"}, tasks, NOW)
    assert (asked.task, before.task) == ("ask-support-s1", "delete-subscription-s1")


def test_without_any_standing_it_waits_for_its_first_look() -> None:
    """What nobody has looked at yet has the time of this look and the plan's reason."""
    found = of_subscription(SUB, {}, [], NOW)
    assert (found.waits, found.name, found.cause, found.product) == (True, "E5", "sold directly", "SPE_E5")
    assert datetime.fromisoformat(str(found.earliest)) == NOW


@pytest.mark.parametrize("provider", [*map(str, Provider), "another", ""])
def test_a_planned_subscription_says_who_will_end_it(provider: str) -> None:
    """Each way of buying has an owner and a remedy; only with a date that can be read it waits for that."""
    facts = {"provider": provider, "why": "because"}
    dated = of_planned(Item("s", "E5", {**facts, "earliest": iso(30)}))
    odd = of_planned(Item("s", "", {**facts, "earliest": "when it is over"}))
    assert (dated.waits, dated.earliest, odd.waits, odd.earliest, odd.name) == (True, iso(30), False, None, "s")
    assert dated.owner and dated.remedy
    assert (dated.owner == CLOSURE) is (provider in ("azure", "csp", "mca"))


def test_a_task_names_what_it_is_about() -> None:
    """Users in a task's list, by name or by name and address, are that task's to clear; the others are nobody's yet."""
    users = [
        Item("1", "Ada", {"upn": "ada@x.com"}),
        Item("2", "Bo", {"upn": "bo@x.com"}),
        Item("3", "Cy", {"upn": "cy@x.com"}),
    ]
    release = task("release-users", items=["Ada", "Bo (bo@x.com)"], target="restricted", why="restricted")
    found = of_objects(users, [release])
    assert [one.task for one in found] == ["release-users-s1", "release-users-s1", None]
    assert (found[0].owner, found[0].cause, found[2].owner) == ("Bill", "restricted", "")
    (application,) = of_objects([Item("app", "Portal")], [task("remove-application", target="app")])
    assert application.task == "remove-application-s1"


def test_a_record_holds_no_endless_text() -> None:
    """What lies in Records is cut, and what is empty is left out."""
    kept = Obstacle("x" * 9999, "1", cause="y" * 9999).to_dict()
    assert kept == {"name": "x" * LONGEST, "id": "1", "cause": "y" * LONGEST}
