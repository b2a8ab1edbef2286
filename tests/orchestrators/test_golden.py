"""Recorded histories replay through today's code: a running closure survives the next deployment."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from durabletask import task

import orchestrators
from orchestrators import flow
from orchestrators.metering import metered
from tenantclosure.names import Activity
from tests.orchestrators import record
from tests.orchestrators.stepper import VERSION, Stepper, replay
from tests.orchestrators.tenant import ORDER, ROOT, Tenant

FUNCTIONS = {function.__name__: function for function in orchestrators.ORCHESTRATORS}
FOLDERS = sorted(path for path in record.GOLDEN.iterdir() if path.is_dir())
NEWEST = record.GOLDEN / VERSION
STARTS = ("executionStarted", "subOrchestrationInstanceCreated")
RECORDED = [
    pytest.param(execution, id=f"{folder.name}-{path.stem}-{number}")
    for folder in FOLDERS
    for path in record.histories(folder)
    for number, execution in enumerate(json.loads(path.read_text(encoding="utf-8")))
]


def golden(name: str, folder: Path = NEWEST) -> dict[str, Any]:
    """The first history of an orchestrator in a version, the newest unless told otherwise."""
    found: list[dict[str, Any]] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return found[0]


@pytest.mark.parametrize("recorded", RECORDED)
def test_recorded_history_replays(recorded: dict[str, Any]) -> None:
    """Today's code schedules what the history says, in its order, and ends as it ended."""
    found = replay(FUNCTIONS[recorded["orchestrator"]], recorded)

    assert (recorded["status"], recorded["output"]) == found


def test_every_orchestrator_has_a_recorded_history() -> None:
    """A new orchestrator is recorded before it is released."""
    assert set(FUNCTIONS) == {path.stem for path in record.histories(NEWEST)}


def test_records_are_small() -> None:
    """The goldens stay readable: each version's all together under 100 kilobytes."""
    for folder in FOLDERS:
        assert sum(path.stat().st_size for path in record.histories(folder)) < 100_000


@pytest.mark.slow
def test_recording_again_gives_the_same_histories() -> None:
    """Nothing in a recording depends on the moment or the machine, so a difference is a change of the story."""
    first, again = record.record(), record.record()

    assert set(FUNCTIONS) == set(first)
    assert first == again == {name: json.loads(record.render(executions)) for name, executions in first.items()}


# -- versions ---------------------------------------------------------------------------------------------------------
def numbers(version: str) -> tuple[int, ...]:
    """A version as it is compared."""
    return tuple(map(int, version.split(".")))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_histories_are_as_their_manifest_says(folder: Path) -> None:
    """A golden that was recorded again, edited, added or taken away shows, above all one of a released version."""
    assert record.manifest(folder)["files"] == record.hashes(folder)


def test_a_released_version_is_not_recorded_again(tmp_path: Path) -> None:
    """The recorder leaves a released folder as it is, and writes an unreleased one anew, whole."""
    folder = tmp_path / "1.0"
    record.write(folder, {"await_gate": [golden("await_gate")], "gone": []})
    record.write(folder, {"await_gate": [golden("await_gate")]})
    assert ["await_gate.json"] == [path.name for path in record.histories(folder)]
    told = {**record.manifest(folder), "released": True}
    (folder / record.MANIFEST).write_text(json.dumps(told), encoding="utf-8")
    before = record.hashes(folder)
    with pytest.raises(record.Released, match="docs/versions.md"):
        record.write(folder, {"await_gate": []})
    assert before == record.hashes(folder)


def test_new_instances_get_the_newest_version() -> None:
    """`host.json` names the newest folder, and takes instances of that version and of older ones."""
    durable = json.loads((record.GOLDEN.parents[2] / "host.json").read_text(encoding="utf-8"))["extensions"][
        "durableTask"
    ]
    assert max((folder.name for folder in FOLDERS), key=numbers) == durable["defaultVersion"]
    assert ("CurrentOrOlder", "Reject") == (durable["versionMatchStrategy"], durable["versionFailureStrategy"])


def test_what_is_released_agrees_with_the_changelog() -> None:
    """As soon as the changelog has a release, histories are released; only the newest version's may still change."""
    changelog = (record.GOLDEN.parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")
    released = [folder for folder in FOLDERS if record.manifest(folder)["released"]]
    assert bool(re.search(r"^## \[\d", changelog, re.MULTILINE)) is bool(released)
    assert not {folder for folder in FOLDERS if folder != NEWEST} - set(released)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_histories_carry_their_version(folder: Path) -> None:
    """Every instance of a version's recording, children too, was started in that version."""
    for path in record.histories(folder):
        for recorded in json.loads(path.read_text(encoding="utf-8")):
            events = [event[kind] for kind in STARTS for event in recorded["history"] if kind in event]
            assert {folder.name} == {event["version"] for event in events}


def test_children_have_their_parents_version() -> None:
    """A parent from before a deployment starts children of its own version: both take the old way, or both the new."""
    tenant = Tenant(shards={"users": (2, 1)}, subscriptions={"sub-1": "self-service"})
    stepper = tenant.stepper()
    stepper.start("close_tenant", ORDER, ROOT, version="0.9")
    stepper.run()
    found = {instance.name for instance in stepper.instances.values()}
    assert set(FUNCTIONS) - {"await_manual_task", "end_subscriptions"} <= found
    assert {"0.9"} == {instance.version for instance in stepper.instances.values()}


def branching(ctx: task.OrchestrationContext, order: dict[str, Any]) -> flow.Flow:
    """A gate as docs/versions.md changes it: from version 1.1 on it looks at the control first."""
    if ctx.version not in (None, "1.0"):
        yield from flow.call(ctx, Activity.CHECK_CONTROL, order)
    return (yield from orchestrators.await_gate(ctx, order))


def test_a_branch_on_the_version_keeps_old_histories() -> None:
    """The released history replays through the changed story, and a new instance takes the new way."""
    recorded = golden("await_gate", record.GOLDEN / "1.0")
    assert (recorded["status"], recorded["output"]) == replay(metered(branching), recorded)

    stepper = Stepper([metered(branching)], Tenant().activities)
    instance = stepper.start("branching", {**ORDER, "gate": "plan", "serial": 1}, version="1.1")
    stepper.run()
    assert ("completed", "check_control") == (instance.status, stepper.names()[0])


# -- changes are seen -------------------------------------------------------------------------------------------------
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
    status, output = replay(metered(changed), golden(name))

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

    status, output = replay(metered(orchestrators.close_tenant), golden("close_tenant"))

    assert "failed" == status
    assert "NonDeterminismError" in output


def test_changed_result_is_reported() -> None:
    """A history that ends with something else than recorded is seen, though the engine would let it pass."""

    def other(ctx: task.OrchestrationContext, order: dict[str, Any]) -> flow.Flow:
        yield from orchestrators.await_gate(ctx, order)
        return {"state": "vetoed"}

    recorded = golden("await_gate")

    assert (recorded["status"], recorded["output"]) != replay(metered(other), recorded)


def test_readme_says_when_to_record() -> None:
    """The folder explains itself to whoever is about to overwrite it."""
    text = (record.GOLDEN / "README.md").read_text(encoding="utf-8")

    assert "python -m tests.orchestrators.record" in text
    assert "CHANGELOG" in text
