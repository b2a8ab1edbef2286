"""The programs we are measured against, and the settings each is run with: as it comes, and at its best."""

from __future__ import annotations

from importlib.util import find_spec

from benchmarks.runs import M365_AT_BEST

M365 = "@pnp/cli-microsoft365"
SETTINGS: dict[str, dict[str, dict[str, str]]] = {
    "bare_loop": {"default": {}},
    "serial_batch": {"default": {}},
    "sdk_loop": {"default": {}},
    "sdk_gather": {"default": {}, "60 at once": {"atOnce": "60"}},
    "m365": {"default": {}, M365_AT_BEST: {"how": "api"}},
}
"""Contender -> name of the settings -> what `--setting` gets; the last one is the best."""


def command(contender: str, setting: str) -> tuple[str, dict[str, str]]:
    """The module to run and its settings."""
    return f"benchmarks.contenders.{contender}", SETTINGS[contender][setting]


def settings() -> dict[str, tuple[str, ...]]:
    """Contender -> names of its settings, of the programs that are here."""
    return {name: tuple(own) for name, own in SETTINGS.items() if find_spec(command(name, next(iter(own)))[0])}
