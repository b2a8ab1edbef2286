"""The portal robot: off until told, loopback only, does tasks as a person would, ends with its server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from simulator import robot
from simulator.commerce.lifecycle import Kind
from simulator.directory import PRIVILEGED_AUTHENTICATION_ADMINISTRATOR
from tenantclosure.names import TaskKind
from tests.simulator.commerce_rig import Rig, running, until


class Closure:
    """A stand-in for a closure's page: open tasks, and who reported what."""

    def __init__(self) -> None:
        self.tasks: list[dict[str, Any]] = []
        self.reports: list[tuple[str, str, str | None]] = []
        self.reads = 0
        self.fail = 0
        self.orders: dict[str, Any] = {}

    def add(self, kind: str, target: str, state: str = "open", items: tuple[str, ...] = ()) -> None:
        task = {"taskId": f"{kind}/{len(self.tasks)}", "kind": kind, "target": target, "state": state}
        self.tasks.append({**task, "items": list(items)})

    async def show(self, request: web.Request) -> web.Response:
        self.reads += 1
        return web.json_response({"items": self.tasks})

    async def done(self, request: web.Request) -> web.Response:
        if self.fail:
            self.fail -= 1
            return web.json_response({}, status=503)
        comment = (await request.json())["comment"]
        self.reports.append((request.match_info["task"], comment, request.headers.get("X-Dev-Principal")))
        return web.json_response({}, status=202)


@asynccontextmanager
async def page(rig: Rig, **orders: Any) -> AsyncIterator[Closure]:
    """Serve a closure and send the robot there."""
    closure = Closure()
    app = web.Application()
    app.router.add_get("/api/closures/c-1/tasks", closure.show)
    app.router.add_post("/api/closures/c-1/tasks/{task}/done", closure.done)
    server = TestServer(app)
    await server.start_server()
    base = str(server.make_url("/api/closures/c-1/tasks"))
    body = {
        "enabled": True,
        "tasksUrl": base,
        "doneUrl": base + "/{task}/done",
        "headers": {"X-Dev-Principal": "kim@fabrikam.com"},
        "delaySeconds": 0,
        **orders,
    }
    closure.orders = body
    try:
        assert (await rig.http.post("/_sim/robot", json=body)).status_code == 200
        yield closure
    finally:
        await rig.http.post("/_sim/robot", json={"enabled": False})
        await server.close()


async def test_off_by_default():
    """Nobody asked, so it does nothing; enabled without an address it does nothing either."""
    async with running() as rig:
        assert (await rig.http.get("/_sim/robot")).json()["enabled"] is False
        await rig.http.post("/_sim/robot", json={"enabled": True})
        await asyncio.sleep(0.1)

        assert 0 == (await rig.http.get("/_sim/robot")).json()["rounds"]


async def test_it_does_open_tasks_once_and_reports_them():
    """Each open task is done in the portal and reported with the identity it was given; closed ones are left alone."""
    async with running("hostile") as rig, page(rig) as closure:
        closure.add("take-control", rig.row(Kind.SELF_SERVICE).id)
        closure.add("delete-free-product", rig.row(Kind.FREE).commerce_id)
        closure.add("ask-partner", rig.row(Kind.CSP).id)
        closure.add("ask-support", rig.row(Kind.LOCKED).id)
        closure.add("turn-off-recurring-billing", rig.row(Kind.MCA, "EMS").id)
        closure.add("remove-application", next(iter(rig.target.directory.applications.live)))
        closure.add("turn-off-sync", rig.target.id)
        closure.add("cancel-subscription", rig.row(Kind.MOSA).id, state="done")
        await until(lambda: len(closure.reports) == 7)
        reads = closure.reads
        await until(lambda: closure.reads > reads + 1)

        assert 7 == len(closure.reports)
        assert {"kim@fabrikam.com"} == {who for _, _, who in closure.reports}
        assert "take-control/0" in {task for task, _, _ in closure.reports}
        assert ["Deleted", "Deleted", "Enabled"] == [
            rig.row(Kind.SELF_SERVICE).status,
            rig.row(Kind.CSP).status,
            rig.row(Kind.MOSA).status,
        ]


def test_it_knows_every_kind_of_task():
    """No manual task of ours is unknown to it."""
    assert {str(kind) for kind in TaskKind} == robot.KINDS.keys()


async def test_causes_are_cleared_at_the_portal():
    """Tasks that name a cause: everybody is released, our role is there, named people and the resource are gone."""
    async with running("hostile") as rig, page(rig) as closure:
        directory = rig.target.directory
        keeper, restricted, named, untouched, *_ = directory.users.live.values()
        restricted.isManagementRestricted = True
        directory.roles.clear()
        closure.add("release-users", "restricted")
        closure.add("grant-role", "privileged")
        closure.add("remove-users", "refused", items=(f"{named.displayName} ({named.userPrincipalName})",))
        closure.add("remove-managed-identity", "managed-identities")
        closure.add("freeze-sign-ups", rig.target.id)
        closure.add("empty-azure-subscription", rig.azure("Forgotten lab").id)
        await until(lambda: len(closure.reports) == 6)
        rig.clock.forward(0.03)
        rig.target.tick()

        assert not restricted.isManagementRestricted
        assert [PRIVILEGED_AUTHENTICATION_ADMINISTRATOR] == directory.roles_of(directory.own_sp_id)
        assert [True, False, True] == [user.id in directory.users.live for user in (keeper, named, untouched)]
        assert [] == directory.managed_identities() == rig.azure("Forgotten lab").resources
        assert "none" == directory.authorization_policy["allowInvitesFrom"]


@pytest.mark.parametrize(
    ("kind", "sku", "status"),
    [
        (Kind.CSP, None, "Deleted"),
        (Kind.MCA, "SPB", "Suspended"),
        (Kind.MCA, "EMS", "Enabled"),
        (Kind.MOSA, None, "Suspended"),
    ],
)
async def test_the_seller_is_found(kind, sku, status):
    """It ends where it was sold: at the partner, in its window, at its term, in the admin center."""
    async with running("hybrid") as rig, page(rig) as closure:
        row = rig.row(kind, sku)
        closure.add("find-seller", row.id)
        await until(lambda: closure.reports)

        assert (status, False) == (row.status, row.renews)


async def test_what_only_an_external_tenant_has():
    """User flows and their like are deleted when a task asks for it."""
    async with running("external-b2c") as rig, page(rig) as closure:
        assert all(rig.target.leftovers.values())

        closure.add("empty-external-directory", rig.target.id)
        await until(lambda: closure.reports)

        assert not any(rig.target.leftovers.values())


async def test_an_external_tenant_by_hand():
    """The keeper's checklist begins with the user flows, and ends with the tenant."""
    async with running("external") as rig, page(rig) as closure:
        directory = rig.target.directory
        for user in [user for user in directory.users.live.values() if user is not directory.keeper]:
            directory.delete_user(user)
        for family in (directory.applications, directory.service_principals):
            for item in list(family.live):
                await rig.portal("remove-application", objectId=item)
        closure.add("delete-tenant", rig.target.id)
        await until(lambda: closure.reports)

        assert rig.target.gone


async def test_what_the_portal_refuses_is_tried_again():
    """A delete that comes too early is done in a later round (facts 3)."""
    async with running() as rig, page(rig) as closure:
        await rig.portal("cancel-subscription", subscriptionId=rig.azure().id)
        closure.add("delete-azure-subscription", rig.azure().id)
        await until(lambda: closure.reads > 2)
        refused = (await rig.http.get("/_sim/robot")).json()["refused"]
        assert ["TooEarly"] == [text.split(":")[0] for text in refused.values()]
        assert [] == closure.reports

        rig.clock.forward(3.1)
        await until(lambda: closure.reports)
        assert "Deleted" == rig.azure().state


async def test_work_that_did_itself_is_reported():
    """When the date has done the work before the robot comes, it says so instead of trying for ever."""
    async with running() as rig:
        row = rig.row(Kind.MOSA, "PROJECTPROFESSIONAL")
        rig.clock.forward(61)
        async with page(rig) as closure:
            closure.add("delete-subscription", row.id)
            await until(lambda: closure.reports)

            assert "already so" in closure.reports[0][1]


async def test_a_lost_report_is_sent_again_without_doing_the_work_twice():
    """A 503 from the closure costs a round, not a second click."""
    async with running("large") as rig, page(rig) as closure:
        closure.fail = 2
        closure.add("delete-free-product", rig.row(Kind.FREE).id)
        await until(lambda: closure.reports)

        assert "done in the portal" in closure.reports[0][1]


async def test_the_delay():
    """A person does not click at once."""
    async with running("large") as rig, page(rig, delaySeconds=0.6) as closure:
        closure.add("delete-free-product", rig.row(Kind.FREE).id)
        await until(lambda: closure.reads > 1)
        assert [] == closure.reports
        await until(lambda: closure.reports)


@pytest.mark.parametrize(
    "orders",
    [
        {"enabled": True, "tasksUrl": "http://example.com/tasks"},
        {"enabled": True, "tasksUrl": "http://127.0.0.1.example.com/tasks"},
        {"enabled": True, "tasksUrl": "file:///etc/passwd"},
        {"enabled": True, "tasksUrl": "http://127.0.0.1/", "doneUrl": "http://10.0.0.1/"},
        {"enabled": True, "delaySeconds": -1},
        {"enabled": True, "headers": {"a": 1}},
        {"enabled": True, "skip": "ask-support"},
        {"enabled": True, "skip": ["fly"]},
        {"enabled": True, "skip": [1]},
        {"enabled": "yes"},
        {},
    ],
)
async def test_bad_orders(orders):
    """Addresses outside the loopback interface and malformed orders are refused, and nothing changes."""
    async with running() as rig:
        assert 400 == (await rig.http.post("/_sim/robot", json=orders)).status_code
        assert (await rig.http.get("/_sim/robot")).json()["enabled"] is False


async def test_it_ends_with_the_server():
    """No task of the robot survives its server, even while the closure's host is away."""
    async with running() as rig:
        orders = {"enabled": True, "tasksUrl": "http://127.0.0.1:9/tasks", "delaySeconds": 0}
        await rig.http.post("/_sim/robot", json=orders)
        await asyncio.sleep(0.2)
        assert (await rig.http.get("/_sim/robot")).json()["trouble"]

    assert "portal-robot" not in {task.get_name() for task in asyncio.all_tasks()}
