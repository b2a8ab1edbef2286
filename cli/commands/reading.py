"""Commands that look: closures, one closure, its plan, its manual tasks, its report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli.errors import OK, OTHER_END, BadInput
from cli.options import As, ClosureId, Comment, Json, Server
from cli.output import emit_json, items_of, pairs, plain, table


def list_closures(server: Server = None, person: As = None, as_json: Json = False) -> None:
    """List every closure, and requests from the queue that were refused (poison messages)."""
    from cli.client import Api
    from cli.server import connect

    with Api(connect(server, person)) as api:
        pages = list(api.pages("/api/closures"))
    rows = [row for page in pages for row in items_of(page)]
    poison = pages[0].get("poison", []) if pages else []
    if as_json:
        emit_json({"items": rows, "poison": poison})
        return
    if rows:
        keys = ("closureId", "domain", "status", "phase", "result", "updatedAt")
        table(
            ("Closure", "Domain", "Status", "Phase", "Result", "Updated"),
            ([row.get(key) for key in keys] for row in rows),
        )
    else:
        typer.echo("No closures yet. File one with `closure request FILE`.")
    if poison:
        table(
            ("Queued", "Field", "Why", "Remedy"), (_poison(entry) for entry in poison), title="Refused queue messages"
        )


def _poison(entry: dict[str, Any]) -> list[Any]:
    problem = entry.get("problem") or {}
    return [entry.get("at"), problem.get("field"), problem.get("detail"), problem.get("remedy")]


def status(
    closure: ClosureId,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it until it ends.")] = False,
    server: Server = None,
    person: As = None,
    as_json: Json = False,
) -> None:
    """Show where a closure stands: phase, counts, rate, time left, the open gate and manual tasks.

    Exit code 0 while it lives and when it ended as closed, 1 when it ended in any other way.

    \b
    Examples:
      closure status ID --watch
      closure status ID --json
    """
    from cli.client import Api, closure_path
    from cli.output import console
    from cli.progress import follow, render
    from cli.server import connect

    with Api(connect(server, person)) as api:
        if watch:
            # With --json only the last document goes to standard output; people watch on standard error then.
            document = follow(lambda: api.get(closure_path(closure)), console(stderr=as_json))
        else:
            document = api.get(closure_path(closure))
    if as_json:
        emit_json(document)
    elif not watch:
        console().print(render(document))
    ended = document.get("status") == "ended"
    raise typer.Exit(OTHER_END if ended and document.get("result") != "closed" else OK)


def plan(
    closure: ClosureId,
    family: Annotated[str | None, typer.Option("--family", metavar="NAME", help="List this family's items.")] = None,
    server: Server = None,
    person: As = None,
    as_json: Json = False,
) -> None:
    """Show the frozen plan: what will be removed, by family, and the digest that people approve.

    \b
    Examples:
      closure plan ID
      closure plan ID --family users
    """
    from cli.client import Api, closure_path
    from cli.server import connect

    path = closure_path(closure, "plan")
    with Api(connect(server, person)) as api:
        if family is None:
            document = api.get(path)
        else:
            pages = list(api.pages(path, family=family))
            items = [item for page in pages for item in items_of(page)]
            document = {**pages[0], "items": items, "next": None}
    if as_json:
        emit_json(document)
    elif family is not None:
        for item in document["items"]:
            typer.echo(f"{plain(item.get('id'))}  {plain(item.get('name'))}")
    else:
        pairs({"serial": document.get("serial"), "digest": document.get("digest")})
        families = (document.get("manifest") or {}).get("families") or {}
        table(("Family", "Items"), ([name, listing.get("count")] for name, listing in families.items()))


def tasks(
    closure: ClosureId,
    done: Annotated[str | None, typer.Option("--done", metavar="TASK", help="Report this task as done.")] = None,
    comment: Comment = "",
    server: Server = None,
    person: As = None,
    as_json: Json = False,
) -> None:
    """List the manual tasks: who does what, why, where, with which clicks, until when, and how it is proven.

    `--done` reports one as done: that only makes us look at once, unless the task says that your word is the proof.

    \b
    Examples:
      closure tasks ID
      closure tasks ID --done cancel-subscription-42 --comment "cancelled in the admin center"
    """
    from cli.client import Api, closure_path
    from cli.server import connect

    with Api(connect(server, person)) as api:
        if done is not None:
            document = api.post(closure_path(closure, "tasks", done, "done"), {"comment": comment})
        else:
            document = api.get(closure_path(closure, "tasks"))
    if as_json:
        emit_json(document)
    elif done is not None:
        typer.echo(f"{plain(done)}: {plain(document.get('told'))}")
    else:
        _print_tasks(items_of(document))


_OF_TASKS = (
    ("Why", "why"),
    ("Who", "who"),
    ("Where", "link"),
    ("By", "deadline"),
    ("Careful", "warning"),
)


def _print_tasks(rows: list[dict[str, Any]]) -> None:
    if not rows:
        typer.echo("No manual tasks.")
    for task in rows:
        standing = task.get("standingText") or task.get("state")
        typer.echo(f"[{plain(standing)}] {plain(task.get('taskId'))}: {plain(task.get('title'))}")
        if task.get("state") == "open":
            _print_open(task)
        for said in task.get("reports") or ():
            comment = f": {plain(said['comment'])}" if said.get("comment") else ""
            typer.echo(
                f"    Reported done {plain(said.get('at'))} by {plain((said.get('by') or {}).get('upn'))}{comment}"
            )
        if task.get("proof"):
            typer.echo(f"    Proven {plain(task.get('provenAt'))}: {plain(task['proof'])}")


def _print_open(task: dict[str, Any]) -> None:
    for label, key in _OF_TASKS:
        if task.get(key):
            late = " (overdue)" if key == "deadline" and task.get("overdue") else ""
            typer.echo(f"    {label}: {plain(task[key])}{late}")
    for number, step in enumerate(task.get("steps") or (), 1):
        typer.echo(f"    {number}. {plain(step)}")
    for item in task.get("items") or ():
        typer.echo(f"    - {plain(item)}")
    told = (
        ("Proven by", task.get("probe")),
        ("Last look", task.get("seen")),
        ("Next look", task.get("nextAt")),
        ("Support asked", task.get("escalatedAt")),
    )
    for label, text in told:
        if text:
            typer.echo(f"    {label}: {plain(text)}")


def report(
    closure: ClosureId,
    form: Annotated[
        Literal["html", "json", "csv"] | None, typer.Option("--format", help="html, json or csv (default html).")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there.")] = None,
    server: Server = None,
    person: As = None,
    as_json: Json = False,
) -> None:
    """Fetch the final report: counts, outcomes, approvals, timeline, certificate, audit head.

    \b
    Examples:
      closure report ID --output report.html
      closure report ID --format csv > outcomes.csv
    """
    from cli.client import Api, closure_path
    from cli.server import connect

    if as_json and output is None and form not in (None, "json"):
        raise BadInput("--json", f"It can't be joined with --format {form} on standard output.", "Add --output FILE.")
    wanted = form or ("json" if as_json and output is None else "html")
    with Api(connect(server, person)) as api:
        chunks = api.parts(closure_path(closure, "report"), format=wanted)
        if output is None:
            for chunk in chunks:
                sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            return
        size = _save(output, chunks)
    if as_json:
        emit_json({"file": str(output), "format": wanted, "bytes": size})
    else:
        typer.echo(f"Wrote {output} ({size} bytes).")


def _save(file: Path, chunks: Any) -> int:
    size = 0
    try:
        with file.open("wb") as handle:
            for chunk in chunks:
                size += handle.write(chunk)
    except OSError as error:
        raise BadInput("--output", f"{file} can't be written: {error.strerror}.", "Name another file.") from None
    return size
