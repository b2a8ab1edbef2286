"""Recorded histories replay through today's code: a running closure survives the next deployment."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from durabletask import task

import orchestrators
from orchestrators import flow
from tenantclosure.names import Activity
from tests.orchestrators import record
from tests.orchestrators.stepper import replay

FUNCTIONS = {function.__name__: function for function in orchestrators.ORCHESTRATORS}
RECORDED = [
    pytest.param(execution, id=f"{path.stem}-{number}")
    for path in sorted(record.FOLDER.glob("*.json"))
    for number, execution in enumerate(json.loads(path.read_text(encoding="utf-8")))
]


def golden(name: str) -> dict[str, Any]:
    """The first recorded history of an orchestrator."""
    found: list[dict[str, Any]] = json.loads((record.FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found[0]


@pytest.mark.parametrize("recorded", RECORDED)
def test_recorded_history_replays(recorded: dict[str, Any]) -> None:
    """Today's code schedules what the history says, in its order, and ends as it ended."""
    found = replay(FUNCTIONS[recorded["orchestrator"]], recorded)

    assert (recorded["status"], recorded["output"]) == found


def test_every_orchestrator_has_a_recorded_history() -> None:
    """A new orchestrator is recorded before it is released."""
    assert set(FUNCTIONS) == {path.stem for path in record.FOLDER.glob("*.json")}


def test_records_are_small() -> None:
    """The goldens stay readable: all together under 100 kilobytes."""
    assert sum(path.stat().st_size for path in record.FOLDER.glob("*.json")) < 100_000


def test_recording_again_gives_the_same_histories() -> None:
    """Nothing in a recording depends on the moment or the machine, so a difference is a change of the story."""
    first, again = record.record(), record.record()

    assert set(FUNCTIONS) == set(first)
    assert first == again == {name: json.loads(record.render(executions)) for name, executions in first.items()}


def extra(ctx: task.OrchestrationContext, order: dict[str, Any]) -> flow.Flow:
    """A closure with one activity more at its beginning."""
    yield from flow.call(ctx, Activity.CHECK_CONTROL, order)
    return (yield from orchestrators.close_tenant(ctx, order))


def renamed(ctx: task.OrchestrationContext, order: dict[str, Any]) -> flow.Flow:
    """A gate whose first activity has another name."""
    yield from flow.call(ctx, "open_the_gate", order)
    return (yield from flow.call(ctx, Activity.JUDGE_GATE, order))


def fewer(ctx: task.OrchestrationContext, order: dict[str, Any]) -> flow.Flow:
    """A task that is not opened any more."""
    return (yield from orchestrators.await_manual_task(ctx, {**order, "ask": False}))


def activity_for_child(ctx: task.OrchestrationContext, order: dict[str, Any]) -> flow.Flow:
    """A phase that calls an activity where it had started lanes."""
    yield from flow.call(ctx, Activity.WORK_SHARD, order)
    return {}


def timer_for_activity(ctx: task.OrchestrationContext, order: dict[str, Any]) -> flow.Flow:
    """A subscription that waits before it looks."""
    yield from flow.pause(ctx, 1.0)
    return (yield from orchestrators.end_subscription(ctx, order))


def no_wait(ctx: task.OrchestrationContext, order: dict[str, Any]) -> flow.Flow:
    """A lane that works a held shard again without its timer."""
    while order["next"] < order["last"]:
        worked = yield from flow.call(ctx, Activity.WORK_SHARD, order)
        order = {**order, "next": order["next"] + (worked["state"] == "done")}
    return {}


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("close_tenant", extra),
        ("await_gate", renamed),
        ("await_manual_task", fewer),
        ("run_phase", activity_for_child),
        ("end_subscription", timer_for_activity),
        ("run_lane", no_wait),
    ],
)
def test_changed_code_is_reported(name: str, changed: Callable[..., Any]) -> None:
    """Another activity, name, order or kind of step than recorded fails as non-deterministic."""
    status, output = replay(changed, golden(name))

    assert "failed" == status
    assert "NonDeterminismError" in output


def test_swapped_phases_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A phase that moves to another place breaks closures that run."""
    from orchestrators import close_tenant as function

    module = inspect.getmodule(function)
    assert module is not None
    story = list(module.STORY)
    story[0], story[1] = story[1], story[0]
    monkeypatch.setattr(module, "STORY", tuple(story))

    status, output = replay(orchestrators.close_tenant, golden("close_tenant"))

    assert "failed" == status
    assert "NonDeterminismError" in output


def test_changed_result_is_reported() -> None:
    """A history that ends with something else than recorded is seen, though the engine would let it pass."""

    def other(ctx: task.OrchestrationContext, order: dict[str, Any]) -> flow.Flow:
        yield from orchestrators.await_gate(ctx, order)
        return {"state": "vetoed"}

    recorded = golden("await_gate")

    assert (recorded["status"], recorded["output"]) != replay(other, recorded)


def test_readme_says_when_to_record() -> None:
    """The folder explains itself to whoever is about to overwrite it."""
    text = (Path(record.FOLDER) / "README.md").read_text(encoding="utf-8")

    assert "python -m tests.orchestrators.record" in text
    assert "CHANGELOG" in text
