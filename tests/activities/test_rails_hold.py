"""Every rail before a wave: whatever was tampered with, nothing is sent and the audit names the rail."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import activities
from tenantclosure import names
from tenantclosure.policy.canonical import canonical, digest, sha256
from tests.activities.rig import ANN, CYD, EVE, Rig
from tests.fakes.seals import rewrite
from tests.fakes.tenant import HOME, KEEPER, OWN, TARGET, principal, user

Tamper = Callable[[Rig], Awaitable[None]]


def edit(rig: Rig, partition: str, key: str, **changes: Any) -> None:
    """Change a stored document as one could who has the seal key: the other rails hold without the seals."""
    rewrite(rig.records, partition, key, **changes)


def edit_row(**changes: Any) -> Tamper:
    async def tamper(rig: Rig) -> None:
        edit(rig, "closure", rig.closure, **changes)

    return tamper


def edit_gate(**changes: Any) -> Tamper:
    async def tamper(rig: Rig) -> None:
        edit(rig, rig.closure, "gate:plan:001", **changes)

    return tamper


def edit_manifest(change: Callable[[dict[str, Any]], Any]) -> Tamper:
    async def tamper(rig: Rig) -> None:
        path = names.manifest_path(rig.closure, 1)
        manifest = json.loads(rig.records.blobs[path])
        change(manifest)
        rig.records.blobs[path] = canonical(manifest)

    return tamper


def blob(data: bytes | None) -> Tamper:
    async def tamper(rig: Rig) -> None:
        path = names.manifest_path(rig.closure, 1)
        rig.records.blobs.pop(path)
        if data is not None:
            rig.records.blobs[path] = data

    return tamper


async def add_to_shard(rig: Rig) -> None:
    path = names.shard_path(rig.closure, 1, "users", 0)
    rig.records.blobs[path] += canonical({"id": user(99).id, "name": ""}) + b"\n"


async def lose_shard(rig: Rig) -> None:
    del rig.records.blobs[names.shard_path(rig.closure, 1, "users", 0)]


async def swap_shards(rig: Rig) -> None:
    paths = [names.shard_path(rig.closure, 1, "users", n) for n in (0, 1)]
    blobs = rig.records.blobs
    blobs[paths[0]], blobs[paths[1]] = blobs[paths[1]], blobs[paths[0]]


async def forge_whole_plan(rig: Rig) -> None:
    """A new manifest with its digest on the row: only the gate still speaks of the old one."""
    await edit_manifest(lambda manifest: manifest["kept"].pop())(rig)
    await edit_row(digest=digest(await rig.manifest()))(rig)


def decisions_of(rig: Rig) -> list[str]:
    return [key for partition, key in rig.records.documents if partition == rig.closure and key.startswith("decision:")]


async def lose_the_gate(rig: Rig) -> None:
    del rig.records.documents[rig.closure, "gate:plan:001"]


async def ask_somebody_else(rig: Rig) -> None:
    groups = (await rig.gate())["groups"]
    groups["it"]["people"].append({**EVE.to_dict(), "mail": ""})
    edit(rig, rig.closure, "gate:plan:001", groups=groups)


async def lose_a_decision(rig: Rig) -> None:
    del rig.records.documents[rig.closure, decisions_of(rig)[0]]


async def forge_a_person(rig: Rig) -> None:
    edit(rig, rig.closure, decisions_of(rig)[0], person={**CYD.to_dict(), "upn": ANN.upn})


async def turn_into_a_veto(rig: Rig) -> None:
    edit(rig, rig.closure, decisions_of(rig)[0], decision="veto")


async def another_digest_decided(rig: Rig) -> None:
    edit(rig, rig.closure, decisions_of(rig)[0], digest="0" * 64)


async def demote_keeper(rig: Rig) -> None:
    rig.directory.administrators = frozenset({user(1).id})


async def delete_keeper(rig: Rig) -> None:
    rig.directory.take("users", KEEPER)


async def replace_keeper(rig: Rig) -> None:
    rig.directory.take("users", KEEPER)
    rig.directory.items["users"].append(user(98, upn="last.admin@contoso.onmicrosoft.com"))
    rig.directory.administrators = frozenset({user(98).id})


async def sync_keeper(rig: Rig) -> None:
    rig.directory.change("users", KEEPER, synced=True)


async def disable_keeper(rig: Rig) -> None:
    rig.directory.change("users", KEEPER, enabled=False)


async def change_own(rig: Rig) -> None:
    rig.directory.take("service-principals", OWN)
    rig.directory.items["service-principals"].append(principal(9, appId="our-app"))


async def token_elsewhere(rig: Rig) -> None:
    rig.directory.token_tenant = HOME


async def organization_elsewhere(rig: Rig) -> None:
    rig.directory.tenant = HOME


async def domain_gone(rig: Rig) -> None:
    rig.directory.domains = ("litware.com",)


async def off_the_list(rig: Rig) -> None:
    rig.environment["CLOSURE_ALLOWED_TENANTS"] = HOME
    rig.process()


async def turned_home(rig: Rig) -> None:
    rig.environment["CLOSURE_HOME_TENANT_ID"] = TARGET
    edit(rig, "deployment", "records", homeTenantId=TARGET)
    rig.process()


BROKEN = [
    ("a shard grew", add_to_shard, "shard-hash"),
    ("a shard is missing", lose_shard, "shard-hash"),
    ("two shards changed places", swap_shards, "shard-hash"),
    ("a kept entry was taken out", edit_manifest(lambda manifest: manifest["kept"].pop()), "plan-digest"),
    (
        "a hash was changed",
        edit_manifest(lambda m: m["families"]["users"]["shards"][0].update(sha256="0")),
        "plan-digest",
    ),
    ("another keeper in the manifest", edit_manifest(lambda m: m["keeper"].update(id=user(1).id)), "plan-digest"),
    ("the manifest is missing", blob(None), "plan-digest"),
    ("the manifest is no JSON", blob(b"{"), "plan-digest"),
    ("the manifest is no object", blob(b"[1]"), "plan-digest"),
    ("the manifest is nothing", blob(b"null"), "plan-digest"),
    ("the row's digest was changed", edit_row(digest="0" * 64), "plan-digest"),
    ("the row's digest is gone", edit_row(digest=None), "plan-digest"),
    ("plan and row forged together", forge_whole_plan, "approval"),
    ("the gate is over another plan", edit_gate(digest="0" * 64), "approval"),
    ("the gate is open over another plan", edit_gate(state="open", digest="0" * 64), "approval"),
    ("the gate asks fewer people", edit_gate(distinct=1), "approval"),
    ("the gate asks fewer groups", edit_gate(groups={"it": {"quorum": 1, "people": [], "deputies": []}}), "approval"),
    ("the gate asks somebody else", ask_somebody_else, "approval"),
    ("the gate is gone", lose_the_gate, "approval"),
    ("the keeper was demoted", demote_keeper, "keeper"),
    ("the keeper was deleted", delete_keeper, "keeper"),
    ("the keeper was replaced", replace_keeper, "keeper"),
    ("the keeper is synchronised now", sync_keeper, "keeper"),
    ("the keeper was disabled", disable_keeper, "keeper"),
    ("our service principal changed", change_own, "own-identity"),
    ("the token is for another tenant", token_elsewhere, "tenant-pin"),
    ("another organization answers", organization_elsewhere, "tenant-pin"),
    ("the domain is not verified any more", domain_gone, "tenant-pin"),
    ("the tenant left the allow list", off_the_list, "allow-list"),
    ("the tenant is the hosting one", turned_home, "home-tenant"),
]


@pytest.mark.parametrize(("tamper", "rail"), [one[1:] for one in BROKEN], ids=[one[0] for one in BROKEN])
async def test_a_broken_rail_stops_before_any_write(rig: Rig, tamper: Tamper, rail: str) -> None:
    """Nothing at all is sent, the activity returns the stop, and the audit names the rail that broke."""
    await rig.ready()
    await tamper(rig)
    answer = await activities.work_shard(await rig.shard_order())
    assert rig.directory.asked == []
    assert (answer["stop"], answer["detail"].split(":")[0]) == ("rail", rail)
    (told,) = await rig.audited("rail:broken")
    assert (told["rail"], told["activity"]) == (rail, "work_shard")
    assert rig.evidence() == []


DISPUTED = [
    ("the gate is open and a decision is missing", (edit_gate(state="open", said=1), lose_a_decision), "revoked"),
    ("a decision is missing", (edit_gate(said=1), lose_a_decision), "revoked"),
    ("one person under another's address", (forge_a_person,), "revoked"),
    ("a decision over another plan", (another_digest_decided,), "revoked"),
    ("a decision became a veto", (turn_into_a_veto,), "vetoed"),
    ("the gate was vetoed", (edit_gate(state="vetoed"),), "vetoed"),
    ("the gate ran out", (edit_gate(state="expired"),), "expired"),
]


@pytest.mark.parametrize(("tampers", "stop"), [one[1:] for one in DISPUTED], ids=[one[0] for one in DISPUTED])
async def test_decisions_that_do_not_add_up_send_nothing(rig: Rig, tampers: tuple[Tamper, ...], stop: str) -> None:
    """Whatever the gate's document says: the people's words are judged anew, and without a quorum nothing is sent."""
    await rig.ready()
    for tamper in tampers:
        await tamper(rig)
    answer = await activities.work_shard(await rig.shard_order())
    assert (answer["stop"], rig.directory.asked, rig.evidence()) == (stop, [], [])
    assert (await rig.gate())["state"] == {"revoked": "open"}.get(stop, stop)


@pytest.mark.parametrize(
    ("changes", "stop"),
    [
        ({"epoch": 2}, "fenced"),
        ({"result": "aborted"}, "fenced"),
        ({"control": "pause"}, "paused"),
        ({"control": "abort"}, "aborted"),
    ],
)
async def test_a_stop_is_no_broken_rail(rig: Rig, changes: dict[str, Any], stop: str) -> None:
    """A newer run, an end, a pause and an abort stop before any write too, without an alarm in the audit."""
    await rig.ready()
    order = await rig.shard_order()
    await edit_row(**changes)(rig)
    answer = await activities.work_shard(order)
    assert (answer["stop"], rig.directory.asked) == (stop, [])
    assert "rail:broken" not in await rig.words()


WRITERS = [
    (activities.work_shard, {"family": "users", "operation": "delete"}),
    (activities.work_shard, {"family": "users", "operation": "block"}),
    (activities.freeze_sign_ups, {}),
    (activities.turn_off_sync, {}),
    (activities.turn_off_mfa, {}),
    (activities.disable_refused, {}),
    (activities.advance_subscription, {"item": "s", "goal": "cancelled"}),
    (activities.hand_over, {}),
]


@pytest.mark.parametrize(("writer", "more"), WRITERS, ids=[f"{one.__name__}-{n}" for n, (one, _) in enumerate(WRITERS)])
@pytest.mark.parametrize("tamper", [token_elsewhere, demote_keeper, blob(None), edit_gate(distinct=1), off_the_list])
async def test_every_writer_stands_behind_the_rails(
    rig: Rig, writer: Any, more: dict[str, Any], tamper: Tamper
) -> None:
    """Whichever activity writes: with the pin, keeper, plan, gate or allow list broken it writes nothing."""
    rig.directory.sync = True
    await rig.planned()
    await rig.approved()
    await rig.approved("delete-tenant")
    await tamper(rig)
    answer = await writer(await rig.shard_order(**more))
    assert answer["stop"] == "rail"
    assert rig.directory.asked == []
    assert rig.billing.asked == []


async def smuggle(rig: Rig, family: str, id_: str) -> None:
    """Put an id into the plan with every hash and digest in agreement, then have it approved by the people."""
    await rig.planned()
    path = names.shard_path(rig.closure, 1, family, 0)
    data = rig.records.blobs.get(path, b"") + canonical({"id": id_, "name": ""}) + b"\n"
    await rig.records.write_blob(path, data)

    def change(manifest: dict[str, Any]) -> None:
        entry = {"count": len(data.splitlines()), "sha256": sha256(data)}
        manifest["families"][family]["shards"] = [entry, *manifest["families"][family]["shards"][1:]]

    await edit_manifest(change)(rig)
    await edit_row(digest=digest(await rig.manifest()))(rig)
    await rig.approved()


@pytest.mark.parametrize(
    ("family", "id_", "rail"),
    [
        ("users", KEEPER, "keeper"),
        ("users", KEEPER.upper(), "keeper"),
        ("service-principals", OWN, "own-identity"),
        ("service-principals", OWN.upper(), "own-identity"),
    ],
)
async def test_the_spared_ones_in_an_approved_shard(rig: Rig, family: str, id_: str, rail: str) -> None:
    """Even in a plan that people approved and whose hashes agree, keeper and own service principal are not sent."""
    await smuggle(rig, family, id_)
    answer = await activities.work_shard(await rig.shard_order(family=family))
    assert (answer["stop"], answer["detail"].split(":")[0]) == ("rail", rail)
    assert rig.directory.asked == []


async def test_a_shard_with_the_keeper_is_not_even_read(rig: Rig) -> None:
    """The rail stands where shards are read, before any wave is put together: nothing opens over such a plan."""
    await smuggle(rig, "users", KEEPER)
    answer = await activities.open_wave(await rig.order(family="users", operation="delete"))
    assert (answer["stop"], answer["detail"].split(":")[0]) == ("rail", "keeper")


@pytest.mark.parametrize(
    ("changes", "stop"), [({"distinct": 1}, "rail"), ({"state": "expired"}, "expired"), ({"digest": "0" * 64}, "rail")]
)
async def test_the_last_gate_is_looked_at_by_itself(rig: Rig, changes: dict[str, str], stop: str) -> None:
    """With the plan's gate in order, the gate delete-tenant has to be approved, over this very plan."""
    rig.directory.items["users"] = rig.directory.items["users"][:1]
    await rig.ready()
    await rig.approved("delete-tenant")
    edit(rig, rig.closure, "gate:delete-tenant:001", **changes)
    if "digest" in changes:
        for key in decisions_of(rig):
            if key.startswith("decision:delete-tenant"):
                edit(rig, rig.closure, key, **changes)
    answer = await activities.hand_over(await rig.order())
    assert (answer["stop"], answer["detail"].split(":")[0]) == (
        stop,
        {"rail": "approval"}.get(stop, "gate delete-tenant"),
    )
    assert rig.directory.asked == []


async def test_only_the_rails_stop_it(rig: Rig) -> None:
    """The same smuggling with an ordinary id goes through: it is the rail that stopped the others."""
    await smuggle(rig, "users", user(44).id)
    assert (await activities.work_shard(await rig.shard_order()))["state"] == "done"


async def test_the_quiet_period_needs_its_own_gate(rig: Rig) -> None:
    """With quiet days asked for, blocking goes under the plan's gate, deleting only once go-on is approved too."""
    await rig.ready(quietDays=3)
    blocked = await activities.work_shard(await rig.shard_order(operation="block", phase="quiet-period"))
    assert blocked["state"] == "done"
    answer = await activities.work_shard(await rig.shard_order())
    assert (answer["stop"], "delete_many" in rig.directory.writes) == ("rail", False)
    await rig.approved("go-on")
    assert (await activities.work_shard(await rig.shard_order()))["state"] == "done"
