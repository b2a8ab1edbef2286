"""Steps on the tenant as a whole: freeze and its undoing, sync, MFA, refused applications, hand-over, tasks."""

from __future__ import annotations

from typing import Any

import pytest

import activities
from tenantclosure import wiring
from tenantclosure.errors import ServiceTrouble, SignInRefused
from tenantclosure.model.inventory import Answer, Item
from tests.activities.rig import Rig, killed_at_each_write
from tests.fakes.tenant import OWN, SHARED_POLICY, TARGET, FakeDirectory, principal, user


# -- freeze -----------------------------------------------------------------------------------------------------------
async def test_freeze_and_undo(rig: Rig) -> None:
    """Sign-ups are frozen, proven by a second look, and put back exactly as they were."""
    await rig.ready()
    assert await activities.freeze_sign_ups(await rig.order()) == {"frozen": True}
    assert rig.directory.policy["allowInvitesFrom"] == "none"
    assert await activities.undo_freeze(await rig.order()) == {"restored": True}
    assert rig.directory.policy == SHARED_POLICY


async def test_undoing_what_was_never_frozen(rig: Rig) -> None:
    """A closure that ends before its freeze writes nothing to the tenant."""
    await rig.opened()
    assert await activities.undo_freeze(await rig.order()) == {"restored": False}
    assert rig.directory.asked == []


async def test_a_refused_freeze_is_told_and_trouble_is_raised(rig: Rig) -> None:
    """403 is an answer (not frozen), 503 is tried again; neither forgets the policy as it was."""
    await rig.ready()
    rig.directory.policy_answer = Answer("", 503)
    with pytest.raises(ServiceTrouble):
        await activities.freeze_sign_ups(await rig.order())
    rig.directory.policy_answer = Answer("", 403)
    assert await activities.freeze_sign_ups(await rig.order()) == {"frozen": False}
    rig.directory.policy_answer = Answer("", 204)
    await activities.freeze_sign_ups(await rig.order())
    await activities.undo_freeze(await rig.order())
    assert rig.directory.policy == SHARED_POLICY


async def test_an_older_run_undoes_nothing(rig: Rig) -> None:
    """A run that was replaced does not thaw the tenant under the new one, nor end the closure."""
    await rig.ready()
    await activities.freeze_sign_ups(await rig.order())
    old = await rig.order(result="failed")
    await rig.ledger.change(rig.closure, lambda row: row.update(epoch=2))
    asked = len(rig.directory.asked)
    for step in (activities.undo_freeze, activities.end_closure, activities.begin_phase):
        assert (await step({**old, "phase": "report"}))["stop"] == "fenced"
    assert len(rig.directory.asked) == asked
    assert (await rig.row())["result"] is None


async def test_undo_stands_behind_the_pin(rig: Rig) -> None:
    """With the token of another tenant nothing is put back there."""
    await rig.ready()
    await activities.freeze_sign_ups(await rig.order())
    asked = len(rig.directory.asked)
    rig.directory.token_tenant = "other"
    assert await activities.undo_freeze(await rig.order()) == {"restored": False}
    assert len(rig.directory.asked) == asked
    assert "rail:broken" in await rig.words()


@pytest.mark.parametrize("landed", [False, True])
async def test_a_crash_while_freezing_keeps_the_old_policy(landed: bool) -> None:
    """Killed at each write of the freeze and run again, the undo still restores what was there first."""

    async def freeze(rig: Rig) -> None:
        await activities.freeze_sign_ups(await rig.order())

    async for rig in killed_at_each_write(lambda: Rig().ready(), freeze, landed=landed, least=3):
        assert rig.directory.policy["allowInvitesFrom"] == "none"
        rig.process()
        await activities.undo_freeze(await rig.order())
        assert rig.directory.policy == SHARED_POLICY


# -- sync, MFA, applications ------------------------------------------------------------------------------------------
async def test_sync_is_refused_to_an_application(rig: Rig) -> None:
    """A tenant that syncs: Graph's refusal leads to a person, with the reason."""
    rig.directory.sync = True
    await rig.ready()
    answer = await activities.turn_off_sync(await rig.order())
    assert answer["state"] == "refused"
    assert "403" in answer["why"]


@pytest.mark.parametrize(("sync", "state"), [(None, "off"), (False, "turning")])
async def test_no_sync_no_write(rig: Rig, sync: bool | None, state: str) -> None:
    """A tenant that never synced, or whose sync is off already, is not written to."""
    rig.directory.sync = sync
    await rig.ready()
    assert (await activities.turn_off_sync(await rig.order()))["state"] == state
    assert rig.directory.asked == []


async def test_mfa_of_the_plan_only(rig: Rig) -> None:
    """MFA goes off for planned users; the keeper's and a newcomer's is not touched."""
    await rig.ready()
    rig.directory.items["users"].append(user(99))
    rig.directory.mfa = {user(1).id: "enforced", user(2).id: "enabled", user(99).id: "enabled", OWN: "enabled"}
    rig.directory.mfa[rig.directory.items["users"][0].id] = "enforced"
    found = await activities.turn_off_mfa(await rig.order())
    assert rig.directory.asked == [("turn_off_mfa", [user(1).id, user(2).id])]
    assert (found["turnedOff"], found["left"]) == (2, 46)


async def refused_applications(rig: Rig) -> list[str]:
    rig.directory.items["service-principals"] += [principal(1), principal(2), principal(3)]
    ids = [principal(n).id for n in (1, 2)]
    for id_ in ids:
        rig.directory.script[id_] = [403]
    await rig.ready()
    await activities.work_shard(await rig.shard_order(family="service-principals"))
    return ids


async def test_refused_applications_are_disabled(rig: Rig) -> None:
    """What can't be deleted is disabled; what can't be disabled either is Microsoft's own and does not block."""
    first, second = await refused_applications(rig)
    rig.directory.script[second] = [403]
    found = await activities.disable_refused(await rig.order())
    assert found == {"refused": 2, "disabled": 1}
    rig.directory.items["users"] = rig.directory.items["users"][:1]
    ready = await activities.check_readiness(await rig.order())
    assert ready["ready"], ready
    assert first in {item.id for item in rig.directory.items["service-principals"]}


async def test_trouble_is_no_refusal_to_disable(rig: Rig) -> None:
    """429 while disabling is tried again, never taken for one of Microsoft's own."""
    _, second = await refused_applications(rig)
    rig.directory.script[second] = [429]
    with pytest.raises(ServiceTrouble):
        await activities.disable_refused(await rig.order())
    assert await activities.disable_refused(await rig.order()) == {"refused": 2, "disabled": 2}


async def test_readiness_looks_afresh(rig: Rig) -> None:
    """Whatever is left fails by name and stands as a blocker; our own registration is not counted."""
    rig.directory.items["applications"] += [Item("ours", "Ours", {"appId": "our-app"}), Item("a", "Left app", {})]
    await rig.ready()
    rig.billing.azure = {"sub": "Enabled"}
    found = await activities.check_readiness(await rig.order())
    failed = {row["check"]: row["items"] for row in found["checks"] if row["state"] == "fail"}
    assert not found["ready"]
    assert failed["applications"] == ["Left app"]
    assert failed["azure-subscriptions"] == ["sub"]
    assert {b["what"] for b in (await rig.row())["blockers"]} == set(failed)
    assert next(b for b in (await rig.row())["blockers"] if b["what"] == "users")["why"].startswith("45 found")


# -- hand-over --------------------------------------------------------------------------------------------------------
async def empty(directory: FakeDirectory | None = None) -> Rig:
    rig = Rig(directory=directory or FakeDirectory(users=0))
    await rig.ready()
    return await rig.approved("delete-tenant")


async def test_hand_over_removes_ourselves_last() -> None:
    """Our own service principal goes as the last write, once; a second run does nothing."""
    rig = await empty()
    assert await activities.hand_over(await rig.order()) == {}
    assert rig.directory.asked == [("delete_many", ("service-principals", [OWN]))]
    assert await activities.hand_over(await rig.order()) == {}
    assert len(rig.directory.asked) == 1
    wiring.use(None)


async def test_hand_over_needs_its_own_gate(rig: Rig) -> None:
    """The plan's approval alone does not end it."""
    await rig.ready()
    assert (await activities.hand_over(await rig.order()))["stop"] == "rail"
    assert rig.directory.asked == []


async def test_a_newcomer_stops_the_hand_over() -> None:
    """A user who came after readiness is drift; we stay."""
    rig = await empty()
    rig.directory.items["users"].append(user(99))
    assert (await activities.hand_over(await rig.order()))["stop"] == "drift"
    assert rig.directory.asked == []
    wiring.use(None)


@pytest.mark.parametrize("landed", [False, True])
async def test_hand_over_survives_a_crash_anywhere(landed: bool) -> None:
    """Killed at each storage write: the next run finishes, our service principal is gone, the audit says so."""

    async def hand_over(rig: Rig) -> None:
        rig.directory.finals.clear()  # asking once more for ourselves is how a lost answer is found out
        assert await activities.hand_over(await rig.order()) == {}

    async for rig in killed_at_each_write(empty, hand_over, landed=landed, least=4):
        assert await rig.directory.own_service_principal() is None
        assert [d["write"] for d in await rig.audited("write:made")][-1] == "remove-own-service-principal"
        assert await rig.ledger.mark(rig.closure, "handed-over", 1)


@pytest.mark.parametrize(
    ("trouble", "done"),
    [
        (SignInRefused(TARGET, 700016, "not in the directory"), True),
        (SignInRefused(TARGET, 7000229, "missing service principal"), True),
        (SignInRefused(TARGET, 90002, "tenant not found"), False),
        (SignInRefused(TARGET, 7000222, "the secret has expired"), False),
        (ServiceTrouble("GET /organization: 401 Unauthorized"), True),
        (ServiceTrouble("GET http://127.0.0.1:24010/organization: connection broke"), False),
    ],
)
async def test_a_lost_token_proves_our_own_end(trouble: ServiceTrouble, done: bool) -> None:
    """After the removal nobody lets us in any more: that is the proof; any other trouble is not."""
    rig = await empty()

    def after(number: int, ids: list[str]) -> None:
        async def shut_out() -> Any:
            raise trouble

        rig.directory.organization = shut_out  # type: ignore[method-assign]
        raise ServiceTrouble("the answer was lost")

    rig.directory.after = after
    if done:
        assert await activities.hand_over(await rig.order()) == {}
    else:
        with pytest.raises(ServiceTrouble):
            await activities.hand_over(await rig.order())
    assert bool(await rig.ledger.mark(rig.closure, "handed-over", 1)) == done
    wiring.use(None)


# -- tasks ------------------------------------------------------------------------------------------------------------
async def test_the_tenant_is_gone_when_nobody_sees_it(rig: Rig) -> None:
    """Three sightings in a row prove it; one `unknown` or `alive` in between does not."""
    await rig.ready()
    order = await rig.order(kind="delete-tenant", target="t", name="contoso")
    await activities.open_task(order)
    rig.outside.sightings = ["gone", "gone", "unknown"]
    assert not (await activities.probe_task(order))["proven"]
    rig.outside.sightings = ["gone", "gone", "alive"]
    assert not (await activities.probe_task(order))["proven"]
    rig.outside.sightings = ["gone"]
    assert (await activities.probe_task(order))["proven"]
    (task,) = await rig.ledger.tasks(rig.closure)
    assert task["state"] == "proven"


async def test_sync_is_off_when_no_user_is_synced(rig: Rig) -> None:
    """The flag alone proves nothing while users are still marked as synchronised."""
    await rig.ready()
    order = await rig.order(kind="turn-off-sync", target="t", name="sync")
    rig.directory.sync = True
    assert not (await activities.probe_task(order))["proven"]
    rig.directory.sync = False
    rig.directory.change("users", user(44).id, synced=True)
    assert not (await activities.probe_task(order))["proven"]
    rig.directory.change("users", user(44).id, synced=False)
    assert (await activities.probe_task(order))["proven"]


async def test_a_report_of_done_proves_nothing(rig: Rig) -> None:
    """What a person says is kept; the task stays open until its probe succeeds."""
    from tests.activities.rig import ANN

    await rig.ready()
    order = await rig.order(kind="delete-tenant", target="t", name="contoso")
    task = (await activities.open_task(order))["taskId"]
    await rig.ledger.report_task(rig.closure, task, ANN, "done it")
    assert not (await activities.probe_task(order))["proven"]
    found = await rig.ledger.task(rig.closure, task)
    assert found is not None
    assert (found["state"], len(found["reports"])) == ("open", 1)


async def test_an_opened_task_follows_its_run_and_opens_again(rig: Rig) -> None:
    """A new run's instance is woken instead of the old one's; a proven task that is needed again is open again."""
    await rig.ready()
    order = await rig.order(kind="turn-off-sync", target="t", name="sync")
    task = (await activities.open_task(order))["taskId"]
    await activities.open_task({**order, "instance": "new"})
    assert (await rig.ledger.task(rig.closure, task) or {})["instance"] == "new"
    assert (await rig.words()).count("task:opened") == 1
    await rig.ledger.prove_task(rig.closure, task, "seen")
    await activities.open_task({**order, "instance": "newer"})
    assert (await rig.ledger.task(rig.closure, task) or {})["state"] == "open"
    assert (await rig.words()).count("task:opened") == 2
