"""The view from outside: gone is said only on Microsoft's own words for it."""

from __future__ import annotations

import pytest
from aiohttp import web

from tenantclosure.gateways.outside import OutsideView

from .conftest import TENANT

GONE = {"error": "invalid_tenant", "error_description": "AADSTS90002: Tenant not found.", "error_codes": [90002]}


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        pytest.param((200, {"issuer": f"https://login/{TENANT}/v2.0"}), "alive", id="alive"),
        pytest.param((200, {"issuer": "https://login/{tenantid}/v2.0"}), "unknown", id="another issuer"),
        pytest.param((400, GONE), "gone", id="gone"),
        pytest.param((400, {"error": "invalid_tenant"}), "gone", id="gone by word"),
        pytest.param((400, {"error": "x", "error_codes": [90002]}), "gone", id="gone by code"),
        pytest.param((400, {"error": "unauthorized_client", "error_codes": [700016]}), "unknown", id="our app missing"),
        pytest.param((400, {"error": "x", "error_description": "AADSTS90002"}), "unknown", id="only the text says it"),
        pytest.param((404, GONE), "unknown", id="wrong status"),
        pytest.param((500, GONE), "unknown", id="server error"),
        pytest.param((429, {}), "unknown", id="throttled"),
        pytest.param((302, {}, {"Location": "http://127.0.0.1:1/"}), "unknown", id="redirect"),
        pytest.param((200, [1]), "unknown", id="a list"),
        pytest.param(web.Response(status=400, text="<html>"), "unknown", id="html"),
        pytest.param(None, "unknown", id="reset"),
    ],
)
async def test_sighting(settings, server, said, seen) -> None:
    """Alive and gone need their full proof; everything else is unknown."""
    server.script = lambda _: said
    assert await OutsideView(settings, TENANT.upper()).sighting() == seen
    (request,) = server.seen
    assert request.path == f"/{TENANT}/v2.0/.well-known/openid-configuration"
    assert "no-cache" in request.headers["cache-control"]
    assert "authorization" not in request.headers


async def test_nobody_there(settings, server) -> None:
    """A login endpoint that can't be reached proves nothing."""
    there = settings.model_copy(update={"login_url": "http://127.0.0.1:1"})
    assert await OutsideView(there, TENANT).sighting() == "unknown"


@pytest.mark.parametrize(
    ("own", "said", "cloud"),
    [
        ("custom", {"cloud_instance_name": "microsoftonline.com"}, "global"),
        ("custom", {"cloud_instance_name": "microsoftonline.us"}, "usgov"),
        ("custom", {"cloud_instance_name": "microsoftonline.us", "tenant_region_sub_scope": "DOD"}, "usgov-dod"),
        ("usgov-dod", {"cloud_instance_name": "microsoftonline.us", "tenant_region_sub_scope": "DODCON"}, "usgov"),
        ("usgov-dod", {"cloud_instance_name": "microsoftonline.us"}, "usgov-dod"),
        ("custom", {"cloud_instance_name": "microsoftonline.com", "tenant_region_sub_scope": "GCC"}, "global"),
        ("custom", {"cloud_instance_name": "partner.microsoftonline.cn"}, "china"),
        ("custom", {"cloud_instance_name": "elsewhere"}, ""),
        ("custom", {}, ""),
        ("custom", {"cloud_instance_name": 7}, ""),
    ],
)
async def test_which_cloud_a_tenant_lives_in(server, settings, own, said, cloud) -> None:
    """The configuration names it; both US Government clouds share one, and what is not known is no verdict."""
    server.script = lambda seen: said
    view = OutsideView(settings.model_copy(update={"cloud": own}), TENANT)
    view._url = f"{settings.endpoint('login')}/{TENANT}/v2.0/.well-known/openid-configuration"

    assert cloud == await view.cloud()


async def test_a_tenant_that_is_gone_lives_in_no_cloud(server, settings) -> None:
    """Only a living tenant's configuration counts."""
    server.script = lambda seen: (400, {"error": "invalid_tenant", "cloud_instance_name": "microsoftonline.us"})

    assert "" == await OutsideView(settings, TENANT).cloud()
