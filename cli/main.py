"""The `closure` command: every sub-command by its name, and the one way errors become exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from cli.commands import auditing, deciding, filing, reading, rehearsing, serving, steering
from cli.errors import CliError
from cli.options import JSON_KEY
from cli.output import emit_json, plain

ABOUT = """Close a whole Microsoft 365 tenant: survey, approval, five steps, proof.

Try it on a simulated tenant, nothing else needed:

\b
  closure demo --approve-all

Close a real one:

\b
  closure preflight --tenant TENANT     which right is missing, with the command that grants it
  closure preflight request.yaml        check the request before it is sent
  closure request request.yaml          file it: survey and plan, nothing is written to the tenant
  closure status ID --watch             follow it
  closure approve ID --comment "agreed" decide at the open gate
  closure report ID --format html --output report.html

Exit codes: 0 closed or done, 1 any other end, 2 bad input, 3 cannot reach the server.
"""


class _Commands(TyperGroup):
    """Turns our errors into one sentence on standard error and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CliError as error:
            if ctx.meta.get(JSON_KEY):
                emit_json(error.problem())
            for line in str(error).splitlines():
                typer.echo(plain(line), err=True)
            raise typer.Exit(error.exit_code) from None


app = typer.Typer(
    name="closure",
    cls=_Commands,
    help=ABOUT,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
audit = typer.Typer(help="Check the audit chain.", no_args_is_help=True)

app.command("demo", rich_help_panel="On this machine")(rehearsing.demo)
app.command("serve", rich_help_panel="On this machine")(serving.serve)
app.command("request", rich_help_panel="Start")(filing.request)
app.command("preflight", rich_help_panel="Start")(filing.preflight)
app.command("list", rich_help_panel="Look")(reading.list_closures)
app.command("status", rich_help_panel="Look")(reading.status)
app.command("plan", rich_help_panel="Look")(reading.plan)
app.command("tasks", rich_help_panel="Look")(reading.tasks)
app.command("report", rich_help_panel="Look")(reading.report)
app.command("approve", rich_help_panel="Decide")(deciding.approve)
app.command("veto", rich_help_panel="Decide")(deciding.veto)
app.command("pause", rich_help_panel="Steer")(steering.pause)
app.command("unpause", rich_help_panel="Steer")(steering.unpause)
app.command("resume", rich_help_panel="Steer")(steering.resume)
app.command("abort", rich_help_panel="Steer")(steering.abort)
app.command("rollback", rich_help_panel="Steer")(steering.rollback)
audit.command("verify")(auditing.verify)
app.add_typer(audit, name="audit", rich_help_panel="Prove")


@audit.callback()
def _audit() -> None:
    """Check the audit chain."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    app(args=list(sys.argv[1:] if arguments is None else arguments), prog_name="closure")
