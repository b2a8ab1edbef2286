"""MFA off: per-user MFA of everyone but the keeper; after the users phase normally a verification without a write.

Only beta knows per-user MFA, and beta may fail for good. Whatever it does not tell counts as unknown and is reported;
the phase goes on, because accounts that are still there are blockers anyway.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import islice

from activities.base import Order, activity
from activities.guard import cleared, planned_ids
from tenantclosure.errors import ServiceTrouble, SignInRefused, Throttled
from tenantclosure.names import Family, Word
from tenantclosure.policy import rails
from tenantclosure.ports import Clock, Directory
from tenantclosure.scratch import Ids
from tenantclosure.wiring import Parts

MARK = "mfa-state"
TRIES = 3
"""How often beta is asked until its trouble counts as its answer."""
BACKOFF, LONGEST = 2.0, 30.0
"""First and longest wait in seconds between two tries."""


@activity
async def turn_off_mfa(parts: Parts, order: Order) -> Order:
    """{left, turnedOff, stillOn, unknown, securityDefaults}: users besides the keeper, what was switched, what a fresh
    look still shows on, what beta did not tell.

    Only ids of the plan are written, and none that must stay by now. The keeper's MFA is never touched: without it
    nobody can delete the tenant (tenant-facts C4). Security defaults are recorded, not switched.
    """
    clearance = await cleared(parts, order)
    directory, clock = clearance.directory, parts.clock
    left = turned_off = still_on = unknown = 0
    with Ids() as ours:
        await planned_ids(parts, clearance, Family.USERS, ours)
        async for page in directory.pages(Family.USERS):
            left += sum(item.id != clearance.keeper for item in page)
            ours.mark(item.id for item in page if clearance.spared.reason(Family.USERS, item) is None)
        unasked, ids = ours.count(marked=True), ours.each(marked=True)
        while chunk := [*islice(ids, 20)]:
            found = await _states(clock, directory, chunk)
            if found is None:
                break  # beta is not to be had; what was not asked is unknown as well
            on = _on(found)
            rails.check_spared(frozenset(on), clearance.keeper, None)
            if on:
                await _tried(clock, directory.turn_off_mfa, on)
                found |= await _states(clock, directory, on) or dict.fromkeys(on, "unknown")
            unasked -= len(chunk)
            turned_off += sum(found[id_] == "disabled" for id_ in on)
            still_on += len(_on(found))
            unknown += sum(found.get(id_, "unknown") == "unknown" for id_ in chunk)
    told = {
        "left": left,
        "turnedOff": turned_off,
        "stillOn": still_on,
        "unknown": unknown + unasked,
        "securityDefaults": await directory.security_defaults(),
    }
    await parts.ledger.set_mark(order["closureId"], MARK, order["serial"], told)
    await parts.ledger.audit(order["closureId"], Word.WRITE_MADE, None, {"write": "mfa-off", **told})
    return told


def _on(states: dict[str, str]) -> list[str]:
    return [id_ for id_, state in states.items() if state in ("enabled", "enforced")]


async def _states(clock: Clock, directory: Directory, ids: Sequence[str]) -> dict[str, str] | None:
    found = await _tried(clock, directory.mfa_states, ids)
    return None if found is None else dict(found)


async def _tried[T](clock: Clock, ask: Callable[[Sequence[str]], Awaitable[T]], ids: Sequence[str]) -> T | None:
    """Beta's answer, or None when it gave none in several tries. Raises SignInRefused: that is not beta's trouble."""
    for number in range(TRIES):
        try:
            return await ask(ids)
        except SignInRefused:
            raise
        except ServiceTrouble as trouble:
            wait = trouble.retry_after if isinstance(trouble, Throttled) else BACKOFF * 2**number
        if number < TRIES - 1:
            await clock.sleep(min(wait, LONGEST))
    return None
