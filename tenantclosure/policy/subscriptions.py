"""The next step of one subscription: who sold it decides the route, its stage and a fresh look what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tenantclosure.names import TaskKind
from tenantclosure.policy.selling import (
    AZURE_FOR,
    DISABLED_FOR,
    GRACE,
    MOST_LICENCES,
    Observed,
    Provider,
    Sign,
    Terms,
    button,
    dated,
    overdue,
    terms_of,
)
from tenantclosure.policy.stages import TRANSITIONS, Goal, Side, Stage, accepted, later, shown_by, stage_of
from tenantclosure.policy.timing import PROOF_GAP, SHOWN_LEAST, SHOWN_WITHIN, SLACK, poll_after

ODD_FOR = 3.0
"""Days a word nobody documented is looked at again before a person is asked."""
NO_DATE_FOR = 485.0
"""Days after which a wait without any date is over: the longest there is, a year's term and its 120 days."""
AGAIN_AFTER = 1.0
"""Days until Azure is asked again to cancel what still held resources."""
FLIPS = 2
"""How often one that turned Enabled again is ended anew by the same route."""


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next: `kind` is done, wait, call or task; `what` names the call (cancel, stop-renewal, suspend,
    delete) or the task; `days` is the wait, `due` Microsoft's next date.

    `keeps` are kinds of tasks that stay open beside it. `attestable`: a report on the task is all the proof there can
    be that renewal is off.
    """

    kind: str
    stage: str
    what: str = ""
    days: float = 0.0
    reason: str = ""
    due: str | None = None
    side: str = Side.NONE
    keeps: tuple[str, ...] = ()
    attestable: bool = False

    @property
    def parked(self) -> bool:
        """Whether there is nothing more that we ourselves can do now."""
        return self.kind in ("task", "wait")


CALLING = frozenset({Provider.AZURE, Provider.MCA, Provider.CSP})
"""Providers with an API that ends something; for all others nothing is ever called."""


def next_step(
    provider: str,
    goal: str,
    seen: Observed,
    standing: Mapping[str, Any],
    now: datetime,
    day_seconds: float,
    *,
    delete_at_once: bool = False,
) -> Step:
    """The next step of one subscription. `standing` is what `after_look` returned, with calls {kind: {refused, why, at,
    status, code}}, actedAt and reports {task kind: {by, at}} (the newest of each).
    """
    return _Scene(provider, goal, seen, standing, now, day_seconds, delete_at_once).step()


def _holds_resources(call: Mapping[str, Any]) -> bool:
    return bool(call.get("refused")) and "resources" in str(call.get("code", "")).lower()


_CANCEL_TASKS = (TaskKind.CANCEL_SUBSCRIPTION, TaskKind.TAKE_CONTROL, TaskKind.DELETE_FREE_PRODUCT)
_DELETE_TASKS = (TaskKind.DELETE_SUBSCRIPTION, TaskKind.DELETE_AZURE, TaskKind.DELETE_FREE_PRODUCT)
_FIRST_TASK: Mapping[str, TaskKind] = {
    Provider.AZURE: TaskKind.CANCEL_SUBSCRIPTION,
    Provider.MCA: TaskKind.TURN_OFF_RENEWAL,
    Provider.CSP: TaskKind.ASK_PARTNER,
    Provider.SELF_SERVICE: TaskKind.TAKE_CONTROL,
    Provider.FREE: TaskKind.DELETE_FREE_PRODUCT,
    Provider.TRIAL: TaskKind.TURN_OFF_RENEWAL,
    Provider.SUPPORT: TaskKind.ASK_SUPPORT,
    Provider.DISPUTED: TaskKind.FIND_SELLER,
}
"""What a person is asked while it is active; everything else is cancelled by a person."""
_FIRST_REASON: Mapping[str, str] = {
    Provider.MANUAL: "no API cancels this agreement",
    Provider.FREE: "no API deletes free products",
    Provider.SELF_SERVICE: "bought by a user: take control, then cancel; it ends at once",
    Provider.TRIAL: "the trial's last day has passed and it still runs",
    Provider.SUPPORT: "only Microsoft Support ends it",
    Provider.DISPUTED: "several channels claim to have sold it, so nothing is called",
    Provider.CSP: "only the partner can end it",
    Provider.MCA: "what billing says of it can't be read",
}


@dataclass(frozen=True, slots=True)
class _Scene:
    """One subscription at one moment, and what follows from it."""

    provider: str
    goal: str
    seen: Observed
    standing: Mapping[str, Any]
    now: datetime
    day_seconds: float
    delete_at_once: bool

    # -- what stands --------------------------------------------------------------------------------------------------
    @property
    def shown(self) -> Sign:
        return shown_by(self.provider, self.seen, self.standing, self.now, self.day_seconds)[0]

    @property
    def sign(self) -> Sign:
        """The look together with what was done."""
        shown = self.shown
        if shown == Sign.GONE:
            first = self.standing.get("goneAt")
            return Sign.PROVEN if first is not None and self._ago(first) >= PROOF_GAP else Sign.GONE
        if shown == Sign.DISABLED and (accepted(self._call("delete")) or self._reported(_DELETE_TASKS)):
            return Sign.DELETING
        if shown == Sign.ENDING and (accepted(self._call("cancel")) or self._seller_ended):
            return Sign.ASKED
        asked = any(accepted(self._call(kind)) for kind in ("cancel", "suspend", "stop-renewal"))
        told = self._reported(_CANCEL_TASKS) and not self._tries_again
        if shown == Sign.ACTIVE and (asked or self._seller_ended or told):
            return Sign.ASKED
        return shown

    @property
    def stage(self) -> Stage:
        return TRANSITIONS[stage_of(self.standing)][self.sign]

    @property
    def terms(self) -> Terms | None:
        return terms_of(self.provider, self.seen, self.now)

    @property
    def _seller_ended(self) -> str:
        terms = self.terms
        return terms.ended if terms is not None and self.seen.graph is not None else ""

    def _call(self, kind: str) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = (self.standing.get("calls") or {}).get(kind)
        return found

    def _report(self, kind: str) -> Mapping[str, Any] | None:
        """The newest report of this kind of task, if it was made in the life the subscription is in now."""
        told: Mapping[str, Any] | None = (self.standing.get("reports") or {}).get(kind)
        return told if told is not None and later(told["at"], self.standing.get("flippedAt")) else None

    def _reported(self, kinds: tuple[TaskKind, ...]) -> Mapping[str, Any] | None:
        after = self.standing.get("disabledAt") if self.shown == Sign.DISABLED else None
        found = [told for kind in kinds if (told := self._report(kind)) is not None and later(told["at"], after)]
        return max(found, key=lambda told: datetime.fromisoformat(told["at"]), default=None)

    def _ago(self, text: str) -> float:
        """Days of Microsoft's since a moment of ours."""
        return (self.now - datetime.fromisoformat(text)).total_seconds() / self.day_seconds

    def _late(self, text: str) -> bool:
        """Whether what was accepted or reported then should show by now; a call's own seconds are never shortened."""
        return self._ago(text) >= max(SHOWN_WITHIN, SHOWN_LEAST / self.day_seconds)

    def _may(self, kind: str) -> bool:
        """Whether a call can be made: it was never answered, or refused and somebody has reported since. Never for what
        keeps coming back.

        What Azure refuses because of resources is tried again every day: they may be gone, or linger unseen for a day
        (subscription-facts 8), and nothing else tells.
        """
        call = self._call(kind)
        if self.standing.get("flips", 0) > FLIPS:
            return False
        if call is None:
            return True
        if _holds_resources(call) and self._ago(call["at"]) >= max(AGAIN_AFTER, SHOWN_LEAST / self.day_seconds):
            return True
        reports = (self.standing.get("reports") or {}).values()
        return bool(call["refused"]) and any(later(told["at"], call.get("at")) for told in reports)

    @property
    def _tries_again(self) -> bool:
        """Whether a cancellation that was refused is made once more, because somebody has reported since."""
        terms = self.terms
        able = self.provider == Provider.AZURE or (terms is not None and terms.allowed and terms.open)
        return able and self._call("cancel") is not None and self._may("cancel")

    # -- steps --------------------------------------------------------------------------------------------------------
    def step(self) -> Step:
        if self.stage == Stage.DEPROVISIONED:
            return Step("done", self.stage, reason="two looks at least an hour apart show it gone")
        if self.stage == Stage.DEPROVISIONING and self.shown == Sign.GONE:
            first = self.standing.get("goneAt")
            left = PROOF_GAP - (0.0 if first is None else self._ago(first))
            return self._wait("seen gone once; a second look an hour later proves it", days=max(left, PROOF_GAP / 60))
        match self.sign:
            case Sign.UNSEEN:
                return self._unseen()
            case _ if self.provider in (Provider.SUPPORT, Provider.DISPUTED):
                return self._ask(_FIRST_TASK[self.provider], self._first_reason())
            case Sign.DISABLED | Sign.DELETING:
                return self._disabled()
            case Sign.ENDING:
                return self._ending()
            case _ if self.standing.get("flips", 0) > FLIPS:
                return self._ask(TaskKind.ASK_SUPPORT, "it keeps turning Enabled again after it was ended")
            case Sign.ASKED:
                return self._asked()
            case _:
                return self._active()

    def _unseen(self) -> Step:
        odd = self.standing.get("odd")
        if odd is None:
            return self._ask(
                self._first_task(), f"it can't be looked at: {self.seen.no_access or 'no side of it is known'}"
            )
        reason = f"{odd['what']}; nothing is called until it is clear"
        if self._ago(odd["since"]) >= ODD_FOR:
            return replace(self._ask(TaskKind.ASK_SUPPORT, reason), side=Side.UNCLEAR)
        return Step("wait", self.stage, days=1.0, reason=reason, side=Side.UNCLEAR)

    def _disabled(self) -> Step:
        if self.goal == Goal.CANCELLED:
            return Step("done", self.stage, reason=f"it is disabled ({self._word()})")
        if self.seen.graph == "LockedOut":
            return self._ask(TaskKind.ASK_SUPPORT, "locked out: only Microsoft Support removes it")
        if self.provider == Provider.AZURE:
            return self._disabled_azure()
        if self.provider in (Provider.MCA, Provider.CSP):
            return self._by_itself("disabled; it goes by itself at the end of its term", self.seen.next_lifecycle)
        kind = TaskKind.DELETE_FREE_PRODUCT if self.provider == Provider.FREE else TaskKind.DELETE_SUBSCRIPTION
        return self._delete(
            kind, "a person deletes what is disabled; otherwise it goes by itself", self.seen.next_lifecycle
        )

    def _disabled_azure(self) -> Step:
        call, since = self._call("delete"), dated(self.standing.get("disabledAt")) or self.now
        due = (since + timedelta(seconds=AZURE_FOR * self.day_seconds)).isoformat()
        if self.delete_at_once and self._may("delete"):
            return Step("call", self.stage, "delete")
        if call is not None and accepted(call) and not self._late(call["at"]):
            return self._wait("its deletion was accepted; Azure does not show it yet", due)
        if not button(self.seen.quota):
            return self._by_itself(f"this offer ({self.seen.quota}) goes by itself 90 days after its cancellation", due)
        return self._delete(TaskKind.DELETE_AZURE, "only the portal deletes a cancelled Azure subscription", due)

    def _delete(self, kind: TaskKind, why: str, due: str | None) -> Step:
        """A person deletes it; what was reported and does not show in time goes to Support."""
        told = self._reported((kind,))
        if told is None:
            return self._ask(kind, why, due=due)
        reason = f"reported deleted by {told['by']} at {told['at']}, which takes up to 72 hours to show"
        if not self._late(told["at"]):
            return self._ask(kind, reason, due=due)
        reason = f"{reason}; 96 hours have passed"
        return replace(self._ask(TaskKind.ASK_SUPPORT, reason, due=due), keeps=(kind,))

    def _ending(self) -> Step:
        terms, known = self.terms, self.standing.get("renewal")
        due = (terms.ends if terms is not None else None) or self.seen.next_lifecycle
        if self.provider == Provider.TRIAL:
            why = "a trial ends by itself"
        elif terms is None and known is not None:
            seller = known["by"] == "the seller"
            why = f"its renewal was off at {known['at']}" if seller else f"attested by {known['by']} at {known['at']}"
            why = f"does not renew ({why}); its term runs out"
        else:
            why = "does not renew and can't be cancelled any more; its term runs out"
        if self.goal == Goal.CANCELLED:
            return Step("done", self.stage, reason=why, due=due, side=Side.WAITING)
        return self._by_itself(why, due)

    def _by_itself(self, why: str, due: str | None) -> Step:
        """A wait for a date of Microsoft's; one that lies too far back, or none at all for too long, is for Support."""
        date, since = dated(due), self.standing.get("since")
        if overdue(date, self.now, self.day_seconds, GRACE + DISABLED_FOR):
            return self._ask(TaskKind.ASK_SUPPORT, f"{why}, but its date {due} has long passed", due=due)
        if date is None:
            if since is not None and self._ago(since) > NO_DATE_FOR:
                return self._ask(TaskKind.ASK_SUPPORT, f"{why}, but no date is given and it is still there")
            return self._wait(f"{why}; no date is given")
        return self._wait(why, due)

    def _asked(self) -> Step:
        """Accepted or reported, and not shown: wait, then ask a person; a person's own word goes to Support."""
        told = self._reported(_CANCEL_TASKS)
        calls = [
            (kind, call)
            for kind in ("cancel", "suspend", "stop-renewal")
            if (call := self._call(kind)) is not None and accepted(call)
        ]
        if calls:
            kind, call = calls[0]
            what = "the end of its renewal" if kind == "stop-renewal" else "its cancellation"
            if not self._late(call["at"]):
                return self._wait(f"{what} was accepted; it does not show yet", keeps=_CANCEL_TASKS)
            why = f"{what} was accepted at {call['at']} and still does not show"
            return self._ask(self._first_task(renewal=kind == "stop-renewal"), why)
        if told is not None:
            kind = self._first_task() if self.provider not in CALLING else TaskKind.CANCEL_SUBSCRIPTION
            reason = f"reported done by {told['by']} at {told['at']}; it does not show yet"
            if not self._late(told["at"]):
                return self._ask(kind, reason)
            return replace(self._ask(TaskKind.ASK_SUPPORT, f"{reason} after 96 hours"), keeps=(kind,))
        return self._wait(f"its seller shows it {self._seller_ended}; Graph does not show it yet")

    def _active(self) -> Step:
        if self.provider == Provider.AZURE:
            return self._active_azure()
        terms = self.terms
        if terms is None:
            why, able = self._first_reason(), self.provider in (Provider.MCA, Provider.CSP)
            return replace(self._ask(self._first_task(), why), attestable=able or self.provider == Provider.TRIAL)
        if terms.usage:
            return self._ask(TaskKind.ASK_PARTNER, "it is billed by usage and has no term: only the partner ends it")
        if not terms.allowed:
            return self._ask(
                self._first_task(renewal=not terms.open),
                "its billing account is not on this deployment's list, so nothing of it is changed by us",
            )
        if terms.locked:
            since = self.standing.get("odd") or {}
            if "since" in since and self._late(since["since"]):
                return self._ask(
                    self._first_task(renewal=not terms.open), f"locked for an update since {since['since']}"
                )
            return self._wait("locked for an update that is under way")
        return self._end(terms)

    def _end(self, terms: Terms) -> Step:
        """Cancel inside the window, otherwise stop its renewal; each once."""
        cancel = "suspend" if terms.legacy else "cancel"
        if (terms.open or terms.legacy) and not terms.paused and self._may(cancel):
            return Step("call", self.stage, cancel, reason=self._again())
        refused = self._call(cancel)
        if refused is not None and refused.get("status") in (401, 403):
            why = f"our application lacks the role to cancel it ({refused['why']})"
            return self._ask(self._first_task(renewal=not terms.open), why)
        if terms.legacy and refused is not None:
            return self._ask(TaskKind.ASK_PARTNER, f"suspending it was refused ({refused['why']})")
        if self._may("stop-renewal"):
            return Step("call", self.stage, "stop-renewal", reason=self._again())
        stopped = self._call("stop-renewal") or {}
        return self._ask(self._first_task(), f"turning its renewal off was refused ({stopped.get('why', '')})")

    def _active_azure(self) -> Step:
        if self._may("cancel"):
            return Step("call", self.stage, "cancel", reason=self._again())
        refused = self._call("cancel") or {}
        if _holds_resources(refused):
            return self._ask(TaskKind.EMPTY_AZURE, f"it still holds resources ({refused['why']})")
        return self._ask(TaskKind.CANCEL_SUBSCRIPTION, f"Azure refused to cancel it ({refused.get('why', '')})")

    # -- small parts --------------------------------------------------------------------------------------------------
    def _first_task(self, *, renewal: bool = True) -> TaskKind:
        if self.provider == Provider.MCA and not renewal:
            return TaskKind.CANCEL_SUBSCRIPTION
        return _FIRST_TASK.get(self.provider, TaskKind.CANCEL_SUBSCRIPTION)

    def _first_reason(self) -> str:
        if self.seen.no_access:
            return self.seen.no_access
        reason = _FIRST_REASON.get(self.provider, "no API ends it")
        count = self.seen.licences
        if self.provider == Provider.MANUAL and count is not None and count > MOST_LICENCES:
            return (
                f"{reason}; with its {count} licences it can only be cancelled once they are reduced to {MOST_LICENCES}"
            )
        return reason

    def _again(self) -> str:
        flipped = self.standing.get("flippedAt")
        return f"Enabled again since {flipped}" if flipped and self.shown == Sign.ACTIVE else ""

    def _word(self) -> str:
        for side, name in ((self.seen.graph, "Graph"), (self.seen.azure, "Azure")):
            if side is not None:
                return f"{name} shows it {side}"
        row = self.seen.billing or self.seen.partner or {}
        return f"its seller shows it {row.get('status')}"

    def _ask(self, kind: TaskKind, why: str, *, due: str | None = None) -> Step:
        again = self._again()
        reason = f"{again}; {why}" if again else why
        side = Side.SUPPORT if kind == TaskKind.ASK_SUPPORT else Side.MANUAL
        return Step("task", self.stage, kind, days=self._look_again(None), reason=reason, due=due, side=side)

    def _wait(
        self, why: str, due: str | None = None, *, days: float | None = None, keeps: tuple[str, ...] = ()
    ) -> Step:
        days = self._look_again(due) if days is None else days
        return Step("wait", self.stage, days=days, reason=why, due=due, side=Side.WAITING, keeps=keeps)

    def _look_again(self, due: str | None) -> float:
        """Days until the next look, counted from what was last done or reported; a date far off makes them weeks."""
        acts = [str(told["at"]) for told in (self.standing.get("reports") or {}).values()]
        acts += [text for text in (self.standing.get("actedAt"), self.standing.get("flippedAt")) if text]
        if due is None:
            acts.append(str(self.standing.get("since") or self.now.isoformat()))
        last = max((datetime.fromisoformat(text) for text in acts), default=None)
        date = dated(due)
        left = None if date is None else (date - self.now).total_seconds() / self.day_seconds
        since = None if last is None else max(0.0, (self.now - last).total_seconds() / self.day_seconds)
        return poll_after(since, left if left is None or left > -SLACK else None)
