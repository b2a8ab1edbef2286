"""The fakes stand for the ports: same methods and parameters. The activities are shaped as the app needs."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import activities
from tenantclosure import ports
from tenantclosure.names import Activity
from tests.fakes.clock import FakeClock
from tests.fakes.dying_records import DyingRecords
from tests.fakes.memory_records import MemoryRecords
from tests.fakes.people import FakeChannel, FakeMailer, FakePeople
from tests.fakes.tenant import FakeBilling, FakeDirectory, FakeExternal, FakeOutside, FakePartner

PAIRS = [
    (ports.Clock, FakeClock()),
    (ports.Directory, FakeDirectory()),
    (ports.Billing, FakeBilling()),
    (ports.Partner, FakePartner()),
    (ports.ExternalDirectory, FakeExternal()),
    (ports.Outside, FakeOutside()),
    (ports.People, FakePeople()),
    (ports.Mailer, FakeMailer()),
    (ports.Channel, FakeChannel()),
    (ports.Records, DyingRecords(MemoryRecords())),
]


@pytest.mark.parametrize(
    ("port", "fake"), PAIRS, ids=lambda one: type(one).__name__ if not isinstance(one, type) else ""
)
def test_fakes_satisfy_their_ports(port: Any, fake: Any) -> None:
    """Each fake has every method of its port with the same parameters."""
    assert isinstance(fake, port)
    for name, method in vars(port).items():
        if name.startswith("_") or not callable(method):
            continue
        kind = MemoryRecords if isinstance(fake, DyingRecords) else type(fake)
        wanted = list(inspect.signature(method).parameters)
        assert list(inspect.signature(getattr(kind, name)).parameters) == wanted, name


def test_activities_are_the_named_ones() -> None:
    """Every name has its activity, each takes one plain dict, as the Functions indexer asks."""
    assert [one.__name__ for one in activities.ACTIVITIES] == [str(name) for name in Activity]
    for one in activities.ACTIVITIES:
        (order,) = inspect.signature(one).parameters.values()
        assert order.annotation in (dict, "dict")
        assert one.__doc__
