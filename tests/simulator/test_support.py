"""What the profile hostile plants, who may clear it, and everybody outside playing along."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import seeding
from simulator.commerce.lifecycle import FINISHED, Kind
from simulator.commerce.models import Subscription
from simulator.world import Options
from tests.simulator.commerce_rig import Rig, running, until
from tests.simulator.test_robot import page

PLANTED = {"Visio Plan 2", "Microsoft Entra ID Free", "Office 365 E3"}


def licence(rig: Rig, name: str) -> Subscription:
    """The row of this name."""
    return next(row for row in rig.target.commerce.rows() if row.name == name)


def identity(rig: Rig) -> Any:
    """The managed identity, as long as it is there."""
    return next((sp for sp in rig.target.directory.managed_identities() if sp.displayName == "vm-backup"), None)


def test_it_plants_what_its_page_says() -> None:
    """Three restricted people, who block nothing but themselves, and one managed identity; the rest was sold."""
    world = seeding.build(Options(users=60, profile="hostile"))
    restricted = [user for user in world.target.directory.users.live.values() if user.isManagementRestricted]

    assert 3 == len(restricted)
    assert {world.target.domain} == {user.userPrincipalName.partition("@")[2] for user in restricted}
    assert all(world.target.directory.find_user(user.userPrincipalName) is user for user in restricted)
    assert ["vm-backup"] == [sp.displayName for sp in world.target.directory.managed_identities()]


async def test_nobody_inside_can_clear_what_it_plants() -> None:
    """The portal refuses each subscription; API and portal refuse the managed identity."""
    async with running("hostile") as rig:
        principal = identity(rig)
        for name in PLANTED:
            assert 409 == (await rig.portal("cancel-subscription", subscriptionId=licence(rig, name).id)).status_code
        path = f"/v1.0/servicePrincipals/{principal.id}"
        assert 403 == (await rig.http.delete(path, headers=rig.token())).status_code
        assert "ManagedIdentity" == (await rig.portal("remove-application", objectId=principal.id)).json()["error"]
        assert principal is identity(rig)


@pytest.mark.parametrize("content", [b"", b"{}"])
async def test_everybody_outside_helps(content: bytes) -> None:
    """Locked rows and Entra ID Free are gone, the large one is cancelled, people released, Azure empty; others stay."""
    async with running("hostile") as rig:
        for user in list(rig.target.directory.users.live.values())[2:4]:
            user.isManagementRestricted = True
        restricted = {u.userPrincipalName for u in rig.target.directory.users.live.values() if u.isManagementRestricted}
        others = {row.id: row.status for row in rig.target.commerce.rows() if row.name not in PLANTED}
        large = licence(rig, "Office 365 E3")
        answer = await rig.http.post("/_sim/support", content=content)
        again = await rig.http.post("/_sim/support", content=content)
        rows = await rig.statuses()

        assert 200 == answer.status_code
        assert (PLANTED, ["Forgotten lab"], restricted) == (
            set(answer.json()["subscriptions"]),
            answer.json()["azure"],
            set(answer.json()["released"]),
        )
        assert {**others, large.id: "Suspended"} == rows
        assert ([], identity(rig)) == (rig.azure("Forgotten lab").resources, None)
        assert [[], []] == [again.json()["subscriptions"], again.json()["azure"]]
        assert 200 == (await rig.portal("delete-subscription", subscriptionId=large.id)).status_code


async def test_released_people_can_be_deleted_half_an_hour_later() -> None:
    """The release needs its time (tenant-facts C1)."""
    async with running("hostile") as rig:
        user = list(rig.target.directory.users.live.values())[-1]
        user.isManagementRestricted = True
        path = f"/v1.0/users/{user.id}"
        await rig.http.post("/_sim/support")
        early = await rig.http.delete(path, headers=rig.token())
        rig.clock.forward(0.03)

        assert [403, 204] == [early.status_code, (await rig.http.delete(path, headers=rig.token())).status_code]


async def test_a_stuck_purchase_is_support_s_as_well() -> None:
    """A purchase whose buyer is gone; one whose buyer is there is left to the portal."""
    async with running("hybrid") as rig:
        row, directory = rig.row(Kind.SELF_SERVICE), rig.target.directory
        assert [] == (await rig.http.post("/_sim/support")).json()["subscriptions"]
        directory.delete_user(directory.users.live[row.owner_id])

        assert [row.name] == (await rig.http.post("/_sim/support")).json()["subscriptions"]
        assert row.life.state in FINISHED


async def test_what_is_deleted_needs_no_support() -> None:
    """A purchase that is Deleted already stays as it is, whoever bought it."""
    async with running("hybrid") as rig:
        row, directory = rig.row(Kind.SELF_SERVICE), rig.target.directory
        await rig.portal("take-control", subscriptionId=row.id)
        directory.delete_user(directory.users.live[row.owner_id])

        assert [] == (await rig.http.post("/_sim/support")).json()["subscriptions"]
        assert "Deleted" == (await rig.statuses())[row.id]


async def test_orders_are_refused() -> None:
    """Support does what it does: any body but an empty object is a 400, a tenant that is gone a 409."""
    async with running("hostile") as rig:
        for content in (b"[]", b"{", b'{"skip": 1}'):
            assert 400 == (await rig.http.post("/_sim/support", content=content)).status_code
        assert "LockedOut" == rig.row(Kind.LOCKED).status
        rig.world.delete_tenant(rig.target)
        assert 409 == (await rig.http.post("/_sim/support")).status_code


async def test_the_robot_waits_for_them_and_then_for_nobody() -> None:
    """Skipped kinds stand open and are named; once the others have helped it does them, whatever later orders say."""
    skip = ["ask-support", "remove-managed-identity", "release-users"]
    async with running("hostile") as rig, page(rig, skip=skip) as closure:
        row = rig.row(Kind.LOCKED)
        closure.add("ask-support", row.id)
        closure.add("remove-managed-identity", "managed-identities")
        closure.add("delete-free-product", rig.row(Kind.FREE).id)
        await until(lambda: closure.reports)
        reads = closure.reads
        await until(lambda: closure.reads > reads + 1)
        view = (await rig.http.get("/_sim/robot")).json()

        assert ["delete-free-product/2"] == [task for task, _, _ in closure.reports]
        assert (["ask-support/0", "remove-managed-identity/1"], sorted(skip)) == (view["skipped"], view["skip"])
        assert "LockedOut" == row.status

        await rig.http.post("/_sim/support")
        await rig.http.post("/_sim/robot", json={"enabled": True, **closure.orders})
        await until(lambda: len(closure.reports) == 3)
        assert [] == (await rig.http.get("/_sim/robot")).json()["skipped"]
