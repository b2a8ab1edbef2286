"""The wire manners of Azure Resource Manager and Partner Center: who calls, how an error looks, what is missing."""

import json
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from simulator.world import GraphError, Tenant, World

type Handler = Callable[[web.Request, World, Tenant], Awaitable[web.StreamResponse]]


class ArmError(Exception):
    """An error of Azure Resource Manager: `{"error": {"code", "message"}}`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def answer(self, ids: dict[str, str]) -> web.Response:
        """The error as a response."""
        body = {"error": {"code": self.code, "message": self.message}}
        return web.json_response(body, status=self.status, headers=ids)


class PartnerError(Exception):
    """An error of Partner Center: `{"code", "description", "data", "source"}` (Partner Center REST error codes)."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(description)
        self.status, self.code, self.description = status, code, description

    def answer(self, ids: dict[str, str]) -> web.Response:
        """The error as a response."""
        body = {"code": self.code, "description": self.description, "data": [], "source": "PartnerApiServiceCore"}
        return web.json_response(body, status=self.status, headers=ids)


def stamp(moment: datetime | None) -> str | None:
    """A moment as both APIs write it: UTC with microseconds, so that shortened days stay distinguishable."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def json_object(request: web.Request) -> dict[str, Any] | None:
    """The request's body as an object, or None when it is anything else."""
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def arm(world: World, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Wrap an ARM handler: api-version, token, error shape and request ids."""

    async def handle(request: web.Request) -> web.StreamResponse:
        ids = {"x-ms-request-id": str(uuid.uuid4())}
        _count(world, request)
        try:
            if "api-version" not in request.query:
                message = "The api-version query parameter (?api-version=) is required for all requests."
                raise ArmError(400, "MissingApiVersionParameter", message)
            response = await handler(request, world, _tenant(world, request))
        except _NoTokenError as error:
            code = "AuthenticationFailed"
            return ArmError(401, code, str(error)).answer(ids | {"WWW-Authenticate": "Bearer"})
        except ArmError as error:
            return error.answer(ids)
        response.headers.update(ids)
        return response

    return handle


def partner(world: World, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Wrap a Partner Center handler: only the partner's token counts (subscription-facts 4)."""

    async def handle(request: web.Request) -> web.StreamResponse:
        ids = {
            "MS-RequestId": request.headers.get("MS-RequestId") or str(uuid.uuid4()),
            "MS-CorrelationId": request.headers.get("MS-CorrelationId") or str(uuid.uuid4()),
        }
        _count(world, request)
        try:
            tenant = _tenant(world, request)
            if tenant is not world.partner:
                raise PartnerError(403, "1000", "The caller is not a Partner Center partner.")
            if not world.roles.partner:
                raise PartnerError(403, "1000", "Access denied: the caller has no role at this partner.")
            response = await handler(request, world, tenant)
        except _NoTokenError as error:
            headers = ids | {"WWW-Authenticate": "OAuth realm=urn:cpsvc:cpid:simulator"}
            return PartnerError(401, "401", str(error)).answer(headers)
        except PartnerError as error:
            return error.answer(ids)
        response.headers.update(ids)
        return response

    return handle


def origin(request: web.Request) -> str:
    """Our own address as the caller knows it, for links back to us."""
    return f"{request.scheme}://{request.host}"


def retry_after(world: World) -> int:
    """Seconds between polls: the specs' examples say 10; with shortened days one second keeps a rehearsal short."""
    return 10 if world.options.day_seconds >= 3600 else 1


def require_role(held: bool, request: web.Request) -> None:
    """403 `AuthorizationFailed` where our app lacks the role that a call needs."""
    if not held:
        action = "write" if request.method != "GET" else "read"
        message = f"The client does not have authorization to perform action '{action}' over scope '{request.path}'."
        raise ArmError(403, "AuthorizationFailed", message)


def _count(world: World, request: web.Request) -> None:
    if request.method not in ("GET", "HEAD"):
        world.score.sellers_write(request.method, request.path)


class _NoTokenError(Exception):
    """The bearer token is missing or no good."""


def _tenant(world: World, request: web.Request) -> Tenant:
    try:
        tenant = world.tenant_for(request)
    except GraphError as error:
        raise _NoTokenError(error.message) from None
    if tenant.gone:
        raise _NoTokenError(f"The tenant {tenant.id} does not exist.")
    return tenant
