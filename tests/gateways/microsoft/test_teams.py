"""Cards reach the Teams workflow, and the workflow's address, which is a secret, reaches nobody."""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tenantclosure.errors import ServiceTrouble, Throttled, Undeliverable
from tenantclosure.gateways.http import connections
from tenantclosure.gateways.teams import TeamsChannel

from .conftest import settings_for
from .simulated import Simulated

CARD = {"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "Close Contöso \ud800"}]}
PATH = "/workflows/0f0fsecretpath/triggers/manual/paths/invoke"
QUERY = "api-version=1&sig=secretsignature"


@pytest.mark.simulator
async def test_a_card_lands_in_the_simulated_channel(home: Simulated) -> None:
    """The card arrives whole; a refused one is undeliverable."""
    settings = home.settings(CLOSURE_TEAMS_WEBHOOK=f"{home.ready['url']}/_teams/workflows/w9?{QUERY}")
    channel, card = TeamsChannel(settings), CARD | {"body": [{"type": "TextBlock", "text": "Close Contöso"}]}
    await channel.post(card)
    home.sim("inbox/refuse", {"to": "workflow:w9", "status": 404, "times": 1})
    with pytest.raises(Undeliverable):
        await channel.post(card)
    with pytest.raises(Undeliverable, match="413"):
        await channel.post(card | {"fallbackText": "x" * 30_000})
    await connections(settings).close()
    assert [card] == [message["card"] for message in home.sim("inbox.json?to=workflow:w9")["messages"]]


@pytest_asyncio.fixture
async def channel(server) -> AsyncIterator[TeamsChannel]:
    """The channel before the scripted server."""
    settings = settings_for(server.url, CLOSURE_TEAMS_WEBHOOK=f"{server.url}{PATH}?{QUERY}")
    yield TeamsChannel(settings)
    await connections(settings).close()


async def test_what_goes_over_the_wire(channel, server) -> None:
    """A message with one attachment, no authorization header; an answer in any form is fine."""
    server.script = lambda seen: (202, "Accepted?")
    await channel.post(CARD)
    (seen,) = server.seen
    assert (PATH, QUERY) == (seen.path, seen.query)
    assert "authorization" not in seen.headers
    card = CARD | {"body": [{"type": "TextBlock", "text": "Close Contöso ?"}]}
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    assert {"type": "message", "attachments": [attachment]} == seen.body


@pytest.mark.parametrize(
    ("said", "error"),
    [
        *(((status, {"error": {"code": "secretcode"}}), Undeliverable) for status in (400, 404, 410, 413)),
        *(((status, {}), ServiceTrouble) for status in (301, 401, 403, 500, 502, 503)),
        ((429, {}), Throttled),
        ((503, {}, {"Retry-After": "3"}), Throttled),
        (None, ServiceTrouble),
    ],
)
async def test_answers(channel, server, caplog, said, error) -> None:
    """Final or passing by its status; no text, cause or log line holds path, signature or the answer's words."""
    caplog.set_level(logging.DEBUG)
    server.script = lambda seen: said
    with pytest.raises(error) as caught:
        await channel.post(CARD)
    assert error is type(caught.value)
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "127.0.0.1" in str(caught.value)
    assert "secret" not in shown


async def test_success_is_not_logged_with_its_address(channel, server, caplog) -> None:
    """httpx writes every URL at INFO; ours must not be among them."""
    caplog.set_level(logging.DEBUG)
    server.script = lambda seen: (202, None)
    await channel.post(CARD)
    assert "secret" not in caplog.text


async def test_nobody_there(caplog) -> None:
    """A workflow that can't be reached is trouble that may pass."""
    webhook = f"http://127.0.0.1:1{PATH}?{QUERY}"
    settings = settings_for("http://127.0.0.1:1", CLOSURE_TEAMS_WEBHOOK=webhook)
    with pytest.raises(ServiceTrouble) as caught:
        await TeamsChannel(settings).post(CARD)
    await connections(settings).close()
    assert "secret" not in "".join(traceback.format_exception(caught.value)) + caplog.text
