"""Starting a closure's durable run, and starting it afresh from Records under the next epoch."""

from __future__ import annotations

import logging
from typing import Any

from tenantclosure import names
from tenantclosure.errors import ClosureError
from tenantclosure.names import Status, Word
from tenantclosure.ports import JSON
from web.problems import refuse

log = logging.getLogger(__name__)

LIVE = frozenset({"RUNNING", "PENDING", "SUSPENDED", "CONTINUED_AS_NEW"})
"""Runtime statuses of an instance that will go on by itself."""


class AlreadyHandled(ClosureError):
    """The row changed meanwhile: it ended, or somebody else restarted it."""


async def only_host(ledger: Any) -> None:
    """RequestRefused (409) while another host works on the same Records: two would take closures from each other."""
    other = await ledger.other_host()
    if other is not None:
        raise refuse(
            409,
            "other-host",
            f"The host {other} works on the same records.",
            "Use that one, or stop it and wait five minutes. Two deployments need a storage account each.",
        )


async def start(client: Any, ledger: Any, row: JSON) -> None:
    """Schedule the run the row names; one that runs already under that id is fine. RequestRefused as `only_host`."""
    await only_host(ledger)
    order = {"schema": names.SCHEMA, "closureId": row["closureId"], "epoch": row["epoch"]}
    try:
        await client.schedule_new_orchestration(names.CLOSE_TENANT, input=order, instance_id=row["instanceId"])
    except Exception:
        # "Already exists" comes as a gRPC error without a class of its own; looking tells it from real trouble.
        if await runtime_status(client, row["instanceId"]) not in LIVE:
            raise
    log.info("started %s", row["instanceId"])


async def restart(client: Any, ledger: Any, row: JSON, actor: JSON | None, why: str) -> JSON:
    """Go on from Records in a new instance; the older run finds its epoch passed and stops. Returns the new row.

    Raises AlreadyHandled when the row moved on since it was read, so two restarts at once make one; RequestRefused as
    `only_host`.
    """
    await only_host(ledger)
    seen = row["epoch"]

    def edit(fresh: JSON) -> None:
        if fresh["status"] == Status.ENDED or fresh["epoch"] != seen:
            raise AlreadyHandled(fresh["closureId"])
        fresh["epoch"] = seen + 1
        fresh["instanceId"] = names.instance_id(fresh["closureId"], seen + 1)

    fresh: JSON = await ledger.change(row["closureId"], edit)
    await ledger.audit(row["closureId"], Word.CLOSURE_RESUMED, actor, {"epoch": fresh["epoch"], "why": why})
    await start(client, ledger, fresh)
    return fresh


async def runtime_status(client: Any, instance: str) -> str | None:
    """Name of the instance's runtime status, or None if the hub does not know it. Raises what the client raises."""
    state = await client.get_orchestration_state(instance, fetch_payloads=False)
    return None if state is None else str(state.runtime_status.name)
