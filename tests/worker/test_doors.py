"""Every HTTP function through Azure's own Python worker: shut to strangers, honest about what is missing, and open."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest

from tenantclosure.ledger import iso
from tenantclosure.names import shard_path
from tenantclosure.policy.canonical import canonical
from tests.activities.rig import Rig
from tests.fakes.tenant import FakeDirectory
from tests.web.rig import ADDRESS, TARGET, Desk, person, principal, request
from tests.worker.worker import Response, Worker
from web.routes import ROUTES

ROLES = {route.name: ",".join(sorted(route.roles)) for route in ROUTES}
PAGES = {route.name: route.page for route in ROUTES}
NOWHERE = {
    "closureId": "0b0a1c2d-0000-4000-8000-000000000001-7",
    "gate": "plan",
    "taskId": "cancel-subscription-9",
    "token": "x" * 43,
    "file": "nothing.css",
    "day": "2026-11-01",
    "tenantId": TARGET,
}
"""A value for whatever a path asks for; none of these exist."""
USER = {"id": "id-1", "name": "Person 1", "facts": {"upn": "p1@contoso.com"}}
OPEN = {"show_openapi": 200, "static_file": 404, "show_approval_page": 404, "answer_approval_page": 404}
"""Doors without a role, and what stands behind them for a stranger with nothing in hand."""


async def send(
    worker: Worker,
    name: str,
    who: str | None = None,
    body: Any = None,
    form: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    **path: str,
) -> Response:
    """A request as App Service passes it on: the principal's header only for those who signed in."""
    sent = {"Host": ADDRESS.removeprefix("https://"), **(headers or {})}
    data = b""
    if who:
        sent["X-MS-CLIENT-PRINCIPAL"] = principal(who)
    if form is not None:
        sent |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": ADDRESS}
        data = urlencode(form).encode()
    elif worker.trigger(name)["methods"] == ["POST"]:
        sent["Content-Type"] = "application/json"
        data = json.dumps({} if body is None else body).encode()
    return await worker.http(name, path={**NOWHERE, **path}, headers=sent, body=data)


async def test_every_door_is_shut_to_a_stranger(worker: Worker, desk: Desk) -> None:
    """Whoever has not signed in gets 401 from each door that asks for a role, and nothing from the others."""
    told = {name: (await send(worker, name)).status for name in worker.of("httpTrigger")}

    assert {route.name for route in ROUTES} == set(told)
    assert {name: OPEN.get(name, 401) for name in told} == told


async def test_what_is_not_there_is_not_found(worker: Worker, desk: Desk) -> None:
    """For people with the right role each door to a closure that does not exist says 404, as problem or page."""
    doors = [name for name in worker.of("httpTrigger") if "{closureId}" in worker.trigger(name)["route"]]
    form = {"decision": "veto", "csrf": "0" * 64}
    for name in doors:
        answer = await send(worker, name, f"ann:{ROLES[name]}", form=form if PAGES[name] else None)
        assert 404 == answer.status, name
        assert answer.headers["content-type"].startswith("text/html" if PAGES[name] else "application/problem+json")
        assert "Unknown closure" in answer.text()


@pytest.mark.slow
async def test_every_door_opens(worker: Worker, desk: Desk) -> None:
    """A closure's way through all of them: filed, read, decided in each way, steered; the runs are in the task hub."""
    seen: dict[str, int] = {}

    async def walk(name: str, *, told: int = 200, who: str = "olga", **more: Any) -> Response:
        answer = await send(worker, name, f"{who}:{ROLES[name]}" if ROLES[name] else None, **more)
        assert told == answer.status, f"{name}: {answer.status} {answer.text()}"
        seen[name] = told
        return answer

    closure = (await walk("file_closure", told=202, body=request())).json()["closureId"]
    at = {"closureId": closure, "gate": "plan"}
    assert {f"{closure}-e1"} == worker.started()
    digest = await desk.planned(closure, users=1)
    await desk.records.write_blob(shard_path(closure, 1, "users", 0), canonical(USER) + b"\n")
    await desk.open(closure, "plan", digest)

    # Read it in every form; the report is not written before the end.
    assert [closure] == [one["closureId"] for one in (await walk("list_closures")).json()["items"]]
    for name in ("show_closure", "show_plan", "show_tasks", "show_blockers", "show_audit"):
        await walk(name, **at)
    for name in ("closures_page", "closure_page", "plan_page", "blockers_page"):
        assert "<!doctype html>" in (await walk(name, **at)).text()
    for name in ("report_page", "show_report"):
        await walk(name, told=404, **at)
    assert 401 == (await send(worker, "decide_at_gate", **at)).status
    await walk("show_refusals", day=f"{desk.clock.moment:%Y-%m-%d}")
    await walk("show_openapi")
    await walk("static_file", file="closure.css")
    whole = Rig(directory=FakeDirectory(users=1)).parts  # a preflight looks at more of a tenant than intake does
    makers = ("make_directory", "make_billing", "make_partner", "make_outside", "access")
    desk.equip(**{name: getattr(whole, name) for name in makers}, _made={})
    await walk("show_preflight", tenantId=TARGET)

    # Decide: on the page, by the API, by a personal link; a Teams workflow says that it reached somebody.
    page = await walk("show_gate_page", who="ann", **at)
    form = {**hidden(page), "decision": "approve", "comment": ""}
    (cookie,) = page.cookies.items()
    back = {"Cookie": f"{cookie[0]}={cookie[1].value}"}
    assert cookie[1]["secure"] and cookie[1]["httponly"]
    await walk("answer_gate_page", told=303, who="ann", form=form, headers=back, **at)
    said = {"decision": "veto", "digest": digest, "comment": "not yet"}
    await walk("decide_at_gate", told=202, who="bob", body=said, **at)
    await desk.open(closure, "go-on", digest)
    token = await desk.link(closure, digest, "cyd", "go-on")
    page = await walk("show_approval_page", token=token)
    (cookie,) = page.cookies.items()
    back = {"Cookie": f"{cookie[0]}={cookie[1].value}"}
    form = {**hidden(page), "decision": "approve", "comment": ""}
    await walk("answer_approval_page", token=token, form=form, headers=back)
    known = {key: person("ann")[key] for key in ("tenantId", "objectId", "upn")}
    reached = {"closureId": closure, "gate": "go-on", "serial": 1, "digest": digest, "event": "reached"}
    reached |= {"person": known, "nonce": "nonce-ann-0123456789", "sentAt": iso(desk.clock.now())}
    await walk("approval_callback", told=202, body=reached, headers=desk.tickets.application())

    # Steer: the last run is the one that resuming starts.
    for word in ("pause", "unpause", "resume"):
        await walk(f"{word}_closure", told=202, body={"comment": "as agreed"}, **at)
    assert {f"{closure}-e1", f"{closure}-e2"} == worker.started()
    await desk.ledger.open_task(closure, task(closure))
    await walk("report_task_done", told=202, body={"comment": "done"}, **at)
    await walk("abort_closure", told=202, body={"comment": "stop"}, **at)
    await desk.ledger.end(closure, "aborted")  # as the run does
    await walk("rollback_closure", told=202, body={"comment": "undo"}, **at)

    assert set(seen) == set(worker.of("httpTrigger"))


def hidden(page: Response) -> dict[str, str]:
    """The hidden fields of a page's form."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text()))


def task(closure: str) -> dict[str, Any]:
    """An open manual task with the id that the paths name."""
    known = {"kind": "cancel-subscription", "target": "9", "title": "Cancel Contoso E5", "steps": ["Choose Cancel."]}
    shown = {"who": "Billing administrator", "link": "https://admin.microsoft.com", "warning": ""}
    return {"taskId": NOWHERE["taskId"], "instance": f"{closure}-e2:0002", **known, **shown}
