"""Queue and timer triggers of the toy app."""

import asyncio
import base64
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from azure.storage.queue import QueueClient

from embedded import timers
from embedded.loading import Function, HostSettings
from embedded.queues import QueuePoller
from tests.chaos.proxy import Loop, Proxy, Spoil

pytestmark = pytest.mark.azurite


@pytest.fixture
def queues(toy: httpx.Client) -> Iterator[Callable[[str], QueueClient]]:
    """Clients of queues in the host's storage."""
    storage, made = toy.get("/seen").json()["storage"], []

    def client(name: str) -> QueueClient:
        made.append(QueueClient.from_connection_string(storage, name))
        return made[-1]

    yield client
    for queue in made:
        queue.close()


def encoded(text: str) -> str:
    """As host.json's default messageEncoding wants it."""
    return base64.b64encode(text.encode()).decode()


def test_message_is_handled_and_deleted(
    toy: httpx.Client, queues: Callable[[str], QueueClient], eventually: Callable[..., Any]
) -> None:
    """A message reaches the function decoded, and is gone afterwards."""
    queues("toys").send_message(encoded("a doll"))

    eventually(lambda: "a doll" in toy.get("/seen").json()["queue"])
    eventually(lambda: queues("toys").get_queue_properties().approximate_message_count == 0)


def test_failing_message_is_tried_and_buried(
    toy: httpx.Client, queues: Callable[[str], QueueClient], eventually: Callable[..., Any]
) -> None:
    """After maxDequeueCount attempts (3 in the toy's host.json) the message is in the poison queue as it was."""
    queues("toys").send_message(encoded("bad"))

    eventually(lambda: encoded("bad") in buried(queues))
    assert toy.get("/seen").json()["queue"].count("bad") == 3


def test_unreadable_message_is_buried_at_once(
    queues: Callable[[str], QueueClient], eventually: Callable[..., Any]
) -> None:
    """What is not base64 never reaches the function."""
    queues("toys").send_message("not base64!")

    eventually(lambda: "not base64!" in buried(queues))


class Heard:
    """What the poller calls in place of a function."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def call(self, function: Function, value: Any) -> None:
        self.bodies.append(value.get_body())


async def test_storage_that_refuses_at_the_start_is_asked_again(azurite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that starts while storage lets nobody in reads its queues as soon as it does."""
    far = next(part.partition("=")[2] for part in azurite.split(";") if part.startswith("QueueEndpoint="))
    loop, heard = Loop(), Heard()
    proxy = Proxy(loop, urlsplit(far).port or 0)
    proxy.spoils.append(Spoil("status", "^PUT /devstoreaccount1/late", status=403, code="AuthenticationFailed"))
    monkeypatch.setenv("LATE_STORAGE", azurite.replace(f":{proxy.far}/", f":{proxy.port}/"))
    trigger = {"queueName": "late", "connection": "LATE_STORAGE"}
    function = Function("late", print, "queueTrigger", "message", trigger, (), "late")
    poller = asyncio.create_task(QueuePoller(function, HostSettings(), heard).run())  # type: ignore[arg-type]
    with QueueClient.from_connection_string(azurite, "late") as queue:
        queue.create_queue()
        queue.send_message(encoded("a doll"))
        for _ in range(100):
            if heard.bodies:
                break
            await asyncio.sleep(0.1)
    poller.cancel()
    await asyncio.gather(poller, return_exceptions=True)
    proxy.close()
    loop.close()

    assert {"status 403": 1} == proxy.hits
    assert [b"a doll"] == heard.bodies


def buried(queues: Callable[[str], QueueClient]) -> list[str]:
    """What lies in the poison queue."""
    try:
        return [message.content for message in queues("toys-poison").peek_messages(32)]
    except Exception:
        return []


def test_timer_runs_at_start_and_on_schedule(toy: httpx.Client, eventually: Callable[..., Any]) -> None:
    """The first run is past due, the later ones are not."""
    runs = eventually(lambda: len(seen := toy.get("/seen").json()["timer"]) >= 2 and seen)

    assert runs[:2] == [True, False]


async def test_a_start_that_fails_is_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was due while the host was down is not put off for a whole interval because storage comes up late."""
    monkeypatch.setattr(timers, "FIRST_NAPS_SECONDS", (0.0, 0.0, 0.0))
    calls: list[bool] = []

    class Late:
        async def call(self, _: Any, request: Any) -> None:
            calls.append(request.past_due)
            if len(calls) < 3:
                raise ConnectionError("storage is not there yet")

    function = SimpleNamespace(name="sweep", trigger={"schedule": "01:00:00"})
    running = asyncio.create_task(timers.Timer(function, Late()).run())  # type: ignore[arg-type]  # what it uses of them
    await asyncio.sleep(0.05)
    running.cancel()

    assert [True, True, True] == calls
