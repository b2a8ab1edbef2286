"""The story of a rehearsal.

1. A state folder, the simulator, and the local host pointed at it.
2. Olga files the request; the portal robot gets its orders.
3. People approve at each gate, by themselves or told how; progress is shown on standard error.
4. The simulator's score, the report and the audit chain become one object; every process ends.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.client import Api, closure_path
from cli.demo import stage
from cli.demo.choices import Choices, write_limit
from cli.demo.patience import Patience
from cli.demo.people import People
from cli.demo.processes import ROOT, Child, Processes, tail
from cli.demo.verdict import collect, save_report
from cli.errors import OK, OTHER_END, CliError
from cli.output import console, emit_json, pairs, plain
from cli.progress import follow
from cli.server import DEV_HEADER, Connection, principal

if TYPE_CHECKING:
    from rich.console import Console

START_SECONDS = 90.0
POLL_SECONDS = 0.5
ROBOT_DELAY_SECONDS = 0.5


def run(choices: Choices) -> int:
    """Rehearse one closure; returns the exit code."""
    write_limit(choices.quota)  # refuse a wrong one before anything starts
    if not (ROOT / "function_app.py").exists():
        raise CliError(f"{ROOT} has no function_app.py: a rehearsal runs from a checkout of the repository.")
    began = time.monotonic()
    screen = console(stderr=True)
    with stage.StateFolder(choices.state_dir, keep=choices.keep_state) as folder, Processes() as processes:
        screen.print(f"Rehearsal in {folder.path}: starting the simulated tenant ...")
        tenant = _start_simulator(processes, folder.path, choices)
        screen.print(f"{tenant['domain']} with {choices.users} users is up; starting the local host ...")
        url = _start_host(processes, folder, tenant, choices)
        headers = {DEV_HEADER: principal(stage.OPERATOR)}
        with Api(Connection(url, True, headers)) as api:
            closure = str(api.post("/api/closures", stage.request(tenant))["closureId"])
            screen.print(f"Filed as {closure}; its page is {url}/closures/{closure}", soft_wrap=True)
            _order_robot(str(tenant["url"]), url, closure, headers, choices)
            if choices.profile == "hostile":
                screen.print(_hostile(str(tenant["url"])), soft_wrap=True, markup=False, highlight=False)
            document = _follow(api, closure, tenant, processes, screen, choices)
            if document.get("status") != "ended":
                log = tail(folder.path / "host.log")
                said = f"It has not ended, and nothing moves any more. The end of host.log:\n{log}"
                screen.print(said, soft_wrap=True)
            outcome = collect(api, str(tenant["url"]), document, time.monotonic() - began)
            files = save_report(api, closure, _report_files(folder, choices))
        _show(outcome, files, choices)
        if not choices.ends_by_itself and sys.stdin.isatty():
            _stay(processes, screen, f"{url}/closures/{closure}")
    return OK if outcome["result"] == "closed" else OTHER_END


def _start_simulator(processes: Processes, folder: Path, choices: Choices) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "simulator",
        "--port",
        "0",
        "--seed",
        str(choices.seed),
        "--users",
        str(choices.users),
    ]
    command += ["--profile", choices.profile, "--quota", choices.quota, "--latency-ms", f"{choices.latency_ms:g}"]
    command += ["--day-seconds", f"{choices.day_seconds:g}", "--state-dir", str(folder / "simulator")]
    child = processes.start("simulator", command, stage.clean_environment(), folder / "simulator.log")
    return child.wait_for(_ready_line, START_SECONDS)


def _ready_line(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "tenantId" in found else None


def _start_host(processes: Processes, folder: stage.StateFolder, tenant: dict[str, Any], choices: Choices) -> str:
    policy = folder.write("approval-policy.yaml", stage.approval_policy(choices.day_seconds))
    folder.write("request.yaml", stage.request(tenant))
    environment = {**stage.clean_environment(), **stage.settings(tenant, choices, policy)}
    state = str(folder.path / "host")
    command = [
        sys.executable,
        "-m",
        "embedded",
        "--app-dir",
        str(ROOT),
        "--state-dir",
        state,
        "--port",
        str(choices.port),
    ]
    child: Child = processes.start("local host", command, environment, folder.path / "host.log")
    mark = "Listening on "
    return child.wait_for(lambda line: line.removeprefix(mark) if line.startswith(mark) else None, START_SECONDS)


def _order_robot(simulator: str, url: str, closure: str, headers: dict[str, str], choices: Choices) -> None:
    tasks = url + closure_path(closure, "tasks")
    orders = {"enabled": True, "tasksUrl": tasks, "doneUrl": f"{tasks}/{{task}}/done", "headers": headers}
    orders["skip"] = stage.OUTSIDE if choices.profile == "hostile" else ()
    with Api(Connection(simulator, True)) as other_side:
        other_side.post("/_sim/robot", {**orders, "delaySeconds": ROBOT_DELAY_SECONDS})


def _hostile(simulator: str) -> str:
    what = "What this tenant plants, only others than the keeper can clear. To play them, in another terminal:"
    return f"{what}\n  curl -X POST {simulator}/_sim/support"


def _follow(
    api: Api, closure: str, tenant: dict[str, Any], processes: Processes, screen: Console, choices: Choices
) -> dict[str, Any]:
    people = People(api.url, closure, tenant, screen, approve_all=choices.approve_all)
    patience = Patience(choices.day_seconds, approve_all=choices.approve_all)

    def read() -> dict[str, Any]:
        processes.check()
        found: dict[str, Any] = api.get(closure_path(closure))
        return found

    with Api(Connection(str(tenant["url"]), True)) as other_side:

        def seen(document: dict[str, Any]) -> bool:
            people.look(document)
            return choices.ends_by_itself and patience.over(document, _left_alone(other_side))

        return follow(read, screen, poll=POLL_SECONDS, seen=seen)


def _left_alone(simulator: Api) -> frozenset[str]:
    """Tasks that the keeper's robot will not get done: those of others, and those the portal refuses it."""
    robot = simulator.get("/_sim/robot")
    return frozenset([*robot["skipped"], *robot["refused"]])


def _report_files(folder: stage.StateFolder, choices: Choices) -> list[Path]:
    return [folder.path / "report.html", *([choices.output] if choices.output else [])]


def _show(outcome: dict[str, Any], files: list[Path], choices: Choices) -> None:
    if choices.as_json:
        emit_json(outcome)
        return
    blockers = outcome["blockers"]
    pairs({**outcome, "blockers": len(blockers)})
    for blocker in blockers:
        print(f"  blocker: {plain(blocker)}")
    if not files:
        return
    kept = choices.output or (files[0] if choices.keep_state or choices.state_dir else None)
    print(f"Report: {kept}" if kept else "Add --output report.html to keep the report.")


def _stay(processes: Processes, screen: Console, page: str) -> None:
    screen.print(f"The pages stay up for you to look at: {page}\nCtrl-C ends everything.", soft_wrap=True)
    try:
        while True:
            processes.check()
            time.sleep(0.5)
    except KeyboardInterrupt:
        screen.print("Ending.")
