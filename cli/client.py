"""Calls the HTTP API; answers are JSON values, refusals are errors with an exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import quote

import httpx

from cli.errors import BadInput, CliError, Unreachable
from cli.output import plain
from cli.server import Connection

TIMEOUT = httpx.Timeout(60.0, connect=5.0)
AWAY = frozenset({429, 502, 503, 504})
"""Answers that mean: nobody is home just now."""


def closure_path(closure: str, *rest: str) -> str:
    """Path of a closure, or of something under it; ids are quoted, so none can point elsewhere."""
    return "/".join(["/api/closures", *(quote(part, safe="") for part in (closure, *rest))])


def preflight_path(tenant: str) -> str:
    """Path of a tenant's preflight."""
    return f"/api/preflight/{quote(tenant, safe='')}"


class Api:
    """One server as one person sees it. Raises BadInput, Unreachable or CliError; no redirect is followed."""

    def __init__(self, connection: Connection) -> None:
        self.url = connection.url
        # A proxy must never see the development identity, so the environment's is not used on loopback.
        self._http = httpx.Client(
            base_url=connection.url,
            headers={"Accept": "application/json", **connection.headers},
            timeout=TIMEOUT,
            trust_env=not connection.loopback,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **query: str) -> Any:
        """GET a JSON document."""
        with self._answer("GET", path, params=query or None) as response:
            return _document(response, self.url)

    def post(self, path: str, body: dict[str, Any], *, headers: dict[str, str] | None = None) -> Any:
        """POST a JSON document; the answer's document, or {} when it has none."""
        with self._answer("POST", path, json=body, headers=headers) as response:
            return _document(response, self.url) if response.read() else {}

    def pages(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """GET a paged document, page after page as its `next` says; only addresses on this server are followed."""
        page = self.get(path, **query)
        while isinstance(page, dict):
            yield page
            following = page.get("next")
            if not isinstance(following, str) or not following.startswith("/api/"):
                return
            page = self.get(following)

    def parts(self, path: str, **query: str) -> Iterator[bytes]:
        """GET something large that may come in several files, as one: each begins with the same line of names."""
        with self.stream(path, **query) as answer:
            yield from answer.iter_bytes()
            following = _next(answer)
        while following.startswith("/api/"):
            with self.stream(following) as answer:
                yield from _after_first_line(answer.iter_bytes())
                following = _next(answer)

    @contextmanager
    def stream(self, path: str, **query: str) -> Iterator[httpx.Response]:
        """GET something large; the caller reads it while the block is open."""
        with self._answer("GET", path, params=query or None, headers={"Accept": "*/*"}) as response:
            yield response

    @contextmanager
    def _answer(self, method: str, path: str, **arguments: Any) -> Iterator[httpx.Response]:
        try:
            with self._http.stream(method, path, **arguments) as response:
                if response.status_code >= 300:
                    response.read()
                    raise refusal(response, self.url)
                yield response
        except (httpx.TransportError, httpx.InvalidURL) as error:
            why = str(error) or type(error).__name__
            raise Unreachable(
                f"Cannot reach {self.url} ({why}): start it with `closure serve`, or name another with --server."
            ) from None


def _next(response: httpx.Response) -> str:
    """Where the header Link says that it goes on; empty at the end."""
    return str(response.links.get("next", {}).get("url", ""))


def _after_first_line(chunks: Iterator[bytes]) -> Iterator[bytes]:
    head = b""
    for chunk in chunks:
        head += chunk
        _, newline, rest = head.partition(b"\n")
        if newline:
            yield rest
            yield from chunks
            return


def refusal(response: httpx.Response, url: str) -> CliError:
    """The error an answer stands for: the problem document's field, detail and remedy in one sentence."""
    try:
        document = response.json()
    except ValueError:
        document = None
    problem = document if isinstance(document, dict) else {}
    status = response.status_code
    detail = plain(problem.get("detail") or problem.get("title") or f"The server answered {status}.")
    if status in AWAY:
        return Unreachable(f"{url} can't answer now ({status}): {detail}")
    if status < 400:
        return Unreachable(f"{url} redirects elsewhere ({status}): name the API's own address with --server.")
    if status >= 500 and status != 501:
        return CliError(f"The server has a fault ({status}): {detail}")
    if not problem:
        if status == 404:
            return Unreachable(f"{url} does not know this route: it is not a Tenant Closure server.")
        problem = {"type": "about:blank", "status": status, "detail": detail}
    return BadInput(plain(problem.get("field")), detail, plain(problem.get("remedy") or _remedy(status)), problem)


def _remedy(status: int) -> str:
    if status == 401:
        return "Sign in: put a bearer token into CLOSURE_TOKEN, or use --as on loopback."
    if status == 403:
        return "Ask someone who has the role for it."
    if status == 404:
        return "See `closure list`."
    return ""


def _document(response: httpx.Response, url: str) -> Any:
    response.read()
    try:
        return json.loads(response.content)
    except ValueError:
        raise Unreachable(f"{url} did not answer in JSON: it is not a Tenant Closure server.") from None
