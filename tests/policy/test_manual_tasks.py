"""Manual tasks: every kind has a text for a person, filled in completely."""

from __future__ import annotations

import pytest

from tenantclosure.names import TaskKind
from tenantclosure.policy.manual_tasks import manual_task

PORTALS = {"portal": "https://p", "admin": "https://a", "azure_portal": "https://z"}


@pytest.mark.parametrize("kind", list(TaskKind))
def test_every_kind_tells_what_to_do(kind: TaskKind) -> None:
    """Title, who, link, clicks and warning are there, without a placeholder left and with braces in names kept."""
    row = {"tenantId": "tenant-id", "keeper": "keeper@x.com"}
    task = manual_task(kind, "T-1", "E5 {x}", row=row, portals=PORTALS, instance="i", why="no API")
    text = " ".join([task["title"], *task["steps"]])
    assert task["taskId"] == f"{kind}-t-1"
    assert task["link"] in PORTALS.values()
    assert task["who"] and task["warning"] and task["steps"]
    assert not [word for word in ("{name}", "{target}", "{tenant}", "{keeper}", "{{") if word in text]
