"""Every answer carries the headers that keep browsers from doing more than showing it."""

from __future__ import annotations

import azure.functions as func
import pytest

from tenantclosure import wiring
from tests.web.rig import Desk
from tests.web.test_roles import PATH
from web.answers import EVERY
from web.door import guarded
from web.route import Route
from web.routes import ROUTES

WAYS = ("shown", "nobody")


def _policy(answer: func.HttpResponse) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in answer.headers["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in parts}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
async def test_every_answer_is_hardened(desk: Desk, route: Route, way: str) -> None:
    """Pages, documents, files and refusals: no script but our file, no frame, no guessing, TLS from now on."""
    who = "olga:Operator,Approver,Auditor" if way == "shown" else None
    answer = await desk.call(route.name, who=who, body={}, **PATH)
    policy = _policy(answer)

    assert set(EVERY) | {"Strict-Transport-Security"} <= set(answer.headers.keys())
    assert ("'none'", "'none'") == (policy["default-src"], policy["frame-ancestors"])
    assert policy.get("script-src", "'none'") in ("'none'", "'self'")
    assert ("nosniff", "DENY") == (answer.headers["X-Content-Type-Options"], answer.headers["X-Frame-Options"])
    assert answer.headers["Referrer-Policy"] in ("no-referrer", "same-origin")
    assert "same-origin" == answer.headers["Cross-Origin-Resource-Policy"]
    kept = route.name == "static_file"
    assert ("max-age=3600" if kept else "no-store") == answer.headers["Cache-Control"]


async def test_a_broken_deployment_is_no_exception(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that came before any handler, because a setting is wrong, has them as well."""
    wiring.use(None)
    monkeypatch.setenv("CLOSURE_CLOUD", "nowhere")
    answer = await desk.call("list_closures")

    assert 500 == answer.status_code
    assert set(EVERY) <= set(answer.headers.keys())


@pytest.mark.parametrize("host", ["127.0.0.1:7071", "localhost:7071", "[::1]:7071"])
async def test_loopback_is_not_told_to_use_tls(desk: Desk, host: str) -> None:
    """A browser that took it at its word would not find the local host again."""
    route = desk.routes["show_openapi"]
    answer = await guarded(route)(func.HttpRequest("GET", f"http://{host}/api/openapi.json", body=b""))

    assert 200 == answer.status_code
    assert "Strict-Transport-Security" not in answer.headers


async def test_no_page_holds_code_or_style_of_its_own(desk: Desk) -> None:
    """The policy forbids what stands in a page itself, so no template may rely on it."""
    closure, _ = await desk.at_gate()
    for name in ("closures_page", "closure_page", "blockers_page", "plan_page", "show_gate_page"):
        path = {} if name == "closures_page" else {"closureId": closure}
        path |= {"gate": "plan"} if name == "show_gate_page" else {}
        html = (await desk.call(name, who="ann:Approver,Auditor", **path)).get_body().decode()

        assert "<main" in html, name
        assert "<style" not in html and " style=" not in html, name
        assert " onclick=" not in html and "javascript:" not in html, name
        assert html.count("<script") == html.count('<script src="/static/closure.js'), name
