"""One shard: every kind of answer comes to one outcome, and nothing is sent after a final one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import activities
from activities.fenced import Fence
from activities.guard import cleared
from tenantclosure.errors import ServiceTrouble, Throttled
from tenantclosure.ledger import iso
from tenantclosure.model.inventory import Answer, Item
from tenantclosure.policy.pacing import Bucket
from tests.activities.rig import Rig
from tests.fakes.seals import rewrite
from tests.fakes.tenant import KEEPER, FakeDirectory, user

U = [user(n).id for n in range(45)]


async def work(rig: Rig, shard: int = 0, **more: Any) -> dict[str, Any]:
    return await activities.work_shard(await rig.shard_order(shard, **more))


async def counts(rig: Rig, shard: int = 0) -> dict[str, Any]:
    return {number: doc async for _, _, _, number, doc in rig.ledger.shards(rig.closure)}[shard]


async def test_a_shard_is_removed(rig: Rig) -> None:
    """Every id is sent once, comes out removed with its request id, and the evidence's hash is in the audit."""
    await rig.ready()
    assert (await work(rig))["state"] == "done"
    assert rig.directory.sent == U[:20]
    assert rig.outcomes() == dict.fromkeys(U[:20], "removed")
    doc = await counts(rig)
    assert (doc["removed"], doc["writes"], doc["resent"], doc["done"]) == (20, 20, 0, True)
    (told,) = await rig.audited("shard:done")
    assert (told["evidence"], told["counts"]) == (doc["sha256"], {"removed": 20})


async def test_a_done_shard_is_not_touched_again(rig: Rig) -> None:
    """Run again, a finished shard sends nothing and says done."""
    await rig.ready()
    await work(rig)
    assert (await work(rig))["state"] == "done"
    assert len(rig.directory.sent) == 20
    assert len(await rig.audited("shard:done")) == 1


@pytest.mark.parametrize(
    ("status", "outcome"), [(404, "absent"), (403, "refused"), (400, "refused"), (401, "refused"), (200, "removed")]
)
async def test_final_answers(rig: Rig, status: int, outcome: str) -> None:
    """A final answer is an outcome at once: gone already, refused with Microsoft's reason, or removed."""
    await rig.ready()
    rig.directory.script[U[3]] = [Answer(U[3], status, "Code", "why it is so", "request-9")]
    assert (await work(rig))["state"] == "done"
    (line,) = [line for line in rig.evidence() if line.get("id") == U[3]]
    assert (line["outcome"], line["status"], line["requestId"]) == (outcome, status, "request-9")
    assert rig.directory.sent.count(U[3]) == 1


@pytest.mark.parametrize("status", [408, 409, 412, 423, 424, 429, 500, 503, 504])
async def test_passing_trouble_is_tried_again(rig: Rig, status: int) -> None:
    """An item in passing trouble comes round again, alone; it is no lost answer, so not counted as resent."""
    await rig.ready()
    rig.directory.script[U[3]] = [status, status]
    assert (await work(rig))["state"] == "done"
    assert rig.directory.sent.count(U[3]) == 3
    assert len(rig.directory.sent) == 22
    assert rig.outcomes()[U[3]] == "removed"
    assert (await counts(rig))["resent"] == 0
    assert rig.clock.slept == pytest.approx([2.0, 4.0], abs=0.1)


async def test_inner_retry_after_is_kept(rig: Rig) -> None:
    """The longest Retry-After of a wave is waited for, decimals and all."""
    await rig.ready()
    rig.directory.script[U[0]] = [Answer(U[0], 429, "TooManyRequests", retry_after=7.25)]
    rig.directory.script[U[1]] = [Answer(U[1], 429, "TooManyRequests", retry_after=3.0)]
    await work(rig)
    assert rig.clock.slept == pytest.approx([7.25], abs=0.1)


async def test_a_long_retry_after_becomes_a_durable_wait(rig: Rig) -> None:
    """What is longer than a minute is not slept through in an activity, and goes on afterwards."""
    await rig.ready()
    rig.directory.script[U[0]] = [Answer(U[0], 429, "TooManyRequests", retry_after=120.0)]
    held = await work(rig)
    assert (held["state"], held["retryAfter"], rig.clock.slept) == ("wait", pytest.approx(120.0, abs=0.1), [])
    assert (await work(rig, bucket=held["bucket"]))["state"] == "done"
    assert rig.directory.sent.count(U[0]) == 2


async def test_endless_trouble_is_held_then_failed(rig: Rig) -> None:
    """After five tries an item is held; in the final round it counts as failed, the others are long removed."""
    await rig.ready()
    rig.directory.script[U[0]] = [500] * 99
    assert (await work(rig))["state"] == "held"
    assert rig.directory.sent.count(U[0]) == 5
    assert (await work(rig, final=True))["state"] == "done"
    assert rig.outcomes() == {**dict.fromkeys(U[:20], "removed"), U[0]: "failed"}
    assert len(rig.directory.sent) == 20 + 9


def lose_answers(rig: Rig, *numbers: int) -> None:
    def after(number: int, ids: list[str]) -> None:
        if number in numbers:
            raise ServiceTrouble("the connection broke")

    rig.directory.after = after


async def test_lost_answers_are_looked_up(rig: Rig) -> None:
    """A batch that was done but whose answer got lost is found deleted, not sent again."""
    await rig.ready()
    lose_answers(rig, 1)
    assert (await work(rig))["state"] == "done"
    assert rig.directory.sent == U[:20]
    assert rig.outcomes() == dict.fromkeys(U[:20], "removed")
    assert (await counts(rig))["resent"] == 0


async def test_lost_requests_are_sent_again_and_counted(rig: Rig) -> None:
    """A batch that never arrived is found present, sent again, and counted as resent."""
    await rig.ready()

    def calls(number: int, ids: list[str]) -> None:
        if number == 1:
            raise ServiceTrouble("the connection broke")

    rig.directory.calls = calls
    assert (await work(rig))["state"] == "done"
    assert rig.outcomes() == dict.fromkeys(U[:20], "removed")
    assert (await counts(rig))["resent"] == 20


async def test_a_resent_item_in_trouble_counts_once(rig: Rig) -> None:
    """A resent item that is answered 429 and tried again was resent once, not twice."""
    await rig.ready()
    rig.directory.script[U[0]] = [Answer(U[0], 0), 429]
    assert (await work(rig))["state"] == "done"
    assert (await counts(rig))["resent"] == 1
    assert rig.directory.sent.count(U[0]) == 3


async def test_a_missing_answer_stays_in_doubt(rig: Rig) -> None:
    """An id the batch did not answer is looked up before it is sent again."""
    await rig.ready()
    whole = rig.directory.delete_many

    async def forgetful(family: str, ids: Any) -> list[Answer]:
        return [answer for answer in await whole(family, ids) if answer.id != U[5]]

    rig.directory.delete_many = forgetful  # type: ignore[method-assign]
    rig.directory.script[U[5]] = []
    assert (await work(rig))["state"] == "done"
    assert rig.outcomes()[U[5]] == "removed"
    assert rig.directory.sent.count(U[5]) == 1


async def test_an_outer_429_sends_nothing_and_waits(rig: Rig) -> None:
    """A throttled batch counts as not sent; all its items come round after its Retry-After."""
    await rig.ready()

    def calls(number: int, ids: list[str]) -> None:
        if number == 1:
            raise Throttled("slow down", 11.0)

    rig.directory.calls = calls
    assert (await work(rig))["state"] == "done"
    assert rig.directory.sent == U[:20]
    assert rig.clock.slept == pytest.approx([11.0], abs=0.1)
    assert (await counts(rig))["resent"] == 0


async def test_the_quota_is_kept(rig: Rig) -> None:
    """With no tokens left the shard waits; a wait over a minute goes back to the orchestrator without a write."""
    await rig.ready()
    held = await work(rig, tokens=0.0, rate=0.01, burst=3000)
    assert (held["state"], rig.directory.sent) == ("wait", [])
    assert held["retryAfter"] == pytest.approx(100, abs=0.1)
    assert (await work(rig, tokens=0.0, rate=20.0))["state"] == "done"
    assert rig.clock.slept == [pytest.approx(1.0, abs=0.1)]


async def test_a_small_burst_is_never_exceeded(rig: Rig) -> None:
    """A wave is no larger than the burst, however many items wait."""
    await rig.ready()
    assert (await work(rig, tokens=6.0, rate=6.0, burst=6))["state"] == "done"
    assert max(len(ids) for _, (_, ids) in rig.directory.asked) == 6
    assert sum(rig.clock.slept) == pytest.approx((20 - 6) / 6, abs=0.1)


async def test_time_runs_out_politely(rig: Rig) -> None:
    """After four minutes an activity hands back; the next one goes on where it stopped."""
    await rig.ready()

    def calls(number: int, ids: list[str]) -> None:
        rig.clock.go_on(seconds=241)

    rig.directory.calls = calls
    more = await work(rig, tokens=5.0, rate=20.0, burst=5)
    assert more["state"] == "more"
    assert len(rig.directory.sent) == 5
    while more["state"] == "more":
        more = await work(rig, bucket=more["bucket"])
    assert rig.directory.sent == U[:20]


async def test_blocking_touches_nobody_spared_and_deletes_nobody(rig: Rig) -> None:
    """The quiet period's operation blocks sign-in of the plan's users, at two writes each, and deletes nothing."""
    await rig.ready()
    assert (await work(rig, operation="block", phase="quiet-period"))["state"] == "done"
    assert set(rig.directory.writes) == {"block_sign_in"}
    blocked = [id_ for _, ids in rig.directory.asked for id_ in ids]
    assert blocked == U[:20]
    assert KEEPER not in blocked
    assert max(len(ids) for _, ids in rig.directory.asked) == 10
    assert (await counts(rig))["writes"] == 40


@pytest.mark.parametrize("control", ["pause", "abort"])
async def test_pause_and_abort_stop_within_one_wave(rig: Rig, control: str) -> None:
    """An operator's word between two waves is heeded before the next; what was done stays done."""
    await rig.ready()

    def calls(number: int, ids: list[str]) -> None:
        rewrite(rig.records, "closure", rig.closure, control=control)

    rig.directory.calls = calls
    answer = await work(rig, tokens=5.0, rate=20.0, burst=5)
    assert answer["stop"] == {"pause": "paused", "abort": "aborted"}[control]
    assert rig.directory.sent == U[:5]
    assert rig.outcomes() == dict.fromkeys(U[:5], "removed")


# -- several waves at once, and a service that asks to slow down -----------------------------------------------------
async def test_one_item_in_trouble_keeps_no_other_waiting(rig: Rig) -> None:
    """A user that answers 500 four times waits for himself; everybody else is gone before his second try."""
    await rig.ready()
    rig.directory.script[U[0]] = [500] * 4
    assert (await work(rig, tokens=5.0, rate=20.0, burst=5))["state"] == "done"
    assert U[:20] == rig.directory.sent[:20]
    assert [U[0]] * 4 == rig.directory.sent[20:]


async def test_a_wave_has_asked_for_itself_only(rig: Rig) -> None:
    """While one wave is out, another write asks again: what the first one was told does not speak for it."""
    await rig.ready()
    order = await rig.order()
    clearance = await cleared(rig.parts, order)
    asked, others = list[str](), list[str]()
    fence = Fence(lambda: _note(asked))
    other = asyncio.create_task(_write_beside(fence, clearance, released := asyncio.Event()))
    async with fence.wave():
        await fence.check()
        await Fence(lambda: _note(others)).check()
        released.set()
        await other
        await asyncio.gather(fence.check(), fence.check())
    await fence.check()
    assert ["asked"] * 3 == asked
    assert ["asked"] == others  # nor does it speak for another fence


async def _note(asked: list[str]) -> None:
    asked.append("asked")


async def _write_beside(fence: Fence, clearance: Any, released: asyncio.Event) -> None:
    await released.wait()
    await fence.check()


async def test_a_service_that_takes_nothing_is_waited_for_with_a_reason_and_a_time(rig: Rig) -> None:
    """After three waves of nothing but 429 the lane waits on a durable timer; the row says why, and until when."""
    await rig.ready()
    full = rig.directory.calls

    def calls(number: int, ids: list[str]) -> None:
        raise Throttled("full", 5.0)

    rig.directory.calls = calls
    waiting = await work(rig)
    assert ("wait", 15.0) == (waiting["state"], waiting["retryAfter"])
    (blocker,) = (await rig.row())["blockers"]
    assert ("users-slowed", True) == (blocker["what"], "429" in blocker["why"])
    assert blocker["earliest"] > iso(rig.clock.now())
    again = await work(rig, bucket=waiting["bucket"])
    assert again["bucket"]["rate"] < waiting["bucket"]["rate"]
    assert 1 == len(await rig.audited("blocker:seen"))  # it is told once, not at each wait
    rig.directory.calls = full
    assert (await work(rig, bucket=again["bucket"]))["state"] == "done"
    assert [] == (await rig.row())["blockers"]


async def test_a_full_service_is_no_trouble_of_an_item(rig: Rig) -> None:
    """However often all are throttled, nobody comes nearer to being given up."""
    await rig.ready()
    refuse = 40

    def calls(number: int, ids: list[str]) -> None:
        if number <= refuse:
            raise Throttled("full", 5.0)

    rig.directory.calls = calls
    answer = await work(rig, final=True)
    while answer["state"] == "wait":
        answer = await work(rig, final=True, bucket=answer["bucket"])
    assert dict.fromkeys(U[:20], "removed") == rig.outcomes()


async def test_a_user_who_is_throttled_for_ever_ends_as_failed(rig: Rig) -> None:
    """When all others have long gone through, even endless 429 are about this one: he is held, then failed by name."""
    await rig.ready()
    rig.directory.script[U[0]] = [Answer(U[0], 429, retry_after=1.0)] * 500
    states, bucket = [], None
    while "done" not in states[-1:] and len(states) < 99:
        final = states.count("held") > 0
        worked = await work(rig, final=final, **({"bucket": bucket} if bucket else {}))
        bucket = worked["bucket"]
        states.append(worked["state"])
    assert {**dict.fromkeys(U[:20], "removed"), U[0]: "failed"} == rig.outcomes()


async def test_the_service_says_how_full_its_bucket_is(rig: Rig) -> None:
    """Somebody else has used the quota: what we thought to have is forgotten, without a single 429."""
    await rig.ready()
    rig.directory.script[U[0]] = [Answer(U[0], 204, used=0.99)]
    done = await work(rig)
    assert done["bucket"]["tokens"] < 60


async def test_a_user_who_asks_for_two_minutes_is_held_alone(rig: Rig) -> None:
    """A 503 with a long Retry-After holds its item on a durable timer; that is a round of this item's."""
    await rig.ready()
    rig.directory.script[U[0]] = [Answer(U[0], 503, retry_after=120.0)]
    held = await work(rig)
    assert ("held", pytest.approx(120, abs=1)) == (held["state"], held["retryAfter"])
    assert dict.fromkeys(U[1:20], "removed") == rig.outcomes()


async def test_tokens_of_a_wave_that_was_not_sent_are_given_back(rig: Rig) -> None:
    """The time runs out while a wave waits for its tokens: they are there for the next activity, and its items too."""
    await rig.ready()

    def calls(number: int, ids: list[str]) -> None:
        rig.clock.go_on(seconds=241)

    rig.directory.calls = calls
    before = rig.clock.now()
    more = await work(rig, tokens=5.0, rate=0.02, burst=3000)
    flowed = (rig.clock.now() - before).total_seconds() * 0.02
    assert ("more", 5) == (more["state"], len(rig.directory.sent))
    assert 5 + flowed - 5 == pytest.approx(Bucket.from_dict(more["bucket"]).held(rig.clock.now()), abs=0.1)


async def test_who_is_spared_is_in_no_wave(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should a shard ever be handed over with the keeper in it, his wave is not sent."""
    await rig.ready()
    keeper = await rig.directory.find_user(KEEPER)
    assert keeper is not None

    async def everybody(*_: Any) -> list[Item]:
        return [user(0), keeper]

    monkeypatch.setattr("activities.shards.read_shard", everybody)
    assert "rail" == (await work(rig))["stop"]
    assert [] == rig.directory.sent


async def test_answers_are_kept_when_a_stop_comes_between_waves() -> None:
    """Paused while the first waves are out, with tokens for more: every answer that came is in the evidence."""
    rig = Rig(directory=FakeDirectory(400), environment={"CLOSURE_SHARD_SIZE": 400})
    await rig.ready()

    def calls(number: int, ids: list[str]) -> None:
        rewrite(rig.records, "closure", rig.closure, control="pause")

    rig.directory.calls = calls
    assert "paused" == (await work(rig))["stop"]
    assert 0 < len(rig.directory.sent) < 400
    assert dict.fromkeys(rig.directory.sent, "removed") == rig.outcomes()
