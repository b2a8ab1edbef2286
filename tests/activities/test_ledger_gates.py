"""Gates, decisions, notices and links in Records: nothing said is lost, nothing is used twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

import activities
from tenantclosure import wiring
from tenantclosure.errors import RecordConflict
from tenantclosure.policy.quorum import evaluate
from tests.activities.rig import ANN, BOB, CYD, Rig, killed_at_each_write
from tests.activities.test_ledger import SlowRecords
from tests.fakes.clock import FakeClock


class StoppedClock(FakeClock):
    """Every look is the same millisecond."""

    def now(self) -> Any:
        return self.moment


async def opened(rig: Rig) -> Rig:
    """A gate open over a plan."""
    await rig.planned()
    await activities.open_gate(await rig.order(gate="plan", phase="gate-plan"))
    return rig


async def closing(rig: Rig, state: str = "approved") -> dict[str, Any]:
    """Close the gate as it stands; the document."""
    found = await rig.ledger.tagged_gate(rig.closure, "plan", 1)
    assert found is not None
    by = rig.clock.now() + timedelta(days=3) if state == "approved" else None
    return await rig.ledger.close_gate(rig.closure, *found, state, [ANN.key], by)


def people(rig: Rig) -> dict[str, Any]:
    """What names one link of Ann's."""
    return {"closureId": rig.closure, "gate": "plan", "serial": 1, "digest": "d", "person": ANN.to_dict()}


async def test_a_gate_is_not_closed_past_a_word_said_meanwhile(rig: Rig) -> None:
    """Whoever judged before somebody spoke can't write what they judged; nothing is told of it."""
    await opened(rig)
    found = await rig.ledger.tagged_gate(rig.closure, "plan", 1)
    assert found is not None
    await rig.decide("plan", CYD, "veto")
    with pytest.raises(RecordConflict):
        await rig.ledger.close_gate(rig.closure, *found, "approved", [ANN.key], None)
    assert "open" == (await rig.gate())["state"]
    assert "gate:closed" not in await rig.words()


async def test_judges_at_the_same_time_agree() -> None:
    """A veto that comes while several judge is heard by all of them or by the next look; no veto is lost."""
    rig = await opened(Rig(records=SlowRecords()))
    order = await rig.order(gate="plan", phase="gate-plan")
    await rig.decide("plan", ANN)
    await asyncio.gather(
        rig.decide("plan", CYD),
        activities.judge_gate(order),
        rig.decide("plan", BOB, "veto"),
        activities.judge_gate(order),
    )
    assert "vetoed" == (await activities.judge_gate(order))["state"] == (await rig.gate())["state"]
    wiring.use(None)


async def test_a_word_between_reading_and_writing_is_judged_too(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A veto that lands after the judge has read the decisions: the gate reads approved at no moment."""
    await opened(rig)
    for person in (ANN, CYD):
        await rig.decide("plan", person)
    decisions, late = rig.ledger.decisions, [BOB]

    async def reading(closure: str) -> Any:
        found = await decisions(closure)
        if late:
            await rig.decide("plan", late.pop(), "veto")
        return found

    monkeypatch.setattr(rig.ledger, "decisions", reading)
    assert "vetoed" == (await activities.judge_gate(await rig.order(gate="plan", phase="gate-plan")))["state"]
    assert ["vetoed"] == [told["state"] for told in await rig.audited("gate:closed")]
    assert "gate:reopened" not in await rig.words()


async def test_two_words_within_a_millisecond_are_both_kept() -> None:
    """Approve and veto of one person at the same moment stand in the order in which they were said."""
    rig = await opened(Rig(clock=StoppedClock()))
    for word in ("approve", "revoke", "approve", "veto"):
        await rig.decide("plan", ANN, word)
    said = await rig.ledger.decisions(rig.closure)
    assert ["approve", "revoke", "approve", "veto"] == [one["decision"] for one in said]
    assert 4 == len({one["at"] for one in said})
    assert 4 == (await rig.gate())["said"]
    assert "vetoed" == evaluate(await rig.gate(), said, rig.clock.now()).state
    wiring.use(None)


async def test_many_words_at_once_are_all_counted() -> None:
    """People who speak at the same time each change the gate, so no judge overlooks one of them."""
    rig = await opened(Rig(records=SlowRecords()))
    await asyncio.gather(*(rig.decide("plan", person) for person in (ANN, BOB, CYD)))
    assert 3 == (await rig.gate())["said"] == len(await rig.ledger.decisions(rig.closure))
    wiring.use(None)


async def test_reopening_gives_a_fresh_date_and_is_told_once(rig: Rig) -> None:
    """A gate that fell open has its whole time to answer again, counts its reminders anew, and says why."""
    await opened(rig)
    await closing(rig)
    rig.clock.go_on(days=5)
    again = await rig.ledger.reopen_gate(rig.closure, "plan", 1, "because")
    assert again == await rig.ledger.reopen_gate(rig.closure, "plan", 1, "another reason")
    assert ("open", [], None, None) == (again["state"], again["approvals"], again["closedAt"], again["executeBy"])
    assert ["because"] == [one["why"] for one in again["reopened"]]
    assert "2026-11-13" == again["answerBy"][:10]
    assert [{"gate": "plan", "serial": 1, "why": "because"}] == await rig.audited("gate:reopened")


@pytest.mark.parametrize("state", ["vetoed", "expired"])
async def test_what_ended_is_not_opened_again(rig: Rig, state: str) -> None:
    """A veto and silence are final: nothing opens that gate again."""
    await opened(rig)
    closed = await closing(rig, state)
    assert closed == await rig.ledger.reopen_gate(rig.closure, "plan", 1, "because")
    assert "gate:reopened" not in await rig.words()


@pytest.mark.parametrize("landed", [False, True])
async def test_a_crash_while_reopening_loses_no_line(landed: bool) -> None:
    """Killed at each write and run again: open once, and the audit says why."""

    async def closed() -> Rig:
        rig = await opened(Rig())
        await closing(rig)
        return rig

    async def reopen(rig: Rig) -> None:
        await rig.ledger.reopen_gate(rig.closure, "plan", 1, "because")

    async for rig in killed_at_each_write(closed, reopen, landed=landed, least=2):
        assert ("open", 1) == ((await rig.gate())["state"], len((await rig.gate())["reopened"]))
        assert "gate:reopened" in await rig.words()


async def test_a_gate_over_another_plan_is_a_conflict(rig: Rig) -> None:
    """The same gate and serial over another digest is refused, not taken for the one that is open."""
    await opened(rig)
    doc = await rig.gate()
    with pytest.raises(RecordConflict):
        await rig.ledger.open_gate(rig.closure, {**doc, "digest": "another"})
    assert doc == await rig.ledger.open_gate(rig.closure, doc)


# -- links, nonces, notices -------------------------------------------------------------------------------------------
async def test_a_link_is_used_once_under_a_race() -> None:
    """Of many who use a link at the same moment exactly one gets it; what it was used for stands in it."""
    rig = await opened(Rig(records=SlowRecords()))
    await rig.ledger.add_link("hash", {**people(rig), "noticeId": "n", "expiresAt": "2026-11-08T00:00:00.000Z"})
    got = await asyncio.gather(*(rig.ledger.use_link("hash", f"decision {n}") for n in range(8)))
    link = await rig.ledger.link("hash")
    assert link is not None
    assert [True] == [one for one in got if one]
    assert f"decision {got.index(True)}" == link["decision"]
    assert (False, False) == (await rig.ledger.use_link("hash", "again"), await rig.ledger.use_link("other", "again"))
    assert await rig.ledger.link("other") is None
    wiring.use(None)


async def test_a_link_is_never_made_twice(rig: Rig) -> None:
    """A hash that is taken is refused: no link is overwritten by another person's."""
    await opened(rig)
    link = {**people(rig), "noticeId": "n", "expiresAt": "2026-11-08T00:00:00.000Z"}
    await rig.ledger.add_link("hash", link)
    with pytest.raises(RecordConflict):
        await rig.ledger.add_link("hash", {**link, "person": BOB.to_dict()})


async def test_a_nonce_is_taken_once_under_a_race() -> None:
    """Of many callers with one nonce one gets it; the same nonce of another application is another one."""
    rig = await opened(Rig(records=SlowRecords()))
    got = await asyncio.gather(*(rig.ledger.take_nonce("app", "hash") for _ in range(8)))
    assert [True] == [one for one in got if one]
    assert (True, False) == (await rig.ledger.take_nonce("other", "hash"), await rig.ledger.take_nonce("app", "hash"))
    wiring.use(None)


async def test_a_notice_is_put_on_record_once(rig: Rig) -> None:
    """A second notice of one name changes nothing of the first, however it has fared."""
    await rig.opened()
    notice = {"noticeId": "n", "kind": "ask", "channel": "mail", "gate": "plan", "serial": 1, "digest": "d", "to": None}
    assert await rig.ledger.add_notice(rig.closure, {**notice, "detail": {}})
    await rig.ledger.change_notice(rig.closure, "n", lambda doc: doc.update(state="sent"))
    assert not await rig.ledger.add_notice(rig.closure, {**notice, "detail": {"why": "again"}})
    found = await rig.ledger.notice(rig.closure, "n")
    assert found is not None
    assert ("sent", {}) == (found["state"], found["detail"])
    assert [found] == await rig.ledger.notices(rig.closure)
    assert await rig.ledger.notice(rig.closure, "other") is None
