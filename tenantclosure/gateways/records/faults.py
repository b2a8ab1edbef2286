"""What went wrong in storage, in our words, and the one place where a call is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tenantclosure.errors import ClosureError, RecordConflict, RecordMissing, ServiceTrouble, Throttled

PAUSES = (0.2, 1.0)
"""Seconds before the second and the third try; longer waits belong to durable timers."""

CONFLICTS = frozenset(
    {
        "EntityAlreadyExists",
        "UpdateConditionNotSatisfied",
        "ConditionNotMet",
        "TargetConditionNotMet",
        "AppendPositionConditionNotMet",
        "BlobAlreadyExists",
        "InvalidBlobType",
    }
)
MISSING = frozenset({"BlobNotFound", "ResourceNotFound", "EntityNotFound"})
FULL = frozenset({"BlockCountExceedsLimit", "EntityTooLarge", "RequestBodyTooLarge", "PropertyValueTooLarge"})


class RecordTooLarge(ClosureError, ValueError):
    """A record is larger than storage can hold; no later try helps. The text names record, size and limit."""


async def reliably[T](
    what: str, send: Callable[[], Awaitable[T]], landed: Callable[[], Awaitable[T | None]] | None = None
) -> T:
    """Call `send` up to three times; its azure.core exceptions leave as ours.

    what: the call in words with the record's name, for the error text ("append to a/b").
    landed: looks whether an earlier try of ours had taken effect although its answer was lost; returns what `send`
        would have returned, or None. It is asked only after a lost answer, because only then a conflict can be with
        ourselves.
    Raises RecordConflict, RecordMissing, RecordTooLarge, Throttled or ServiceTrouble.
    """
    import aiohttp
    from azure.core.exceptions import AzureError

    lost = False
    for pause in (*PAUSES, None):
        try:
            return await send()
        except (AzureError, aiohttp.ClientError, TimeoutError, OSError) as error:
            fault, again = _translated(what, error)
        # Outside the handler: a chained SDK exception would carry the service's raw text into logs.
        if lost and landed is not None and isinstance(fault, RecordConflict | RecordMissing):
            answer = await reliably(what, landed)
            if answer is not None:
                return answer
        if not again or pause is None:
            raise fault
        lost = True
        await asyncio.sleep(pause)
    raise AssertionError("unreachable")


def code_of(error: object) -> str:
    """The service's error code in an SDK exception, or an empty string."""
    code: Any = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or _header(error, "x-ms-error-code") or _code_in_body(error))


def _code_in_body(error: object) -> str:
    # The tables SDK leaves the code of a refused insert in the body, and the table service sends no header for it.
    from azure.core.exceptions import DecodeError
    from azure.core.pipeline.policies import ContentDecodePolicy

    response: Any = getattr(error, "response", None)
    try:
        body = ContentDecodePolicy.deserialize_from_http_generics(response)
        return str(body["odata.error"]["code"])
    except (DecodeError, AttributeError, KeyError, TypeError, ValueError):
        return ""


def _translated(what: str, error: Exception) -> tuple[ClosureError, bool]:
    """Our exception for an SDK's, and whether another try makes sense. Nothing of the SDK's text is taken over."""
    status, code = getattr(error, "status_code", None), code_of(error)
    if status is None:
        return ServiceTrouble(f"Storage did not answer ({type(error).__name__}): {what}."), True
    said = f"storage said {status} {code}".rstrip()
    request = _header(error, "x-ms-request-id")
    text = f"{what}: {said}" + (f", request {request}." if request else ".")
    if code in FULL:
        return RecordTooLarge(text), False
    if status == 412 or (status == 409 and code in CONFLICTS):
        return RecordConflict(text), False
    # A missing container or table is no missing record: taken as one, all records would seem to be gone.
    if status == 404 and code in MISSING:
        return RecordMissing(text), False
    if status == 429:
        return Throttled(text, retry_after=_seconds(_header(error, "retry-after"))), False
    return ServiceTrouble(text), status >= 500 or status == 408


def _header(error: object, name: str) -> str:
    headers: Any = getattr(getattr(error, "response", None), "headers", None) or {}
    return str(headers.get(name, ""))


def _seconds(header: str) -> float:
    return float(header) if header.isdigit() else 10.0
