"""`python -m tests.orchestrators.record` records the golden histories anew; golden/README.md says when that is allowed.

One small closure is played that uses every orchestrator, and one that is rolled back. They show every way in which a
history can bend: trouble that is tried again, a pause, an approval taken back, a closed window, a gate without people,
drift, a held shard, shards that are tried again, a wake that ends a wait, a timer of more than three days.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tenantclosure.names import Phase
from tests.orchestrators.stepper import Execution, Trouble, dump
from tests.orchestrators.tenant import DAY, HOUR, ORDER, ROOT, STORY, Tenant

FOLDER = Path(__file__).parent / "golden"


def play() -> list[Execution]:
    """Play the small closure, then one that is rolled back: their finished executions in the order they began."""
    tenant = Tenant(lanes=1, shards={"users": (2, 1)}, subscriptions={"sub-1": "self-service"})
    tenant.sync = {"state": "refused", "why": "403 Forbidden"}
    tenant.does("check_preflight", Trouble("503"))
    tenant.does("open_wave", {"stop": "drift", "detail": "1 new in users: u9"})
    tenant.does("turn_off_mfa", {"stop": "paused", "detail": ""})
    tenant.does(
        "check_control", {"paused": True, "seconds": None}, {"paused": False}, {"paused": True, "seconds": HOUR}
    )
    tenant.does("disable_refused", {"stop": "revoked", "detail": "gate plan"})
    tenant.does("open_gate", {"state": "unreachable", "seconds": HOUR})
    tenant.does("work_shard", {"state": "held", "bucket": {"tokens": 0.5}, "retryAfter": 90.0})
    waits = {"done": False, "parked": True, "stage": "planned", "seconds": 10 * DAY}
    tenant.does("advance_subscription", waits, {"stop": "window", "detail": "2026-01-01T22:00:00.000Z"})
    tenant.does("review_refused", {"again": 1, "first": 0, "last": 1, "tokens": 9.0, "waiting": 0})
    tenant.does("check_readiness", {"ready": False, "checks": [], "seconds": HOUR})
    tenant.does("probe_task", {"proven": False, "proof": "", "seconds": HOUR})
    tenant.does("judge_gate", {"state": "open", "seconds": DAY}, {"state": "open", "seconds": DAY})
    stepper = tenant.stepper()
    instance = stepper.start("close_tenant", ORDER, ROOT)
    stepper.at(60.0, lambda: [stepper.wake(id_) for id_ in list(stepper.instances)] and None)
    stepper.run()
    assert instance.output == {"closureId": ORDER["closureId"], "result": "closed"}, instance.error
    return [*stepper.executions(), *_play_rollback()]


def _play_rollback() -> list[Execution]:
    tenant = Tenant(lanes=1)
    tenant.mark(phase for phase in STORY if phase != Phase.MFA_OFF)
    tenant.does("turn_off_mfa", {"stop": "rollback", "detail": ""})
    tenant.to_restore = [{"family": "users", "operation": "restore", "shards": 1}]
    stepper, instance = tenant.close()
    assert instance.output == {"closureId": ORDER["closureId"], "result": "aborted"}, instance.error
    return stepper.executions()


def record() -> dict[str, list[dict[str, Any]]]:
    """Per orchestrator its recorded executions, each different history once."""
    found: dict[str, list[dict[str, Any]]] = {}
    seen: set[str] = set()
    for execution in play():
        shape = json.dumps([event.WhichOneof("eventType") for event in execution.history])
        if execution.orchestrator + shape not in seen:
            seen.add(execution.orchestrator + shape)
            found.setdefault(execution.orchestrator, []).append(dump(execution))
    return found


def main() -> None:
    """Write one file for each orchestrator, one event a line."""
    os.environ["AZURE_FUNCTIONS_DURABLE_STRICT_TYPING"] = "true"
    for name, executions in record().items():
        path = FOLDER / f"{name}.json"
        path.write_text(render(executions), encoding="utf-8")
        print(f"{path.relative_to(Path.cwd())}: {len(executions)} histories, {path.stat().st_size} bytes")


def render(executions: list[dict[str, Any]]) -> str:
    """JSON with one event on each line, so that a change shows as what it is."""
    parts = []
    for execution in executions:
        head = json.dumps({key: value for key, value in execution.items() if key != "history"})[:-1]
        events = ",\n".join(json.dumps(event) for event in execution["history"])
        parts.append(f'{head}, "history": [\n{events}\n]}}')
    return "[\n" + ",\n".join(parts) + "\n]\n"


if __name__ == "__main__":
    main()
