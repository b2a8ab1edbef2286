"""Usage, transactions and prices: the model of docs/costs.md, and the document's own figures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tenantclosure.policy import costs
from tenantclosure.policy.usage import added, episodes, history_events, storage_transactions, timers_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "costs.md"
HELLO = {"histories": 1, "activities": 3}
"""Microsoft's example for billing: an orchestration that calls three activities."""


def test_usage_adds_up_counter_by_counter() -> None:
    """Counters that one side does not have count as none; nothing is changed in place."""
    one = {"timers": 1, "tables": 2}

    assert {"timers": 3, "tables": 2, "wakes": 1} == added(one, {"timers": 2, "wakes": 1})
    assert {"timers": 1, "tables": 2} == one
    assert {} == added()


def test_microsofts_example_is_billed_as_microsoft_says() -> None:
    """One action for the start, two for each activity (durable-task-scheduler-billing)."""
    assert 7 == costs.scheduler_actions(HELLO)
    assert 9 == costs.scheduler_actions({**HELLO, "timers": 1, "wakes": 1})
    assert 2 == costs.scheduler_actions({"histories": 1, "children": 1})


def test_history_of_microsofts_example() -> None:
    """Its start and end, a pair around each of four episodes, a pair for each activity."""
    assert (4, 2 + 8 + 6) == (episodes(HELLO), history_events(HELLO))


def test_a_wait_of_weeks_is_several_timers() -> None:
    """The engine cuts after three days; the shortest wait is one timer."""
    day = 86_400.0

    assert [1, 1, 2, 4, 10] == [timers_of(days * day) for days in (0, 3, 3.5, 10, 30)]


def test_azure_storage_is_asked_for_each_message_and_each_episode() -> None:
    """Four messages to the orchestrator and three to activities, three requests each; three of tables per episode."""
    assert {"queues": 21, "tables": 12} == costs.engine_transactions(HELLO)


def test_storage_is_priced_by_kind() -> None:
    """A blob write costs more than its read, and both more than a row; requests to Microsoft cost nothing."""
    millions = dict.fromkeys(("blobWrites", "blobReads", "queues", "tables"), 1_000_000)

    assert [5.5, 0.44, 0.4, 0.036] == [round(costs.storage_cost({name: n}), 6) for name, n in millions.items()]
    assert 5.5 == pytest.approx(costs.storage_cost({"blobLists": 1_000_000, "requests": 10}))
    assert 4_000_000 == storage_transactions({**millions, "requests": 7, "activities": 7})


def test_account_has_each_phase_the_total_and_both_prices() -> None:
    """The total is the sum of the phases, and each backend's price holds the records' share."""
    phases = {"survey": {**HELLO, "tables": 20_000_000}, "users": {"children": 2, "blobWrites": 10_000}}
    account = costs.accounted(phases)

    assert ["survey", "users"] == list(account["phases"])
    for name, count in account["total"].items():
        assert count == sum(account["phases"][phase][name] for phase in phases)
    price = account["costs"]
    assert 0.72 + 0.055 == pytest.approx(price["records"])
    assert price["azureStorage"] > price["records"] < price["durableTaskScheduler"]


def test_the_document_shows_the_prices_in_force() -> None:
    """docs/costs.md names each price as the code has it, and the month it was looked up."""
    text = DOCUMENT.read_text(encoding="utf-8")

    for price in (costs.BLOB_WRITE, costs.BLOB_READ, costs.QUEUE, costs.TABLE):
        assert f"{price * 10_000:g} per 10,000" in text
    assert f"{costs.ACTION * 100:g} per 100 actions" in text
    assert f"{costs.CAPACITY_UNIT:g} per unit and month" in text
    assert costs.PRICED in text


def test_the_documents_example_is_what_the_model_gives() -> None:
    """Each row of the worked example: its counts, priced by the code, give the dollars that stand there."""
    rows = re.findall(r"^\| ([\d,]+) \|(.+)\|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)

    assert ["1,000", "10,000", "100,000", "1,000,000"] == [users for users, _ in rows]
    names = ("activities", "timers", "children", "wakes", "histories", "blobWrites", "blobReads", "tables", "queues")
    for _, cells in rows:
        *counts, events, storage, scheduler = (float(cell.replace(",", "")) for cell in cells.split("|"))
        usage = {name: int(count) for name, count in zip(names, counts, strict=True)}
        account = costs.accounted({"": usage})
        assert events == account["total"]["historyEvents"]
        assert (storage, scheduler) == (
            round(account["costs"]["azureStorage"], 3),
            round(account["costs"]["durableTaskScheduler"], 3),
        )
