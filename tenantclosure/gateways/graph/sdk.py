"""msgraph-sdk on our connections and tokens: it builds requests and sends them, we judge the answers.

Three of its own pieces are left out on purpose. Its client factory retries inside the call (one retry layer is the
rule). Its azure-identity provider refuses hosts it does not know, so also a loopback Graph. And its models: `Entity`
looks up 2,000 classes for every object it parses, 3 to 5 ms a user, so each listing of 10,000 users would block the
event loop for half a minute. kiota's ResponseHandlerOption hands out the answer as it came, in which words that the
SDK's enums do not know survive as well.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpx
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.request_information import RequestInformation
from kiota_abstractions.response_handler import ResponseHandler
from kiota_http.httpx_request_adapter import HttpxRequestAdapter
from kiota_http.middleware.options import ResponseHandlerOption

from tenantclosure.errors import ServiceTrouble
from tenantclosure.gateways.http import Reply, TokenGiver, no_answer, read

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # as in `reach`
    from msgraph.graph_service_client import GraphServiceClient


class Bearer:
    """Puts our token on a request of the SDK, but only towards our Graph (kiota's AuthenticationProvider)."""

    def __init__(self, base_url: str, tokens: TokenGiver) -> None:
        self._base_url, self._tokens = base_url, tokens
        self.sent = ""
        """The token given last; the one to forget after a 401."""

    async def authenticate_request(
        self, request: RequestInformation, additional_authentication_context: dict[str, Any] | None = None
    ) -> None:
        """Add the Authorization header. A claims challenge in the context asks for a new token first."""
        if not stays(request.url, self._base_url):
            raise ServiceTrouble("a link left our Graph; no token goes there")
        if additional_authentication_context and self.sent:
            self._tokens.forget(self.sent)
        self.sent = await self._tokens.get()
        request.headers.remove("Authorization")
        request.headers.add("Authorization", f"Bearer {self.sent}")

    def refused(self) -> None:
        """Forget the token given last."""
        self._tokens.forget(self.sent)


class AsItCame(ResponseHandler):
    """Hands the HTTP answer out unparsed (kiota's ResponseHandler)."""

    async def handle_response_async(self, response: httpx.Response, error_map: Any) -> httpx.Response:
        """Return the answer itself, whatever its status."""
        return response


AS_IT_CAME = ResponseHandlerOption(AsItCame())


@dataclass
class Query:
    """OData options of any listing or object, by the names kiota's URL templates use."""

    select: list[str] | None = None
    top: int | None = None

    def get_query_parameter(self, name: str) -> str:
        """Kiota's hook: the option's name on the wire, percent-encoded as in the templates."""
        return f"%24{name}"


def new_sdk(http: httpx.AsyncClient, base_url: str, tokens: TokenGiver) -> GraphServiceClient:
    """A GraphServiceClient without middleware: one call is one request."""
    adapter = HttpxRequestAdapter(Bearer(base_url, tokens), http_client=http)
    adapter.base_url = base_url
    return GraphServiceClient(request_adapter=adapter)


def reach[T](client: GraphServiceClient, path: Callable[[GraphServiceClient], T]) -> T:
    """A request builder of the SDK. Its generated modules load here, and warn of classes that nobody uses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return path(client)


def stays(link: str, base_url: str) -> bool:
    """Whether a link leads to the same scheme, host, port and API version as ours."""
    try:
        there, here = httpx.URL(link), httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError):
        return False
    same = (there.scheme, there.host, there.port, there.userinfo) == (here.scheme, here.host, here.port, b"")
    return same and there.path.startswith(here.path + "/")


async def ask(client: GraphServiceClient, builder: Any, select: Iterable[str] = (), top: int | None = None) -> Reply:
    """GET what a request builder points at; a 401 is tried once more with a fresh token.

    Returns every answer below 500 but 429; the caller judges 4xx. Raises Throttled and ServiceTrouble like
    `gateways.http.Caller`.
    """
    options = RequestConfiguration(query_parameters=Query(list(select) or None, top), options=[AS_IT_CAME])
    reply = await _once(builder, options)
    if reply.status == 401:
        client.request_adapter._authentication_provider.refused()  # our Bearer, see new_sdk
        reply = await _once(builder, options)
    return reply


async def _once(builder: Any, options: RequestConfiguration[Any]) -> Reply:
    try:
        response = await builder.get(options)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise no_answer("Graph", error) from error
    return read(response, f"GET {response.request.url.path}")
