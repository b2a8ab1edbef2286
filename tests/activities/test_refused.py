"""What refused to go: asked about once for each cause, tried again at its time, never sent after a final answer."""

from __future__ import annotations

from typing import Any

import pytest

import activities
from activities.history import read_history
from activities.journal import Journal
from tenantclosure import names, wiring
from tenantclosure.model.inventory import Answer, Item
from tests.activities.rig import ANN, Rig, killed_at_each_write
from tests.fakes.tenant import OWN, principal, user

U = [user(n).id for n in range(45)]
RELEASE, GRANT, REMOVE = "release-users-restricted", "grant-role-privileged", "remove-users-refused"
RETURNED, IDENTITY = "remove-users-returned", "remove-identity-managed-identities"
DENIED = Answer("", 403, "Authorization_RequestDenied", "Insufficient privileges")
NOTHING = {"again": 0, "first": 0, "last": 0, "waiting": 0}


def denied(rig: Rig, *ids: str, times: int = 1, answer: Answer = DENIED) -> None:
    """These are refused so often."""
    for id_ in ids:
        rig.directory.script[id_] = [Answer(id_, answer.status, answer.code, answer.message)] * times


async def worked(rig: Rig, family: str = "users", shards: int | None = None, **more: Any) -> Rig:
    """Every shard of the family worked through."""
    manifest = await rig.manifest()
    for shard in range(shards if shards is not None else len(manifest["families"][family]["shards"])):
        told = {"state": "wait"}
        while told["state"] == "wait":
            kept = {"bucket": told["bucket"]} if "bucket" in told else {}
            order = {"family": family, "final": True, **more, **kept}
            told = await activities.work_shard(await rig.shard_order(shard, **order))
        assert told["state"] == "done"
    return rig


async def review(rig: Rig, family: str = "users", **more: Any) -> dict[str, Any]:
    return await activities.review_refused(await rig.order(family=family, operation="delete", **more))


async def again(rig: Rig, found: dict[str, Any], family: str = "users") -> None:
    """What the story does with a review that reopened something."""
    for shard in range(found["first"], found["last"]):
        order = await rig.shard_order(shard, family=family, final=True)
        assert (await activities.work_shard(order))["state"] == "done"
    order = await rig.order(family=family, operation="delete", tries=0)
    assert (await activities.confirm_wave(order))["confirmed"]


async def counts(rig: Rig, family: str = "users") -> dict[str, int]:
    """Items by outcome, as the shards' documents say."""
    told: dict[str, int] = {}
    async for _, name, operation, _, doc in rig.ledger.shards(rig.closure):
        for outcome in names.OUTCOMES if (name, operation) == (family, "delete") else ():
            told[outcome] = told.get(outcome, 0) + doc.get(outcome, 0)
    return {outcome: number for outcome, number in told.items() if number}


async def tasks(rig: Rig) -> dict[str, str]:
    return {task["taskId"]: task["state"] for task in await rig.ledger.tasks(rig.closure)}


async def task(rig: Rig, task_id: str) -> dict[str, Any]:
    found = await rig.ledger.task(rig.closure, task_id)
    assert found is not None
    return found


async def restricted(rig: Rig) -> Rig:
    """Three users under restricted management have refused; everybody else is gone."""
    for number in (1, 2, 25):
        rig.directory.change("users", U[number], restricted=True)
    denied(rig, U[1], U[2], U[25])
    await rig.ready()
    return await worked(rig)


# -- users ------------------------------------------------------------------------------------------------------------
async def test_nothing_refused_nothing_asked(rig: Rig) -> None:
    """Everybody is gone: no task, no shard, no further write."""
    await worked(await rig.ready())
    assert await review(rig) == NOTHING
    assert await tasks(rig) == {}
    assert len(rig.directory.sent) == 45


async def test_restricted_users_wait_for_their_release(rig: Rig) -> None:
    """One task names all three; once the fresh listing shows them released, they and nobody else are sent again."""
    await restricted(rig)
    assert await review(rig, instance="waiter") == {**NOTHING, "waiting": 3}
    asked = await task(rig, RELEASE)
    assert (asked["state"], asked["name"], asked["instance"]) == ("open", "3 users", "waiter")
    assert asked["items"] == [f"User {n} (u{n}@contoso.com)" for n in (1, 2, 25)]
    assert "403 Authorization_RequestDenied" in asked["seen"]
    assert asked["nextAt"] > asked["lookedAt"]

    for number in (1, 2, 25):
        rig.directory.change("users", U[number], restricted=False)
    found = await review(rig)
    assert found == {"again": 3, "first": 0, "last": 2, "waiting": 0}
    assert await tasks(rig) == {RELEASE: "proven"}  # and nobody is asked about what is about to be tried
    assert await counts(rig) == {"removed": 42, "refused": 3}
    await again(rig, found)

    assert rig.directory.sent[45:] == [U[1], U[2], U[25]]
    assert await counts(rig) == {"removed": 45}
    assert await review(rig) == NOTHING
    # Each shard once; then the two that refused: with their causes, and with the second try.
    assert len(await rig.audited("shard:done")) == 3 + 2 + 2


async def test_the_list_of_a_task_is_kept_current(rig: Rig) -> None:
    """Somebody deleted one of them by hand: absent in the counts, and off the task that stays open."""
    await restricted(rig)
    await review(rig)
    rig.directory.take("users", U[2])

    assert await review(rig) == {**NOTHING, "waiting": 2}
    assert (await task(rig, RELEASE))["items"] == ["User 1 (u1@contoso.com)", "User 25 (u25@contoso.com)"]
    assert await counts(rig) == {"removed": 42, "refused": 2, "absent": 1}
    assert [line["reason"] for line in rig.evidence() if line["t"] == "outcome" and line["id"] == U[2]][1:] == [
        "somebody else removed it: a fresh look no longer finds it"
    ]
    assert 1 == (await rig.words()).count("task:opened")


async def test_a_listing_that_lags_proves_nothing(rig: Rig) -> None:
    """Not listed but still there by its id: it stays refused, and waits."""
    await restricted(rig)
    states = rig.directory.states_of

    async def there(family: str, ids: Any) -> dict[str, str]:
        return {**await states(family, ids), U[2]: "present"}

    rig.directory.states_of = there  # type: ignore[method-assign]
    rig.directory.take("users", U[2])
    assert (await review(rig))["waiting"] == 3
    assert await counts(rig) == {"removed": 42, "refused": 3}


async def test_a_new_role_of_ours_is_tried_at_once(rig: Rig) -> None:
    """Users with admin roles wait for our own role; granted, they are deleted without waiting for the next day."""
    rig.directory.holders |= {U[3]: ("helpdesk",), OWN: ("user-administrator",)}
    denied(rig, U[3])
    await worked(await rig.ready())
    assert (await review(rig))["waiting"] == 1
    assert await tasks(rig) == {GRANT: "open"}
    assert (await review(rig))["again"] == 0

    rig.directory.holders[OWN] = ("user-administrator", "privileged-authentication-administrator")
    found = await review(rig)
    assert (found["again"], found["waiting"]) == (1, 0)
    assert await tasks(rig) == {GRANT: "open"}  # not proven before it is seen
    await again(rig, found)
    assert await review(rig) == NOTHING
    assert await tasks(rig) == {GRANT: "proven"}


async def test_a_role_of_ours_that_helps_nothing_is_no_loop(rig: Rig) -> None:
    """The same new role brings one try, not one at each look."""
    rig.directory.holders |= {U[3]: ("helpdesk",), OWN: ("user-administrator",)}
    denied(rig, U[3], times=9)
    await worked(await rig.ready())
    await review(rig)
    rig.directory.holders[OWN] = ("user-administrator", "another")
    await again(rig, await review(rig))
    assert [(await review(rig))["again"] for _ in range(3)] == [0, 0, 0]
    assert rig.directory.sent.count(U[3]) == 2


async def test_an_unknown_refusal_is_asked_about_and_tried_once_a_day(rig: Rig) -> None:
    """A code nobody knows keeps its words in a task; a day later it is sent once more, and never in between."""
    odd = Answer("", 418, "Teapot", "short and stout")
    denied(rig, U[4], times=2, answer=odd)
    await worked(await rig.ready())
    await review(rig)
    asked = await task(rig, REMOVE)
    assert "418 Teapot short and stout" in asked["why"]
    for _ in range(3):
        rig.clock.go_on(hours=7)
        assert (await review(rig))["again"] == 0
    rig.clock.go_on(hours=4)
    found = await review(rig)
    assert found["again"] == 1
    await again(rig, found)
    assert (await review(rig))["again"] == 0
    assert rig.directory.sent.count(U[4]) == 2
    rig.clock.go_on(days=1)
    await again(rig, await review(rig))

    assert await counts(rig) == {"removed": 45}
    assert await review(rig) == NOTHING
    assert await tasks(rig) == {REMOVE: "proven"}


async def test_done_before_it_is_done(rig: Rig) -> None:
    """A click on "done" brings one try; still refused, the task stays open with what was seen, then goes to Support."""
    denied(rig, U[4], times=99)
    await worked(await rig.ready())
    await review(rig)
    rig.clock.go_on(hours=1)
    await rig.ledger.report_task(rig.closure, REMOVE, ANN, "done")
    await again(rig, await review(rig))
    assert (await review(rig)) == {**NOTHING, "waiting": 1}
    assert rig.directory.sent.count(U[4]) == 2
    found = await task(rig, REMOVE)
    assert found["state"] == "open"
    assert "1 user still there; last tried at" in found["seen"]

    rig.clock.go_on(days=4)
    await review(rig)
    assert await tasks(rig) == {REMOVE: "open", "ask-support-refused": "open"}
    rig.directory.take("users", U[4])
    await review(rig)
    assert await tasks(rig) == {REMOVE: "proven", "ask-support-refused": "proven"}


async def test_endless_trouble_is_looked_up_before_it_is_sent_again(rig: Rig) -> None:
    """What never got a final answer may have gone after all: found in the bin, it is removed without another DELETE."""
    rig.directory.script[U[5]] = [500] * 99
    await worked(await rig.ready())
    sent = rig.directory.sent.count(U[5])
    await review(rig)
    assert await tasks(rig) == {REMOVE: "open"}
    rig.clock.go_on(days=1)
    found = await review(rig)  # still listed, so reopened; then the lost DELETE shows
    rig.directory.take("users", U[5])
    rig.directory.deleted.add(U[5])
    await again(rig, found)

    assert rig.directory.sent.count(U[5]) == sent
    assert await counts(rig) == {"removed": 45}


@pytest.mark.parametrize(("status", "outcome"), [(500, "removed"), (429, "absent")])
async def test_whose_deletion_it_was(rig: Rig, status: int, outcome: str) -> None:
    """Not there any more after trouble on Microsoft's side: our own DELETE may have worked. After a 429 it did not."""
    rig.directory.script[U[5]] = [status] * 999
    await worked(await rig.ready())
    rig.directory.take("users", U[5])
    await review(rig)
    expected = {"removed": 44}
    expected[outcome] = expected.get(outcome, 0) + 1
    assert await counts(rig) == expected


async def test_who_comes_back_is_never_deleted_twice(rig: Rig) -> None:
    """Somebody restored a user we deleted: a person is asked, nothing is sent, and the wave is confirmed as it is."""
    await worked(await rig.ready())
    assert await review(rig) == NOTHING
    rig.directory.items["users"].append(user(7))
    rig.directory.deleted.discard(U[7])

    assert await review(rig) == {**NOTHING, "waiting": 1}
    asked = await task(rig, RETURNED)
    assert "somebody restored it" in asked["why"]
    rig.clock.go_on(days=9)
    await rig.ledger.report_task(rig.closure, RETURNED, ANN, "done")
    assert (await review(rig))["again"] == 0
    assert rig.directory.sent.count(U[7]) == 1
    await again(rig, {"first": 0, "last": 0})
    rig.directory.take("users", U[7])
    assert await review(rig) == NOTHING
    assert (await tasks(rig))[RETURNED] == "proven"


async def test_more_than_a_task_can_name(rig: Rig) -> None:
    """All are counted and tried again; the task names as many as it can, and those come from several shards."""
    rig.directory.items["users"] += [user(n) for n in range(45, 130)]
    denied(rig, *(user(n).id for n in range(130)), times=2)
    await worked(await rig.ready())
    assert 130 == (await review(rig))["waiting"]
    told = await task(rig, "remove-users-refused")
    assert ("130 users", 100) == (told["name"], len(told["items"]))
    rig.clock.go_on(days=2)
    assert {"again": 130, "first": 0, "last": 7, "waiting": 0} == {
        key: value for key, value in (await review(rig)).items() if key in NOTHING
    }


async def test_a_newcomer_is_drift(rig: Rig) -> None:
    """What nobody approved stops the review, and nothing is reopened."""
    await restricted(rig)
    rig.directory.items["users"].append(user(99))
    rig.clock.go_on(days=2)
    assert (await review(rig))["stop"] == "drift"
    assert not [line for line in rig.evidence() if line["t"] == "retry"]


async def test_privileged_users_are_never_tried_beside_the_others(rig: Rig) -> None:
    """Both are due: the ordinary ones go first, the privileged ones at the next look, however soon it comes."""
    rig.directory.holders |= {U[44]: ("helpdesk",)}
    denied(rig, U[0], U[44], times=2)
    await worked(await rig.ready())
    await review(rig)
    rig.clock.go_on(days=1)
    first = await review(rig)
    assert (first["again"], first["first"], first["last"]) == (1, 0, 1)
    assert await review(rig) == first  # until those are through
    await again(rig, first)
    second = await review(rig)
    assert (second["again"], second["first"], second["last"]) == (1, 3, 4)
    await again(rig, second)

    assert rig.directory.sent[45:] == [U[0], U[44]]


async def test_nothing_is_forgotten_while_others_have_their_turn(rig: Rig) -> None:
    """Roles fell, or ours grew, while ordinary users are tried: the privileged one's turn is the next look, not a day
    later.
    """
    rig.directory.change("users", U[0], restricted=True)
    rig.directory.holders |= {U[44]: ("helpdesk",), OWN: ("user-administrator",)}
    denied(rig, U[0], times=9)
    denied(rig, U[44], times=2)
    await worked(await rig.ready())
    await review(rig)
    rig.clock.go_on(hours=1)
    rig.directory.holders[OWN] = ("another",)
    for id_ in (U[0], U[44]):
        await again(rig, await review(rig))
        assert rig.directory.sent[-1] == id_
        rig.clock.go_on(minutes=1)
    assert (await review(rig))["again"] == 0

    await rig.ledger.report_task(rig.closure, RELEASE, ANN, "done")
    del rig.directory.holders[U[44]]
    for id_ in (U[0], U[44]):
        await again(rig, await review(rig))
        assert rig.directory.sent[-1] == id_
    assert await counts(rig) == {"removed": 44, "refused": 1}


# -- applications -----------------------------------------------------------------------------------------------------
async def applications(rig: Rig, *items: Item, disables: bool = True) -> Rig:
    """These enterprise applications have refused to be deleted; so have those to be disabled that can't."""
    rig.directory.items["service-principals"] += items
    for item in items:
        text = "Specified App Principal ID is Microsoft Internal." if item.facts.get("internal") else "Insufficient"
        rig.directory.script[item.id] = [Answer(item.id, 403, "Request", text)] * (1 if disables else 2)
    await worked(await rig.ready(), "service-principals")
    await activities.disable_refused(await rig.order(phase="applications"))
    return rig


async def test_disabled_then_tried_once_more(rig: Rig) -> None:
    """What refused and was disabled is sent once again; refused again, it is left alone and does not block."""
    await applications(rig, principal(1), principal(2))
    denied(rig, principal(2).id)
    found = await review(rig, "service-principals")
    assert (found["again"], found["waiting"]) == (2, 0)
    await again(rig, found, "service-principals")
    rig.clock.go_on(days=30)

    assert await review(rig, "service-principals") == NOTHING
    assert await counts(rig, "service-principals") == {"removed": 1, "refused": 1}
    assert await tasks(rig) == {}


async def test_microsofts_own_do_not_block_and_others_do(rig: Rig) -> None:
    """Neither deletable nor disabled: Microsoft's internal ones are recorded; anything else is asked about by name."""
    await applications(
        rig,
        principal(1, internal=True),
        principal(2, owner="72f988bf-86f1-41af-91ab-2d7cd011db47"),
        principal(3, owner="somebody"),
        principal(4, type="ManagedIdentity"),
        principal(5, type="ManagedIdentity"),
        disables=False,
    )
    assert await review(rig, "service-principals") == {**NOTHING, "waiting": 3}
    mine = f"remove-application-{principal(3).id}"
    identity = "remove-managed-identity-managed-identities"
    assert await tasks(rig) == {mine: "open", identity: "open"}
    assert (await task(rig, identity))["items"] == ["App 4", "App 5"]
    assert (await task(rig, mine))["link"].endswith(principal(3).id)

    rig.directory.items["users"] = rig.directory.items["users"][:1]
    rig.directory.take("service-principals", principal(4).id)
    rig.directory.take("service-principals", principal(5).id)
    rig.directory.change("service-principals", principal(3).id, enabled=False)
    found = await review(rig, "service-principals")
    assert (found["again"], found["waiting"]) == (1, 0)  # disabled since: tried once more
    assert await tasks(rig) == {mine: "proven", identity: "proven"}
    ready = await activities.check_readiness(await rig.order(phase="readiness"))
    states = {row["check"]: row["state"] for row in ready["checks"]}
    assert states["enterprise-applications"] == "pass"


async def test_tasks_of_one_family_are_not_proven_by_another(rig: Rig) -> None:
    """A registration that refused keeps its task while the enterprise applications are looked at."""
    rig.directory.items["applications"].append(Item("a1", "Left app", {"appId": "x"}))
    denied(rig, "a1")
    await worked(await rig.ready(), "applications")
    await review(rig, "applications")
    await review(rig, "service-principals")
    assert await tasks(rig) == {"remove-application-a1": "open"}
    assert (await task(rig, "remove-application-a1"))["state"] == "open"


async def test_disabling_leaves_alone_what_has_gone_since(rig: Rig) -> None:
    """A later outcome counts: what was refused first and removed then is not written to again."""
    await applications(rig, principal(1))
    await again(rig, await review(rig, "service-principals"), "service-principals")
    found = await activities.disable_refused(await rig.order(phase="applications"))
    assert found == {"refused": 0, "disabled": 0}


async def test_a_domain_goes_once_nothing_uses_it(rig: Rig) -> None:
    """A domain that was in use is tried again without anybody being asked about it."""
    rig.directory.items["domains"] = [
        Item("contoso.onmicrosoft.com", "contoso.onmicrosoft.com", {"isInitial": True}),
        Item("contoso.com", "contoso.com", {}),
    ]
    denied(rig, "contoso.com")
    await worked(await rig.ready(), "domains")
    assert await review(rig, "domains") == {**NOTHING, "waiting": 1}
    rig.clock.go_on(days=1)
    await again(rig, await review(rig, "domains"), "domains")
    assert await counts(rig, "domains") == {"removed": 1}
    assert await tasks(rig) == {}


# -- rails and crashes ------------------------------------------------------------------------------------------------
async def test_nothing_is_reviewed_under_a_changed_plan(rig: Rig) -> None:
    """A shard that was changed after approval stops the review before anything is reopened."""
    await restricted(rig)
    path = names.shard_path(rig.closure, 1, "users", 0)
    rig.records.blobs[path] += b"\n"
    rig.clock.go_on(days=2)
    assert (await review(rig))["stop"] == "rail"
    assert not [line for line in rig.evidence() if line["t"] == "retry"]


async def test_evidence_of_strangers_breaks_the_rail(rig: Rig) -> None:
    """An id in the evidence that nobody approved is never tried again."""
    await restricted(rig)
    journal = await Journal(rig.records, names.evidence_path(rig.closure, 1, "users", "delete", 0)).read()
    await journal.answered([{"t": "outcome", "id": user(99).id, "outcome": "refused", "status": 403, "code": ""}])
    assert (await review(rig))["stop"] == "rail"


async def test_a_journal_never_reopens_what_has_gone(rig: Rig) -> None:
    """Whatever a line says: removed and absent are final."""
    await worked(await rig.ready())
    path = names.evidence_path(rig.closure, 1, "users", "delete", 0)
    journal = await Journal(rig.records, path).read()
    await journal.answered([{"t": "retry", "ids": [U[0]], "at": ""}])
    assert journal.settled(U[0])
    assert (await Journal(rig.records, path).read()).settled(U[0])


async def test_a_second_try_without_an_answer_may_have_been_ours(rig: Rig) -> None:
    """Refused, sent again, and nobody knows what became of it: a rollback asks the recycle bin about it."""
    await restricted(rig)
    path = names.evidence_path(rig.closure, 1, "users", "delete", 0)
    journal = await Journal(rig.records, path).read()
    await journal.answered([{"t": "retry", "ids": [U[1]], "at": ""}])
    await journal.intend([U[1]], "", again=False)
    async with read_history(rig.parts, {**await rig.row(), "planSerial": 2}) as history:
        assert U[1] in history.of("users").removed
        assert U[2] not in history.of("users").removed


@pytest.mark.slow
@pytest.mark.parametrize("landed", [False, True])
async def test_a_crash_anywhere_sends_nothing_twice(landed: bool) -> None:
    """Killed at each storage write and begun again: the same items are sent once more each, every task stands once."""

    async def make() -> Rig:
        rig = await restricted(Rig())
        await review(rig)
        rig.directory.change("users", U[1], restricted=False)
        rig.directory.change("users", U[25], restricted=False)
        rig.directory.take("users", U[2])
        return rig

    async def run(rig: Rig) -> None:
        found = await review(rig)
        await again(rig, found)
        await review(rig)

    async for rig in killed_at_each_write(make, run, landed=landed, least=8):
        assert rig.directory.sent[45:] == [U[1], U[25]]
        assert await counts(rig) == {"removed": 44, "absent": 1}
        assert await tasks(rig) == {RELEASE: "proven"}
        assert (await rig.words()).count("task:proven") in (1, 2)
        done = {line["shard"]: line["evidence"] for line in await rig.audited("shard:done")}
        for shard in range(3):
            path = names.evidence_path(rig.closure, 1, "users", "delete", shard)
            assert (await Journal(rig.records, path).read()).sha256() == done[shard]
    wiring.use(None)
