"""Queue and timer triggers of the toy app."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from azure.storage.queue import QueueClient

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
