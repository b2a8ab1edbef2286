"""An ended closure that is opened again: one live closure of a tenant, whoever dies or stalls in between."""

from __future__ import annotations

from typing import Any

import pytest

import activities
from tenantclosure.errors import RailBroken, RequestRefused
from tenantclosure.ledger import turn_of
from tenantclosure.policy import rails
from tests.activities.rig import Rig
from tests.fakes.dying_records import Crash, DyingRecords


def revived(row: dict[str, Any]) -> None:
    """What the door does to the row of an ended closure."""
    row.update(status="planning", result=None, endedAt=None, control="rollback", epoch=row["epoch"] + 1)
    row["rollback"] = {"number": turn_of(row) + 1, "endsAs": "aborted"}


async def over(rig: Rig) -> Rig:
    """A closure that has ended."""
    await rig.opened()
    await rig.ledger.end(rig.closure, "aborted")
    return rig


async def again(rig: Rig) -> dict[str, Any]:
    row = await rig.row()
    return await rig.ledger.revive(await rig.ledger.take_lease(rig.closure, turn_of(row) + 1), revived)


async def test_opened_again_it_is_the_live_one(rig: Rig) -> None:
    """It holds the lease until its next end, which frees the tenant."""
    await over(rig)
    await again(rig)
    with pytest.raises(RequestRefused, match="still live"):
        await Rig.opened(rig)
    live = await rig.ledger.live()
    await rig.ledger.change(rig.closure, lambda row: row.update(control="run"))  # the rollback has begun
    await rig.ledger.end(rig.closure, "aborted")

    assert ([rig.closure], []) == (live, await rig.ledger.live())


async def test_of_two_that_open_it_again_one_does(rig: Rig) -> None:
    """The second finds the lease of this turn taken."""
    await over(rig)
    await rig.ledger.take_lease(rig.closure, 1)

    with pytest.raises(RequestRefused, match="still live"):
        await rig.ledger.take_lease(rig.closure, 1)


async def test_a_live_closure_is_not_opened_again(rig: Rig) -> None:
    """Somebody else opened it between the look and the lease: its row stays theirs."""
    await over(rig)
    await again(rig)
    before = await rig.row()
    with pytest.raises(RequestRefused, match="still live"):
        await rig.ledger.revive(await rig.ledger.take_lease(rig.closure, 2), revived)

    assert before["epoch"] == (await rig.row())["epoch"]


async def test_an_older_run_does_not_end_it(rig: Rig) -> None:
    """The run that had ended it comes once more: the fence, and the lease stays taken."""
    await over(rig)
    old = await rig.order()
    await again(rig)
    answer = await activities.end_closure({**old, "result": "aborted"})
    await rig.ledger.give_back(rig.closure)

    assert "fenced" == answer["stop"]
    assert (None, [rig.closure]) == ((await rig.row())["result"], await rig.ledger.live())


async def test_an_end_is_judged_on_the_row_it_writes(rig: Rig) -> None:
    """Whoever comes in between read and write is seen: the check gets the row as it is then."""
    await rig.opened()

    def newer(row: dict[str, Any]) -> None:
        rails.check_fence(row, row["epoch"] + 1)

    with pytest.raises(RailBroken):
        await rig.ledger.end(rig.closure, "aborted", newer)

    assert (None, [rig.closure]) == ((await rig.row())["result"], await rig.ledger.live())


async def test_the_end_of_the_turn_before_does_not_take_the_lease_away(rig: Rig) -> None:
    """Somebody has just taken it to open the closure again; its row is still ended."""
    await over(rig)
    await rig.ledger.take_lease(rig.closure, 1)
    await rig.ledger.give_back(rig.closure)

    assert [rig.closure] == await rig.ledger.live()


async def test_one_that_stalls_for_too_long_opens_nothing(rig: Rig) -> None:
    """A sweep and another intake came by between lease and row: the closure stays as it ended."""
    old = (await over(rig)).closure
    lease = await rig.ledger.take_lease(old, 1)
    rig.clock.go_on(seconds=120)
    await rig.ledger.give_back(old)
    new = (await rig.opened()).closure
    before = await rig.ledger.closure(old)
    with pytest.raises(RequestRefused, match=new):
        await rig.ledger.revive(lease, revived)

    after = await rig.ledger.closure(old)
    assert [new] == await rig.ledger.live()
    assert {**before, "updatedAt": ""} == {**after, "updatedAt": ""}


@pytest.mark.parametrize("landed", [False, True])
async def test_killed_while_opening_it_again(landed: bool) -> None:
    """At whatever write: the closure is live with its lease, or it is ended and the tenant is free after a minute."""
    for number in range(1, 8):
        rig = await over(Rig())
        rig.process(DyingRecords(rig.records, number, landed=landed))
        try:
            await again(rig)
        except Crash:
            rig.process()
        rig.clock.go_on(seconds=120)
        row = await rig.row()
        if row["status"] == "ended":
            await rig.ledger.give_back(rig.closure)
            await rig.ledger.take_lease(f"{rig.closure[:-1]}2", 0)
            assert (await rig.row())["result"] == "aborted"
        else:
            assert [rig.closure] == await rig.ledger.live()
            with pytest.raises(RequestRefused):
                await rig.ledger.take_lease(f"{rig.closure[:-1]}2", 0)
