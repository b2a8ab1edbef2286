"""What a closure costs: a model of both backends' transactions, and prices (docs/costs.md says what it leaves out).

Prices are Microsoft's list prices in US dollars without tax, for one region in the United States and locally redundant
storage. They are here to compare, not to bill: look at your own price sheet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenantclosure.policy.usage import ENGINE, STORAGE, added, episodes, history_events, storage_transactions

PRICED = "2026-11"
"""When the prices below were looked up."""

# Azure Storage, standard general purpose v2, hot, LRS; dollars for one transaction. Blobs and queues as in the price
# tests of infracost (storage_account_test.golden and storage_queue_test.golden, taken from Microsoft's price list).
BLOB_WRITE = 0.055 / 10_000
BLOB_LIST = 0.055 / 10_000
BLOB_READ = 0.0044 / 10_000
QUEUE = 0.004 / 10_000
TABLE = 0.00036 / 10_000
"""From memory, unverified."""

ACTION = 0.003 / 100
"""Durable Task Scheduler, Consumption, one action. The price list's meter says 0.003; that it counts hundreds of
actions is an assumption, unverified.
"""
CAPACITY_UNIT = 500.0
"""Durable Task Scheduler, Dedicated, one unit for a month whatever is done with it: from memory, unverified."""

QUEUE_PER_MESSAGE = 3
"""Put, get and delete; a message for each event that reaches an orchestrator, and one for each activity's start."""
TABLE_PER_EPISODE = 3
"""The history is read, its new rows are written in one batch, the instance's row is merged."""


def engine_transactions(usage: Mapping[str, int]) -> dict[str, int]:
    """What Durable Functions' Azure Storage backend asks of queues and tables for this work, without idle polling."""
    messages = episodes(usage) + usage.get("activities", 0)
    return {"queues": QUEUE_PER_MESSAGE * messages, "tables": TABLE_PER_EPISODE * episodes(usage)}


def scheduler_actions(usage: Mapping[str, int]) -> int:
    """What the Durable Task Scheduler bills: starts, timers, events, both ends of an activity, a child's result."""
    once = sum(usage.get(name, 0) for name in ("histories", "timers", "children", "wakes"))
    return once + 2 * usage.get("activities", 0)


def storage_cost(usage: Mapping[str, int]) -> float:
    """Dollars for requests to Azure Storage."""
    prices = {
        "blobWrites": BLOB_WRITE,
        "blobReads": BLOB_READ,
        "blobLists": BLOB_LIST,
        "queues": QUEUE,
        "tables": TABLE,
    }
    return sum(usage.get(name, 0) * price for name, price in prices.items())


def summary(usage: Mapping[str, int]) -> dict[str, int]:
    """One line of the report's table: what was counted, and what follows from it."""
    return {
        **{name: usage.get(name, 0) for name in (*ENGINE, *STORAGE)},
        "historyEvents": history_events(usage),
        "episodes": episodes(usage),
        "recordsTransactions": storage_transactions(usage),
        "engineTransactions": sum(engine_transactions(usage).values()),
        "schedulerActions": scheduler_actions(usage),
        "requests": usage.get("requests", 0),
    }


def accounted(phases: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """A closure's account: {phases: {phase: summary}, total: summary, costs} with dollars in both backends."""
    total = added(*phases.values())
    records, engine = storage_cost(total), storage_cost(engine_transactions(total))
    actions = scheduler_actions(total) * ACTION
    return {
        "phases": {phase: summary(usage) for phase, usage in phases.items()},
        "total": summary(total),
        "costs": {
            "currency": "USD",
            "priced": PRICED,
            "records": round(records, 6),
            "azureStorage": round(records + engine, 6),
            "durableTaskScheduler": round(records + actions, 6),
        },
    }
