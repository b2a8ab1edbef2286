"""Every orchestration and every activity, once each through Azure's own Python worker."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from durabletask.internal import orchestrator_service_pb2 as pb
from google.protobuf import json_format

import orchestrators
from tenantclosure.errors import ServiceTrouble
from tenantclosure.names import Activity
from tests.activities.rig import Rig
from tests.activities.undoing import wanted
from tests.orchestrators.record import GOLDEN, histories, play
from tests.orchestrators.stepper import VERSION, WORDS
from tests.worker.worker import Failed, Worker

RECORDED = {path.stem: json.loads(path.read_text("utf-8"))[0] for path in histories(GOLDEN / VERSION)}


WAY = (
    *("read_progress", "begin_phase", "check_preflight", "survey_family", "freeze_plan", "open_gate", "judge_gate"),
    *("freeze_sign_ups", "turn_off_sync", "list_subscriptions", "advance_subscription"),
    *("open_wave", "share_quota", "work_shard", "confirm_wave", "review_refused", "turn_off_mfa", "disable_refused"),
    *("check_readiness", "open_task", "probe_task", "check_control", "hand_over", "delete_directory"),
    *("undo_freeze", "begin_rollback", "plan_rollback", "finish_rollback"),
    *("replan", "end_phase", "end_closure", "write_report"),
)
"""Every activity, in an order in which a closure could meet them."""
RAILS = {
    "advance_subscription": "plan-digest: The subscription sub-1 is not in the plan.",
    "hand_over": "approval: The gate delete-tenant has not been approved for this plan.",
    "delete_directory": "approval: The gate delete-tenant has not been approved for this plan.",
    "finish_rollback": "approval: The gate rollback has not been approved for this plan.",
}
"""What nobody has agreed to is refused as an answer, not as an exception that would be tried again."""


def recorded(name: str) -> tuple[str, list[pb.HistoryEvent]]:
    """An orchestrator's golden history: its instance and its events."""
    execution = RECORDED[name]
    return execution["instance"], [json_format.ParseDict(one, pb.HistoryEvent()) for one in execution["history"]]


def asked(action: pb.OrchestratorAction) -> tuple[str, str]:
    """What an action asks for, in the words of the history's event that records it."""
    if action.HasField("scheduleTask"):
        return "taskScheduled", action.scheduleTask.name
    if action.HasField("createSubOrchestration"):
        return "subOrchestrationInstanceCreated", action.createSubOrchestration.name
    return str(action.WhichOneof("orchestratorActionType")), ""


async def test_every_orchestration_begins(worker: Worker) -> None:
    """A new instance of each schedules the work that its golden history records first, in Durable's protocol."""
    names = worker.of("orchestrationTrigger")
    assert {one.__name__ for one in orchestrators.ORCHESTRATORS} == set(names)

    for name in names:
        instance, events = recorded(name)
        response = await worker.orchestrate(name, instance, [], events[:2])
        kind = events[2].WhichOneof("eventType")
        assert (kind, getattr(events[2], kind).name) == asked(response.actions[0]), name
        assert (instance, events[2].eventId) == (response.instanceId, response.actions[0].id)


async def test_every_orchestration_ends_as_it_did(worker: Worker) -> None:
    """The whole golden history of each, given in one call, ends in its recorded status and answer."""
    for name in worker.of("orchestrationTrigger"):
        instance, events = recorded(name)
        last = max(number for number, event in enumerate(events) if event.HasField("orchestratorStarted"))
        response = await worker.orchestrate(name, instance, events[:last], events[last:])
        (end,) = [one.completeOrchestration for one in response.actions if one.HasField("completeOrchestration")]
        assert (RECORDED[name]["status"], RECORDED[name]["output"]) == (
            WORDS[end.orchestrationStatus],
            json.loads(end.result.value),
        ), name


def orders() -> dict[str, dict[str, Any]]:
    """What the story sends to each activity, first of all."""
    found: dict[str, dict[str, Any]] = {}
    for execution in play():
        for event in execution.history:
            if event.HasField("taskScheduled"):
                found.setdefault(event.taskScheduled.name, json.loads(event.taskScheduled.input.value))
    return found | {Activity.DELETE_DIRECTORY: found[Activity.HAND_OVER]}  # the played tenant is no external one


@pytest.mark.slow
async def test_every_activity_answers(worker: Worker, rig: Rig) -> None:
    """Each takes the order that the story sends, touches Records and the tenant, and answers in JSON."""
    assert set(Activity) == set(worker.of("activityTrigger")) == set(WAY)
    await rig.ready()
    told, stops, answer = orders(), {}, {}
    for name in WAY:
        if name == Activity.BEGIN_ROLLBACK:
            await rig.ledger.change(rig.closure, wanted)
        row = await rig.row()
        mine = {"closureId": rig.closure, "serial": row["planSerial"], "instance": row["instanceId"]}
        mine |= {key: row[key] for key in ("epoch", "tenantId", "domain")}
        order = told[name] | {key: value for key, value in mine.items() if key in told[name]}
        if name == Activity.WORK_SHARD:  # a lane works with the share that it was given
            order |= {"part": answer["parts"][0], "bucket": answer["buckets"][0]}
        answer = await worker.activity(name, order)
        if "stop" in answer:
            stops[name] = (answer["stop"], answer["detail"])

    assert {name: ("rail", why) for name, why in RAILS.items()} == stops
    assert 20 == len(rig.directory.deleted), "work_shard deleted one shard"
    assert "ended" == (await rig.row())["status"]


async def test_trouble_is_a_failed_invocation(worker: Worker, rig: Rig) -> None:
    """What passes by itself is raised, so that the engine hears of a failure and the story tries again."""
    await rig.opened()

    async def away() -> None:
        raise ServiceTrouble("503 Service Unavailable")

    rig.directory.organization = away  # type: ignore[assignment, method-assign]
    with pytest.raises(Failed, match="503 Service Unavailable"):
        await worker.activity(Activity.SURVEY_FAMILY, await rig.order(family="users"))


class Approval:
    """A class that any payload could name, in a module that is loaded."""

    made: list[object] = []  # noqa: RUF012  # what somebody outside had built

    @classmethod
    def from_json(cls, data: object) -> Approval:
        cls.made.append(data)
        return cls()


ENVELOPE = {"__class__": "Approval", "__module__": __name__, "__data__": "approved by nobody"}


@pytest.mark.filterwarnings("ignore:azure.functions df_loads was called without expected_type")
@pytest.mark.parametrize("strict", [True, False])
async def test_strict_typing_keeps_payloads_from_naming_classes(
    worker: Worker, rig: Rig, monkeypatch: pytest.MonkeyPatch, strict: bool
) -> None:
    """The trap: without AZURE_FUNCTIONS_DURABLE_STRICT_TYPING a payload builds objects of any loaded class; with it,
    as the app is deployed, the invocation fails before any code of ours runs.
    """
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Approval.__module__])
    monkeypatch.setenv("AZURE_FUNCTIONS_DURABLE_STRICT_TYPING", str(strict).lower())
    Approval.made.clear()
    with pytest.raises(Failed, match="Approval"):
        await worker.activity(Activity.READ_PROGRESS, ENVELOPE)

    assert strict is (Approval.made == [])
