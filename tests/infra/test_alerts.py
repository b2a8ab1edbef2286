"""The alert rules look for what the program tells, and mail somebody; the workbook is one."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tenantclosure.signals import ALERTED, Alert, Attribute, Event, Metric
from tests.infra.templates import INFRA, ROOT, template, words

RULES: list[dict[str, Any]] = json.loads((INFRA / "alerts.json").read_text("utf-8"))
BY_NAME = {rule["name"]: rule for rule in RULES}
REPEATED_MINUTES = 10
"""How often the program tells again of what lasts (tenantclosure/signals.py)."""


def minutes(duration: str) -> int:
    """An ISO 8601 duration of minutes alone."""
    found = re.fullmatch(r"PT(\d+)M", duration)
    assert found, duration
    return int(found[1])


def test_there_is_a_rule_for_each_alert() -> None:
    """None is missing, none is unknown to the runbook, none is there twice."""
    page = (ROOT / "docs/operations.md").read_text("utf-8")

    assert sorted(Alert) == sorted(rule["name"] for rule in RULES)
    assert [] == [rule["name"] for rule in RULES if f"`{rule['name']}`" not in page]


@pytest.mark.parametrize("alert", list(Alert))
def test_rule_asks_for_what_the_program_says(alert: Alert) -> None:
    """The query names the event or metric of this alert, in the table where it arrives, and attributes that exist."""
    signal, query = ALERTED[alert], BY_NAME[alert]["query"]
    table, asked = {
        Event: ("traces", f"customDimensions.event == '{signal}'"),
        Metric: ("customMetrics", f"name == '{signal}'"),
    }[type(signal)]

    assert query.startswith(f"{table} | where ")
    assert asked in query
    assert set() == set(re.findall(r"customDimensions\.(\w+)", query)) - set(Attribute)


@pytest.mark.parametrize("alert", list(Alert))
def test_rule_tells_once_while_it_lasts(alert: Alert) -> None:
    """It looks often, and back over more than two of the program's repetitions: it neither sleeps nor flickers."""
    rule = BY_NAME[alert]

    assert minutes(rule["every"]) < REPEATED_MINUTES
    assert minutes(rule["window"]) > 2 * REPEATED_MINUTES
    assert rule["severity"] in (1, 2)
    assert rule["title"]
    assert rule["description"].endswith(".")


@pytest.mark.parametrize("alert", list(Alert))
def test_rule_splits_by_what_it_is_about(alert: Alert) -> None:
    """A second closure's alert does not hide behind the first one's: each query has the column that splits them."""
    told = template("modules/alerts.bicep").resources["rule"].properties
    [condition] = told["criteria"]["allOf"]
    [dimension] = condition["dimensions"]

    assert f"{dimension['name']} = " in BY_NAME[alert]["query"]
    assert "timestamp" in BY_NAME[alert]["query"]
    assert ["*"] == dimension["values"]


def test_rules_are_made_as_they_are_written() -> None:
    """The template takes all of them, turned on, and mails the operators."""
    alerts = template("modules/alerts.bicep")
    told = alerts.resources["rule"].properties
    _, handed = template("main.bicep").modules["alerts"]

    assert "load_json_content(../alerts.json)" == words(alerts.variable("alerts"))
    assert (True, True) == (told["enabled"], told["autoMitigate"])
    assert ["operators.id"] == [words(each) for each in told["actions"]["actionGroups"]]
    assert ["insightsId"] == told["scopes"]
    assert "monitoring.outputs.id" == words(handed["insightsId"])
    assert (
        {"name", "title", "severity", "description", "every", "window", "query"}
        == set(re.findall(r"each\.(\w+)", alerts.text))
        == set.intersection(*map(set, RULES))
        == set.union(*map(set, RULES))
    )


def test_workbook_is_loaded_and_is_one() -> None:
    """The dashboard that the template loads is a workbook of queries."""
    monitoring = template("modules/monitoring.bicep")
    loaded = words(monitoring.resources["workbook"].properties["serializedData"])
    workbook = json.loads((INFRA / "workbook/closure.workbook.json").read_text("utf-8"))

    assert "load_text_content(../workbook/closure.workbook.json)" == loaded
    assert "Notebook/1.0" == workbook["version"]
    assert workbook["items"]
