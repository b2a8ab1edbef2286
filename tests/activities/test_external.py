"""Azure deletes an external tenant: rails before it, one DELETE, answers that get lost, refusals, a day's patience."""

from __future__ import annotations

from typing import Any

import pytest

import activities
from activities.external import OURS_LEFT, SENT
from tenantclosure import names, wiring
from tenantclosure.errors import AccessRefused, RailBroken, ServiceTrouble, SignInRefused, Throttled
from tenantclosure.model.inventory import Answer
from tests.activities.rig import Rig, killed_at_each_write
from tests.fakes.tenant import HOME, OWN, TARGET, FakeDirectory, FakeExternal, user

RESOURCE = (
    "/subscriptions/88888888-1111-4222-8333-444455556666/resourceGroups/g"
    "/providers/Microsoft.AzureActiveDirectory/ciamDirectories/contoso"
)
REFUSAL = Answer("", 409, "TenantNotEmpty", "Delete the user flows first.", "request-9")
DELETED_OURSELVES = [("delete_many", ("service-principals", [OWN]))]


async def external() -> Rig:
    """An external tenant with nobody but the keeper left, whose deletion people have approved."""
    rig = Rig(directory=FakeDirectory(users=0))
    rig.directory.tenant_type = "CIAM"
    await rig.ready(externalDirectory=RESOURCE)
    await rig.approved("delete-tenant")
    azure(rig).asked.clear()
    return rig


@pytest.fixture
async def ready() -> Any:
    yield await external()
    wiring.use(None)


async def step(rig: Rig) -> dict[str, Any]:
    """One call; {state, seconds, why} or a stop."""
    return await activities.delete_directory(await rig.order(phase="delete-tenant"))


def azure(rig: Rig) -> FakeExternal:
    assert rig.external is not None
    return rig.external


def vanish(rig: Rig) -> None:
    """Azure no longer shows the resource."""
    azure(rig).found = None


async def writes(rig: Rig) -> list[tuple[int, bool]]:
    """(status, resent) of each DELETE that the audit knows of."""
    told = [one for one in await rig.audited("write:made") if one["write"] == "delete-directory"]
    assert {RESOURCE} >= {one["resource"] for one in told}
    return [(one["status"], one["resent"]) for one in told]


# -- the way it goes --------------------------------------------------------------------------------------------------
async def test_azure_deletes_it_and_our_own_part_goes_with_it(ready: Rig) -> None:
    """Looked at, one DELETE, one look at a time until Azure is through; nothing is written through Graph."""
    azure(ready).polls = ["running", "running", "succeeded"]
    states = [(await step(ready))["state"] for _ in range(4)]

    assert ["deleting", "deleting", "deleting", "accepted"] == states
    assert ["find", "delete", "poll", "poll", "poll"] == [method for method, _ in azure(ready).asked]
    assert {"state": "accepted", "seconds": 0, "why": ""} == await step(ready)
    assert 5 == len(azure(ready).asked)
    assert [] == ready.directory.asked
    assert [(202, False)] == await writes(ready)


@pytest.mark.parametrize("status", [200, 204, 404])
async def test_an_answer_that_says_all_is_the_end(ready: Rig, status: int) -> None:
    """Deleted at once, or gone a moment before: accepted without another look."""
    azure(ready).answer = Answer("", status)
    assert "accepted" == (await step(ready))["state"]
    assert [(status, False)] == await writes(ready)
    assert ["find", "delete"] == [method for method, _ in azure(ready).asked]


async def test_without_an_operation_the_resource_is_looked_at(ready: Rig) -> None:
    """Azure named no operation of its own: through is when it no longer shows the resource."""
    azure(ready).operation = None
    assert ["deleting", "deleting"] == [(await step(ready))["state"] for _ in range(2)]
    vanish(ready)
    assert "accepted" == (await step(ready))["state"]
    assert 1 == azure(ready).deletes


async def test_looks_grow_apart_and_stay_few(ready: Rig) -> None:
    """A minute after the DELETE, then as long again as it has run, an hour at most: 40 looks for a whole day."""
    azure(ready).polls = ["running"]
    day, waits = 86_400.0, []
    while (found := await step(ready))["state"] == "deleting":
        waits.append(found["seconds"])
        ready.clock.go_on(seconds=found["seconds"])

    minute = day / 24 / 60
    assert pytest.approx([minute, minute, 2 * minute, 4 * minute], rel=0.01) == waits[:4]
    assert pytest.approx(60 * minute) == max(waits) == waits[-1]
    assert len(waits) <= 40
    assert 1 == azure(ready).deletes


async def test_the_tenant_is_handed_over_from_the_first_delete_on(ready: Rig) -> None:
    """No token is needed any more, sign-ups stay frozen, and nobody can ask for a rollback."""
    await activities.freeze_sign_ups(await ready.order())
    asked = len(ready.directory.asked)
    assert "deleting" == (await step(ready))["state"]

    assert {"ownServicePrincipal": OWN} == {
        name: value
        for name, value in (await ready.ledger.mark(ready.closure, names.HAND_OVER_BEGUN, 1) or {}).items()
        if name != "at"
    }
    assert {"restored": False} == await activities.undo_freeze(await ready.order())
    assert asked == len(ready.directory.asked)


async def test_a_rollback_that_comes_too_late_is_told_and_changes_nothing(ready: Rig) -> None:
    """Asked for in the moment before the DELETE went out: nothing can be undone, and the deletion is looked after."""
    azure(ready).polls = ["succeeded"]
    await step(ready)
    wish = {"serial": None, "number": 1, "askedBy": {}, "at": "", "endsAs": "aborted", "plan": None}
    await ready.ledger.change(ready.closure, lambda row: row.update(control="rollback", rollback=wish))
    assert "rollback" == (await step(ready))["stop"]
    await activities.begin_rollback(await ready.order(phase="delete-tenant"))

    assert "handed over" in (await ready.audited("rollback:ended"))[-1]["why"]
    assert "accepted" == (await step(ready))["state"]
    row = await ready.row()
    assert (1, "run") == (row["planSerial"], row["control"])


# -- rails ------------------------------------------------------------------------------------------------------------
async def test_it_needs_its_own_gate(rig: Rig) -> None:
    """The plan's approval alone deletes no tenant."""
    rig.directory.tenant_type = "CIAM"
    await rig.ready(externalDirectory=RESOURCE)
    azure(rig).asked.clear()
    assert "rail" == (await step(rig))["stop"]
    assert [] == azure(rig).asked


@pytest.mark.parametrize("tenant", [HOME, "", TARGET[:-1] + "2"])
async def test_another_tenants_resource_is_not_touched(ready: Rig, tenant: str) -> None:
    """Whatever it was when people approved: what Azure says now must be the tenant to close."""
    azure(ready).found = {"tenantId": tenant, "kind": "ciam", "name": "contoso", "location": ""}
    assert "rail" == (await step(ready))["stop"]
    assert 0 == azure(ready).deletes
    assert "tenant-pin" == (await ready.audited("rail:broken"))[-1]["rail"]
    assert None is await ready.ledger.mark(ready.closure, names.HAND_OVER_BEGUN, 1)


async def test_a_resource_that_changes_hands_before_it_is_sent_again(ready: Rig) -> None:
    """The gateway looks whose it is before each DELETE; its broken rail ends the closure."""
    azure(ready).raises["delete"] = [RailBroken("tenant-pin", "another tenant")]
    assert "rail" == (await step(ready))["stop"]
    assert 0 == azure(ready).deletes


async def test_a_request_that_was_changed_after_the_approval(ready: Rig) -> None:
    """The resource's name comes from the request, so the request has to be the approved one, letter by letter."""

    def edit(row: dict[str, Any]) -> None:
        row["request"] = {**row["request"], "externalDirectory": RESOURCE.replace("contoso", "litware")}

    await ready.ledger.change(ready.closure, edit)
    assert "rail" == (await step(ready))["stop"]
    assert [] == azure(ready).asked
    assert "plan-digest" == (await ready.audited("rail:broken"))[-1]["rail"]


async def test_a_newcomer_stops_it(ready: Rig) -> None:
    """A customer who signed up after readiness is drift: people are asked anew."""
    ready.directory.items["users"].append(user(99))
    assert "drift" == (await step(ready))["stop"]
    assert [] == azure(ready).asked


@pytest.mark.parametrize(("control", "stop"), [("pause", "paused"), ("abort", "aborted"), ("rollback", "rollback")])
async def test_an_order_holds_it_before_and_after_the_delete(ready: Rig, control: str, stop: str) -> None:
    """Held before it, nothing is sent; held after it, nothing is sent again."""
    await ready.ledger.change(ready.closure, lambda row: row.update(control=control))
    assert stop == (await step(ready))["stop"]
    assert [] == azure(ready).asked
    await ready.ledger.change(ready.closure, lambda row: row.update(control="run"))
    azure(ready).polls = ["running"]
    await step(ready)
    await ready.ledger.change(ready.closure, lambda row: row.update(control=control))
    assert stop == (await step(ready))["stop"]
    assert ["find", "delete"] == [method for method, _ in azure(ready).asked]


async def test_an_order_given_while_it_looks_is_heard(ready: Rig) -> None:
    """Between the look at the resource and the DELETE somebody says stop: nothing is sent."""
    find = azure(ready).find

    async def slowly(resource: str) -> Any:
        await ready.ledger.change(ready.closure, lambda row: row.update(control="abort"))
        return await find(resource)

    azure(ready).find = slowly  # type: ignore[method-assign]
    assert "aborted" == (await step(ready))["stop"]
    assert 0 == azure(ready).deletes


# -- refusals ---------------------------------------------------------------------------------------------------------
def no_external(rig: Rig) -> None:
    rig.external = None
    rig.process()


async def test_a_refusal_becomes_the_keepers_with_its_reason(ready: Rig) -> None:
    """What Azure said is handed on, and our own enterprise application is out of the keeper's way."""
    azure(ready).answer = REFUSAL
    found = await step(ready)

    assert ("refused", 0) == (found["state"], found["seconds"])
    assert "Azure refused it: 409 TenantNotEmpty Delete the user flows first." == found["why"]
    assert DELETED_OURSELVES == ready.directory.asked
    assert found == await step(ready)
    assert 1 == azure(ready).deletes == len(ready.directory.asked)
    assert [(409, False)] == await writes(ready)


@pytest.mark.parametrize(
    ("before", "why"),
    [
        (no_external, "hosting tenant"),
        (vanish, "no such resource"),
        (lambda rig: azure(rig).raises.update(find=[AccessRefused("HTTP 403; needs: Contributor")]), "Contributor"),
    ],
)
async def test_what_can_not_even_be_sent_is_handed_over_too(ready: Rig, before: Any, why: str) -> None:
    """No way to the hosting tenant, no resource, no right to see it: the keeper is told, nothing is sent to Azure."""
    before(ready)
    found = await step(ready)
    assert "refused" == found["state"]
    assert why in found["why"]
    assert DELETED_OURSELVES == ready.directory.asked
    assert found == await step(ready)
    assert [] == await writes(ready)


async def test_a_refused_deletion_of_a_tenant_that_has_grown_is_drift(ready: Rig) -> None:
    """The hand-over after a refusal has the same rails as any: somebody who came in between is not left behind."""
    azure(ready).raises["find"] = [AccessRefused("HTTP 403")]
    find = azure(ready).find

    async def late(resource: str) -> Any:
        ready.directory.items["users"].append(user(99))
        return await find(resource)

    azure(ready).find = late  # type: ignore[method-assign]
    assert "drift" == (await step(ready))["stop"]
    assert [] == ready.directory.asked


async def test_an_operation_that_fails_is_a_refusal(ready: Rig) -> None:
    """Accepted first, refused later: the reason is the operation's."""
    azure(ready).polls = ["running", "failed: Failed, TenantNotEmpty Delete the user flows first."]
    await step(ready)
    await step(ready)
    found = await step(ready)
    assert "refused" == found["state"]
    assert "Azure accepted the deletion, but it failed: Failed, TenantNotEmpty" in found["why"]
    assert DELETED_OURSELVES == ready.directory.asked


async def test_an_operation_whose_record_is_gone_has_not_failed(ready: Rig) -> None:
    """The operation is not found any more, and neither is the resource: that is the end, not a failure."""
    azure(ready).polls = ["failed: ResourceNotFound"]
    await step(ready)
    vanish(ready)
    assert "accepted" == (await step(ready))["state"]


async def test_an_operation_that_never_ends_is_the_keepers_after_a_day(ready: Rig) -> None:
    """A day of Microsoft's, not less; then the reason says what Azure had answered."""
    azure(ready).polls = ["running"]
    await step(ready)
    ready.clock.go_on(days=0.99)
    assert "deleting" == (await step(ready))["state"]
    ready.clock.go_on(days=0.02)
    found = await step(ready)
    assert "refused" == found["state"]
    assert "not through with the deletion within a day; its answer was: 202" in found["why"]
    assert 1 == azure(ready).deletes


async def test_a_rehearsals_short_day_leaves_azure_its_seconds(ready: Rig) -> None:
    """However short a day is, ten real seconds pass before anybody is asked."""
    azure(ready).polls = ["running"]
    order = await ready.order(phase="delete-tenant", daySeconds=0.1)
    await activities.delete_directory(order)
    ready.clock.go_on(seconds=9)
    assert {"state": "deleting", "seconds": 0.5, "why": ""} == await activities.delete_directory(order)
    ready.clock.go_on(seconds=2)
    assert "refused" == (await activities.delete_directory(order))["state"]


async def test_a_role_that_goes_with_the_resource_is_no_refusal(ready: Rig) -> None:
    """A right on the resource only ends with it: then the tenant is looked for from outside, for a day at most."""
    no = [AccessRefused("HTTP 403")]
    await step(ready)
    azure(ready).raises = {"poll": no * 9, "find": no * 9}
    assert "deleting" == (await step(ready))["state"]
    ready.outside.sightings = ["gone"]
    assert "accepted" == (await step(ready))["state"]
    assert [] == ready.directory.asked


async def test_a_right_that_was_taken_away_is_told_after_a_day(ready: Rig) -> None:
    """Neither operation nor resource can be seen, and the tenant is still there: a person looks."""
    no = [AccessRefused("HTTP 403")]
    await step(ready)
    azure(ready).raises = {"poll": no * 9, "find": no * 9}
    ready.clock.go_on(days=1.1)
    assert "refused" == (await step(ready))["state"]


async def test_graph_in_trouble_leaves_our_part_to_the_keeper(ready: Rig) -> None:
    """The tenant may be on its way out after all: our own removal is tried, never insisted on, and said."""
    azure(ready).answer = REFUSAL

    async def nobody(family: str, ids: Any) -> Any:
        raise SignInRefused(TARGET, 90002, "tenant not found")

    ready.directory.delete_many = nobody  # type: ignore[method-assign]
    found = await step(ready)
    assert "refused" == found["state"]
    assert found["why"].endswith(OURS_LEFT)


# -- answers that get lost --------------------------------------------------------------------------------------------
def lost() -> None:
    raise ServiceTrouble("the answer was lost")


async def lose(rig: Rig) -> None:
    """A DELETE that got through, and whose answer did not."""
    azure(rig).after = lost
    with pytest.raises(ServiceTrouble):
        await step(rig)
    azure(rig).after = lambda: None


async def test_a_lost_answer_is_looked_for_before_anything_is_sent_again(ready: Rig) -> None:
    """The resource goes while we look: that was our DELETE, and it was one."""
    await lose(ready)
    assert "deleting" == (await step(ready))["state"]
    vanish(ready)
    assert "accepted" == (await step(ready))["state"]
    assert 1 == azure(ready).deletes
    assert [(404, False)] == await writes(ready)


async def test_after_a_while_it_is_sent_again_and_counted(ready: Rig) -> None:
    """A quarter of an hour later it still stands there: a second DELETE, told as such in audit and report."""
    await lose(ready)
    ready.clock.go_on(days=14 / 1440)
    assert "deleting" == (await step(ready))["state"]
    assert 1 == azure(ready).deletes
    ready.clock.go_on(days=2 / 1440)
    assert ["deleting", "accepted"] == [(await step(ready))["state"] for _ in range(2)]
    assert 2 == azure(ready).deletes
    assert [(202, True)] == await writes(ready)
    report = await activities.report.gather(ready.parts, ready.closure, "closed", "", [])
    assert 1 == report["resent"]


async def test_a_conflict_with_our_own_first_one_is_no_refusal(ready: Rig) -> None:
    """Sent again while the first is at work, Azure says conflict: the resource is looked at until it is gone."""
    await lose(ready)
    ready.clock.go_on(days=16 / 1440)
    azure(ready).answer = Answer("", 409, "Conflict", "Being deleted.")
    assert ["deleting", "deleting"] == [(await step(ready))["state"] for _ in range(2)]
    vanish(ready)
    assert "accepted" == (await step(ready))["state"]


async def test_answers_that_are_always_lost_end_after_a_day(ready: Rig) -> None:
    """No loop: every quarter of an hour one more try, after a day a person."""
    azure(ready).after = lost
    for _ in range(300):
        try:
            found = await step(ready)
        except ServiceTrouble:
            found = {"state": "deleting"}
        if found["state"] == "refused":
            break
        ready.clock.go_on(days=10 / 1440)
    assert "refused" == found["state"]
    assert azure(ready).deletes <= 24 * 4
    assert ready.clock.days(1.0) <= 300 * 600


async def test_trouble_that_does_not_end_is_told_after_a_day(ready: Rig) -> None:
    """Azure answers 500 to every look: tried again for a day, then the keeper hears of it."""
    await step(ready)
    azure(ready).raises["poll"] = [ServiceTrouble("HTTP 500")] * 9
    with pytest.raises(ServiceTrouble):
        await step(ready)
    ready.clock.go_on(days=1.1)
    found = await step(ready)
    assert "refused" == found["state"]
    assert "HTTP 500" in found["why"]


async def test_a_throttled_delete_is_sent_again_at_once(ready: Rig) -> None:
    """429 is a sure no: the next one is the first that counts, and no answer is missed."""
    azure(ready).raises["delete"] = [Throttled("HTTP 429", 5.0)]
    with pytest.raises(Throttled):
        await step(ready)
    assert "deleting" == (await step(ready))["state"]
    assert [(202, False)] == await writes(ready)
    assert 1 == (await ready.ledger.mark(ready.closure, SENT, 1) or {})["sent"]


async def through(rig: Rig) -> None:
    """Call until it is over; Azure is through as soon as it has the DELETE."""
    azure(rig).after = lambda: vanish(rig)
    for _ in range(9):
        if (found := await step(rig))["state"] != "deleting":
            break
        rig.clock.go_on(days=6 / 1440)
    assert "accepted" == found["state"]


@pytest.mark.parametrize("landed", [False, True])
async def test_it_survives_a_crash_anywhere(landed: bool) -> None:
    """Killed at each storage write and started again: the resource is gone, after one DELETE that the audit knows."""
    async for rig in killed_at_each_write(external, through, landed=landed, least=5):
        assert 1 == azure(rig).deletes
        assert await writes(rig)
        assert [] == rig.directory.asked


async def refused(rig: Rig) -> None:
    azure(rig).answer = REFUSAL
    rig.directory.finals.clear()  # asking once more for ourselves is how a lost answer is found out
    for _ in range(9):
        if (found := await step(rig))["state"] != "deleting":
            break
        rig.clock.go_on(days=0.3)  # a refusal that is met twice could be a conflict with ourselves
    assert "refused" == found["state"]


@pytest.mark.slow
@pytest.mark.parametrize("landed", [False, True])
async def test_a_refusal_survives_a_crash_anywhere(landed: bool) -> None:
    """Killed at each storage write and started again: refused with the reason, and our own part is out of the way."""
    async for rig in killed_at_each_write(external, refused, landed=landed, least=7):
        assert None is await rig.directory.own_service_principal()
        verdict = await rig.ledger.mark(rig.closure, "directory-verdict", 1) or {}
        assert "refused" == verdict["state"]
