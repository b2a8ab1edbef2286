"""A make-believe tenant: answers the activities in the shapes they promise, and keeps marks as Records would."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import orchestrators
from orchestrators import ORCHESTRATORS
from tenantclosure.names import Activity, Phase
from tests.orchestrators.stepper import Answer, Instance, Stepper

DAY = 86_400.0
HOUR = 3_600.0
ORDER = {"schema": 1, "closureId": "11111111-2222-3333-4444-555555555555-1", "epoch": 1}
ROOT = f"{ORDER['closureId']}-e1"
STORY = [phase for phase in Phase if phase not in (Phase.REPORT, Phase.GATE_ROLLBACK, Phase.ROLLBACK)]


class Tenant:
    """What the records say, and how each activity answers; a test changes either before or while it runs."""

    def __init__(
        self,
        *,
        lanes: int = 2,
        quiet_days: int = 0,
        keeps: bool = False,
        shards: dict[str, tuple[int, int]] | None = None,
        subscriptions: dict[str, str] | None = None,
    ) -> None:
        self.serial, self.epoch, self.control, self.result = 1, 1, "run", None
        self.run = {"quietDays": quiet_days, "keeps": keeps, "lanes": lanes, "tenantType": "AAD"}
        self.rollback: dict[str, Any] | None = None
        self.to_restore: list[dict[str, Any]] = []
        self.shards = {"users": (1, 1), **(shards or {})}
        self.subscriptions = subscriptions if subscriptions is not None else {"sub-1": "manual"}
        self.done: set[tuple[str, int]] = set()
        self.worked: list[tuple[str, str, int]] = []
        self.gates: dict[tuple[str, int], str] = {}
        self.proven: set[str] = {"turn-off-sync", "delete-tenant"}
        self.sync = {"state": "off"}
        self.engine: Stepper | None = None
        self.since: dict[tuple[str, int], str] = {}
        self.written: list[str] = []
        self.activities: dict[str, Answer] = {name: getattr(self, name) for name in Activity}

    def stepper(self, **more: Any) -> Stepper:
        """A stepper over this tenant with every orchestrator of ours."""
        self.engine = Stepper(ORCHESTRATORS, self.activities, **more)
        return self.engine

    def close(self, **more: Any) -> tuple[Stepper, Instance]:
        """Run a whole closure."""
        stepper = self.stepper(**more)
        instance = stepper.start(orchestrators.close_tenant.__name__, ORDER, ROOT)
        return stepper.run(), instance

    def does(self, name: str, *answers: Any) -> None:
        """Script an activity: one answer a call, then what it did before; an exception is raised, a function asked."""
        left, before = list(answers), self.activities[name]

        def told(order: dict[str, Any]) -> Any:
            if not left:
                return before(order)
            found = left.pop(0)
            if isinstance(found, Exception):
                raise found
            return found(order) if callable(found) else found

        self.activities[name] = told

    def when(self, name: str, test: Callable[[dict[str, Any]], bool], told: Any) -> None:
        """Script an activity for those orders that pass the test, once."""
        before, used = self.activities[name], [False]

        def answer(order: dict[str, Any]) -> Any:
            if used[0] or not test(order):
                return before(order)
            used[0] = True
            return told(order) if callable(told) else told

        self.activities[name] = answer

    def mark(self, phases: Iterable[str]) -> None:
        """These phases are done already."""
        self.done |= {(str(phase), self.serial) for phase in phases}

    def _stop(self, order: dict[str, Any]) -> dict[str, Any] | None:
        """What every activity asks first."""
        if order["epoch"] != self.epoch or self.result is not None:
            return {"stop": "fenced", "detail": "another run"}
        word = {"pause": "paused", "abort": "aborted", "rollback": "rollback"}.get(self.control)
        return {"stop": word, "detail": ""} if word else None

    # -- the activities ------------------------------------------------------------------------------------------------
    def read_progress(self, order: dict[str, Any]) -> Any:
        if order["epoch"] != self.epoch:
            return {"stop": "fenced", "detail": "another run"}
        run = {
            "serial": self.serial,
            "tenantId": ORDER["closureId"][:36],
            "domain": "contoso.onmicrosoft.com",
            "daySeconds": DAY,
            "leastPoll": 0.5,
            "rate": 20.0,
            "burst": 3000,
            "rollback": self.rollback["serial"] if self.rollback else None,
            "endsAs": self.rollback["endsAs"] if self.rollback else None,
            **self.run,
        }
        done = [str(phase) for phase in Phase if (str(phase), self.serial) in self.done]
        return {"result": self.result, "done": done, "run": run}

    def begin_phase(self, order: dict[str, Any]) -> Any:
        since = self.since.setdefault((order["phase"], order["serial"]), self._now().isoformat())
        return (None if order["phase"] == Phase.REPORT else self._stop(order)) or {"since": since}

    def end_phase(self, order: dict[str, Any]) -> Any:
        self.done.add((order["phase"], order["serial"]))
        return {}

    def check_control(self, order: dict[str, Any]) -> Any:
        if order.get("halt") and (stop := self._stop(order)):
            return stop
        if order["epoch"] != self.epoch:
            return {"stop": "fenced", "detail": "another run"}
        gone = (self._now() - datetime.fromisoformat(order["since"])).total_seconds() if "length" in order else 0.0
        return {"paused": self.control == "pause", "seconds": None, "left": order.get("length", 0.0) - gone}

    def _now(self) -> datetime:
        return self.engine.moment().replace(tzinfo=UTC) if self.engine else datetime(2026, 1, 1, tzinfo=UTC)

    def replan(self, order: dict[str, Any]) -> Any:
        if stop := self._stop(order):
            return stop
        self.serial = order["serial"] + 1
        return {}

    def end_closure(self, order: dict[str, Any]) -> Any:
        self.result = order["result"]
        self.written.append("end")
        return {}

    def check_preflight(self, order: dict[str, Any]) -> Any:
        return self._stop(order) or {}

    def survey_family(self, order: dict[str, Any]) -> Any:
        return self._stop(order) or {"family": order["family"], "count": 1}

    def freeze_plan(self, order: dict[str, Any]) -> Any:
        return self._stop(order) or {"digest": f"digest-{order['serial']}"}

    def open_gate(self, order: dict[str, Any]) -> Any:
        return {"state": self.gates.get((order["gate"], order["serial"]), "approved")}

    def judge_gate(self, order: dict[str, Any]) -> Any:
        state = self.gates.get((order["gate"], order["serial"]), "approved")
        return {"state": state, "seconds": 30 * DAY if state == "open" else 0}

    def freeze_sign_ups(self, order: dict[str, Any]) -> Any:
        if stop := self._stop(order):
            return stop
        self.written.append("freeze")
        return {"frozen": True}

    def undo_freeze(self, order: dict[str, Any]) -> Any:
        self.written.append("undo")
        return {"restored": True}

    def turn_off_sync(self, order: dict[str, Any]) -> Any:
        return self._stop(order) or self.sync

    def open_wave(self, order: dict[str, Any]) -> Any:
        shards, privileged = self.shards.get(order["family"], (0, 0))
        return self._stop(order) or {"shards": shards, "privilegedFrom": privileged}

    def share_quota(self, order: dict[str, Any]) -> Any:
        lanes = order["lanes"]
        return self._stop(order) or {"parts": [1 / lanes] * lanes, "buckets": [{"tokens": 3000.0 / lanes}] * lanes}

    def work_shard(self, order: dict[str, Any]) -> Any:
        if stop := self._stop(order):
            return stop
        self.worked.append((order["family"], order["operation"], order["shard"]))
        return {"state": "done", "bucket": {"tokens": 7.0, "lane": order["next"]}, "retryAfter": 0.0}

    def confirm_wave(self, order: dict[str, Any]) -> Any:
        return self._stop(order) or {"confirmed": True, "left": 0}

    def list_subscriptions(self, order: dict[str, Any]) -> Any:
        items = [one for one, provider in self.subscriptions.items() if provider in order["providers"]]
        return self._stop(order) or {"items": items, "seconds": DAY}

    def advance_subscription(self, order: dict[str, Any]) -> Any:
        return self._stop(order) or {"done": True, "parked": True, "stage": order["goal"], "seconds": 0.5}

    def turn_off_mfa(self, order: dict[str, Any]) -> Any:
        return self._stop(order) or {"left": 0, "turnedOff": 0, "unknown": 0, "securityDefaults": True}

    def disable_refused(self, order: dict[str, Any]) -> Any:
        return self._stop(order) or {"refused": 0, "disabled": 0}

    def check_readiness(self, order: dict[str, Any]) -> Any:
        return self._stop(order) or {"ready": True, "checks": [], "seconds": DAY}

    def review_refused(self, order: dict[str, Any]) -> Any:
        return self._stop(order) or {"again": 0, "first": 0, "last": 0, "waiting": 0}

    def begin_rollback(self, order: dict[str, Any]) -> Any:
        self.serial, self.control = order["serial"] + 1, "run"
        self.rollback = {"serial": self.serial, "endsAs": "aborted"}
        return {}

    def plan_rollback(self, order: dict[str, Any]) -> Any:
        items = sum(wave["shards"] for wave in self.to_restore)
        return self._stop(order) or {"items": items, "waves": self.to_restore}

    def finish_rollback(self, order: dict[str, Any]) -> Any:
        self.written.append("rolled-back")
        return self._stop(order) or {"restored": 1, "impossible": 0}

    def delete_directory(self, order: dict[str, Any]) -> Any:
        self.written.append("delete-directory")
        return self._stop(order) or {"state": "accepted", "seconds": 0, "why": ""}

    def open_task(self, order: dict[str, Any]) -> Any:
        return self._stop(order) or {"taskId": f"{order['kind']}-{order['target']}"}

    def probe_task(self, order: dict[str, Any]) -> Any:
        if stop := self._stop(order):
            return stop
        proven = order["kind"] in self.proven
        return {"proven": proven, "proof": "seen" if proven else "", "seconds": 0 if proven else 15 * 60.0}

    def hand_over(self, order: dict[str, Any]) -> Any:
        return self._stop(order) or {}

    def write_report(self, order: dict[str, Any]) -> Any:
        self.written.append("report")
        return {}
