"""Wake-ups: they carry nothing and may get lost; what they announce already lies in Records."""

from __future__ import annotations

import logging
from typing import Any

from tenantclosure import names
from tenantclosure.ports import JSON

log = logging.getLogger(__name__)


async def wake(client: Any, *instances: str | None) -> None:
    """Wake these instances. One that is not there or does not hear is no error: the sweep comes round again."""
    for instance in dict.fromkeys(filter(None, instances)):
        try:
            await client.raise_orchestration_event(instance, names.WAKE, data={})
        except Exception as error:  # gRPC has one class for everything; a lost wake-up only costs time
            log.info("no wake-up for %s: %s", instance, type(error).__name__)


async def wake_closure(client: Any, ledger: Any, row: JSON) -> None:
    """Wake everything of a closure that may be waiting: itself, its open gate, its open tasks."""
    instance = row["instanceId"]
    waiting = [instance]
    if row["gate"]:
        gate = await ledger.gate(row["closureId"], row["gate"]["name"], row["gate"]["serial"])
        waiting += waiters(row, row["gate"], gate)
    for task in await ledger.tasks(row["closureId"]):
        if task["state"] == "open":
            waiting += waiters(row, task)
    await wake(client, *waiting)


def waiters(row: JSON, *docs: JSON | None) -> list[str]:
    """Instances these documents say are waiting for them; one of an older run of the closure is left asleep."""
    found = [str(doc["instance"]) for doc in docs if doc and doc.get("instance")]
    return [instance for instance in found if instance.startswith(row["instanceId"])]
