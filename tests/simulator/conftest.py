"""Starts simulators for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.simulator.rig import Simulator, simulator


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Simulator]]:
    """Start a simulator with the options given."""
    with ExitStack() as stack:

        def begin(**options: Any) -> Simulator:
            return stack.enter_context(simulator(tmp_path, **options))

        yield begin


@pytest.fixture
def sim(start: Callable[..., Simulator]) -> Simulator:
    """A small simulator whose listings are current."""
    return start()
