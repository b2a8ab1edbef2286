"""Everything a tenant bought can be ended with the APIs Microsoft has and the robot for the rest, in short days."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from simulator.commerce.lifecycle import Kind
from simulator.commerce.models import AzureSubscription, Subscription
from tests.simulator.commerce_rig import Rig, running, until

pytestmark = pytest.mark.slow

BY_HAND = {
    Kind.MOSA: ("cancel-subscription", "delete-subscription"),
    Kind.TRIAL: ("delete-subscription",),
    Kind.FREE: ("delete-free-product",),
    Kind.SELF_SERVICE: ("take-control",),
    Kind.LOCKED: ("ask-support",),
    Kind.ENTRA_FREE: ("ask-support",),
}


@pytest.mark.parametrize("profile", ["small", "hybrid", "large", "hostile"])
async def test_all_subscriptions_end(profile):
    """After the right calls and tasks the summary counts every one as deleted, and nothing foreign was touched."""
    async with running(profile, day_seconds=0.01) as rig:
        tasks = [task for row in rig.target.commerce.everything() for task in await end(rig, row)]
        server = await closure_page(tasks)
        orders = {"enabled": True, "tasksUrl": str(server.make_url("/tasks")), "delaySeconds": 0}
        await rig.http.post("/_sim/robot", json=orders)
        try:
            await until(lambda: all_gone(rig), seconds=20)
        except TimeoutError:
            pytest.fail(f"{rig.target.commerce.summary()} {(await rig.http.get('/_sim/robot')).text}")
        finally:
            await server.close()

        assert {} == await rig.statuses()
        assert [] == (await rig.arm("GET", "/subscriptions")).json()["value"]
        assert 0 == rig.world.score.foreign_touched


def all_gone(rig: Rig) -> bool:
    """Whether every subscription has run through its whole life."""
    return set(rig.target.commerce.summary()["byStatus"]) == {"gone"}


async def end(rig: Rig, row: Subscription | AzureSubscription) -> list[dict[str, str]]:
    """Use the API there is; return the tasks for a person where there is none."""
    if isinstance(row, AzureSubscription):
        path = f"/subscriptions/{row.id}/providers/Microsoft.Subscription/cancel"
        assert (await rig.arm("POST", path, params={"IgnoreResourceCheck": "true"})).status_code == 200
        return [task("delete-azure-subscription", row.id)]
    if row.kind is Kind.MCA:
        await end_mca(rig, row)
        return []
    if row.kind is Kind.CSP:
        path = f"/v1/customers/{rig.target.id}/subscriptions/{row.commerce_id}"
        headers = rig.token(rig.world.partner)
        resource = (await rig.http.get(path, headers=headers)).json()
        answer = await rig.http.patch(path, headers=headers, json={**resource, "status": "deleted"})
        assert answer.status_code == 200
        return []
    kinds = ("ask-support", "delete-subscription") if row.licences == 40 else BY_HAND[row.kind]
    return [task(kind, row.id) for kind in kinds]


async def end_mca(rig: Rig, row: Subscription) -> None:
    """Cancel inside the window and poll to the end; outside it turn renewal off."""
    account = next(a for a in rig.target.commerce.accounts() if row in a.subscriptions)
    path = f"{account.path}/billingSubscriptions/{row.commerce_id}"
    answer = await rig.arm("DELETE", path)
    if answer.status_code == 400:
        assert (await rig.arm("PATCH", path, json={"properties": {"autoRenew": "Off"}})).status_code == 200
        return
    while answer.status_code == 202:
        await asyncio.sleep(float(answer.headers["Retry-After"]))
        answer = await rig.http.get(answer.headers["Location"], headers=rig.token())
    assert answer.status_code == 204


def task(kind: str, target: str) -> dict[str, str]:
    """One open manual task."""
    return {"taskId": f"{kind}-{target}", "kind": kind, "target": target, "state": "open", "title": kind}


async def closure_page(tasks: list[dict[str, str]]) -> TestServer:
    """Serve the open tasks as a closure would."""

    async def show(request: web.Request) -> web.Response:
        return web.json_response({"items": tasks})

    app = web.Application()
    app.router.add_get("/tasks", show)
    server = TestServer(app)
    await server.start_server()
    return server
