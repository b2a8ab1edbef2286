"""The proxy does to the traffic what it says, and counts it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tests.chaos.proxy import Broken, Loop, Proxy, Request, Spoil

pytestmark = pytest.mark.slow


class Far:
    """A small service that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                asked.append(f"{self.path} {body}")
                self.send_response(200)
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"done")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def far() -> Iterator[Far]:
    far = Far()
    yield far
    far.server.shutdown()
    far.server.server_close()


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def proxy(far: Far, loop: Loop) -> Iterator[Proxy]:
    proxy = Proxy(loop, far.server.server_address[1])
    yield proxy
    proxy.close()


@pytest.fixture
def web(proxy: Proxy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{proxy.port}", timeout=5) as client:
        yield client


def post(web: httpx.Client, path: str = "/table", body: str = "row") -> str:
    """The answer, or the kind of trouble."""
    try:
        answer = web.post(path, content=body)
    except httpx.TransportError as error:
        return type(error).__name__
    return answer.text if answer.is_success else f"{answer.status_code} {answer.headers.get('Retry-After', '')}".strip()


def test_passes_on_what_is_not_spoiled(proxy: Proxy, web: httpx.Client, far: Far) -> None:
    """Without orders it is not there: several requests on one connection, bodies and answers unchanged."""
    assert ["done", "done"] == [post(web, body="a" * 200_000), post(web)]
    assert [f"/table {'a' * 200_000}", "/table row"] == far.asked
    assert {} == proxy.hits


def test_spoils_the_requests_that_fit(proxy: Proxy, web: httpx.Client, far: Far) -> None:
    """By first line or body, so many times: answered in the service's place, broken off, done but lost, or late."""
    proxy.spoils += [
        Spoil("status", "/full", status=507, times=2),
        Spoil("status", "RowKey.*9", status=503, retry_after="1"),
        Spoil("reset", "/broken"),
        Spoil("lose", "/lost"),
        Spoil("slow", "/slow", seconds=0.3),
    ]
    full = [post(web, "/full") for _ in range(3)]
    assert ["507", "507", "done"] == full
    assert ["503 1", "done"] == [post(web, body="RowKey: 9"), post(web, body="RowKey: 9")]
    assert ["done"] == [text for text in (post(web, "/broken"), post(web, "/broken")) if not text.endswith("Error")]
    before = len(far.asked)
    assert post(web, "/lost").endswith("Error")
    assert 1 == len(far.asked) - before
    begin = time.monotonic()
    assert "done" == post(web, "/slow")
    assert time.monotonic() - begin >= 0.3
    assert {"status 507": 2, "status 503": 1, "reset": 1, "lose": 1, "slow": 1} == proxy.hits


def test_words_errors_as_storage_does(proxy: Proxy, web: httpx.Client) -> None:
    """A table that was asked for JSON says the code there; blobs and queues say it in XML; both in a header."""
    proxy.spoils.append(Spoil("status", "", status=412, code="ConditionNotMet", times=2))
    table = web.post("/", headers={"Accept": "application/json;odata=minimalmetadata"})
    blob = web.post("/", headers={"Accept": "application/xml"})

    assert "ConditionNotMet" == table.json()["odata.error"]["code"]
    assert "<Code>ConditionNotMet</Code>" in blob.text
    assert ["ConditionNotMet"] * 2 == [answer.headers["x-ms-error-code"] for answer in (table, blob)]


def test_refuses_for_a_while(proxy: Proxy, loop: Loop, web: httpx.Client) -> None:
    """Nobody listens, then the same port answers again."""
    assert "done" == post(web)

    async def refuse() -> None:
        proxy.refuse(0.4)

    loop.run(refuse())
    time.sleep(0.1)
    with httpx.Client(base_url=web.base_url) as other, pytest.raises(httpx.ConnectError):
        other.get("/")
    time.sleep(0.5)
    assert "done" == post(web)


def test_hangs_for_a_while(proxy: Proxy, loop: Loop, far: Far, web: httpx.Client) -> None:
    """Half-open: the connection is taken, nothing comes, nothing is passed on, and at the end it breaks."""

    async def hang() -> None:
        proxy.hang(0.4)

    loop.run(hang())
    begin = time.monotonic()
    assert post(web).endswith("Error")
    assert 0.3 <= time.monotonic() - begin <= 3
    assert [] == far.asked
    assert "done" == post(web)


def test_watch_strikes_before_or_after(proxy: Proxy, far: Far, web: httpx.Client) -> None:
    """A watcher breaks a request off before it is done, or gets word once it is done and its answer is lost."""
    done: list[str] = []

    def watch(request: Request):  # type: ignore[no-untyped-def]  # what `watch` is declared as
        if "before" in request.line:
            raise Broken
        return (lambda: done.append("/".join(far.asked))) if "after" in request.line else None

    proxy.watch = watch
    assert post(web, "/before").endswith("Error")
    assert [] == far.asked
    assert post(web, "/after").endswith("Error")
    assert ["/after row"] == done
    assert "done" == post(web)
