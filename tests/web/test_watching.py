"""The sweep flags a closure that is stuck, and tells operations how everything stands."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tenantclosure import names
from tenantclosure.ledger import Ledger
from tenantclosure.telemetry import lines
from tests.telemetry.ears import Ears
from tests.web.rig import Desk, read
from web.sweeping import sweep


@pytest.fixture(autouse=True)
def _told() -> Iterator[None]:
    """Log records say what they are about, as in the app."""
    before = logging.getLogRecordFactory()
    lines.install()
    yield
    logging.setLogRecordFactory(before)


async def _swept(desk: Desk, hours: float = 0.0) -> None:
    """Sweep at a full hour, when all is looked at."""
    desk.clock.moment = (desk.clock.moment + timedelta(hours=hours)).replace(minute=0, second=0, microsecond=0)
    await sweep(desk.client, desk.parts)


async def _deleting(desk: Desk) -> str:
    """A closure in the middle of deleting users, whose run lives."""
    closure, _ = await desk.approved()
    desk.client.states[f"{closure}-e1"] = "RUNNING"
    await desk.ledger.set_mark(closure, "used-plan", 1, {})
    return closure


async def _shown(desk: Desk, closure: str) -> Any:
    return read(await desk.call("show_closure", closureId=closure))["stuck"]


def _events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.about["event"] for record in caplog.records if getattr(record, "about", {}).get("event")]


async def test_a_silent_closure_is_stuck_until_it_moves(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """No shard is noted for hours: flagged on API and page, said as an event; the next sign takes the flag off."""
    caplog.set_level(logging.INFO)
    closure = await _deleting(desk)
    await _swept(desk, 1)
    await _swept(desk, 1)
    assert await _shown(desk, closure) is None
    await _swept(desk, 1)
    flag = await _shown(desk, closure)
    page = (await desk.call("closure_page", closureId=closure)).get_body().decode()

    assert "no-progress" == flag["reason"]
    assert "nothing moves, although nobody is waited for" in page
    assert ["closure.stuck"] == [said for said in _events(caplog) if said.startswith("closure.")]

    await desk.ledger.note_shard(closure, 1, "users", "delete", 0, {"removed": 1, "done": False})
    await _swept(desk, 0)
    assert await _shown(desk, closure) is None
    assert "closure.moved" in _events(caplog)


async def test_runs_that_die_again_and_again_are_stuck(desk: Desk) -> None:
    """Restarting is no progress: a run that is always gone is flagged with that reason."""
    closure = await _deleting(desk)
    for _ in range(4):
        desk.client.states.clear()
        await _swept(desk, 1)

    assert "restarts" == (await _shown(desk, closure))["reason"]


async def test_an_order_nobody_hears_is_stuck(desk: Desk) -> None:
    """A pause was asked for and the status never shows it, although it was woken for."""
    closure = await _deleting(desk)
    await desk.ledger.change(closure, lambda row: row.update(control=names.Control.PAUSE))
    for _ in range(3):
        await _swept(desk, 1)

    assert "order-unheard" == (await _shown(desk, closure))["reason"]


async def test_people_may_take_their_time(desk: Desk) -> None:
    """An open gate is never stuck before its answer-by; an answer that is not heard is."""
    closure, _ = await desk.at_gate()
    desk.client.states[f"{closure}-e1"] = "RUNNING"
    for _ in range(4):
        await _swept(desk, 24)
    assert await _shown(desk, closure) is None
    for _ in range(3):
        await _swept(desk, 48)
    assert "gate-unheard" == (await _shown(desk, closure))["reason"]


async def test_the_sweep_tells_how_everything_stands(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """Closures by status, the gate's age and time left, poison, lag; and once little is left, an event."""
    caplog.set_level(logging.INFO)
    with Ears() as ears:
        closure, _ = await desk.at_gate()
        desk.client.states[f"{closure}-e1"] = "RUNNING"
        await _swept(desk)
        await desk.records.enqueue(names.POISON_QUEUE, {"no": "request"})
        await _swept(desk, 6 * 24)
        told = ears.metrics()

    here = {"closureId": closure, "gate": "plan"}
    assert 1.0 == told["closure.live"][_key(status="waiting-approval")]
    assert 0.0 == told["closure.live"][_key(status="running")]
    assert 6 * 86400 - 3600 < told["closure.gate.age"][_key(**here)] < 6 * 86400 + 3600
    assert 86400 - 3600 < told["closure.gate.left"][_key(**here, limit="answer-by")] < 86400 + 3600
    assert 1.0 == told["closure.poison"][_key(queue=names.POISON_QUEUE)]
    assert 6 * 86400 - 3600 < told["closure.sweep.lag"][_key()] < 6 * 86400
    assert 2 == told["closure.sweep.duration"][_key()]
    assert ["message.poison"] == _events(caplog)
    await _swept(desk, 12)
    assert ["message.poison", "gate.expiring", "message.poison"] == _events(caplog)


async def test_an_approval_that_nobody_uses_is_about_to_expire(desk: Desk) -> None:
    """Its execute-by is told until it is used for the first time, and then no more."""
    closure, _ = await desk.approved()
    desk.client.states[f"{closure}-e1"] = "RUNNING"
    with Ears() as ears:
        await _swept(desk)
        before = ears.metrics()["closure.gate.left"]
    await desk.ledger.set_mark(closure, "used-plan", 1, {})
    with Ears() as ears:
        await _swept(desk)
        after = ears.metrics().get("closure.gate.left", {})

    assert [_key(closureId=closure, gate="plan", limit="execute-by")] == list(before)
    assert {} == after


async def test_another_host_at_work_is_an_event(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is swept then, and operations hear why."""
    await Ledger(desk.parts.records, desk.clock, "other").hold_host()
    await sweep(desk.client, desk.parts)

    assert ["host.refused"] == _events(caplog)


def _key(**said: Any) -> frozenset[tuple[str, Any]]:
    return frozenset(said.items())
