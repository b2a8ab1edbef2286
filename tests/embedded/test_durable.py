"""Orchestrations of the toy app, through HTTP, the durable client and the registered handlers."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.azurite


def run(toy: httpx.Client, eventually: Callable[..., Any], name: str, instance: str, given: Any) -> dict[str, Any]:
    """Start an orchestration and wait for its end."""
    assert toy.post(f"/runs/{name}/{instance}", json=given).status_code == 202
    return eventually(lambda: ended(toy, instance))


def ended(toy: httpx.Client, instance: str) -> dict[str, Any] | None:
    """The orchestration's state, once it has ended."""
    state = toy.get(f"/runs/{instance}").json()
    return state if state["status"] not in ("PENDING", "RUNNING") else None


def test_everything_an_orchestration_can_do(toy: httpx.Client, eventually: Callable[..., Any]) -> None:
    """Sync and async activities, a child, a timer, an event raised by the sync client, custom status, its version."""
    toy.post("/runs/explore/all", json={})
    eventually(lambda: toy.get("/runs/all").json()["custom"] == {"waiting": "go"})
    toy.post("/runs/all/events/go", json={"by": "ann"})

    state = eventually(lambda: ended(toy, "all"))
    assert state["output"] == {"sum": 5, "parent": "all", "event": {"by": "ann"}, "version": "1.4"}


def test_fan_out_of_five_hundred(toy: httpx.Client, eventually: Callable[..., Any]) -> None:
    """Five hundred activities come back in a few seconds at most."""
    started = time.monotonic()
    state = run(toy, eventually, "fan_out", "wide", 500)

    assert state["output"] == sum(range(1, 501))
    assert time.monotonic() - started < 10


def test_fan_out_of_children(toy: httpx.Client, eventually: Callable[..., Any]) -> None:
    """A hundred children at once."""
    assert run(toy, eventually, "fan_out_children", "family", 100)["output"] == sum(range(1, 101))


def test_slow_activities_do_not_hold_up_orchestrators(toy: httpx.Client, eventually: Callable[..., Any]) -> None:
    """While every activity slot is taken, another orchestration still starts and waits for its event."""
    toy.post("/runs/crowd/slow", json=64)
    toy.post("/runs/listen/quick", json={})
    eventually(lambda: toy.get("/runs/quick").json()["custom"] == "listening", 2)

    assert toy.get("/runs/slow").json()["status"] == "RUNNING"
    toy.post("/runs/quick/events/go", json=1)
    eventually(lambda: ended(toy, "quick"), 2)
    eventually(lambda: ended(toy, "slow"))


def test_failure_without_text(toy: httpx.Client, eventually: Callable[..., Any]) -> None:
    """An exception without a message is a failure with its type."""
    assert run(toy, eventually, "silent_failure", "silent", {})["output"] == {"failed": "builtins.ValueError"}


def test_entity(toy: httpx.Client, eventually: Callable[..., Any]) -> None:
    """Entities keep their state."""
    assert run(toy, eventually, "count_up", "count-1", {})["output"] == 5
    assert run(toy, eventually, "count_up", "count-2", {})["output"] == 10


def test_unknown_orchestrator_fails(toy: httpx.Client, eventually: Callable[..., Any]) -> None:
    """An orchestration that nobody registered ends as failed instead of waiting for ever."""
    assert run(toy, eventually, "nobody", "unknown", {})["status"] == "FAILED"


def test_finished_id_may_be_used_again(toy: httpx.Client, eventually: Callable[..., Any]) -> None:
    """The same instance id runs a second time after its end."""
    assert run(toy, eventually, "fan_out", "twice", 2)["output"] == 3
    assert run(toy, eventually, "fan_out", "twice", 3)["output"] == 6
