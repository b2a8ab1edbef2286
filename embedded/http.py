"""Serves the app's HTTP triggers on the loopback interface."""

import json
import logging
import socket
from http import HTTPStatus
from typing import Any

from aiohttp import web
from azure.functions import HttpResponse
from azure.functions.http import HttpRequest
from multidict import CIMultiDict

from embedded import identity
from embedded.errors import EmbeddedError
from embedded.invocation import Invoker
from embedded.loading import App
from embedded.routes import RouteTable
from embedded.signin import PREFIX, SignIn

BODY_LIMIT = 100 * 1024 * 1024  # as in Functions
LOOPBACK = "127.0.0.1"
logger = logging.getLogger(__name__)


def listen(port: int) -> socket.socket:
    """Take the port before anything slow starts; 0 lets the system choose."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise EmbeddedError(
            f"Port {port} cannot be used ({getattr(error, 'strerror', None) or error}); choose another with --port."
        ) from error
    return listener


def problem(status: HTTPStatus, detail: str, **headers: str) -> web.Response:
    """An answer of the host itself, as problem details (RFC 9457)."""
    document = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    return web.Response(
        status=status, text=json.dumps(document), content_type="application/problem+json", headers=headers
    )


def to_function_request(
    request: web.Request, headers: dict[str, str], values: dict[str, str], body: bytes
) -> HttpRequest:
    """The request as the Python worker hands it to the function."""
    query: dict[str, str] = {}
    for name, value in request.query.items():  # the Functions host joins repeated names with commas
        query[name] = f"{query[name]},{value}" if name in query else value
    return HttpRequest(
        method=request.method,
        url=str(request.url),
        headers=headers,
        params=query,
        route_params=values,
        body_type="bytes",
        body=body,
    )


def to_web_response(result: Any) -> web.Response:
    """What Azure makes of a function's result: other than Set-Cookie, the last of repeated headers wins."""
    if result is None:
        return web.Response(status=HTTPStatus.NO_CONTENT)
    if not isinstance(result, HttpResponse):
        result = HttpResponse(str(result))
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in result.headers.items():
        if name.lower() == "set-cookie":
            headers.add(name, value)
        else:
            headers[name] = value
    if "content-type" not in headers:
        text = result.mimetype.startswith("text/")
        headers["Content-Type"] = f"{result.mimetype}; charset={result.charset}" if text else result.mimetype
    headers.popall("Content-Length", None)
    return web.Response(status=result.status_code, body=result.get_body(), headers=headers)


class HttpServer:
    """One server for one app; its functions run through the invoker, on the same event loop."""

    def __init__(self, app: App, invoker: Invoker, listener: socket.socket, sign_in: SignIn) -> None:
        self._routes = RouteTable(app.of_kind("httpTrigger"), app.settings.route_prefix)
        self._invoker, self._listener, self._sign_in = invoker, listener, sign_in
        self._port: int = listener.getsockname()[1]
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Answer requests on the listener."""
        application = web.Application(client_max_size=BODY_LIMIT)
        # Not `.*`: a path may hold a line break (%0A), and what stands at it is for the app to say.
        application.router.add_route("*", r"/{path:[\s\S]*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=3)
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()

    async def stop(self) -> None:
        """Finish what is being answered, for a few seconds, and close."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if not identity.is_own(request.headers.get("Host", ""), request.headers.get("Origin"), self._port):
            return problem(
                HTTPStatus.FORBIDDEN,
                "The local host answers only requests made to itself: "
                f"use http://{LOOPBACK}:{self._port} and no other origin.",
            )
        if request.path.startswith(PREFIX) and (answer := await self._sign_in.answer(request)) is not None:
            return answer
        try:
            headers = identity.signed_in(request.headers.items(), self._sign_in.principal(request), request.remote)
        except identity.BadPrincipalError as error:
            return problem(HTTPStatus.BAD_REQUEST, f"X-Dev-Principal: {error}")
        match = self._routes.find(request.method, request.rel_url.raw_path)
        if match.function is None and match.allowed:
            return problem(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"{request.method} is not allowed here.",
                Allow=", ".join(sorted(match.allowed)),
            )
        if match.function is None:
            return problem(HTTPStatus.NOT_FOUND, "There is nothing at this address.")
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body may have at most {BODY_LIMIT} bytes.")
        try:
            result = await self._invoker.call(match.function, to_function_request(request, headers, match.values, body))
            return to_web_response(result)
        except Exception:
            # The Functions host tells the caller nothing either.
            logger.exception("The function %s failed.", match.function.name)
            return web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)
