"""Between plan and wave the tenant changes: what vanished is recorded, what must stay by now is kept and told."""

from __future__ import annotations

import json
from typing import Any

import pytest

import activities
from tenantclosure import names
from tenantclosure.model.inventory import Answer, Item
from tests.activities.rig import Rig, killed_at_each_write
from tests.fakes.dying_records import Crash
from tests.fakes.tenant import principal, user

U = [user(n).id for n in range(45)]
RULE = "held@contoso.com"
WHY = "changed after the plan was frozen: keep rule of the request"
BLOCKER = "users-changed"


async def ruled(rig: Rig, **more: Any) -> Rig:
    """A plan whose keep rule names user 40 by address."""
    rig.directory.change("users", U[40], upn=RULE)
    return await rig.ready(keep=[RULE], **more)


def changes(rig: Rig, number: int, upn: str = RULE) -> None:
    """The address of user 40 goes over to another one, who so matches the keep rule from now on."""
    rig.directory.change("users", U[40], upn="u40@contoso.com")
    rig.directory.change("users", U[number], upn=upn)


async def wave(rig: Rig, operation: str = "delete", family: str = "users") -> dict[str, Any]:
    return await activities.open_wave(await rig.order(family=family, operation=operation))


async def work(rig: Rig, operation: str = "delete", first: int = 0, last: int = 3) -> None:
    for shard in range(first, last):
        told = await activities.work_shard(await rig.shard_order(shard, operation=operation, final=True))
        assert "done" == told["state"]


async def review(rig: Rig) -> dict[str, Any]:
    return await activities.review_refused(await rig.order(family="users", operation="delete"))


async def confirm(rig: Rig) -> dict[str, Any]:
    return await activities.confirm_wave(await rig.order(family="users", operation="delete", tries=0))


async def blockers(rig: Rig) -> dict[str, list[str]]:
    """Blockers with their items, but for the one that the plan had from the start."""
    found = {one["what"]: one["items"] for one in (await rig.row())["blockers"]}
    return {what: items for what, items in found.items() if items != ["User 40"]}


async def counts(rig: Rig) -> dict[str, int]:
    """Counts of the report for users that are not zero."""
    await activities.write_report(await rig.order(result="kept"))
    report = json.loads(rig.records.blobs[names.report_path(rig.closure, "json")])
    return {outcome: count for outcome, count in report["counts"]["users"].items() if count}


# -- changed into something that must stay ----------------------------------------------------------------------------
async def test_a_user_who_matches_a_keep_rule_by_now_is_kept(rig: Rig) -> None:
    """Renamed onto a keep rule after the approval: not written to, kept with the reason, told by name; all add up."""
    await ruled(rig)
    changes(rig, 3)
    await wave(rig)
    await work(rig)

    assert U[3] not in rig.directory.sent
    assert 43 == len(rig.directory.sent)
    (line,) = [line for line in rig.evidence() if line.get("id") == U[3]]
    assert ("kept", WHY, 0) == (line["outcome"], line["reason"], line["status"])
    assert {BLOCKER: [f"User 3 ({RULE})"]} == await blockers(rig)
    (blocker,) = [one for one in (await rig.row())["blockers"] if one["what"] == BLOCKER]
    assert "1 of the planned users must stay now, because of a change: keep rule of the request." == blocker["why"]
    assert (True, "operator") == ("Undo the change" in blocker["remedy"], blocker["who"])
    assert {"confirmed": True, "left": 1} == await confirm(rig)
    assert {BLOCKER} == set(await blockers(rig)), "it is not called left over as well"
    # 44 were planned; the keeper and user 40 were kept from the start.
    assert {"planned": 44, "removed": 43, "kept": 3} == await counts(rig)


async def test_the_wave_is_repeated_and_says_it_once(rig: Rig) -> None:
    """A wave that is opened again, on and on, writes no second outcome, blocker or audit line."""
    await ruled(rig)
    changes(rig, 3)
    for _ in range(3):
        await wave(rig)
    assert {U[3]: "kept"} == rig.outcomes()
    assert 1 == len(await rig.audited("blocker:seen"))


async def test_a_shard_of_nothing_else_is_done_without_a_write(rig: Rig) -> None:
    """All of a shard must stay: it is done, with its hash in the audit, and nothing is sent."""
    rig.directory.items["users"] = rig.directory.items["users"][:2]
    rig.directory.holders[user(0).id] = ("reader",)
    rig.directory.items["users"].append(user(1))
    await rig.ready(keep=[user(1).id, "u1@contoso.com"])
    rig.directory.change("users", user(1).id, upn="other@contoso.com")
    rig.directory.change("users", user(0).id, upn="u1@contoso.com")
    assert {"shards": 1, "privilegedFrom": 0} == {key: (await wave(rig))[key] for key in ("shards", "privilegedFrom")}
    (done,) = await rig.audited("shard:done")
    assert {"kept": 1} == done["counts"]
    await work(rig, last=1)
    assert [] == rig.directory.asked


@pytest.mark.parametrize("first", ["delete", "block"])
async def test_before_each_wave(rig: Rig, first: str) -> None:
    """Nobody is blocked either, and who changes between two waves of one family is seen before the second."""
    rig.directory.holders[U[30]] = ("reader",)
    await ruled(rig, quietDays=3)
    await rig.approved("go-on")
    changes(rig, 3)
    await wave(rig, first)
    await work(rig, first, last=3)
    written = [id_ for method, found in rig.directory.asked for id_ in (found[1] if method == "delete_many" else found)]
    assert 42 == len(written)
    assert not {U[3], U[30]} & set(written)
    rig.directory.change("users", U[3], upn="u3@contoso.com")
    rig.directory.change("users", U[30], upn=RULE)
    await wave(rig, first)
    await work(rig, first, first=3, last=4)
    assert {U[30]: "kept"} == rig.outcomes(3, operation=first)
    assert {BLOCKER: [f"User 30 ({RULE})"]} == await blockers(rig)


async def test_before_the_retry_wave(rig: Rig) -> None:
    """Refused, and must stay by the time of the review: kept in its evidence, not opened again, nobody is asked."""
    rig.directory.script[U[3]] = [Answer(U[3], 403, "Authorization_RequestDenied")] * 9
    await ruled(rig)
    await wave(rig)
    await work(rig)
    rig.clock.go_on(days=2)
    changes(rig, 3)
    found = await review(rig)
    assert (0, 1) == (found["again"], found["waiting"])
    assert ["refused", "kept"] == [
        line["outcome"] for line in rig.evidence() if line.get("id") == U[3] and "outcome" in line
    ]
    assert [] == await rig.ledger.tasks(rig.closure)
    assert {BLOCKER: [f"User 3 ({RULE})"]} == await blockers(rig)
    assert {"planned": 44, "removed": 43, "kept": 3} == await counts(rig)


async def test_opened_again_and_changed_meanwhile(rig: Rig) -> None:
    """The review has opened it, the run died, and it must stay when the wave comes: it is not sent."""
    rig.directory.script[U[3]] = [Answer(U[3], 403, "Authorization_RequestDenied")]
    await ruled(rig)
    await wave(rig)
    await work(rig)
    rig.clock.go_on(days=2)
    assert 1 == (await review(rig))["again"]
    changes(rig, 3)
    await wave(rig)
    await work(rig, last=1)
    assert 1 == rig.directory.sent.count(U[3])
    assert 0 == (await review(rig))["again"]


async def test_changed_back_it_goes_in_a_later_wave(rig: Rig) -> None:
    """Approved it is all the time, so once the change is undone the review opens it, and the blocker goes."""
    await ruled(rig)
    changes(rig, 3)
    await wave(rig)
    await work(rig)
    assert 0 == (await review(rig))["again"]
    changes(rig, 3, upn="u3@contoso.com")
    found = await review(rig)
    assert (1, 0, 1) == (found["again"], found["first"], found["last"])
    assert {} == await blockers(rig)
    await work(rig, last=1)
    assert 44 == len(rig.directory.sent)
    assert {"planned": 44, "removed": 44, "kept": 2} == await counts(rig)
    assert {"confirmed": True, "left": 0} == await confirm(rig)


async def test_changed_back_and_forth(rig: Rig) -> None:
    """Opened because the change was undone, and changed again before the wave: it is kept once more, and not sent."""
    await ruled(rig)
    changes(rig, 3)
    await wave(rig)
    await work(rig)
    changes(rig, 3, upn="u3@contoso.com")
    assert 1 == (await review(rig))["again"]
    changes(rig, 3)
    await wave(rig)
    await work(rig, last=1)
    assert U[3] not in rig.directory.sent
    assert ["kept", "kept"] == [line["outcome"] for line in rig.evidence() if line.get("id") == U[3]]


async def test_kept_and_then_deleted_by_somebody(rig: Rig) -> None:
    """Whoever removes it by hand makes it absent: no outcome is lost and none stays wrong."""
    await ruled(rig)
    changes(rig, 3)
    await wave(rig)
    await work(rig)
    rig.directory.take("users", U[3])
    assert 0 == (await review(rig))["again"]
    assert {} == await blockers(rig)
    assert {"planned": 44, "removed": 43, "absent": 1, "kept": 2} == await counts(rig)


@pytest.mark.parametrize(("gone", "outcome"), [(True, "removed"), (False, "kept")])
async def test_sent_without_an_answer_and_changed(rig: Rig, gone: bool, outcome: str) -> None:
    """It may have gone by our DELETE: looked up by itself, and never sent again."""
    await ruled(rig)
    assert "done" == (await activities.work_shard(await rig.shard_order(1)))["state"]

    def die(number: int, ids: list[str]) -> None:
        raise Crash

    setattr(rig.directory, "after" if gone else "calls", die)
    with pytest.raises(Crash):
        await activities.work_shard(await rig.shard_order(0))
    rig.directory.after = rig.directory.calls = lambda number, ids: None
    sent = len(rig.directory.sent)
    changes(rig, 3)
    if gone:  # the listing lags behind
        rig.directory.items["users"].append(user(3, upn=RULE))
        states = rig.directory.states_of

        async def deleted(family: str, ids: Any) -> dict[str, str]:
            return {**await states(family, ids), U[3]: "deleted"}

        rig.directory.states_of = deleted  # type: ignore[method-assign]
    await wave(rig)
    assert outcome == rig.outcomes()[U[3]]
    await work(rig, last=1)
    assert U[3] not in rig.directory.sent[sent:]


async def test_restricted_is_no_reason_to_stay(rig: Rig) -> None:
    """A user under restricted management is sent and refused: people release it, the plan still wants it gone."""
    await rig.ready()
    rig.directory.change("users", U[3], restricted=True)
    await wave(rig)
    await work(rig)
    assert U[3] in rig.directory.sent
    assert {} == await blockers(rig)


@pytest.mark.parametrize(
    ("family", "item", "change"),
    [
        ("domains", Item("litware.onmicrosoft.com", "litware", {"isInitial": False}), {"isInitial": True}),
        ("applications", Item("a-1", "App", {"appId": "app-1"}), {"appId": "our-app"}),
    ],
)
async def test_other_families(rig: Rig, family: str, item: Item, change: dict[str, Any]) -> None:
    """A domain that became the initial one, and what turns out to be our own registration, stay."""
    rig.directory.items[family].append(item)
    await rig.ready()
    rig.directory.change(family, item.id, **change)
    await wave(rig, family=family)
    assert "done" == (await activities.work_shard(await rig.shard_order(family=family)))["state"]
    assert [] == rig.directory.asked
    assert {item.id: "kept"} == rig.outcomes(family=family)
    assert {f"{family}-changed": [item.name]} == await blockers(rig)


async def test_a_changed_request_changes_no_rule(rig: Rig) -> None:
    """A keep rule taken out of the stored request does not free anybody: the request is not the approved one."""
    await ruled(rig)
    await rig.ledger.change(rig.closure, lambda row: row["request"].update(keep=[]))
    assert "rail" == (await wave(rig))["stop"]
    assert "rail" == (await activities.work_shard(await rig.shard_order()))["stop"]
    assert [] == rig.directory.asked


async def test_mfa_of_who_must_stay_is_left_alone(rig: Rig) -> None:
    """Their sign-in is not touched; that of everybody else who is left is."""
    rig.directory.mfa = {U[3]: "enabled", U[4]: "enabled"}
    await ruled(rig)
    changes(rig, 3)
    assert 1 == (await activities.turn_off_mfa(await rig.order()))["turnedOff"]
    assert [("turn_off_mfa", [U[4]])] == rig.directory.asked


async def test_readiness_counts_them_among_the_kept(rig: Rig) -> None:
    """Nobody is told to delete them: they are kept users, with which a closure ends as kept."""
    await ruled(rig)
    changes(rig, 3)
    await wave(rig)
    await work(rig)
    assert (await activities.check_readiness(await rig.order(instance="i", keeps=True)))["ready"]
    assert {"kept-users": ["User 40", "User 3"]} == await blockers(rig)


@pytest.mark.slow
@pytest.mark.parametrize("landed", [False, True])
async def test_a_crash_while_keeping(landed: bool) -> None:
    """Killed at each write of the wave's opening: run again, it is kept once and told once more at most."""

    async def changed() -> Rig:
        rig = await ruled(Rig())
        changes(rig, 3)
        rig.directory.take("users", U[5])
        return rig

    async def opened(rig: Rig) -> None:
        assert "shards" in await wave(rig)

    async for rig in killed_at_each_write(changed, opened, landed=landed, least=6):
        assert {U[3]: "kept"} == rig.outcomes()
        assert {BLOCKER: [f"User 3 ({RULE})"]} == await blockers(rig)
        assert {"count": 1, "items": [U[5]]} == {
            key: value
            for key, value in (await rig.ledger.mark(rig.closure, "gone-users", 1) or {}).items()
            if key != "at"
        }


# -- gone by itself ---------------------------------------------------------------------------------------------------
async def test_what_vanished_is_recorded_once(rig: Rig) -> None:
    """How many and which, in a mark and one line of the audit, however often a wave is opened; our own don't count."""
    rig.directory.holders[U[30]] = ("reader",)
    await rig.ready()
    for number in (7, 3):
        rig.directory.take("users", U[number])
    for _ in range(3):
        await wave(rig)
    told = {"serial": 1, "family": "users", "count": 2, "items": [U[3], U[7]]}
    assert [told] == await rig.audited("items:gone")
    await work(rig, last=3)
    await wave(rig)
    assert [told] == await rig.audited("items:gone")
    rig.directory.take("users", U[30])
    await wave(rig)
    assert {**told, "count": 3, "items": [U[3], U[7], U[30]]} == (await rig.audited("items:gone"))[-1]


async def test_many_that_vanished_are_counted_and_the_first_named(rig: Rig) -> None:
    """A mark does not grow with the tenant."""
    rig.directory.items["users"] += [user(n) for n in range(45, 100)]
    await rig.ready()
    rig.directory.items["users"] = rig.directory.items["users"][:1]
    await wave(rig)
    (told,) = await rig.audited("items:gone")
    assert (100, [user(n).id for n in range(50)]) == (told["count"], told["items"])


async def test_what_may_have_gone_by_our_hand_is_not_called_vanished(rig: Rig) -> None:
    """A DELETE whose answer was lost, and enterprise applications that went with their registration."""
    rig.directory.items["applications"].append(Item("a-1", "App 1", {"appId": "app-1"}))
    rig.directory.items["service-principals"] += [principal(1, appId="app-1"), principal(2, appId="app-2")]
    await rig.ready()

    def die(number: int, ids: list[str]) -> None:
        raise Crash

    rig.directory.after = die
    with pytest.raises(Crash):
        await activities.work_shard(await rig.shard_order(0))
    await wave(rig)
    assert [] == await rig.audited("items:gone")
    for number in (1, 2):
        rig.directory.take("service-principals", principal(number).id)
    await wave(rig, family="service-principals")
    assert [[principal(2).id]] == [told["items"] for told in await rig.audited("items:gone")]
