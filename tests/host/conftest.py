"""The tests of this folder run only when they are asked for by their marker."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `-m functions_host` each is skipped, and says how it is run; with it nothing is skipped silently."""
    if "functions_host" in config.option.markexpr:
        return
    reason = "opt-in: needs Azure Functions Core Tools and the network; run it with -m functions_host"
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.skip(reason=reason))
