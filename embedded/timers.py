"""Runs the app's timer triggers on their schedules, and each once at start.

The Functions host runs a timer at once when an occurrence was missed while it was down. A local host is down most of
the time, so it always does; this is how every live closure goes on by itself after a stop or a kill.
"""

import asyncio
import logging
import re
from datetime import UTC, datetime, timedelta

from azure.functions.timer import TimerRequest

from embedded.invocation import Invoker
from embedded.loading import Function, resolve, time_span
from embedded.ncrontab import Schedule

# The wall clock may jump: look again at least this often.
LONGEST_NAP_SECONDS = 30.0
FIRST_NAPS_SECONDS = (1.0, 3.0, 10.0)
logger = logging.getLogger(__name__)


class Interval:
    """A schedule written as a time span, which Functions also allows."""

    def __init__(self, every: timedelta) -> None:
        self._every = every

    def next(self, after: datetime) -> datetime:
        """One interval later."""
        return after + self._every


def read_schedule(text: str) -> Schedule | Interval:
    """The schedule of a trigger: NCRONTAB or a time span."""
    text = resolve(text)
    return Interval(time_span(text)) if re.fullmatch(r"[\d.]*\d+:\d\d:\d\d", text) else Schedule(text)


class Timer:
    """One timer trigger; its function never runs twice at once."""

    def __init__(self, function: Function, invoker: Invoker) -> None:
        self._function, self._invoker = function, invoker
        self._schedule = read_schedule(function.trigger["schedule"])

    async def run(self) -> None:
        """Run the function at start and on schedule, until cancelled."""
        # What was due while the host was down is not put off by a start that fails: storage may still be coming up.
        for nap in FIRST_NAPS_SECONDS:
            if await self._fire(past_due=True):
                break
            await asyncio.sleep(nap)
        due = self._schedule.next(datetime.now(UTC))
        while True:
            seconds = (due - datetime.now(UTC)).total_seconds()
            if seconds > 0:
                await asyncio.sleep(min(seconds, LONGEST_NAP_SECONDS))
                continue
            await self._fire(past_due=False)
            due = self._schedule.next(datetime.now(UTC))

    async def _fire(self, *, past_due: bool) -> bool:
        try:
            await self._invoker.call(self._function, TimerRequest(past_due=past_due))
        except Exception:
            # The next occurrence is the retry, as in Functions.
            logger.exception("The timer function %s failed.", self._function.name)
            return False
        return True
