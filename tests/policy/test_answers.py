"""Answers: what a status means for the item it was given for."""

from __future__ import annotations

import pytest

from tenantclosure.model.inventory import Answer, Item


@pytest.mark.parametrize(
    ("statuses", "meaning"),
    [
        ((200, 201, 202, 204, 299), "done"),
        ((404,), "absent"),
        ((0, 408, 409, 412, 423, 424, 429, 500, 502, 503, 504, 507, 599), "transient"),
        ((199, 300, 301, 400, 401, 403, 405, 410, 413, 418, 422, 499), "final"),
    ],
)
def test_every_status_means_one_thing(statuses: tuple[int, ...], meaning: str) -> None:
    """Success, gone already, or may pass; whatever is none of the three is a final refusal."""
    for status in statuses:
        answer = Answer("i1", status)
        found = {"done": answer.done, "absent": answer.absent, "transient": answer.transient}
        assert [meaning] == ([word for word, holds in found.items() if holds] or ["final"]), status


def test_an_item_without_facts_is_written_short() -> None:
    """A line of a listing holds facts only where there are any, and reads back as it was."""
    bare, full = Item("i1", "Ida"), Item("i2", "Ivo", {"enabled": True})
    assert {"id": "i1", "name": "Ida"} == bare.to_dict()
    assert [bare, full] == [Item.from_dict(one.to_dict()) for one in (bare, full)]
    assert Item("i3", "") == Item.from_dict({"id": "i3", "facts": None, "new": 1})
