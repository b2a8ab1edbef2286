"""The safety rails as pure checks: each raises RailBroken, each has a test that tries to get past it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tenantclosure.errors import RailBroken
from tenantclosure.model.inventory import Item, Organization, TokenIdentity
from tenantclosure.names import Gate, Rail
from tenantclosure.policy import permissions, rollback
from tenantclosure.policy.canonical import digest, sha256


def check_target(tenant: str, allowed: frozenset[str], home: str) -> None:
    """The tenant is on the allow list and is not the one that hosts us."""
    if home and tenant.lower() == home.lower():
        raise RailBroken(Rail.HOME_TENANT, f"The tenant {tenant} hosts this service (CLOSURE_HOME_TENANT_ID).")
    if tenant.lower() not in allowed:
        raise RailBroken(Rail.ALLOW_LIST, f"The tenant {tenant} is not in CLOSURE_ALLOWED_TENANTS.")


def check_pin(tenant: str, token: TokenIdentity, organization: Organization, domain: str) -> None:
    """Token, request and `/organization` speak of one tenant, and the domain is verified there."""
    if token.tenant_id.lower() != tenant.lower():
        raise RailBroken(Rail.TENANT_PIN, f"The token is for the tenant {token.tenant_id}, not for {tenant}.")
    if organization.id.lower() != tenant.lower():
        raise RailBroken(Rail.TENANT_PIN, f"Graph answers for the tenant {organization.id}, not for {tenant}.")
    if domain.lower() not in {name.lower() for name in organization.verified_domains}:
        raise RailBroken(Rail.TENANT_PIN, f"{domain} is not a verified domain of the tenant {tenant}.")


def check_manifest(manifest: Mapping[str, Any], row: Mapping[str, Any], gate: Mapping[str, Any] | None) -> None:
    """The stored manifest is the one people approved, for this closure, tenant and serial."""
    try:
        found = digest(manifest)
    except (ValueError, RecursionError):  # half a character, a number too large: nothing that we would have written
        raise RailBroken(Rail.DIGEST, "The stored plan has no digest.") from None
    if found != row["digest"]:
        raise RailBroken(Rail.DIGEST, "The stored plan is not the one the closure froze.")
    same = (manifest["closureId"], manifest["tenantId"], manifest["serial"]) == (
        row["closureId"],
        row["tenantId"],
        row["planSerial"],
    )
    if not same:
        raise RailBroken(Rail.DIGEST, "The stored plan belongs to another closure, tenant or serial.")
    if gate is None or gate["state"] != "approved" or gate["digest"] != found:
        raise RailBroken(Rail.APPROVAL, "The plan in force has not been approved.")


def check_request(manifest: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    """The request, whose keep rules and choices count all along, is the one that the plan was approved for."""
    if digest(row["request"]) != manifest["request"]:
        raise RailBroken(Rail.DIGEST, "The request is not the one that the plan was approved for.")


def check_plan_kind(manifest: Mapping[str, Any], gate: str, operation: str = "") -> None:
    """What a rollback's plan holds is only ever brought back, and only under its own gate; what another plan holds is
    only ever removed. `operation` is that of a shard, "" for work on none.
    """
    back = manifest.get("kind") == rollback.KIND
    if back != (gate == Gate.ROLLBACK):
        raise RailBroken(Rail.APPROVAL, f"The gate {gate} does not decide about this kind of plan.")
    if operation and back != (operation in rollback.OPERATIONS):
        raise RailBroken(Rail.APPROVAL, f"This kind of plan is not for the operation {operation}.")


def check_terms(doc: Mapping[str, Any], terms: Mapping[str, Any]) -> None:
    """The gate asked nobody but the people of the closure's terms, and no fewer of them.

    `doc` is the gate's document with persons, `terms` the row's for this gate with addresses.
    """
    gate = doc["gate"]
    if {name: group["quorum"] for name, group in doc["groups"].items()} != {
        name: group["quorum"] for name, group in terms["groups"].items()
    }:
        raise RailBroken(Rail.APPROVAL, f"The groups or quorums of the gate {gate} are not the closure's.")
    if doc["distinct"] < terms["distinct"]:
        raise RailBroken(Rail.APPROVAL, f"The gate {gate} asked for fewer different people than the closure's terms.")
    for name, group in doc["groups"].items():
        listed = {upn.lower() for upn in (*terms["groups"][name]["people"], *terms["groups"][name]["deputies"])}
        for person in group["people"]:
            if person["upn"].lower() not in listed:
                raise RailBroken(Rail.APPROVAL, f"{person['upn']} stands at the gate {gate}, but not in its terms.")


def check_used_in_time(gate: Mapping[str, Any], first_write: bool, now: datetime) -> None:
    """An approval that was never used has not run out; once used it stays alive for the approved plan."""
    if first_write and now > datetime.fromisoformat(gate["executeBy"]):
        raise RailBroken(Rail.APPROVAL, f"The approval of {gate['gate']} ran out on {gate['executeBy']} unused.")


def check_shard(data: bytes, expected: Mapping[str, Any]) -> None:
    """The shard is byte for byte the approved one."""
    if sha256(data) != expected["sha256"]:
        raise RailBroken(Rail.SHARD_HASH, "A shard of the plan was changed after it was approved.")


def check_keeper(keeper: Item | None, administrators: frozenset[str], expected_id: str | None = None) -> Item:
    """The keeper is an enabled, cloud-only member of this tenant and an active Global Administrator."""
    if keeper is None:
        raise RailBroken(Rail.KEEPER, "The keeper does not exist in the tenant.")
    if expected_id is not None and keeper.id != expected_id:
        raise RailBroken(Rail.KEEPER, "The keeper is another account than the one in the plan.")
    if keeper.facts.get("userType") == "Guest":
        raise RailBroken(Rail.KEEPER, "The keeper is a guest.")
    if keeper.facts.get("synced"):
        raise RailBroken(Rail.KEEPER, "The keeper is synchronised from on-premises.")
    if not keeper.facts.get("enabled"):
        raise RailBroken(Rail.KEEPER, "The keeper's account is disabled.")
    if keeper.id not in administrators:
        raise RailBroken(Rail.KEEPER, "The keeper is not an active Global Administrator.")
    return keeper


def check_spared(ids: frozenset[str], keeper: str, own: str | None) -> None:
    """Neither the keeper nor our own service principal is among the ids to be written."""
    named = {id_.lower() for id_ in ids}
    if keeper.lower() in named:
        raise RailBroken(Rail.KEEPER, "The keeper is among the items to be removed.")
    if own is not None and own.lower() in named:
        raise RailBroken(Rail.OWN_IDENTITY, "Our own service principal is among the items to be removed.")


def check_fence(row: Mapping[str, Any], epoch: int) -> None:
    """This run is the closure's newest; an older one must not write."""
    if row["epoch"] != epoch:
        raise RailBroken(Rail.FENCE, f"Run {epoch} was replaced by run {row['epoch']}.")
    if row["result"] is not None:
        raise RailBroken(Rail.FENCE, "The closure has ended.")


def missing_permissions(token: TokenIdentity) -> tuple[str, ...]:
    """Application permissions without which a closure can't be carried through and that the token lacks; empty when a
    static token carries no roles (rehearsal).
    """
    roles = token.roles
    if roles is None:
        return ()
    needed = permissions.graph(permissions.Where.TARGET)
    return tuple(need.name for need in needed if need.required and not permissions.held(need, roles))
