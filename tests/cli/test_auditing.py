"""`closure audit verify`, offline and over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantclosure.policy import audit_chain
from tests.cli.conftest import CLOSURE, Command, FakeServer


def chain(count: int = 5) -> list[bytes]:
    """A whole chain; one line holds a character other splitters take for a line's end."""
    lines, previous = [], audit_chain.START
    for number in range(count):
        line = audit_chain.link({"word": "gate:decided", "detail": {"comment": f"n\u2028{number}"}}, previous, number)
        previous = line["hash"]
        lines.append(audit_chain.encode(line))
    return lines


def test_whole_file(closure: Command, tmp_path: Path) -> None:
    """A whole chain verifies without any server."""
    file = tmp_path / "audit.ndjson"
    file.write_bytes(b"".join(chain()))

    ran = closure("audit", "verify", str(file), "--json", env={"CLOSURE_SERVER": ""})

    assert 0 == ran.code
    assert {"ok": True, "lines": 5, "fault": None} == {key: ran.json[key] for key in ("ok", "lines", "fault")}


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ([*chain()[:2], chain()[2].replace(b"2", b"7", 1), *chain()[3:]], 3),
        ([*chain()[:2], *chain()[3:]], 3),
        ([*chain()[:1], b"not json\n", *chain()[1:]], 2),
        ([chain()[1], chain()[0]], 1),
    ],
)
def test_edited_file(closure: Command, tmp_path: Path, lines: list[bytes], line: int) -> None:
    """A changed, missing, inserted or moved line is found by its number."""
    file = tmp_path / "audit.ndjson"
    file.write_bytes(b"".join(lines))

    ran = closure("audit", "verify", str(file), "--json")

    assert 1 == ran.code
    assert line == ran.json["line"]


def test_cut_off_end_is_found_by_the_head(closure: Command, tmp_path: Path) -> None:
    """Lines cut off the end leave a whole chain, but not the head the report names."""
    file = tmp_path / "audit.ndjson"
    file.write_bytes(b"".join(chain()[:3]))
    head = audit_chain.verify(chain()).head

    assert 0 == closure("audit", "verify", str(file)).code
    assert 1 == closure("audit", "verify", str(file), "--head", head).code


def test_empty_file_proves_nothing(closure: Command, tmp_path: Path) -> None:
    """A chain without lines is not a good one."""
    file = tmp_path / "audit.ndjson"
    file.touch()

    assert 1 == closure("audit", "verify", str(file)).code


def test_lines_of_a_closure_are_checked_here(closure: Command, server: FakeServer) -> None:
    """By id the lines are fetched and verified on this machine."""
    server.on(f"GET /api/closures/{CLOSURE}/audit", b"".join(chain()))
    server.on(f"GET /api/closures/{CLOSURE}/audit?verify=1", {"ok": True, "fault": None})

    ran = closure("audit", "verify", CLOSURE)

    assert 0 == ran.code
    assert "5 lines" in ran.out


def test_lines_cut_off_the_end_of_a_closure_are_known_to_the_server(closure: Command, server: FakeServer) -> None:
    """What is left is a whole chain; the server's sealed note of the newest line tells that there was more."""
    server.on(f"GET /api/closures/{CLOSURE}/audit", b"".join(chain()[:3]))
    told = {"ok": False, "fault": "was cut or changed at or after line 5"}
    server.on(f"GET /api/closures/{CLOSURE}/audit?verify=1", told)

    ran = closure("audit", "verify", CLOSURE)

    assert 1 == ran.code
    assert "The chain was cut or changed at or after line 5." in ran.out


def test_neither_file_nor_id(closure: Command, server: FakeServer) -> None:
    """A mistyped file name is not sent to the server as an id."""
    ran = closure("audit", "verify", "audit.ndjsn")

    assert 2 == ran.code
    assert [] == server.seen
