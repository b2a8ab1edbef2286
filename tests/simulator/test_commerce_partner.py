"""Partner Center: only the partner's token counts, and a PATCH carries the whole resource."""

from typing import Any

import httpx

from simulator.commerce.lifecycle import Kind
from tests.simulator.commerce_rig import Rig, running


def address(rig: Rig) -> str:
    """The CSP subscription as the partner addresses it."""
    return f"/v1/customers/{rig.target.id}/subscriptions/{rig.row(Kind.CSP).commerce_id}"


async def read(rig: Rig) -> dict[str, Any]:
    """The complete resource."""
    return (await rig.http.get(address(rig), headers=rig.token(rig.world.partner))).json()


async def patch(rig: Rig, body: dict[str, Any]) -> httpx.Response:
    """Send a PATCH as the partner."""
    return await rig.http.patch(address(rig), headers=rig.token(rig.world.partner), json=body)


async def test_cancel_inside_the_window_deletes_directly():
    """Status deleted inside the window makes Graph's row Deleted at once (facts 4, P3)."""
    async with running("hybrid") as rig:
        resource = await read(rig)
        assert resource["cancellationAllowedUntilDate"]

        answer = await patch(rig, {**resource, "status": "deleted"})
        assert (200, "deleted") == (answer.status_code, answer.json()["status"])
        assert "Deleted" == (await rig.statuses())[rig.row(Kind.CSP).id]


async def test_cancel_after_the_window_is_refused():
    """Later the same call is a 400 with a code; turning renewal off is what is left (facts 4)."""
    async with running("hybrid") as rig:
        rig.clock.forward(5)
        resource = await read(rig)
        late = await patch(rig, {**resource, "status": "deleted"})
        off = await patch(rig, {**resource, "autoRenewEnabled": False, "scheduledNextTermInstructions": None})

        assert (400, {"code", "description", "data", "source"}) == (late.status_code, set(late.json()))
        assert off.json()["autoRenewEnabled"] is False
        rig.clock.forward(358)
        assert "Warning" == (await rig.statuses())[rig.row(Kind.CSP).id]


async def test_missing_fields_are_reset():
    """A PATCH that leaves fields out turns renewal on again and drops the queued change (facts 4, community)."""
    async with running("hybrid") as rig:
        resource = await read(rig)
        assert resource["scheduledNextTermInstructions"] is not None
        await patch(rig, {**resource, "autoRenewEnabled": False})
        assert (await read(rig))["autoRenewEnabled"] is False

        await patch(rig, {"id": resource["id"], "friendlyName": "kept"})
        after = await read(rig)
        assert (True, None) == (after["autoRenewEnabled"], after["scheduledNextTermInstructions"])


async def test_suspending_does_not_end_anything():
    """A suspended subscription keeps its term and cannot be deleted before it is active again (facts 4)."""
    async with running("hybrid") as rig:
        resource = await read(rig)
        suspended = (await patch(rig, {**resource, "status": "suspended"})).json()
        refused = await patch(rig, {**resource, "status": "deleted"})

        assert (resource["commitmentEndDate"], "suspended") == (suspended["commitmentEndDate"], suspended["status"])
        assert (400, "800091") == (refused.status_code, refused.json()["code"])
        assert "active" == (await patch(rig, {**resource, "status": "active"})).json()["status"]


async def test_who_may_ask():
    """No token is 401, the customer's own is 403, and a stranger is no customer."""
    async with running("hybrid") as rig:
        nobody = await rig.http.get(address(rig))
        customer = await rig.http.get(address(rig), headers=rig.token())
        partner = rig.token(rig.world.partner)
        stranger = await rig.http.get(f"/v1/customers/{rig.world.home.id}/subscriptions", headers=partner)

        assert (401, 403) == (nobody.status_code, customer.status_code)
        assert (403, "20002") == (stranger.status_code, stranger.json()["code"])


async def test_list_and_unknown_addresses():
    """The list has the one CSP row; an unknown id is 20003 and an unknown address 501."""
    async with running("hybrid") as rig:
        partner = rig.token(rig.world.partner)
        base = f"/v1/customers/{rig.target.id}/subscriptions"
        listed = (await rig.http.get(base, headers=partner)).json()
        absent = await rig.http.get(f"{base}/none", headers=partner)
        unknown = await rig.http.get("/v1/invoices", headers=partner)

        assert (1, [rig.row(Kind.CSP).commerce_id]) == (listed["totalCount"], [i["id"] for i in listed["items"]])
        assert (404, "20003") == (absent.status_code, absent.json()["code"])
        assert 501 == unknown.status_code
