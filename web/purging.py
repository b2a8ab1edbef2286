"""Purging after the retention: which ended closures are due, and one portion of the work at a time.

Whatever stops it in the middle, the next round goes on: what is gone is not found again. What storage refuses to
delete (an immutability policy, a legal hold) is said once a day, and tried again as often.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from tenantclosure import names, telemetry
from tenantclosure.errors import RailBroken, ServiceTrouble
from tenantclosure.ledger import iso
from tenantclosure.names import Status
from tenantclosure.ports import JSON
from tenantclosure.signals import Event, Metric

log = logging.getLogger(__name__)

PORTION = 500
"""Blobs, rows and histories that one round deletes at most, all together."""
AGAIN = timedelta(days=1)
NONCES = timedelta(days=30)


def is_due(row: JSON, days: int, now: datetime) -> bool:
    """Whether an ended closure's records are to be purged now; `days` 0: never."""
    if days == 0 or row["status"] != Status.ENDED or row["endedAt"] is None:
        return False
    purge = row.get("purge") or {}
    if purge.get("doneAt") or (purge.get("againAt") and now < _at(purge["againAt"])):
        return False
    return now - _at(row["endedAt"]) >= timedelta(days=days)


async def purge(client: Any, parts: Any, rows: list[JSON]) -> None:
    """Purge one portion over these closures; trouble with one does not keep the others waiting."""
    left = PORTION
    for row in rows:
        if left <= 0:
            return
        with telemetry.concerning(closureId=row["closureId"]):
            left -= await _portion(client, parts, row, left)
    if left > 0 and parts.settings.retention_days:
        await parts.ledger.purge_nonces(parts.clock.now() - NONCES, left)


async def _portion(client: Any, parts: Any, row: JSON, most: int) -> int:
    """So much of one closure; how much was done or tried."""
    ledger, closure = parts.ledger, row["closureId"]
    try:
        row = await ledger.begin_purge(closure, timedelta(days=parts.settings.retention_days))
        gone, refused = await ledger.purge_blobs(closure, most)
        done = gone + len(refused)
        if done < most:
            done += await ledger.purge_rows(closure, most - done)
        while done < most and row["purge"]["histories"] < row["epoch"]:
            number = row["purge"]["histories"] + 1
            await _forget(client, names.instance_id(closure, number))
            row = await ledger.note_purge(closure, histories=number)
            done += 1
    except RailBroken as broken:
        await _refused(parts, row, broken.detail)
        return 1
    except Exception as error:  # the next round tries this one again
        log.warning("%s could not be purged", closure, exc_info=True)
        await _refused(parts, row, str(error) if isinstance(error, ServiceTrouble) else type(error).__name__)
        return 1
    if refused:
        await _refused(parts, row, f"{len(refused)} blobs, the first: {refused[0]}")
    elif done < most:
        await ledger.finish_purge(closure)
        text = "an ended closure's records were purged after their time"
        telemetry.event(log, logging.INFO, Event.CLOSURE_PURGED, text, histories=row["epoch"])
        telemetry.count(Metric.PURGED)
    return max(int(done), 1)


async def _forget(client: Any, instance: str) -> None:
    """Purge one run's history with its children's, if the hub still knows it."""
    if await client.get_orchestration_state(instance, fetch_payloads=False) is not None:
        await client.purge_orchestration(instance, recursive=True)


async def _refused(parts: Any, row: JSON, why: str) -> None:
    """Say that something of a purge was refused, and try again tomorrow."""
    text = "an ended closure's records could not be purged"
    telemetry.event(log, logging.WARNING, Event.PURGE_REFUSED, text, reason=why[:500])
    try:
        if row.get("purge"):
            again = iso(parts.clock.now() + AGAIN)
            await parts.ledger.note_purge(row["closureId"], refused=why[:500], againAt=again)
    except Exception:  # then it is tried again in ten minutes
        log.warning("what refused the purge of %s could not be kept", row["closureId"], exc_info=True)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
