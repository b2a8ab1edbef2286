"""docs/operations.md and the workbook know the names that the program uses, and no others."""

from __future__ import annotations

import json
import re
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cli.main import app
from tenantclosure.names import Rail
from tenantclosure.policy.stuck import REASONS
from tenantclosure.signals import ALERTED, Alert, Attribute, Event, Metric, Span

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
WORKBOOK = json.loads((ROOT / "infra/workbook/closure.workbook.json").read_text(encoding="utf-8"))
TABLES = {"traces", "customMetrics", "dependencies", "requests"}


def section(title: str) -> str:
    """What stands below a heading, up to the next of the same level."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def rows(title: str) -> dict[str, list[str]]:
    """A section's table by the name in its first column."""
    lines = [line.strip("|").split(" | ") for line in section(title).splitlines() if line.startswith(("| `", "| [`"))]
    return {re.findall(r"`([^`]+)`", cells[0])[0]: cells for cells in lines}


@pytest.mark.parametrize(
    ("title", "known"), [("Spans", Span), ("Metrics", Metric), ("Events", Event), ("Alerts", Alert)]
)
def test_every_name_has_its_row(title: str, known: Any) -> None:
    """The tables miss none and make up none."""
    found = rows(title)
    missing = {str(name) for name in known} - set(found)

    assert set() == missing
    assert set() == {name for name in found if name not in {*map(str, known), *REASONS}}


def test_attributes_on_the_page_exist() -> None:
    """What the tables say that a span, number or event has, it can have."""
    told = chain(
        *(
            re.findall(r"`([a-zA-Z]+)`", cells[-1])
            for title in ("Spans", "Metrics", "Events")
            for cells in rows(title).values()
        )
    )
    words = {"ok", "stop", "trouble", "failed"}

    assert set() == set(told) - set(map(str, Attribute)) - words


def test_alerts_say_what_they_look_for() -> None:
    """Each rule's row names its event or metric, and has an entry in the runbook."""
    found = rows("Alerts")

    assert {str(alert): True for alert in Alert} == {
        str(alert): f"`{looked_for}`" in found[alert][1] for alert, looked_for in ALERTED.items()
    }
    assert set(map(str, Alert)) == set(re.findall(r"^### ([a-z-]+)$", PAGE, re.MULTILINE))


def test_reasons_and_rails_are_those_of_the_code() -> None:
    """Whoever meets one finds what to do."""
    runbook = section("Alerts")

    assert set() == {reason for reason in REASONS if f"| `{reason}` |" not in runbook}
    assert set() == {str(rail) for rail in Rail if rail != Rail.FENCE and f"`{rail}`" not in runbook}


def test_commands_of_the_runbook_exist() -> None:
    """Every `closure ...` on the page is a command, with options that it has."""
    group: Any = get_command(app)
    wrong = []
    for line in re.findall(r"`closure ([a-z][^`]*)`", PAGE):
        command, words = group, line.split()
        while words and hasattr(command, "commands"):
            command = command.commands.get(words.pop(0))
        options = {option for one in getattr(command, "params", ()) for option in one.opts}
        if command is None or not {word for word in words if word.startswith("--")} <= options:
            wrong.append(line)

    assert [] == wrong


def queries() -> list[tuple[str, str]]:
    """The workbook's queries by the name of their item, those of its parameters too."""
    found = [(item["name"], item["content"]["query"]) for item in WORKBOOK["items"] if item["type"] == 3]
    asked = (item["content"]["parameters"] for item in WORKBOOK["items"] if item["type"] == 9)
    return found + [(one["name"], one["query"]) for one in chain(*asked) if "query" in one]


@pytest.mark.parametrize(("name", "query"), queries())
def test_query_asks_for_known_names(name: str, query: str) -> None:
    """Tables, events, metrics, spans and attributes of each query are those that the program sends."""
    quoted = {word for word in re.findall(r"'([^']*)'", query) if "." in word}
    said = set(re.findall(r"customDimensions\.(\w+)", query))
    tables = set(re.findall(r"^(?:union )?(\w+)(?:, (\w+))?", query)[0]) - {""}

    assert set() == tables - TABLES
    assert set() == quoted - set(map(str, [*Event, *Metric]))
    assert set() == said - set(map(str, Attribute))
    assert set() == set(re.findall(r"name == '(\w+)'", query)) - set(map(str, Span))


def test_workbook_shows_what_it_is_for() -> None:
    """State, speed, 429, gates, failures, standstills and activities each have a picture; names come once."""
    asked = " ".join(query for _, query in queries())
    names = [item["name"] for item in WORKBOOK["items"]]

    assert set() == {str(metric) for metric in Metric if f"'{metric}'" not in asked} - {Metric.STUCK}
    assert {"closure.stuck", "closure.failed", "rail.broken"} <= set(re.findall(r"'([^']*)'", asked))
    assert len(names) == len(set(names))


def test_workbook_has_the_form_of_one() -> None:
    """What Azure asks of a workbook: its version, and items of known types over Application Insights."""
    kinds = {1: "json", 3: "KqlItem/1.0", 9: "KqlParameterItem/1.0"}

    assert "Notebook/1.0" == WORKBOOK["version"]
    for item in WORKBOOK["items"]:
        content = item["content"]
        assert kinds[item["type"]] == ("json" if item["type"] == 1 else content["version"])
        if item["type"] != 1:
            assert "microsoft.insights/components" == content["resourceType"]
