"""Close one tenant, from preflight to report.

1. Read from Records how far this closure is; phases whose mark is there are skipped.
2. Preflight, survey, plan; people approve the plan's digest.
3. Freeze sign-ups, turn directory sync off, end self-service purchases; optionally a quiet period with its own gate.
4. Delete the users; cancel, then delete the subscriptions; verify that MFA is off; remove the applications.
5. Wait until nothing blocks the deletion; people approve it; the keeper (or Azure, for an external tenant) deletes the
   tenant; anyone can see that it is gone.
6. Write the report.

If the tenant has grown since the plan was frozen, the closure plans anew and asks again. If somebody asks for a
rollback, that is planned, approved and done in place of the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durabletask import task

from orchestrators.end_subscriptions import end_all
from orchestrators.flow import HELD, Flow, Stop, all_of, call, child, pause, spend_on, spent, woken
from orchestrators.waves import remove, review, work_shards
from tenantclosure import names
from tenantclosure.names import Activity, Family, Gate, Phase, Result, TaskKind
from tenantclosure.policy import timing
from tenantclosure.policy.selling import Provider
from tenantclosure.policy.stages import Goal

Run = dict[str, Any]
ENDS = {
    "vetoed": Result.VETOED,
    "expired": Result.EXPIRED,
    "aborted": Result.ABORTED,
    "kept": Result.KEPT,
    "rail": Result.FAILED,
    "failed": Result.FAILED,
}
"""Why a story stops for good, and the result that gives."""


def close_tenant(ctx: task.OrchestrationContext, order: Run) -> Flow:
    """Carry one closure as far as it can go; `order` is {schema, closureId, epoch}. Returns {closureId, result}."""
    run, met = order, None
    while True:
        try:
            if met is not None:
                yield from _see_to(ctx, run, met)
            progress = yield from call(ctx, Activity.READ_PROGRESS, order)
            if progress["result"] is not None:
                return {"closureId": order["closureId"], "result": progress["result"]}
            run = {**order, **progress["run"], "instance": ctx.instance_id}
            result = yield from _phases(ctx, run, progress["done"])
        except Stop as stop:
            if stop.reason == "fenced":
                return {"closureId": order["closureId"], "result": None}
            if stop.reason in (*HELD, "drift", "rollback"):
                met = stop
                continue
            result = run.get("endsAs") or ENDS[stop.reason]
            run = {**run, "why": stop.detail}
        try:
            yield from _finish(ctx, run, result)
        except Stop:  # only a newer run can stop an end
            return {"closureId": order["closureId"], "result": None}
        return {"closureId": order["closureId"], "result": result}


def _see_to(ctx: task.OrchestrationContext, run: Run, met: Stop) -> Flow:
    """What must happen before the story goes on: the end of what holds it, a new plan, or the turn to a rollback.

    It can be stopped as well.
    """
    if met.reason == "drift":
        yield from call(ctx, Activity.REPLAN, {**run, "detail": met.detail})
    elif met.reason == "rollback":
        yield from call(ctx, Activity.BEGIN_ROLLBACK, run)
    else:
        yield from _until_free(ctx, {**run, "held": met.reason})


def _phases(ctx: task.OrchestrationContext, run: Run, done: list[str]) -> Flow:
    for phase, work in ROLLBACK if run["rollback"] else STORY:
        if phase in done:
            continue
        yield from spend_on(phase)
        begun = yield from call(ctx, Activity.BEGIN_PHASE, {**run, "phase": phase})
        yield from work(ctx, {**run, "phase": phase, "since": begun["since"]})
        yield from call(ctx, Activity.END_PHASE, {**run, "phase": phase, "spent": (yield from spent())})
    return run["endsAs"] or Result.CLOSED


def _until_free(ctx: task.OrchestrationContext, run: Run) -> Flow:
    looks = 0
    while (look := (yield from call(ctx, Activity.CHECK_CONTROL, run)))["paused"]:
        seconds = run["daySeconds"] * min(timing.HOUR * 2**looks, 1.0)
        due = look.get("seconds")  # a reminder, an answer-by date, the opening of the window
        yield from woken(ctx, max(seconds if due is None else min(seconds, due), run["leastPoll"]))
        looks = min(looks + 1, 5)


def _finish(ctx: task.OrchestrationContext, run: Run, result: str) -> Flow:
    yield from spend_on(Phase.REPORT)
    if result != Result.CLOSED:
        yield from call(ctx, Activity.UNDO_FREEZE, run)
    yield from call(ctx, Activity.BEGIN_PHASE, {**run, "phase": Phase.REPORT})
    yield from call(ctx, Activity.WRITE_REPORT, {**run, "result": result, "spent": (yield from spent())})
    yield from call(ctx, Activity.END_CLOSURE, {**run, "result": result})


# -- the phases ------------------------------------------------------------------------------------------------------
def _preflight(ctx: task.OrchestrationContext, run: Run) -> Flow:
    yield from call(ctx, Activity.CHECK_PREFLIGHT, run)


def _survey(ctx: task.OrchestrationContext, run: Run) -> Flow:
    for family in Family:
        yield from call(ctx, Activity.SURVEY_FAMILY, {**run, "family": family})
    yield from call(ctx, Activity.FREEZE_PLAN, run)


def _gate(gate: str) -> Callable[[task.OrchestrationContext, Run], Flow]:
    def ask(ctx: task.OrchestrationContext, run: Run) -> Flow:
        answers = yield from all_of([child(ctx, names.AWAIT_GATE, {**run, "gate": gate})])
        if answers[0]["state"] != "approved":
            raise Stop(answers[0]["state"], f"gate {gate}")

    return ask


def _freeze(ctx: task.OrchestrationContext, run: Run) -> Flow:
    yield from call(ctx, Activity.FREEZE_SIGN_UPS, run)


def _sync_off(ctx: task.OrchestrationContext, run: Run) -> Flow:
    sync = yield from call(ctx, Activity.TURN_OFF_SYNC, run)
    if sync["state"] == "off":
        return
    if sync["state"] == "refused":
        run = {**run, "why": sync["why"]}
    manual = {**run, "kind": TaskKind.TURN_OFF_SYNC, "target": run["tenantId"], "name": "directory synchronisation"}
    yield from all_of([child(ctx, names.AWAIT_MANUAL_TASK, {**manual, "ask": sync["state"] == "refused"})])


def _purchases(ctx: task.OrchestrationContext, run: Run) -> Flow:
    # Held until it is over: once its buyer is deleted, only Support ends a self-service purchase.
    yield from _end_subscriptions(ctx, run, Goal.CANCELLED, [Provider.SELF_SERVICE], park=False)


def _quiet(ctx: task.OrchestrationContext, run: Run) -> Flow:
    if run["quietDays"] == 0:
        return
    yield from remove(ctx, run, Family.USERS, "block")
    # Counted from when the phase first began, so that a pause or a restart does not start it over; by the clock that
    # said so and not by the engine's, which may be another machine's.
    look = {**run, "halt": True, "length": run["quietDays"] * run["daySeconds"]}
    while (left := (yield from call(ctx, Activity.CHECK_CONTROL, look))["left"]) > 0:
        yield from pause(ctx, min(left, run["daySeconds"]))
    yield from _gate(Gate.GO_ON)(ctx, run)


def _users(ctx: task.OrchestrationContext, run: Run) -> Flow:
    yield from remove(ctx, run, Family.USERS, "delete")
    yield from review(ctx, run, Family.USERS)


def _cancel(ctx: task.OrchestrationContext, run: Run) -> Flow:
    # The seller refuses to cancel while a custom domain is there.
    yield from remove(ctx, run, Family.DOMAINS, "delete")
    yield from _end_subscriptions(ctx, run, Goal.CANCELLED, list(Provider), park=True)


def _delete_subscriptions(ctx: task.OrchestrationContext, run: Run) -> Flow:
    yield from _end_subscriptions(ctx, run, Goal.DELETED, list(Provider), park=True)


def _mfa_off(ctx: task.OrchestrationContext, run: Run) -> Flow:
    yield from call(ctx, Activity.TURN_OFF_MFA, run)


def _applications(ctx: task.OrchestrationContext, run: Run) -> Flow:
    yield from remove(ctx, run, Family.APPLICATIONS, "delete")
    yield from remove(ctx, run, Family.SERVICE_PRINCIPALS, "delete")
    yield from call(ctx, Activity.DISABLE_REFUSED, run)
    yield from review(ctx, run, Family.APPLICATIONS)
    yield from review(ctx, run, Family.SERVICE_PRINCIPALS)


def _readiness(ctx: task.OrchestrationContext, run: Run) -> Flow:
    yield from all_of([child(ctx, names.AWAIT_READY, {**run, "looks": 0})])
    if run["keeps"]:
        raise Stop("kept", "the request keeps users, so the tenant can't be deleted")


def _delete_tenant(ctx: task.OrchestrationContext, run: Run) -> Flow:
    if run["tenantType"] in names.EXTERNAL_TYPES:
        step = yield from call(ctx, Activity.DELETE_DIRECTORY, run)
        while step["state"] == "deleting":
            yield from woken(ctx, step["seconds"])
            step = yield from call(ctx, Activity.DELETE_DIRECTORY, run)
        ask = step["state"] == "refused"
    else:
        step = yield from call(ctx, Activity.HAND_OVER, run)
        ask = True
    if step.get("why"):
        run = {**run, "why": step["why"]}
    manual = {**run, "kind": TaskKind.DELETE_TENANT, "target": run["tenantId"], "name": run["domain"], "ask": ask}
    yield from all_of([child(ctx, names.AWAIT_MANUAL_TASK, manual)])


# -- the phases of a rollback ----------------------------------------------------------------------------------------
def _gate_rollback(ctx: task.OrchestrationContext, run: Run) -> Flow:
    if (yield from call(ctx, Activity.PLAN_ROLLBACK, run))["items"]:
        yield from _gate(Gate.ROLLBACK)(ctx, run)


def _roll_back(ctx: task.OrchestrationContext, run: Run) -> Flow:
    found = yield from call(ctx, Activity.PLAN_ROLLBACK, run)  # planned already: it only tells what is in it
    for wave in found["waves"]:  # {family, operation, shards}: those to restore, then those to let in again
        if wave["shards"]:
            shards = {"first": 0, "last": wave["shards"], "gate": Gate.ROLLBACK}
            yield from work_shards(ctx, {**run, "family": wave["family"], "operation": wave["operation"], **shards})
    if found["items"]:
        yield from call(ctx, Activity.FINISH_ROLLBACK, run)


# -- what several phases share ---------------------------------------------------------------------------------------
def _end_subscriptions(
    ctx: task.OrchestrationContext, run: Run, goal: str, providers: list[str], *, park: bool
) -> Flow:
    found = yield from call(ctx, Activity.LIST_SUBSCRIPTIONS, {**run, "providers": providers})
    yield from end_all(ctx, {**run, "goal": goal, "park": park}, found["items"])


STORY: tuple[tuple[str, Callable[[task.OrchestrationContext, Run], Flow]], ...] = (
    (Phase.PREFLIGHT, _preflight),
    (Phase.SURVEY, _survey),
    (Phase.GATE_PLAN, _gate(Gate.PLAN)),
    (Phase.FREEZE, _freeze),
    (Phase.SYNC_OFF, _sync_off),
    (Phase.PURCHASES, _purchases),
    (Phase.QUIET, _quiet),
    (Phase.USERS, _users),
    (Phase.CANCEL, _cancel),
    (Phase.DELETE_SUBSCRIPTIONS, _delete_subscriptions),
    (Phase.MFA_OFF, _mfa_off),
    (Phase.APPLICATIONS, _applications),
    (Phase.READINESS, _readiness),
    (Phase.GATE_DELETE, _gate(Gate.DELETE_TENANT)),
    (Phase.DELETE_TENANT, _delete_tenant),
)
"""The order of a closure (design/product.md); the report is written whatever the end.

The phases of the subscriptions do and ask for all that can be done; readiness waits until they are gone (ADR 12).
"""
ROLLBACK: tuple[tuple[str, Callable[[task.OrchestrationContext, Run], Flow]], ...] = (
    (Phase.GATE_ROLLBACK, _gate_rollback),
    (Phase.ROLLBACK, _roll_back),
)
"""What happens in place of the rest once somebody asks for a rollback."""
