"""A run that was paused, aborted, replaced, or whose approval fell away writes no more: at most what is on its way.

Each writing activity is met twice: right after the check it opens with, and while its first batch is out.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import activities
from activities import fenced
from tenantclosure import names, wiring
from tenantclosure.errors import Throttled
from tenantclosure.names import Activity
from tests.activities import undoing
from tests.activities.policies import NIGHTS, policy
from tests.activities.rig import ANN, Rig
from tests.activities.test_external import RESOURCE
from tests.fakes.tenant import FakeDirectory, principal, subscription, user

U = [user(n).id for n in range(45)]
SLOW = {"tokens": 5.0, "rate": 20.0, "burst": 5}
"""A quota that makes waves of five."""
STOPS = {"paused": "paused", "aborted": "aborted", "replaced": "fenced", "revoked": "revoked", "shut": "window"}
"""What happens, and how the activity stops."""
FAST, SLOWLY = ("replaced", "revoked"), pytest.mark.slow
"""What `make test-fast` shows; the whole table takes some seconds."""
HELD = ("paused", "aborted", "replaced")
"""What still holds a step that no approval can stop any more."""


def bench(**more: Any) -> Rig:
    """A rig at 03:58 of a tenant that may be written to until 04:00."""
    rig = Rig(policy=policy(window=NIGHTS), **more)
    rig.clock.go_on(hours=15, minutes=58)
    return rig


async def flip(rig: Rig, what: str) -> None:
    """Let it happen."""
    match what:
        case "paused":
            await rig.ledger.change(rig.closure, lambda row: row.update(control="pause"))
        case "aborted":
            await rig.ledger.change(rig.closure, lambda row: row.update(control="abort"))
        case "replaced":
            await rig.ledger.change(rig.closure, lambda row: row.update(epoch=row["epoch"] + 1))
        case "revoked":
            await rig.decide("rollback" if (await rig.row()).get("rollback") else "plan", ANN, "revoke")
        case "shut":
            rig.clock.go_on(minutes=3)


def written(rig: Rig) -> int:
    """How many writes have reached Microsoft."""
    partner = len(rig.partner.asked) if rig.partner else 0
    return len(rig.directory.asked) + len(rig.billing.asked) + partner + (rig.external.deletes if rig.external else 0)


def once(run: Callable[[], Awaitable[None]]) -> Callable[[bool], Awaitable[None]]:
    """Run it at the first time the condition holds, and never again."""
    done = [False]

    async def maybe(condition: bool) -> None:
        if condition and not done[0]:
            done[0] = True
            await run()

    return maybe


def after_record(rig: Rig, begins: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run it when a document whose key begins like this was read or stored."""
    maybe = once(run)
    for method in ("read", "put"):
        whole = getattr(rig.records, method)

        async def met(partition: str, key: str, *rest: Any, _whole: Any = whole) -> Any:
            answer = await _whole(partition, key, *rest)
            await maybe(f"{partition}/{key}".startswith(begins.format(rig.closure)))
            return answer

        setattr(rig.records, method, met)


def during_write(rig: Rig, run: Callable[[], Awaitable[None]]) -> None:
    """Run it while the first write is out."""
    maybe = once(run)
    for service, port in ((rig.directory, fenced.Directory), (rig.billing, fenced.Billing)):
        for method in methods(port) - fenced.READS[port]:
            whole = getattr(service, method)

            async def met(*arguments: Any, _whole: Any = whole, **named: Any) -> Any:
                answer = await _whole(*arguments, **named)
                await maybe(True)
                return answer

            setattr(service, method, met)


def methods(port: type) -> set[str]:
    """Names of a port's methods."""
    return {name for name in vars(port) if not name.startswith("_") and callable(vars(port)[name])}


# -- every writing activity -------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Case:
    """A writing activity with work to do. `checked` begins the record whose reading or storing ends its first check."""

    prepare: Callable[[], Awaitable[tuple[Rig, dict[str, Any]]]]
    flips: tuple[str, ...] = tuple(STOPS)
    checked: str = "{}/mark:used-"
    batches: bool = False


Prepared = tuple[Rig, dict[str, Any]]


async def unused(rig: Rig) -> Rig:
    """The rig as before the first use of its approvals, and with no write counted."""
    for partition, key in list(rig.records.documents):
        if key.startswith("mark:used-"):
            await rig.records.remove(partition, key)
    rig.directory.asked.clear()
    return rig


async def to_freeze() -> Prepared:
    rig = await bench().ready()
    return rig, await rig.order()


async def to_undo_freeze() -> Prepared:
    rig = await bench().ready()
    await activities.freeze_sign_ups(await rig.order(instance="i"))
    return await unused(rig), await rig.order()


async def to_turn_off_sync() -> Prepared:
    rig = bench()
    rig.directory.sync = True
    await rig.ready()
    return rig, await rig.order()


async def to_delete() -> Prepared:
    rig = await bench().ready()
    return rig, await rig.shard_order(**SLOW)


async def to_block() -> Prepared:
    rig = await bench().ready(quietDays=3)
    return rig, await rig.shard_order(**{**SLOW, "burst": 10, "tokens": 10.0}, operation="block", phase="quiet-period")


async def to_restore() -> Prepared:
    rig = bench(directory=undoing.BinDirectory())
    await undoing.turned(await undoing.deleted(rig))
    await undoing.plan(rig)
    await rig.approved("rollback")
    return await unused(rig), await rig.shard_order(
        **SLOW, operation="restore", phase="rollback", gate="rollback", serial=2
    )


async def to_finish_rollback() -> Prepared:
    rig = bench(directory=undoing.BinDirectory(2))
    rig.billing.azure["azure-1"] = "Enabled"
    rig.directory.items["subscriptions"] = []
    await rig.ready()
    await activities.freeze_sign_ups(await rig.order(instance="i"))
    await activities.advance_subscription(await rig.order(item="azure-1", goal="cancelled", instance="i"))
    rig.billing.azure["azure-1"] = "Disabled"
    await undoing.turned(rig)
    await undoing.plan(rig)
    await rig.approved("rollback")
    assert 2 == len((await rig.manifest())["others"])
    rig.billing.asked.clear()
    return await unused(rig), await rig.order(phase="rollback")


async def to_turn_off_mfa() -> Prepared:
    rig = bench()
    rig.directory.mfa = dict.fromkeys(U, "enabled")
    await rig.ready()
    return rig, await rig.order()


async def to_disable() -> Prepared:
    rig = bench(environment={"CLOSURE_SHARD_SIZE": "30"})
    apps = [principal(n) for n in range(25)]
    rig.directory.items["service-principals"] += apps
    rig.directory.script = {one.id: [403] for one in apps}
    await rig.ready()
    await activities.work_shard(await rig.shard_order(family="service-principals"))
    return await unused(rig), await rig.order()


async def to_cancel() -> Prepared:
    rig = bench()
    rig.billing.azure["azure-1"] = "Enabled"
    await rig.ready()
    return rig, await rig.order(item="azure-1", goal="cancelled", instance="i")


async def to_hand_over() -> Prepared:
    rig = await bench(directory=FakeDirectory(users=0)).ready()
    await rig.approved("delete-tenant")
    return rig, await rig.order()


async def to_hand_over_again() -> Prepared:
    rig, order = await to_hand_over()
    await rig.ledger.set_mark(rig.closure, names.HAND_OVER_BEGUN, 1, {"ownServicePrincipal": principal(1).id})
    return rig, order


async def to_delete_directory() -> Prepared:
    rig = bench(directory=FakeDirectory(users=0))
    rig.directory.tenant_type = "CIAM"
    await rig.ready(externalDirectory=RESOURCE)
    await rig.approved("delete-tenant")
    return rig, await rig.order()


async def to_delete_directory_again() -> Prepared:
    rig, order = await to_delete_directory()
    assert rig.external is not None
    rig.external.raises["delete"] = [Throttled("slow down", 1.0)]
    with pytest.raises(Throttled):
        await activities.delete_directory(order)
    assert 0 == written(rig)
    return rig, order


ROW = "closure/{}"
WRITING: dict[str, dict[str, Case]] = {
    Activity.FREEZE_SIGN_UPS: {"": Case(to_freeze)},
    # It puts back what was frozen when a closure ends, whoever holds it: only a newer run stops it.
    Activity.UNDO_FREEZE: {"": Case(to_undo_freeze, ("replaced",), ROW)},
    Activity.TURN_OFF_SYNC: {"": Case(to_turn_off_sync)},
    Activity.WORK_SHARD: {
        "delete": Case(to_delete, batches=True),
        "block": Case(to_block, batches=True),
        "restore": Case(to_restore, tuple(set(STOPS) - {"shut"}), batches=True),
    },
    Activity.ADVANCE_SUBSCRIPTION: {"": Case(to_cancel)},
    Activity.TURN_OFF_MFA: {"": Case(to_turn_off_mfa, batches=True)},
    Activity.DISABLE_REFUSED: {"": Case(to_disable, batches=True)},
    Activity.HAND_OVER: {"": Case(to_hand_over), "again": Case(to_hand_over_again, HELD, ROW)},
    Activity.DELETE_DIRECTORY: {"": Case(to_delete_directory), "again": Case(to_delete_directory_again, HELD, ROW)},
    Activity.FINISH_ROLLBACK: {"": Case(to_finish_rollback, tuple(set(STOPS) - {"shut"}), batches=True)},
}
"""Every activity that writes to Microsoft, with each of its ways to a write."""
READING = {
    Activity.READ_PROGRESS,
    Activity.BEGIN_PHASE,
    Activity.END_PHASE,
    Activity.CHECK_CONTROL,
    Activity.REPLAN,
    Activity.END_CLOSURE,
    Activity.CHECK_PREFLIGHT,
    Activity.SURVEY_FAMILY,
    Activity.FREEZE_PLAN,
    Activity.OPEN_GATE,
    Activity.JUDGE_GATE,
    Activity.OPEN_WAVE,
    Activity.SHARE_QUOTA,
    Activity.CONFIRM_WAVE,
    Activity.LIST_SUBSCRIPTIONS,
    Activity.CHECK_READINESS,
    Activity.OPEN_TASK,
    Activity.PROBE_TASK,
    Activity.REVIEW_REFUSED,
    Activity.BEGIN_ROLLBACK,
    Activity.PLAN_ROLLBACK,
    Activity.WRITE_REPORT,
}
"""The others: they write to Records and to people only."""
CASES = [
    pytest.param(name, case, what, id="-".join(filter(None, (name, label, what))), marks=() if what in FAST else SLOWLY)
    for name, found in WRITING.items()
    for label, case in found.items()
    for what in sorted(case.flips)
]


@pytest.fixture(autouse=True)
def forget() -> Any:
    yield
    wiring.use(None)


def test_every_activity_is_in_the_table() -> None:
    """A new activity is put among the writing ones or among the others."""
    assert set(Activity) == set(WRITING) | READING
    assert not set(WRITING) & READING


@pytest.mark.parametrize(("name", "case", "what"), CASES)
async def test_nothing_goes_out_after_the_check_it_opens_with(name: str, case: Case, what: str) -> None:
    """It happens right after the activity found everything in order, before its first write: nothing is written."""
    rig, order = await case.prepare()
    after_record(rig, case.checked, lambda: flip(rig, what))
    answer = await getattr(activities, name)(order)
    assert (STOPS[what], 0) == (answer.get("stop"), written(rig))


@pytest.mark.parametrize(("name", "case", "what"), [case for case in CASES if case.values[1].batches])
async def test_only_the_batch_that_is_out_comes_to_its_end(name: str, case: Case, what: str) -> None:
    """It happens while the first batch is out: no second one follows."""
    rig, order = await case.prepare()
    during_write(rig, lambda: flip(rig, what))
    answer = await getattr(activities, name)(order)
    assert (STOPS[what], 1) == (answer.get("stop"), written(rig))


@pytest.mark.parametrize("name", sorted(WRITING))
async def test_undisturbed_it_writes(name: str) -> None:
    """Each case of the table has something to write, and those said to have several batches have."""
    for case in WRITING[Activity(name)].values():
        rig, order = await case.prepare()
        assert "stop" not in await getattr(activities, name)(order)
        assert written(rig) > case.batches


# -- nobody can forget ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("port", fenced.READS)
def test_what_reads_is_named(port: type) -> None:
    """A name that is no method of the port any more would let a later write of that name pass."""
    assert fenced.READS[port] < methods(port)


def test_only_the_fence_takes_services_from_the_parts() -> None:
    """No activity gets at Microsoft past the fence."""
    services, found = {"directory", "billing", "partner", "external"}, set()
    for path in Path(inspect.getfile(activities)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in ("parts", "ready")
            ):
                found |= {path.name} if node.attr in services | {f"make_{name}" for name in services} else set()
            elif isinstance(node, ast.Attribute) and node.attr.startswith("make_"):
                found.add(path.name)
    assert {"fenced.py"} == found


async def test_who_only_reads_can_not_write() -> None:
    """Without a clearance a write is a mistake in the program, found before anything goes out."""
    rig = bench()
    directory = fenced.directory(rig.parts, "tenant", fenced.READ_ONLY)
    assert (await directory.organization()).id == rig.directory.tenant
    with pytest.raises(AssertionError):
        await directory.delete_many("users", [U[0]])
    with pytest.raises(AssertionError):
        await fenced.billing(rig.parts, "tenant", fenced.READ_ONLY).cancel_azure(subscription(1).id)
    assert 0 == written(rig)


async def test_what_goes_out_together_asks_once() -> None:
    """A wave asks before it begins; afterwards each write asks by itself again."""
    asked: list[int] = []
    rig = bench()

    async def check() -> None:
        asked.append(written(rig))

    fence = fenced.Fence(check)
    directory = fenced.directory(rig.parts, "tenant", fence)
    async with fence.wave():
        await directory.delete_many("users", U[:2])
        await directory.delete_many("users", U[2:4])
    await directory.delete_many("users", U[4:6])
    with pytest.raises(ZeroDivisionError):
        async with fence.wave():
            raise ZeroDivisionError
    await directory.delete_many("users", U[6:8])
    assert [0, 2, 3, 3] == asked
