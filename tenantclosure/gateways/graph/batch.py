"""Graph's `$batch`: up to 20 requests in one call, and one answer for each in the order they were asked.

Facts (tenant-facts D): answers come in any order and carry their own status, headers and body; the outer 200 says
nothing about the items; a throttled item has its own Retry-After in decimal seconds; a successful DELETE has no body.
Our request ids are the positions "0" to "19", so that object ids never have to be unique or short.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tenantclosure.errors import ServiceTrouble
from tenantclosure.gateways.answers import answer_of, request_id_of, trouble
from tenantclosure.gateways.http import Reply, throttle_share
from tenantclosure.model.inventory import Answer

MOST = 20
"""Requests in one batch (tenant-facts D)."""
PRIORITY = {"x-ms-throttle-priority": "low"}
"""People's work in the tenant goes before our bulk (tenant-facts D)."""

Call = Callable[..., Awaitable[Reply]]


class BatchRefused(ServiceTrouble):
    """`$batch` itself was refused for good (400, 403, 404): this cloud or tenant does not offer that version of it."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of a batch. `item` is whom the answer is about; `url` starts with `/` and has no version."""

    item: str
    method: str
    url: str
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """One answer of a batch with its body, where the body matters."""

    answer: Answer
    body: Any = None


async def send(call: Call, version_url: str, asks: Sequence[Ask]) -> list[Said]:
    """Send up to 20 requests and return as many answers in the same order.

    An item that Graph left out has status 0, and so has one that it answered twice with different statuses. Answers
    with unknown or garbled ids are ignored. Raises Throttled, BatchRefused or ServiceTrouble when the outer call
    failed; then nothing is known of any item.
    """
    if len(asks) > MOST:
        raise ValueError(f"a batch takes at most {MOST} requests, not {len(asks)}")
    if not asks:
        return []
    requests = [_request(position, ask) for position, ask in enumerate(asks)]
    reply = await call("POST", f"{version_url}/$batch", body={"requests": requests}, headers=PRIORITY)
    responses = reply.body.get("responses") if isinstance(reply.body, dict) else None
    # Older services answer 424 outside when an item failed; the items' own answers are still inside.
    if not (reply.ok or reply.status == 424) or not isinstance(responses, list):
        if reply.status in (400, 403, 404):
            raise BatchRefused(str(trouble("$batch", reply)))
        raise trouble("$batch", reply) if not reply.ok else ServiceTrouble("$batch: an answer without responses")
    outer_id, used = request_id_of(reply.headers), throttle_share(reply.headers)
    silence = [Said(Answer(ask.item, 0, request_id=outer_id)) for ask in asks]
    said: dict[int, Said] = {}
    positions = {request["id"]: position for position, request in enumerate(requests)}
    for response in responses:
        position = _position(response, positions)
        if position is None:
            continue
        one = _said(asks[position].item, response, outer_id, used)
        if said.setdefault(position, one).answer.status != one.answer.status:
            said[position] = silence[position]  # one of the two was meant for another id
    return [said.get(position, nothing) for position, nothing in enumerate(silence)]


def _request(position: int, ask: Ask) -> dict[str, Any]:
    request: dict[str, Any] = {"id": str(position), "method": ask.method, "url": ask.url}
    if ask.body is not None:
        request |= {"headers": {"Content-Type": "application/json"}, "body": dict(ask.body)}
    return request


def _position(response: Any, positions: Mapping[str, int]) -> int | None:
    if not isinstance(response, dict) or type(response.get("status")) is not int:
        return None
    given = response.get("id")
    return positions.get(str(given)) if isinstance(given, str | int) and 100 <= response["status"] <= 599 else None


def _said(item: str, response: dict[str, Any], outer_id: str, used: float | None) -> Said:
    given = response.get("headers")
    headers = {str(k): str(v) for k, v in given.items()} if isinstance(given, dict) else {}
    body = response.get("body")
    answer = answer_of(item, response["status"], headers, body, outer_id)
    # The batch as a whole may say what its items leave out.
    return Said(answer if answer.used is not None else replace(answer, used=used), body)
