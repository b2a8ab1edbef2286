"""Steps on the tenant as a whole: freeze and its undoing, sync, MFA, refused applications, hand-over, tasks."""

from __future__ import annotations

from typing import Any

import pytest

import activities
from tenantclosure import wiring
from tenantclosure.errors import ListingIncomplete, ServiceTrouble, SignInRefused
from tenantclosure.model.inventory import Answer, Item
from tests.activities.rig import ANN, Rig, killed_at_each_write
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


FREEZE = "freeze-sign-ups-sign-up-policy"


@pytest.mark.parametrize("status", [400, 403])
async def test_a_refused_freeze_becomes_a_task_nobody_waits_for(rig: Rig, status: int) -> None:
    """A person is asked, with the refusal; a wave that opens, or the look at readiness, proves it."""
    await rig.ready()
    rig.directory.policy_answer = Answer("", status, "Authorization_RequestDenied", "no")
    assert await activities.freeze_sign_ups(await rig.order()) == {"frozen": False}
    asked = await rig.ledger.task(rig.closure, FREEZE)
    assert asked is not None
    assert (asked["state"], asked["why"]) == (
        "open",
        f"Graph refused it to us: {status} Authorization_RequestDenied no",
    )
    assert asked["nextAt"] > asked["lookedAt"]

    await activities.open_wave(await rig.order(family="users", operation="delete"))
    assert (await rig.ledger.task(rig.closure, FREEZE) or {})["state"] == "open"
    rig.directory.policy |= {
        "allowedToSignUpEmailBasedSubscriptions": False,
        "allowEmailVerifiedUsersToJoinOrganization": False,
        "allowInvitesFrom": "none",
    }
    step = activities.open_wave if status == 400 else activities.check_readiness
    await step(await rig.order(family="users", operation="delete"))
    assert (await rig.ledger.task(rig.closure, FREEZE) or {})["state"] == "proven"
    rig.directory.policy_answer = Answer("", 204)
    assert await activities.undo_freeze(await rig.order()) == {"restored": True}
    assert rig.directory.policy == SHARED_POLICY


async def test_a_freeze_reported_done_that_does_not_show_goes_to_support(rig: Rig) -> None:
    """A click proves nothing; after 96 hours Support is asked as well, once."""
    await rig.ready()
    rig.directory.policy_answer = Answer("", 403)
    await activities.freeze_sign_ups(await rig.order())
    await rig.ledger.report_task(rig.closure, FREEZE, ANN, "done")
    for days in (1, 4, 1):
        rig.clock.go_on(days=days)
        await activities.open_wave(await rig.order(family="users", operation="delete"))
    states = {task["taskId"]: task["state"] for task in await rig.ledger.tasks(rig.closure)}
    assert states == {FREEZE: "open", "ask-support-sign-up-policy": "open"}
    assert 2 == (await rig.words()).count("task:opened")


async def test_a_freeze_that_shows_late_asks_nobody(rig: Rig) -> None:
    """Accepted and shown after a moment: frozen, without a task."""
    await rig.ready()
    read, looks = rig.directory.sign_up_policy, iter([SHARED_POLICY, SHARED_POLICY])

    async def late() -> Any:
        return dict(next(looks, None) or await read())

    rig.directory.sign_up_policy = late  # type: ignore[method-assign]
    assert await activities.freeze_sign_ups(await rig.order()) == {"frozen": True}
    assert await rig.ledger.tasks(rig.closure) == []


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


@pytest.mark.parametrize("answered", [Answer(TARGET, 204), Answer(TARGET, 403), Answer(TARGET, 400)])
async def test_sync_is_turned_off_once(rig: Rig, answered: Answer) -> None:
    """Accepted once, it is not asked for again while the flag still stands; a refusal may be tried again."""
    rig.directory.sync = True
    await rig.ready()
    asked: list[int] = []

    async def turn_off() -> Answer:
        asked.append(answered.status)
        return answered

    rig.directory.turn_off_sync = turn_off  # type: ignore[method-assign]
    states = [(await activities.turn_off_sync(await rig.order()))["state"] for _ in range(2)]
    assert states == ["turning" if answered.done else "refused"] * 2
    assert len(asked) == (1 if answered.done else 2)


async def test_mfa_of_the_plan_only(rig: Rig) -> None:
    """MFA goes off for planned users; the keeper's and a newcomer's is not touched."""
    await rig.ready()
    rig.directory.items["users"].append(user(99))
    rig.directory.mfa = {user(1).id: "enforced", user(2).id: "enabled", user(99).id: "enabled", OWN: "enabled"}
    rig.directory.mfa[rig.directory.items["users"][0].id] = "enforced"
    found = await activities.turn_off_mfa(await rig.order())
    assert rig.directory.asked == [("turn_off_mfa", [user(1).id, user(2).id])]
    assert (found["turnedOff"], found["stillOn"], found["left"]) == (2, 0, 46)


async def test_mfa_that_beta_does_not_tell_is_unknown(rig: Rig) -> None:
    """Beta fails for good, or tells nothing of some: that is reported, and the phase goes on without a write."""
    await rig.ready()
    rig.directory.mfa = {user(1).id: "unknown", user(2).id: "unknown"}
    assert (await activities.turn_off_mfa(await rig.order()))["unknown"] == 2

    async def broken(ids: Any) -> Any:
        raise ServiceTrouble("beta: HTTP 404")

    rig.directory.mfa_states = broken  # type: ignore[method-assign]
    found = await activities.turn_off_mfa(await rig.order())
    assert (found["unknown"], found["turnedOff"]) == (45, 0)
    assert rig.clock.slept == [2.0, 4.0]
    assert rig.directory.asked == []
    marks = await rig.ledger.marks(rig.closure)
    assert marks["mfa-state", 1]["unknown"] == 45


async def test_mfa_counts_what_a_fresh_look_shows(rig: Rig) -> None:
    """A refused or lost PATCH is no success: the look afterwards says who still has it on."""
    await rig.ready()
    rig.directory.mfa = {user(1).id: "enforced", user(2).id: "enabled"}
    done = rig.directory.turn_off_mfa

    async def half(ids: Any) -> Any:
        answers = await done(ids)
        rig.directory.mfa[user(2).id] = "enabled"
        return answers

    rig.directory.turn_off_mfa = half  # type: ignore[method-assign]
    found = await activities.turn_off_mfa(await rig.order())
    assert (found["turnedOff"], found["stillOn"], found["unknown"]) == (1, 1, 0)


async def test_a_lost_sign_in_is_not_betas_trouble(rig: Rig) -> None:
    """Without a token nothing is known of anybody: tried again, not reported as unknown."""
    await rig.ready()

    async def shut_out(ids: Any) -> Any:
        raise SignInRefused(TARGET, 7000222, "the secret has expired")

    rig.directory.mfa_states = shut_out  # type: ignore[method-assign]
    with pytest.raises(SignInRefused):
        await activities.turn_off_mfa(await rig.order())


async def refused_applications(rig: Rig) -> list[str]:
    rig.directory.items["service-principals"] += [principal(1), principal(2), principal(3)]
    ids = [principal(n).id for n in (1, 2)]
    for id_ in ids:
        rig.directory.script[id_] = [403]
    await rig.ready()
    await activities.work_shard(await rig.shard_order(family="service-principals"))
    return ids


async def test_refused_applications_are_disabled(rig: Rig) -> None:
    """What can't be deleted is disabled and does not block; what can't be disabled either blocks (test_refused)."""
    first, second = await refused_applications(rig)
    rig.directory.script[second] = [403]
    found = await activities.disable_refused(await rig.order())
    assert found == {"refused": 2, "disabled": 1}
    rig.directory.items["users"] = rig.directory.items["users"][:1]
    ready = await activities.check_readiness(await rig.order())
    assert {row["check"] for row in ready["checks"] if row["state"] == "fail"} == {"enterprise-applications"}
    blockers = {b["what"]: b["items"] for b in (await rig.row())["blockers"]}
    assert blockers["enterprise-applications"] == [principal(2).name]
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
    failed = {row["check"] for row in found["checks"] if row["state"] == "fail"}
    blockers = {b["what"]: b for b in (await rig.row())["blockers"]}
    assert not found["ready"]
    assert blockers["applications"]["items"] == ["Left app"]
    assert blockers["azure-subscriptions"]["items"] == ["sub"]
    assert blockers.keys() == failed
    assert blockers["users"]["why"].startswith("45 found")


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


@pytest.mark.parametrize("status", [400, 403])
async def test_a_refused_hand_over_tells_the_keeper(status: int) -> None:
    """Our service principal can't be removed: the keeper's checklist says so, also when it is asked once more."""
    rig = await empty()
    rig.directory.script[OWN] = [status] * 9
    told = await activities.hand_over(await rig.order())
    assert f"was refused ({status} Scripted)" in told["why"]
    assert await activities.hand_over(await rig.order()) == told
    assert rig.directory.sent == [OWN]
    assert await rig.directory.own_service_principal() is not None
    wiring.use(None)


async def test_a_401_for_ourselves_is_our_own_end() -> None:
    """The removal got through before its answer did: nobody knows us any more, so nothing is left for the keeper."""
    rig = await empty()

    async def shut_out() -> Any:
        raise SignInRefused(TARGET, 700016, "not in the directory")

    rig.directory.script[OWN] = [401]
    rig.directory.after = lambda *_: setattr(rig.directory, "organization", shut_out)
    assert await activities.hand_over(await rig.order()) == {}
    wiring.use(None)


@pytest.mark.slow
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


@pytest.mark.parametrize("listed", [False, True])
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
async def test_a_lost_token_proves_our_own_end(trouble: ServiceTrouble, done: bool, listed: bool) -> None:
    """After the removal nobody lets us in any more: that is the proof, also where a listing meets it (as in Graph's
    gateway); any other trouble is not.
    """
    rig = await empty()

    def after(number: int, ids: list[str]) -> None:
        async def shut_out() -> Any:
            if listed:
                raise ListingIncomplete("organization", 0, str(trouble)) from trouble
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
