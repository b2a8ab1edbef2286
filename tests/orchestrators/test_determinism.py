"""Orchestrator code does nothing whose answer may differ on replay; each rule is shown to bite."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import orchestrators
from tests.orchestrators.rules import offences

FOLDER = Path(orchestrators.__file__).parent
BREACHES = {
    "import datetime\nx = datetime.datetime.now()": ["1: import datetime", "2: now"],
    "from datetime import datetime\nx = datetime.utcnow()": ["1: import datetime.datetime", "2: utcnow"],
    "from datetime import date\nx = date.today()": ["1: import datetime.date", "2: today"],
    "import time\nx = time.monotonic()": ["1: import time", "2: time"],
    "from time import sleep": ["1: import time.sleep"],
    "import random\nx = random.random()": ["1: import random", "2: random"],
    "import uuid\nx = uuid.uuid4()": ["1: import uuid", "2: uuid"],
    "import os\nx = os.getpid()": ["1: import os", "2: os"],
    "from os import environ\nx = environ['A']": ["1: import os.environ", "2: environ"],
    "from os import getenv": ["1: import os.getenv"],
    "x = settings.environ": ["1: environ"],
    "def f():\n    import os": ["2: import os"],
    "open('x')": ["1: open"],
    "print('x')": ["1: print"],
    "x = hash('a')": ["1: hash"],
    "x = id(object())": ["1: id"],
    "x = __import__('os')": ["1: __import__", "1: os"][:1],
    "import requests\nrequests.get('u')": ["1: import requests", "2: requests"],
    "import httpx\nhttpx.get('u')": ["1: import httpx", "2: httpx"],
    "from aiohttp import ClientSession": ["1: import aiohttp.ClientSession"],
    "async def f():\n    await g()": ["1: async", "2: async"],
    "async def f():\n    async with g: pass": ["1: async", "2: async"],
    "import logging\nlogging.info('x')": ["1: import logging", "2: logging"],
    "logger.warning('x')": ["1: logging"],
    "def f(ctx, log):\n    log.info('x')": ["2: logging"],
    "for x in {1, 2}: pass": ["1: set"],
    "for x in set(y): pass": ["1: set"],
    "for x in frozenset(y): pass": ["1: set"],
    "x = [y for y in {z for z in w}]": ["1: set"],
    "x = list(set(y))": ["1: set"],
    "x = set(y)\nfor z in x: pass": ["1: set"],
    "x = [*{1, 2}]": ["1: set"],
    "SEEN = []\ndef f():\n    SEEN.append(1)": ["3: changes SEEN"],
    "SEEN: dict = {}\ndef f():\n    SEEN['a'] = 1": ["3: changes SEEN"],
    "SEEN = {'a': []}\ndef f():\n    SEEN['a'].append(1)": ["3: changes SEEN"],
    "SEEN = {}\ndef f():\n    del SEEN['a']": ["3: changes SEEN"],
    "SEEN = {}\ndef f():\n    SEEN['a'] += 1": ["3: changes SEEN"],
    "N = 0\ndef f():\n    global N\n    N += 1": ["3: global"],
    "def f():\n    n = 0\n    def g():\n        nonlocal n\n        n += 1": ["4: global"],
    "def f(ctx):\n    yield task.when_all([])": ["2: when_all"],
    "def f(ctx):\n    yield task.when_any([a])": ["2: when_any"],
    "from durabletask.task import when_all": ["1: import durabletask.task.when_all"],
    "from durabletask import task\np = task.RetryPolicy()": ["2: RetryPolicy"],
    "def f(ctx):\n    yield ctx.create_timer(1)": ["2: create_timer"],
    "def f(ctx):\n    yield ctx.wait_for_external_event('e')": ["2: wait_for_external_event"],
    "def f(ctx):\n    yield ctx.call_activity('a')": ["2: call_activity"],
    "def f(ctx):\n    ctx.continue_as_new({})": ["2: continue_as_new"],
    "def f(ctx):\n    if ctx.is_replaying: pass": ["2: is_replaying"],
    "import json": ["1: import json"],
    "import typing": ["1: import typing"],
    "from tenantclosure import wiring": ["1: import tenantclosure.wiring"],
    "from tenantclosure.gateways.graph import x": ["1: import tenantclosure.gateways.graph.x"],
    "from activities import base": ["1: import activities.base"],
    "from durabletask import client": ["1: import durabletask.client"],
    "from . import flow": ["1: import ..flow"],
}
"""What orchestrators may not say, and where and why it is refused."""
ALLOWED = [
    "from __future__ import annotations\nfrom collections.abc import Callable, Generator\nfrom typing import Any",
    "from datetime import timedelta\nx = timedelta(seconds=1)",
    "from durabletask import task\nfrom orchestrators.flow import call\nfrom tenantclosure import names",
    "from tenantclosure.policy import timing\nfrom tenantclosure.policy.drift import compare",
    "from tenantclosure.names import Phase\nfrom tenantclosure.errors import RailBroken",
    "x = 1 in {1, 2} and y not in {3}",
    "x = sorted({1, 2})",
    "SEEN = {}\ndef f(SEEN):\n    SEEN['a'] = 1",
    "SEEN = {}\ndef f():\n    SEEN = {}\n    SEEN['a'] = 1",
    "ENDS = {'a': 1}\ndef f():\n    return ENDS['a']",
    "def f(ctx):\n    yield child(ctx, 'x', {})",
    "def f(ctx):\n    return ctx.current_utc_datetime",
]
"""What they may."""


@pytest.mark.parametrize("path", sorted(FOLDER.glob("**/*.py")), ids=lambda path: path.stem)
def test_orchestrators_keep_the_rules(path: Path) -> None:
    """No file of orchestrators/ breaks a rule; only flow.py and metering.py touch the engine's raw calls."""
    assert [] == offences(path.read_text(encoding="utf-8"), fenced=path.name in ("flow.py", "metering.py"))


def test_every_orchestrator_lives_where_the_rules_look() -> None:
    """What the app registers stands in the folder that is checked, and is a plain generator function."""
    stories = [inspect.unwrap(function) for function in orchestrators.ORCHESTRATORS]

    assert {FOLDER} == {Path(inspect.getfile(story)).parent for story in stories}
    assert all(map(inspect.isgeneratorfunction, (*stories, *orchestrators.ORCHESTRATORS)))


@pytest.mark.parametrize("snippet", BREACHES, ids=lambda snippet: snippet.splitlines()[-1].strip())
def test_each_rule_bites(snippet: str) -> None:
    """A module that breaks a rule is refused with the line and the rule's name."""
    assert BREACHES[snippet] == offences(snippet)


@pytest.mark.parametrize("snippet", ALLOWED, ids=lambda snippet: snippet.splitlines()[-1].strip())
def test_what_is_harmless_is_allowed(snippet: str) -> None:
    """The rules leave room for what orchestrators need."""
    assert [] == offences(snippet)


def test_the_fence_is_for_the_engines_raw_calls() -> None:
    """The fence is for raw calls only: every other rule holds behind it as well."""
    assert [] == offences("def f(ctx):\n    yield ctx.create_timer(1)", fenced=True)
    assert ["2: now"] == offences("def f(ctx):\n    ctx.now()", fenced=True)
