"""Command that rehearses a closure on a simulated tenant, from request to report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.options import Json


def demo(
    users: Annotated[int, typer.Option("--users", min=1, max=1_000_000, help="Users of the simulated tenant.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same tenant.")] = 7,
    profile: Annotated[
        Literal["small", "hybrid", "large", "hostile", "external", "external-b2c"],
        typer.Option("--profile", help="Kind of tenant."),
    ] = "small",
    quota: Annotated[
        str, typer.Option("--quota", metavar="off|CAP/WINDOW", help="Write quota: CAP requests in WINDOW seconds.")
    ] = "3000/150",
    approve_all: Annotated[
        bool, typer.Option("--approve-all", help="Ann and Cyd approve at once; then it ends by itself.")
    ] = False,
    once: Annotated[
        bool, typer.Option("--once", help="Exit when the closure has ended, or only blockers remain.")
    ] = False,
    as_json: Json = False,
    # The longest wait is 90 of Microsoft's days (a disabled subscription that only its date deletes): 18 s.
    day_seconds: Annotated[
        float, typer.Option("--day-seconds", min=0.001, help="Length of a day of Microsoft's.")
    ] = 0.1,
    latency_ms: Annotated[float, typer.Option("--latency-ms", min=0, help="Delay of every simulated answer.")] = 0.0,
    keep_state: Annotated[
        bool, typer.Option("--keep-state", help="Keep the temporary state folder: logs, records, report.")
    ] = False,
    state_dir: Annotated[
        Path | None, typer.Option("--state-dir", metavar="DIR", help="Use this folder, and keep it.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the HTML report there.")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of the pages; 0 takes a free one.")] = 0,
) -> None:
    """Close a simulated tenant: starts the simulator and the local host, files a request, shows progress, ends both.

    Without --approve-all you decide: at each gate it shows where the mails and the Teams card lie that a browser opens
    (simulated inboxes, with links to the pages), and the exact `closure approve` lines as the other way.
    On a terminal and without --once the pages then stay up after the end until Ctrl-C. With --approve-all it always
    ends by itself. Nothing leaves this machine; settings of yours (CLOSURE_...) are not used.

    \b
    Examples:
      closure demo --approve-all
      closure demo --users 2000 --profile hybrid --approve-all --once --json
      closure demo --profile hostile --approve-all --once
      closure demo --users 10000 --profile large --quota off --approve-all --output report.html
    """
    from cli.demo.choices import Choices
    from cli.demo.rehearsal import run

    chosen = Choices(
        users=users,
        seed=seed,
        profile=profile,
        quota=quota,
        approve_all=approve_all,
        once=once,
        as_json=as_json,
        day_seconds=day_seconds,
        latency_ms=latency_ms,
        keep_state=keep_state,
        state_dir=state_dir,
        output=output,
        port=port,
    )
    raise typer.Exit(run(chosen))
