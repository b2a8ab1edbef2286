"""The final report as one HTML file and as JSON; both show the same dict.

```text
{schema, closureId, tenantId, domain, displayName, result, why?, requester, reason, createdAt, endedAt,
 plan: {serial, digest, families: {family: count}},
 counts: {family: {planned, removed, absent, kept, refused, failed}},
 approvals: [{gate, serial, digest, decision, person, at, comment}],
 tasks: [task documents], subscriptions: [{id, name, provider, stage, outcome}],
 timeline: [{at, word, actor, detail}], blockers: [{what, why, remedy, who, items, earliest}],
 closing: the newest closing date (policy.closing_date) with `at` | null, tenantGone: {provenAt, sightings} | null,
 confirmed: {family: {at, left}}, a fresh listing after the last deletion,
 audit: {ok, lines, head}, resent,
 access: {mfa: {left, turnedOff, stillOn, unknown} | null, securityDefaults: true | false | null,
          policies: [{name, state}] | null},
 usage: {phases: {phase: counts}, total: counts, costs: {currency, priced, records, azureStorage,
         durableTaskScheduler}} with counts {histories, activities, timers, children, wakes, blobWrites, blobReads,
         blobLists, tables, queues, historyEvents, episodes, recordsTransactions, engineTransactions, schedulerActions,
         requests} (policy.usage),
 rollbacks: [{serial, number, askedBy, at, state, planned: {family: count}, counts: {restored, left, impossible},
              restored: [{family, id, name, outcome, why}], left: the same, impossible: [{family, id, name, why}]}],
              each list as far as its first thousand; the CSV has them all}
```
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tenantclosure.names import OUTCOMES, Word
from tenantclosure.rendering import pictures

HEADLINES = {
    "closed": "The tenant is closed",
    "blocked": "The closure ended with blockers",
    "kept": "The closure ended; users were kept",
    "vetoed": "The closure was vetoed",
    "expired": "The closure expired unanswered",
    "aborted": "The closure was aborted",
    "failed": "The closure failed",
}
MANY = 400
"""Timeline lines shown; a longer story loses its shards and writes first, which the JSON keeps."""
NAMED = 200
"""Entries of one list that the page names; the JSON has more, or all."""
ROLLED_BACK = {
    "done": "It was approved and carried out.",
    "empty": "There was nothing to bring back, so nobody was asked and nothing was changed.",
    "vetoed": "It was not approved: somebody vetoed it. Nobody was restored.",
    "expired": "It was not approved: too few people agreed in time. Nobody was restored.",
    "unapproved": "It was not approved: it was given up before people had decided. Nobody was restored.",
    "unfinished": "It was approved, but ended before it was through; what was restored stands in the CSV.",
}
"""What a rollback came to."""
USED = (
    ("activities", "activities"),
    ("timers", "timers"),
    ("children", "children"),
    ("history events", "historyEvents"),
    ("episodes", "episodes"),
    ("records' transactions", "recordsTransactions"),
    ("engine's transactions", "engineTransactions"),
    ("engine's actions", "schedulerActions"),
    ("requests", "requests"),
)
"""Columns of what was used: transactions in Azure Storage, actions in the Durable Task Scheduler."""
FINE = frozenset({Word.SHARD_DONE, Word.WRITE_MADE})

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def moment(text: str | None) -> str:
    """A wire time in UTC, to the second."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if text else "–"


def brief(value: Any) -> str:
    """An audit line's detail in one readable line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {brief(member)}" for key, member in value.items() if member not in (None, "", [], {}))
    if isinstance(value, list):
        more = f" and {len(value) - 10} more" if len(value) > 10 else ""
        return " ".join(brief(member) for member in value[:10]) + more
    return str(value)[:300]


def money(dollars: float) -> str:
    """US dollars; small sums keep their first digits."""
    return f"USD {dollars:.2f}" if dollars >= 1 else f"USD {dollars:.4f}"


_environment.filters["moment"] = moment
_environment.filters["money"] = money
_environment.filters["brief"] = brief


def report_html(report: Mapping[str, Any]) -> str:
    """The report as one self-contained page: style and pictures inside, no script, nothing fetched."""
    timeline = list(report["timeline"])
    story = timeline if len(timeline) <= MANY else [line for line in timeline if line["word"] not in FINE]
    return _environment.get_template("report.html").render(
        report=report,
        headline=HEADLINES.get(report["result"], "The closure has ended"),
        families=pictures.family_bars(report["counts"]),
        strip=pictures.phase_strip(timeline, report["createdAt"], report["endedAt"]),
        outcomes=[outcome.value for outcome in OUTCOMES],
        lanes=pictures.closing_lanes(report.get("closing"), (report.get("closing") or {}).get("at"))["lanes"],
        came_to=ROLLED_BACK,
        named=NAMED,
        used=USED,
        story=story[:MANY],
        left_out=len(timeline) - len(story[:MANY]),
    )


def report_json(report: Mapping[str, Any]) -> bytes:
    """The report for machines, keys in a fixed order."""
    return (json.dumps(report, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode("utf-8", errors="replace")
