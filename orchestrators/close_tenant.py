"""Close one tenant, from preflight to report.

1. Read from Records how far this closure is; phases whose mark is there are skipped.
2. Preflight, survey, plan; people approve the plan's digest.
3. Freeze sign-ups, turn directory sync off, end self-service purchases; optionally a quiet period with its own gate.
4. Delete the users; cancel, then delete the subscriptions; verify that MFA is off; remove the applications.
5. Prove readiness; people approve the deletion of the tenant; the keeper deletes it; anyone can see that it is gone.
6. Write the report.

If the tenant has grown since the plan was frozen, the closure plans anew and asks again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durabletask import task

from orchestrators.flow import HELD, Flow, Stop, all_of, call, pause, woken
from tenantclosure import names
from tenantclosure.names import Activity, Family, Gate, Phase, Result, TaskKind
from tenantclosure.policy import timing
from tenantclosure.policy.subscriptions import Goal, Provider

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
            if stop.reason in (*HELD, "drift"):
                met = stop
                continue
            result = ENDS[stop.reason]
            run = {**run, "why": stop.detail}
        try:
            yield from _finish(ctx, run, result)
        except Stop:  # only a newer run can stop an end
            return {"closureId": order["closureId"], "result": None}
        return {"closureId": order["closureId"], "result": result}


def _see_to(ctx: task.OrchestrationContext, run: Run, met: Stop) -> Flow:
    """What must happen before the story goes on: the end of what holds it, or a new plan. It can be stopped as well."""
    if met.reason == "drift":
        yield from call(ctx, Activity.REPLAN, {**run, "detail": met.detail})
    else:
        yield from _until_free(ctx, {**run, "held": met.reason})


def _phases(ctx: task.OrchestrationContext, run: Run, done: list[str]) -> Flow:
    for phase, work in STORY:
        if phase in done:
            continue
        begun = yield from call(ctx, Activity.BEGIN_PHASE, {**run, "phase": phase})
        yield from work(ctx, {**run, "phase": phase, "since": begun["since"]})
        yield from call(ctx, Activity.END_PHASE, {**run, "phase": phase})
    return Result.CLOSED


def _until_free(ctx: task.OrchestrationContext, run: Run) -> Flow:
    looks = 0
    while (look := (yield from call(ctx, Activity.CHECK_CONTROL, run)))["paused"]:
        seconds = run["daySeconds"] * min(timing.HOUR * 2**looks, 1.0)
        due = look.get("seconds")  # a reminder, an answer-by date, the opening of the window
        yield from woken(ctx, max(seconds if due is None else min(seconds, due), run["leastPoll"]))
        looks = min(looks + 1, 5)


def _finish(ctx: task.OrchestrationContext, run: Run, result: str) -> Flow:
    if result != Result.CLOSED:
        yield from call(ctx, Activity.UNDO_FREEZE, run)
    yield from call(ctx, Activity.BEGIN_PHASE, {**run, "phase": Phase.REPORT})
    yield from call(ctx, Activity.WRITE_REPORT, {**run, "result": result})
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
        answers = yield from all_of([ctx.call_sub_orchestrator(names.AWAIT_GATE, input={**run, "gate": gate})])
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
    yield from all_of(
        [ctx.call_sub_orchestrator(names.AWAIT_MANUAL_TASK, input={**manual, "ask": sync["state"] == "refused"})]
    )


def _purchases(ctx: task.OrchestrationContext, run: Run) -> Flow:
    yield from _end_subscriptions(ctx, run, Goal.CANCELLED, [Provider.SELF_SERVICE])


def _quiet(ctx: task.OrchestrationContext, run: Run) -> Flow:
    if run["quietDays"] == 0:
        return
    yield from _remove(ctx, run, Family.USERS, "block")
    # Counted from when the phase first began, so that a pause or a restart does not start it over.
    length = run["quietDays"] * run["daySeconds"]
    while (left := timing.left_of(run["since"], length, ctx.current_utc_datetime)) > 0:
        yield from pause(ctx, min(left, run["daySeconds"]))
        yield from call(ctx, Activity.CHECK_CONTROL, {**run, "halt": True})
    yield from _gate(Gate.GO_ON)(ctx, run)


def _users(ctx: task.OrchestrationContext, run: Run) -> Flow:
    yield from _remove(ctx, run, Family.USERS, "delete")


def _cancel(ctx: task.OrchestrationContext, run: Run) -> Flow:
    yield from _remove(
        ctx, run, Family.DOMAINS, "delete"
    )  # the seller refuses to cancel while a custom domain is there
    yield from _end_subscriptions(ctx, run, Goal.CANCELLED, list(Provider))


def _delete_subscriptions(ctx: task.OrchestrationContext, run: Run) -> Flow:
    yield from _end_subscriptions(ctx, run, Goal.DELETED, list(Provider))


def _mfa_off(ctx: task.OrchestrationContext, run: Run) -> Flow:
    yield from call(ctx, Activity.TURN_OFF_MFA, run)


def _applications(ctx: task.OrchestrationContext, run: Run) -> Flow:
    yield from _remove(ctx, run, Family.APPLICATIONS, "delete")
    yield from _remove(ctx, run, Family.SERVICE_PRINCIPALS, "delete")
    yield from call(ctx, Activity.DISABLE_REFUSED, run)


def _readiness(ctx: task.OrchestrationContext, run: Run) -> Flow:
    if run["keeps"]:
        raise Stop("kept", "the request keeps users, so the tenant can't be deleted")
    looks = 0
    while not (yield from call(ctx, Activity.CHECK_READINESS, run))["ready"]:
        yield from woken(ctx, run["daySeconds"] * min(timing.HOUR * 2**looks, 1.0))
        looks = min(looks + 1, 5)


def _delete_tenant(ctx: task.OrchestrationContext, run: Run) -> Flow:
    yield from call(ctx, Activity.HAND_OVER, run)
    manual = {**run, "kind": TaskKind.DELETE_TENANT, "target": run["tenantId"], "name": run["domain"], "ask": True}
    yield from all_of([ctx.call_sub_orchestrator(names.AWAIT_MANUAL_TASK, input=manual)])


# -- what several phases share ---------------------------------------------------------------------------------------
def _remove(ctx: task.OrchestrationContext, run: Run, family: str, operation: str) -> Flow:
    """One family: fresh listing, ordinary shards, privileged shards last, then until a fresh listing shows
    none of it.
    """
    work = {**run, "family": family, "operation": operation}
    wave = yield from call(ctx, Activity.OPEN_WAVE, work)
    for first, last in ((0, wave["privilegedFrom"]), (wave["privilegedFrom"], wave["shards"])):
        if first == last:
            continue
        shards = {**work, "first": first, "last": last, "tokens": wave["tokens"]}
        yield from all_of([ctx.call_sub_orchestrator(names.RUN_PHASE, input=shards)])
        wave = yield from call(ctx, Activity.OPEN_WAVE, {**work, "going": True})
    if operation != "delete":
        return
    tries = 0
    while not (yield from call(ctx, Activity.CONFIRM_WAVE, {**work, "tries": tries}))["confirmed"]:
        yield from pause(ctx, max(run["daySeconds"] * timing.confirm_after(tries), run["leastPoll"]))
        tries += 1


def _end_subscriptions(ctx: task.OrchestrationContext, run: Run, goal: str, providers: list[str]) -> Flow:
    found = yield from call(ctx, Activity.LIST_SUBSCRIPTIONS, {**run, "providers": providers})
    yield from all_of(
        [
            ctx.call_sub_orchestrator(names.END_SUBSCRIPTION, input={**run, "item": item, "goal": goal})
            for item in found["items"]
        ]
    )


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
"""The order of a closure (design/product.md); the report is written whatever the end."""
