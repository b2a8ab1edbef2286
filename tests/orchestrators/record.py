"""`python -m tests.orchestrators.record` records the newest version's golden histories; golden/README.md says when.

One small closure is played that uses every orchestrator, and one that is rolled back. They show every way in which a
history can bend: trouble that is tried again, a pause, an approval taken back, a closed window, a gate without people,
drift, a held shard, shards that are tried again, a wake that ends a wait, a timer of more than three days.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from tenantclosure.names import Phase
from tests.orchestrators.stepper import VERSION, Execution, Trouble, dump
from tests.orchestrators.tenant import DAY, HOUR, ORDER, ROOT, STORY, Tenant

GOLDEN = Path(__file__).parent / "golden"
"""One folder for each version of the histories; `host.json` says which one new instances get."""
MANIFEST = "manifest.json"
"""In each folder: {released, files: {name: SHA-256}}."""


class Released(Exception):  # not an error of the program: a no
    """This version may run somewhere: its histories stay as they are."""


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
    tenant.does("review_refused", {"again": 1, "first": 0, "last": 1, "waiting": 0})
    tenant.does("check_readiness", {"ready": False, "checks": [], "seconds": HOUR})
    tenant.does("probe_task", {"proven": False, "proof": "", "seconds": HOUR})
    tenant.does("judge_gate", {"state": "open", "seconds": DAY}, {"state": "open", "seconds": DAY})
    stepper = tenant.stepper()
    instance = stepper.start("close_tenant", ORDER, ROOT)
    stepper.at(60.0, lambda: [stepper.wake(id_) for id_ in list(stepper.instances)] and None)
    stepper.run()
    assert instance.output == {"closureId": ORDER["closureId"], "result": "closed"}, instance.error
    return [*stepper.executions(), *_play_group(), *_play_rollback()]


def _play_group() -> list[Execution]:
    """A group of two subscriptions: a parent starts groups only when there are more than a hundred."""
    stepper = Tenant().stepper()
    group = {"items": ["sub-1", "sub-2"], "goal": "deleted", "park": True, "waiter": ROOT, "daySeconds": DAY}
    instance = stepper.start("end_subscriptions", {**ORDER, **group}, "group")
    stepper.run()
    assert instance.output == {"seconds": DAY}, instance.error
    return stepper.instances["group"].executions


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
    """Write one file for each orchestrator, one event a line, into the folder of the newest version."""
    os.environ["AZURE_FUNCTIONS_DURABLE_STRICT_TYPING"] = "true"
    write(GOLDEN / VERSION, record())


def write(folder: Path, recorded: dict[str, list[dict[str, Any]]]) -> None:
    """Put a version's histories in place of what is in its folder, and their hashes beside them. Raises Released."""
    folder.mkdir(exist_ok=True)
    if (folder / MANIFEST).exists() and manifest(folder)["released"]:
        raise Released(f"Version {folder.name} is released. Raise defaultVersion in host.json (docs/versions.md).")
    for path in folder.glob("*.json"):
        path.unlink()
    for name, executions in recorded.items():
        path = folder / f"{name}.json"
        path.write_text(render(executions), encoding="utf-8")
        print(f"{folder.name}/{path.name}: {len(executions)} histories, {path.stat().st_size} bytes")
    document = {"released": False, "files": hashes(folder)}
    (folder / MANIFEST).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def manifest(folder: Path) -> dict[str, Any]:
    """What a version's folder says of itself."""
    found: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return found


def histories(folder: Path) -> list[Path]:
    """The files of a version, one for each orchestrator."""
    return sorted(path for path in folder.glob("*.json") if path.name != MANIFEST)


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a version."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in histories(folder)}


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
