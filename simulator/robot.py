"""The keeper as a robot: reads a closure's open manual tasks, does each in the portal after a delay, reports it done.

Off until `POST /_sim/robot` turns it on. It knows about a closure only what its page says, and it talks to loopback
addresses only. What the portal refuses today is tried again in the next round, as a person would.
Kinds of tasks that its orders name under `skip` wait for somebody else, until Support has played along.
"""

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from simulator import portal
from simulator.commerce.lifecycle import FINISHED, State
from simulator.commerce.models import RefusedError
from simulator.commerce.wire import json_object
from simulator.world import World

# A task's kind -> the portal's action and the name of its target there.
KINDS = {
    "turn-off-sync": ("turn-off-sync", "tenantId"),
    "cancel-subscription": ("cancel-subscription", "subscriptionId"),
    "delete-subscription": ("delete-subscription", "subscriptionId"),
    "take-control": ("take-control", "subscriptionId"),
    "delete-free-product": ("delete-free-product", "subscriptionId"),
    "turn-off-recurring-billing": ("turn-off-recurring-billing", "subscriptionId"),
    "delete-azure-subscription": ("delete-azure-subscription", "subscriptionId"),
    "empty-azure-subscription": ("empty-azure-subscription", "subscriptionId"),
    "ask-partner": ("ask-partner", "subscriptionId"),
    "ask-support": ("support", "subscriptionId"),
    "find-seller": ("find-seller", "subscriptionId"),
    "freeze-sign-ups": ("freeze-sign-ups", "tenantId"),
    # These name a cause, not a thing: the portal's action clears all of it.
    "release-users": ("release-users", "cause"),
    "grant-role": ("grant-role", "cause"),
    "remove-users": ("remove-users", "cause"),
    "remove-managed-identity": ("remove-managed-identity", "cause"),
    "remove-application": ("remove-application", "objectId"),
    "empty-external-directory": ("remove-user-flows", "tenantId"),
    "delete-tenant": ("delete-tenant", "tenantId"),
}


@dataclass
class Orders:
    """What the robot was told."""

    enabled: bool = False
    tasks_url: str = ""
    done_url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 1.0
    skip: frozenset[str] = frozenset()


class Robot:
    """Walks the open tasks in rounds; remembers when it first saw each and what it did."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.orders = Orders()
        self.rounds = 0
        self.done: list[dict[str, Any]] = []
        self.refused: dict[str, str] = {}
        self.skipped: list[str] = []
        self.outsiders_came = False
        self.trouble: str | None = None
        self._seen: dict[str, float] = {}
        self._acted: dict[str, str] = {}
        self._reported: set[str] = set()
        self._wake = asyncio.Event()

    def command(self, orders: Orders) -> None:
        """Take new orders; they count from the next round."""
        self.orders = orders
        self.trouble = None
        self._wake.set()

    def do_everything(self) -> None:
        """Skip nothing any more, whatever later orders say: those it waited for have done their part."""
        self.outsiders_came = True
        self._wake.set()

    def view(self) -> dict[str, Any]:
        """What the robot did so far, without the headers it was given (they may hold an identity)."""
        orders = self.orders
        return {
            "enabled": orders.enabled,
            "tasksUrl": orders.tasks_url,
            "doneUrl": orders.done_url,
            "delaySeconds": orders.delay,
            "skip": sorted(orders.skip),
            "rounds": self.rounds,
            "done": self.done,
            "refused": self.refused,
            "skipped": self.skipped,
            "trouble": self.trouble,
        }

    async def run(self) -> None:
        """Work until cancelled."""
        async with ClientSession(timeout=ClientTimeout(total=30)) as session:
            while True:
                self._wake.clear()
                orders = self.orders
                if not (orders.enabled and orders.tasks_url):
                    await self._wake.wait()
                    continue
                try:
                    await self.round(session, orders)
                    self.trouble = None
                except (ClientError, TimeoutError, ValueError) as error:
                    # The closure's host may be down or restarting: that is the point of some rehearsals.
                    self.trouble = f"{type(error).__name__}: {error}"
                self.rounds += 1
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), min(max(orders.delay / 2, 0.1), 1.0))

    async def round(self, session: ClientSession, orders: Orders) -> None:
        """One look at the page and whatever is due."""
        page = await _read(session, orders, orders.tasks_url)
        items = page.get("items") if isinstance(page, dict) else None
        if not isinstance(items, list):
            raise ValueError("the tasks' answer has no list 'items'")
        tasks = {str(task["taskId"]): task for task in items if isinstance(task, dict) and task.get("state") == "open"}
        for known in [*self._seen]:
            if known not in tasks:  # a task that closed and opens again is a new one
                del self._seen[known]
                self._acted.pop(known, None)
                self._reported.discard(known)
                self.refused.pop(known, None)
        skip = frozenset[str]() if self.outsiders_came else orders.skip
        self.skipped = [task_id for task_id, task in tasks.items() if task.get("kind") in skip]
        for task_id, task in tasks.items():
            if task_id in self.skipped:
                continue
            first_seen = self._seen.setdefault(task_id, time.monotonic())
            if task_id not in self._reported and time.monotonic() - first_seen >= orders.delay:
                await self._work(session, orders, task_id, task)

    async def _work(self, session: ClientSession, orders: Orders, task_id: str, task: dict[str, Any]) -> None:
        if task_id not in self._acted:
            try:
                self._acted[task_id] = self._act(str(task.get("kind")), str(task.get("target")), task.get("items"))
            except RefusedError as no:
                self.refused[task_id] = f"{no.code}: {no.message}"
                return
        self.refused.pop(task_id, None)
        if orders.done_url:
            url = orders.done_url.replace("{task}", quote(task_id, safe=""))
            comment = {"comment": self._acted[task_id]}
            async with session.post(url, json=comment, headers=orders.headers, allow_redirects=False) as response:
                if response.status >= 300:
                    raise ValueError(f"POST done answered {response.status}")
        self._reported.add(task_id)
        self.done.append({"taskId": task_id, "kind": task.get("kind"), "target": task.get("target")})

    def _act(self, kind: str, target: str, items: Any) -> str:
        if kind not in KINDS:
            raise RefusedError("UnknownKind", f"The robot knows no task of kind '{kind}'.")
        action, name = KINDS[kind]
        if already_so(self._world, kind, target):
            return f"{action}: already so when I looked (portal robot)"
        if kind == "delete-tenant" and self._world.target.leftovers:
            portal.act(self._world, "remove-user-flows", {})  # an external tenant's checklist begins with them
        portal.act(self._world, action, {name: target, "items": items})
        return f"{action}: done in the portal (portal robot)"


async def _read(session: ClientSession, orders: Orders, url: str) -> Any:
    async with session.get(url, headers=orders.headers, allow_redirects=False) as response:
        if response.status != 200:
            raise ValueError(f"GET {urlsplit(url).path} answered {response.status}")
        return await response.json(content_type=None)


def already_so(world: World, kind: str, target: str) -> bool:
    """Whether a person would find nothing left to do: dates may have done the work meanwhile."""
    if world.target.gone:
        return kind != "delete-tenant" or target == world.target.id
    row = world.target.commerce.find(target)
    if row is None:
        return False
    match kind:
        case "cancel-subscription":
            return row.life.state in FINISHED | {State.SUSPENDED, State.DELETING}
        case "delete-subscription":
            return row.life.state in FINISHED | {State.DELETING}
        case "turn-off-recurring-billing" | "ask-partner" | "find-seller":
            return row.life.state in FINISHED | {State.ENDING, State.WARNING, State.SUSPENDED}
        case "empty-azure-subscription":
            return row.life.state in FINISHED or not row.resources
        case _:
            return row.life.state in FINISHED


def register(app: web.Application, world: World) -> None:
    """Add `GET` and `POST /_sim/robot`, and let the robot live exactly as long as the server."""
    robot = world.robot = Robot(world)

    async def show(request: web.Request) -> web.Response:
        return web.json_response(robot.view())

    async def command(request: web.Request) -> web.Response:
        try:
            robot.command(_orders(await json_object(request)))
        except ValueError as error:
            return web.json_response({"error": "BadOrders", "message": str(error)}, status=400)
        return web.json_response(robot.view())

    async def life(app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(robot.run(), name="portal-robot")
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    app.router.add_get("/_sim/robot", show)
    app.router.add_post("/_sim/robot", command)
    app.cleanup_ctx.append(life)


def _orders(body: dict[str, Any] | None) -> Orders:
    if body is None or not isinstance(body.get("enabled"), bool):
        raise ValueError("'enabled' must be true or false.")
    urls = [body.get(name) or "" for name in ("tasksUrl", "doneUrl")]
    for url in urls:
        if not isinstance(url, str) or (url and not on_loopback(url)):
            raise ValueError(f"'{url}' is not an address on the loopback interface.")
    headers, delay = body.get("headers") or {}, body.get("delaySeconds", 1)
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise ValueError("'headers' must map names to strings.")
    if isinstance(delay, bool) or not isinstance(delay, int | float) or not 0 <= delay <= 86400:
        raise ValueError("'delaySeconds' must be a number from 0 to 86400.")
    skip = body.get("skip") or []
    if not isinstance(skip, list) or set(map(str, skip)) - KINDS.keys():
        raise ValueError(f"'skip' must be a list of kinds of tasks: {', '.join(sorted(KINDS))}.")
    tasks, done = urls
    return Orders(body["enabled"], tasks, done, headers, float(delay), frozenset(skip))


def on_loopback(url: str) -> bool:
    """Whether a URL leads to this machine."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return False
    if parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return False
