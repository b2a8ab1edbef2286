"""Clearance: every rail that must hold before a wave of writes, gathered from Records and from the live tenant."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from activities.base import Halt, Order
from tenantclosure import names
from tenantclosure.errors import RailBroken, RecordMissing
from tenantclosure.model.inventory import Item
from tenantclosure.names import Control, Gate, Phase, Rail, Status
from tenantclosure.policy import rails
from tenantclosure.policy.planner import Spared
from tenantclosure.policy.quorum import evaluate
from tenantclosure.ports import Directory
from tenantclosure.wiring import Parts

AFTER_QUIET = frozenset(list(Phase)[list(Phase).index(Phase.QUIET) + 1 :])
"""Phases that need the gate `go-on` too when the request asked for quiet days."""


@dataclass(frozen=True, slots=True)
class Clearance:
    """What a cleared activity may rely on until its next wave."""

    row: dict[str, Any]
    manifest: dict[str, Any]
    directory: Directory
    spared: Spared

    @property
    def keeper(self) -> str:
        """The keeper's object id."""
        return self.spared.keeper


async def unhindered(parts: Parts, order: Order) -> dict[str, Any]:
    """The row, if this run is the newest and nobody paused or aborted the closure. Read before each wave."""
    row = await parts.ledger.closure(order["closureId"])
    rails.check_fence(row, order["epoch"])
    if row["control"] == Control.PAUSE:
        await _show(parts, row, Status.PAUSED)
        raise Halt("paused")
    if row["control"] == Control.ABORT:
        raise Halt("aborted")
    if row["status"] == Status.PAUSED:
        await _show(parts, row, Status.RUNNING)
    return row


async def _show(parts: Parts, row: dict[str, Any], status: str) -> None:
    if row["status"] != status:
        await parts.ledger.change(row["closureId"], lambda row: row.update(status=status))


async def pinned(parts: Parts, row: dict[str, Any]) -> Directory:
    """The tenant's directory, once allow list, home tenant and tenant pin hold."""
    tenant = row["tenantId"]
    rails.check_target(tenant, parts.settings.allowed_tenants, parts.settings.home_tenant_id)
    directory = parts.directory(tenant)
    # The request's domain may be a custom one that the plan removes; from the plan on the initial one is looked for.
    domain = row.get("initialDomain") or row["domain"]
    rails.check_pin(tenant, await directory.identity(), await directory.organization(), domain)
    return directory


async def cleared(parts: Parts, order: Order, gate: str = Gate.PLAN) -> Clearance:
    """Check every rail for a write under `gate` and say that its approval is in use. Raises RailBroken or Halt."""
    row = await unhindered(parts, order)
    manifest = await read_manifest(parts, row)
    rails.check_manifest(manifest, row, await parts.ledger.gate(row["closureId"], Gate.PLAN, row["planSerial"]))
    directory = await pinned(parts, row)
    keeper = await directory.find_user(manifest["keeper"]["id"])
    rails.check_keeper(keeper, await directory.global_administrators(), manifest["keeper"]["id"])
    own = await directory.own_service_principal()
    if own is not None and own.id != manifest["ownServicePrincipal"]:
        raise RailBroken(Rail.OWN_IDENTITY, "Our service principal is another one than in the plan.")
    await _use_approval(parts, row, gate)
    if row["request"]["quietDays"] and order.get("phase") in AFTER_QUIET:
        await _use_approval(parts, row, Gate.GO_ON)
    kept = frozenset(entry["id"].lower() for entry in manifest["kept"])
    return Clearance(row, manifest, directory, Spared(manifest["keeper"]["id"], manifest["ownServicePrincipal"], kept))


async def _use_approval(parts: Parts, row: dict[str, Any], gate: str) -> None:
    closure, serial = row["closureId"], row["planSerial"]
    doc = await parts.ledger.gate(closure, gate, serial)
    if doc is None or doc["state"] != "approved" or doc["digest"] != row["digest"]:
        raise RailBroken(Rail.APPROVAL, f"The gate {gate} has not been approved for this plan.")
    terms = row["terms"][gate]
    if doc["groups"] != terms["groups"] or doc["distinct"] != terms["distinct"]:
        raise RailBroken(Rail.APPROVAL, f"The terms of the gate {gate} are not the closure's.")
    if evaluate(doc, await parts.ledger.decisions(closure), parts.clock.now()).state != "approved":
        raise RailBroken(Rail.APPROVAL, f"The decisions at the gate {gate} do not add up to an approval.")
    if await parts.ledger.mark(closure, f"used-{gate}", serial) is not None:
        return
    try:
        rails.check_used_in_time(doc, True, parts.clock.now())
    except RailBroken as late:
        raise Halt("expired", late.detail) from None
    await parts.ledger.set_mark(closure, f"used-{gate}", serial, {})


async def read_manifest(parts: Parts, row: dict[str, Any]) -> dict[str, Any]:
    """The stored manifest of the plan in force. A missing one breaks the digest rail."""
    try:
        data = await parts.records.read_blob(names.manifest_path(row["closureId"], row["planSerial"]))
        found: dict[str, Any] = json.loads(data)
    except (RecordMissing, ValueError):
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


async def planned_ids(parts: Parts, clearance: Clearance, family: str) -> frozenset[str]:
    """Ids of a whole family of the plan, from shards whose hashes are the approved ones."""
    ids: set[str] = set()
    for shard in range(len(clearance.manifest["families"][family]["shards"])):
        ids.update(item.id for item in await read_shard(parts, clearance, family, shard))
    return frozenset(ids)
