"""The outcomes as CSV: complete, and nothing in it runs."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.rendering.outcomes_csv import COLUMNS, header, rows


def _read(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_an_outcome_is_one_line_under_its_columns() -> None:
    """Header and line fit each other; what an entry lacks is empty, what it has besides is left out."""
    entry = {"t": "outcome", "id": "u1", "name": 'Ada "A", Zoë', "outcome": "removed", "status": 204, "requestId": "r"}
    table = _read(header() + rows("users", "delete", [entry]))

    assert list(COLUMNS) == table[0]
    assert ["users", "delete", "u1", 'Ada "A", Zoë', "removed", "204", "", "", "r", ""] == table[1]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "＝"])
def test_what_looks_like_a_formula_becomes_text(start: str) -> None:
    """A user may be named =HYPERLINK(...); a spreadsheet must show it, not run it."""
    (row,) = _read(rows("users", "delete", [{"id": "u1", "name": f"{start}1+1", "outcome": "removed"}]))

    assert f"'{start}1+1" == row[3]


@given(st.text())
def test_any_name_stays_one_cell_of_one_line(name: str) -> None:
    """No name breaks the table or begins a formula."""
    (row,) = _read(rows("users", "delete", [{"id": "u", "name": name, "outcome": "kept", "reason": name}]))

    assert len(COLUMNS) == len(row)
    assert not row[3].lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
