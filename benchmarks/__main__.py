"""`python -m benchmarks`: runs everything, prints it as tables, keeps it as JSON, draws it, writes it into the pages.

Each run that ends is written down at once (`--log`); `--resume` goes on from there. `--report` runs nothing.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import cold, known, machine, pages, responsive, results
from benchmarks.checks import Check, checks
from benchmarks.figures import Row, rows
from benchmarks.runs import Run, estimate, quick, whole
from benchmarks.schedule import carry_out
from benchmarks.table import markdown, tables
from cli.demo.processes import ROOT
from cli.errors import CliError

FOLDER = Path(".bench")
BRIEF = (
    *("program", "users", "first delete to proof", "users/s", "x ours", "of the quota's optimum"),
    *("wrongly reported", "left", "lost", "429", "peak memory"),
)
"""The columns of the README's table; docs/benchmarks.md has all of them."""
EXTRAS = ("responsive", "cold")
SECONDS = {"responsive": 300.0, "cold": 20.0}
QUICK_SECONDS = {"responsive": 75.0, "cold": 20.0}
QUICK_CLOSURES, QUICK_LOOKS = 3, 50


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    p = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--quick", action="store_true", help="everything once and small, under five minutes")
    p.add_argument(
        "--only", nargs="+", metavar="WORD", help="programs, scenarios, responsive or cold; the rest is left out"
    )
    p.add_argument("--users", type=int, help="so many users in every run instead of the plan's")
    p.add_argument("--runs", type=int, default=5, help="runs of each at 10,000 users (default 5)")
    p.add_argument("--log", type=Path, default=FOLDER / "runs.ndjson", help="file of results, a line for each run")
    p.add_argument("--resume", action="store_true", help="leave out what the file of results holds already")
    p.add_argument("--report", action="store_true", help="run nothing, tell what the file of results holds")
    p.add_argument("--json", type=Path, default=FOLDER / "bench.json", metavar="FILE", help="where the JSON goes")
    p.add_argument("--plots", type=Path, default=FOLDER, metavar="DIR", help="where the plots go")
    p.add_argument("--write-pages", action="store_true", help="write tables into README.md and docs/benchmarks.md")
    p.add_argument("--plan", action="store_true", help="print the plan and its estimate, run nothing")
    return p


def main() -> int:
    """Run, tell; 1 when a run failed or something that must be shown was not."""
    options, screen = parser().parse_args(), Console(stderr=True, highlight=False)
    runs = [] if options.report else plan(options)
    extras = [] if options.report else [name for name in EXTRAS if not options.only or name in options.only]
    had = results.read(options.log) if options.resume or options.report else {}
    runs, extras = [run for run in runs if run.key not in had], [name for name in extras if name not in had]
    took = QUICK_SECONDS if options.quick else SECONDS
    _announce(screen, runs, {name: took[name] for name in extras})
    if options.plan:
        return 0
    options.log.parent.mkdir(parents=True, exist_ok=True)
    if not (options.resume or options.report):
        options.log.unlink(missing_ok=True)
    found = dict(had)

    def done(result: dict[str, Any]) -> None:
        results.append(options.log, result)
        found[result["key"]] = result
        screen.print(f"{result['key']}: {_brief(result)}", markup=False)

    begun = time.monotonic()
    carry_out(runs, done, lambda line: screen.print(line, markup=False))
    for name in extras:
        done(_extra(name, options.quick))
    if not options.report:
        screen.print(f"All of it took {(time.monotonic() - begun) / 60:.1f} minutes.")
    return _tell(options, list(found.values()))


def plan(options: argparse.Namespace) -> list[Run]:
    """The runs that were asked for."""
    settings = known.settings()
    chosen = quick(settings) if options.quick else whole(options.runs, settings)
    runs = [run for run in chosen if run.contender == "ours" or run.contender in settings]
    words = set(options.only or ())
    names = {name for run in chosen for name in (run.contender, run.scenario)}
    if unknown := words - names - set(EXTRAS):
        sys.exit(f"--only: {', '.join(sorted(unknown))} is none of {', '.join(sorted([*names, *EXTRAS]))}")
    for part in ({run.contender for run in chosen}, {run.scenario for run in chosen}):
        if words and (part & words or not words - set(EXTRAS)):
            runs = [run for run in runs if {run.contender, run.scenario} & part & words]
    if options.users:
        runs = list(dict.fromkeys(Run(r.contender, options.users, r.scenario, r.number, r.setting) for r in runs))
    return runs


def _announce(screen: Console, runs: list[Run], extras: dict[str, float]) -> None:
    screen.print(json.dumps(machine.describe()), markup=False, soft_wrap=True)
    seconds = estimate(runs) + sum(extras.values())
    screen.print(f"{len(runs)} runs and {len(extras)} more measurements, about {seconds / 60:.0f} minutes.")
    screen.print("Runs that a quota holds back share the machine, their starts apart; the others have it alone.")


def _brief(result: dict[str, Any]) -> str:
    if not result["ok"]:
        return f"failed: {result['why']}"
    figures = result["figures"]
    if "perSecond" not in figures:
        return json.dumps(figures)
    share = figures["optimumShare"]
    of = f", {100 * share:.1f} % of the optimum" if share else ""
    wrong = f"{figures['wrong']} told wrongly, {figures['lost']} lost"
    return f"{figures['seconds']:.1f} s, {figures['perSecond'] or 0:.1f} a second{of}, {wrong}"


def _extra(name: str, small: bool) -> dict[str, Any]:
    def loaded(folder: Path) -> dict[str, Any]:
        return responsive.measure(folder, QUICK_CLOSURES, QUICK_LOOKS) if small else responsive.measure(folder)

    measures: dict[str, Callable[[Path], dict[str, Any]]] = {"responsive": loaded, "cold": cold.measure}
    try:
        with tempfile.TemporaryDirectory(prefix="closure-bench-", ignore_cleanup_errors=True) as folder:
            return {"key": name, "ok": True, "figures": measures[name](Path(folder))}
    except (CliError, OSError) as fault:
        return {"key": name, "ok": False, "why": f"{type(fault).__name__}: {fault}"}


def _tell(options: argparse.Namespace, found: list[dict[str, Any]]) -> int:
    extra = {result["key"]: result["figures"] for result in found if "run" not in result and result["ok"]}
    table = rows([result for result in found if "run" in result])
    shown = checks(table, extra.get("responsive"))
    command = shlex.join(["make", "bench-quick"] if options.quick else ["make", "bench"])
    document = {
        "madeBy": command,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "runs": found,
        "checks": [check.to_dict() for check in shown],
        **extra,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    drawn = _plots(table, options.plots)
    _print(table, shown, extra)
    print(f"JSON: {options.json}; plots: {', '.join(map(str, drawn)) or 'none'}")
    if options.write_pages:
        _write_pages(table, shown, document)
    failed = [result for result in found if not result["ok"]]
    for result in failed:
        print(f"failed: {result['key']}: {result['why']}", file=sys.stderr)
    return 1 if failed or any(check.passed is False for check in shown) else 0


def _plots(table: list[Row], folder: Path) -> list[Path]:
    from benchmarks import plots

    return plots.draw(table, folder)


def _print(table: list[Row], shown: list[Check], extra: dict[str, Any]) -> None:
    screen = Console(width=None if sys.stdout.isatty() else 250)
    for one in tables(table):
        screen.print(one)
    for name, figures in extra.items():
        screen.print(f"{name}: {json.dumps(figures)}", markup=False, soft_wrap=True)
    listed = Table("must show", "wanted", "measured", "", title="What must be shown", title_justify="left")
    for check in shown:
        listed.add_row(check.what, check.wanted, check.measured, _word(check))
    screen.print(listed)


def _word(check: Check) -> str:
    return {None: "not measured", True: "pass", False: "FAIL"}[check.passed]


def _write_pages(table: list[Row], shown: list[Check], document: dict[str, Any]) -> None:
    box = document["machine"]
    made = (
        f"Made by `{document['madeBy']}` on {document['at'][:10]}: {box['processors']} processors "
        f"({box['processor']}), Python {box['python']}, Node.js {box['node']}, {box['latencyMs']:g} ms for every "
        "answer. Medians (least–most)."
    )
    demands = "\n".join(f"| {c.what} | {c.wanted} | {c.measured} | {_word(c)} |" for c in shown)
    listed = f"| Must show | Wanted | Measured | |\n|:--|--:|--:|:--|\n{demands}"
    facts = "\n".join(f"- `{name}`: {value}" for name, value in box.items() if value is not None)
    names = [file.name for file in _plots(table, ROOT / "docs" / "benchmarks")]
    pictures = [f"![{Path(name).stem}](benchmarks/{name})" for name in names]
    first = pictures[0].replace("](", "](docs/", 1) if pictures else ""
    brief = [row for row in table if row.scenario in ("free", "quota")]
    pages.write(ROOT / "README.md", f"{made}\n\n{markdown(brief, BRIEF)}\n\n{first}")
    whole_page = [made, *pictures, markdown(table), listed, f"Machine and settings:\n\n{facts}"]
    pages.write(ROOT / "docs" / "benchmarks.md", "\n\n".join(whole_page))


if __name__ == "__main__":
    sys.exit(main())
