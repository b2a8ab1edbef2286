"""Ways around a door that were tried: another closure's things, addresses that lead away, tokens that travel on."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import azure.functions as func
import pytest

from tests.web.rig import ADDRESS, TARGET, Desk, principal, refused
from web.door import guarded
from web.routes import ROUTES

SIGN_IN = "/.auth/login/aad?"


def _leads(answer: func.HttpResponse) -> str:
    """Where the page's sign-in link comes back to; empty without such a link."""
    html = answer.get_body().decode().replace("&amp;", "&")
    if SIGN_IN not in html:
        return ""
    query = html.partition(SIGN_IN)[2].partition('"')[0]
    return parse_qs(query)["post_login_redirect_uri"][0]


@pytest.mark.parametrize("path", ["//evil.example/closures", "/\\evil.example", "///evil.example", "/%2fevil.example"])
async def test_a_sign_in_comes_back_to_us(desk: Desk, path: str) -> None:
    """A path that a browser reads as another host is none that the sign-in leads to."""
    req = func.HttpRequest("GET", f"{ADDRESS}{path}", route_params={}, body=b"")
    leads = _leads(await guarded(desk.routes["closures_page"])(req))

    assert "" == urlsplit(leads).netloc
    assert leads.startswith("/") and leads[1:2] not in ("/", "\\")


async def test_a_links_token_does_not_travel_to_the_sign_in(desk: Desk) -> None:
    """Who opens a link with a sign-in that is no good gets no way to sign in that carries the link's token along."""
    token = await desk.link(*await desk.at_gate())
    answer = await desk.call("show_approval_page", who=None, headers={"Authorization": "Bearer bad"}, token=token)

    assert 401 == answer.status_code
    assert token not in answer.get_body().decode() + str(dict(answer.headers))


async def test_a_task_belongs_to_its_closure(desk: Desk) -> None:
    """A task's id under another closure's id is unknown: ids of two closures do not mix."""
    closure, task = await desk.with_task()
    await desk.ledger.end(closure, "aborted")
    other = await desk.filed()
    answer = await desk.call("report_task_done", body={"comment": "done"}, closureId=other, taskId=task)

    assert 404 == answer.status_code
    assert [] == (await desk.ledger.tasks(closure))[0]["reports"]


@pytest.mark.parametrize(
    "closure", ["..", "../deployment", f"{TARGET}-1/../x", "%2e%2e", f"{TARGET}-1\r\nX: y", "\x00"]
)
async def test_no_path_leads_out_of_the_records(desk: Desk, closure: str) -> None:
    """What is no closure's id reaches no record: not by dots, slashes, line breaks or zero bytes."""
    await desk.filed()
    for name in ("show_closure", "show_plan", "show_report", "show_audit"):
        answer = await desk.call(name, who="olga:Operator", closureId=closure)

        refused(answer, 404, "unknown-closure")
        assert not any("\r" in value or "\n" in value for value in answer.headers.values())


@pytest.mark.parametrize("on", [True, False])
async def test_the_platforms_header_counts_only_where_the_platform_writes_it(desk: Desk, on: bool) -> None:
    """Without App Service authentication anybody could write it, so it is nobody's word."""
    desk.set(WEBSITE_AUTH_ENABLED=on)
    answer = await desk.call("list_closures", who=None, headers={"X-MS-CLIENT-PRINCIPAL": principal("olga:Operator")})

    assert (200 if on else 401) == answer.status_code


@pytest.mark.parametrize("raw", [b"[" * 60_000, b'{"a":' * 12_000, b'{"tenantId":' + b"[" * 17 + b"]" * 17 + b"}"])
async def test_a_deep_body_is_a_refusal(desk: Desk, raw: bytes) -> None:
    """However deep it goes, it is a problem document and no crash."""
    refused(await desk.call("file_closure", raw=raw), 400, "malformed-json")


async def test_no_answer_carries_a_durable_address(desk: Desk) -> None:
    """Management URLs of the durable extension and their key stand in no answer, though the client knows them."""
    webhook = f"{ADDRESS}/runtime/webhooks/durabletask/instances/x?taskHub=T&code=durable-key"
    desk.client.managementUrls = {"statusQueryGetUri": webhook}  # type: ignore[attr-defined]  # as the extension hands it
    desk.client.requiredQueryStringParameters = "code=durable-key"  # type: ignore[attr-defined]
    closure, digest = await desk.at_gate()
    token = await desk.link(closure, digest)
    path = {
        "closureId": closure,
        "gate": "plan",
        "taskId": "t",
        "day": "2026-11-01",
        "token": token,
        "file": "mark.svg",
    }
    path["tenantId"] = TARGET
    for route in ROUTES:
        who = "ann:Operator,Approver,Auditor"
        answer = await desk.call(route.name, who=who, body={"comment": "because"}, **path)
        said = answer.get_body().decode() + json.dumps(list(answer.headers.items()))

        for secret in ("runtime/webhooks", "durable-key", "code=", f"{closure}-e1"):
            assert secret not in said, (route.name, secret)
