"""Survey and plan: store every listing whole, then freeze what will be removed under one digest."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from activities.base import Halt, Order, activity, clear_blocker
from activities.difference import write_difference
from activities.fenced import READ_ONLY
from activities.guard import pinned, unhindered
from activities.readiness import foresee
from activities.subscriptions import providers_for
from tenantclosure import names
from tenantclosure.errors import ListingIncomplete
from tenantclosure.model.inventory import Item
from tenantclosure.names import REMOVED_FAMILIES, SHARDED_FAMILIES, Family, Word
from tenantclosure.policy import rails
from tenantclosure.policy.canonical import canonical, digest
from tenantclosure.policy.planner import Shards, Spared, family_entry, manifest
from tenantclosure.ports import Directory
from tenantclosure.scratch import Ids
from tenantclosure.wiring import Parts


@activity
async def survey_family(parts: Parts, order: Order) -> Order:
    """Read one family to its last page into the snapshot. Returns {family, count}; anything less than all raises."""
    row = await unhindered(parts, order)
    directory = await pinned(parts, row)
    family = order["family"]
    path = names.listing_path(row["closureId"], row["planSerial"], family)
    mark = f"survey-{family}"
    found = await parts.ledger.mark(row["closureId"], mark, row["planSerial"])
    if found is not None:
        return {"family": family, "count": found["count"]}
    listing = _Listing(family)
    await parts.records.write_pieces(path, listing.lines(directory))
    await clear_blocker(parts, row["closureId"], "listing")
    told = {"count": listing.count, "sha256": listing.whole.hexdigest(), "complete": True}
    await parts.ledger.set_mark(row["closureId"], mark, row["planSerial"], told)
    return {"family": family, "count": listing.count}


class _Listing:
    """One family's listing on its way into the snapshot: what went by is counted and hashed."""

    def __init__(self, family: str) -> None:
        self.family, self.count, self.whole = family, 0, hashlib.sha256()

    async def lines(self, directory: Directory) -> AsyncIterator[bytes]:
        """NDJSON, page by page. Raises ListingIncomplete, also when an id comes twice."""
        with Ids() as seen:
            async for page in directory.pages(self.family):
                ids = Counter(item.id for item in page)
                ids.subtract(seen.add(ids))
                if again := min((id_ for id_, times in ids.items() if times), default=""):
                    raise ListingIncomplete(self.family, self.count, f"the id {again} came twice")
                data = b"".join(canonical(item.to_dict()) + b"\n" for item in page)
                self.count += len(page)
                self.whole.update(data)
                yield data


@activity
async def freeze_plan(parts: Parts, order: Order) -> Order:
    """Build the plan from the stored listings, store its shards and manifest, put the digest on the row."""
    row = await unhindered(parts, order)
    if row["digest"] is not None:
        return {"digest": row["digest"]}
    directory = await pinned(parts, row)
    keeper = rails.check_keeper(await directory.find_user(row["keeper"]), await directory.global_administrators())
    own = await directory.own_service_principal()
    keep = frozenset(rule.lower() for rule in row["request"]["keep"])
    spared = Spared(keeper.id, own.id if own else None, keep, own.facts.get("appId") if own else None)
    kept: list[dict[str, Any]] = []
    privileged = frozenset(await directory.role_holders())
    families: dict[str, Any] = {}
    for family in SHARDED_FAMILIES:
        families[family] = await _shard_family(parts, row, family, spared, privileged, kept)
    families[Family.SUBSCRIPTIONS] = await _plan_subscriptions(parts, row)
    unmatched = keep - {rule for entry in kept for rule in (entry["id"].lower(), entry["upn"].lower())}
    if unmatched:
        raise Halt("failed", f"The keep rule {min(unmatched)} matches no user.")
    for entry in kept:
        entry.pop("upn")
    if not any(entry["reason"] == "keeper" for entry in kept):
        raise ListingIncomplete(Family.USERS, families[Family.USERS]["count"], "the keeper is not in it")
    document = manifest(row, keeper, own, families, kept)
    found = digest(document)
    await parts.records.write_blob(names.manifest_path(row["closureId"], row["planSerial"]), canonical(document))
    if row["planSerial"] > 1:
        await write_difference(parts, row["closureId"], document)
    counts = {family: families[family]["count"] for family in REMOVED_FAMILIES}
    organization = await directory.organization()
    await parts.ledger.audit(
        row["closureId"], Word.PLAN_FROZEN, None, {"serial": row["planSerial"], "digest": found, "counts": counts}
    )
    told = {
        **await foresee(parts, row, document, organization),
        "digest": found,
        "planned": counts,
        "initialDomain": organization.initial_domain,
        "displayName": organization.display_name,
        "tenantType": organization.tenant_type,
    }
    await parts.ledger.change(row["closureId"], lambda row: row.update(told))
    return {"digest": found}


async def _shard_family(
    parts: Parts,
    row: dict[str, Any],
    family: str,
    spared: Spared,
    privileged: frozenset[str],
    kept: list[dict[str, Any]],
) -> dict[str, Any]:
    shards = Shards(parts.settings.shard_size)
    closure, serial = row["closureId"], row["planSerial"]
    async for line in parts.records.read_lines(names.listing_path(closure, serial, family)):
        item = Item.from_dict(json.loads(line))
        reason = spared.reason(family, item)
        if reason is not None:
            entry = {"id": item.id, "name": item.name, "family": family, "reason": reason}
            kept.append({**entry, "upn": str(item.facts.get("upn", ""))})
            continue
        shards.add(item, last=item.id in privileged)
        for number, data in shards.take():
            await parts.records.write_blob(names.shard_path(closure, serial, family, number), data)
    shards.finish()
    for number, data in shards.take():
        await parts.records.write_blob(names.shard_path(closure, serial, family, number), data)
    return family_entry(shards)


async def _plan_subscriptions(parts: Parts, row: dict[str, Any]) -> dict[str, Any]:
    """Every subscription of every side as one family; each item says who ends it, why, and the earliest date."""
    closure, serial = row["closureId"], row["planSerial"]
    lines = parts.records.read_lines(names.listing_path(closure, serial, Family.SUBSCRIPTIONS))
    listed = [Item.from_dict(json.loads(line)) async for line in lines]
    # Counted from the survey and not from now, so that a plan that is frozen again after a crash is the same plan.
    mark = await parts.ledger.mark(closure, f"survey-{Family.SUBSCRIPTIONS}", serial)
    surveyed = datetime.fromisoformat(mark["at"]) if mark else parts.clock.now()
    providers = providers_for(parts, row, READ_ONLY, surveyed)
    shards = Shards(parts.settings.shard_size)
    for item in await providers.discover(listed):
        earliest = providers.earliest(item, surveyed)
        shards.add(Item(item.id, item.name, {**item.facts, "earliest": earliest}), last=False)
    shards.finish()
    for number, data in shards.take():
        await parts.records.write_blob(names.shard_path(closure, serial, Family.SUBSCRIPTIONS, number), data)
    return family_entry(shards)
