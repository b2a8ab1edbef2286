"""`ports.Channel` on a Teams Workflow's webhook. Its URL is a secret: errors and logs name its host, no more."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import httpx

from tenantclosure.errors import ServiceTrouble, Throttled, Undeliverable
from tenantclosure.gateways.http import DEFAULT_RETRY_AFTER, connections, no_answer, retry_after
from tenantclosure.gateways.mail_text import body
from tenantclosure.settings import Settings

JSON = dict[str, Any]
CARD = "application/vnd.microsoft.card.adaptive"
FINAL = frozenset({400, 404, 410, 413})
"""Answers that stay the same for this card: not understood, no such workflow, workflow gone, card too large."""


class TeamsChannel:
    """The channel behind `CLOSURE_TEAMS_WEBHOOK`. `TeamsChannel(settings)`."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.teams_webhook
        self._what = f"Teams workflow at {urlsplit(self._url).hostname}"
        self._connections = connections(settings)

    async def post(self, card: JSON) -> None:
        """Post one Adaptive Card; the workflow posts it on its own time. Raises Undeliverable or ServiceTrouble."""
        attachment = {"contentType": CARD, "contentUrl": None, "content": card}
        message = json.dumps({"type": "message", "attachments": [attachment]}, ensure_ascii=False)
        headers = {"Content-Type": "application/json"}
        try:
            content = body(message).encode()
            response = await self._connections.client().post(self._url, content=content, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # No cause: the client's errors carry the request, and with it the URL.
            raise no_answer(self._what, error) from None
        # The answer's body is never read: a workflow may say anything, and an unreadable 202 must not post twice.
        self._judge(response.status_code, retry_after(response.headers))

    def _judge(self, status: int, wait: float | None) -> None:
        if 200 <= status < 300:
            return
        said = f"{self._what}: HTTP {status}"
        if status in FINAL:
            raise Undeliverable(said)
        if status == 429 or (status == 503 and wait is not None):
            raise Throttled(f"{said}, throttled", DEFAULT_RETRY_AFTER if wait is None else wait)
        raise ServiceTrouble(said)
