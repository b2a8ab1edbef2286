"""Limits of the stock in-memory backend (server, history, waits) and that ours has none of them."""

import socket
import threading

import grpc
import pytest
from durabletask.client import TaskHubGrpcClient
from durabletask.grpc_options import GrpcChannelOptions
from durabletask.testing.in_memory_backend import InMemoryOrchestrationBackend

from embedded.backend import Backend
from tests.compat.hub import Hub, activity

pytestmark = pytest.mark.slow  # only an upgrade of the engine changes what they show

LARGE = GrpcChannelOptions(max_receive_message_length=2**30, max_send_message_length=2**30)
FIVE_MEGABYTES = "x" * (5 * 1024 * 1024)


def client_of(address: str) -> TaskHubGrpcClient:
    """A client without message limits of its own."""
    return TaskHubGrpcClient(host_address=address, channel_options=LARGE)


def test_stock_server_cannot_choose_a_port() -> None:
    """The stock server given port 0 tells nobody which port it took, and it takes it on every interface."""
    backend = InMemoryOrchestrationBackend(port=0)
    try:
        assert backend.start() == "localhost:0"
    finally:
        backend.stop(0)


def test_our_server_chooses_a_loopback_port() -> None:
    """Ours says which free port it took, on 127.0.0.1."""
    backend = Backend()
    host, port = backend.start().split(":")
    backend.stop(0)

    assert host == "127.0.0.1"
    assert int(port) > 1023


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_stock_server_refuses_messages_over_four_megabytes() -> None:
    """The stock server keeps gRPC's 4 MB cap, whatever the client allows."""
    backend = InMemoryOrchestrationBackend(port=free_port())
    try:
        with client_of(backend.start()) as client, pytest.raises(grpc.RpcError) as caught:
            client.schedule_new_orchestration("o", input=FIVE_MEGABYTES)
    finally:
        backend.stop(0)

    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_our_server_takes_large_messages() -> None:
    """Ours has no message limit in either direction."""
    backend = Backend()
    with client_of(backend.start()) as client:
        client.schedule_new_orchestration("o", input=FIVE_MEGABYTES, instance_id="large")
        state = client.get_orchestration_state("large")
    backend.stop(0)

    assert state is not None
    assert len(FIVE_MEGABYTES) + 2 == len(state.serialized_input or "")


def test_our_server_serves_many_long_waits() -> None:
    """Twenty clients that wait without end do not keep a twenty-first call from being answered (stock: ten do)."""
    backend = Backend()
    address = backend.start()
    with client_of(address) as client:
        client.schedule_new_orchestration("o", instance_id="slow")
        waits = [threading.Thread(target=wait_quietly, args=(address,), daemon=True) for _ in range(20)]
        for wait in waits:
            wait.start()
        while len(backend._state_waiters.get("slow", [])) < 20:
            pass
        state = client.get_orchestration_state("slow")
    backend.stop(0)

    assert state is not None


def wait_quietly(address: str) -> None:
    """Wait for an end that does not come."""
    with client_of(address) as client:
        try:
            client.wait_for_orchestration_completion("slow", timeout=60)
        except Exception:
            return


def test_stock_history_is_capped() -> None:
    """Past its history limit (10000 by default) the stock backend drops an episode: the instance stays stuck."""
    assert InMemoryOrchestrationBackend()._max_history_size == 10000
    hub = Hub(InMemoryOrchestrationBackend(max_history_size=1))
    hub.start("i")

    with pytest.raises(RuntimeError, match="RESOURCE_EXHAUSTED"):
        hub.answer(hub.take(), activity())

    assert hub.take() is None


def test_our_history_is_not_capped(mended: Hub) -> None:
    """Ours allows histories no closure can reach."""
    assert mended.backend._max_history_size >= 10**9


@pytest.mark.parametrize(
    ("backend", "seconds"), [(InMemoryOrchestrationBackend, 30.0), (Backend, threading.TIMEOUT_MAX)]
)
def test_wait_without_deadline(backend: type, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a deadline the stock backend gives up a wait after 30 seconds, ours never."""
    asked: list[float | None] = []
    monkeypatch.setattr(threading.Event, "wait", lambda self, timeout=None: asked.append(timeout))

    backend()._wait_for_state("nobody", lambda instance: True, None)

    assert [seconds] == asked
