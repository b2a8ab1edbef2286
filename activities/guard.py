"""Clearance: every rail that must hold before a wave of writes, gathered from Records and from the live tenant."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from activities import fenced
from activities.approval import settle
from activities.base import Halt, Order
from activities.fenced import READ_ONLY, Fence
from activities.integrity import check_words
from tenantclosure import names
from tenantclosure.errors import RailBroken, RecordMissing
from tenantclosure.ledger import iso
from tenantclosure.model.inventory import Item
from tenantclosure.names import Control, Gate, Phase, Rail, Status
from tenantclosure.policy import rails, window
from tenantclosure.policy.planner import Spared, part_of
from tenantclosure.ports import JSON, Directory
from tenantclosure.scratch import Ids
from tenantclosure.wiring import Parts

AFTER_QUIET = frozenset(list(Phase)[list(Phase).index(Phase.QUIET) + 1 :])
"""Phases that need the gate `go-on` too when the request asked for quiet days."""


@dataclass(frozen=True, slots=True)
class Clearance:
    """What a cleared activity may rely on until its next wave; `approvals` are the gates it relies on, by name. Each
    write of `directory`, and of what is taken with `fence`, asks `still_cleared`.
    """

    row: dict[str, Any]
    manifest: dict[str, Any]
    directory: Directory
    spared: Spared
    approvals: dict[str, JSON]
    fence: Fence

    @property
    def keeper(self) -> str:
        """The keeper's object id."""
        return self.spared.keeper


async def unhindered(parts: Parts, order: Order) -> dict[str, Any]:
    """The row, if this run is the newest and nobody paused, aborted or rolls back. Read before each wave."""
    row = await parts.ledger.closure(order["closureId"])
    rails.check_fence(row, order["epoch"])
    if row["control"] == Control.PAUSE:
        await show_status(parts, row["closureId"], Status.PAUSED)
        raise Halt("paused")
    if row["control"] == Control.ABORT:
        raise Halt("aborted")
    if row["control"] == Control.ROLLBACK:
        raise Halt("rollback")
    if row["status"] == Status.PAUSED:
        await show_status(parts, row["closureId"], Status.RUNNING)
    return row


def unheld(parts: Parts, order: Order) -> Fence:
    """The fence of a step that no approval can stop any more: only a pause, an abort or a newer run holds it."""

    async def check() -> None:
        await unhindered(parts, order)

    return Fence(check)


async def undisputed(parts: Parts, order: Order) -> dict[str, Any]:
    """The row of an unhindered closure none of whose gates was opened again. For waits between phases."""
    row = await unhindered(parts, order)
    if row["gate"]:
        await _approved(parts, row, row["gate"]["name"])
    return row


async def show_status(parts: Parts, closure: str, status: str) -> None:
    """Put a status on the row unless it is there."""
    if (await parts.ledger.closure(closure))["status"] != status:
        await parts.ledger.change(closure, lambda row: row.update(status=status))


def closed_for(parts: Parts) -> float | None:
    """Seconds until the deletion window opens; None while it is open or when there is none."""
    now = parts.clock.now()
    if parts.policy.window is None or window.is_open(parts.policy.window, now):
        return None
    return (window.next_opening(parts.policy.window, now) - now).total_seconds()


async def pinned(parts: Parts, row: dict[str, Any], fence: Fence = READ_ONLY) -> Directory:
    """The tenant's directory behind a fence, once allow list, home tenant and tenant pin hold."""
    directory = _allowed(parts, row, fence)
    await _pin(row, directory)
    return directory


def _allowed(parts: Parts, row: dict[str, Any], fence: Fence) -> Directory:
    rails.check_target(row["tenantId"], parts.settings.allowed_tenants, parts.settings.home_tenant_id)
    return fenced.directory(parts, row["tenantId"], fence)


async def _pin(row: dict[str, Any], directory: Directory) -> None:
    # The request's domain may be a custom one that the plan removes; from the plan on the initial one is looked for.
    domain = row.get("initialDomain") or row["domain"]
    identity, organization = await asyncio.gather(directory.identity(), directory.organization())
    rails.check_pin(row["tenantId"], identity, organization, domain)


async def cleared(parts: Parts, order: Order, gate: str = Gate.PLAN, *, writes: bool = True) -> Clearance:
    """Check every rail for work under `gate` and say that its approval is in use. Raises RailBroken or Halt.

    What only reads (`writes` False), and a rollback, is not held back by the deletion window.
    """
    row = await unhindered(parts, order)
    manifest = await read_manifest(parts, row)
    rails.check_plan_kind(manifest, gate, order.get("operation", ""))
    first = Gate.ROLLBACK if gate == Gate.ROLLBACK else Gate.PLAN  # a rollback's plan has no gate but its own
    approvals = {first: await _approved(parts, row, first)}
    rails.check_manifest(manifest, row, approvals[first])
    rails.check_request(manifest, row)
    standing: dict[str, JSON] = {}  # filled once every approval was judged
    fence = Fence(lambda: still_cleared(parts, order, standing))
    directory = _allowed(parts, row, fence)
    _, keeper, administrators, own = await asyncio.gather(
        _pin(row, directory),
        directory.find_user(manifest["keeper"]["id"]),
        directory.global_administrators(),
        directory.own_service_principal(),
    )
    rails.check_keeper(keeper, administrators, manifest["keeper"]["id"])
    if own is not None and own.id != manifest["ownServicePrincipal"]:
        raise RailBroken(Rail.OWN_IDENTITY, "Our service principal is another one than in the plan.")
    after_quiet = first == Gate.PLAN and row["request"]["quietDays"] and order.get("phase") in AFTER_QUIET
    for other in {gate, *([Gate.GO_ON] if after_quiet else [])} - {first}:
        approvals[Gate(other)] = await _approved(parts, row, other)
    await _use(parts, row, approvals, writes=writes)
    rules = {*row["request"]["keep"], *(entry["id"] for entry in manifest["kept"])}
    keep, app_id = frozenset(rule.lower() for rule in rules), own.facts.get("appId") if own else None
    spared = Spared(manifest["keeper"]["id"], manifest["ownServicePrincipal"], keep, app_id)
    standing.update({str(name): doc for name, doc in approvals.items()})
    return Clearance(row, manifest, directory, spared, standing, fence)


async def still_cleared(parts: Parts, order: Order, approvals: dict[str, JSON]) -> None:
    """Before each batch: nobody paused, aborted or took over, the window is open, every approval stands, and nobody
    touched people's words or the audit chain. Raises Halt, RailBroken.

    An approval is judged anew only when its gate's document has changed.
    """
    row, words = await asyncio.gather(unhindered(parts, order), check_words(parts, order["closureId"]))
    if Gate.ROLLBACK not in approvals:  # restoring is not deleting
        await in_window(parts, row)
    for gate, doc in approvals.items():
        if words.gate(gate, row["planSerial"]) != doc:
            approvals[gate] = await _approved(parts, row, gate)


async def in_window(parts: Parts, row: dict[str, Any]) -> None:
    """Halt with the next opening while the tenant must not be written to."""
    seconds = closed_for(parts)
    if seconds is not None:
        await show_status(parts, row["closureId"], Status.WAITING)
        raise Halt("window", iso(parts.clock.now() + timedelta(seconds=seconds)))


async def _approved(parts: Parts, row: dict[str, Any], gate: str) -> JSON:
    """The gate's document, if the people's words still make an approval over the plan in force."""
    doc = await settle(parts, row, gate, row["planSerial"])
    if doc["state"] == "open":
        raise Halt("revoked", f"gate {gate}")
    if doc["state"] != "approved":
        raise Halt(doc["state"], f"gate {gate}")
    if gate != Gate.PLAN and doc["digest"] != row["digest"]:  # the plan's own gate is compared with the manifest
        raise RailBroken(Rail.APPROVAL, f"The gate {gate} has not been approved for this plan.")
    return doc


async def _use(parts: Parts, row: dict[str, Any], approvals: dict[Gate, JSON], *, writes: bool) -> None:
    """Say that approvals are in use; one that was not used in time has run out, also while the window was missed."""
    closure, serial, now = row["closureId"], row["planSerial"], parts.clock.now()
    unused = [gate for gate in approvals if await parts.ledger.mark(closure, f"used-{gate}", serial) is None]
    for gate in unused:
        try:
            rails.check_used_in_time(approvals[gate], True, now)
        except RailBroken as late:
            raise Halt("expired", late.detail) from None
    if writes and Gate.ROLLBACK not in approvals:
        await in_window(parts, row)
    for gate in unused:
        await parts.ledger.set_mark(closure, f"used-{gate}", serial, {})


async def read_manifest(parts: Parts, row: dict[str, Any]) -> dict[str, Any]:
    """The stored manifest of the plan in force. A missing one breaks the digest rail."""
    try:
        data = await parts.records.read_blob(names.manifest_path(row["closureId"], row["planSerial"]))
        found: dict[str, Any] = json.loads(data)
    except (RecordMissing, ValueError, RecursionError):
        raise RailBroken(Rail.DIGEST, "The plan's manifest can't be read.") from None
    if not isinstance(found, dict):
        raise RailBroken(Rail.DIGEST, "The plan's manifest is no JSON object.")
    return found


async def read_shard(parts: Parts, clearance: Clearance, family: str, shard: int) -> list[Item]:
    """One shard's items, once its hash is the approved one and it holds nobody who is spared."""
    row, entry = clearance.row, clearance.manifest["families"][family]["shards"][shard]
    try:
        data = await parts.records.read_blob(names.shard_path(row["closureId"], row["planSerial"], family, shard))
    except RecordMissing:
        raise RailBroken(Rail.SHARD_HASH, "A shard of the plan is missing.") from None
    rails.check_shard(data, entry)
    items = [Item.from_dict(json.loads(line)) for line in data.splitlines()]
    rails.check_spared(frozenset(item.id for item in items), clearance.keeper, clearance.spared.own_service_principal)
    return items


async def planned_ids(parts: Parts, clearance: Clearance, family: str, ids: Ids) -> None:
    """Put a whole family of the plan into `ids`, from shards whose hashes are the approved ones; parts are shards."""
    for shard in range(len(part_of(clearance.manifest, family)["shards"])):
        ids.add((item.id for item in await read_shard(parts, clearance, family, shard)), shard)
