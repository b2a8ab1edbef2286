"""What activities tell of their own use, and what is kept of it until the report."""

from __future__ import annotations

import json
from typing import Any

import pytest

import activities
from activities.base import Halt, activity
from tenantclosure import names
from tenantclosure.errors import ServiceTrouble
from tenantclosure.model.tally import tally
from tenantclosure.wiring import Parts
from tests.activities.rig import Rig


@activity
async def asking(_: Parts, order: dict[str, Any]) -> dict[str, Any]:
    """Ask three times, then do what the order says."""
    for what in ("tables", "requests", "tables"):
        tally(what)
    if order["end"] == "halt":
        raise Halt("paused")
    if order["end"] == "trouble":
        raise ServiceTrouble("503")
    return {"told": 1}


@pytest.mark.parametrize(("end", "answer"), [("well", {"told": 1}), ("halt", {"stop": "paused", "detail": ""})])
async def test_an_answer_tells_what_was_asked(rig: Rig, end: str, answer: dict[str, Any]) -> None:
    """A stop tells it as well; what is asked outside an activity is nobody's."""
    await rig.opened()
    tally("tables")

    assert {**answer, "usage": {"tables": 2, "requests": 1}} == await asking(await rig.order(end=end))


async def test_a_try_that_failed_tells_nothing(rig: Rig) -> None:
    """It has no answer; the next one begins with nothing."""
    await rig.opened()
    with pytest.raises(ServiceTrouble):
        await asking(await rig.order(end="trouble"))

    assert {"tables": 2, "requests": 1} == (await asking(await rig.order(end="well")))["usage"]


async def test_usage_of_every_run_comes_together_in_the_report(rig: Rig) -> None:
    """Each run keeps its newest sum; a run that was replaced counts as far as it got; repeating adds nothing."""
    await rig.opened()
    first = {"": {"activities": 1}, "preflight": {"activities": 3, "histories": 1, "tables": 50_000}}
    for spent in ({"preflight": {"activities": 1}}, first, first):
        await activities.end_phase(await rig.order(phase="preflight", spent=spent))
    epoch = (await rig.row())["epoch"] + 1
    await rig.ledger.change(rig.closure, lambda row: row.update(epoch=epoch))
    second = {"preflight": {"activities": 2}, "report": {"activities": 2, "timers": 1}}
    await activities.write_report(await rig.order(phase="report", result="aborted", spent=second))
    report = json.loads(await rig.records.read_blob(names.report_path(rig.closure, "json")))
    found = report["usage"]["phases"]

    assert {"start": 1, "preflight": 5, "report": 2} == {name: counts["activities"] for name, counts in found.items()}
    assert 50_000 == found["preflight"]["recordsTransactions"] == report["usage"]["total"]["tables"]
    assert 8 == report["usage"]["total"]["activities"]
    assert 0 < report["usage"]["costs"]["records"] < report["usage"]["costs"]["azureStorage"]


async def test_a_run_of_an_order_without_usage_keeps_none(rig: Rig) -> None:
    """An order that does not tell what was spent leaves what is on record."""
    await rig.opened()
    await activities.end_phase(await rig.order(phase="preflight", spent={"preflight": {"activities": 3}}))
    await activities.end_phase(await rig.order(phase="survey"))

    assert {"preflight": {"activities": 3}} == (await rig.ledger.mark(rig.closure, "usage", 1) or {})["phases"]
